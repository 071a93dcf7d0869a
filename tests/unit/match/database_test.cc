#include "match/database.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace imds::match {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Hits = std::multiset<std::pair<std::uint32_t, std::uint64_t>>;

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Pattern literal(std::string text, std::uint32_t id, std::uint8_t flags = 0) {
  return {std::move(text), id, Syntax::literal, flags};
}

Pattern regex(std::string text, std::uint32_t id, std::uint8_t flags = 0) {
  return {std::move(text), id, Syntax::regex, flags};
}

Database compile(const std::vector<Pattern>& patterns) {
  auto database = Database::compile(patterns);
  EXPECT_TRUE(database) << database.error().error.message;
  return database ? std::move(*database) : Database();
}

Scratch scratch_for(const std::vector<const Database*>& databases) {
  Result<Scratch> scratch = Scratch::create(databases);
  EXPECT_TRUE(scratch);
  return scratch ? std::move(*scratch) : Scratch();
}

Hits hits(const Database& database, Scratch& scratch, std::string_view text) {
  Hits found;
  EXPECT_TRUE(scan(database, scratch, bytes(text), [&](std::uint32_t id, std::uint64_t end) {
    found.emplace(id, end);
    return true;
  }));
  return found;
}

Hits hits(const std::vector<Pattern>& patterns, std::string_view text) {
  const Database database = compile(patterns);
  Scratch scratch = scratch_for({&database});
  return hits(database, scratch, text);
}

TEST(Database, FindsEveryPlaceALiteralEnds) {
  EXPECT_THAT(hits({literal("aba", 7)}, "xababa"),
              ElementsAre(std::pair(7u, 4u), std::pair(7u, 6u)));
}

TEST(Database, LiteralsMeanNoMoreThanTheirBytes) {
  const std::vector<Pattern> patterns{literal("a.c", 1), literal("[x]*", 2), literal("^$\\", 3),
                                      literal(std::string("\0\xff\n", 3), 4)};
  EXPECT_THAT(hits(patterns, "abc x ^"), IsEmpty());
  EXPECT_THAT(
      hits(patterns, std::string("a.c[x]*^$\\\0\xff\n", 13)),
      ElementsAre(std::pair(1u, 3u), std::pair(2u, 7u), std::pair(3u, 10u), std::pair(4u, 13u)));
}

TEST(Database, LiteralsKeepTheirMeaningBesideRegexes) {
  const std::vector<Pattern> patterns{literal("a.c", 1), literal(std::string("\0{", 2), 2),
                                      regex("a.c", 3)};
  EXPECT_THAT(hits(patterns, "abc"), ElementsAre(std::pair(3u, 3u)));
  EXPECT_THAT(hits(patterns, std::string("a.c\0{", 5)),
              ElementsAre(std::pair(1u, 3u), std::pair(2u, 5u), std::pair(3u, 3u)));
}

TEST(Database, CaselessIsPerPatternAndForAsciiOnly) {
  const std::vector<Pattern> patterns{literal("Meta", 1, kCaseless), literal("Meta", 2),
                                      literal("\xc3\xa9", 3, kCaseless)};
  EXPECT_THAT(hits(patterns, "mETA"), ElementsAre(std::pair(1u, 4u)));
  EXPECT_THAT(hits(patterns, "\xc3\x89 \xe3\xa9"), IsEmpty());
}

TEST(Database, SingleMatchReportsOncePerScan) {
  const std::vector<Pattern> patterns{literal("aa", 1, kSingleMatch)};
  const Database database = compile(patterns);
  Scratch scratch = scratch_for({&database});
  EXPECT_EQ(hits(database, scratch, "aaaa").size(), 1u);
  EXPECT_EQ(hits(database, scratch, "aaaa").size(), 1u);
}

TEST(Database, DotAllLetsADotPassALineBreak) {
  EXPECT_THAT(hits({regex("a.b", 1)}, "a\nb"), IsEmpty());
  EXPECT_THAT(hits({regex("a.b", 1, kDotAll)}, "a\nb"), ElementsAre(std::pair(1u, 3u)));
}

TEST(Database, CallbackStopsTheScan) {
  const Database database = compile({literal("a", 1)});
  Scratch scratch = scratch_for({&database});
  int calls = 0;
  EXPECT_TRUE(scan(database, scratch, bytes("aaaa"), [&](std::uint32_t, std::uint64_t) {
    ++calls;
    return false;
  }));
  EXPECT_EQ(calls, 1);
}

