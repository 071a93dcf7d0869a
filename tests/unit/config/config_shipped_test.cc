// conf/inspector.yaml as shipped: it means the defaults, shows every key with its default, and its
// commented examples work. Walks the schema, so that a new key cannot be forgotten.
#include <algorithm>
#include <array>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "alert/redact.h"
#include "alert/ring_writer.h"
#include "classify/address_class.h"
#include "config/load.h"
#include "detect/evidence.h"
#include "flow/arena.h"
#include "flow/table.h"
#include "packet/decode.h"

namespace imds::config {
namespace {

using ::testing::HasSubstr;

const std::string kShipped = std::string(CONF_FOLDER) + "/inspector.yaml";

std::string shipped_text() {
  std::ifstream in(kShipped);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

// The file with the '#' removed from the lines of its examples.
std::string with_examples() {
  std::string text;
  for (const std::string& line : lines_of(shipped_text())) {
    static const std::regex kExample("#  (  )?(- |# |  [a-z_]+: ).*");
    text += (std::regex_match(line, kExample) ? line.substr(1) : line) + "\n";
  }
  return text;
}

// Every key below `node` as schema_keys() writes it.
void collect_keys(const YAML::Node& node, const std::string& path, std::set<std::string>& keys) {
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      collect_keys(item, path + "[]", keys);
    }
  } else if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string key = (path.empty() ? "" : path + ".") + entry.first.as<std::string>();
      keys.insert(key);
      collect_keys(entry.second, key, keys);
    }
  }
}

TEST(ShippedConfig, MeansTheDefaults) {
  const Result<Config> config = parse(shipped_text(), "inspector.yaml");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(*config, Config{});
  EXPECT_TRUE(config->warnings.empty());
}

TEST(ShippedConfig, LoadsFromItsFolder) {
  const Result<Config> config = load_file(kShipped);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->rules.paths.at(0), std::string(CONF_FOLDER) + "/rules");
}

TEST(ShippedConfig, ShowsEveryKeyOfTheSchema) {
  std::set<std::string> shown;
  collect_keys(YAML::Load(with_examples()), "", shown);
  const std::vector<std::string> schema = schema_keys();
  EXPECT_GT(schema.size(), 50u);
  EXPECT_EQ(shown, std::set<std::string>(schema.begin(), schema.end()));
}

TEST(ShippedConfig, ShowsEveryKeyOutsideListsUncommented) {
  std::set<std::string> shown;
  collect_keys(YAML::Load(shipped_text()), "", shown);
  for (const std::string& key : schema_keys()) {
    if (key.find("[]") == std::string::npos) {
      EXPECT_TRUE(shown.contains(key)) << key;
    }
  }
}

TEST(ShippedConfig, CommentsTellTheDefaultOfEveryScalar) {
  std::string comment;
  int scalars = 0;
  for (const std::string& line : lines_of(shipped_text())) {
    static const std::regex kScalar(" +([a-z_0-9]+): (.+)");
    std::smatch match;
    if (line.find_first_not_of(' ') != std::string::npos &&
        line[line.find_first_not_of(' ')] == '#') {
      comment += " " + line.substr(line.find('#') + 1);
    } else if (std::regex_match(line, match, kScalar)) {
      // What stands in a list is described above the list.
      if (match[1] != "addresses" && !line.ends_with('}')) {
        const std::string words = std::regex_replace(comment, std::regex("\\s+"), " ");
        EXPECT_THAT(words, HasSubstr("Default: " + match[2].str())) << line;
        ++scalars;
      }
      comment.clear();
    } else {
      comment.clear();
    }
  }
  EXPECT_GT(scalars, 20);
}

TEST(ShippedConfig, ExamplesWork) {
  const Result<Config> config = parse(with_examples(), "inspector.yaml");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->ports.size(), 4u);
  EXPECT_EQ(config->suppress.size(), 6u);
  EXPECT_EQ(config->on_premises.networks.size(), 3u);
  EXPECT_TRUE(config->warnings.empty()) << config->warnings.front().to_string();
}

bool same_ports(const TunnelPortList& configured,
                std::array<std::uint16_t, packet::kMaxTunnelPorts> decoders) {
  std::array<std::uint16_t, packet::kMaxTunnelPorts> numbers{};
  std::transform(configured.begin(), configured.end(), numbers.begin(),
                 [](const TunnelPort& port) { return port.number; });
  return numbers == decoders;
}

// The rooms that use a setting have a default of their own; there must be one truth.
TEST(ShippedConfig, AgreesWithTheRoomsItConfigures) {
  const Config config;
  const alert::RingOptions ring;
  EXPECT_EQ(config.alerts.ring.name, ring.name);
  EXPECT_EQ(config.alerts.ring.records, ring.capacity);
  EXPECT_EQ(config.alerts.ring.mode, ring.mode);
  EXPECT_EQ(config.alerts.redact_query_parameters,
            alert::RedactionOptions::default_query_parameters());
  EXPECT_EQ(kMaxSuppressions, classify::kMaxSuppressions);
  const detect::EvidenceOptions evidence;
  EXPECT_EQ(config.evidence.owners, evidence.owners.entries);
  EXPECT_EQ(config.evidence.forget_seconds * kNanosPerSecond, evidence.owners.forget_after_ns);
  EXPECT_EQ(config.evidence.dns_streams, evidence.dns_streams);
  const flow::Timeouts timeouts;
  EXPECT_EQ(config.flow.timeouts.tcp_syn_seconds, timeouts.tcp_opening);
  EXPECT_EQ(config.flow.timeouts.tcp_established_seconds, timeouts.tcp_established);
  EXPECT_EQ(config.flow.timeouts.tcp_closed_seconds, timeouts.tcp_closing);
  EXPECT_EQ(config.inspect.head_bytes_max, flow::Arena::kLargest);
  EXPECT_EQ(config.tunnels.max_depth, packet::DecodeOptions{}.max_tunnels);
  EXPECT_EQ(kMaxTunnelPorts, packet::kMaxTunnelPorts);
  const packet::TunnelPorts ports;
  EXPECT_TRUE(same_ports(config.tunnels.ports.vxlan, ports.vxlan));
  EXPECT_TRUE(same_ports(config.tunnels.ports.vxlan_gpe, ports.vxlan_gpe));
  EXPECT_TRUE(same_ports(config.tunnels.ports.geneve, ports.geneve));
  EXPECT_TRUE(same_ports(config.tunnels.ports.teredo, ports.teredo));
  EXPECT_TRUE(same_ports(config.tunnels.ports.gtp_u, ports.gtp_u));
  EXPECT_TRUE(same_ports(config.tunnels.ports.l2tp, ports.l2tp));
  EXPECT_TRUE(same_ports(config.tunnels.ports.mpls, ports.mpls));
}

TEST(ShippedConfig, LinesFitTheScreen) {
  for (const std::string& line : lines_of(shipped_text())) {
    EXPECT_LE(line.size(), 100u) << line;
  }
}

}  // namespace
}  // namespace imds::config
