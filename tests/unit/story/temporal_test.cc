// Correlations of several rules over findings made by hand: together, one after another, under
// aliases, and of each other.
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "correlation_watcher.h"
#include "story/correlation.h"

namespace imds::story {
namespace {

TEST(Temporal, NeedsAllRulesInAnyOrder) {
  Watcher watch({rule(Kind::temporal, 3, 10, 3)});
  EXPECT_EQ(joined({watch.at(0, {2}), watch.at(1, {0}), watch.at(2, {0})}), "");
  EXPECT_EQ(watch.at(10, {1}), "0@10 ");
}

TEST(Temporal, ExpiresAtTheEdge) {
  Watcher watch({rule(Kind::temporal, 2, 10, 2)});
  watch.take(finding(0), {0});
  EXPECT_EQ(watch.take(finding(10 * kSecond + 1), {1}), "");
  EXPECT_EQ(watch.take(finding(20 * kSecond + 1), {0}), "0@20 ");
}

TEST(Temporal, OneEventCanBeSeveralRules) {
  Watcher watch({rule(Kind::temporal, 2, 10, 2)});
  EXPECT_EQ(watch.at(0, {0, 1}), "0@0 ");
}

TEST(Temporal, SomeOfTheRules) {
  Watcher watch({rule(Kind::temporal, 3, 10, 2)});
  EXPECT_EQ(joined({watch.at(0, {1}), watch.at(1, {1})}), "");
  EXPECT_EQ(watch.at(2, {2}), "0@2 ");
}

CorrelationRule sequence(std::size_t steps, std::int64_t seconds = 10) {
  return rule(Kind::temporal_ordered, steps, seconds, steps);
}

TEST(TemporalOrdered, NeedsTheOrder) {
  Watcher watch({sequence(3)});
  EXPECT_EQ(joined({watch.at(0, {0}), watch.at(1, {2}), watch.at(2, {1})}), "");
  EXPECT_EQ(watch.at(3, {2}), "0@3 ");
  Watcher backwards({sequence(3)});
  EXPECT_EQ(joined({backwards.at(0, {2}), backwards.at(1, {1}), backwards.at(2, {0})}), "");
}

TEST(TemporalOrdered, ExpiresAtTheEdge) {
  Watcher exact({sequence(2)});
  exact.take(finding(7), {0});
  EXPECT_EQ(exact.take(finding(7 + 10 * kSecond), {1}), "0@10 ");
  Watcher beyond({sequence(2)});
  beyond.take(finding(7), {0});
  EXPECT_EQ(beyond.take(finding(8 + 10 * kSecond), {1}), "");
}

TEST(TemporalOrdered, TheLatestBeginningCounts) {
  Watcher watch({sequence(3)});
  // The first 0 is too old for the end, the second is not; the 1 between them needs the first.
  EXPECT_EQ(joined({watch.at(0, {0}), watch.at(1, {1}), watch.at(5, {0})}), "");
  EXPECT_EQ(watch.at(12, {2}), "");
  EXPECT_EQ(joined({watch.at(13, {1}), watch.at(14, {2})}), "0@14 ");
}

TEST(TemporalOrdered, ManyRepetitionsPushNothingOut) {
  Watcher watch({sequence(3, 1000)});
  watch.at(0, {0});
  watch.at(1, {1});
  for (int i = 2; i < 100; ++i) {
    EXPECT_EQ(watch.at(i, {0}), "");
  }
  EXPECT_EQ(watch.at(100, {2}), "0@100 ");
}

TEST(TemporalOrdered, OneEventIsOneStep) {
  Watcher watch({sequence(2)});
  EXPECT_EQ(watch.at(0, {0, 1}), "");
  EXPECT_EQ(watch.at(1, {0, 1}), "0@1 ");
}

TEST(TemporalOrdered, OfOneTimeStampTheOrderOfArrivalCounts) {
  Watcher in_order({sequence(2)});
  EXPECT_EQ(joined({in_order.at(5, {0}), in_order.at(5, {1})}), "0@5 ");
  Watcher reversed({sequence(2)});
  EXPECT_EQ(joined({reversed.at(5, {1}), reversed.at(5, {0})}), "");
}

// Another worker was a moment slower.
TEST(TemporalOrdered, AStepThatComesLateStandsWhereItsTimeSays) {
  Watcher first({sequence(3)});
  EXPECT_EQ(joined({first.at(1, {1}), first.at(2, {2})}), "");
  EXPECT_EQ(first.at(0, {0}), "0@0 ");
  Watcher middle({sequence(3)});
  EXPECT_EQ(joined({middle.at(0, {0}), middle.at(2, {2})}), "");
  EXPECT_EQ(middle.at(1, {1}), "0@1 ");
  Watcher not_before({sequence(2)});
  EXPECT_EQ(joined({not_before.at(1, {1}), not_before.at(2, {0})}), "");
}

TEST(TemporalOrdered, AgreesWithTryingAllSequences) {
  std::mt19937 random(3);
  std::size_t completed = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t steps = 1 + random() % 4;
    const auto span = static_cast<std::int64_t>(2 + random() % 15);
    Watcher watch({sequence(steps, span)});
    std::vector<std::pair<std::int64_t, std::size_t>> all;
    std::int64_t now = 0;
    std::int64_t last_alert = -1000;
    for (int i = 0; i < 100; ++i) {
      now += 1 + static_cast<std::int64_t>(random() % 4);
      all.emplace_back(now, random() % steps);
      // From the end backwards, always the latest that fits, is the shortest sequence.
      bool expected = all.back().second == steps - 1;
      std::size_t at = all.size() - 1;
      for (std::size_t step = steps - 1; expected && step-- > 0;) {
        while (at > 0 && all[at - 1].second != step) {
          --at;
        }
        expected = at > 0;
        at -= expected ? 1 : 0;
      }
      expected = expected && all[at].first >= now - span && now - last_alert > span;
      last_alert = expected ? now : last_alert;
      completed += expected ? 1 : 0;
      ASSERT_EQ(!watch.at(now, {static_cast<std::uint16_t>(all.back().second)}).empty(), expected)
          << "round " << round << " event " << i;
    }
  }
  EXPECT_GT(completed, 300u);
}

TEST(Aliases, GiveEachRuleItsField) {
  CorrelationRule same_host = sequence(2);
  same_host.inputs[0].group_by = {FieldId::destination_ip};
  same_host.inputs[1].group_by = {FieldId::source_ip};
  Watcher watch({same_host});
  // 7 is spoken to, then speaks.
  EXPECT_EQ(watch.take(finding(0, 1, 7), {0}), "");
  EXPECT_EQ(watch.take(finding(kSecond, 1, 7), {1}), "");
  EXPECT_EQ(watch.take(finding(2 * kSecond, 7, 9), {1}), "0@2 ");
}

TEST(Aliases, OneEventCanBelongToTwoGroups) {
  CorrelationRule either = rule(Kind::event_count, 2, 10, 2);
  either.inputs[1].group_by = {FieldId::destination_ip};
  Watcher watch({either});
  EXPECT_EQ(watch.take(finding(0, 1, 2), {0, 1}), "");
  EXPECT_EQ(watch.take(finding(kSecond, 2, 1), {0, 1}), "0@1 0@1 ");
}

TEST(Chains, ACompletedCorrelationIsAnEvent) {
  CorrelationRule many = rule(Kind::event_count, 1, 10, 3);
  many.alerts = false;
  CorrelationRule then = rule(Kind::temporal_ordered, 2, 60, 2);
  then.inputs[0] = {true, 0, {FieldId::source_ip}, {}};
  then.inputs[1] = {false, 1, {FieldId::source_ip}, {}};
  Watcher watch({many, then});
  EXPECT_EQ(joined({watch.at(0, {1}), watch.at(1), watch.at(2), watch.at(3)}), "");
  EXPECT_EQ(watch.at(30, {1}), "1@30 ");
  EXPECT_EQ(watch.correlator.counters(0).completed.get(), 1u);
}

TEST(Chains, BothAlertIfBothAreTo) {
  CorrelationRule outer = rule(Kind::event_count, 1, 10, 1);
  outer.inputs[0] = {true, 0, {}, {}};
  CorrelationRule outermost = outer;
  outermost.inputs[0].index = 1;
  Watcher watch({rule(Kind::event_count, 1, 10, 2), outer, outermost});
  EXPECT_EQ(watch.at(0), "");
  EXPECT_EQ(watch.at(1), "0@1 1@1 2@1 ");
}

TEST(Chains, TheEndOfAWindowIsAnEventToo) {
  CorrelationRule outer = rule(Kind::temporal, 2, 60, 2);
  outer.inputs[0] = {true, 0, {FieldId::source_ip}, {}};
  outer.inputs[1] = {false, 1, {FieldId::source_ip}, {}};
  CorrelationRule outermost = bounded(Kind::event_count, 1, 1, 1);
  outermost.inputs[0] = {true, 1, {FieldId::source_ip}, {}};
  Watcher watch({bounded(Kind::event_count, 1, 2, 2), outer, outermost});
  EXPECT_EQ(joined({watch.at(0), watch.at(1), watch.at(5, {1})}), "");
  EXPECT_EQ(watch.advance(11), "0@1 1@1 ");
  EXPECT_EQ(watch.finish(), "2@1 ");
}

}  // namespace
}  // namespace imds::story