TEST(Database, WithoutPatternsFindsNothing) {
  const Database database = compile({});
  EXPECT_TRUE(database.empty());
  EXPECT_EQ(database.size_bytes(), 0u);
  EXPECT_EQ(database.info(), "empty");
  Scratch scratch = scratch_for({&database});
  EXPECT_THAT(hits(database, scratch, "anything"), IsEmpty());
}

TEST(Database, ScansAnEmptyBlock) {
  const Database database = compile({literal("a", 1)});
  Scratch scratch = scratch_for({&database});
  EXPECT_TRUE(scan(database, scratch, {}, [](std::uint32_t, std::uint64_t) { return true; }));
}

TEST(Database, NamesThePatternAtFault) {
  struct Case {
    Pattern bad;
    const char* says;
  };
  const std::vector<Case> cases{
      {literal("", 9), "empty pattern"},
      {literal(std::string(kMaxPatternBytes + 1, 'a'), 9), "4001 bytes"},
      {regex("a(", 9), "cannot be compiled"},
      {regex(std::string("a\0b", 3), 9), "NUL"},
  };
  for (const Case& c : cases) {
    const auto database = Database::compile(std::vector<Pattern>{literal("good", 1), c.bad});
    ASSERT_FALSE(database) << c.says;
    EXPECT_EQ(database.error().pattern, 1u) << c.says;
    EXPECT_EQ(database.error().error.kind, ErrorKind::config);
    EXPECT_THAT(database.error().error.message, HasSubstr(c.says));
  }
}

TEST(Database, TakesTheLongestPatternAllowed) {
  std::string text;
  for (std::size_t i = 0; i < kMaxPatternBytes; ++i) {
    text += static_cast<char>(i * 131 + i / 7);
  }
  for (const bool mixed : {false, true}) {
    std::vector<Pattern> patterns{literal(text, 1, kCaseless | kSingleMatch)};
    if (mixed) {
      patterns.push_back(regex("q+", 2, kSingleMatch));
    }
    const Hits found = hits(patterns, "..." + text + "...");
    EXPECT_EQ(found.count({1, 3 + text.size()}), 1u) << "mixed: " << mixed;
    EXPECT_TRUE(std::none_of(found.begin(), found.end(), [&](const auto& hit) {
      return hit.second < 3 + text.size() && hit.first == 1;
    }));
  }
}

TEST(Database, TellsSizeAndLibrary) {
  const Database database = compile({regex("/latest/meta.data", 1, kCaseless)});
  EXPECT_EQ(database.pattern_count(), 1u);
  EXPECT_GT(database.size_bytes(), 0u);
  EXPECT_THAT(database.info(), HasSubstr("BLOCK"));
  EXPECT_THAT(library_version(), HasSubstr("5."));
  EXPECT_TRUE(check_platform());
}

TEST(Database, OfFewLiteralsNeedsNoScratch) {
  const Database database = compile({literal("/latest/meta-data", 1, kCaseless)});
  EXPECT_EQ(database.pattern_count(), 1u);
  EXPECT_FALSE(database.empty());
  EXPECT_GT(database.size_bytes(), 0u);
  EXPECT_THAT(database.info(), HasSubstr("without the library"));
  Scratch none;
  EXPECT_THAT(hits(database, none, "GET /LATEST/meta-data/"), ElementsAre(std::pair(1u, 21u)));
}

// Wherever it stands, in texts of every length, with nothing readable behind them.
TEST(Database, OfFewLiteralsFindsThemAtEveryPlace) {
  const Database database = compile({literal("/Latest/meta-data", 1, kCaseless),
                                     literal("x-aws-ec2-metadata-token", 2, kCaseless),
                                     literal("abc", 3), literal("zzz\xff\xfe", 4)});
  Scratch none;
  for (std::size_t size = 0; size < 140; ++size) {
    for (const std::string_view needle :
         {std::string_view("/laTEst/meta-data"), std::string_view("X-AWS-ec2-metadata-token"),
          std::string_view("abc"), std::string_view("zzz\xff\xfe")}) {
      for (std::size_t at = 0; at + needle.size() <= size; ++at) {
        std::vector<char> text(size, '-');
        std::copy(needle.begin(), needle.end(), text.begin() + static_cast<std::ptrdiff_t>(at));
        const Hits found = hits(database, none, {text.data(), text.size()});
        ASSERT_EQ(found.size(), 1u) << needle << " at " << at << " of " << size;
        ASSERT_EQ(found.begin()->second, at + needle.size());
      }
    }
  }
}

