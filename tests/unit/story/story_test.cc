#include "story/story.h"

#include <array>
#include <cstring>
#include <set>
#include <thread>

#include "story_fixture.h"

namespace imds::story {
namespace {

TEST_F(StoryTest, OneAlertPerFindingAndRule) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add(0, {0, 1}, 5);
  EXPECT_EQ(story.poll(10), 1u);
  ASSERT_EQ(sink.records.size(), 2u);
  EXPECT_EQ(alert::view(sink.records[0].rule_id), "id-a");
  EXPECT_EQ(alert::view(sink.records[0].rule_name), "Rule A");
  EXPECT_EQ(sink.records[0].severity, 2);
  EXPECT_EQ(alert::view(sink.records[1].rule_id), "id-b");
  EXPECT_EQ(sink.records[1].severity, 5);
  EXPECT_EQ(sink.records[1].time_ns, 5);
  EXPECT_EQ(alert::view(sink.records[0].hostname), "sensor-1");
  EXPECT_EQ(alert::view(sink.records[0].interface_name), "tap0");
  EXPECT_NE(alert::id_text(sink.records[0]), alert::id_text(sink.records[1]));
}

TEST_F(StoryTest, PortWithoutANameHasNone) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add(2, {0});
  story.poll(1);
  EXPECT_EQ(alert::view(sink.records.at(0).interface_name), "");
}

TEST_F(StoryTest, WhatHappenedFirstIsTakenFirst) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  for (std::int64_t i = 0; i < 4; ++i) {
    add(0, {0}, 100 + 100 * i);
  }
  add(1, {0}, 250);
  add(2, {0}, 90);
  EXPECT_EQ(story.poll(4), 4u);
  std::vector<std::int64_t> order;
  for (const imds_alert_record& r : sink.records) {
    order.push_back(r.time_ns);
  }
  EXPECT_EQ(order, (std::vector<std::int64_t>{90, 100, 200, 250}));
  // A worker whose finding comes late is not waited for.
  EXPECT_EQ(story.poll(1), 1u);
  add(1, {0}, 260);
  EXPECT_EQ(story.poll(1), 1u);
  EXPECT_EQ(sink.records.back().time_ns, 260);
}

// Several findings at hand are looked at ahead of their turns: that changes nothing.
TEST_F(StoryTest, TakenTogetherTellsTheSameAsTakenOneByOne) {
  std::array<Recorder, 2> sinks;
  for (Recorder& sink : sinks) {
    const bool together = &sink == &sinks[0];
    Story story(options_, workers(), {&sink});
    for (std::int64_t i = 0; i < 200; ++i) {
      event::Finding* const finding = rings_[static_cast<std::size_t>(i) % 3]->reserve();
      ASSERT_NE(finding, nullptr);
      *finding = {};
      finding->time.ns = i * 1'000'000;
      finding->type = i % 7 == 6   ? event::EventType::address_claim
                      : i % 5 == 4 ? event::EventType::token_issued
                                   : event::EventType::http_request;
      finding->source.ip = IpAddress::v4(static_cast<std::uint32_t>(i * i % 11));
      finding->endpoint.assign(i % 4 == 3 ? "other" : "aws-imds-ipv4");
      finding->ruleset_generation = kGeneration;
      finding->rule_count = 1;
      rings_[static_cast<std::size_t>(i) % 3]->commit();
      if (!together || i % 20 == 19) {
        story.poll(100);
      }
    }
    story.poll(100);
  }
  ASSERT_EQ(sinks[0].records.size(), 200u);
  ASSERT_EQ(sinks[1].records.size(), 200u);
  std::set<std::uint8_t> reached;
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(std::memcmp(&sinks[0].records[i], &sinks[1].records[i], sizeof(imds_alert_record)), 0)
        << i;
    reached.insert(sinks[0].records[i].story.reached);
  }
  EXPECT_GT(reached.size(), 3u);
}

TEST_F(StoryTest, OneWorkersOrderIsKept) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  for (std::int64_t i = 0; i < 8; ++i) {
    add(1, {0}, i);
  }
  EXPECT_EQ(story.poll(100), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(sink.records[i].time_ns, static_cast<std::int64_t>(i));
  }
}

TEST_F(StoryTest, BudgetAndIdleness) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  EXPECT_EQ(story.poll(10), 0u);
  EXPECT_EQ(sink.ticks, 1);
  add(0, {0});
  add(0, {0});
  EXPECT_EQ(story.poll(1), 1u);
  EXPECT_EQ(story.poll(0), 0u);
  EXPECT_EQ(story.poll(10), 1u);
  EXPECT_EQ(sink.ticks, 4);
}

