// The condition language.
#include <string>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

// Selections a, b, ip_one, ip_two, http_one, _hidden; the condition stands at line 12, its text
// from column 14.
std::string rule_of(const std::string& condition) {
  return rule_with(
      "  a: {url: x}\n"
      "  b: {url: x}\n"
      "  ip_one: {url: x}\n"
      "  ip_two: {url: x}\n"
      "  http_one: {url: x}\n"
      "  _hidden: {url: x}\n"
      "  condition: " +
      condition + "\n");
}

// A tree as text: names, (x & y), (x | y), !x.
std::string shown(const Condition& node, const Rule& rule) {
  if (node.kind == Condition::Kind::selection) {
    return rule.selections[node.selection].name;
  }
  if (node.kind == Condition::Kind::negation) {
    EXPECT_EQ(node.operands.size(), 1u);
    return "!" + shown(node.operands[0], rule);
  }
  EXPECT_GE(node.operands.size(), 2u);
  std::string text;
  for (const Condition& operand : node.operands) {
    const char* sign = node.kind == Condition::Kind::conjunction ? " & " : " | ";
    text += (text.empty() ? "(" : sign) + shown(operand, rule);
  }
  return text + ")";
}

std::string tree(const std::string& condition) {
  const Rule rule = only_rule(rule_of(condition));
  if (rule.conditions.size() != 1) {
    ADD_FAILURE() << condition;
    return {};
  }
  return shown(rule.conditions[0], rule);
}

void expect_condition_error(const std::string& condition, int column, const std::string& part) {
  expect_error(rule_of(condition), 12, column, part);
}

TEST(Condition, NamesAndConnectives) {
  EXPECT_EQ(tree("a"), "a");
  EXPECT_EQ(tree("a and b"), "(a & b)");
  EXPECT_EQ(tree("a or b or ip_one"), "(a | b | ip_one)");
  EXPECT_EQ(tree("not a"), "!a");
  EXPECT_EQ(tree("not not a"), "!!a");
}

TEST(Condition, NotBindsTighterThanAndAndThatThanOr) {
  EXPECT_EQ(tree("a or b and ip_one"), "(a | (b & ip_one))");
  EXPECT_EQ(tree("a and b or ip_one"), "((a & b) | ip_one)");
  EXPECT_EQ(tree("not a and b"), "(!a & b)");
  EXPECT_EQ(tree("a and not b or ip_one"), "((a & !b) | ip_one)");
  EXPECT_EQ(tree("not 1 of ip_* and a"), "(!(ip_one | ip_two) & a)");
}

TEST(Condition, ParenthesesComeFirst) {
  EXPECT_EQ(tree("(a or b) and ip_one"), "((a | b) & ip_one)");
  EXPECT_EQ(tree("not (a or b)"), "!(a | b)");
  EXPECT_EQ(tree("((a))"), "a");
  EXPECT_EQ(tree("(a)and(b)"), "(a & b)");
}

TEST(Condition, WordsOfTheLanguageHaveNoCase) {
  EXPECT_EQ(tree("a AND NOT b Or 1 OF ip_*"), "((a & !b) | (ip_one | ip_two))");
  EXPECT_EQ(tree("ALL of ip_* or Any of a"), "((ip_one & ip_two) | a)");
}

TEST(Condition, Quantifiers) {
  EXPECT_EQ(tree("1 of ip_*"), "(ip_one | ip_two)");
  EXPECT_EQ(tree("any of ip_*"), "(ip_one | ip_two)");
  EXPECT_EQ(tree("all of ip_*"), "(ip_one & ip_two)");
  EXPECT_EQ(tree("1 of ip_* or 1 of http_*"), "((ip_one | ip_two) | http_one)");
  EXPECT_EQ(tree("1 of *_one"), "(ip_one | http_one)");
  EXPECT_EQ(tree("1 of *p_*o*"), "(ip_one | ip_two | http_one)");
  EXPECT_EQ(tree("all of *"), "(a & b & ip_one & ip_two & http_one)");
  EXPECT_EQ(tree("1 of a"), "a");
  EXPECT_EQ(tree("all of a"), "a");
  EXPECT_EQ(tree("1 of _hidden"), "_hidden");
}

TEST(Condition, ThemLeavesOutHiddenSelections) {
  EXPECT_EQ(tree("1 of them"), "(a | b | ip_one | ip_two | http_one)");
  EXPECT_EQ(tree("all of them"), "(a & b & ip_one & ip_two & http_one)");
  EXPECT_EQ(tree("1 of them and not _hidden"), "((a | b | ip_one | ip_two | http_one) & !_hidden)");
}

TEST(Condition, PatternsAreMatchedWithBacktracking) {
  const std::string text =
      rule_with("  aab: {url: x}\n  aaab: {url: x}\n  abc: {url: x}\n  condition: 1 of a*ab\n");
  const Result<LoadedRules> loaded = load(text);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(shown(loaded->rules[0].conditions[0], loaded->rules[0]), "(aab | aaab)");
}

TEST(Condition, SelectionsMayBeNamedLikeQuantifiers) {
  const Rule rule =
      only_rule(rule_with("  all: {url: x}\n  any: {url: x}\n"
                          "  condition: all and any\n"));
  EXPECT_EQ(shown(rule.conditions.at(0), rule), "(all & any)");
}

TEST(Condition, AListOfConditionsKeepsEach) {
  const Rule rule = only_rule(rule_of("[a and b, ip_one]"));
  ASSERT_EQ(rule.conditions.size(), 2u);
  EXPECT_EQ(shown(rule.conditions[0], rule), "(a & b)");
  EXPECT_EQ(shown(rule.conditions[1], rule), "ip_one");
}

