#include "schema.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "base/tunnel.h"
#include "checks.h"
#include "config/load.h"
#include "names.h"
#include "wording.h"

namespace imds::config {

void read_text(const Value& value, std::string& out) {
  value.text(out, check_not_empty);
}
void read_prefix(const Value& value, IpPrefix& out) {
  value.prefix(out);
}

namespace {

constexpr std::size_t kAccountDigits = 12;

// Relative to the configuration's folder.
void read_path(const Value& value, std::string& out) {
  value.text(out, check_not_empty);
  out = value.context().beside(out);
}

void read_port(const Value& value, Port& port) {
  port.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", port.name, check_name)) {
      s.fail("a port needs a name");
    }
    const bool has_interface = s.text("interface", port.interface, check_interface);
    const bool has_driver = s.choice("driver", port.driver);
    const bool has_device = s.text("device", port.device, check_device);
    if (has_interface == has_device) {
      s.fail(
          "expected either interface (a kernel interface, read with driver af_packet or af_xdp) "
          "or device (a PCI address or DPDK virtual device)");
    } else if (has_device) {
      if (has_driver) {
        s.fail("driver goes with interface; a device brings its own");
      }
      port.driver = PortDriver::device;
    }
    s.choice("mode", port.mode);
    s.text("peer", port.peer, check_name);
    s.integer("rx_descriptors", port.rx_descriptors, 0, 32768);
    s.integer("tx_descriptors", port.tx_descriptors, 0, 32768);
    if (s.integer("mtu", port.mtu, 0, 16000) && port.mtu > 0 && port.mtu < 68) {
      s.fail("mtu: expected 0 or 68 to 16000 bytes, got " + std::to_string(port.mtu));
    }
    s.boolean("promiscuous", port.promiscuous);
    s.choice("distribute", port.distribute);
  });
}

void read_workers(Section& s, Workers& workers) {
  workers.where = s.origin();
  const bool has_count = s.integer("count", workers.count, 1, kMaxWorkers);
  s.list("cores", workers.cores, kMaxWorkers,
         [](const Value& value, std::uint16_t& core) { value.integer(core, 0, 1023); });
  if (!has_count && !workers.cores.empty()) {
    workers.count = static_cast<std::uint16_t>(workers.cores.size());
  }
  s.choice("rss", workers.rss);
}

void read_memory(Section& s, Memory& memory) {
  memory.where = s.origin();
  s.choice("hugepages", memory.hugepages);
  s.integer("limit_mib", memory.limit_mib, 0, 1u << 22);
}

void read_eal(Section& s, Eal& eal) {
  eal.where = s.origin();
  s.text("file_prefix", eal.file_prefix, check_name);
  s.list("extra_arguments", eal.extra_arguments, kMaxListElements, read_text);
}

void read_endpoint(const Value& value, Endpoint& endpoint) {
  endpoint.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", endpoint.name, check_name)) {
      s.fail("an endpoint needs a name");
    }
    if (!s.list("addresses", endpoint.addresses, kMaxListElements, read_prefix)) {
      s.fail("an endpoint needs addresses");
    }
  });
}

void read_expected_account(const Value& value, ExpectedAccount& expected) {
  expected.where = value.origin();
  value.section([&](Section& s) {
    if (const auto account = s.value("account")) {
      const std::optional<std::string_view> text = account->scalar();
      const auto number = parse_whole_number(text.value_or(""));
      if (!number || text->size() != kAccountDigits) {
        account->fail("expected an AWS account id of 12 digits");
      } else {
        expected.account = *number;
      }
    } else {
      s.fail("an expected account needs an account");
    }
    s.list("networks", expected.networks, kMaxListElements, read_prefix);
  });
}

void read_client_kind(const Value& value, ClientKind& client) {
  client.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("kind", client.kind, check_name)) {
      s.fail("a kind of client needs a kind");
    }
    if (!s.list(
            "user_agent", client.user_agent, kMaxListElements,
            [](const Value& pattern, std::string& out) { pattern.text(out, check_user_agent); })) {
      s.fail("a kind of client needs user_agent, a list of patterns");
    }
  });
}

void read_on_premises(Section& file, OnPremises& on_premises) {
  file.list("on_premises", on_premises.networks, kMaxListElements,
            [&](const Value& value, IpPrefix& out) {
              if (on_premises.where.position.line == 0) {
                on_premises.where = value.origin();
              }
              value.prefix(out);
            });
}

