#include "flow/clock.h"

#include <limits>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

Timestamp at(std::int64_t seconds) {
  return {seconds * kNanosPerSecond};
}

TEST(CoarseClockTest, CountsSecondsFromTheFirstTimestamp) {
  CoarseClock clock;
  EXPECT_EQ(clock.update(at(1'700'000'000)), 0u);
  EXPECT_EQ(clock.update(at(1'700'000'005)), 5u);
  EXPECT_EQ(clock.update({1'700'000'005 * kNanosPerSecond + 999'999'999}), 5u);
  EXPECT_EQ(clock.now(), 5u);
}

TEST(CoarseClockTest, SmallStepsBackStandStill) {
  CoarseClock clock;
  clock.update(at(1000));
  clock.update(at(1100));
  EXPECT_EQ(clock.update(at(1100 - CoarseClock::kJitter)), 100u);
  EXPECT_EQ(clock.update(at(1100)), 100u);
  EXPECT_EQ(clock.update(at(1101)), 101u) << "jitter does not add up";
}

TEST(CoarseClockTest, LargeStepsBackGoOnFromThere) {
  CoarseClock clock;
  clock.update(at(1'700'000'000));
  clock.update(at(1'700'000'100));
  EXPECT_EQ(clock.update(at(1'200'000'000)), 100u);
  EXPECT_EQ(clock.update(at(1'200'000'007)), 107u);
}

TEST(CoarseClockTest, ExtremeTimestampsNeitherOverflowNorGoBack) {
  CoarseClock clock;
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  Seconds before = 0;
  for (const std::int64_t ns : {kFirst, kLast, std::int64_t{0}, kLast, kFirst, kFirst, kLast}) {
    const Seconds now = clock.update({ns});
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_EQ(clock.now(), std::numeric_limits<Seconds>::max());
}

}  // namespace
}  // namespace imds::flow
