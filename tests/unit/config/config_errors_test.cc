// Each mistake a person can make in the file, and the one message it gives. The messages are
// compared with file, line and column, because that is what the person acts on.
#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace imds::config {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  const Result<Config> config = parse(text, "f.yaml");
  if (config) {
    return "no error";
  }
  EXPECT_EQ(config.error().kind, ErrorKind::config);
  return config.error().to_string();
}

struct Mistake {
  const char* name;
  const char* yaml;
  const char* message;  // the beginning, with position
  friend std::ostream& operator<<(std::ostream& out, const Mistake& m) { return out << m.name; }
};

class ConfigMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsNamedWithItsPlace) {
  const std::string error = error_of(GetParam().yaml);
  EXPECT_EQ(error.substr(0, std::string_view(GetParam().message).size()), GetParam().message)
      << error;
}

const Mistake kKeys[] = {
    {"top_level_key_misspelt", "observer:\nworker:\n  count: 1\n",
     "f.yaml:2:1: unknown key 'worker' at the top level; did you mean 'workers'? Valid keys: "
     "observer, ports, workers, memory,"},
    {"nested_key_misspelt", "flow:\n  timeouts:\n    tcp_sin: 1\n",
     "f.yaml:3:5: unknown key 'tcp_sin' in flow.timeouts; did you mean 'tcp_syn'? Valid keys: "
     "tcp_syn, tcp_established, tcp_closed, udp"},
    {"key_of_another_section", "rss: ip\n",
     "f.yaml:1:1: unknown key 'rss' at the top level; did you mean 'workers.rss'?"},
    {"key_like_nothing", "log:\n  colour: red\n",
     "f.yaml:2:3: unknown key 'colour' in log. Valid keys: level"},
    {"key_of_a_list_element", "ports:\n- name: a\n  interface: e\n  drivr: af_xdp\n",
     "f.yaml:4:3: unknown key 'drivr' in ports[0]; did you mean 'driver'?"},
    {"control_character_in_key", "\"a\\x1b[2J\": 1\n", "f.yaml:1:1: unknown key 'a\\x1b[2J' at"},
    {"key_given_twice", "log:\n  level: info\nmetrics:\nlog:\n  level: debug\n",
     "f.yaml:4:1: key 'log' is given twice; the first is in line 1"},
    {"nested_key_given_twice", "flow:\n  capacity: 1024\n  capacity: 2048\n",
     "f.yaml:3:3: key 'capacity' is given twice; the first is in line 2"},
    {"tls", "metrics:\n  tls_certificate: x\n",
     "f.yaml:2:3: metrics.'tls_certificate': metrics are served as plain HTTP; for TLS"},
};

const Mistake kAccounts[] = {
    {"account_too_short", "expected_accounts:\n- account: 12345\n",
     "f.yaml:2:12: expected_accounts[0].account: expected an AWS account id of 12 digits"},
    {"account_is_missing", "expected_accounts:\n- networks: [10.0.0.0/8]\n",
     "f.yaml:2:3: expected_accounts[0]: an expected account needs an account"},
    {"account_twice", "expected_accounts:\n- account: '123456789012'\n- account: '123456789012'\n",
     "f.yaml:3:3: expected_accounts: this account is listed before (line 2); list all its"},
};

