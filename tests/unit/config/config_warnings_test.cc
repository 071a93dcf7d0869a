// What is legal but probably not meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace imds::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> warnings_of(std::string_view text) {
  const Result<Config> config = parse(text, "f.yaml");
  EXPECT_TRUE(config) << config.error().to_string();
  std::vector<std::string> all;
  for (const Warning& warning : config.value_or(Config{}).warnings) {
    all.push_back(warning.to_string());
  }
  return all;
}

TEST(ConfigWarnings, NoneForTheDefaults) {
  EXPECT_THAT(warnings_of(""), IsEmpty());
}

TEST(ConfigWarnings, PortThatSeesOnlyItself) {
  EXPECT_THAT(warnings_of("ports:\n- {name: a, interface: e, promiscuous: false}\n"),
              ElementsAre(StartsWith("f.yaml:2:3: port 'a' is not promiscuous")));
}

TEST(ConfigWarnings, NobodyToDistributeTo) {
  constexpr std::string_view kPort = "ports:\n- {name: a, interface: e, distribute: on}\n";
  EXPECT_THAT(warnings_of(kPort),
              ElementsAre(StartsWith("f.yaml:2:3: port 'a' has distribute: on, and there is one")));
  EXPECT_THAT(warnings_of(std::string(kPort) + "workers: {count: 2}\n"), IsEmpty());
}

TEST(ConfigWarnings, PciWithoutHugepages) {
  EXPECT_THAT(warnings_of("memory: {hugepages: off}\nports:\n- {name: a, device: \"3b:00.0\"}\n"),
              ElementsAre(StartsWith("f.yaml:3:3: port 'a' is a PCI device")));
  EXPECT_THAT(warnings_of("memory: {hugepages: off}\nports:\n- {name: a, device: net_null0}\n"),
              IsEmpty());
}

TEST(ConfigWarnings, Endpoints) {
  EXPECT_THAT(warnings_of("endpoints: []\n"), ElementsAre(StartsWith("endpoints is empty")));
  EXPECT_THAT(warnings_of("endpoints:\n- {name: a, addresses: [0.0.0.0/0, 10.0.0.0/8]}\n"),
              ElementsAre(StartsWith("f.yaml:2:3: endpoint 'a': 0.0.0.0/0 is very wide")));
}

TEST(ConfigWarnings, SuppressionsThatHideTooMuch) {
  EXPECT_THAT(warnings_of("suppress:\n"
                          "- {name: a, endpoint: [aws-imds-ipv4]}\n"
                          "- {name: b, source: [\"::/0\"]}\n"
                          "- {name: c, vlan: [1-4094]}\n"
                          "- {name: d, vlan: [5], endpoint: [aws-imds-ipv4]}\n"
                          "- {name: e, outer: [10.0.0.1], endpoint: [aws-imds-ipv4]}\n"
                          "- {name: f, outer: [0.0.0.0/0, \"::/0\"]}\n"),
              ElementsAre(StartsWith("f.yaml:2:3: suppression 'a' names only endpoints"),
                          StartsWith("f.yaml:3:3: suppression 'b': ::/0 is every client"),
                          StartsWith("f.yaml:4:3: suppression 'c': 1-4094 is every VLAN"),
                          StartsWith("f.yaml:7:3: suppression 'f': outer 0.0.0.0/0 is every tunnel "
                                     "over IPv4"),
                          StartsWith("f.yaml:7:3: suppression 'f': outer ::/0 is every tunnel "
                                     "over IPv6")));
}

TEST(ConfigWarnings, SuppressionsByWhatAnybodyCanSend) {
  EXPECT_THAT(
      warnings_of("suppress:\n"
                  "- {name: a, user_agent: [curl/*]}\n"
                  "- {name: b, user_agent: [curl/*], source: [10.0.0.0/8]}\n"
                  "- {name: c, destination: [0.0.0.0/0]}\n"
                  "- {name: d, tag: [attack.t1552.005]}\n"),
      ElementsAre(
          StartsWith("f.yaml:2:3: suppression 'a' names clients by user_agent alone"),
          StartsWith("f.yaml:4:3: suppression 'c' names only destinations"),
          StartsWith("f.yaml:4:3: suppression 'c': destination 0.0.0.0/0 is every server")));
}

TEST(ConfigWarnings, OnPremisesOfOneFamily) {
  EXPECT_THAT(warnings_of("on_premises: [10.0.0.0/8]\n"),
              ElementsAre(StartsWith("f.yaml:1:15: on_premises lists no IPv6 network: no IPv6")));
  EXPECT_THAT(warnings_of("on_premises: [10.0.0.0/8, \"fd00::/8\"]\n"), IsEmpty());
}

TEST(ConfigWarnings, ThrottlePoliciesThatNeverApply) {
  EXPECT_THAT(warnings_of("alerts: {throttle: {policies: [{name: a, level: [high]}, {name: b}, "
                          "{name: c}]}}\n"),
              ElementsAre(HasSubstr("throttle policy 'c' never applies: 'b' before it")));
}

TEST(ConfigWarnings, EalArgumentsTheInspectorSets) {
  EXPECT_THAT(warnings_of("eal:\n  extra_arguments: [-v, \"--lcores=1\", -m, \"512\"]\n"),
              ElementsAre(StartsWith("f.yaml:2:3: eal.extra_arguments: '--lcores=1' is what the "
                                     "inspector sets itself from 'workers'"),
                          StartsWith("f.yaml:2:3: eal.extra_arguments: '-m'")));
}

TEST(ConfigWarnings, MetricsOpenToOthers) {
  EXPECT_THAT(warnings_of("metrics: {listen: \"0.0.0.0:0\"}\n"),
              ElementsAre(StartsWith("f.yaml:1:19: metrics.listen: 0.0.0.0:0 can be read by"),
                          StartsWith("f.yaml:1:19: metrics.listen: port 0")));
  EXPECT_THAT(warnings_of("metrics: {listen: \"0.0.0.0:0\", enabled: false}\n"), IsEmpty());
}

TEST(ConfigWarnings, AreInTheOrderOfTheFile) {
  EXPECT_THAT(warnings_of("metrics: {listen: \"0.0.0.0:1\"}\n"
                          "ports:\n- {name: a, interface: e, promiscuous: false}\n"),
              ElementsAre(StartsWith("f.yaml:1:"), StartsWith("f.yaml:3:")));
}

}  // namespace
}  // namespace imds::config
