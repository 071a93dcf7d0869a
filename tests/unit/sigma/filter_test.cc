// Filter documents: which reading of the specification is implemented, and what is refused.
#include <string>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

const std::string kRules =
    "title: Rule a\nid: 929a690e-bef0-4204-a928-ef5e620d6f01\nname: a\nlevel: low\n"
    "logsource: {category: network}\ndetection: {s: {url: x}, condition: s}\n---\n"
    "title: Rule b\nid: 929a690e-bef0-4204-a928-ef5e620d6f02\nname: b\nlevel: low\n"
    "logsource: {category: proxy}\ndetection: {s: {url: x}, condition: s}\n---\n";
constexpr int kRuleLines = 14;

std::string filter(const std::string& section,
                   const std::string& logsource = "{category: network}") {
  return kRules + "title: Known clients\nlogsource: " + logsource + "\nfilter: {" + section + "}\n";
}

Filter only(const std::string& text) {
  Result<LoadedRules> loaded = load(text);
  if (!loaded || loaded->filters.size() != 1) {
    ADD_FAILURE() << text << (loaded ? std::string("not one filter") : loaded.error().to_string());
    return {};
  }
  return loaded->filters.front();
}

// The condition of what is withheld, as text.
std::string shown(const Condition& condition, const Rule& rule) {
  switch (condition.kind) {
    case Condition::Kind::selection:
      return rule.selections[condition.selection].name;
    case Condition::Kind::negation:
      return "not " + shown(condition.operands[0], rule);
    case Condition::Kind::conjunction:
    case Condition::Kind::disjunction:
      break;
  }
  std::string text;
  for (const Condition& operand : condition.operands) {
    text += (text.empty()                                     ? "("
             : condition.kind == Condition::Kind::conjunction ? " and "
                                                              : " or ") +
            shown(operand, rule);
  }
  return text + ")";
}

std::string withheld(const std::string& condition) {
  const Filter f =
      only(filter("rules: [a], one: {source.ip: 10.0.0.1}, two: {source.ip: "
                  "10.0.0.2}, condition: " +
                  condition));
  return f.detection.conditions.empty() ? "" : shown(f.detection.conditions[0], f.detection);
}

TEST(Filters, SayWhatTheyWithholdOrWhatRemains) {
  // As the specification's example.
  EXPECT_EQ(withheld("one or two"), "(one or two)");
  EXPECT_EQ(withheld("one and two"), "(one and two)");
  EXPECT_EQ(withheld("1 of them"), "(one or two)");
  EXPECT_EQ(withheld("one and not two"), "(one and not two)");
  // As for the reference converter, which adds the condition to the rule's.
  EXPECT_EQ(withheld("not (one or two)"), "(one or two)");
  EXPECT_EQ(withheld("not 1 of them"), "(one or two)");
  EXPECT_EQ(withheld("not one and not two"), "not (not one and not two)");
  EXPECT_EQ(withheld("not one or two"), "not (not one or two)");
  EXPECT_EQ(withheld("not (one and not two)"), "(one and not two)");
}

TEST(Filters, TellWhichFormTheyHave) {
  EXPECT_FALSE(
      only(filter("rules: [a], s: {source.ip: 10.0.0.1}, condition: s")).says_what_remains);
  EXPECT_TRUE(
      only(filter("rules: [a], s: {source.ip: 10.0.0.1}, condition: not s")).says_what_remains);
}

TEST(Filters, NameTheirRules) {
  const std::string rest = ", s: {source.ip: 10.0.0.1}, condition: s";
  EXPECT_EQ(only(filter("rules: [a]" + rest)).rules, std::vector<std::size_t>{0});
  EXPECT_EQ(only(filter("rules: a" + rest)).rules, std::vector<std::size_t>{0});
  EXPECT_EQ(only(filter("rules: [929A690E-bef0-4204-a928-ef5e620d6f01]" + rest)).rules,
            std::vector<std::size_t>{0});
  // Of every rule, those whose logsource fits.
  EXPECT_EQ(only(filter("rules: any" + rest)).rules, std::vector<std::size_t>{0});
  EXPECT_EQ(only(filter("rules: all" + rest, "{category: proxy}")).rules,
            std::vector<std::size_t>{1});
}

