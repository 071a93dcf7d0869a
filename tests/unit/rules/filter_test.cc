// Filters: which hits they withhold, what they count, and what they leave alone.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fixture.h"
#include "naive_evaluator.h"
#include "random_rules.h"

namespace imds::rules {
namespace {

struct Judged {
  std::shared_ptr<const RuleSet> set;
  Evaluator evaluator;
};

Judged judge(const std::string& yaml) {
  Result<sigma::LoadedRules> loaded = sigma::load_text(yaml, "test.yml", event::FieldTable());
  EXPECT_TRUE(loaded) << loaded.error().to_string();
  auto set = RuleSet::compile(loaded->rules, {}, loaded->filters);
  EXPECT_TRUE(set) << set.error().to_string();
  return {*set, evaluator(*set)};
}

std::string rule(const std::string& name, const std::string& selection) {
  std::string yaml = rule_yaml("s: {" + selection + "}\ncondition: s");
  return "name: " + name + "\n" + yaml + "---\n";
}

std::string filter(const std::string& title, const std::string& section) {
  return "title: " + title + "\nlogsource: {category: network}\nfilter: {" + section + "}\n---\n";
}

const std::string kTwo = rule("meta", "url|contains: meta-data") + rule("any", "url: '*'");

TEST(Filters, WithholdHitsOfTheRulesTheyName) {
  Judged judged = judge(
      kTwo + filter("Known", "rules: [meta], s: {source.ip|cidr: 192.0.2.0/24}, condition: s"));
  EXPECT_EQ(hits(judged.evaluator, request("/latest/meta-data")), std::vector<int>{1});
  event::Event other = request("/latest/meta-data");
  other.flow.source.ip = address("203.0.113.1");
  EXPECT_EQ(hits(judged.evaluator, other), (std::vector<int>{0, 1}));
  EXPECT_EQ(judged.set->filter_count(), 1u);
  EXPECT_EQ(judged.set->filter_title(0), "Known");
  EXPECT_EQ(judged.evaluator.withheld(0), 1u);
}

TEST(Filters, BothWaysToWriteThemMeanTheSame) {
  for (const std::string condition : {"s", "not s"}) {
    Judged judged =
        judge(kTwo +
              filter("Known", "rules: any, s: {user_agent.original|startswith: curl}, condition: " +
                                  condition));
    EXPECT_EQ(hits(judged.evaluator, request("/latest/meta-data")), std::vector<int>{})
        << condition;
    event::Event other = request("/latest/meta-data");
    other.http.user_agent = "Mozilla";
    EXPECT_EQ(hits(judged.evaluator, other), (std::vector<int>{0, 1})) << condition;
    EXPECT_EQ(judged.evaluator.withheld(0), 2u) << condition;
  }
}

// A connection has no user agent, whatever the condition's form.
TEST(Filters, DoNotWithholdWhatLacksTheirField) {
  for (const std::string condition : {"s", "not s"}) {
    Judged judged = judge(rule("dst", "destination.ip: 198.51.100.20") +
                          filter("Known",
                                 "rules: dst, s: {user_agent.original|startswith: curl}, "
                                 "condition: " +
                                     condition));
    EXPECT_EQ(hits(judged.evaluator, tcp_event(event::EventType::connection)), std::vector<int>{0})
        << condition;
  }
}

TEST(Filters, AHitCountsForTheFirstThatHolds) {
  Judged judged =
      judge(kTwo + filter("Nobody", "rules: any, s: {source.ip: 203.0.113.9}, condition: s") +
            filter("First", "rules: [meta], s: {source.ip: 192.0.2.10}, condition: s") +
            filter("Second", "rules: any, s: {http.request.method: GET}, condition: s"));
  EXPECT_EQ(hits(judged.evaluator, request("/latest/meta-data")), std::vector<int>{});
  EXPECT_EQ(judged.evaluator.withheld(0), 0u);
  EXPECT_EQ(judged.evaluator.withheld(1), 1u);
  EXPECT_EQ(judged.evaluator.withheld(2), 1u);
}

// A rule needs no more parsing because of a filter, however little that one can be indexed.
TEST(Filters, LeaveTheIndexAlone) {
  Judged judged = judge(rule("meta", "url|contains: meta-data") +
                        filter("Odd",
                               "rules: any, s: {user_agent.original|exists: false}, t: "
                               "{destination.ip: 203.0.113.7}, condition: not s and not t"));
  EXPECT_FALSE(judged.set->parses_every_head());
  EXPECT_TRUE(judged.set->destination_prefixes().empty());
  EXPECT_EQ(judged.set->index(0).literals, std::vector<std::string>{"meta-data"});
  EXPECT_FALSE(judged.evaluator.prefilter(bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
}

TEST(Filters, WithholdRawMatches) {
  Judged judged =
      judge(kTwo + filter("Noise", "rules: any, s: {imds.raw|contains: harmless}, condition: s"));
  EXPECT_EQ(hits(judged.evaluator, raw_stream("..meta-data..")), std::vector<int>{0});
  EXPECT_EQ(hits(judged.evaluator, raw_stream("..meta-data.. harmless")), std::vector<int>{});
}

TEST(Filters, RandomOnesAgreeWithThePlainReading) {
  std::size_t withheld = 0;
  std::size_t left = 0;
  for (std::uint32_t seed = 1; seed <= share_of(24); ++seed) {
    Generator generator(seed);
    std::vector<sigma::Rule> rules;
    for (std::size_t i = 0; i < event::kMaxRulesPerFinding; ++i) {
      rules.push_back(generator.rule());
    }
    std::vector<sigma::Filter> filters(6);
    for (sigma::Filter& filter : filters) {
      filter.detection = generator.rule();
      filter.detection.events = ~0u;
      for (std::size_t r = 0; r < rules.size(); ++r) {
        if (generator.chance(30)) {
          filter.rules.push_back(r);
        }
      }
    }
    const auto set = RuleSet::compile(rules, {}, filters);
    ASSERT_TRUE(set) << set.error().to_string();
    Evaluator evaluate = evaluator(*set);
    for (int i = 0; i < 48; ++i) {
      const event::Event event = generator.event(i % 3 == 0 ? event::EventType::connection
                                                            : event::EventType::http_request);
      const std::vector<int> found = hits(evaluate, event);
      for (std::size_t r = 0; r < rules.size(); ++r) {
        bool expected = naive_holds(rules[r], event);
        for (const sigma::Filter& filter : filters) {
          const bool named =
              std::find(filter.rules.begin(), filter.rules.end(), r) != filter.rules.end();
          if (expected && named && naive_holds(filter.detection, event)) {
            expected = false;
            ++withheld;
          }
        }
        left += expected ? 1 : 0;
        ASSERT_EQ(std::find(found.begin(), found.end(), static_cast<int>(r)) != found.end(),
                  expected)
            << "seed " << seed << " event " << i << " rule " << r;
      }
    }
    std::uint64_t counted = 0;
    for (std::size_t f = 0; f < filters.size(); ++f) {
      counted += evaluate.withheld(f);
    }
    EXPECT_LE(counted, withheld);
  }
  EXPECT_GT(withheld, share_of(1000));
  EXPECT_GT(left, share_of(1000));
}

}  // namespace
}  // namespace imds::rules