const Mistake kTypes[] = {
    {"not_a_map", "- 1\n", "f.yaml:1:1: expected keys and values"},
    {"section_is_a_text", "flow: big\n", "f.yaml:1:7: flow: expected keys and values, got 'big'"},
    {"section_is_a_list", "flow:\n- 1\n", "f.yaml:2:1: flow: expected keys and values, got a list"},
    {"list_is_a_map", "ports:\n  name: a\n", "f.yaml:2:3: ports: expected a list, got keys"},
    {"list_is_a_text", "rules: {paths: here}\n",
     "f.yaml:1:16: rules.paths: expected a list, got 'here'"},
    {"number_is_a_word", "flow:\n  capacity: many\n",
     "f.yaml:2:13: flow.capacity: expected a whole number from 1024 to 134217728, got 'many'"},
    {"number_is_quoted", "flow: {capacity: \"2048\"}\n",
     "f.yaml:1:18: flow.capacity: expected a whole number from 1024 to 134217728, got the text "
     "'2048'"},
    {"number_is_a_fraction", "flow: {capacity: 2048.5}\n", "f.yaml:1:18: flow.capacity: expected"},
    {"number_is_negative", "memory: {limit_mib: -1}\n", "f.yaml:1:21: memory.limit_mib: expected"},
    {"number_too_small", "flow: {capacity: 1023}\n", "f.yaml:1:18: flow.capacity: expected a"},
    {"number_too_large", "workers: {count: 129}\n",
     "f.yaml:1:18: workers.count: expected a whole number from 1 to 127, got '129'"},
    {"number_beyond_64_bits", "workers: {count: 99999999999999999999}\n",
     "f.yaml:1:18: workers.count: expected a whole number"},
    {"number_is_missing", "workers:\n  count:\n  rss: ip\n",
     "f.yaml:2:3: workers.count: expected a whole number from 1 to 127, got no value"},
    {"boolean_is_yes", "metrics: {enabled: yes}\n",
     "f.yaml:1:20: metrics.enabled: expected true or false, got 'yes'"},
    {"boolean_is_quoted", "metrics: {enabled: 'true'}\n",
     "f.yaml:1:20: metrics.enabled: expected true or false, got the text 'true'"},
    {"text_is_a_list", "observer: {hostname: [a]}\n",
     "f.yaml:1:22: observer.hostname: expected a text, got a list"},
    {"text_with_control_character", "rules: {fields: \"a\\nb\"}\n",
     "f.yaml:1:17: rules.fields: expected a text of at most 4096 bytes without control"},
    {"text_is_empty", "rules: {fields: \"\"}\n",
     "f.yaml:1:17: rules.fields: expected a text that is not empty"},
    {"word_not_in_the_list", "log: {level: verbose}\n",
     "f.yaml:1:14: log.level: expected one of trace, debug, info, warning, error, got 'verbose'"},
    {"device_is_no_driver", "ports: [{name: a, interface: e, driver: device}]\n",
     "f.yaml:1:41: ports[0].driver: expected one of af_packet, af_xdp, got 'device'"},
    {"too_many_elements", "suppress: [{name: a, vlan: [1], source: [1.2.3.4/33]}]\n",
     "f.yaml:1:42: suppress[0].source[0]: '1.2.3.4/33' is not a prefix: "},
};

