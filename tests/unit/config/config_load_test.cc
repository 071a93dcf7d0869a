// What a configuration that is right becomes.
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace imds::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Config parsed(std::string_view text, const std::string& name = "inspector.yaml") {
  Result<Config> config = parse(text, name);
  EXPECT_TRUE(config) << config.error().to_string();
  return config.value_or(Config{});
}

TEST(ConfigLoad, EmptyTextIsEveryDefault) {
  EXPECT_EQ(parsed(""), Config{});
  EXPECT_EQ(parsed("# nothing but a comment\n"), Config{});
  EXPECT_EQ(parsed("---\n"), Config{});
  EXPECT_EQ(parsed("ports:\nworkers:\nflow:\n  key:\n"), Config{});
}

TEST(ConfigLoad, DefaultEndpointsAreTheTwoAwsAddresses) {
  const Config config;
  ASSERT_EQ(config.endpoints.size(), 2u);
  EXPECT_EQ(config.endpoints[0].name, "aws-imds-ipv4");
  EXPECT_EQ(config.endpoints[0].addresses.at(0).to_string(), "169.254.169.254/32");
  EXPECT_EQ(config.endpoints[1].name, "aws-imds-ipv6");
  EXPECT_EQ(config.endpoints[1].addresses.at(0).to_string(), "fd00:ec2::254/128");
}

std::vector<unsigned> numbers(const TunnelPortList& ports) {
  std::vector<unsigned> out;
  for (const TunnelPort& port : ports) {
    out.push_back(port.number);
  }
  return out;
}

