// Rules that compare what only the story knows: candidates of the worker, verdicts of the story.
#include <algorithm>
#include <array>

#include "fixture.h"
#include "naive_evaluator.h"
#include "random_rules.h"

namespace imds::rules {
namespace {

using event::EventType;

event::Event at_endpoint(EventType type, std::string_view stage) {
  event::Event event = type == EventType::http_request ? request("/latest/x") : tcp_event(type);
  event.flow.endpoint = "aws";
  event.stage = stage;
  return event;
}

// With the logsource of the inspector's own events.
std::shared_ptr<const RuleSet> compile_own(const std::string& detection) {
  return compile(load(rule_yaml(detection, "product: imds-inspector")));
}

std::string error_of(const std::string& detection) {
  const auto set = RuleSet::compile(load(rule_yaml(detection)));
  return set ? "" : set.error().to_string();
}

TEST(StoryRules, TheWorkerAssumesAndTheStoryDecides) {
  const auto set = compile_own("s:\n  imds.stage: answered\ncondition: s");
  EXPECT_TRUE(set->info(0).in_story);
  EXPECT_TRUE(set->has_story_rules());
  Evaluator judge = evaluator(set);
  for (const EventType type : {EventType::connection, EventType::http_request, EventType::responder,
                               EventType::tcp_overlap_conflict}) {
    EXPECT_EQ(candidates(judge, at_endpoint(type, "answered")).count, 1) << name(type);
    EXPECT_EQ(candidates(judge, at_endpoint(type, "attempted")).count, 1) << name(type);
    EXPECT_EQ(hits(judge, at_endpoint(type, "answered")), std::vector<int>{0}) << name(type);
    EXPECT_EQ(hits(judge, at_endpoint(type, "attempted")), std::vector<int>{}) << name(type);
  }
}

// Ordinary traffic has no story: it costs no candidate and no parsed head.
TEST(StoryRules, OrdinaryEventsAreNoCandidates) {
  const auto set = compile_own("s:\n  imds.stage|contains: e\ncondition: s");
  EXPECT_FALSE(set->parses_every_head());
  EXPECT_TRUE(set->index(0).endpoint);
  Evaluator judge = evaluator(set);
  EXPECT_EQ(candidates(judge, request("/latest/x")).count, 0);
  EXPECT_EQ(candidates(judge, tcp_event(EventType::connection)).count, 0);
  // What proves by itself that it is a metadata service has a story anywhere.
  EXPECT_EQ(candidates(judge, tcp_event(EventType::token_issued)).count, 1);
  EXPECT_EQ(candidates(judge, tcp_event(EventType::credentials_delivered)).count, 1);
}

TEST(StoryRules, OtherRulesAreJudgedOnce) {
  const auto set = compile({"s:\n  url|contains: latest\ncondition: s"});
  EXPECT_FALSE(set->info(0).in_story);
  EXPECT_FALSE(set->has_story_rules());
  Evaluator judge = evaluator(set);
  EXPECT_FALSE(candidates(judge, request("/latest")).any_compared);
}

// Headers, both readings of a target, regular expressions: what a finding does not carry, the
// worker has compared.
TEST(StoryRules, OtherFieldsCountAsTheWorkerSawThem) {
  const auto set = compile(
      {"s:\n  imds.stage: answered\nh:\n  request_headers|contains: curl\ncondition: s and h",
       "s:\n  imds.stage: answered\nh:\n  request_headers|contains: wget\ncondition: s or h",
       "s:\n  imds.stage: answered\nh:\n  url|re: lat[e]st\ncondition: s and not h",
       "s:\n  imds.timeline|contains: token\nh:\n  url: /hidden\ncondition: not s and h"});
  Evaluator judge = evaluator(set);
  event::Event event = at_endpoint(EventType::http_request, "answered");
  event.http.target = {"/%68idden", "/hidden"};
  event.timeline = "attempted+0.000s answered+0.002s";
  EXPECT_EQ(hits(judge, event), (std::vector<int>{0, 1, 2, 3}));
  event.stage = "token";
  event.timeline = "answered+0.000s token+0.002s";
  EXPECT_EQ(hits(judge, event), std::vector<int>{});
  event.http.headers = "User-Agent: wget\n";
  EXPECT_EQ(hits(judge, event), std::vector<int>{1});
}

TEST(StoryRules, NoStoryIsAnAbsentField) {
  const auto set =
      compile({"s:\n  imds.stage: null\nu:\n  url|contains: latest\ncondition: s and u",
               "s:\n  imds.stage|exists: true\ncondition: s",
               "s:\n  imds.stage|exists: false\nu:\n  url|contains: latest\n"
               "condition: s and u",
               "s:\n  imds.stage: '*'\ncondition: s"});
  Evaluator judge = evaluator(set);
  EXPECT_EQ(hits(judge, request("/latest")), (std::vector<int>{0, 2}));
  EXPECT_EQ(hits(judge, at_endpoint(EventType::http_request, "token")), (std::vector<int>{1, 3}));
}

TEST(StoryRules, ANegationAloneMakesEveryHeadBeParsed) {
  const auto set = compile({"s:\n  imds.stage: token\ncondition: not s"});
  EXPECT_TRUE(set->parses_every_head());
  EXPECT_NE(set->index(0).unindexed_because.find("only the story knows"), std::string::npos);
}

TEST(StoryRules, WhatCannotBeJudgedIsRefused) {
  EXPECT_NE(error_of("s:\n  imds.stage|fieldref: url\ncondition: s").find("another field"),
            std::string::npos);
  EXPECT_NE(error_of("s:\n  url|fieldref: imds.timeline\ncondition: s").find("another field"),
            std::string::npos);
  std::string many = "s:\n  imds.stage: token\n  url|contains:\n";
  for (std::size_t i = 0; i <= kMaxComparedWithStory; ++i) {
    many += "    - word-" + std::to_string(i) + "\n";
  }
  const std::string error = error_of(many + "condition: s");
  EXPECT_NE(error.find("test.yml:1:1"), std::string::npos) << error;
  EXPECT_NE(error.find("at most 64"), std::string::npos) << error;
  EXPECT_FALSE(RuleSet::check(load(rule_yaml(many + "condition: s")).at(0)));
}

TEST(StoryRules, AMisspeltStageIsRefused) {
  const auto loaded = sigma::load_text(rule_yaml("s:\n  imds.stage: answer\ncondition: s"),
                                       "test.yml", event::FieldTable());
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().to_string().find("claimed, attempted, answered"), std::string::npos);
}

TEST(StoryRules, FiltersAreJudgedBeforeTheStoryIsKnown) {
  const std::string filter =
      "\n---\ntitle: Filter\nlogsource: {category: network}\nfilter:\n  rules: any\n"
      "  s: {imds.stage: token}\n  condition: s\n";
  const auto loaded = sigma::load_text(rule_yaml("u:\n  url: /x\ncondition: u") + filter,
                                       "test.yml", event::FieldTable());
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  const auto set = RuleSet::compile(loaded->rules, {}, loaded->filters);
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().to_string().find("a filter cannot compare"), std::string::npos);
}

