// What was delivered is found again until newer bytes have taken its place, and never anything
// else.
#include "flow/delivered.h"

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(ByteSpan span) {
  return {reinterpret_cast<const char*>(span.data()), span.size()};
}

TEST(DeliveredTest, NothingIsFoundBeforeAnythingIsRecorded) {
  const Delivered delivered(kMiB);
  for (const Delivered::Mark mark : {0u, 1u, 2u, 16384u, 0x80000000u, 0xffffffffu}) {
    EXPECT_FALSE(delivered.find(mark)) << mark;
  }
}

TEST(DeliveredTest, ARecordIsBothPartsAndNamesTheOneBeforeIt) {
  Delivered delivered(kMiB);
  Delivered::Mark mark = 0;
  delivered.record(mark, 0xfffffffe, bytes("GET / "), bytes("HTTP/1.1"));
  const Delivered::Mark first = mark;
  delivered.record(mark, 12, {}, bytes("x"));
  Delivered::Mark other = 0;
  delivered.record(other, 99, bytes("of another stream"), {});

  const auto newest = delivered.find(mark);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->sequence, 12u);
  EXPECT_EQ(text(newest->bytes), "x");
  EXPECT_EQ(newest->previous, first);
  const auto before = delivered.find(newest->previous);
  ASSERT_TRUE(before);
  EXPECT_EQ(text(before->bytes), "GET / HTTP/1.1");
  EXPECT_EQ(before->end(), 12u) << "sequence numbers wrap";
  EXPECT_EQ(before->previous, 0u);
  EXPECT_EQ(delivered.find(other)->previous, 0u);
}

TEST(DeliveredTest, AnEmptyRecordIsOne) {
  Delivered delivered(kMiB);
  Delivered::Mark mark = 0;
  delivered.record(mark, 5, {}, {});
  ASSERT_TRUE(delivered.find(mark));
  EXPECT_TRUE(delivered.find(mark)->bytes.empty());
}

TEST(DeliveredTest, LongOnesAreCutAtAQuarterOfTheRing) {
  Delivered delivered(kMiB);
  const std::string half(kMiB / 2, 'a');
  const std::string small(100, 'b');
  Delivered::Mark mark = 0;
  delivered.record(mark, 1, bytes(half), bytes(small));
  ASSERT_TRUE(delivered.find(mark));
  const std::string kept = text(delivered.find(mark)->bytes);
  EXPECT_LE(kept.size(), kMiB / 4);
  EXPECT_GT(kept.size(), kMiB / 4 - 64);
  EXPECT_EQ(kept.find('b'), std::string::npos) << "cut at the end, not in the middle";
}

// Every record of the last turn of the ring or so is found whole; each older one is not found.
class DeliveredRing : public testing::TestWithParam<std::uint64_t> {};

TEST_P(DeliveredRing, AnOldMarkNeverReadsNewerBytes) {
  constexpr std::size_t kRing = 3 * kMiB;  // its units are no power of two
  Delivered delivered(kRing, {}, GetParam());
  struct Expected {
    Delivered::Mark mark;
    std::uint32_t sequence;
    std::string bytes;
  };
  std::deque<Expected> recorded;
  std::mt19937 random(7);
  std::size_t gone = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const std::string first(random() % 2000, static_cast<char>(random()));
    const std::string second(random() % 3 == 0 ? random() % 2000 : 0, static_cast<char>(random()));
    Delivered::Mark mark = 0;
    delivered.record(mark, i, bytes(first), bytes(second));
    ASSERT_NE(mark, 0u);
    recorded.push_back({mark, i, first + second});
    if (recorded.size() > 6000) {
      recorded.pop_front();
    }
    if (i % 500 != 0) {
      continue;
    }
    bool still_gone = true;
    std::size_t found_bytes = 0;
    for (const Expected& expected : recorded) {
      const auto found = delivered.find(expected.mark);
      if (!found) {
        ASSERT_TRUE(still_gone) << "an older one was found, a newer one was not";
        ++gone;
        continue;
      }
      still_gone = false;
      found_bytes += found->bytes.size();
      ASSERT_EQ(found->sequence, expected.sequence);
      ASSERT_EQ(text(found->bytes), expected.bytes);
    }
    if (i > 10'000) {
      ASSERT_GT(found_bytes, kRing * 3 / 4) << "the ring keeps what it has room for";
    }
  }
  EXPECT_GT(gone, 0u);
}

constexpr std::uint64_t kMarks = std::uint64_t{1} << 32;
INSTANTIATE_TEST_SUITE_P(Beginnings, DeliveredRing,
                         testing::Values(1, kMarks - 1000, kMarks - 100'000, 7 * kMarks - 5));

// Where a record would have the mark that means none, and would also just fit.
TEST(DeliveredTest, NoRecordHasTheMarkOfNone) {
  for (std::size_t ring = kMiB; ring < kMiB + 40 * 64; ring += 64) {
    const std::uint64_t left = ring / 64 - kMarks % (ring / 64);
    for (const std::uint64_t units : {std::uint64_t{1}, std::min<std::uint64_t>(left, 1000)}) {
      Delivered delivered(ring, {}, kMarks);
      const std::string whole(units * 64 - 24, 'w');
      Delivered::Mark mark = 0;
      delivered.record(mark, 1, bytes(whole), {});
      ASSERT_NE(mark, 0u);
      ASSERT_TRUE(delivered.find(mark));
      ASSERT_EQ(text(delivered.find(mark)->bytes), whole) << ring << ' ' << units;
    }
  }
}

// A mark of 32 bits may, after very long, point into another record's bytes. Whatever they say,
// nothing outside the ring is read.
TEST(DeliveredTest, BytesThatPretendToBeALongRecordLeadNowhere) {
  constexpr std::size_t kUnit = 64;
  constexpr std::size_t kHeader = 24;
  Delivered delivered(kMiB);
  Delivered::Mark mark = 0;
  std::string forged(100 * kUnit, '\0');
  delivered.record(mark, 0, bytes(forged), {});
  const std::uint32_t next = mark + 101;  // the header takes a part of the first unit
  for (std::uint32_t unit = 1; unit < 100; ++unit) {
    const std::uint64_t position = next + unit;
    const std::uint32_t size = 0xffffff00u - unit;
    std::memcpy(forged.data() + unit * kUnit - kHeader, &position, sizeof position);
    std::memcpy(forged.data() + unit * kUnit - kHeader + 12, &size, sizeof size);
  }
  delivered.record(mark, 0, bytes(forged), {});
  ASSERT_EQ(mark, next);
  ASSERT_EQ(text(delivered.find(mark)->bytes), forged);
  for (std::uint32_t unit = 1; unit < 100; ++unit) {
    ASSERT_FALSE(delivered.find(next + unit)) << unit;
  }
}

}  // namespace
}  // namespace imds::flow
