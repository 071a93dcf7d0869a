// The numbers by which flows remember rules, over generations.
#include "detect/policy.h"

#include <set>

#include <gtest/gtest.h>

#include "event/fields.h"
#include "sigma/load.h"

namespace imds::detect {
namespace {

std::string rule(unsigned number) {
  std::string id = "00000000-0000-4000-8000-000000000000";
  const std::string digits = std::to_string(number);
  id.replace(id.size() - digits.size(), digits.size(), digits);
  return "---\ntitle: t\nid: " + id +
         "\nlevel: low\nlogsource: {category: network}\n"
         "detection:\n  it: {'url|contains': /p" +
         digits + "/}\n  condition: it\n";
}

Policy policy(std::uint32_t generation, const std::vector<unsigned>& rules,
              const Policy* former = nullptr) {
  std::string text;
  for (const unsigned number : rules) {
    text += rule(number);
  }
  rules::CompileOptions options;
  options.generation = generation;
  Policy made;
  made.rules = rules::RuleSet::compile(
                   sigma::load_text(text, "rules.yml", event::FieldTable()).value().rules, options)
                   .value();
  made.number_rules(former);
  return made;
}

TEST(PolicyNumbers, FollowTheRulesId) {
  const Policy first = policy(1, {1, 2, 3});
  const Policy second = policy(2, {3, 4, 1}, &first);
  EXPECT_EQ(second.rule_identities[0], first.rule_identities[2]);
  EXPECT_EQ(second.rule_identities[2], first.rule_identities[0]);
  const std::set<std::uint16_t> former(first.rule_identities.begin(), first.rule_identities.end());
  EXPECT_EQ(former.size(), 3u);
  EXPECT_EQ(former.count(second.rule_identities[1]), 0u) << "not even of a rule that is gone";
}

// However often rules come and go, two in force never have one number.
TEST(PolicyNumbers, StayDistinctWhenTheyComeRound) {
  Policy former = policy(1, {0, 1});
  former.next_identity = 65534;
  for (unsigned generation = 2; generation < 6; ++generation) {
    Policy next = policy(generation, {0, 2 * generation, 2 * generation + 1}, &former);
    const std::set<std::uint16_t> numbers(next.rule_identities.begin(), next.rule_identities.end());
    EXPECT_EQ(numbers.size(), 3u);
    EXPECT_EQ(next.rule_identities[0], former.rule_identities[0]);
    former = std::move(next);
  }
  EXPECT_LT(former.next_identity, 100u);
}

}  // namespace
}  // namespace imds::detect