void read_placeholder(const Value& value, Placeholder& placeholder) {
  placeholder.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", placeholder.name, check_name)) {
      s.fail("a placeholder needs a name");
    }
    if (!s.list("values", placeholder.values, kMaxListElements, read_text)) {
      s.fail("a placeholder needs values");
    }
  });
}

void read_rules(Section& s, Rules& rules) {
  s.list("paths", rules.paths, kMaxListElements, read_path);
  if (const auto fields = s.value("fields")) {
    read_path(*fields, rules.fields);
  }
  if (const auto clients = s.value("clients")) {
    read_path(*clients, rules.clients);
  } else {
    const std::size_t folder = rules.fields.rfind('/') + 1;  // npos + 1 is 0
    rules.clients = rules.fields.substr(0, folder) + "clients.yaml";
  }
  s.list("placeholders", rules.placeholders, kMaxListElements, read_placeholder);
  if (const auto cache = s.value("cache"); cache && cache->scalar() != std::string_view()) {
    read_path(*cache, rules.cache);
  }
  s.integer("compile_timeout", rules.compile_timeout_seconds, 1, 3600);
}

void read_tunnel_port(const Value& value, TunnelPort& port) {
  port.where = value.origin();
  value.integer(port.number, 1, 65535);
}

void read_tunnels(Section& s, Tunnels& tunnels) {
  s.integer("max_depth", tunnels.max_depth, 1, kMaxTunnels);
  s.section("ports", [&](Section& p) {
    for (const auto& [key, list] : named_lists(tunnels.ports)) {
      p.list(key, *list, kMaxTunnelPorts, read_tunnel_port);
    }
  });
}

void read_flow(Section& s, Flow& flow) {
  s.integer("capacity", flow.capacity, 1024, 1u << 27);
  s.section("timeouts", [&](Section& t) {
    t.integer("tcp_syn", flow.timeouts.tcp_syn_seconds, 1, 65535);
    t.integer("tcp_established", flow.timeouts.tcp_established_seconds, 1, 65535);
    t.integer("tcp_closed", flow.timeouts.tcp_closed_seconds, 1, 65535);
    t.integer("udp", flow.timeouts.udp_seconds, 1, 65535);
  });
  s.section("key", [&](Section& k) {
    k.boolean("vlan", flow.key.vlan);
    k.boolean("vni", flow.key.vni);
  });
}

void read_inspect(Section& s, Inspect& inspect) {
  s.integer("head_bytes_max", inspect.head_bytes_max, 1024, 65536);
  s.integer("raw_scan_bytes", inspect.raw_scan_bytes, 0, 65536);
  s.integer("arena_mib", inspect.arena_mib, 1, 16384);
  s.integer("reorder_mib", inspect.reorder_mib, 1, 16384);
  s.integer("reorder_bytes", inspect.reorder_bytes, 0, 1048576);
  s.integer("reorder_segments", inspect.reorder_segments, 0, 65536);
  s.integer("history_mib", inspect.history_mib, 1, 1024);
  s.boolean("verify_checksums", inspect.verify_checksums);
  s.integer("http2_mib", inspect.http2_mib, 1, 16384);
  s.integer("exchanges", inspect.exchanges, 16, 65535);
  s.integer("compressed_bodies", inspect.compressed_bodies, 1, 16384);
  s.integer("body_bytes_max", inspect.body_bytes_max, 1024, 1u << 26);
}

void read_fragments(Section& s, Fragments& fragments) {
  s.integer("memory_mib", fragments.memory_mib, 1, 16384);
  s.integer("timeout", fragments.timeout_seconds, 1, 3600);
  s.integer("per_datagram", fragments.per_datagram, 2, 8192);
}

void read_metadata_name(const Value& value, std::string& name) {
  value.text(name, check_dns_pattern);
  std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
}

void read_capture(Section& s, EvidenceCapture& capture) {
  capture.where = s.origin();
  s.boolean("enabled", capture.enabled);
  if (const auto directory = s.value("directory")) {
    read_path(*directory, capture.directory);
  }
  s.integer("file_mib", capture.file_mib, 1, 65536);
  s.integer("files", capture.files, 2, 10000);
  s.integer("exchange_packets", capture.exchange_packets, 1, 1u << 20);
  s.integer("exchange_kib", capture.exchange_kib, 1, 1u << 20);
  s.integer("exchanges_per_minute", capture.exchanges_per_minute, 1, 1u << 20);
  s.integer("queue_mib", capture.queue_mib, 1, 1024);
}

