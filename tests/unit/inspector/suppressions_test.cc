// Suppressions and throttle policies meet the rules in force; what --check says of them.
#include "suppressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"
#include "event/fields.h"
#include "sigma/load.h"
#include "story/story.h"

namespace imds::inspector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kRules = R"(
title: A
id: 11111111-1111-4111-8111-111111111111
level: medium
tags: [attack.t1552.005, attack.credential-access]
logsource: {category: network}
detection: {path: {url|contains: /latest/meta-data}, condition: path}
---
title: B
id: 22222222-2222-4222-8222-222222222222
level: high
tags: [attack.t1552.005]
logsource: {product: imds-inspector}
detection: {odd: {imds.event: tcp_overlap_conflict}, condition: odd}
)";

std::shared_ptr<const rules::RuleSet> rules_of(const char* text) {
  const auto loaded = sigma::load_text(text, "rules.yml", event::FieldTable());
  if (!loaded) {
    throw std::runtime_error(loaded.error().to_string());
  }
  return rules::RuleSet::compile(loaded->rules).value();
}

config::Config parsed(const std::string& text) {
  auto config = config::parse(text, "f.yaml");
  if (!config) {
    throw std::runtime_error(config.error().to_string());
  }
  return std::move(*config);
}

class Suppressions : public ::testing::Test {
 protected:
  classify::Suppression one(const std::string& criteria) {
    const config::Config config = parsed("suppress: [{name: s, " + criteria + "}]\n");
    return classify_options(config, *rules_).suppressions.at(0);
  }
  std::string never(const std::string& criteria) {
    const config::Config config = parsed("suppress: [{name: s, " + criteria + "}]\n");
    return classify::SuppressionSet::create(classify_options(config, *rules_))
        .value()
        .never_because(0);
  }
  std::shared_ptr<const rules::RuleSet> rules_ = rules_of(kRules);
};

TEST_F(Suppressions, SelectRulesByIdAndTag) {
  EXPECT_FALSE(one("vlan: [1]").by_rule);
  EXPECT_THAT(one("tag: [attack.T1552.005]").rules, ElementsAre(0, 1));
  EXPECT_THAT(one("tag: [attack.credential-access]").rules, ElementsAre(0));
  EXPECT_THAT(one("rule: [22222222-2222-4222-8222-222222222222]").rules, ElementsAre(1));
  EXPECT_THAT(one("rule: [22222222-2222-4222-8222-222222222222], tag: [attack.t1552.005]").rules,
              ElementsAre(1));
  EXPECT_TRUE(one("tag: [attack.t1552.005]").by_rule);
}

TEST_F(Suppressions, OfRulesThatAreNotThereNeverMatch) {
  EXPECT_EQ(never("tag: [attack.t1552.005]"), "");
  EXPECT_EQ(never("tag: [attack.t1]"), "no rule in force has its tag");
  EXPECT_EQ(never("rule: [33333333-3333-4333-8333-333333333333]"), "no rule in force has its id");
  EXPECT_EQ(never("rule: [22222222-2222-4222-8222-222222222222], tag: [attack.credential-access]"),
            "no rule in force has both its id and its tag");
  EXPECT_TRUE(one("tag: [attack.t1]").by_rule);
  EXPECT_THAT(one("tag: [attack.t1]").rules, IsEmpty());
}

TEST_F(Suppressions, ByAUserAgentThatTheirRulesNeverSeeNeverMatch) {
  EXPECT_EQ(never("user_agent: [curl/*], source: [10.0.0.0/8]"), "");
  EXPECT_EQ(never("user_agent: [curl/*], tag: [attack.t1552.005]"), "");
  EXPECT_EQ(never("user_agent: [curl/*], rule: [22222222-2222-4222-8222-222222222222]"),
            "its rules alert on no request, and nothing else has a user agent");
}

TEST_F(Suppressions, ThatEndedNeverMatchAgain) {
  EXPECT_THAT(never("vlan: [1], until: 2020-01-31"), HasSubstr("it ended at 2020-02-01T00:00:00"));
  EXPECT_EQ(never("vlan: [1], until: 2199-01-31"), "");
}