const Mistake kValues[] = {
    {"prefix_malformed", "endpoints:\n- name: a\n  addresses: [169.254.169.256]\n",
     "f.yaml:3:15: endpoints[0].addresses[0]: '169.254.169.256' is not a prefix: "},
    {"prefix_with_host_bits", "suppress: [{name: a, source: [10.1.0.0/8]}]\n",
     "f.yaml:1:31: suppress[0].source[0]: '10.1.0.0/8' is not a prefix: "},
    {"prefix_is_a_list", "suppress: [{name: a, source: [[10.1.0.0/16]]}]\n",
     "f.yaml:1:31: suppress[0].source[0]: expected an address or prefix such as"},
    {"outer_with_host_bits", "suppress: [{name: a, outer: [10.1.0.0/8]}]\n",
     "f.yaml:1:30: suppress[0].outer[0]: '10.1.0.0/8' is not a prefix: "},
    {"vlan_zero", "suppress: [{name: a, vlan: [0]}]\n",
     "f.yaml:1:29: suppress[0].vlan[0]: expected a VLAN id from 1 to 4094, a range such as"},
    {"vlan_4095", "suppress: [{name: a, vlan: [4095]}]\n", "f.yaml:1:29: suppress[0].vlan[0]: "},
    {"vlan_range_reversed", "suppress: [{name: a, vlan: [20-10]}]\n",
     "f.yaml:1:29: suppress[0].vlan[0]: expected a VLAN id"},
    {"vlan_range_open", "suppress: [{name: a, vlan: [20-]}]\n",
     "f.yaml:1:29: suppress[0].vlan[0]: expected a VLAN id"},
    {"destination_malformed", "suppress: [{name: a, destination: [10.0.0]}]\n",
     "f.yaml:1:36: suppress[0].destination[0]: '10.0.0' is not a prefix: "},
    {"rule_that_is_no_id", "suppress: [{name: a, rule: [aws_imds]}]\n",
     "f.yaml:1:29: suppress[0].rule[0]: expected the id of a rule, a UUID"},
    {"tag_without_namespace", "suppress: [{name: a, tag: [t1552]}]\n",
     "f.yaml:1:28: suppress[0].tag[0]: expected a tag of rules"},
    {"metadata_name_of_anything", "evidence: {metadata_names: ['*']}\n",
     "f.yaml:1:29: evidence.metadata_names[0]: expected a name in DNS"},
    {"user_agent_of_anything", "suppress: [{name: a, user_agent: ['**']}]\n",
     "f.yaml:1:35: suppress[0].user_agent[0]: expected a user agent"},
    {"responder_is_a_name", "suppress: [{name: a, responder: [snowball]}]\n",
     "f.yaml:1:34: suppress[0].responder[0]: expected a MAC address such as"},
    {"responder_is_a_list", "suppress: [{name: a, responder: [[1.2.3.4]]}]\n",
     "f.yaml:1:34: suppress[0].responder[0]: expected a MAC address such as"},
    {"responder_mac_of_mixed_form", "suppress: [{name: a, responder: ['02:00-5e:10:00:01']}]\n",
     "f.yaml:1:34: suppress[0].responder[0]: expected a MAC address such as"},
    {"responder_mac_of_nobody", "suppress: [{name: a, responder: ['00:00:00:00:00:00']}]\n",
     "f.yaml:1:34: suppress[0].responder[0]: expected a MAC address such as"},
    {"until_no_such_day", "suppress: [{name: a, vlan: [1], until: 2026-02-29}]\n",
     "f.yaml:1:40: suppress[0].until: expected a date such as 2026-12-31 or a time such as"},
    {"until_without_zone", "suppress: [{name: a, vlan: [1], until: 2026-02-28T10:00:00}]\n",
     "f.yaml:1:40: suppress[0].until: expected a date"},
    {"from_is_a_list", "suppress: [{name: a, vlan: [1], from: [2026-02-28]}]\n",
     "f.yaml:1:39: suppress[0].from: expected a date"},
    {"until_before_from", "suppress: [{name: a, vlan: [1], from: 2026-02-02, until: 2026-02-01}]\n",
     "f.yaml:1:12: suppress[0]: until is not after from"},
    {"daily_no_such_hour", "suppress: [{name: a, vlan: [1], daily: ['24:00-06:00']}]\n",
     "f.yaml:1:41: suppress[0].daily[0]: expected hours of a day in UTC"},
    {"daily_of_no_length", "suppress: [{name: a, vlan: [1], daily: ['06:00-06:00']}]\n",
     "f.yaml:1:41: suppress[0].daily[0]: expected hours of a day in UTC"},
    {"on_premises_malformed", "on_premises: [10.0.0.0/8, here]\n",
     "f.yaml:1:27: on_premises[1]: 'here' is not a prefix: "},
    {"throttle_type", "alerts: {throttle: {policies: [{name: a, type: rate}]}}\n",
     "f.yaml:1:48: alerts.throttle.policies[0].type: expected one of limit, threshold, both, none"},
    {"throttle_track", "alerts: {throttle: {policies: [{name: a, track: src}]}}\n",
     "f.yaml:1:49: alerts.throttle.policies[0].track: expected one of rule, source, destination"},
    {"throttle_count", "alerts: {throttle: {policies: [{name: a, count: 0}]}}\n",
     "f.yaml:1:49: alerts.throttle.policies[0].count: expected a whole number from 1 to"},
    {"throttle_level", "alerts: {throttle: {policies: [{name: a, level: [severe]}]}}\n",
     "f.yaml:1:50: alerts.throttle.policies[0].level[0]: expected one of informational, low"},
    {"throttle_entries", "alerts: {throttle: {entries: 1}}\n",
     "f.yaml:1:30: alerts.throttle.entries: expected a whole number from 64 to 16777216"},
    {"listen_without_port", "metrics: {listen: 127.0.0.1}\n",
     "f.yaml:1:19: metrics.listen: expected an IPv4 address and port such as 127.0.0.1:39254, "
     "got '127.0.0.1'"},
    {"listen_on_a_host_name", "metrics: {listen: localhost:39254}\n",
     "f.yaml:1:19: metrics.listen: expected an IPv4 address and port"},
    {"listen_port_too_large", "metrics: {listen: 127.0.0.1:65536}\n",
     "f.yaml:1:19: metrics.listen: expected an IPv4 address and port"},
    {"listen_on_ipv6", "metrics: {listen: \"[::1]:39254\"}\n",
     "f.yaml:1:19: metrics.listen: expected an IPv4 address and port such as 127.0.0.1:39254 (the "
     "metrics' HTTP server knows no IPv6"},
    {"ring_name_without_slash", "alerts: {ring: {name: alerts}}\n",
     "f.yaml:1:23: alerts.ring.name: expected '/' and 1 to 64"},
    {"ring_mode_writable_by_all", "alerts: {ring: {mode: 0666}}\n",
     "f.yaml:1:23: alerts.ring.mode: expected octal permissions that let only the owner write"},
    {"ring_mode_not_octal", "alerts: {ring: {mode: 0680}}\n", "f.yaml:1:23: alerts.ring.mode: "},
    {"file_prefix_with_slash", "eal: {file_prefix: a/b}\n",
     "f.yaml:1:20: eal.file_prefix: expected 1 to 32 letters, digits"},
};

