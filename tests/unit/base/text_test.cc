#include "base/text.h"

#include <string>

#include <gtest/gtest.h>

namespace imds {
namespace {

using namespace std::string_view_literals;

TEST(Ascii, LowerAndCompare) {
  EXPECT_EQ(ascii_lower('A'), 'a');
  EXPECT_EQ(ascii_lower('Z'), 'z');
  EXPECT_EQ(ascii_lower('['), '[');
  EXPECT_EQ(ascii_lower('\xc4'), '\xc4');  // no locale
  EXPECT_TRUE(iequals("Host", "hOST"));
  EXPECT_TRUE(iequals("", ""));
  EXPECT_FALSE(iequals("Host", "Hos"));
  EXPECT_FALSE(iequals("@", "`"));  // differ only in the case bit
}

// In any place of texts of any size, which are compared eight characters at once.
TEST(Ascii, EveryPairOfBytesInEveryPlace) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const bool same = ascii_lower(static_cast<char>(a)) == ascii_lower(static_cast<char>(b));
      for (const std::size_t size : {1u, 7u, 8u, 11u, 17u}) {
        const std::size_t at = static_cast<std::size_t>(a + b) % size;
        std::string left(size, 'x');
        std::string right(size, 'X');
        left[at] = static_cast<char>(a);
        right[at] = static_cast<char>(b);
        ASSERT_EQ(iequals(left, right), same) << a << ' ' << b << ' ' << size;
      }
    }
  }
}

TEST(EscapeForTerminal, PlainTextStays) {
  EXPECT_EQ(escape_for_terminal("GET /latest/meta-data HTTP/1.1"),
            "GET /latest/meta-data HTTP/1.1");
  EXPECT_EQ(escape_for_terminal("Zürich 東京 😀"), "Zürich 東京 😀");
}

TEST(EscapeForTerminal, ControlsAndBackslash) {
  EXPECT_EQ(escape_for_terminal("a\tb\r\n"), "a\\x09b\\x0d\\x0a");
  EXPECT_EQ(escape_for_terminal("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(escape_for_terminal("\0\x7f"sv), "\\x00\\x7f");
  EXPECT_EQ(escape_for_terminal("C:\\"), "C:\\\\");
  EXPECT_EQ(escape_for_terminal("\xc2\x9b"), "\\xc2\\x9b");  // C1 control as UTF-8
}

TEST(EscapeForTerminal, TextThatDeceives) {
  EXPECT_EQ(escape_for_terminal("a\xe2\x80\xaegpj"), "a\\xe2\\x80\\xaegpj");   // right-to-left
  EXPECT_EQ(escape_for_terminal("\xe2\x80\x8b"), "\\xe2\\x80\\x8b");           // zero width
  EXPECT_EQ(escape_for_terminal("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");           // isolate
  EXPECT_EQ(escape_for_terminal("\xef\xbb\xbf"), "\\xef\\xbb\\xbf");           // byte order mark
  EXPECT_EQ(escape_for_terminal("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81");  // tag character
}

TEST(EscapeForTerminal, MalformedUtf8) {
  EXPECT_EQ(escape_for_terminal("\xff"), "\\xff");
  EXPECT_EQ(escape_for_terminal("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(escape_for_terminal("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");  // overlong, three bytes
  EXPECT_EQ(escape_for_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(escape_for_terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  EXPECT_EQ(escape_for_terminal("\xe6\x9d"), "\\xe6\\x9d");                    // cut
  EXPECT_EQ(escape_for_terminal("\xe6"
                                "A"),
            "\\xe6"
            "A");
  EXPECT_EQ(escape_for_terminal("\x80"), "\\x80");
}

TEST(EscapeForTerminal, OutputHoldsNoControlForAnyInput) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string pair = {static_cast<char>(a), static_cast<char>(b)};
      for (const char c : escape_for_terminal(pair)) {
        const auto byte = static_cast<unsigned char>(c);
        ASSERT_TRUE(byte >= 0x20 && byte != 0x7f) << a << ' ' << b;
      }
    }
  }
}

TEST(ToValidUtf8, ReplacesOnlyWhatIsMalformed) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  EXPECT_EQ(to_valid_utf8("plain \x01 東"), "plain \x01 東");
  EXPECT_EQ(to_valid_utf8("\xff"
                          "a"),
            std::string(kReplacement) + "a");
  EXPECT_EQ(to_valid_utf8("\xe6\x9d"), std::string(kReplacement) + std::string(kReplacement));
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80").size(), 9u);
  EXPECT_EQ(to_valid_utf8(""), "");
}

TEST(MatchesWildcards, StarsStandForAnyRun) {
  const auto matches = [](std::string_view text, std::string_view pattern) {
    return matches_wildcards(text, pattern, LetterCase::counts);
  };
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("", "**"));
  EXPECT_TRUE(matches("http_paths", "http_*"));
  EXPECT_TRUE(matches("abcabd", "*ab*d"));
  EXPECT_TRUE(matches("aab", "*ab"));
  EXPECT_FALSE(matches("a", ""));
  EXPECT_FALSE(matches("http", "http_*"));
  EXPECT_FALSE(matches("abcabde", "*ab*d"));
  EXPECT_FALSE(matches("x*y", "x**z"));
}

TEST(MatchesWildcards, CaseOfLettersAsAsked) {
  EXPECT_FALSE(matches_wildcards("Nuclei/3", "nuclei*", LetterCase::counts));
  EXPECT_TRUE(matches_wildcards("Nuclei/3", "nUCLEI*", LetterCase::ignored));
  EXPECT_FALSE(matches_wildcards("Nucle[/3", "nucle{*", LetterCase::ignored));
}

}  // namespace
}  // namespace imds