TEST(Filters, WhoseLogsourceIsAnotherDoNotApply) {
  expect_warning(filter("rules: [a, b], s: {source.ip: 10.0.0.1}, condition: s"), kRuleLines + 3,
                 21, "does not apply to 'b'");
}

TEST(Filters, OfAnUnservedLogsourceAreSkipped) {
  const Result<LoadedRules> loaded =
      load(filter("rules: [a], selection: {User: x}, condition: selection",
                  "{product: windows, category: process_creation}"));
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_TRUE(loaded->filters.empty());
  ASSERT_EQ(loaded->skipped.size(), 1u);
  EXPECT_EQ(loaded->skipped[0].title, "Known clients");
}

TEST(Filters, ThatNameOnlySkippedRulesApplyToNone) {
  expect_warning(
      "title: W\nid: 929a690e-bef0-4204-a928-ef5e620d6f09\nname: w\nlogsource: {product: windows}\n"
      "detection: {s: {x: y}, condition: s}\n---\n"
      "title: F\nlogsource: {category: network}\nfilter: {rules: [w], s: {source.ip: 10.0.0.1}, "
      "condition: s}\n",
      7, 1, "applies to no rule");
}

struct Refused {
  const char* section;  // with a '^' where the error stands; none: it is the section's
  const char* because;
};

class RefusedFilter : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedFilter, WithItsPlace) {
  std::string text = filter(GetParam().section);
  if (text.find('^') == std::string::npos) {
    text.insert(text.find("filter: {") + 8, "^");
  }
  expect_error_at_mark(text, GetParam().because);
}

INSTANTIATE_TEST_SUITE_P(
    Filters, RefusedFilter,
    ::testing::Values(
        Refused{"s: {source.ip: 10.0.0.1}, condition: s", "has no 'rules'"},
        Refused{"^rules: [], s: {source.ip: 10.0.0.1}, condition: s", "a list of rules"},
        Refused{"rules: [^aa], s: {source.ip: 10.0.0.1}, condition: s",
                "no rule has the id or the name 'aa'"},
        Refused{"rules: [a], condition: s", "has no selection"},
        Refused{"rules: [a], s: {source.ip: 10.0.0.1}", "expected one 'condition'"},
        Refused{"rules: [a], s: {source.ip: 10.0.0.1}, condition: ^[s]", "expected one"},
        Refused{"rules: [a], s: {source.ip: 10.0.0.1}, condition: ^t", "no selection"},
        Refused{"rules: [a], s: {source.ip: ^nowhere}, condition: s", "address"},
        Refused{"rules: [a], s: {^sorce.ip: 10.0.0.1}, condition: s", "did you mean 'source.ip'"}));

TEST(Filters, OfCorrelationsAreRefused) {
  expect_error_at_mark(
      kRules +
          "title: C\nname: c\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m}\n"
          "---\ntitle: F\nlogsource: {category: network}\nfilter: {rules: [^c], s: "
          "{source.ip: 10.0.0.1}, condition: s}\n",
      "is a correlation");
}

TEST(Filters, NeedALogsourceAndNoDetection) {
  expect_error(kRules + "title: F\nfilter: {rules: [a]}\n", kRuleLines + 1, 1, "no 'logsource'");
  expect_error(kRules + "title: F\nlogsource: {category: network}\nfilter: x\n", kRuleLines + 3, 9,
               "expected a map");
  expect_error(kRules +
                   "title: F\nlogsource: {category: network}\nfilter: {rules: [a]}\n"
                   "detection: {s: {url: x}, condition: s}\n",
               kRuleLines + 4, 1, "a filter has no 'detection'");
}

TEST(Filters, IdsAreUnique) {
  expect_error(kRules +
                   "title: F\nid: 929a690e-bef0-4204-a928-ef5e620d6f02\nlogsource: {category: "
                   "network}\nfilter: {rules: [a], s: {source.ip: 10.0.0.1}, condition: s}\n",
               kRuleLines + 1, 1, "already taken by 'Rule b'");
}

}  // namespace
}  // namespace imds::sigma
