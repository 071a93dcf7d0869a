// Stages in alerts, and rules on them as the story judges them.
#include <string>

#include "event/fields.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "story_fixture.h"

namespace imds::story {
namespace {

using event::EventType;

// Rule 0 is an ordinary one; 1 is about answers, 2 about claims in the timeline.
constexpr std::string_view kRules = R"(
title: Any
id: 11111111-1111-4111-8111-111111111111
level: medium
logsource: {product: imds-inspector}
detection: {s: {imds.endpoint: aws}, condition: s}
---
title: Answered
id: 22222222-2222-4222-8222-222222222222
level: high
logsource: {product: imds-inspector}
detection: {s: {imds.stage: answered}, condition: s}
---
title: Claimed And Delivered
id: 33333333-3333-4333-8333-333333333333
level: critical
logsource: {product: imds-inspector}
detection: {s: {imds.stage: credentials, imds.timeline|contains: 'claimed+'}, condition: s}
)";

class StagedStory : public StoryTest {
 protected:
  StagedStory() {
    const auto loaded = sigma::load_text(kRules, "rules.yml", event::FieldTable());
    rules_ = rules::RuleSet::compile(loaded.value().rules).value();
    worker_.emplace(rules::Evaluator::create(rules_).value());
    options_.catalogs = {catalog(kGeneration)};
  }

  [[nodiscard]] RuleCatalog catalog(std::uint32_t generation) const {
    RuleCatalog out;
    out.generation = generation;
    for (std::size_t i = 0; i < rules_->size(); ++i) {
      const rules::RuleInfo& info = rules_->info(i);
      out.rules.push_back({info.id, info.title, info.level, info.severity});
    }
    out.story_rules = std::make_shared<rules::Evaluator>(rules::Evaluator::create(rules_).value());
    return out;
  }

  // As a worker would: judged without the story, copied with what was compared.
  void add_event(EventType type, std::int64_t time, std::string_view client = "10.0.0.1",
                 std::uint32_t generation = kGeneration, bool is_test = false) {
    event::Event event;
    event.type = type;
    event.time.ns = time;
    event.is_test = is_test;
    event.flow.source.ip = *IpAddress::parse(client);
    event.flow.destination.ip = *IpAddress::parse("169.254.169.254");
    event.flow.endpoint = "aws";
    if (type == EventType::responder) {
      event.evidence.answer = event::Answer::syn_ack;
    }
    if (type == EventType::credentials_delivered) {
      event.exchange.delivered = event::Delivered::credentials;
      event.exchange.access_key_id = "ASIAQNZGKIQY56JQ7WML";
      event.exchange.account = 29608264753;
      event.exchange.account_source = event::AccountSource::key_id;
    }
    if (type == EventType::credentials_used) {
      event.flow.destination.ip = *IpAddress::parse("203.0.113.7");
      event.server_name = "sts.amazonaws.com";
    }
    rules::RuleHits hits;
    worker_->evaluate(event, hits);
    event::Finding* finding = rings_[0]->reserve();
    ASSERT_NE(finding, nullptr);
    event::fill(*finding, event);
    finding->worker = 0;
    finding->rules_truncated = false;
    finding->ruleset_generation = generation;
    finding->rule_count = hits.count;
    finding->rules = hits.rules;
    finding->compared = hits.compared;
    if (type == EventType::credentials_used) {
      finding->endpoint.clear();  // it has none of its own
    }
    rings_[0]->commit();
  }
  // "Any attempted", …: the rule and the stage.
  static std::vector<std::string> told(const Recorder& sink) {
    std::vector<std::string> out;
    for (const imds_alert_record& record : sink.records) {
      const unsigned reached = record.story.reached;
      const std::string stage =
          reached == 0 ? "none"
                       : std::string(event::name(event::Timeline{record.story.reached}.furthest()));
      out.push_back(std::string(alert::view(record.rule_name)) + " " + stage);
    }
    return out;
  }
  static std::uint64_t accounted(const Story& story) {
    return story.alerts() + story.throttled() + story.correlated_only() + story.rejected() +
           story.unknown_rules();
  }

