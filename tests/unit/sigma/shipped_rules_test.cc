// The rules in conf/rules/, read with the alias table in conf/.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "event/event.h"
#include "rule_text.h"

namespace imds::sigma {
namespace {

class ShippedRules : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<event::FieldTable> fields = event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml");
    ASSERT_TRUE(fields.has_value()) << fields.error().to_string();
    fields_ = std::move(*fields);
  }
  event::FieldTable fields_;
};

TEST_F(ShippedRules, AllLoadWithoutWarnings) {
  const std::filesystem::path folders[] = {IMDS_CONF_DIR "/rules",
                                           IMDS_CONF_DIR
                                           "/rules-optional/"
                                           "neighbours",
                                           IMDS_CONF_DIR
                                           "/rules-optional/"
                                           "other-clouds"};
  const Result<LoadedRules> loaded = load_paths(folders, fields_);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rules.size(), 39u);
  EXPECT_TRUE(loaded->skipped.empty());
  for (const Warning& warning : loaded->warnings) {
    ADD_FAILURE() << warning.where.file << ":" << warning.where.line << ": " << warning.message;
  }
  for (const Rule& rule : loaded->rules) {
    EXPECT_FALSE(rule.description.empty()) << rule.file;
    EXPECT_FALSE(rule.references.empty()) << rule.file;
    EXPECT_FALSE(rule.false_positives.empty()) << rule.file;
    EXPECT_NE(std::find(rule.tags.begin(), rule.tags.end(), "attack.t1552.005"), rule.tags.end())
        << rule.file;
  }
}

TEST_F(ShippedRules, TheOptionalCorrelations) {
  const std::filesystem::path folder = IMDS_CONF_DIR "/correlations";
  const Result<LoadedRules> loaded = load_paths(std::span(&folder, 1), fields_);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_TRUE(loaded->warnings.empty());
  EXPECT_TRUE(loaded->skipped.empty());
  ASSERT_EQ(loaded->correlations.size(), 2u);
  for (const Correlation& correlation : loaded->correlations) {
    EXPECT_TRUE(correlation.alerts);
    EXPECT_FALSE(correlation.id.empty()) << correlation.file;
    EXPECT_FALSE(correlation.description.empty()) << correlation.file;
    EXPECT_FALSE(correlation.references.empty()) << correlation.file;
    EXPECT_FALSE(correlation.false_positives.empty()) << correlation.file;
  }
  for (const Rule& rule : loaded->rules) {
    EXPECT_FALSE(rule.alerts) << rule.name;
  }
  const Correlation& story = loaded->correlations[1];
  EXPECT_EQ(story.type, CorrelationType::temporal_ordered);
  EXPECT_EQ(story.timespan_seconds, 600);
  EXPECT_EQ(story.group_by.at(0).fields,
            (std::vector{event::FieldId::destination_ip, event::FieldId::source_ip,
                         event::FieldId::source_ip, event::FieldId::source_ip}));
}

TEST_F(ShippedRules, TheBulletinsRule) {
  const Result<LoadedRules> loaded =
      load_file(IMDS_CONF_DIR "/rules/aws_imds_metadata_access.yml", fields_);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  ASSERT_EQ(loaded->rules.size(), 1u);
  const Rule& rule = loaded->rules[0];
  EXPECT_EQ(rule.logsource.category, "network");
  EXPECT_NE(rule.events & event::bit(event::EventType::connection), 0u);
  EXPECT_NE(rule.events & event::bit(event::EventType::http_request), 0u);
  EXPECT_NE(rule.events & event::bit(event::EventType::raw_match), 0u);

  std::set<std::string> ip_names;
  std::set<std::string> path_names;
  bool token_header = false;
  for (const Selection& selection : rule.selections) {
    ASSERT_EQ(selection.groups.size(), 1u) << selection.name;
    ASSERT_EQ(selection.groups[0].size(), 1u) << selection.name;
    const FieldMatch& match = selection.groups[0][0];
    if (selection.name.starts_with("ip_")) {
      EXPECT_EQ(match.field, event::FieldId::destination_ip);
      ASSERT_EQ(match.values.size(), 2u);
      EXPECT_EQ(match.values[0].prefix, *IpPrefix::parse("169.254.169.254"));
      EXPECT_EQ(match.values[1].prefix, *IpPrefix::parse("fd00:ec2::254"));
      ip_names.insert(match.name);
    } else if (match.field == event::FieldId::url) {
      EXPECT_EQ(match.operation, Operation::contains);
      ASSERT_EQ(match.values.size(), 2u);
      EXPECT_EQ(match.values[0].pattern.literal(), "/latest/meta-data");
      EXPECT_EQ(match.values[1].pattern.literal(), "/latest/api/token");
      path_names.insert(match.name);
    } else {
      EXPECT_EQ(match.field, event::FieldId::request_headers);
      EXPECT_EQ(match.operation, Operation::contains);
      EXPECT_EQ(match.values.at(0).pattern.literal(), "X-aws-ec2-metadata-token");
      token_header = true;
    }
  }
  EXPECT_EQ(ip_names, (std::set<std::string>{"destination.ip", "dst_ip"}));
  EXPECT_EQ(path_names, (std::set<std::string>{"c-uri", "request_url", "url"}));
  EXPECT_TRUE(token_header);

  // 1 of ip_* or 1 of http_*: every selection, under nothing but `or`.
  ASSERT_EQ(rule.conditions.size(), 1u);
  const Condition& condition = rule.conditions[0];
  ASSERT_EQ(condition.kind, Condition::Kind::disjunction);
  ASSERT_EQ(condition.operands.size(), 2u);
  EXPECT_EQ(condition.operands[0].kind, Condition::Kind::disjunction);
  EXPECT_EQ(condition.operands[0].operands.size(), 2u);
  EXPECT_EQ(condition.operands[1].kind, Condition::Kind::disjunction);
  EXPECT_EQ(condition.operands[1].operands.size(), 4u);
}

}  // namespace
}  // namespace imds::sigma
