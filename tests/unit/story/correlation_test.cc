// Correlations over findings made by hand: counts of events and values, windows, and what bounds
// them.
#include "story/correlation.h"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "correlation_watcher.h"

namespace imds::story {
namespace {

TEST(EventCount, CompletesWithTheEventThatMakesItEnough) {
  Watcher watch({rule(Kind::event_count, 1, 10, 3)});
  EXPECT_EQ(watch.at(0), "");
  EXPECT_EQ(watch.at(4), "");
  EXPECT_EQ(watch.at(5, {1}), "");  // another rule
  EXPECT_EQ(watch.at(6), "0@6 ");
  EXPECT_EQ(watch.correlator.counters(0).events.get(), 3u);
  EXPECT_EQ(watch.correlator.counters(0).completed.get(), 1u);
}

TEST(EventCount, TheWindowSpansBothItsEnds) {
  Watcher exact({rule(Kind::event_count, 1, 10, 2)});
  exact.take(finding(5), {0});
  EXPECT_EQ(exact.take(finding(5 + 10 * kSecond), {0}), "0@10 ");
  Watcher beyond({rule(Kind::event_count, 1, 10, 2)});
  beyond.take(finding(5), {0});
  EXPECT_EQ(beyond.take(finding(6 + 10 * kSecond), {0}), "");
}

TEST(EventCount, TheWindowSlides) {
  Watcher watch({rule(Kind::event_count, 1, 10, 3)});
  EXPECT_EQ(joined({watch.at(0), watch.at(9), watch.at(11), watch.at(18)}), "0@18 ");
}

TEST(EventCount, OneAlertPerTimespanAndNoEventInTwo) {
  Watcher watch({rule(Kind::event_count, 1, 10, 3)});
  std::string all;
  for (int second = 0; second <= 40; ++second) {
    all += watch.at(second);
  }
  EXPECT_EQ(all, "0@2 0@13 0@24 0@35 ");
  EXPECT_EQ(joined({watch.at(60), watch.at(61), watch.at(62)}), "0@62 ");
}

TEST(EventCount, OneEventCountsOnceHoweverManyRulesItHits) {
  Watcher watch({rule(Kind::event_count, 2, 10, 2)});
  EXPECT_EQ(watch.at(0, {0, 1}), "");
  EXPECT_EQ(watch.at(1, {1}), "0@1 ");
}

TEST(EventCount, GroupsAreApart) {
  Watcher watch({rule(Kind::event_count, 1, 10, 2)});
  EXPECT_EQ(joined({watch.at(0, {0}, 1), watch.at(1, {0}, 2), watch.at(2, {0}, 3)}), "");
  EXPECT_EQ(watch.at(3, {0}, 2), "0@3 ");
  EXPECT_EQ(watch.correlator.counters(0).groups.get(), 3u);
}

TEST(EventCount, WithoutGroupByAllEventsAreOneGroup) {
  CorrelationRule all = rule(Kind::event_count, 1, 10, 2);
  all.inputs[0].group_by.clear();
  Watcher watch({all});
  EXPECT_EQ(joined({watch.at(0, {0}, 1), watch.at(1, {0}, 2)}), "0@1 ");
}

TEST(EventCount, AnEventWithoutAGroupFieldIsNotCounted) {
  CorrelationRule by_agent = rule(Kind::event_count, 1, 10, 2);
  by_agent.inputs[0].group_by.push_back(FieldId::user_agent);
  Watcher watch({by_agent});
  EXPECT_EQ(joined({watch.at(0), watch.at(1), watch.at(2)}), "");
  EXPECT_EQ(watch.correlator.counters(0).incomplete.get(), 3u);
  EXPECT_EQ(watch.correlator.counters(0).events.get(), 0u);
  event::Finding curl = finding(3 * kSecond);
  curl.user_agent.assign("curl");
  event::Finding wget = curl;
  wget.user_agent.assign("wget");
  EXPECT_EQ(joined({watch.take(curl, {0}), watch.take(wget, {0})}), "");
  EXPECT_EQ(watch.take(curl, {0}), "0@3 ");
}

// Values one after another are not the same as their joined text.
TEST(EventCount, GroupFieldsDoNotRunIntoEachOther) {
  CorrelationRule two = rule(Kind::event_count, 1, 10, 2);
  two.inputs[0].group_by = {FieldId::http_request_method, FieldId::user_agent};
  Watcher watch({two});
  event::Finding a = finding(0);
  a.method.assign("GET");
  a.user_agent.assign("curl");
  event::Finding b = finding(0);
  b.method.assign("GETc");
  b.user_agent.assign("url");
  EXPECT_EQ(joined({watch.take(a, {0}), watch.take(b, {0})}), "");
}

TEST(EventCount, EventsOutOfOrderStandWhereTheirTimeSays) {
  Watcher watch({rule(Kind::event_count, 1, 10, 3)});
  EXPECT_EQ(joined({watch.at(20), watch.at(5), watch.at(12)}), "");
  // 12, 15 and 20 are within ten seconds; 5 is not.
  EXPECT_EQ(watch.at(15), "0@15 ");
}

TEST(EventCount, SlidingAgreesWithCountingAnewEachTime) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const auto span = static_cast<std::int64_t>(1 + random() % 20);
    const std::uint64_t least = 1 + random() % 6;
    Watcher watch({rule(Kind::event_count, 1, span, least)});
    std::vector<std::int64_t> times;
    std::int64_t now = 0;
    std::int64_t last_alert = -1000;
    for (int i = 0; i < 200; ++i) {
      now += static_cast<std::int64_t>(random() % 8);
      times.push_back(now);
      const auto within = std::count_if(times.begin(), times.end(),
                                        [&](std::int64_t t) { return t >= now - span; });
      const bool expected = static_cast<std::uint64_t>(within) >= least && now - last_alert > span;
      last_alert = expected ? now : last_alert;
      ASSERT_EQ(!watch.at(now).empty(), expected) << "round " << round << " event " << i;
    }
  }
}

