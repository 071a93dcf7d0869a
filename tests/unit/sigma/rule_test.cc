// A rule's attributes and logsource.
#include <string>

#include <gtest/gtest.h>

#include "event/event.h"
#include "rule_text.h"

namespace imds::sigma {
namespace {

using event::EventType;

constexpr std::string_view kDetection =
    "detection:\n"
    "  sel: {destination.port: 80}\n"
    "  condition: sel\n";
constexpr std::string_view kId = "id: 929a690e-bef0-4204-a928-ef5e620d6fcc\n";

std::string with_attributes(std::string_view attributes) {
  return std::string(attributes) + std::string(kNetwork) + std::string(kDetection);
}

std::uint32_t events_of(std::string_view logsource) {
  const Rule rule = only_rule(std::string(kHead) + "logsource: " + std::string(logsource) + "\n" +
                              std::string(kDetection));
  return rule.events;
}

std::string why_skipped(std::string_view logsource) {
  const Result<LoadedRules> loaded = load(
      std::string(kHead) + "logsource: " + std::string(logsource) + "\n" + std::string(kDetection));
  if (!loaded || loaded->skipped.size() != 1 || !loaded->rules.empty()) {
    ADD_FAILURE() << logsource << " is not skipped";
    return {};
  }
  return loaded->skipped[0].reason;
}

TEST(Attributes, AllOfThem) {
  const Rule rule = only_rule(
      "title: 'A: title'\n"
      "id: 929A690E-BEF0-4204-A928-EF5E620D6FCC\n"
      "name: short_name\n"
      "related:\n  - {id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}\n"
      "taxonomy: sigma\n"
      "status: test\n"
      "description: |\n  Two\n  lines\n"
      "license: Apache-2.0\n"
      "references:\n  - https://one.example\n  - https://two.example\n"
      "author: [A, B]\n"
      "date: 2025-10-08\n"
      "modified: 2025-10-09\n"
      "tags: [attack.credential_access, attack.t1552.005]\n"
      "logsource: {category: network, definition: any tap}\n"
      "detection:\n  sel: {destination.port: 80}\n  condition: sel\n"
      "fields: [url]\n"
      "falsepositives: unlikely\n"
      "level: critical\n"
      "scope: [server]\n"
      "x_custom: {anything: [goes]}\n");
  EXPECT_EQ(rule.title, "A: title");
  EXPECT_EQ(rule.id, "929a690e-bef0-4204-a928-ef5e620d6fcc");
  EXPECT_EQ(rule.status, "test");
  EXPECT_EQ(rule.description, "Two\nlines\n");
  EXPECT_EQ(rule.author, "A, B");
  EXPECT_EQ(rule.references.size(), 2u);
  EXPECT_EQ(rule.tags.at(1), "attack.t1552.005");
  EXPECT_EQ(rule.false_positives.at(0), "unlikely");
  EXPECT_EQ(rule.level, Level::critical);
  EXPECT_EQ(rule.logsource.category, "network");
  EXPECT_EQ(rule.file, "test.yml");
  EXPECT_EQ(rule.where().line, 1);
}

TEST(Attributes, SeverityFollowsTheLevel) {
  int expected = 1;
  for (const char* level : {"informational", "low", "medium", "high", "critical"}) {
    const Rule rule =
        only_rule(with_attributes("title: T\n" + std::string(kId) + "level: " + level + "\n"));
    EXPECT_EQ(severity(rule.level), expected++);
    EXPECT_EQ(name(rule.level), level);
  }
}

TEST(Attributes, TitleIdAndLevelAreRequired) {
  expect_error(with_attributes(std::string(kId) + "level: low\n"), 1, 1, "'title'");
  expect_error(with_attributes("title: ''\n" + std::string(kId) + "level: low\n"), 1, 8, "'title'");
  expect_error(
      with_attributes("title: " + std::string(257, 't') + "\n" + std::string(kId) + "level: low\n"),
      1, 8, "1 to 256 bytes");
  expect_error(with_attributes("title: [a]\n" + std::string(kId) + "level: low\n"), 1, 8,
               "expected a text for 'title'");
}

TEST(Attributes, IdIsAUuid) {
  for (const char* id :
       {"1", "929a690e-bef0-4204-a928-ef5e620d6fc", "imds-rule-1",
        "929a690e-bef0-4204-a928-ef5e620d6fcg", "929a690ebef0-4204-a928--ef5e620d6fcc"}) {
    expect_error(with_attributes("title: T\nid: " + std::string(id) + "\nlevel: low\n"), 2, 5,
                 "'id' must be a UUID");
  }
}

TEST(Attributes, LevelAndStatusAreChecked) {
  expect_error(with_attributes("title: T\n" + std::string(kId) + "level: severe\n"), 3, 8,
               "'severe' is no level; expected one of informational, low, medium, high, critical");
  expect_error(with_attributes(std::string(kHead) + "status: done\n"), 4, 9, "'done' is no status");
  expect_warning(with_attributes(std::string(kHead) + "status: deprecated\n"), 4, 9,
                 "calls itself deprecated");
}

TEST(Attributes, TypesAreChecked) {
  expect_error(with_attributes(std::string(kHead) + "tags: {a: b}\n"), 4, 11,
               "expected a list of texts for 'tags'");
  expect_error(with_attributes(std::string(kHead) + "references: [[a]]\n"), 4, 14,
               "expected a list of texts for 'references'");
  expect_error(with_attributes(std::string(kHead) + "description: [a]\n"), 4, 14,
               "expected a text for 'description'");
}

TEST(Attributes, CustomOnesAreLegalAndSlipsWarnedAbout) {
  EXPECT_TRUE(load(with_attributes(std::string(kHead) + "ticket: 42\n"))->warnings.empty());
  expect_warning(with_attributes(std::string(kHead) + "falsepositive: [x]\n"), 4, 1,
                 "did you mean 'falsepositives'?");
}

TEST(Attributes, LogsourceAndDetectionAreRequired) {
  expect_error(std::string(kHead) + std::string(kDetection), 1, 1, "this rule has no 'logsource'");
  expect_error(std::string(kHead) + std::string(kNetwork), 1, 1, "this rule has no 'detection'");
  expect_error(std::string(kHead) + "logsorce: {category: network}\n" + std::string(kDetection), 4,
               1, "unknown attribute 'logsorce'; did you mean 'logsource'?");
  expect_error(std::string(kHead) + std::string(kNetwork) + "detections:\n  condition: x\n", 5, 1,
               "did you mean 'detection'?");
}

TEST(Attributes, IdAndLevelMayBeLeftOutWithAWarning) {
  const std::string without_id = with_attributes("title: T\nlevel: low\n");
  const Rule rule = only_rule(without_id);
  EXPECT_EQ(rule.id.size(), 36u);
  EXPECT_EQ(rule.id[14], '8');
  EXPECT_EQ(only_rule(without_id).id, rule.id);
  EXPECT_NE(only_rule(with_attributes("title: U\nlevel: low\n")).id, rule.id);
  expect_warning(without_id, 1, 1, "alerts name it " + rule.id);
  const std::string without_level = with_attributes("title: T\n" + std::string(kId));
  EXPECT_EQ(only_rule(without_level).level, Level::medium);
  expect_warning(without_level, 1, 1, "it alerts as medium");
}

TEST(Detection, NeedsSelectionsAndACondition) {
  expect_error(rule_with("  sel: {url: x}\n"), 6, 3, "this detection has no 'condition'");
  expect_error(rule_with("  sel: {url: x}\n  conditon: sel\n"), 7, 3, "'conditon' looks like it");
  expect_error(rule_with("  condition: sel\n"), 6, 3, "this detection has no selection");
  expect_error(std::string(kHead) + std::string(kNetwork) + "detection: sel\n", 5, 12,
               "expected a map of selections");
  expect_error(rule_with("  sel: {url: x}\n  timeframe: 5m\n  condition: sel\n"), 7, 3,
               "'timeframe' belongs to aggregations");
}

TEST(Detection, SelectionsAreBounded) {
  std::string detection;
  for (std::size_t i = 0; i <= kMaxSelections; ++i) {
    detection += "  s" + std::to_string(i) + ": {url: x}\n";
  }
  expect_error(rule_with(detection + "  condition: s1\n"), 1006, 3, "more than 1000 selections");
}

TEST(Kinds, OtherKindsOfDocumentsAreErrorsThatSayWhat) {
  expect_error("action: global\ntitle: T\n", 1, 1, "belong to Sigma 1");
  expect_error("- title: T\n", 1, 1, "expected a Sigma rule: a map");
  expect_error("just text\n", 1, 1, "expected a Sigma rule: a map");
}

TEST(Logsources, NetworkCategoriesListenToTraffic) {
  const std::uint32_t traffic = event::bit(EventType::connection) |
                                event::bit(EventType::http_request) |
                                event::bit(EventType::raw_match);
  for (const char* category : {"network", "proxy", "webserver", "firewall"}) {
    EXPECT_EQ(events_of(std::string("{category: ") + category + "}"), traffic) << category;
  }
  EXPECT_EQ(events_of("{category: network, service: connection}"),
            event::bit(EventType::connection));
  EXPECT_EQ(events_of("{category: Network}"), traffic);
}

TEST(Logsources, DnsHasItsEvent) {
  EXPECT_EQ(events_of("{category: dns}"), event::bit(EventType::dns));
  EXPECT_EQ(events_of("{category: network, service: dns}"), event::bit(EventType::dns));
  EXPECT_EQ(events_of("{category: network}") & event::bit(EventType::dns), 0u);
}

TEST(Logsources, TheOwnProductHasEveryEvent) {
  const std::uint32_t every = events_of("{product: imds-inspector}");
  for (std::size_t i = 0; i < event::kEventTypeCount; ++i) {
    EXPECT_NE(every & event::bit(static_cast<EventType>(i)), 0u) << i;
  }
  EXPECT_EQ(events_of("{product: imds-inspector, category: network}"),
            events_of("{category: network}"));
}

TEST(Logsources, OthersAreSkippedWithTheReason) {
  EXPECT_NE(why_skipped("{category: process_creation, product: windows}").find("'windows'"),
            std::string::npos);
  EXPECT_NE(why_skipped("{category: process_creation}").find("'process_creation'"),
            std::string::npos);
  EXPECT_NE(why_skipped("{category: network, product: zeek}").find("'zeek'"), std::string::npos);
  EXPECT_NE(why_skipped("{product: imds-inspector, service: x}").find("service 'x'"),
            std::string::npos);
  EXPECT_NE(why_skipped("{category: dns_query}").find("served are the categories"),
            std::string::npos);
  EXPECT_NE(why_skipped("{category: dns, product: zeek}").find("'zeek'"), std::string::npos);
}

TEST(Logsources, ASkippedRulesDetectionIsNotLookedAt) {
  const Result<LoadedRules> loaded = load(
      "title: Elsewhere\nlogsource: {product: windows}\n"
      "detection:\n  sel: {Image|re: x}\n  condition: sel | count() > 5\n");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  ASSERT_EQ(loaded->skipped.size(), 1u);
  EXPECT_EQ(loaded->skipped[0].title, "Elsewhere");
  EXPECT_EQ(loaded->skipped[0].id, "");
  EXPECT_EQ(loaded->skipped[0].where.file, "test.yml");
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(Logsources, MalformedOnesAreErrors) {
  const auto text = [](const std::string& logsource) {
    return std::string(kHead) + "logsource: " + logsource + "\n" + std::string(kDetection);
  };
  expect_error(text("network"), 4, 12, "expected a map with category");
  expect_error(text("{definition: x}"), 4, 12, "expected category, product or service");
  expect_error(text("{categroy: network, product: imds-inspector}"), 4, 13,
               "did you mean 'category'?");
  expect_error(text("{category: [network]}"), 4, 23, "expected a name for 'category'");
  expect_error(text("{category: ''}"), 4, 23, "expected a name for 'category'");
  expect_error(text(""), 1, 1, "expected a map with category");
}

}  // namespace
}  // namespace imds::sigma
