#include "detect/dns_lookups.h"

#include <algorithm>

namespace imds::detect {

namespace {

// Also if the clock was put back, or times are those of a strange capture.
bool is_over(std::int64_t since_ns, std::int64_t now_ns) {
  std::int64_t elapsed = 0;
  return __builtin_sub_overflow(now_ns, since_ns, &elapsed) || elapsed < 0 ||
         elapsed > DnsLookups::kRememberedNs;
}

}  // namespace

void DnsLookups::forget_told(std::uint64_t lookup, Timestamp now,
                             std::span<const std::uint16_t> identities, rules::RuleHits& hits) {
  if (hits.count == 0) {
    return;
  }
  Entry& entry = entries_[lookup % kEntries];
  if (entry.count == 0 || entry.lookup != lookup || is_over(entry.since_ns, now.ns)) {
    entry = {lookup, now.ns, 0, {}};
  }
  const auto known = entry.rules.begin() + entry.count;
  hits.keep_if([&](std::uint16_t rule) {
    return std::find(entry.rules.begin(), known, identities[rule]) == known;
  });
  for (std::uint16_t i = 0; i < hits.count && entry.count < kRules; ++i) {
    entry.rules[entry.count++] = identities[hits.rules[i]];
  }
}

}  // namespace imds::detect