TEST(WholeWindow, IsJudgedWhenItIsOver) {
  Watcher watch({bounded(Kind::event_count, 1, 1, 2)});  // lte: 2
  EXPECT_EQ(joined({watch.at(0), watch.at(10)}), "");
  EXPECT_EQ(watch.advance(10), "");  // its end belongs to it
  EXPECT_EQ(watch.advance(11), "0@10 ");
  EXPECT_EQ(watch.advance(100), "");
}

TEST(WholeWindow, OneEventTooManyIsNoAlert) {
  Watcher watch({bounded(Kind::event_count, 1, 3, 3)});  // eq: 3
  watch.at(0);
  watch.at(1);
  watch.at(2);
  EXPECT_EQ(joined({watch.at(3), watch.at(20)}), "");
  watch.at(21);
  EXPECT_EQ(watch.at(22), "");
  // The window that began at 20 is over with any event, also of another rule and client.
  EXPECT_EQ(watch.at(31, {5}, 9), "0@22 ");
}

TEST(WholeWindow, TheNextEventBeginsTheNext) {
  Watcher watch({bounded(Kind::event_count, 1, 2, 2)});
  EXPECT_EQ(joined({watch.at(0), watch.at(9), watch.at(11)}), "0@9 ");
  EXPECT_EQ(joined({watch.at(12), watch.at(30)}), "0@12 ");
  EXPECT_EQ(watch.finish(), "");  // one event, from 30 on
}

TEST(WholeWindow, Range) {
  Watcher watch({bounded(Kind::event_count, 1, 3, 4)});  // gt: 2, lte: 4
  std::string all;
  for (int events = 1; events <= 6; ++events) {
    for (int i = 0; i < events; ++i) {
      all += watch.at(events * 100 + i);
    }
  }
  EXPECT_EQ(joined({all, watch.finish()}), "0@302 0@403 ");
}

TEST(WholeWindow, Unequal) {
  CorrelationRule not_two = rule(Kind::event_count, 1, 10, 1);
  not_two.never = 2;
  Watcher watch({not_two});
  std::string all = joined(
      {watch.at(0), watch.at(100), watch.at(101), watch.at(200), watch.at(201), watch.at(202)});
  EXPECT_EQ(joined({all, watch.finish()}), "0@0 0@202 ");
}

TEST(WholeWindow, WhatIsOpenAtTheEndIsJudgedAsItIs) {
  Watcher watch({bounded(Kind::event_count, 1, 2, 2)});
  watch.at(0, {0}, 1);
  watch.at(1, {0}, 2);
  watch.at(2, {0}, 2);
  EXPECT_EQ(watch.finish(), "0@2 ");
  EXPECT_EQ(watch.finish(), "");
  EXPECT_EQ(watch.correlator.counters(0).groups.get(), 0u);
}

