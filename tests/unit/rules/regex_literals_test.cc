// What a regular expression needs in a text, and that it never needs what a match can do without.
#include "rules/regex_literals.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "fixture.h"
#include "match/regex.h"
#include "random_rules.h"

namespace imds::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> literals(std::string_view regex) {
  return required_literals(regex, [](const std::string& literal) {
    return literal.size() < 3 ? std::string() : literal;
  });
}

TEST(RegexLiterals, RunsOfBytes) {
  EXPECT_THAT(literals("/latest/meta-data"), ElementsAre("/latest/meta-data"));
  EXPECT_THAT(literals("^/LATEST$"), ElementsAre("/latest"));
  EXPECT_THAT(literals(R"(169\.254\.169\.254)"), ElementsAre("169.254.169.254"));
  EXPECT_THAT(literals(R"(abc.*meta-data\d+xy)"), ElementsAre("meta-data"));
  EXPECT_THAT(literals(R"(\x61bc\x2Fdef)"), ElementsAre("abc/def"));
  EXPECT_THAT(literals("[Mm]eta[.]data"), ElementsAre("meta.data"));
  EXPECT_THAT(literals("(?i)TOKEN"), ElementsAre("token"));
}

TEST(RegexLiterals, Alternatives) {
  EXPECT_THAT(literals("/(meta|user)-data"), ElementsAre("/meta-data", "/user-data"));
  EXPECT_THAT(literals("meta-.*|user-data"), ElementsAre("meta-", "user-data"));
  EXPECT_THAT(literals("meta-.*|.*"), IsEmpty());
  EXPECT_THAT(literals("tokens?xy"), ElementsAre("tokensxy", "tokenxy"));
  EXPECT_THAT(literals("(token)?"), IsEmpty());
}

TEST(RegexLiterals, Repetition) {
  EXPECT_THAT(literals("(token)+"), ElementsAre("token"));
  EXPECT_THAT(literals("(token)*abc"), ElementsAre("abc"));
  EXPECT_THAT(literals("(token){2,3}"), ElementsAre("token"));
  EXPECT_THAT(literals("(token){0,3}"), IsEmpty());
  EXPECT_THAT(literals("abcd*ef"), ElementsAre("abc"));
  EXPECT_THAT(literals("a{bcd}"), ElementsAre("a{bcd}"));
  EXPECT_THAT(literals("abcx++defg"), ElementsAre("defg"));
}

TEST(RegexLiterals, AssertionsNeedNothing) {
  EXPECT_THAT(literals("abc(?!def)"), ElementsAre("abc"));
  EXPECT_THAT(literals("(?<=token)x"), IsEmpty());
  EXPECT_THAT(literals("(?<name>token)x"), ElementsAre("tokenx"));
}

TEST(RegexLiterals, WhatIsNotUnderstoodGivesNothing) {
  for (const char* regex :
       {"(?x)to ken", R"(\Qtoken*\E)", "(?(1)token|xyz)token", "(*ACCEPT)token", R"(token\Kxyz)",
        "[[:alpha:]]token", R"(token\g1)", R"(\x{41}token)", "token{ 2}"}) {
    EXPECT_THAT(literals(regex), IsEmpty()) << regex;
  }
}

// Random expressions on random texts: whatever matches holds one of the literals.
TEST(RegexLiterals, EveryMatchHoldsOne) {
  Generator generator(7);
  std::size_t checked = 0;
  auto memory = match::RegexScratch::create();
  ASSERT_TRUE(memory);
  for (int i = 0; i < 400; ++i) {
    const std::string pattern = generator.regex();
    const std::vector<std::string> needed =
        required_literals(pattern, [](const std::string& literal) { return literal; });
    const auto regex = match::Regex::compile(pattern, {.ignore_case = true, .multiline = true});
    if (!regex || needed.empty()) {
      continue;
    }
    for (int j = 0; j < 100; ++j) {
      std::string text = generator.text(8);
      if (regex->find(text, *memory) != match::Regex::Verdict::yes) {
        continue;
      }
      std::transform(text.begin(), text.end(), text.begin(), ascii_lower);
      ++checked;
      ASSERT_TRUE(std::any_of(
          needed.begin(), needed.end(),
          [&](const std::string& literal) { return text.find(literal) != std::string::npos; }))
          << pattern << " on " << text;
    }
  }
  EXPECT_GT(checked, 500u);
}

}  // namespace
}  // namespace imds::rules