TEST(ConfigLoad, EveryScalarIsRead) {
  const Config config = parsed(R"(
observer: {hostname: sensor-7.example}
workers: {rss: 5tuple, cores: [2, 4]}
memory: {hugepages: required, limit_mib: 2048}
eal: {file_prefix: second, extra_arguments: ["--log-level=pmd:8", -v]}
rules: {paths: [/opt/rules, mine.yml], fields: /opt/fields.yaml}
flow:
  capacity: 4096
  timeouts: {tcp_syn: 1, tcp_established: 2, tcp_closed: 3, udp: 4}
  key: {vlan: false, vni: false}
tunnels:
  max_depth: 8
  ports: {vxlan: [1, 2, 3, 65535], vxlan_gpe: [5], geneve: [6], teredo: [], gtp_u: [7], l2tp: [8],
          mpls: [9]}
inspect: {head_bytes_max: 2048, raw_scan_bytes: 0, arena_mib: 2, reorder_mib: 3, reorder_bytes: 0, reorder_segments: 9,
          history_mib: 4, verify_checksums: true, http2_mib: 3}
fragments: {memory_mib: 3, timeout: 7, per_datagram: 64}
evidence: {metadata_names: [Metadata.Example, "md.*"], owners: 128, forget_after: 60, dns_streams: 2}
alerts:
  ring: {name: /other, records: 64, mode: 0600}
  redact_query_parameters: [pin]
  finding_ring_records: 128
  correlation_mib: 5
metrics: {enabled: false, listen: "127.0.0.2:1234"}
log: {level: trace}
)");
  EXPECT_EQ(config.observer.hostname, "sensor-7.example");
  EXPECT_EQ(config.workers.count, 2) << "as many as cores";
  EXPECT_THAT(config.workers.cores, ElementsAre(2, 4));
  EXPECT_EQ(config.workers.rss, RssMode::five_tuple);
  EXPECT_EQ(config.memory.hugepages, HugePages::required);
  EXPECT_EQ(config.memory.limit_mib, 2048u);
  EXPECT_EQ(config.eal.file_prefix, "second");
  EXPECT_THAT(config.eal.extra_arguments, ElementsAre("--log-level=pmd:8", "-v"));
  EXPECT_THAT(config.rules.paths, ElementsAre("/opt/rules", "mine.yml"));
  EXPECT_EQ(config.rules.fields, "/opt/fields.yaml");
  EXPECT_EQ(config.flow.capacity, 4096u);
  EXPECT_EQ(config.flow.timeouts.tcp_syn_seconds, 1u);
  EXPECT_EQ(config.flow.timeouts.tcp_established_seconds, 2u);
  EXPECT_EQ(config.flow.timeouts.tcp_closed_seconds, 3u);
  EXPECT_EQ(config.flow.timeouts.udp_seconds, 4u);
  EXPECT_FALSE(config.flow.key.vlan);
  EXPECT_FALSE(config.flow.key.vni);
  EXPECT_EQ(config.tunnels.max_depth, 8);
  EXPECT_EQ(numbers(config.tunnels.ports.vxlan), (std::vector<unsigned>{1, 2, 3, 65535}));
  EXPECT_EQ(numbers(config.tunnels.ports.vxlan_gpe), std::vector<unsigned>{5});
  EXPECT_EQ(numbers(config.tunnels.ports.geneve), std::vector<unsigned>{6});
  EXPECT_TRUE(config.tunnels.ports.teredo.empty());
  EXPECT_EQ(numbers(config.tunnels.ports.gtp_u), std::vector<unsigned>{7});
  EXPECT_EQ(numbers(config.tunnels.ports.l2tp), std::vector<unsigned>{8});
  EXPECT_EQ(numbers(config.tunnels.ports.mpls), std::vector<unsigned>{9});
  EXPECT_EQ(config.inspect.head_bytes_max, 2048u);
  EXPECT_EQ(config.inspect.raw_scan_bytes, 0u);
  EXPECT_EQ(config.inspect.arena_mib, 2u);
  EXPECT_EQ(config.inspect.reorder_mib, 3u);
  EXPECT_EQ(config.inspect.reorder_bytes, 0u);
  EXPECT_EQ(config.inspect.reorder_segments, 9u);
  EXPECT_EQ(config.inspect.history_mib, 4u);
  EXPECT_TRUE(config.inspect.verify_checksums);
  EXPECT_EQ(config.inspect.http2_mib, 3u);
  EXPECT_EQ(config.fragments.memory_mib, 3u);
  EXPECT_EQ(config.fragments.timeout_seconds, 7u);
  EXPECT_EQ(config.fragments.per_datagram, 64u);
  EXPECT_THAT(config.evidence.metadata_names, ElementsAre("metadata.example", "md.*"));
  EXPECT_EQ(config.evidence.owners, 128u);
  EXPECT_EQ(config.evidence.forget_seconds, 60u);
  EXPECT_EQ(config.evidence.dns_streams, 2u);
  EXPECT_EQ(config.alerts.ring.name, "/other");
  EXPECT_EQ(config.alerts.ring.records, 64u);
  EXPECT_EQ(config.alerts.ring.mode, 0600u);
  EXPECT_THAT(config.alerts.redact_query_parameters, ElementsAre("pin"));
  EXPECT_EQ(config.alerts.finding_ring_records, 128u);
  EXPECT_EQ(config.alerts.correlation_mib, 5u);
  EXPECT_FALSE(config.metrics.enabled);
  EXPECT_EQ(config.metrics.listen.to_string(), "127.0.0.2:1234");
  EXPECT_EQ(config.log.level, LogLevel::trace);
}