const Mistake kTunnels[] = {
    {"depth_0", "tunnels: {max_depth: 0}\n",
     "f.yaml:1:22: tunnels.max_depth: expected a whole number from 1 to 8"},
    {"depth_9", "tunnels: {max_depth: 9}\n", "f.yaml:1:22: tunnels.max_depth: "},
    {"tunnel_port_0", "tunnels: {ports: {vxlan: [4789, 0]}}\n",
     "f.yaml:1:33: tunnels.ports.vxlan[1]: expected a whole number from 1 to 65535"},
    {"tunnel_port_65536", "tunnels: {ports: {geneve: [65536]}}\n",
     "f.yaml:1:28: tunnels.ports.geneve[0]: "},
    {"five_tunnel_ports", "tunnels: {ports: {geneve: [1, 2, 3, 4, 5]}}\n",
     "f.yaml:1:27: tunnels.ports.geneve: expected at most 4 elements, got 5"},
    {"tunnel_unknown", "tunnels: {ports: {genev: [1]}}\n",
     "f.yaml:1:19: unknown key 'genev' in tunnels.ports; did you mean 'geneve'?"},
    {"tunnel_port_twice", "tunnels:\n  ports:\n    vxlan: [4789]\n    geneve: [6081, 4789]\n",
     "f.yaml:4:20: tunnels.ports: port 4789 already belongs to vxlan (line 3); name it for one"},
    {"tunnel_port_twice_in_a_list", "tunnels: {ports: {vxlan: [1, 1]}}\n",
     "f.yaml:1:30: tunnels.ports: port 1 already belongs to vxlan (line 1)"},
    {"tunnel_port_of_a_default", "tunnels: {ports: {geneve: [8472]}}\n",
     "f.yaml:1:28: tunnels.ports: port 8472 already belongs to vxlan"},
    {"tunnel_port_of_a_later_default", "tunnels: {ports: {vxlan: [6081]}}\n",
     "f.yaml:1:27: tunnels.ports: port 6081 already belongs to geneve (by default)"},
};

