// What rules were told of DNS lookups lately, so that a rule alerts once for a query, its
// repetitions and its answer.
//
// Threads: one owner. All memory is taken at creation (64 KiB), and only lookups that some rule hit
// are remembered. A place that two lookups share belongs to the later one: then a rule may say
// something twice, never less.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"
#include "rules/evaluator.h"

namespace imds::detect {

class DnsLookups {
 public:
  // A resolver asks again for about as long.
  static constexpr std::int64_t kRememberedNs = 10 * kNanosPerSecond;

  DnsLookups() : entries_(kEntries) {}

  // Leaves in `hits` the rules that were not told of the lookup yet, and remembers them. `lookup`
  // is a keyed hash of its client, its server, its number and its name; `identities` are those of
  // the rules (Policy::rule_identities). More rules than find room are told again.
  void forget_told(std::uint64_t lookup, Timestamp now, std::span<const std::uint16_t> identities,
                   rules::RuleHits& hits);

 private:
  static constexpr std::size_t kEntries = 2048;
  static constexpr std::size_t kRules = 7;

  struct Entry {
    std::uint64_t lookup = 0;
    std::int64_t since_ns = 0;
    std::uint16_t count = 0;  // 0: free
    std::array<std::uint16_t, kRules> rules{};
  };

  std::vector<Entry> entries_;
};

}  // namespace imds::detect
