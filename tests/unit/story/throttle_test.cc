#include "story/throttle.h"

#include <gtest/gtest.h>

namespace imds::story {
namespace {

constexpr std::uint64_t kRule = 1;
constexpr std::uint64_t kOtherRule = 2;

event::Finding finding(std::int64_t second, std::uint32_t source = 1, std::uint32_t destination = 9,
                       std::uint16_t port = 1000) {
  event::Finding f{};
  f.time.ns = second * kNanosPerSecond;
  f.source.ip = IpAddress::v4(source);
  f.source.port = port;
  f.destination.ip = IpAddress::v4(destination);
  f.destination.port = 80;
  f.ip_protocol = 6;
  return f;
}

Throttle throttle(Track track, ThrottleType type, std::uint32_t count, std::uint32_t seconds,
                  std::size_t entries = 64) {
  return Throttle({{{"policy", track, type, count, seconds}}, entries, 12345});
}

// "." for one that is withheld, else its repeats.
std::string pattern(Throttle& t, const std::vector<std::int64_t>& seconds) {
  std::string out;
  for (const std::int64_t second : seconds) {
    const auto verdict = t.judge(kRule, 0, finding(second));
    out += verdict.passes ? std::to_string(verdict.repeats) : ".";
  }
  return out;
}

TEST(Throttle, LimitLetsTheFirstPassInEachWindow) {
  Throttle t = throttle(Track::source, ThrottleType::limit, 2, 10);
  EXPECT_EQ(pattern(t, {0, 1, 2, 3, 9}), "00...");
  EXPECT_EQ(pattern(t, {10, 11, 12}), "30.");
  EXPECT_EQ(pattern(t, {100}), "1");
  EXPECT_EQ(t.withheld(0), 4u);
  EXPECT_EQ(t.size(), 1u);
}

TEST(Throttle, ThresholdLetsEveryNthPass) {
  Throttle t = throttle(Track::source, ThrottleType::threshold, 3, 10);
  EXPECT_EQ(pattern(t, {0, 1, 2, 3, 4, 5, 6}), "..2..2.");
  // The window that began at 0 is over: the one since the last alert counts no more, but was
  // withheld.
  EXPECT_EQ(pattern(t, {10, 11, 12}), "..3");
}

TEST(Throttle, BothLetsOnePassAfterEnough) {
  Throttle t = throttle(Track::source, ThrottleType::both, 3, 10);
  EXPECT_EQ(pattern(t, {0, 1, 2, 3, 4}), "..2..");
  EXPECT_EQ(pattern(t, {10, 11}), "..");
  EXPECT_EQ(pattern(t, {20, 21, 22}), "..6");
}

TEST(Throttle, NoneLetsAllPassAndRemembersNothing) {
  Throttle t = throttle(Track::source, ThrottleType::none, 1, 10);
  EXPECT_EQ(pattern(t, {0, 0, 0}), "000");
  EXPECT_EQ(t.size(), 0u);
}

// How many of these four pass where one does for each key.
int keys(Track track, const std::vector<event::Finding>& findings) {
  Throttle t = throttle(track, ThrottleType::limit, 1, 60);
  int passed = 0;
  for (const event::Finding& f : findings) {
    passed += t.judge(kRule, 0, f).passes ? 1 : 0;
  }
  return passed;
}

TEST(Throttle, TracksWhatItIsTold) {
  const std::vector<event::Finding> all = {finding(0, 1, 8, 1000), finding(0, 1, 8, 1001),
                                           finding(0, 1, 9, 1000), finding(0, 2, 8, 1000),
                                           finding(0, 1, 8, 1000)};
  EXPECT_EQ(keys(Track::rule, all), 1);
  EXPECT_EQ(keys(Track::source, all), 2);
  EXPECT_EQ(keys(Track::destination, all), 2);
  EXPECT_EQ(keys(Track::both, all), 3);
  EXPECT_EQ(keys(Track::flow, all), 4);
}

TEST(Throttle, KeepsRulesVlansTunnelsAndFamiliesApart) {
  Throttle t = throttle(Track::source, ThrottleType::limit, 1, 60);
  event::Finding tagged = finding(0);
  tagged.vlan_count = 1;
  tagged.vlans[0] = 7;
  event::Finding other = tagged;
  other.vlans[0] = 8;
  event::Finding inside = finding(0);
  inside.tunnel.has_id = true;
  inside.tunnel.id = 7;
  event::Finding six = finding(0);
  six.source.ip.family = AddressFamily::ipv6;
  for (const event::Finding& f : {finding(0), tagged, other, inside, six}) {
    EXPECT_TRUE(t.judge(kRule, 0, f).passes);
    EXPECT_FALSE(t.judge(kRule, 0, f).passes);
    EXPECT_TRUE(t.judge(kOtherRule, 0, f).passes);
  }
  EXPECT_EQ(t.size(), 10u);
}

TEST(Throttle, TheRulesPolicyDecides) {
  Throttle t({{{"one", Track::source, ThrottleType::limit, 1, 60},
               {"three", Track::source, ThrottleType::limit, 3, 60}},
              64,
              1});
  int passed[2] = {};
  for (int i = 0; i < 5; ++i) {
    for (const std::size_t policy : {0u, 1u}) {
      passed[policy] += t.judge(policy, policy, finding(i)).passes ? 1 : 0;
    }
  }
  EXPECT_EQ(passed[0], 1);
  EXPECT_EQ(passed[1], 3);
  EXPECT_EQ(t.withheld(0), 4u);
  EXPECT_EQ(t.withheld(1), 2u);
}

TEST(Throttle, ClocksMayGoBack) {
  Throttle t = throttle(Track::source, ThrottleType::limit, 1, 10);
  EXPECT_EQ(pattern(t, {100, 95, 91}), "0..");
  EXPECT_EQ(pattern(t, {50, 51}), "2.");  // by more than a window: a new one
  event::Finding f = finding(0);
  f.time.ns = INT64_MIN;
  EXPECT_TRUE(t.judge(kRule, 0, f).passes);
  f.time.ns = INT64_MAX;
  EXPECT_TRUE(t.judge(kRule, 0, f).passes);
}

TEST(Throttle, MemoryIsBoundedAndWhatIsForgottenIsCounted) {
  constexpr std::uint32_t kSources = 10'000;
  Throttle t = throttle(Track::source, ThrottleType::limit, 1, 3600, 100);
  EXPECT_EQ(t.capacity(), 128u);
  std::uint64_t passed = 0;
  std::uint64_t told = 0;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t source = 0; source < kSources; ++source) {
      for (int repeat = 0; repeat < 2; ++repeat) {
        const auto verdict = t.judge(kRule, 0, finding(round, source));
        passed += verdict.passes ? 1 : 0;
        told += verdict.repeats;
      }
    }
  }
  EXPECT_EQ(t.size(), t.capacity());
  EXPECT_EQ(passed + t.withheld(0), 3 * 2 * kSources);
  // Every key is new when it comes again, so all pass and their repeats are withheld.
  EXPECT_EQ(t.withheld(0), 3 * kSources);
  EXPECT_EQ(t.evicted(), 3 * kSources - t.capacity());
  // Told, forgotten, or still waiting to be told: one each in what is remembered.
  EXPECT_EQ(t.withheld(0), told + t.untold() + t.size());
}

TEST(Throttle, WhatWasUsedLastStays) {
  Throttle t = throttle(Track::source, ThrottleType::limit, 1, 3600, 8);  // one set
  for (std::uint32_t source = 1; source <= 8; ++source) {
    EXPECT_TRUE(t.judge(kRule, 0, finding(source, source)).passes);
  }
  EXPECT_FALSE(t.judge(kRule, 0, finding(9, 1)).passes);
  EXPECT_TRUE(t.judge(kRule, 0, finding(10, 100)).passes);  // in the place of 2
  EXPECT_FALSE(t.judge(kRule, 0, finding(11, 1)).passes);
  EXPECT_TRUE(t.judge(kRule, 0, finding(12, 2)).passes);
  EXPECT_EQ(t.evicted(), 2u);
}

TEST(Throttle, RulesAreToldApartByTheirIds) {
  EXPECT_EQ(Throttle::rule_number("a-b"), Throttle::rule_number("a-b"));
  EXPECT_NE(Throttle::rule_number("a-b"), Throttle::rule_number("b-a"));
}

}  // namespace
}  // namespace imds::story
