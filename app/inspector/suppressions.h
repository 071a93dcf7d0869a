// What shall not alert, and how alerts are throttled: from the configuration to the rooms that do
// it, and to people.
//
// Built on the control thread. Both depend on the rules in force, as they name rules by id and tag:
// make them anew with every ruleset.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "classify/suppression.h"
#include "config/config.h"
#include "rules/rule_set.h"
#include "story/throttle.h"

namespace imds::inspector {

// Endpoints, suppressions and the prefixes rules name. Suppressions have the configuration's order;
// on_premises, if configured, is the last.
[[nodiscard]] classify::Options classify_options(const config::Config& config,
                                                 const rules::RuleSet& rules);

[[nodiscard]] story::Throttle::Options throttle_options(const config::Throttle& throttle);
// For story::RuleCatalog::policies: by rule, the policy that applies.
[[nodiscard]] std::vector<std::uint8_t> throttle_policies(const config::Throttle& throttle,
                                                          const rules::RuleSet& rules);

// "suppress lab: source 10.0.0.0/8 vlan 5", one for each of the set.
[[nodiscard]] std::vector<std::string> describe_suppressions(const config::Config& config);
// "throttle repeats: limit 20 alerts in 3600 s for each source; all rules"
[[nodiscard]] std::vector<std::string> describe_throttle(const config::Throttle& throttle);

// Policies of no rule in force, and the like; as sentences.
[[nodiscard]] std::vector<std::string> throttle_warnings(const config::Throttle& throttle,
                                                         const rules::RuleSet& rules);

}  // namespace imds::inspector