TEST(ConfigLoad, PortsOfEachKind) {
  const Config config = parsed(R"(ports:
  - {name: a, interface: eth1}
  - {name: b, interface: eth2, driver: af_xdp, promiscuous: false, distribute: off}
  - name: c
    device: 0000:3b:00.0
    mode: inline
    peer: d
    rx_descriptors: 4096
    tx_descriptors: 1024
    mtu: 9000
  - {name: d, device: "net_memif0,role=client,id=0", mode: inline, peer: c}
)");
  ASSERT_EQ(config.ports.size(), 4u);
  EXPECT_EQ(config.ports[0].driver, PortDriver::af_packet);
  EXPECT_EQ(config.ports[0].interface, "eth1");
  EXPECT_EQ(config.ports[0].mode, PortMode::tap);
  EXPECT_TRUE(config.ports[0].promiscuous);
  EXPECT_EQ(config.ports[0].distribute, Distribute::automatic);
  EXPECT_EQ(config.ports[0].rx_descriptors, 0);
  EXPECT_EQ(config.ports[1].driver, PortDriver::af_xdp);
  EXPECT_FALSE(config.ports[1].promiscuous);
  EXPECT_EQ(config.ports[1].distribute, Distribute::off);
  EXPECT_EQ(config.ports[2].driver, PortDriver::device);
  EXPECT_EQ(config.ports[2].device, "0000:3b:00.0");
  EXPECT_EQ(config.ports[2].mode, PortMode::inline_pair);
  EXPECT_EQ(config.ports[2].peer, "d");
  EXPECT_EQ(config.ports[2].rx_descriptors, 4096);
  EXPECT_EQ(config.ports[2].tx_descriptors, 1024);
  EXPECT_EQ(config.ports[2].mtu, 9000);
  EXPECT_EQ(config.ports[2].where.position.line, 4);
  EXPECT_EQ(config.ports[3].device, "net_memif0,role=client,id=0");
}

TEST(ConfigLoad, EndpointsOfYourOwnReplaceTheDefault) {
  const Config config = parsed(
      "endpoints:\n- {name: ecs, addresses: [169.254.170.2]}\n"
      "- {name: lab, addresses: [192.0.2.0/24, \"2001:db8::/32\"]}\n");
  ASSERT_EQ(config.endpoints.size(), 2u);
  EXPECT_EQ(config.endpoints[0].addresses.at(0).to_string(), "169.254.170.2/32");
  EXPECT_EQ(config.endpoints[1].addresses.at(1).to_string(), "2001:db8::/32");
}

TEST(ConfigLoad, SuppressionCriteria) {
  const Config config = parsed(R"(suppress:
  - {name: s, source: [10.0.0.0/8], vlan: [7, 100-199, untagged], endpoint: [aws-imds-ipv6],
     outer: [192.0.2.0/24, "fd00::7"]}
)");
  ASSERT_EQ(config.suppress.size(), 1u);
  const Suppression& s = config.suppress[0];
  EXPECT_EQ(s.name, "s");
  EXPECT_EQ(s.source.at(0).to_string(), "10.0.0.0/8");
  ASSERT_EQ(s.outer.size(), 2u);
  EXPECT_EQ(s.outer[0].to_string(), "192.0.2.0/24");
  EXPECT_EQ(s.outer[1].to_string(), "fd00::7/128");
  EXPECT_THAT(s.vlan, ElementsAre(VlanRange{7, 7}, VlanRange{100, 199}, VlanRange{0, 0}));
  EXPECT_THAT(s.endpoint, ElementsAre("aws-imds-ipv6"));
}

TEST(ConfigLoad, SuppressionOfRulesRespondersAndTimes) {
  const Config config = parsed(R"(suppress:
  - {name: s, destination: [192.0.2.0/24], rule: [866049A2-f864-4ac3-8dbf-20bd71e33544],
     tag: [attack.T1552.005], user_agent: ["Nuclei*"],
     responder: [02-00-5E-10-00-01, "fd00::/8", 192.0.2.7],
     from: 2026-11-01, until: 2026-12-31, daily: ["22:00-06:30", "12:00-24:00"]}
  - {name: t, vlan: [7], from: 2024-02-29T01:02:03+01:30, until: "2024-03-01 00:00:00Z"}
)");
  ASSERT_EQ(config.suppress.size(), 2u);
  const Suppression& s = config.suppress[0];
  EXPECT_EQ(s.destination.at(0).to_string(), "192.0.2.0/24");
  EXPECT_THAT(s.rule, ElementsAre("866049a2-f864-4ac3-8dbf-20bd71e33544"));
  EXPECT_THAT(s.tag, ElementsAre("attack.t1552.005"));
  EXPECT_THAT(s.user_agent, ElementsAre("Nuclei*"));
  ASSERT_EQ(s.responder.size(), 3u);
  EXPECT_EQ(s.responder[0].mac.to_string(), "02:00:5e:10:00:01");
  EXPECT_FALSE(s.responder[0].address.address.is_set());
  EXPECT_EQ(s.responder[1].address.to_string(), "fd00::/8");
  EXPECT_EQ(s.responder[2].address.to_string(), "192.0.2.7/32");
  EXPECT_EQ(to_rfc3339(s.from.value()), "2026-11-01T00:00:00.000000Z");
  // The last day is in it.
  EXPECT_EQ(to_rfc3339(s.until.value()), "2027-01-01T00:00:00.000000Z");
  EXPECT_THAT(s.daily, ElementsAre(DailyHours{1320, 390}, DailyHours{720, 1440}));
  const Suppression& t = config.suppress[1];
  EXPECT_EQ(to_rfc3339(t.from.value()), "2024-02-28T23:32:03.000000Z");
  EXPECT_EQ(to_rfc3339(t.until.value()), "2024-03-01T00:00:00.000000Z");
}

