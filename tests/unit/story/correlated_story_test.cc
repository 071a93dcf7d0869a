// Correlations as the story makes alerts of them, and over reloads.
#include <atomic>
#include <string>
#include <thread>

#include "story_fixture.h"

namespace imds::story {
namespace {

class CorrelatingStory : public StoryTest {
 protected:
  // Rule A counts to two per source, rule B alerts by itself as well.
  CorrelatingStory() {
    RuleCatalog& catalog = options_.catalogs[0];
    CorrelationRule twice;
    twice.inputs.push_back({false, 0, {event::FieldId::source_ip}, {}});
    twice.least = 2;
    twice.timespan_ns = 1000;
    twice.identity = "twice";
    catalog.correlations = {twice};
    catalog.rules.push_back({"id-twice", "Twice", "high", 4});
    catalog.correlated_only = {true, false};
  }

  void add_from(int source, std::vector<std::uint16_t> rules, std::int64_t time,
                std::uint32_t generation = kGeneration, bool is_test = false) {
    event::Finding* f = rings_[0]->reserve();
    *f = {};
    f->time.ns = time;
    f->is_test = is_test;
    f->type = event::EventType::http_request;
    f->ruleset_generation = generation;
    f->source.ip = IpAddress::v4(0x0a000000u + static_cast<std::uint32_t>(source));
    f->source.port = 4000;
    f->source.mac.bytes[5] = 1;
    f->destination.ip = IpAddress::v4(0xa9fea9feu);
    f->destination.port = 80;
    f->ip_protocol = 6;
    f->endpoint.assign("aws");
    f->target.assign("/latest");
    f->rule_count = static_cast<std::uint16_t>(rules.size());
    std::copy(rules.begin(), rules.end(), f->rules.begin());
    rings_[0]->commit();
  }
  static std::string ids(const Recorder& sink) {
    std::string out;
    for (const imds_alert_record& record : sink.records) {
      out += std::string(alert::view(record.rule_id)) + " ";
    }
    return out;
  }
};

TEST_F(CorrelatingStory, ACorrelationIsAnAlertOfItsOwn) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(2, {0}, 20);
  add_from(1, {0, 1}, 30);
  story.poll(10);
  EXPECT_EQ(ids(sink), "id-b id-twice ");
  const imds_alert_record& record = sink.records.at(1);
  EXPECT_EQ(alert::view(record.rule_name), "Twice");
  EXPECT_EQ(alert::view(record.rule_level), "high");
  EXPECT_EQ(record.severity, 4);
  EXPECT_EQ(record.time_ns, 30);
  EXPECT_EQ(alert::view(record.event), "correlation");
  EXPECT_TRUE(alert::is_valid(record));
  // Of the event that completed it, what the group has in common, and no more.
  EXPECT_EQ(alert::address_of(record.source).to_string(), "10.0.0.1");
  EXPECT_FALSE(alert::address_of(record.destination).is_set());
  EXPECT_EQ(record.source.port, 0);
  EXPECT_EQ(record.source.has_mac, 0);
  EXPECT_EQ(record.ip_protocol, 0);
  EXPECT_EQ(record.endpoint.length, 0);
  EXPECT_EQ(record.url_original.length, 0);
  EXPECT_EQ(record.community_id.length, 0);

  EXPECT_EQ(story.findings(), 3u);
  EXPECT_EQ(story.alerts(), 2u);
  EXPECT_EQ(story.correlated_only(), 3u);
  EXPECT_EQ(alerts_of(story, "id-twice"), 1u);
  // Four hits and one correlation.
  EXPECT_EQ(5u, story.alerts() + story.correlated_only() + story.unknown_rules());
}

TEST_F(CorrelatingStory, ItsIdIsMadeOfTheEventThatCompletedIt) {
  const auto id_of = [&](std::int64_t time, int source, std::vector<event::FieldId> group) {
    Recorder sink;
    options_.catalogs[0].correlations[0].inputs[0].group_by = std::move(group);
    Story story(options_, workers(), {&sink});
    add_from(source, {0}, 10);
    add_from(source, {0}, time);
    story.poll(10);
    return alert::id_text(sink.records.at(0));
  };
  using event::FieldId;
  const std::string id = id_of(30, 1, {FieldId::source_ip});
  EXPECT_EQ(id_of(30, 1, {FieldId::source_ip}), id);
  EXPECT_NE(id_of(31, 1, {FieldId::source_ip}), id);
  EXPECT_NE(id_of(30, 2, {FieldId::source_ip}), id);
  // Also where the group does not tell who it was.
  EXPECT_NE(id_of(30, 1, {FieldId::destination_ip}), id_of(30, 2, {FieldId::destination_ip}));
}

TEST_F(CorrelatingStory, GroupFieldsAreShown) {
  Recorder sink;
  using event::FieldId;
  options_.catalogs[0].correlations[0].inputs[0].group_by = {
      FieldId::source_ip,      FieldId::source_port,      FieldId::source_mac,
      FieldId::destination_ip, FieldId::destination_port, FieldId::url};
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(1, {0}, 20);
  story.poll(10);
  const imds_alert_record& record = sink.records.at(0);
  EXPECT_EQ(record.source.port, 4000);
  EXPECT_EQ(record.source.has_mac, 1);
  EXPECT_EQ(alert::address_of(record.destination).to_string(), "169.254.169.254");
  EXPECT_EQ(alert::view(record.endpoint), "aws");
  EXPECT_EQ(alert::view(record.url_original), "/latest");
  EXPECT_GT(record.community_id.length, 0);
  // Nothing of it stays behind in the next alert.
  add_from(1, {1}, 30);
  story.poll(10);
  EXPECT_EQ(alert::view(sink.records.at(1).event), "http_request");
}

TEST_F(CorrelatingStory, TestFindingsAlertAndDoNotCount) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(1, {0}, 20, kGeneration, true);
  story.poll(10);
  EXPECT_EQ(ids(sink), "id-a ");
}

