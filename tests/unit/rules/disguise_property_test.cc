// However a request is disguised: what evaluate() finds in it the prefilter has found as well, or
// the sketch has seen the disguise.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/text.h"
#include "disguises.h"
#include "fixture.h"
#include "http/sketch.h"
#include "parsed_request.h"

namespace imds::rules {
namespace {

std::vector<sigma::Rule> shipped_rules() {
  const auto fields = event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml");
  EXPECT_TRUE(fields);
  const std::filesystem::path folder = IMDS_CONF_DIR "/rules";
  auto loaded = sigma::load_paths(std::span(&folder, 1), *fields);
  EXPECT_TRUE(loaded);
  return std::move(loaded->rules);
}

// Every text that the rules look for.
std::vector<std::string> strings_of(const std::vector<sigma::Rule>& rules) {
  std::vector<std::string> out;
  for (const sigma::Rule& rule : rules) {
    for (const sigma::Selection& selection : rule.selections) {
      for (const auto& group : selection.groups) {
        for (const sigma::FieldMatch& match : group) {
          for (const sigma::Value& value : match.values) {
            for (const sigma::PatternToken& token : value.pattern.tokens) {
              if (token.kind == sigma::PatternToken::Kind::literal) {
                out.push_back(token.text);
              }
            }
          }
        }
      }
    }
  }
  return out;
}

bool contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

// What the parsed head hits was not passed over. Returns how many rules hit.
std::size_t check(Evaluator& judge, const std::string& text, bool& undisguised) {
  static ParsedRequest request;
  event::Event event = tcp_event(event::EventType::http_request);
  const http::RequestSketch sketch = http::sketch_request(bytes(text));
  const bool parsed = request.parse(text, event);
  EXPECT_EQ(parsed, sketch.valid) << escape_for_terminal(text);
  if (!parsed) {
    return 0;
  }
  undisguised = sketch.disguise == 0;
  const std::vector<int> found = hits(judge, event);
  const bool noticed = !undisguised || judge.prefilter(bytes(text));
  for (const int rule : found) {
    const RuleIndex& index = judge.rules().index(static_cast<std::size_t>(rule));
    const bool by_flow = contains(index.destinations, event.flow.destination.ip) ||
                         contains(index.sources, event.flow.source.ip);
    EXPECT_TRUE(noticed || by_flow) << escape_for_terminal(text) << "\n"
                                    << ::testing::PrintToString(index.literals);
  }
  return found.size();
}

TEST(Disguise, HidesNoStringOfTheShippedRules) {
  std::vector<sigma::Rule> rules = shipped_rules();
  const std::vector<std::string> strings = strings_of(rules);
  ASSERT_GE(strings.size(), 7u);
  for (sigma::Rule& rule : load(rule_yaml("selection:\n"
                                          "  url.domain: [169.254.169.254, 'fd00:ec2::254']\n"
                                          "condition: selection"))) {
    rules.push_back(std::move(rule));
  }
  Evaluator judge = evaluator(compile(rules));
  ASSERT_FALSE(judge.rules().parses_every_head());
  Generator generator(1);
  std::size_t found = 0;
  std::size_t found_plain = 0;
  std::size_t missed_plain = 0;
  constexpr std::size_t kHeads = 15000;
  for (std::size_t i = 0; i < kHeads; ++i) {
    const std::string text = strings[generator.below(strings.size())];
    const bool is_path = text.front() == '/';
    const std::string head =
        disguised_head(generator, is_path ? text + "/iam" : "/index", is_path ? "X-Token" : text);
    bool undisguised = false;
    const std::size_t rules_hit = check(judge, head, undisguised);
    ASSERT_FALSE(HasFailure());
    found += rules_hit > 0 ? 1 : 0;
    found_plain += undisguised && rules_hit > 0 ? 1 : 0;
    missed_plain += undisguised && rules_hit == 0 ? 1 : 0;
  }
  EXPECT_GT(found, kHeads / 2);
  EXPECT_GT(found_plain, kHeads / 20);
  EXPECT_GT(missed_plain, kHeads / 100);
}

TEST(Disguise, HidesNoStringOfRandomRules) {
  std::size_t found = 0;
  std::size_t found_plain = 0;
  for (std::uint32_t seed = 1; seed <= 25; ++seed) {
    Generator generator(seed);
    std::vector<sigma::Rule> rules;
    for (int i = 0; i < 60 && rules.size() < 12; ++i) {
      sigma::Rule rule = generator.rule();
      if (!compile(std::vector<sigma::Rule>{rule})->parses_every_head()) {
        rules.push_back(std::move(rule));
      }
    }
    Evaluator judge = evaluator(compile(rules));
    for (int i = 0; i < 400; ++i) {
      const std::string head =
          disguised_head(generator, "/" + generator.text(3), generator.text(1));
      bool undisguised = false;
      const std::size_t rules_hit = check(judge, head, undisguised);
      ASSERT_FALSE(HasFailure()) << "seed " << seed;
      found += rules_hit;
      found_plain += undisguised ? rules_hit : 0;
    }
  }
  EXPECT_GT(found, 100u);
  EXPECT_GT(found_plain, 5u);
}

// The rule says what the head says, after all disguise was undone.
TEST(Disguise, HidesNoStringItself) {
  std::size_t undisguised_heads = 0;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    Generator generator(seed);
    const std::string head =
        disguised_head(generator, "/latest/" + generator.text(2), "x-" + generator.text(1));
    ParsedRequest request;
    event::Event event = tcp_event(event::EventType::http_request);
    if (!request.parse(head, event)) {
      continue;
    }
    const std::vector<sigma::Rule> rules{rule_from(generator, event)};
    const auto set = compile(rules);
    if (set->parses_every_head()) {
      continue;
    }
    Evaluator judge = evaluator(set);
    bool undisguised = false;
    EXPECT_EQ(check(judge, head, undisguised), 1u) << escape_for_terminal(head);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    undisguised_heads += undisguised ? 1 : 0;
  }
  EXPECT_GT(undisguised_heads, 10u);
}

}  // namespace
}  // namespace imds::rules
