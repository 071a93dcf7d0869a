#include "story/story.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "alert/record.h"

namespace imds::story {
namespace {

constexpr std::uint32_t kGeneration = 7;

struct Recorder : AlertSink {
  bool deliver(const imds_alert_record& record) override {
    if (accept == 0) {
      return false;
    }
    --accept;
    records.push_back(record);
    return true;
  }
  void tick() override { ++ticks; }
  std::vector<imds_alert_record> records;
  std::size_t accept = SIZE_MAX;
  int ticks = 0;
};

class StoryTest : public testing::Test {
 protected:
  StoryTest() {
    for (int i = 0; i < 3; ++i) {
      rings_.push_back(std::make_unique<FindingRing>(8));
    }
    options_.catalogs = {
        {kGeneration, {{"id-a", "Rule A", "low", 2}, {"id-b", "Rule B", "critical", 5}}}};
    options_.hostname = "sensor-1";
    options_.interface_names = {"tap0", "tap1"};
  }

  std::vector<FindingRing*> workers() const {
    std::vector<FindingRing*> out;
    for (const auto& ring : rings_) {
      out.push_back(ring.get());
    }
    return out;
  }

  bool add(std::size_t worker, std::vector<std::uint16_t> rules, std::int64_t time = 0,
           std::uint32_t generation = kGeneration) {
    event::Finding* f = rings_[worker]->reserve();
    if (f == nullptr) {
      return false;
    }
    *f = {};
    f->time.ns = time;
    f->type = event::EventType::connection;
    f->worker = static_cast<std::uint8_t>(worker);
    f->ingress_port = static_cast<std::uint16_t>(worker);
    f->ruleset_generation = generation;
    f->rule_count = static_cast<std::uint16_t>(rules.size());
    std::copy(rules.begin(), rules.end(), f->rules.begin());
    rings_[worker]->commit();
    return true;
  }

  std::vector<std::unique_ptr<FindingRing>> rings_;
  Options options_;
};

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

TEST_F(StoryTest, WorkersTakeTurns) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  for (std::int64_t i = 0; i < 4; ++i) {
    add(0, {0}, 100 + i);
  }
  add(1, {0}, 200);
  add(2, {0}, 300);
  EXPECT_EQ(story.poll(4), 4u);
  std::vector<std::int64_t> order;
  for (const imds_alert_record& r : sink.records) {
    order.push_back(r.time_ns);
  }
  EXPECT_EQ(order, (std::vector<std::int64_t>{100, 200, 300, 101}));
  // The turn goes on where it was, whatever the budget.
  add(1, {0}, 201);
  EXPECT_EQ(story.poll(1), 1u);
  EXPECT_EQ(sink.records.back().time_ns, 201);
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
  EXPECT_EQ(story.alerts_of_rule(0, 0), 1u);
  EXPECT_EQ(story.alerts_of_rule(0, 1), 3u);
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
  EXPECT_EQ(story.alerts_of_rule(1, 0), 1u);
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

}  // namespace
}  // namespace imds::story
