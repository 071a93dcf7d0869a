// Turns the configured prefixes into what the LPM tables hold: distinct prefixes, each with the
// class that is the union of every prefix covering it. Needs no EAL. Private to the room.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "classify/address_class.h"

namespace imds::classify {

struct PlannedPrefix {
  IpPrefix prefix;
  std::uint32_t class_id = 0;

  friend bool operator==(const PlannedPrefix&, const PlannedPrefix&) = default;
};

struct PrefixPlan {
  std::vector<AddressClass> classes;  // [0]: no prefix
  // Sorted, without /0; every prefix once.
  std::vector<PlannedPrefix> v4;
  std::vector<PlannedPrefix> v6;
  // Classes of 0.0.0.0/0 and ::/0.
  std::uint32_t default_v4 = 0;
  std::uint32_t default_v6 = 0;

  friend bool operator==(const PrefixPlan&, const PrefixPlan&) = default;
};

// Errors as Classifier::create(), kind config.
[[nodiscard]] Result<PrefixPlan> plan_prefixes(const Options& options);

// Second-level groups of 256 entries an LPM needs whose first level spans 24 bits.
[[nodiscard]] std::uint32_t count_tbl8_groups(std::span<const PlannedPrefix> prefixes);

}  // namespace imds::classify
