// Faults and limits of the YAML under the rules.
#include <string>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

std::string valid_rule() {
  return rule_with("  sel: {url: x}\n  condition: sel\n");
}

std::string message_of(const std::string& text) {
  const Result<LoadedRules> loaded = load(text);
  return loaded ? "loaded" : loaded.error().message;
}

TEST(Yaml, FaultsPointToTheirPlace) {
  expect_error("title: 'T", 1, 10, "");
  expect_error("title: T\n  level: low\n", 2, 8, "not valid YAML");
  expect_error("title: [T\n", 2, 1, "not valid YAML");
  expect_error("title: T\n\tlevel: low\n", 2, 1, "not valid YAML");
}

TEST(Yaml, StrayPunctuationEndsTheReading) {
  // yaml-cpp would find empty documents here until memory ends.
  expect_error(", c\n", 1, 1, "nothing can begin with this character");
  const std::string text = valid_rule() + "...\n, c\n";
  expect_error(text, 9, 1, "nothing can begin with this character");
}

TEST(Yaml, AQuotationNeverClosedIsAnError) {
  expect_error("title: 'T\n", 1, 8, "this quotation mark is never closed");
  expect_error("title: \"T\nid: \\\"\n", 1, 8, "this quotation mark is never closed");
  std::string text = valid_rule();
  text.replace(text.find("condition: sel"), 14, "condition: 'sel");
  expect_error(text, 7, 14, "this quotation mark is never closed");
  expect_error("a: 'it''s\n", 1, 4, "this quotation mark is never closed");
  EXPECT_EQ(only_rule(rule_with("  sel: {url: x}\n  condition: 'sel'")).conditions.size(), 1u);
  EXPECT_EQ(only_rule(valid_rule() + "author: 'it''s'").author, "it's");
  EXPECT_EQ(only_rule(valid_rule() + R"(author: "a\\")").author, R"(a\)");
}

TEST(Yaml, AKeyTwiceIsAnError) {
  expect_error("title: A\nlevel: low\ntitle: B\n", 3, 1,
               "the key 'title' stands here twice, first at line 1");
  expect_error(rule_with("  sel:\n    url: x\n    url: y\n  condition: sel\n"), 8, 5,
               "the key 'url' stands here twice, first at line 7");
}

TEST(Yaml, KeysAreNames) {
  expect_error("[a]: b\n", 1, 1, "");
  expect_error("? {a: b}\n: c\n", 1, 3, "");
  expect_error("~: b\n", 1, 1, "expected a name as key");
}

TEST(Yaml, TagsOfItsOwnAreReadAndOthersRefused) {
  const Rule rule = only_rule(rule_with("  sel: {url: !!str null}\n  condition: sel\n"));
  EXPECT_EQ(rule.selections[0].groups[0][0].values[0].kind, Value::Kind::pattern);
  expect_error(rule_with("  sel: {url: !secret x}\n  condition: sel\n"), 6, 14,
               "has no meaning in a Sigma rule");
  expect_error(rule_with("  sel: {url: !!binary aGk=}\n  condition: sel\n"), 6, 14,
               "has no meaning in a Sigma rule");
}

TEST(Yaml, SeveralDocuments) {
  std::string second = valid_rule();
  second.replace(second.find("929a"), 4, "0000");
  const Result<LoadedRules> loaded =
      load("---\n" + valid_rule() + "---\n" + second + "---\n# nothing\n");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  ASSERT_EQ(loaded->rules.size(), 2u);
  EXPECT_EQ(loaded->rules[0].where().line, 2);
  EXPECT_EQ(loaded->rules[1].where().line, 10);
}

TEST(Yaml, OneBadDocumentOfSeveralLoadsNothing) {
  EXPECT_NE(message_of(valid_rule() + "---\ntitle: T\n"), "loaded");
  EXPECT_NE(message_of(valid_rule() + "...\nstray text\n"), "loaded");
}

TEST(Yaml, AFileWithoutRulesIsWarnedAbout) {
  for (const char* text : {"", "# only a comment\n", "---\n---\n"}) {
    const Result<LoadedRules> loaded = load(text);
    ASSERT_TRUE(loaded.has_value()) << text;
    ASSERT_EQ(loaded->warnings.size(), 1u) << text;
    EXPECT_EQ(loaded->warnings[0].message, "this file holds no rule");
  }
}

