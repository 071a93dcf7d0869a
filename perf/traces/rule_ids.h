// Ids of the shipped rules (conf/rules) that the ground truth is about: the bulletin's, which finds
// every request for metadata there is in a trace, and the one for conflicting data. Other rules
// alert on the same requests, by what is asked for.
#pragma once

#include <string_view>

namespace imds::traces {

inline constexpr std::string_view kAccessRule = "866049a2-f864-4ac3-8dbf-20bd71e33544";
inline constexpr std::string_view kConflictRule = "5f00de47-b907-442f-bc2d-773454ebe843";

[[nodiscard]] constexpr bool is_in_ground_truth(std::string_view rule_id) {
  return rule_id == kAccessRule || rule_id == kConflictRule;
}

}  // namespace imds::traces