TEST(Condition, EveryNodeKnowsItsPlace) {
  const Rule rule = only_rule(rule_of("a and not b"));
  const Condition& negation = rule.conditions.at(0).operands.at(1);
  EXPECT_EQ(negation.position.line, 12);
  EXPECT_EQ(negation.position.column, 20);
  EXPECT_EQ(negation.operands.at(0).position.column, 24);
  EXPECT_EQ(rule.where(negation.position).file, "test.yml");
}

TEST(Condition, PlacesAreRightInEveryStyleOfText) {
  expect_error(rule_of("'a and x'"), 12, 21, "'x' is no selection");
  expect_error(rule_of("\"a and x\""), 12, 21, "'x' is no selection");
  expect_error(rule_of("|\n    a\n      or x"), 14, 10, "'x' is no selection");
  expect_error(rule_of(">-\n    a or\n    x"), 14, 5, "'x' is no selection");
  expect_error(rule_of("a or\n    x"), 13, 5, "'x' is no selection");
}

TEST(Condition, UndefinedSelections) {
  expect_condition_error("a and ip_onw", 20, "did you mean 'ip_one'?");
  expect_condition_error("a and x", 20, "'x' is no selection of this rule");
  expect_condition_error("ip_*", 14, "a pattern needs '1 of' or 'all of' before it");
  expect_condition_error("1 of dns_*", 19, "matches no selection");
  expect_condition_error("1 of _*", 19, "names that begin with '_' are left out");
  expect_condition_error("A", 14, "did you mean 'a'?");
}

TEST(Condition, UnbalancedParentheses) {
  expect_condition_error("(a and b", 14, "this '(' is never closed");
  expect_condition_error("a and b)", 21, "this ')' closes nothing");
  expect_condition_error("(a b)", 17, "expected 'and', 'or' or ')'");
  expect_condition_error("()", 15, "expected a selection's name, not ')'");
}

TEST(Condition, MissingWords) {
  expect_condition_error("a b", 16, "expected 'and', 'or' or the end of the condition");
  expect_condition_error("a and", 16, "ends where a selection's name was expected");
  expect_condition_error("not", 14, "ends where a selection's name was expected");
  expect_condition_error("and a", 14, "expected a selection's name, not 'and'");
  expect_condition_error("a or or b", 19, "expected a selection's name, not 'or'");
  expect_condition_error("1 of", 16, "expected 'them', a selection's name or a pattern");
  expect_condition_error("1 of (a)", 19, "expected 'them', a selection's name or a pattern");
  expect_condition_error("them", 14, "expected a selection's name, not 'them'");
  expect_condition_error("''", 14, "the condition is empty");
}

TEST(Condition, OtherCountsAreRefused) {
  expect_condition_error("2 of ip_*", 14, "expected '1 of', 'any of' or 'all of'");
  expect_condition_error("none of them", 14, "expected '1 of', 'any of' or 'all of'");
}

TEST(Condition, AggregationsAreRefused) {
  expect_condition_error("a | count() by source.ip > 10", 16, "aggregations");
  expect_condition_error("a and |count()", 20, "aggregations");
  expect_condition_error("a |count() > 3", 16, "correlation rules");
}

TEST(Condition, OtherTypesAreRefused) {
  expect_condition_error("{a: b}", 14, "expected a condition");
  expect_condition_error("[]", 14, "expected a condition");
  expect_condition_error("[[a]]", 15, "expected a condition");
  expect_error(rule_of(""), 12, 3, "expected a condition");
}

TEST(Condition, NestingIsBounded) {
  const std::string open(kMaxConditionDepth, '(');
  const std::string close(kMaxConditionDepth, ')');
  EXPECT_EQ(tree(open + "a" + close), "a");
  const Result<LoadedRules> deep = load(rule_of("(" + open + "a" + close + ")"));
  ASSERT_FALSE(deep.has_value());
  EXPECT_NE(deep.error().message.find("nested deeper than 64"), std::string::npos);

  std::string nots;
  for (int i = 0; i < 5000; ++i) {
    nots += "not ";
  }
  EXPECT_FALSE(load(rule_of(nots.substr(0, 800) + "a")).has_value());

  std::string alternating = "a";
  for (int i = 0; i < 40; ++i) {
    alternating = "(" + alternating + " and b or b)";
  }
  const Result<LoadedRules> tall = load(rule_of(alternating));
  ASSERT_FALSE(tall.has_value());
  EXPECT_NE(tall.error().message.find("nested deeper than 64"), std::string::npos);
}

TEST(Condition, SizeIsBounded) {
  std::string many = "1 of them";
  while (many.size() < 15'000) {
    many += " or 1 of them";
  }
  EXPECT_TRUE(load(rule_of(many)).has_value());
  std::string detection;
  for (int i = 0; i < 1000; ++i) {
    detection += "  s" + std::to_string(i) + ": {url: x}\n";
  }
  const Result<LoadedRules> loaded = load(rule_with(detection + "  condition: " + many + "\n"));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().message.find("more than 10000 times"), std::string::npos);

  const Result<LoadedRules> too_long = load(rule_of(many + many));
  ASSERT_FALSE(too_long.has_value());
  EXPECT_NE(too_long.error().message.find("longer than 16 KiB"), std::string::npos);
}

TEST(Condition, UnusedSelectionsAreWarnedAbout) {
  expect_warning(rule_with("  used: {url: x}\n  idle: {url: x}\n  condition: used\n"), 7, 3,
                 "no condition uses the selection 'idle'");
}

TEST(Condition, AllOfAListByNameIsWarnedAbout) {
  expect_warning(rule_with("  sel: [{url: x}, {url: y}]\n  condition: all of sel\n"), 7, 21,
                 "means the selection itself");
}

}  // namespace
}  // namespace imds::sigma