TEST_F(CorrelatingStory, ACorrelationsIndexIsNoRuleOfAFinding) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_from(1, {2}, 10);
  story.poll(10);
  EXPECT_EQ(story.unknown_rules(), 1u);
  EXPECT_EQ(story.alerts(), 0u);
}

TEST_F(CorrelatingStory, AnotherGenerationGoesOnWhereThisOneIs) {
  Recorder sink;
  options_.catalogs.push_back(options_.catalogs[0]);
  options_.catalogs[1].generation = kGeneration + 1;
  options_.catalogs[1].rules[2].id = "id-new";
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(1, {0}, 20, kGeneration + 1);
  story.poll(10);
  EXPECT_EQ(ids(sink), "id-new ");
}

// As a reload does it; a correlation that means something else begins anew.
TEST_F(CorrelatingStory, UnchangedCorrelationsGoOnOverAReload) {
  Recorder sink;
  RuleCatalog next = options_.catalogs[0];
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  story.poll(10);
  next.generation = kGeneration + 1;
  std::swap(next.rules[0], next.rules[1]);  // rule A has another index now
  next.correlations[0].inputs[0].index = 1;
  next.correlated_only = {false, true};
  story.rules().add(next);
  add_from(1, {1}, 20, kGeneration + 1);
  story.poll(10);
  story.rules().forget(kGeneration);
  EXPECT_EQ(ids(sink), "id-twice ");
  EXPECT_EQ(alerts_of(story, "id-twice"), 1u);
  EXPECT_EQ(story.rules().latest()->correlator->counters(0).events.get(), 2u);

  add_from(2, {1}, 30, kGeneration + 1);
  story.poll(10);
  next.generation = kGeneration + 2;
  next.correlations[0].identity = "twice, but not as before";
  story.rules().add(next);
  story.rules().forget(kGeneration + 1);
  add_from(2, {1}, 40, kGeneration + 2);
  story.poll(10);
  EXPECT_EQ(ids(sink), "id-twice ");
  add_from(2, {1}, 50, kGeneration + 2);
  story.poll(10);
  EXPECT_EQ(ids(sink), "id-twice id-twice ");
  EXPECT_EQ(story.unknown_rules(), 0u);
}

// All together have what the configuration gives them, also after a reload that adds some.
TEST_F(CorrelatingStory, AnotherShareOfMemoryBeginsAnew) {
  Recorder sink;
  RuleCatalog next = options_.catalogs[0];
  Story story(options_, workers(), {&sink});
  const std::size_t capacity = story.rules().latest()->correlator->group_capacity(0);
  add_from(1, {0}, 10);
  story.poll(10);
  next.generation = kGeneration + 1;
  next.correlations.push_back(next.correlations[0]);
  next.correlations[1].identity = "another";
  next.rules.push_back({"id-other", "Other", "high", 4});
  story.rules().add(next);
  EXPECT_LT(story.rules().latest()->correlator->group_capacity(0), capacity);
  add_from(1, {0}, 20, kGeneration + 1);
  story.poll(10);
  EXPECT_EQ(ids(sink), "");
}

TEST_F(CorrelatingStory, WindowsAreJudgedAtTheEnd) {
  Recorder sink;
  options_.catalogs[0].correlations[0].most = 2;
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(1, {0}, 20);
  story.poll(10);
  EXPECT_EQ(ids(sink), "");
  story.finish();
  EXPECT_EQ(ids(sink), "id-twice ");
  EXPECT_EQ(sink.records.at(0).time_ns, 20);
  EXPECT_EQ(alert::address_of(sink.records.at(0).source).to_string(), "10.0.0.1");
}

// Without a finding that says how late it is, the clock does.
TEST_F(CorrelatingStory, TheClockEndsWindows) {
  Recorder sink;
  std::atomic<std::int64_t> now{0};
  options_.catalogs[0].correlations[0].most = 2;
  options_.clock = [&] { return Timestamp{now.load()}; };
  Story story(options_, workers(), {&sink});
  add_from(1, {0}, 10);
  add_from(1, {0}, 20);
  now = 3 * kNanosPerSecond;
  std::jthread thread([&](const std::stop_token& stop) { story.run(stop); });
  while (story.alerts() == 0) {
    std::this_thread::yield();
  }
  thread.request_stop();
  thread.join();
  EXPECT_EQ(ids(sink), "id-twice ");
}

}  // namespace
}  // namespace imds::story