TEST(ConfigLoad, OnPremises) {
  EXPECT_TRUE(parsed("on_premises:\n").on_premises.networks.empty());
  EXPECT_TRUE(parsed("on_premises: []\n").on_premises.networks.empty());
  const Config config = parsed("on_premises: [10.0.0.0/8, \"fd00::/8\"]\n");
  ASSERT_EQ(config.on_premises.networks.size(), 2u);
  EXPECT_EQ(config.on_premises.networks[1].to_string(), "fd00::/8");
  EXPECT_EQ(config.on_premises.where.position.line, 1);
}

TEST(ConfigLoad, Throttle) {
  const Config defaults = parsed("");
  EXPECT_TRUE(defaults.alerts.throttle.enabled);
  ASSERT_EQ(defaults.alerts.throttle.policies.size(), 1u);
  const Config config = parsed(R"(alerts:
  throttle:
    enabled: false
    entries: 128
    policies:
      - {name: a, rule: [866049a2-f864-4ac3-8dbf-20bd71e33544], track: flow, type: both, count: 3}
      - {name: b, tag: [attack.t1552.005], level: [high, critical], type: none}
      - {name: c, track: rule, type: threshold, seconds: 9}
)");
  EXPECT_FALSE(config.alerts.throttle.enabled);
  EXPECT_EQ(config.alerts.throttle.entries, 128u);
  const std::vector<ThrottlePolicy>& p = config.alerts.throttle.policies;
  ASSERT_EQ(p.size(), 3u);
  EXPECT_EQ(p[0].track, ThrottleTrack::flow);
  EXPECT_EQ(p[0].type, ThrottleType::both);
  EXPECT_EQ(p[0].count, 3u);
  EXPECT_EQ(p[0].seconds, 3600u);
  EXPECT_THAT(p[1].level, ElementsAre("high", "critical"));
  EXPECT_EQ(p[1].type, ThrottleType::none);
  EXPECT_EQ(p[2].track, ThrottleTrack::rule);
  EXPECT_EQ(p[2].seconds, 9u);
  EXPECT_TRUE(parsed("alerts: {throttle: {policies: []}}").alerts.throttle.policies.empty());
}

TEST(ConfigLoad, RelativePathsStandBesideTheFile) {
  EXPECT_THAT(parsed("", "/etc/x/inspector.yaml").rules.paths, ElementsAre("/etc/x/rules"));
  EXPECT_EQ(parsed("", "/etc/x/inspector.yaml").rules.fields, "/etc/x/fields.yaml");
  EXPECT_THAT(parsed("rules: {paths: [a, /b]}", "conf/inspector.yaml").rules.paths,
              ElementsAre("conf/a", "/b"));
  EXPECT_THAT(parsed("rules: {paths: [a]}", "/inspector.yaml").rules.paths, ElementsAre("/a"));
}

