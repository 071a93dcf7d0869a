// The compiled rules against the naive evaluator, on random rules and random events.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "fixture.h"
#include "naive_evaluator.h"
#include "random_rules.h"

namespace imds::rules {
namespace {

constexpr std::size_t kMinLiteral = CompileOptions{}.min_literal_bytes;

std::string show(const sigma::Rule& rule) {
  std::string out;
  for (const sigma::Selection& selection : rule.selections) {
    for (const auto& group : selection.groups) {
      for (const sigma::FieldMatch& match : group) {
        out += (match.field ? match.name + match.header : "keyword") + " " +
               std::string(sigma::name(match.operation)) + (match.all ? "|all" : "") +
               (match.cased ? "|cased" : "") + (match.negated ? "|neq" : "");
        for (const sigma::Value& value : match.values) {
          out += value.kind == sigma::Value::Kind::pattern
                     ? " '" + escape_for_terminal(value.pattern.to_string()) + "'"
                 : value.kind == sigma::Value::Kind::regex
                     ? " /" + value.regex + "/" + std::to_string(match.regex_options)
                     : " (" + std::to_string(static_cast<int>(value.kind)) + ")";
        }
        out += "; ";
      }
      out += "| ";
    }
    out += "\n";
  }
  return out;
}

bool is_hit(const std::vector<int>& found, std::size_t rule) {
  return std::find(found.begin(), found.end(), static_cast<int>(rule)) != found.end();
}

TEST(Differential, RandomRulesOnRandomEvents) {
  using event::EventType;
  std::size_t pairs = 0;
  std::size_t held = 0;
  for (std::uint32_t seed = 1; seed <= share_of(52); ++seed) {
    Generator generator(seed);
    std::vector<sigma::Rule> rules;
    for (std::size_t i = 0; i < event::kMaxRulesPerFinding; ++i) {
      rules.push_back(generator.rule());
    }
    Evaluator judge = evaluator(compile(rules));
    for (int i = 0; i < 64; ++i) {
      const EventType type = std::array{EventType::connection, EventType::http_request,
                                        EventType::http_request, EventType::token_issued}[i % 4];
      const event::Event event = generator.event(type);
      const std::vector<int> found = hits(judge, event);
      for (std::size_t r = 0; r < rules.size(); ++r) {
        const bool expected = naive_holds(rules[r], event);
        ASSERT_EQ(is_hit(found, r), expected)
            << "seed " << seed << " event " << i << " rule " << r << "\n"
            << show(rules[r]);
        ++pairs;
        held += expected ? 1 : 0;
      }
    }
  }
  EXPECT_GE(pairs, share_of(100'000));
  // Neither verdict is rare, so that agreement means something.
  EXPECT_GT(held, pairs / 10);
  EXPECT_LT(held, pairs - pairs / 10);
}

// A rule may alert on raw_match only where its condition holds, and must where it holds thanks to a
// string long enough to be looked for.
TEST(Differential, RawMatchesNeedAStringOfTheRule) {
  const Hidden long_strings = [](const sigma::FieldMatch& match, const sigma::Value& value) {
    const bool on_stream = !match.field || match.field == event::FieldId::url ||
                           match.field == event::FieldId::request_headers ||
                           match.field == event::FieldId::raw;
    return on_stream &&
           std::any_of(value.pattern.tokens.begin(), value.pattern.tokens.end(),
                       [](const auto& token) { return token.text.size() >= kMinLiteral; });
  };
  std::size_t owed = 0;
  for (std::uint32_t seed = 1000; seed < 1000 + share_of(96); ++seed) {
    Generator generator(seed);
    std::vector<sigma::Rule> rules;
    for (std::size_t i = 0; i < event::kMaxRulesPerFinding; ++i) {
      rules.push_back(generator.rule());
    }
    Evaluator judge = evaluator(compile(rules));
    for (int i = 0; i < 64; ++i) {
      const event::Event event = generator.event(event::EventType::raw_match);
      const std::vector<int> found = hits(judge, event);
      const bool passed = judge.prefilter_raw(bytes(event.raw));
      for (std::size_t r = 0; r < rules.size(); ++r) {
        const bool holds = naive_holds(rules[r], event);
        const bool by_string = holds && !naive_holds(rules[r], event, long_strings);
        owed += by_string ? 1 : 0;
        if (is_hit(found, r)) {
          ASSERT_TRUE(holds) << "seed " << seed << " event " << i << "\n" << show(rules[r]);
          ASSERT_TRUE(passed) << "seed " << seed << " event " << i << "\n" << show(rules[r]);
        }
        ASSERT_TRUE(!by_string || is_hit(found, r)) << "seed " << seed << " event " << i << "\n"
                                                    << show(rules[r]);
      }
    }
  }
  EXPECT_GT(owed, share_of(20));
}

}  // namespace
}  // namespace imds::rules