TEST_F(StoryTest, WithoutWorkersThereIsNothingToDo) {
  Recorder sink;
  Story story(options_, {}, {&sink});
  EXPECT_EQ(story.poll(10), 0u);
}

TEST_F(StoryTest, EverythingIsCounted) {
  Recorder all;
  Recorder full;
  full.accept = 2;
  Story story(options_, workers(), {&all, &full});
  add(0, {0, 1});
  add(1, {1});
  add(2, {1, 9});                      // no rule 9
  add(0, {0, 1}, 0, kGeneration + 1);  // no such generation
  add(1, {});
  story.poll(100);
  EXPECT_EQ(story.findings(), 5u);
  EXPECT_EQ(story.alerts(), 4u);
  EXPECT_EQ(story.unknown_rules(), 3u);
  EXPECT_EQ(alerts_of(story, "id-a"), 1u);
  EXPECT_EQ(alerts_of(story, "id-b"), 3u);
  EXPECT_EQ(story.alerts_of_severity(2), 1u);
  EXPECT_EQ(story.alerts_of_severity(5), 3u);
  EXPECT_EQ(story.alerts_of_severity(3), 0u);
  EXPECT_EQ(story.delivered(0), 4u);
  EXPECT_EQ(story.lost(0), 0u);
  EXPECT_EQ(story.delivered(1), 2u);
  EXPECT_EQ(story.lost(1), 2u);
  for (std::size_t sink : {0u, 1u}) {
    EXPECT_EQ(story.alerts(), story.delivered(sink) + story.lost(sink));
  }
}

TEST_F(StoryTest, TwoGenerationsAtOnce) {
  Recorder sink;
  options_.catalogs.push_back({kGeneration + 1, {{"id-c", "Rule C", "high", 4}}});
  Story story(options_, workers(), {&sink});
  add(0, {0}, 0, kGeneration + 1);
  add(0, {0}, 1, kGeneration);
  story.poll(10);
  EXPECT_EQ(alert::view(sink.records.at(0).rule_id), "id-c");
  EXPECT_EQ(alert::view(sink.records.at(1).rule_id), "id-a");
  EXPECT_EQ(alerts_of(story, "id-c"), 1u);
}

// What a rule has raised does not depend on how often it was loaded, or under which index.
TEST_F(StoryTest, RulesKeepTheirCountersOverGenerations) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add(0, {0});
  add(0, {1});
  story.poll(10);
  story.rules().add(
      {kGeneration + 1, {{"id-b", "Rule B", "critical", 5}, {"id-a", "Renamed", "low", 2}}});
  add(0, {0}, 0, kGeneration + 1);
  add(1, {1}, 0, kGeneration);
  story.poll(10);
  EXPECT_EQ(alerts_of(story, "id-b"), 3u);
  EXPECT_EQ(story.rules().totals().size(), 3u);
  story.rules().forget(kGeneration);
  EXPECT_EQ(story.rules().totals().size(), 2u);
  EXPECT_EQ(alerts_of(story, "id-b"), 3u);
  EXPECT_EQ(alerts_of(story, "id-a"), 0u);  // under another name it is another series
  add(0, {0}, 0, kGeneration + 1);
  add(0, {0}, 0, kGeneration);
  story.poll(10);
  EXPECT_EQ(story.unknown_rules(), 1u);
}

TEST_F(StoryTest, CorruptRuleCountIsBounded) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  event::Finding* f = rings_[0]->reserve();
  *f = {};
  f->ruleset_generation = kGeneration;
  f->rule_count = 0xffff;
  rings_[0]->commit();
  story.poll(1);
  EXPECT_EQ(story.alerts(), event::kMaxRulesPerFinding);
}

TEST_F(StoryTest, SecretsAreMaskedByTheConfiguredList) {
  Recorder sink;
  options_.redaction.query_parameters = {"ticket"};
  Story story(options_, workers(), {&sink});
  event::Finding* f = rings_[0]->reserve();
  *f = {};
  f->ruleset_generation = kGeneration;
  f->rule_count = 1;
  f->target.assign("/x?ticket=s3cret");
  rings_[0]->commit();
  story.poll(1);
  EXPECT_EQ(alert::view(sink.records.at(0).url_original), "/x?ticket=REDACTED");
}

