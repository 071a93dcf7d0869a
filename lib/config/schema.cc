#include "schema.h"

#include <charconv>

#include "base/tunnel.h"
#include "checks.h"
#include "config/load.h"
#include "names.h"
#include "wording.h"

namespace imds::config {
namespace {

constexpr std::size_t kMaxListElements = 4096;

void read_text(const Value& value, std::string& out) {
  value.text(out, check_not_empty);
}
void read_prefix(const Value& value, IpPrefix& out) {
  value.prefix(out);
}

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

std::optional<std::uint16_t> vlan_id(std::string_view text) {
  const std::optional<std::uint64_t> id = parse_whole_number(text);
  if (!id || *id < 1 || *id > 4094) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(*id);
}

void read_vlan_range(const Value& value, VlanRange& range) {
  const std::optional<std::string_view> text = value.scalar();
  if (text == "untagged") {
    range = {0, 0};
    return;
  }
  if (text) {
    const std::size_t dash = text->find('-');
    const auto first = vlan_id(text->substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : vlan_id(text->substr(dash + 1));
    if (first && last && *first <= *last) {
      range = {*first, *last};
      return;
    }
  }
  value.fail("expected a VLAN id from 1 to 4094, a range such as 100-199, or untagged");
}

void read_suppression(const Value& value, Suppression& suppression) {
  suppression.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", suppression.name, check_name)) {
      s.fail("a suppression needs a name");
    }
    s.list("source", suppression.source, kMaxListElements, read_prefix);
    s.list("outer", suppression.outer, kMaxListElements, read_prefix);
    s.list("vlan", suppression.vlan, kMaxListElements, read_vlan_range);
    s.list("endpoint", suppression.endpoint, kMaxListElements, read_text);
  });
}

void read_rules(Section& s, Rules& rules) {
  s.list("paths", rules.paths, kMaxListElements, read_path);
  if (const auto fields = s.value("fields")) {
    read_path(*fields, rules.fields);
  }
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
}

void read_fragments(Section& s, Fragments& fragments) {
  s.integer("memory_mib", fragments.memory_mib, 1, 16384);
  s.integer("timeout", fragments.timeout_seconds, 1, 3600);
  s.integer("per_datagram", fragments.per_datagram, 2, 8192);
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
  s.integer("finding_ring_records", alerts.finding_ring_records, 64, 1u << 20);
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

void read_config(Section& file, Config& config) {
  file.section("observer",
               [&](Section& s) { s.text("hostname", config.observer.hostname, check_hostname); });
  file.list("ports", config.ports, kMaxPorts, read_port);
  file.section("workers", [&](Section& s) { read_workers(s, config.workers); });
  file.section("memory", [&](Section& s) { read_memory(s, config.memory); });
  file.section("eal", [&](Section& s) { read_eal(s, config.eal); });
  file.list("endpoints", config.endpoints, kMaxEndpoints, read_endpoint);
  file.list("suppress", config.suppress, kMaxSuppressions, read_suppression);
  file.section("rules", [&](Section& s) { read_rules(s, config.rules); });
  file.section("tunnels", [&](Section& s) { read_tunnels(s, config.tunnels); });
  file.section("flow", [&](Section& s) { read_flow(s, config.flow); });
  file.section("inspect", [&](Section& s) { read_inspect(s, config.inspect); });
  file.section("fragments", [&](Section& s) { read_fragments(s, config.fragments); });
  file.section("alerts", [&](Section& s) { read_alerts(s, config.alerts); });
  file.section("metrics", [&](Section& s) { read_metrics(s, config.metrics); });
  file.section("log", [&](Section& s) { s.choice("level", config.log.level); });
}

}  // namespace imds::config
