#include "base/spsc_ring.h"

#include <thread>

#include <gtest/gtest.h>

namespace imds {
namespace {

struct Record {
  std::uint64_t number;
  std::uint64_t check[7];
};

void fill(Record& record, std::uint64_t number) {
  record.number = number;
  for (std::uint64_t& c : record.check) {
    c = number * 3;
  }
}

bool is_whole(const Record& record) {
  return std::all_of(std::begin(record.check), std::end(record.check),
                     [&](std::uint64_t c) { return c == record.number * 3; });
}

TEST(SpscRing, CapacityIsAPowerOfTwo) {
  EXPECT_EQ(SpscRing<Record>(1).capacity(), 1u);
  EXPECT_EQ(SpscRing<Record>(5).capacity(), 8u);
  EXPECT_EQ(SpscRing<Record>(8).capacity(), 8u);
}

TEST(SpscRing, FirstInFirstOut) {
  SpscRing<Record> ring(4);
  EXPECT_EQ(ring.front(), nullptr);
  for (std::uint64_t i = 0; i < 3; ++i) {
    fill(*ring.reserve(), i);
    ring.commit();
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_NE(ring.front(), nullptr);
    EXPECT_EQ(ring.front()->number, i);
    ring.pop();
  }
  EXPECT_EQ(ring.front(), nullptr);
  EXPECT_EQ(ring.produced(), 3u);
  EXPECT_EQ(ring.consumed(), 3u);
}

TEST(SpscRing, AheadAreThoseBehindTheFront) {
  SpscRing<Record> ring(2);
  EXPECT_EQ(ring.ahead(1), nullptr);
  for (std::uint64_t round = 0; round < 3; ++round) {  // also round the end of the slots
    fill(*ring.reserve(), 2 * round);
    ring.commit();
    ASSERT_NE(ring.front(), nullptr);
    EXPECT_EQ(ring.ahead(1), nullptr);
    ring.pop();
    for (std::uint64_t i = 1; i <= 2; ++i) {
      fill(*ring.reserve(), 2 * round + i);
      ring.commit();
    }
    ASSERT_NE(ring.front(), nullptr);
    ASSERT_NE(ring.ahead(1), nullptr);
    EXPECT_EQ(ring.ahead(1)->number, 2 * round + 2);
    ring.pop();
    EXPECT_EQ(ring.ahead(1), nullptr);
    EXPECT_EQ(ring.front()->number, 2 * round + 2);
    ring.pop();
  }
}

TEST(SpscRing, FullRefusesUntilOneIsTaken) {
  SpscRing<Record> ring(2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    fill(*ring.reserve(), i);
    ring.commit();
  }
  EXPECT_EQ(ring.reserve(), nullptr);
  EXPECT_EQ(ring.front()->number, 0u);
  EXPECT_EQ(ring.reserve(), nullptr);  // looking is not taking
  ring.pop();
  ASSERT_NE(ring.reserve(), nullptr);
}

TEST(SpscRing, WithoutCommitNothingIsPublished) {
  SpscRing<Record> ring(2);
  fill(*ring.reserve(), 1);
  EXPECT_EQ(ring.front(), nullptr);
  fill(*ring.reserve(), 2);  // the same slot again
  ring.commit();
  EXPECT_EQ(ring.front()->number, 2u);
  EXPECT_EQ(ring.produced(), 1u);
}

TEST(SpscRing, WrapsManyTimes) {
  SpscRing<Record> ring(4);
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    fill(*ring.reserve(), i);
    ring.commit();
    if (i % 3 != 0) {
      continue;
    }
    while (const Record* r = ring.front()) {
      ASSERT_EQ(r->number, next++);
      ring.pop();
    }
  }
}

TEST(SpscRing, TwoThreadsLoseAndTearNothing) {
  constexpr std::uint64_t kRecords = 200'000;
  SpscRing<Record> ring(64);
  std::thread producer([&ring] {
    for (std::uint64_t i = 0; i < kRecords;) {
      if (Record* slot = ring.reserve()) {
        fill(*slot, i++);
        ring.commit();
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 0;
  std::uint64_t torn = 0;
  std::uint64_t misplaced = 0;
  while (expected < kRecords) {
    const Record* record = ring.front();
    if (record == nullptr) {
      std::this_thread::yield();
      continue;
    }
    torn += is_whole(*record) ? 0 : 1;
    misplaced += record->number == expected ? 0 : 1;
    ++expected;
    ring.pop();
  }
  producer.join();
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(misplaced, 0u);
  EXPECT_EQ(ring.produced(), kRecords);
  EXPECT_EQ(ring.consumed(), kRecords);
}

}  // namespace
}  // namespace imds