TEST(Yaml, AnchorsAndAliases) {
  const Rule rule =
      only_rule(rule_with("  one: {url|contains: &paths [/latest, /1.0]}\n"
                          "  two: {url.path|contains: *paths}\n"
                          "  condition: one or two\n"));
  ASSERT_EQ(rule.selections.size(), 2u);
  EXPECT_EQ(rule.selections[1].groups[0][0].values.size(), 2u);
  EXPECT_EQ(rule.selections[1].groups[0][0].values[1].pattern.to_string(), "/1.0");
}

TEST(Yaml, AnAliasInsideItsAnchorIsAnError) {
  EXPECT_EQ(message_of("a: &x [*x]\n"), "this alias stands inside what it refers to");
}

TEST(Yaml, AliasBombsEndAtTheLimit) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 20; ++level) {
    const std::string below = "*a" + std::to_string(level - 1);
    bomb += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + below;
    for (int i = 1; i < 10; ++i) {
      bomb += ", " + below;
    }
    bomb += "]\n";
  }
  EXPECT_NE(message_of(bomb).find("more than 1000000 YAML nodes"), std::string::npos)
      << message_of(bomb);
}

TEST(Yaml, AliasesOfLongTextEndAtTheLimit) {
  std::string text = "a: &a '" + std::string(1 << 20, 'x') + "'\nb: [*a";
  for (int i = 0; i < 40; ++i) {
    text += ", *a";
  }
  EXPECT_NE(message_of(text + "]\n").find("MiB of text"), std::string::npos);
}

TEST(Yaml, DeepNestingEndsAtTheLimit) {
  EXPECT_NE(
      message_of("a: " + std::string(31, '[') + std::string(31, ']') + "\n").find("no 'logsource'"),
      std::string::npos);
  EXPECT_NE(message_of("a: " + std::string(32, '[') + std::string(32, ']') + "\n")
                .find("nested deeper than 32 levels"),
            std::string::npos);
  EXPECT_NE(message_of("a: " + std::string(100'000, '[')), "loaded");
  EXPECT_NE(message_of("a: " + std::string(100'000, '{')), "loaded");
}

TEST(Yaml, ManyNodesEndAtTheLimit) {
  std::string text = "a: [";
  for (int i = 0; i < 1'000'001; ++i) {
    text += "b,";
  }
  EXPECT_NE(message_of(text + "]").find("more than 1000000 YAML nodes"), std::string::npos);
}

TEST(Characters, InvalidUtf8PointsToItsPlace) {
  expect_error("title: T\nauthor: J\xe9r\n", 2, 10, "not well-formed UTF-8");
  expect_error("title: \xed\xa0\x80\n", 1, 8, "not well-formed UTF-8");
  expect_error("\xff\xfet\0i\0", 1, 1, "not well-formed UTF-8");
}

TEST(Characters, ControlCharactersArePointedTo) {
  // To yaml-cpp U+0004 is the end of the file: what follows would be left out without a word.
  expect_error(valid_rule() + "\x04---\n", 8, 1, "control character");
  expect_error(std::string("title: \0T\n", 10), 1, 8, "control character");
}

TEST(Characters, ByteOrderMarkAndCarriageReturns) {
  EXPECT_EQ(only_rule("\xef\xbb\xbf" + valid_rule()).title, "Test");
  std::string windows;
  for (const char c : valid_rule()) {
    windows += c == '\n' ? "\r\n" : std::string(1, c);
  }
  EXPECT_EQ(only_rule(windows).title, "Test");
  std::string broken = "\xef\xbb\xbf" + valid_rule();
  broken.replace(broken.find("condition: sel"), 14, "condition: sol");
  expect_error(broken, 7, 14, "'sol' is no selection");
}

TEST(Characters, Utf8TextIsKept) {
  std::string text = valid_rule();
  text.replace(text.find("Test"), 4, "Fußgänger 🚶");
  EXPECT_EQ(only_rule(text).title, "Fußgänger 🚶");
}

TEST(Characters, MessagesAreSafeToShow) {
  const std::string message =
      message_of(rule_with("  sel: {\"url\\e[31m\": x}\n  condition: sel\n"));
  EXPECT_NE(message.find("\\x1b"), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace imds::sigma
