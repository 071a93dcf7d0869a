#include <algorithm>

#include "checks.h"
#include "names.h"
#include "schema.h"

namespace imds::config {
namespace {

constexpr std::size_t kMaxPolicies = 64;

std::string check_level(std::string_view text) {
  return std::find(kRuleLevelNames.begin(), kRuleLevelNames.end(), text) != kRuleLevelNames.end()
             ? ""
             : "expected one of informational, low, medium, high, critical";
}

void read_level(const Value& value, std::string& out) {
  value.text(out, check_level);
}

void read_policy(const Value& value, ThrottlePolicy& policy) {
  policy.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", policy.name, check_name)) {
      s.fail("a policy needs a name");
    }
    s.list("rule", policy.rule, kMaxListElements, read_rule_id);
    s.list("tag", policy.tag, kMaxListElements, read_tag);
    s.list("level", policy.level, kRuleLevelNames.size(), read_level);
    s.choice("track", policy.track);
    s.choice("type", policy.type);
    s.integer("count", policy.count, 1, 1'000'000'000);
    s.integer("seconds", policy.seconds, 1, 31 * 86400);
  });
}

}  // namespace

void read_throttle(Section& s, Throttle& throttle) {
  s.boolean("enabled", throttle.enabled);
  s.integer("entries", throttle.entries, 64, 1u << 24);
  s.list("policies", throttle.policies, kMaxPolicies, read_policy);
}

}  // namespace imds::config
