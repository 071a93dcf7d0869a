// What evaluate() finds in a parsed head, the cheap look at the raw head must not have missed:
// random heads through the real parser, random rules.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "fixture.h"
#include "http/sketch.h"
#include "parsed_request.h"
#include "random_rules.h"

namespace imds::rules {
namespace {

template <typename Items>
std::string_view pick(Generator& generator, const Items& items) {
  return items[generator.below(items.size())];
}

std::string random_target(Generator& generator) {
  constexpr std::array<std::string_view, 8> kHosts{
      "example.com",     "Example.COM:8080", "169.254.169.254", "user:pw@token.example",
      "[fd00:ec2::254]", "meta-data.",       "0xa9fea9fe",      "h:080"};
  std::string target;
  if (generator.chance(20)) {
    target += "http://" + std::string(pick(generator, kHosts));
  }
  target += generator.chance(90) ? "/" : "";
  target += generator.text(4);
  if (generator.chance(30)) {
    target += "?" + generator.text(3);
  }
  if (generator.chance(10)) {
    target += "#" + generator.text(2);
  }
  std::erase(target, '\n');
  return target;
}

std::string random_head(Generator& generator) {
  constexpr std::array<std::string_view, 5> kMethods{"GET", "PUT", "POST", "CONNECT", "token"};
  constexpr std::array<std::string_view, 6> kNames{"Host",    "User-Agent", "x-token",
                                                   "X-Other", "token",      "meta-data"};
  constexpr std::array<std::string_view, 6> kColons{": ", ": ", ": ", ":", ":\t ", " : "};
  constexpr std::array<std::string_view, 5> kEnds{"\r\n", "\r\n", "\r\n", "\n", " \r\n"};
  std::string head(pick(generator, kMethods));
  head += " " + random_target(generator) + " HTTP/1.1\r\n";
  const std::size_t count = generator.below(5);
  for (std::size_t i = 0; i < count; ++i) {
    head += pick(generator, kNames);
    head += pick(generator, kColons);
    head += generator.chance(20) ? "example.com" : generator.text(4);
    head += pick(generator, kEnds);
  }
  return head + "\r\n";
}

bool contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

TEST(Prefilter, MissesNothingThatMatches) {
  std::size_t passed_over = 0;
  ParsedRequest request;
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    Generator generator(seed);
    std::vector<sigma::Rule> rules;
    for (int i = 0; i < 6; ++i) {
      rules.push_back(generator.rule());
    }
    Evaluator judge = evaluator(compile(rules));
    const RuleSet& set = judge.rules();
    for (int i = 0; i < 400; ++i) {
      const std::string text = random_head(generator);
      event::Event event = generator.event(event::EventType::http_request);
      if (!request.parse(text, event)) {
        continue;
      }
      const bool disguised = http::has_disguise(bytes(text));
      const bool passed = judge.prefilter(bytes(text));
      passed_over += !passed && !disguised ? 1 : 0;
      for (const int rule : hits(judge, event)) {
        const RuleIndex& index = set.index(static_cast<std::size_t>(rule));
        if (!index.unindexed_because.empty()) {
          EXPECT_TRUE(set.parses_every_head());
          continue;
        }
        const bool by_flow = contains(index.destinations, event.flow.destination.ip) ||
                             contains(index.sources, event.flow.source.ip) ||
                             (index.endpoint && !event.flow.endpoint.empty());
        ASSERT_TRUE(by_flow || disguised || passed)
            << "seed " << seed << " head " << i << " rule " << rule << "\n"
            << escape_for_terminal(text) << "\n"
            << ::testing::PrintToString(index.literals);
      }
    }
  }
  EXPECT_GT(passed_over, 100u);
}

// Blanks around values are no hindrance to the literals, other than what else counts as disguise.
bool is_plain(std::string_view head) {
  return (http::sketch_request(bytes(head)).disguise & ~unsigned{http::kHeaderSpacing}) == 0;
}

TEST(Prefilter, MissesNoRuleMadeOfWhatTheHeadSays) {
  constexpr std::size_t kHeads = event::kMaxRulesPerFinding;
  std::size_t by_literal = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Generator generator(seed);
    std::vector<std::string> texts;
    std::vector<ParsedRequest> requests(kHeads);
    std::vector<event::Event> events;
    std::vector<sigma::Rule> rules;
    while (rules.size() < kHeads) {
      texts.push_back(random_head(generator));
      events.push_back(tcp_event(event::EventType::http_request));
      if (!is_plain(texts.back()) || !requests[rules.size()].parse(texts.back(), events.back())) {
        texts.pop_back();
        events.pop_back();
        continue;
      }
      rules.push_back(rule_from(generator, events.back()));
    }
    Evaluator judge = evaluator(compile(rules));
    for (std::size_t i = 0; i < kHeads; ++i) {
      const std::vector<int> found = hits(judge, events[i]);
      const std::string about = "seed " + std::to_string(seed) + " " +
                                escape_for_terminal(texts[i]) + "\n'" +
                                rules[i].selections[0].groups[0][0].values[0].pattern.to_string() +
                                "' /" + rules[i].selections[0].groups[0][0].values[0].regex + "/";
      ASSERT_EQ(std::count(found.begin(), found.end(), static_cast<int>(i)), 1) << about;
      if (judge.rules().index(i).literals.empty()) {
        continue;
      }
      ++by_literal;
      Evaluator alone = evaluator(compile(std::vector<sigma::Rule>{rules[i]}));
      ASSERT_TRUE(alone.prefilter(bytes(texts[i]))) << about;
    }
  }
  EXPECT_GT(by_literal, 150u);
}

}  // namespace
}  // namespace imds::rules