  std::shared_ptr<const rules::RuleSet> rules_;
  std::optional<rules::Evaluator> worker_;
};

using Told = std::vector<std::string>;

TEST_F(StagedStory, EveryAlertTellsTheStageAndRulesAreJudgedByIt) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_event(EventType::address_claim, 0, "10.0.0.66");
  add_event(EventType::connection, 1'000'000'000);
  add_event(EventType::responder, 1'001'000'000);
  add_event(EventType::token_issued, 2'000'000'000);
  add_event(EventType::credentials_delivered, 3'000'000'000);
  story.poll(10);
  EXPECT_EQ(told(sink),
            (Told{"Any claimed", "Any attempted", "Any answered", "Answered answered", "Any token",
                  "Any credentials", "Claimed And Delivered credentials"}));
  // Two rules were tried on each of five events.
  EXPECT_EQ(story.rejected(), 8u);
  EXPECT_EQ(accounted(story), 15u);
  const imds_alert_record& last = sink.records.back();
  EXPECT_EQ(last.story.reached, 0x1f);
  EXPECT_EQ(last.story.after_ms[0], 0u);
  EXPECT_EQ(last.story.after_ms[1], 1000u);
  EXPECT_EQ(last.story.after_ms[2], 1001u);
  EXPECT_EQ(last.story.after_ms[4], 3000u);
  EXPECT_TRUE(alert::is_valid(last));
}

// A finding that no rule hit moves the story and is no hit of any kind.
TEST_F(StagedStory, FindingsWithoutHitsMoveTheStory) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  event::Finding* finding = rings_[0]->reserve();
  *finding = {};
  finding->type = EventType::responder;
  finding->evidence.answer = event::Answer::syn_ack;
  finding->ruleset_generation = kGeneration;
  finding->source.ip = *IpAddress::parse("10.0.0.1");
  finding->endpoint.assign("aws");
  rings_[0]->commit();
  story.poll(1);
  EXPECT_EQ(accounted(story), 0u);
  EXPECT_EQ(story.findings(), 1u);
  add_event(EventType::http_request, 5);
  story.poll(1);
  EXPECT_EQ(told(sink), (Told{"Any answered", "Answered answered"}));
}

TEST_F(StagedStory, TestRequestsHaveNoStory) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_event(EventType::responder, 0, "10.0.0.1", kGeneration, true);
  add_event(EventType::connection, 1);
  story.poll(10);
  EXPECT_EQ(told(sink), (Told{"Any none", "Any attempted"}));
  EXPECT_EQ(story.rejected(), 4u);
  EXPECT_EQ(accounted(story), 6u);
}

// A worker looks at whom the story has named; by the time it hears of a use that may be over.
TEST_F(StagedStory, UsesAreTakenFromHoldersAndTellWhoseTheyAre) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  const auto add_use = [&](std::int64_t time) { add_event(EventType::credentials_used, time); };
  add_use(0);
  story.poll(10);
  EXPECT_EQ(told(sink), Told{});
  const std::uint64_t rejected = story.rejected();
  EXPECT_GE(rejected, 1u);
  add_event(EventType::credentials_delivered, 1);
  add_use(2);
  story.poll(10);
  EXPECT_EQ(told(sink), (Told{"Any credentials", "Any used"}));
  const imds_alert_record& use = sink.records.back();
  EXPECT_EQ(alert::view(use.endpoint), "aws");
  EXPECT_EQ(alert::view(use.url_domain), "sts.amazonaws.com");
  EXPECT_EQ(alert::view(use.exchange.access_key_id), "ASIAQNZGKIQY56JQ7WML");
  EXPECT_EQ(use.exchange.aws_account_id, 29608264753u);
  EXPECT_EQ(use.exchange.delivered, 0);
  EXPECT_EQ(use.story.reached, IMDS_ALERT_STAGE_CREDENTIALS | IMDS_ALERT_STAGE_USED);
  EXPECT_TRUE(alert::is_valid(use));
  EXPECT_EQ(accounted(story), story.alerts() + story.rejected());
}

// The story goes on over a reload; a finding is judged by the rules its worker had.
TEST_F(StagedStory, GoesOnOverAReload) {
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_event(EventType::connection, 0);
  story.poll(10);
  story.rules().add(catalog(kGeneration + 1));
  add_event(EventType::responder, 1, "10.0.0.1", kGeneration + 1);
  add_event(EventType::responder, 2, "10.0.0.1", kGeneration);
  story.poll(10);
  story.rules().forget(kGeneration);
  add_event(EventType::credentials_delivered, 3, "10.0.0.1", kGeneration + 1);
  story.poll(10);
  EXPECT_EQ(told(sink), (Told{"Any attempted", "Any answered", "Answered answered", "Any answered",
                              "Answered answered", "Any credentials"}));
  EXPECT_EQ(story.unknown_rules(), 0u);
}

// Correlations count what holds, not what might.
TEST_F(StagedStory, CorrelationsSeeOnlyWhatHolds) {
  RuleCatalog& catalog = options_.catalogs[0];
  CorrelationRule twice;
  twice.inputs.push_back({false, 1, {event::FieldId::source_ip}, {}});
  twice.least = 2;
  twice.timespan_ns = 60 * kNanosPerSecond;
  CorrelationRule of_all = twice;
  of_all.inputs[0].group_by = {event::FieldId::imds_endpoint};
  catalog.correlations = {twice, of_all};
  catalog.rules.push_back({"id-twice", "Twice", "high", 4});
  catalog.rules.push_back({"id-all", "Of All", "high", 4});
  catalog.correlated_only = {true, true, true};
  Recorder sink;
  Story story(options_, workers(), {&sink});
  add_event(EventType::connection, 0);
  add_event(EventType::connection, 1);
  add_event(EventType::responder, 2);
  story.poll(10);
  EXPECT_EQ(told(sink), Told{});
  add_event(EventType::http_response, 3);
  story.poll(10);
  // The stage is the client's: not told where the group is not one client's.
  EXPECT_EQ(told(sink), (Told{"Twice answered", "Of All none"}));
  EXPECT_EQ(story.correlations_completed(), 2u);
  EXPECT_EQ(story.correlated_only(), 6u);
  EXPECT_EQ(accounted(story), 12u + 2u);
}

// Without the evaluator nothing is taken for a candidate.
TEST_F(StagedStory, WithoutStoryRulesEveryHitCounts) {
  Recorder sink;
  options_.catalogs[0].story_rules.reset();
  Story story(options_, workers(), {&sink});
  add_event(EventType::connection, 0);
  story.poll(10);
  EXPECT_EQ(story.alerts(), 3u);
}

}  // namespace
}  // namespace imds::story