TEST(WholeWindow, DifferentValues) {
  CorrelationRule few = bounded(Kind::value_count, 1, 1, 2);
  few.inputs[0].value = {FieldId::destination_ip};
  Watcher watch({few});
  for (int i = 0; i < 9; ++i) {
    watch.take(finding(i * kSecond, 1, 50 + i % 2), {0});  // two destinations
    watch.take(finding(i * kSecond, 2, 50 + i % 3), {0});  // three
  }
  EXPECT_EQ(watch.finish(), "0@8 ");
}

TEST(WholeWindow, RulesSeen) {
  Watcher watch({bounded(Kind::temporal, 3, 1, 1)});  // lt: 2, one rule alone
  EXPECT_EQ(joined({watch.at(0, {0}, 1), watch.at(1, {2}, 1), watch.at(2, {1}, 2)}), "");
  EXPECT_EQ(watch.finish(), "0@2 ");
}

CorrelationRule different_destinations(std::uint64_t least) {
  CorrelationRule out = rule(Kind::value_count, 1, 10, least);
  out.inputs[0].value = {FieldId::destination_ip};
  return out;
}

TEST(ValueCount, CountsDifferentValues) {
  Watcher watch({different_destinations(3)});
  const auto to = [&](std::int64_t second, int destination) {
    return watch.take(finding(second * kSecond, 1, destination), {0});
  };
  EXPECT_EQ(joined({to(0, 10), to(1, 10), to(2, 11), to(3, 10), to(4, 11)}), "");
  EXPECT_EQ(to(5, 12), "0@5 ");
}

TEST(ValueCount, AValueCountsFromWhenItWasLastSeen) {
  Watcher watch({different_destinations(3)});
  const auto to = [&](std::int64_t second, int destination) {
    return watch.take(finding(second * kSecond, 1, destination), {0});
  };
  EXPECT_EQ(joined({to(0, 10), to(5, 11), to(8, 10)}), "");
  EXPECT_EQ(to(15, 12), "0@15 ");  // 10 at 8, 11 at 5, 12 at 15: the edges belong to it
  Watcher other({different_destinations(3)});
  const auto late = [&](std::int64_t second, int destination) {
    return other.take(finding(second * kSecond, 1, destination), {0});
  };
  EXPECT_EQ(joined({late(0, 10), late(5, 11), late(16, 12)}), "");
}

TEST(ValueCount, AnEventWithoutTheValueIsNotCounted) {
  CorrelationRule agents = different_destinations(1);
  agents.inputs[0].value = {FieldId::user_agent};
  Watcher watch({agents});
  EXPECT_EQ(watch.at(0), "");
  EXPECT_EQ(watch.correlator.counters(0).incomplete.get(), 1u);
}

TEST(ValueCount, SlidingAgreesWithCountingAnewEachTime) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t least = 1 + random() % 5;
    Watcher watch({different_destinations(least)});
    std::vector<std::pair<std::int64_t, int>> all;
    std::int64_t now = 0;
    std::int64_t last_alert = -1000;
    for (int i = 0; i < 200; ++i) {
      now += static_cast<std::int64_t>(random() % 6);
      all.emplace_back(now, static_cast<int>(random() % 8));
      std::vector<int> values;
      for (const auto& [time, value] : all) {
        if (time >= now - 10) {
          values.push_back(value);
        }
      }
      std::sort(values.begin(), values.end());
      values.erase(std::unique(values.begin(), values.end()), values.end());
      const bool expected = values.size() >= least && now - last_alert > 10;
      last_alert = expected ? now : last_alert;
      ASSERT_EQ(!watch.take(finding(now * kSecond, 1, 100 + all.back().second), {0}).empty(),
                expected)
          << "round " << round << " event " << i;
    }
  }
}