// More than eight, as long as they share what they are looked up by.
TEST(Database, OfSimilarLiteralsNeedsNoScratch) {
  std::vector<Pattern> patterns;
  for (std::uint32_t id = 0; id < 24; ++id) {
    patterns.push_back(literal("/meta-data/" + std::string(1 + id, 'x'), id, kCaseless));
  }
  Scratch none;
  const Hits found = hits(compile(patterns), none, "/latest/META-data/" + std::string(20, 'X'));
  EXPECT_EQ(found.size(), 20u);
  patterns.push_back(literal("/meta-data", 24, kCaseless));
  EXPECT_THAT(compile(patterns).info(), HasSubstr("BLOCK"));
}

TEST(Scratch, ServesSeveralDatabasesAndOutlivesThem) {
  Scratch scratch;
  {
    const Database small = compile({literal("a", 1)});
    const Database large = compile({regex("(abc|def)+x[0-9]{3,40}y", 1), regex("z.*q", 2)});
    scratch = scratch_for({&small, &large});
    EXPECT_GT(scratch.size_bytes(), 0u);
    EXPECT_EQ(hits(small, scratch, "a").size(), 1u);
    EXPECT_EQ(hits(large, scratch, "zzq").size(), 1u);
  }
  const Database again = compile({literal("a", 1)});
  scratch = scratch_for({&again});
  EXPECT_EQ(hits(again, scratch, "a").size(), 1u);
}

TEST(Scratch, MissingForADatabaseIsReported) {
  const Database database = compile({literal("a", 1)});
  Scratch none;
  EXPECT_EQ(none.size_bytes(), 0u);
  EXPECT_FALSE(scan(database, none, bytes("a"), [](std::uint32_t, std::uint64_t) { return true; }));
}

TEST(Database, ManyThreadsScanOneDatabase) {
  const Database database = compile({literal("needle", 1, kCaseless)});
  std::vector<std::size_t> found(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < found.size(); ++t) {
    threads.emplace_back([&, t] {
      Scratch scratch = scratch_for({&database});
      for (int i = 0; i < 200; ++i) {
        found[t] += hits(database, scratch, "..NEEDLE..needle").size();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(found, ::testing::Each(400u));
}

// Against a search by hand, over a small alphabet so that literals overlap and repeat.
TEST(Database, AgreesWithASearchByHand) {
  std::mt19937 random(20260301);
  const std::string_view alphabet("aAbB.\n\0\xff", 8);
  const auto text = [&](std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size; ++i) {
      out += alphabet[random() % alphabet.size()];
    }
    return out;
  };
  for (int round = 0; round < 120; ++round) {
    std::vector<Pattern> patterns;
    // Few literals are searched for in another way, if none is very short.
    const bool few = round % 2 != 0;
    const std::size_t count = 1 + random() % (few ? 24 : 40);
    for (std::uint32_t id = 0; id < count; ++id) {
      const std::string fixed = few ? "aB." : "";
      patterns.push_back(
          literal(fixed + text(1 + random() % 9), id, random() % 2 != 0 ? kCaseless : 0));
    }
    const Database database = compile(patterns);
    Scratch scratch = scratch_for({&database});
    for (int block = 0; block < 20; ++block) {
      std::string haystack = text(random() % 120);
      if (few) {
        haystack.insert(random() % (haystack.size() + 1), patterns[random() % count].text);
      }
      Hits expected;
      for (const Pattern& pattern : patterns) {
        for (std::size_t at = 0; at + pattern.text.size() <= haystack.size(); ++at) {
          const std::string_view here(haystack.data() + at, pattern.text.size());
          const bool caseless = (pattern.flags & kCaseless) != 0;
          if (caseless ? iequals(here, pattern.text) : here == pattern.text) {
            expected.emplace(pattern.id, at + pattern.text.size());
          }
        }
      }
      ASSERT_EQ(hits(database, scratch, haystack), expected) << escape_for_terminal(haystack);
    }
  }
}

}  // namespace
}  // namespace imds::match