void read_evidence(Section& s, Evidence& evidence) {
  s.list("metadata_names", evidence.metadata_names, kMaxMetadataNames, read_metadata_name);
  s.integer("owners", evidence.owners, 64, 1u << 20);
  s.integer("forget_after", evidence.forget_seconds, 1, 2678400);
  s.integer("dns_streams", evidence.dns_streams, 1, 4096);
  s.section("capture", [&](Section& c) { read_capture(c, evidence.capture); });
}

// Permission bits in octal, as chmod takes them.
void read_mode(const Value& value, std::uint32_t& mode) {
  const std::optional<std::string_view> text = value.scalar();
  std::uint32_t bits = 0;
  if (text && text->size() >= 3 && text->size() <= 4) {
    const char* const end = text->data() + text->size();
    const auto [rest, problem] = std::from_chars(text->data(), end, bits, 8);
    // The owner reads and writes; nobody else writes; nothing is executed.
    if (problem == std::errc() && rest == end && (bits & 0600u) == 0600u && (bits & ~0644u) == 0) {
      mode = bits;
      return;
    }
  }
  value.fail("expected octal permissions that let only the owner write: 0600, 0640 or 0644");
}

void read_alerts(Section& s, Alerts& alerts) {
  s.section("ring", [&](Section& r) {
    r.text("name", alerts.ring.name, check_shared_memory_name);
    r.integer("records", alerts.ring.records, 16, 1u << 20);
    if (const auto mode = r.value("mode")) {
      read_mode(*mode, alerts.ring.mode);
    }
  });
  s.list("redact_query_parameters", alerts.redact_query_parameters, kMaxListElements, read_text);
  s.section("throttle", [&](Section& t) { read_throttle(t, alerts.throttle); });
  s.integer("finding_ring_records", alerts.finding_ring_records, 64, 1u << 20);
  s.integer("correlation_mib", alerts.correlation_mib, 1, 16384);
  s.integer("story_mib", alerts.story_mib, 1, 1024);
  s.integer("story_window", alerts.story_seconds, 1, 86400);
}

void read_metrics(Section& s, Metrics& metrics) {
  metrics.where = s.origin();
  s.boolean("enabled", metrics.enabled);
  if (const auto listen = s.value("listen")) {
    metrics.where = listen->origin();
    const std::optional<std::string_view> text = listen->scalar();
    if (!text) {
      listen->fail("expected an IPv4 address and port such as 127.0.0.1:39254");
    } else if (Result<ListenAddress> address = parse_listen_address(*text)) {
      metrics.listen = *address;
    } else {
      listen->fail(address.error().message);
    }
  }
  s.refuse({"tls", "ssl", "https", "cert", "auth", "basic_auth"},
           "metrics are served as plain HTTP; for TLS or authentication listen on 127.0.0.1 and "
           "put a reverse proxy (nginx, haproxy, stunnel) in front of it");
}

}  // namespace

bool read_clients(Section& file, std::vector<ClientKind>& clients) {
  return file.list("clients", clients, kMaxListElements, read_client_kind);
}

void read_config(Section& file, Config& config) {
  file.section("observer",
               [&](Section& s) { s.text("hostname", config.observer.hostname, check_hostname); });
  file.list("ports", config.ports, kMaxPorts, read_port);
  file.section("workers", [&](Section& s) { read_workers(s, config.workers); });
  file.section("memory", [&](Section& s) { read_memory(s, config.memory); });
  file.section("eal", [&](Section& s) { read_eal(s, config.eal); });
  file.list("endpoints", config.endpoints, kMaxEndpoints, read_endpoint);
  read_on_premises(file, config.on_premises);
  file.list("suppress", config.suppress, kMaxSuppressions, read_suppression);
  file.list("expected_accounts", config.expected_accounts, kMaxListElements, read_expected_account);
  file.section("rules", [&](Section& s) { read_rules(s, config.rules); });
  file.section("tunnels", [&](Section& s) { read_tunnels(s, config.tunnels); });
  file.section("flow", [&](Section& s) { read_flow(s, config.flow); });
  file.section("inspect", [&](Section& s) { read_inspect(s, config.inspect); });
  file.section("fragments", [&](Section& s) { read_fragments(s, config.fragments); });
  file.section("evidence", [&](Section& s) { read_evidence(s, config.evidence); });
  file.section("alerts", [&](Section& s) { read_alerts(s, config.alerts); });
  file.section("metrics", [&](Section& s) { read_metrics(s, config.metrics); });
  file.section("log", [&](Section& s) { s.choice("level", config.log.level); });
}

}  // namespace imds::config
