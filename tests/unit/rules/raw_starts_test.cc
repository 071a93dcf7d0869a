// Which pairs of bytes the raw strings of rules begin with.
#include "rules/raw_starts.h"

#include <random>
#include <string>

#include "fixture.h"

namespace imds::rules {
namespace {

std::size_t count(const RawStarts& starts) {
  std::size_t pairs = 0;
  for (unsigned pair = 0; pair < 65536; ++pair) {
    pairs += starts.may_begin(static_cast<std::uint8_t>(pair >> 8), static_cast<std::uint8_t>(pair))
                 ? 1
                 : 0;
  }
  return pairs;
}

TEST(RawStartsTest, LettersComeInBothCasesAndOtherBytesAsTheyAre) {
  RawStarts starts;
  EXPECT_EQ(count(starts), 0u);
  starts.add('x', '-');
  EXPECT_TRUE(starts.may_begin('x', '-'));
  EXPECT_TRUE(starts.may_begin('X', '-'));
  EXPECT_FALSE(starts.may_begin('-', 'x'));
  EXPECT_EQ(count(starts), 2u);
  starts.add('A', 'b');
  EXPECT_TRUE(starts.may_begin('a', 'B') && starts.may_begin('A', 'B') &&
              starts.may_begin('a', 'b') && starts.may_begin('A', 'b'));
  EXPECT_EQ(count(starts), 6u);
  // Neighbours of letters, which differ from other bytes in the same bit.
  for (const unsigned byte : {0x40u, 0x5bu, 0x60u, 0x7bu, 0x00u, 0x20u, 0xc1u, 0xe1u, 0xffu}) {
    RawStarts one;
    one.add(static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte));
    EXPECT_EQ(count(one), 1u) << byte;
    EXPECT_TRUE(one.may_begin(static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte)));
  }
}

TEST(RawStartsTest, AnyIsEveryPair) {
  RawStarts starts;
  starts.add_any();
  EXPECT_EQ(count(starts), 65536u);
  EXPECT_EQ(starts.unfinished(bytes("abc")).size(), 3u);
  EXPECT_EQ(starts.unfinished(bytes("c")).size(), 0u) << "only the next byte tells";
}

TEST(RawStartsTest, LooksAtTheByteBefore) {
  RawStarts starts;
  starts.add('/', 'l');
  EXPECT_TRUE(starts.may_begin_in('/', bytes("latest")));
  EXPECT_FALSE(starts.may_begin_in('l', bytes("atest")));
  EXPECT_TRUE(starts.may_begin_in('l', bytes("a /l")));
  EXPECT_FALSE(starts.may_begin_in('l', bytes("a /")));
  EXPECT_FALSE(starts.may_begin_in('/', {}));
}

TEST(RawStartsTest, TheUnfinishedEndGoesFromTheFirstPlaceOn) {
  RawStarts starts;
  starts.add('/', 'l');
  const auto end = [&](std::string_view text) {
    const ByteSpan found = starts.unfinished(bytes(text));
    return std::string(found.begin(), found.end());
  };
  EXPECT_EQ(end(""), "");
  EXPECT_EQ(end("/"), "");
  EXPECT_EQ(end("/l"), "/l");
  EXPECT_EQ(end("a/la/l"), "/la/l");
  EXPECT_EQ(end("abc/"), "");
  EXPECT_EQ(end("/a/L/"), "/L/");
}

RawStarts starts_of(const std::string& detection) {
  return compile({detection})->raw_starts();
}

TEST(RawStartsTest, ComeFromTheRules) {
  const RawStarts plain = starts_of("a: {url|contains: /latest/x}\ncondition: a");
  EXPECT_TRUE(plain.may_begin('/', 'l') && plain.may_begin('/', 'L'));
  EXPECT_EQ(count(plain), 2u);
  const RawStarts cased = starts_of("a: {imds.raw|contains|cased: Ab-cdef}\ncondition: a");
  EXPECT_TRUE(cased.may_begin('A', 'b'));
  const RawStarts two =
      starts_of("a: {request_headers|contains: [X-aws-e, 'zeta:']}\ncondition: a");
  EXPECT_TRUE(two.may_begin('x', '-') && two.may_begin('Z', 'e'));
  EXPECT_FALSE(two.may_begin('/', 'l'));
  const RawStarts negated =
      starts_of("a: {url|contains: abcdef}\nb: {url|contains: ghijkl}\ncondition: a and not b");
  EXPECT_TRUE(negated.may_begin('a', 'b') && negated.may_begin('g', 'h'));
  const RawStarts none = starts_of("a: {destination.ip: 192.0.2.1}\ncondition: a");
  EXPECT_EQ(count(none), 0u);
}

TEST(RawStartsTest, WildcardsWithinTheFirstTwoBytesMeanAnywhere) {
  EXPECT_EQ(count(starts_of("a: {url|contains: 'a?cdefgh'}\ncondition: a")), 65536u);
  EXPECT_EQ(count(starts_of("a: {url|contains: '?bcdefgh'}\ncondition: a")), 65536u);
  EXPECT_EQ(count(starts_of("a: {url|contains: 'a*bcdefgh'}\ncondition: a")), 65536u);
  EXPECT_EQ(count(starts_of("a: {url|contains: 'ab?defgh'}\ncondition: a")), 4u);
  EXPECT_EQ(count(starts_of("a: {url|contains: '-/*defgh'}\ncondition: a")), 1u);
}

// What makes it sound to pass over bytes: no rule hits a text in which no string begins.
TEST(RawStartsTest, NoRuleHitsWhereNothingBegins) {
  const auto set = compile({
      "a: {url|contains: [abcab, 'ba?cca', 'cb*aabb']}\ncondition: a",
      "a: {imds.raw|contains|cased: cacba}\nb: {url|contains: bbbbb}\ncondition: a or not b",
      "a: {request_headers|contains|all: [caacb, bcbca]}\ncondition: a",
  });
  Evaluator judge = evaluator(set);
  std::mt19937 random(7);
  std::size_t found = 0;
  std::size_t passed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 24 + 1, ' ');
    const unsigned letters = 2 + random() % 3;
    for (char& c : text) {
      c = static_cast<char>((random() % 8 == 0 ? 'A' : 'a') + random() % letters);
    }
    event::Event event;
    event.type = event::EventType::raw_match;
    event.raw = text;
    const bool hit = judge.prefilter_raw(bytes(text)) && !hits(judge, event).empty();
    const bool begins = set->raw_starts().may_begin_in(' ', bytes(text));
    EXPECT_TRUE(begins || !hit) << text;
    found += hit ? 1 : 0;
    passed += begins ? 0 : 1;
  }
  EXPECT_GT(found, 10u);
  EXPECT_GT(passed, 10u);
}

}  // namespace
}  // namespace imds::rules
