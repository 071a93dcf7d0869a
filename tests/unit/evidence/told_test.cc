#include "evidence/told.h"

#include <limits>

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

constexpr std::int64_t kWindow = 600 * kNanosPerSecond;

SipHash key(std::uint64_t number) {
  return siphash128({1, 2}, {reinterpret_cast<const std::uint8_t*>(&number), sizeof number});
}
Timestamp at(std::int64_t seconds) {
  return {seconds * kNanosPerSecond};
}

TEST(Told, OncePerWindowAndKey) {
  Told told({64, kWindow});
  EXPECT_TRUE(told.note(key(1), at(0)));
  EXPECT_FALSE(told.note(key(1), at(1)));
  EXPECT_TRUE(told.note(key(2), at(1)));
  EXPECT_FALSE(told.note(key(1), at(600)));
  // From when it was told, not from when it was last asked for.
  EXPECT_TRUE(told.note(key(1), at(601)));
  EXPECT_FALSE(told.note(key(1), at(602)));
  EXPECT_EQ(told.evicted(), 0u);
}

TEST(Told, TimeThatGoesBackIsNoTime) {
  Told told({64, kWindow});
  EXPECT_TRUE(told.note(key(1), at(1000)));
  EXPECT_FALSE(told.note(key(1), at(0)));
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(told.note(key(2), {-kLast}));
  EXPECT_TRUE(told.note(key(2), {kLast}));
}

TEST(Told, WhatWasToldLongestAgoMakesRoom) {
  Told told({8, kWindow});
  ASSERT_EQ(told.capacity(), 8u);
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(told.note(key(i), at(static_cast<std::int64_t>(10 + i))));
  }
  EXPECT_TRUE(told.note(key(8), at(20)));
  EXPECT_EQ(told.evicted(), 1u);
  for (std::uint64_t i = 1; i < 9; ++i) {
    EXPECT_FALSE(told.note(key(i), at(21))) << i;
  }
  EXPECT_TRUE(told.note(key(0), at(22))) << "forgotten, so told again";
  // What is past its window makes room uncounted.
  EXPECT_TRUE(told.note(key(100), at(2000)));
  EXPECT_EQ(told.evicted(), 2u);
}

}  // namespace
}  // namespace imds::evidence