TEST(ConfigLoad, TheTableOfClientsStandsBesideTheFields) {
  EXPECT_EQ(parsed("", "/etc/x/inspector.yaml").rules.clients, "/etc/x/clients.yaml");
  EXPECT_EQ(parsed("rules: {fields: /opt/f.yaml}").rules.clients, "/opt/clients.yaml");
  EXPECT_EQ(parsed("rules: {fields: /opt/f.yaml, clients: c.yaml}", "/etc/x/i.yaml").rules.clients,
            "/etc/x/c.yaml");
}

TEST(ConfigLoad, ShippedTableOfClients) {
  const auto clients = load_clients(CONF_FOLDER "/clients.yaml");
  ASSERT_TRUE(clients) << clients.error().to_string();
  EXPECT_GT(clients->size(), 15u);
  EXPECT_EQ(clients->front().kind, "ssm-agent");
}

TEST(ConfigLoad, MistakesInTheTableOfClients) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "expected a list of kinds"},
      {"clients: x\n", "c.yaml:1:10: clients: expected a list"},
      {"clients:\n- {kind: a}\n", "c.yaml:2:3: clients[0]: a kind of client needs user_agent"},
      {"clients:\n- {user_agent: [a]}\n", "c.yaml:2:3: clients[0]: a kind of client needs a kind"},
      {"clients:\n- {kind: a, user_agent: ['*']}\n", "clients[0].user_agent[0]: expected"},
      {"clients: []\nmore: 1\n", "c.yaml:2:1: "}};
  for (const auto& [text, message] : mistakes) {
    const auto clients = parse_clients(text, "c.yaml");
    ASSERT_FALSE(clients) << text;
    EXPECT_NE(clients.error().to_string().find(message), std::string::npos)
        << clients.error().to_string();
  }
  EXPECT_NE(load_clients("/nonexistent/c.yaml")
                .error()
                .to_string()
                .find("cannot read the table of user agents"),
            std::string::npos);
}

TEST(ConfigLoad, ExpectedAccounts) {
  const Config config = parsed(
      "expected_accounts:\n- account: 029608264753\n  networks: [10.0.0.0/8]\n"
      "- account: \"111111111111\"\n");
  ASSERT_EQ(config.expected_accounts.size(), 2u);
  EXPECT_EQ(config.expected_accounts[0].account, 29608264753u);
  EXPECT_EQ(config.expected_accounts[0].networks.size(), 1u);
  EXPECT_TRUE(config.expected_accounts[1].networks.empty());
}

TEST(ConfigLoad, FilesThatCannotBeRead) {
  const Result<Config> missing = load_file("/nonexistent/inspector.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::config);
  EXPECT_EQ(
      missing.error().to_string(),
      "/nonexistent/inspector.yaml: cannot read the configuration: No such file or directory");

  const Result<Config> folder = load_file(::testing::TempDir());
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("it is a folder"));
}

TEST(ConfigLoad, FileOnDisk) {
  const std::string path = ::testing::TempDir() + "config_load_test.yaml";
  std::ofstream(path) << "workers:\n  count: 3\n";
  const Result<Config> config = load_file(path);
  std::remove(path.c_str());
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->workers.count, 3);
}

TEST(ConfigLoad, ChangedConfigurationIsValidatedAgain) {
  Config config = parsed("");
  Port port;
  port.name = "tap0";
  port.interface = "eth1";
  config.ports = {port, port};
  const Status twice = validate(config);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("two ports are named 'tap0'"));

  config.ports = {port};
  config.metrics.listen.address = IpAddress::v4(0);
  ASSERT_TRUE(validate(config));
  ASSERT_TRUE(validate(config));
  EXPECT_EQ(config.warnings.size(), 1u) << "replaced, not added to";
}

TEST(ConfigLoad, NamesOfEnumerators) {
  EXPECT_EQ(name(PortDriver::device), "device");
  EXPECT_EQ(name(PortMode::inline_pair), "inline");
  EXPECT_EQ(name(RssMode::five_tuple), "5tuple");
  EXPECT_EQ(name(HugePages::automatic), "auto");
  EXPECT_EQ(name(LogLevel::error), "error");
}

}  // namespace
}  // namespace imds::config
