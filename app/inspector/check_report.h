// What `--check` says of the rules: which events each listens to, how it is indexed, what it costs,
// and everything that is refused or skipped.
#pragma once

#include <string>
#include <vector>

#include "check_cost.h"
#include "settings.h"

namespace imds::inspector {

// Whether it can alert on an HTTP request, so that there is an index to tell of.
[[nodiscard]] bool judges_requests(const rules::RuleInfo& info);

// For people, a line each.
[[nodiscard]] std::vector<std::string> rules_text(const Ruleset& ruleset, const RuleSetCost& cost);

// One JSON document; its keys are a contract, see docs/sigma.md.
[[nodiscard]] std::string check_json(const Settings& settings, const Ruleset& ruleset,
                                     const RuleSetCost& cost);

}  // namespace imds::inspector
