#include "flow/clock.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <random>

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

TEST(CoarseClockTest, TheFirstTimeMayBeAny) {
  for (const std::int64_t first :
       {std::int64_t{0}, std::int64_t{1}, -5 * kNanosPerSecond,
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::min() + 1}) {
    CoarseClock clock;
    EXPECT_EQ(clock.update({first}), 0u);
    EXPECT_EQ(clock.update({first + 30 * kNanosPerSecond}), 30u) << first;
  }
}

// The clock as it is described, without anything to save time.
class PlainClock {
 public:
  Seconds update(Timestamp time) {
    const std::int64_t seconds = time.ns / kNanosPerSecond;
    if (!started_) {
      started_ = true;
      offset_ = -seconds;
    }
    const std::int64_t coarse = seconds + offset_;
    if (coarse >= now_) {
      now_ = std::min<std::int64_t>(coarse, std::numeric_limits<Seconds>::max());
    } else if (now_ - coarse > CoarseClock::kJitter) {
      offset_ = now_ - seconds;
    }
    return static_cast<Seconds>(now_);
  }

 private:
  std::int64_t offset_ = 0;
  std::int64_t now_ = 0;
  bool started_ = false;
};

TEST(CoarseClockTest, AgreesWithThePlainOneOnAnyTimes) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - kNanosPerSecond;
  constexpr std::int64_t kSteps[] = {1, 999'999'999, kNanosPerSecond, 61 * kNanosPerSecond,
                                     3600 * kNanosPerSecond};
  constexpr std::int64_t kFirst[] = {
      0, 1, -1, -kNanosPerSecond, 1'760'000'000 * kNanosPerSecond, kLeast, kMost};
  std::mt19937_64 random(3);
  for (int round = 0; round < 400; ++round) {
    CoarseClock clock;
    PlainClock plain;
    std::int64_t time = kFirst[random() % std::size(kFirst)];
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(clock.update({time}), plain.update({time})) << "round " << round << " at " << time;
      if (random() % 20 == 0) {
        time = kFirst[random() % std::size(kFirst)];
        continue;
      }
      const std::int64_t step = kSteps[random() % std::size(kSteps)];
      time = random() % 3 == 0 ? (time < kLeast + step ? kLeast : time - step)
                               : (time > kMost - step ? kMost : time + step);
    }
  }
}

}  // namespace
}  // namespace imds::flow
