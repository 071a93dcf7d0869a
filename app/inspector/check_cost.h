// What rules cost on ordinary traffic, measured on this machine over a few typical request heads.
// An estimate to compare rules by; perf/ measures packets.
//
// Threads: the caller's; takes some tens of milliseconds.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "rules/rule_set.h"
#include "sigma/rule.h"

namespace imds::inspector {

// Rules beyond this many that nothing indexes are not measured one by one.
inline constexpr std::size_t kMaxMeasuredRules = 100;

struct RuleCost {
  // Share of the heads, 0 to 1, that are parsed for this rule's sake; 1: unindexed.
  double heads_parsed = 0;
  // Of evaluating this rule alone on a parsed head; only for unindexed rules.
  std::optional<double> evaluate_ns;
};

struct RuleSetCost {
  double prefilter_ns = 0;      // per head, all rules
  double parse_ns = 0;          // per head that has to be parsed
  double evaluate_ns = 0;       // per parsed head, all rules
  double heads_parsed = 0;      // share of the heads, 0 to 1
  std::vector<RuleCost> rules;  // by index

  // Of an ordinary head.
  [[nodiscard]] double head_ns() const {
    return prefilter_ns + heads_parsed * (parse_ns + evaluate_ns);
  }
};

// `rules` are those `compiled` was made of. Error: no memory for matching.
[[nodiscard]] Result<RuleSetCost> measure_cost(
    const std::shared_ptr<const rules::RuleSet>& compiled, const std::vector<sigma::Rule>& rules);

}  // namespace imds::inspector