const Mistake kPorts[] = {
    {"port_without_name", "ports:\n- interface: eth0\n",
     "f.yaml:2:3: ports[0]: a port needs a name"},
    {"port_name_with_space", "ports:\n- name: my port\n  interface: eth0\n",
     "f.yaml:2:9: ports[0].name: expected 1 to 32 letters"},
    {"port_without_hardware", "ports:\n- name: a\n",
     "f.yaml:2:3: ports[0]: expected either interface (a kernel interface"},
    {"port_with_both", "ports:\n- {name: a, interface: e, device: net_null0}\n",
     "f.yaml:2:3: ports[0]: expected either interface"},
    {"driver_with_device", "ports:\n- {name: a, driver: af_xdp, device: net_null0}\n",
     "f.yaml:2:3: ports[0]: driver goes with interface"},
    {"interface_too_long", "ports:\n- {name: a, interface: abcdefghijklmnop}\n",
     "f.yaml:2:24: ports[0].interface: expected the name of a kernel interface"},
    {"interface_with_comma", "ports:\n- {name: a, interface: \"e,x=1\"}\n",
     "f.yaml:2:24: ports[0].interface: expected the name of a kernel interface"},
    {"device_unknown", "ports:\n- {name: a, device: eth0}\n",
     "f.yaml:2:21: ports[0].device: expected a PCI address such as 0000:3b:00.0 or a DPDK"},
    {"device_function_8", "ports:\n- {name: a, device: \"0000:3b:00.8\"}\n",
     "f.yaml:2:21: ports[0].device: expected a PCI address"},
    {"mtu_67", "ports:\n- {name: a, interface: e, mtu: 67}\n", "f.yaml:2:3: ports[0]: mtu: "},
    {"port_name_twice", "ports:\n- {name: a, interface: e}\n- {name: a, interface: f}\n",
     "f.yaml:3:3: two ports are named 'a'; the other is the port (line 2); give each its own"},
    {"interface_twice", "ports:\n- {name: a, interface: e}\n- {name: b, interface: e}\n",
     "f.yaml:3:3: ports 'a' and 'b' both use 'e'"},
    {"inline_without_peer", "ports:\n- {name: a, interface: e, mode: inline}\n",
     "f.yaml:2:3: port 'a' is inline and needs a peer"},
    {"tap_with_peer", "ports:\n- {name: a, interface: e, peer: b}\n",
     "f.yaml:2:3: port 'a' is a tap and has a peer"},
    {"distributed_inline",
     "ports:\n- {name: a, interface: e, mode: inline, peer: b}\n"
     "- {name: b, interface: f, mode: inline, peer: a, distribute: on}\n",
     "f.yaml:3:3: port 'b' is inline and has distribute: on, which is for taps"},
    {"distribute_unknown", "ports:\n- {name: a, interface: e, distribute: yes}\n",
     "f.yaml:2:39: ports[0].distribute: expected one of auto, off, on, got 'yes'"},
    {"peer_unknown",
     "ports:\n- {name: left, interface: e, mode: inline, peer: rigth}\n"
     "- {name: right, interface: f, mode: inline, peer: left}\n",
     "f.yaml:2:3: port 'left' has the peer 'rigth', which is no port; did you mean 'right'?"},
    {"peer_is_itself", "ports:\n- {name: a, interface: e, mode: inline, peer: a}\n",
     "f.yaml:2:3: port 'a' is its own peer"},
    {"peer_is_a_tap",
     "ports:\n- {name: a, interface: e, mode: inline, peer: b}\n- {name: b, interface: f}\n",
     "f.yaml:2:3: port 'a' has the peer 'b' (line 3), which must have mode: inline and peer: a"},
    {"peer_has_another_peer",
     "ports:\n- {name: a, interface: e, mode: inline, peer: b}\n"
     "- {name: b, interface: f, mode: inline, peer: c}\n"
     "- {name: c, interface: g, mode: inline, peer: b}\n",
     "f.yaml:2:3: port 'a' has the peer 'b' (line 3), which must have mode: inline and peer: a"},
};

const Mistake kReferences[] = {
    {"cores_and_count_differ", "workers: {count: 3, cores: [1, 2]}\n",
     "f.yaml:1:10: workers: count is 3 and cores lists 2; they must agree"},
    {"core_twice", "workers: {cores: [1, 2, 1]}\n",
     "f.yaml:1:10: workers.cores: CPU 1 is listed twice"},
    {"endpoint_without_name", "endpoints: [{addresses: [10.0.0.1]}]\n",
     "f.yaml:1:13: endpoints[0]: an endpoint needs a name"},
    {"endpoint_without_addresses", "endpoints: [{name: a}]\n",
     "f.yaml:1:13: endpoints[0]: an endpoint needs addresses"},
    {"endpoint_with_empty_addresses", "endpoints: [{name: a, addresses: []}]\n",
     "f.yaml:1:13: endpoint 'a' has no addresses"},
    {"endpoint_name_twice",
     "endpoints:\n- {name: a, addresses: [10.0.0.1]}\n- {name: a, addresses: [10.0.0.2]}\n",
     "f.yaml:3:3: two endpoints are named 'a'; the other is the endpoint (line 2)"},
    {"endpoint_address_twice",
     "endpoints:\n- {name: a, addresses: [10.0.0.1]}\n- {name: b, addresses: [10.0.0.1/32]}\n",
     "f.yaml:3:3: endpoint 'b': 10.0.0.1/32 already belongs to endpoint 'a'"},
    {"suppression_without_name", "suppress: [{vlan: [1]}]\n",
     "f.yaml:1:12: suppress[0]: a suppression needs a name"},
    {"suppression_without_criterion", "suppress: [{name: a}]\n",
     "f.yaml:1:12: suppression 'a' has no criterion and would hide everything"},
    {"suppression_with_empty_criterion", "suppress: [{name: a, source: []}]\n",
     "f.yaml:1:12: suppression 'a' has no criterion and would hide everything"},
    {"suppression_of_times_only",
     "suppress: [{name: a, until: 2026-12-31, daily: ['01:00-02:00']}]\n",
     "f.yaml:1:12: suppression 'a' has no criterion and would hide everything; give at least"},
    {"suppression_with_the_name_of_on_premises",
     "suppress: [{name: outside-on-premises, vlan: [1]}]\n",
     "f.yaml:1:12: suppression 'outside-on-premises' has the name that on_premises counts under"},
    {"policy_without_name", "alerts: {throttle: {policies: [{count: 1}]}}\n",
     "f.yaml:1:32: alerts.throttle.policies[0]: a policy needs a name"},
    {"policy_name_twice", "alerts: {throttle: {policies: [{name: a, tag: [x.y]}, {name: a}]}}\n",
     "f.yaml:1:55: two throttle policies are named 'a'"},
    {"suppression_name_twice", "suppress: [{name: a, vlan: [1]}, {name: a, vlan: [2]}]\n",
     "f.yaml:1:34: two suppressions are named 'a'"},
    {"suppression_of_an_unknown_endpoint", "suppress: [{name: a, endpoint: [aws-imds-ip4]}]\n",
     "f.yaml:1:12: suppression 'a' names the endpoint 'aws-imds-ip4', which is not configured; "
     "did you mean 'aws-imds-ipv4'?"},
};