TEST_F(Suppressions, OnPremisesIsTheLastOfThem) {
  const config::Config config =
      parsed("on_premises: [10.0.0.0/8, \"fd00::/8\"]\nsuppress: [{name: a, vlan: [1]}]\n");
  const classify::Options options = classify_options(config, *rules_);
  ASSERT_EQ(options.suppressions.size(), 2u);
  EXPECT_EQ(options.suppressions[1].name, "outside-on-premises");
  EXPECT_TRUE(options.suppressions[1].outside);
  EXPECT_EQ(options.suppressions[1].sources.size(), 2u);
  EXPECT_THAT(describe_suppressions(config),
              ElementsAre("suppress a: vlan 1",
                          "suppress outside-on-premises: source in none of 10.0.0.0/8, fd00::/8"));
}

TEST_F(Suppressions, AreShownWhole) {
  const config::Config config = parsed(R"(suppress:
  - {name: s, source: [10.0.0.0/8], destination: [192.0.2.0/24], outer: [10.0.0.7], vlan: [1-9,
     untagged], endpoint: [aws-imds-ipv4], rule: [11111111-1111-4111-8111-111111111111],
     tag: [a.b, c.d], user_agent: ["a\\b*"], responder: [02-00-00-00-00-01, 192.0.2.7],
     from: 2026-01-01, until: 2026-01-31, daily: ["22:00-06:30"]}
)");
  EXPECT_THAT(
      describe_suppressions(config),
      ElementsAre("suppress s: source 10.0.0.0/8 destination 192.0.2.0/24 outer 10.0.0.7/32 vlan "
                  "1-9, untagged endpoint aws-imds-ipv4 rule 11111111-1111-4111-8111-111111111111 "
                  "tag a.b, c.d user_agent a\\\\b* responder 02:00:00:00:00:01, 192.0.2.7/32 "
                  "from 2026-01-01T00:00:00.000000Z until 2026-02-01T00:00:00.000000Z daily "
                  "22:00-06:30"));
}

config::Throttle throttle(const std::string& policies) {
  return parsed("alerts: {throttle: {policies: " + policies + "}}\n").alerts.throttle;
}

TEST_F(Suppressions, TheFirstPolicyThatAppliesThrottlesARule) {
  const auto policies = [&](const std::string& text) {
    return throttle_policies(throttle(text), *rules_);
  };
  EXPECT_THAT(policies("[{name: all}]"), ElementsAre(0, 0));
  EXPECT_THAT(policies("[]"), ElementsAre(story::kUnthrottled, story::kUnthrottled));
  EXPECT_THAT(policies("[{name: a, level: [high, critical]}, {name: b}]"), ElementsAre(1, 0));
  EXPECT_THAT(policies("[{name: a, level: [high], tag: [attack.credential-access]}]"),
              ElementsAre(story::kUnthrottled, story::kUnthrottled));
  EXPECT_THAT(policies("[{name: a, rule: [11111111-1111-4111-8111-111111111111]}]"),
              ElementsAre(0, story::kUnthrottled));
}

TEST_F(Suppressions, PoliciesAreShownAndQuestioned) {
  const config::Throttle t = throttle(
      "[{name: a, level: [high], track: flow, type: both, count: 3, seconds: 9}, {name: b, level: "
      "[high]}, {name: c, type: none}]");
  EXPECT_THAT(
      describe_throttle(t),
      ElementsAre("throttle a: both 3 in 9 s by flow level high",
                  "throttle b: limit 20 in 3600 s by source level high", "throttle c: none"));
  EXPECT_THAT(throttle_warnings(t, *rules_), ElementsAre(HasSubstr("\"b\" applies to no rule")));
  config::Throttle off = t;
  off.enabled = false;
  EXPECT_THAT(describe_throttle(off), ElementsAre("throttle: off"));
  EXPECT_THAT(throttle_warnings(off, *rules_), IsEmpty());
}

TEST_F(Suppressions, ThrottleOptionsAreTheConfigurations) {
  const story::Throttle::Options options =
      throttle_options(throttle("[{name: a, track: both, type: threshold, count: 3, seconds: 9}]"));
  ASSERT_EQ(options.policies.size(), 1u);
  EXPECT_EQ(options.policies[0].track, story::Track::both);
  EXPECT_EQ(options.policies[0].type, story::ThrottleType::threshold);
  EXPECT_EQ(options.policies[0].count, 3u);
  EXPECT_EQ(options.policies[0].seconds, 9u);
  EXPECT_EQ(options.entries, 65536u);
}

}  // namespace
}  // namespace imds::inspector