TEST(Memory, GroupsUnusedForLongestAreGivenUpAndCounted) {
  Watcher watch({rule(Kind::event_count, 1, 1000, 2)}, 0);  // the least there can be
  const auto capacity = static_cast<int>(watch.correlator.group_capacity(0));
  EXPECT_EQ(capacity, 16);
  for (int i = 0; i < capacity; ++i) {
    EXPECT_EQ(watch.at(i, {0}, 100 + i), "");
  }
  EXPECT_EQ(watch.at(50, {0}, 100), "0@50 ");  // used again: now the newest
  EXPECT_EQ(watch.correlator.counters(0).groups_evicted.get(), 0u);
  EXPECT_EQ(watch.at(51, {0}, 999), "");
  EXPECT_EQ(watch.correlator.counters(0).groups_evicted.get(), 1u);
  EXPECT_EQ(watch.correlator.counters(0).groups.get(), 16u);
  EXPECT_EQ(watch.at(52, {0}, 101), "");       // was given up
  EXPECT_EQ(watch.at(53, {0}, 103), "0@53 ");  // was not
}

TEST(Memory, GivingUpAnExpiredGroupIsNoLoss) {
  Watcher watch({rule(Kind::event_count, 1, 10, 2)}, 0);
  for (int i = 0; i < 100; ++i) {
    watch.at(i * 20, {0}, 100 + i);
  }
  EXPECT_EQ(watch.correlator.counters(0).groups_evicted.get(), 0u);
  EXPECT_EQ(watch.correlator.counters(0).groups.get(), 16u);
}

TEST(Memory, OfWindowsTheFirstBegunIsGivenUp) {
  Watcher watch({bounded(Kind::event_count, 1, 1, 5)}, 0);
  for (int i = 0; i < 17; ++i) {
    watch.take(finding(i, 100 + i), {0});
  }
  EXPECT_EQ(watch.correlator.counters(0).groups_evicted.get(), 1u);
  const std::string all = watch.finish();
  EXPECT_EQ(std::count(all.begin(), all.end(), '@'), 16);
}

TEST(Memory, IsSharedOutAndDecidesHowManyGroupsThereAre) {
  const CorrelationRule small = rule(Kind::event_count, 1, 10, 10);
  const CorrelationRule large = rule(Kind::event_count, 1, 10, 10'000);
  Watcher watch({small, large}, 64 << 20);
  EXPECT_EQ(watch.correlator.group_capacity(0), Correlator::group_capacity(small, 32 << 20));
  EXPECT_GT(watch.correlator.group_capacity(0), 100'000u);
  EXPECT_GT(watch.correlator.group_capacity(1), 200u);
  EXPECT_LT(watch.correlator.group_capacity(1), 220u);
}

TEST(Memory, ManyGroupsComeAndGo) {
  Watcher watch({rule(Kind::event_count, 1, 5, 2)}, 1 << 14);
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    watch.at(i / 50, {0}, static_cast<int>(random() % 5000));
  }
  EXPECT_LE(watch.correlator.counters(0).groups.get(), watch.correlator.group_capacity(0));
  EXPECT_GT(watch.correlator.counters(0).groups_evicted.get(), 0u);
  EXPECT_EQ(watch.correlator.counters(0).events.get(), 200'000u);
}

TEST(Times, ThatAreNoTimesHarmNothing) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
  for (const Kind kind : {Kind::event_count, Kind::temporal, Kind::temporal_ordered}) {
    CorrelationRule two = rule(kind, 2, 10, 2);
    CorrelationRule whole = rule(Kind::event_count, 1, 10, 1);
    whole.most = 3;
    Watcher watch({two, whole});
    for (const std::int64_t time : {kHighest, kLowest, std::int64_t{0}, kLowest + 1, kHighest}) {
      watch.take(finding(time), {0});
      watch.take(finding(time), {1});
    }
    watch.finish();
  }
}

TEST(Reload, TheSameRuleGoesOnWithItsGroups) {
  CorrelationRule two = rule(Kind::event_count, 1, 10, 2);
  two.identity = "two";
  CorrelationRule other = two;
  other.identity = "other";
  Watcher before({two, other});
  before.at(0);
  Watcher after({other, two});
  after.correlator.adopt(before.correlator);
  EXPECT_EQ(after.at(1), "0@1 1@1 ");
  // A finding of the old rules that was still under way.
  EXPECT_EQ(before.at(2), "");
  EXPECT_EQ(after.correlator.counters(1).events.get(), 3u);
  Watcher changed({rule(Kind::event_count, 1, 10, 2)});
  changed.correlator.adopt(after.correlator);
  EXPECT_EQ(changed.at(2), "");
}

}  // namespace
}  // namespace imds::story
