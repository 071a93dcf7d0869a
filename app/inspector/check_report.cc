#include "check_report.h"

#include <cstdio>

#include "base/text.h"
#include "event/event.h"

namespace imds::inspector {

namespace {

std::string number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}
std::string nanoseconds(double value) {
  return number(value, "%.0f ns");
}
std::string percent(double share) {
  return number(100 * share, "%.0f %%");
}

std::string cost_text(const RuleCost& rule, const RuleSetCost& all) {
  if (rule.heads_parsed < 1) {
    return "cost: " + percent(rule.heads_parsed) + " of ordinary heads parsed for it";
  }
  return "cost: every head parsed (" + nanoseconds(all.parse_ns) + " each)" +
         (rule.evaluate_ns ? " and evaluated (" + nanoseconds(*rule.evaluate_ns) + ")"
                           : " and evaluated (not measured)");
}

}  // namespace

bool judges_requests(const rules::RuleInfo& info) {
  return info.awaits_answer || (info.events & event::bit(event::EventType::http_request)) != 0;
}

std::vector<std::string> rules_text(const Ruleset& ruleset, const RuleSetCost& cost) {
  const rules::RuleSet& rules = *ruleset.compiled;
  std::vector<std::string> lines;
  std::size_t unindexed = 0;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::vector<std::string> part = rules.describe_rule(i);
    lines.insert(lines.end(), part.begin(), part.end());
    if (judges_requests(rules.info(i))) {
      lines.push_back("  " + cost_text(cost.rules[i], cost));
      unindexed += cost.rules[i].heads_parsed < 1 ? 0 : 1;
    }
  }
  const std::vector<std::string> databases = rules.describe_databases();
  lines.insert(lines.end(), databases.begin(), databases.end());
  lines.push_back("measured on ordinary heads: prefilter " + nanoseconds(cost.prefilter_ns) + ", " +
                  percent(cost.heads_parsed) + " parsed (" + nanoseconds(cost.parse_ns) +
                  ") and evaluated (" + nanoseconds(cost.evaluate_ns) +
                  "): " + nanoseconds(cost.head_ns()) + " a head; " + std::to_string(unindexed) +
                  " rules unindexed");
  return lines;
}

}  // namespace imds::inspector
