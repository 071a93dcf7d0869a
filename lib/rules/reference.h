// Comparing what two fields of one event say (modifier fieldref).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sigma/rule.h"

namespace imds::rules {

// Longest text looked for within another; a longer one stands in nothing.
inline constexpr std::size_t kMaxReferenceBytes = 4096;

class Comparer {
 public:
  Comparer() : resume_(kMaxReferenceBytes) {}

  // Whether `text` equals, contains, begins or ends with `other`, as `operation` says, in ASCII
  // case if `cased`. Never allocates; linear in both.
  [[nodiscard]] bool compare(std::string_view text, sigma::Operation operation,
                             std::string_view other, bool cased);

 private:
  [[nodiscard]] bool contains(std::string_view text, std::string_view other, bool cased);

  std::vector<std::uint16_t> resume_;  // Knuth, Morris and Pratt's table
};

}  // namespace imds::rules
