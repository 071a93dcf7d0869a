#include "match/regex.h"

#include <string>

#include <gtest/gtest.h>

#include "match/database.h"

namespace imds::match {
namespace {

Regex compiled(std::string_view text, RegexFlags flags = {}) {
  auto regex = Regex::compile(text, flags);
  EXPECT_TRUE(regex) << text << ": " << regex.error().message;
  return std::move(*regex);
}

RegexScratch scratch() {
  Result<RegexScratch> made = RegexScratch::create();
  EXPECT_TRUE(made);
  return std::move(*made);
}

// As a caller decides: by the database, confirmed where it is only an approximation.
bool finds(const Regex& regex, std::string_view text) {
  if (text.empty()) {
    return regex.matches_empty();
  }
  const auto database = Database::compile(std::span(&regex.pattern(), 1));
  EXPECT_TRUE(database);
  const Database* all[] = {&*database};
  auto hs = Scratch::create(all);
  EXPECT_TRUE(hs);
  bool reported = false;
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  scan(*database, *hs, bytes, [&](std::uint32_t, std::uint64_t) {
    reported = true;
    return false;
  });
  RegexScratch memory = scratch();
  const bool confirmed = regex.find(text, memory) == Regex::Verdict::yes;
  EXPECT_TRUE(reported || !confirmed) << "the database missed " << text;
  return reported && (!regex.needs_confirmation() || confirmed);
}

TEST(Regex, FindsAnywhereUnlessAnchored) {
  const Regex regex = compiled("meta-?data/[a-z]+");
  EXPECT_FALSE(regex.needs_confirmation());
  EXPECT_TRUE(finds(regex, "/latest/meta-data/iam"));
  EXPECT_FALSE(finds(regex, "/latest/META-data/iam"));
  EXPECT_TRUE(finds(compiled("^/latest"), "/latest/x"));
  EXPECT_FALSE(finds(compiled("^/latest"), "x/latest"));
  EXPECT_TRUE(finds(compiled("iam$"), "/x/iam\n"));
  EXPECT_FALSE(finds(compiled("iam\\z"), "/x/iam\n"));
}

TEST(Regex, FlagsDoWhatSigmaSays) {
  EXPECT_TRUE(finds(compiled("iam", {.ignore_case = true}), "IAM"));
  EXPECT_FALSE(finds(compiled("^b"), "a\nb"));
  EXPECT_TRUE(finds(compiled("^b", {.multiline = true}), "a\nb"));
  EXPECT_FALSE(finds(compiled("a.b"), "a\nb"));
  EXPECT_TRUE(finds(compiled("a.b", {.dot_all = true}), "a\nb"));
}

TEST(Regex, WhatHyperscanCannotSayIsConfirmed) {
  const Regex ahead = compiled("/latest/(?!meta-data)[a-z-]+");
  EXPECT_TRUE(ahead.needs_confirmation());
  EXPECT_TRUE(finds(ahead, "/latest/user-data"));
  EXPECT_FALSE(finds(ahead, "/latest/meta-data"));
  const Regex behind = compiled("(?<=role/)admin");
  EXPECT_TRUE(finds(behind, "/role/admin"));
  EXPECT_FALSE(finds(behind, "/user/admin"));
  const Regex back = compiled("([a-z]{4})/\\1");
  EXPECT_TRUE(finds(back, "/meta/meta"));
  EXPECT_FALSE(finds(back, "/meta/data"));
  EXPECT_TRUE(finds(compiled("a++b"), "aab"));
}

TEST(Regex, EmptyTextIsDecidedWithoutScanning) {
  EXPECT_TRUE(compiled("^$").matches_empty());
  EXPECT_TRUE(compiled("a*").matches_empty());
  EXPECT_FALSE(compiled("a").matches_empty());
  EXPECT_TRUE(finds(compiled("a*"), "b"));
}

TEST(Regex, KnowsTheLongestMatchWhereThereIsOne) {
  EXPECT_EQ(compiled("abc|de").longest_match(), 3u);
  EXPECT_EQ(compiled("a+").longest_match(), std::nullopt);
  EXPECT_EQ(compiled("(?<=x)abc").longest_match(), std::nullopt);
}

TEST(Regex, GivesUpRatherThanBacktrackForEver) {
  // The look-ahead keeps Hyperscan from doing it exactly.
  const Regex regex = compiled("(?=x)x(a+)+[^b]c\\1");
  RegexScratch memory = scratch();
  EXPECT_EQ(regex.find("x" + std::string(60, 'a') + "bc", memory), Regex::Verdict::gave_up);
  EXPECT_EQ(regex.find("y", memory), Regex::Verdict::no);
  const Regex deep = compiled("^(?:a|(b))*\\1$");
  EXPECT_NE(deep.find(std::string(1 << 20, 'a'), memory), Regex::Verdict::yes);
  // Hyperscan needs no backtracking for this one.
  EXPECT_FALSE(compiled("^(a+)+$").needs_confirmation());
}

TEST(Regex, RefusesWithThePlace) {
  const auto offset_of = [](std::string_view text) {
    const auto regex = Regex::compile(text, {});
    EXPECT_FALSE(regex) << text;
    return regex ? std::size_t{999} : regex.error().offset;
  };
  EXPECT_EQ(offset_of("abc("), 4u);
  EXPECT_EQ(offset_of("ab[z-a]"), 5u);
  EXPECT_EQ(offset_of(std::string_view("a\0b", 3)), 1u);
  EXPECT_EQ(offset_of(""), 0u);
  EXPECT_EQ(offset_of("*a"), 0u);
  EXPECT_NE(offset_of("(*UTF8)a"), 999u);
  EXPECT_NE(offset_of(std::string(300, '(') + std::string(300, ')')), 999u);
  EXPECT_NE(offset_of(std::string(kMaxPatternBytes + 1, 'a')), 999u);
  EXPECT_NE(offset_of("((a{1,500}){1,500}){1,500}"), 999u);
}

}  // namespace
}  // namespace imds::match