// The thread takes everything the workers published before it was asked to stop.
TEST_F(StoryTest, RunDrainsBeforeItReturns) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  std::jthread thread([&](const std::stop_token& stop) { story.run(stop); });
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  for (int i = 0; i < 5000; ++i) {
    if (add(static_cast<std::size_t>(i % 3), {0, 1}, i)) {
      ++sent;
    } else {
      ++refused;  // a full ring is the worker's counted loss
      std::this_thread::yield();
    }
  }
  thread.request_stop();
  thread.join();
  EXPECT_EQ(story.findings(), sent);
  EXPECT_EQ(sent + refused, 5000u);
  EXPECT_EQ(story.alerts(), 2 * sent);
  EXPECT_EQ(sink.records.size(), 2 * sent);
}

class ThrottledStory : public StoryTest {
 protected:
  ThrottledStory() {
    Throttle::Options throttle;
    throttle.policies = {{"two", Track::source, ThrottleType::limit, 2, 60}};
    options_.throttle = throttle;
    options_.catalogs[0].policies = {0, kUnthrottled};
  }
};

TEST_F(ThrottledStory, WithholdsRepeatsAndSaysHowMany) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  for (std::int64_t i = 0; i < 5; ++i) {
    add(static_cast<std::size_t>(i % 3), {0, 1}, i);
    story.poll(1);
  }
  add(0, {0}, 60 * kNanosPerSecond);
  story.poll(10);
  std::vector<std::uint32_t> repeats;
  std::size_t unthrottled = 0;
  for (const imds_alert_record& r : sink.records) {
    if (alert::view(r.rule_id) == "id-a") {
      repeats.push_back(r.suppressed_repeats);
    } else {
      EXPECT_EQ(r.suppressed_repeats, 0u);
      ++unthrottled;
    }
  }
  EXPECT_EQ(repeats, (std::vector<std::uint32_t>{0, 0, 3}));
  EXPECT_EQ(unthrottled, 5u);
  EXPECT_EQ(story.alerts(), 8u);
  EXPECT_EQ(story.throttled(), 3u);
  EXPECT_EQ(total_of(story, "id-a").alerts, 3u);
  EXPECT_EQ(total_of(story, "id-a").throttled, 3u);
  EXPECT_EQ(total_of(story, "id-b").throttled, 0u);
  EXPECT_EQ(story.delivered(0), 8u);
  ASSERT_NE(story.throttle(), nullptr);
  EXPECT_EQ(story.throttle()->withheld(0), 3u);
}

// A window goes on over a reload that moves the rule to another index, and so do its counters.
TEST_F(ThrottledStory, ReloadBeginsNoNewWindow) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  const alert::RuleFacts rule = options_.catalogs[0].rules[0];
  add(0, {0});
  add(0, {0});
  add(0, {0});
  story.poll(10);
  story.rules().add({kGeneration + 1, {{"id-new", "New", "low", 2}, rule}, {kUnthrottled, 0}});
  add(0, {1}, 1, kGeneration + 1);
  story.poll(10);
  story.rules().forget(kGeneration);
  EXPECT_EQ(total_of(story, "id-a").alerts, 2u);
  EXPECT_EQ(total_of(story, "id-a").throttled, 2u);
  add(0, {1}, 60 * kNanosPerSecond, kGeneration + 1);
  story.poll(10);
  ASSERT_EQ(sink.records.size(), 3u);
  EXPECT_EQ(sink.records.back().suppressed_repeats, 2u);
}

TEST_F(ThrottledStory, TestRequestsAlwaysPassAndCountForNothing) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  for (int i = 0; i < 4; ++i) {
    event::Finding* f = rings_[0]->reserve();
    *f = {};
    f->is_test = true;
    f->ruleset_generation = kGeneration;
    f->rule_count = 1;
    rings_[0]->commit();
  }
  add(0, {0});
  add(0, {0});
  story.poll(10);
  EXPECT_EQ(story.alerts(), 6u);
  EXPECT_EQ(story.throttled(), 0u);
}

TEST_F(StoryTest, WithoutThrottleEverythingIsDelivered) {
  Recorder sink;
  options_.catalogs[0].policies = {0, 0};
  Story story(options_, workers(), {&sink});
  for (int i = 0; i < 8; ++i) {
    add(0, {0});
  }
  story.poll(10);
  EXPECT_EQ(story.alerts(), 8u);
  EXPECT_EQ(story.throttle(), nullptr);
}

}  // namespace
}  // namespace imds::story