TEST(StoryRules, ToldByDescribe) {
  const std::vector<std::string> said =
      compile_own("s:\n  imds.stage: token\ncondition: s")->describe_rule(0);
  EXPECT_TRUE(std::any_of(said.begin(), said.end(), [](const std::string& line) {
    return line.find("judged in the story") != std::string::npos;
  }));
}

// The worker's candidates, judged by the story, are what the whole rule says of the whole event:
// none is lost, and none is left that does not hold.
TEST(StoryRules, WorkerAndStoryTogetherAreTheRule) {
  std::size_t held = 0;
  std::size_t rejected = 0;
  std::size_t judged = 0;
  for (std::uint32_t seed = 5000; seed < 5000 + share_of(40); ++seed) {
    Generator generator(seed, 30);
    std::vector<sigma::Rule> rules;
    for (std::size_t i = 0; i < event::kMaxRulesPerFinding; ++i) {
      rules.push_back(generator.rule());
    }
    const auto set = compile(rules);
    Evaluator worker = evaluator(set);
    Evaluator story = evaluator(set);
    for (int i = 0; i < 48; ++i) {
      const EventType type =
          std::array{EventType::connection, EventType::http_request, EventType::responder,
                     EventType::credentials_delivered}[i % 4];
      const event::Event event = generator.event(type);
      const RuleHits found = candidates(worker, event);
      story.begin_story(event.stage, event.timeline, event.reached);
      std::vector<bool> holds(rules.size());
      for (std::uint16_t hit = 0; hit < found.count; ++hit) {
        const std::uint16_t rule = found.rules[hit];
        holds[rule] = !set->info(rule).in_story || story.holds_in_story(rule, found.compared[hit]);
        rejected += holds[rule] ? 0 : 1;
      }
      for (std::size_t r = 0; r < rules.size(); ++r) {
        ASSERT_EQ(holds[r], naive_holds(rules[r], event))
            << "seed " << seed << " event " << i << " rule " << r;
        held += holds[r] && set->info(r).in_story ? 1 : 0;
        judged += set->info(r).in_story ? 1 : 0;
      }
    }
  }
  // No verdict is rare, so that agreement means something.
  EXPECT_GT(judged, share_of(20'000));
  EXPECT_GT(held, judged / 10);
  EXPECT_GT(rejected, share_of(1000));
}

}  // namespace
}  // namespace imds::rules
