// What is wrong with configured suppressions, and which of them can never match.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "classify/address_class.h"

namespace imds::classify {

// Errors as SuppressionSet::create(), but for endpoints. `names` are those seen so far.
[[nodiscard]] Status check_suppression(const Suppression& suppression,
                                       std::set<std::string>& names);

// The first suppression in front of this one that covers all of it.
[[nodiscard]] std::optional<std::size_t> find_cover(const std::vector<Suppression>& all,
                                                    std::size_t index);

// Why it can never match, apart from others that cover it; empty if it can.
[[nodiscard]] std::string why_never(const Options& options, const Suppression& suppression);

}  // namespace imds::classify