std::string name_of(const ::testing::TestParamInfo<Mistake>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Keys, ConfigMistake, ::testing::ValuesIn(kKeys), name_of);
INSTANTIATE_TEST_SUITE_P(Accounts, ConfigMistake, ::testing::ValuesIn(kAccounts), name_of);
INSTANTIATE_TEST_SUITE_P(Types, ConfigMistake, ::testing::ValuesIn(kTypes), name_of);
INSTANTIATE_TEST_SUITE_P(Values, ConfigMistake, ::testing::ValuesIn(kValues), name_of);
INSTANTIATE_TEST_SUITE_P(Tunnels, ConfigMistake, ::testing::ValuesIn(kTunnels), name_of);
INSTANTIATE_TEST_SUITE_P(Ports, ConfigMistake, ::testing::ValuesIn(kPorts), name_of);
INSTANTIATE_TEST_SUITE_P(References, ConfigMistake, ::testing::ValuesIn(kReferences), name_of);

TEST(ConfigErrors, OfSeveralTheFirstInTheFileIsReported) {
  // The schema asks for `flow` before `log`, and unknown keys last.
  EXPECT_THAT(error_of("log: {level: x}\nflow: {capacity: y}\n"), HasSubstr("f.yaml:1:"));
  EXPECT_THAT(error_of("nonsense: 1\nflow: {capacity: y}\n"), HasSubstr("unknown key"));
  EXPECT_THAT(error_of("flow: {capacity: y, unknown: 1}\n"), HasSubstr("flow.capacity"));
}

TEST(ConfigErrors, TooManyPorts) {
  std::string text = "ports:\n";
  for (std::size_t i = 0; i <= kMaxPorts; ++i) {
    text += "- {name: p" + std::to_string(i) + ", interface: e" + std::to_string(i) + "}\n";
  }
  EXPECT_THAT(error_of(text), HasSubstr("ports: expected at most 64 elements, got 65"));
}

TEST(ConfigErrors, LongTextsAreCutInMessages) {
  const std::string error = error_of("log: {level: " + std::string(5000, 'x') + "}\n");
  EXPECT_LT(error.size(), 200u);
}

TEST(ConfigErrors, ListenAddressFromTheCommandLine) {
  EXPECT_EQ(parse_listen_address("0.0.0.0:0").value().to_string(), "0.0.0.0:0");
  for (const char* wrong : {"", ":", "1.2.3.4:", ":80", "1.2.3.4:80:80", "1.2.3.4:+80", "::1",
                            "1.2.3.4:0x50", "1.2.3:80", "fd00::1:80", "https://1.2.3.4:80"}) {
    const Result<ListenAddress> address = parse_listen_address(wrong);
    ASSERT_FALSE(address) << wrong;
    EXPECT_EQ(address.error().kind, ErrorKind::config);
  }
}

}  // namespace
}  // namespace imds::config
