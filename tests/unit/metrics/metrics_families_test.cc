// The table of families, and docs/metrics.md which has one row for each.
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/families.h"

namespace imds::metrics {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST(MetricFamilies, NamesAreUniqueAndFollowTheConventions) {
  std::set<std::string_view> names;
  for (const FamilyInfo& info : all_families()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_THAT(std::string(info.name), MatchesRegex("imds_inspector_[a-z0-9_]+"));
    if (info.type == Type::counter) {
      EXPECT_THAT(std::string(info.name), EndsWith("_total"));
    } else {
      EXPECT_THAT(std::string(info.name), Not(EndsWith("_total")));
    }
    EXPECT_THAT(std::string(info.help), EndsWith("."));
  }
  EXPECT_EQ(names.size(), kFamilyCount);
}

// A label with an unbounded or wire-given value would be a leak and a way to exhaust memory.
TEST(MetricFamilies, LabelsAreOfTheAllowedKinds) {
  static const std::set<std::string_view> kAllowed = {
      "version", "revision", "dpdk",    "matcher", "port",        "worker", "disposition",
      "reason",  "vlan",     "kind",    "event",   "suppression", "policy", "rule",
      "rule_id", "severity", "anomaly", "outcome", "result",      "filter"};
  for (const FamilyInfo& info : all_families()) {
    for (std::size_t i = 0; i < kMaxLabels; ++i) {
      EXPECT_EQ(info.labels[i].empty(), i >= info.label_count) << info.name;
      EXPECT_TRUE(info.labels[i].empty() || kAllowed.contains(info.labels[i])) << info.labels[i];
    }
  }
}

TEST(MetricFamilies, DescribeFindsEachByItsEnumerator) {
  EXPECT_EQ(describe(Family::build_info).name, "imds_inspector_build_info");
  EXPECT_EQ(describe(Family::alerts_total).name, "imds_inspector_alerts_total");
  EXPECT_EQ(describe(Family::ruleset_parses_every_head).name,
            "imds_inspector_ruleset_parses_every_head");
}

// name -> "type|label,label" of the table rows in docs/metrics.md.
std::map<std::string, std::string> documented() {
  std::ifstream in(std::string(SOURCE_FOLDER) + "/docs/metrics.md");
  static const std::regex kRow(
      "\\| `([a-z0-9_]+)` \\| (counter|gauge) \\| ?((?:`[a-z_]+`(?:, )?)*) ?\\| \\S.* \\|.*\\|");
  std::map<std::string, std::string> rows;
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kRow)) {
      const std::string labels = std::regex_replace(match[3].str(), std::regex("[` ]"), "");
      EXPECT_TRUE(rows.emplace(match[1], match[2].str() + "|" + labels).second) << line;
    }
  }
  return rows;
}

TEST(MetricFamilies, DocumentationHasOneRowForEach) {
  std::map<std::string, std::string> expected;
  for (const FamilyInfo& info : all_families()) {
    std::string row = info.type == Type::counter ? "counter|" : "gauge|";
    for (std::size_t i = 0; i < info.label_count; ++i) {
      row += (i > 0 ? "," : "") + std::string(info.labels[i]);
    }
    expected[std::string(info.name.substr(std::string_view("imds_inspector_").size()))] = row;
  }
  EXPECT_EQ(documented(), expected);
}

}  // namespace
}  // namespace imds::metrics
