#include "rules/raw_starts.h"

#include "base/text.h"

namespace imds::rules {

namespace {

std::array<std::uint8_t, 2> cases(std::uint8_t byte) {
  const auto lower = static_cast<std::uint8_t>(ascii_lower(static_cast<char>(byte)));
  const bool is_letter = lower >= 'a' && lower <= 'z';
  return {lower, is_letter ? static_cast<std::uint8_t>(lower - 'a' + 'A') : lower};
}

}  // namespace

void RawStarts::add(std::uint8_t first, std::uint8_t second) {
  for (const std::uint8_t a : cases(first)) {
    for (const std::uint8_t b : cases(second)) {
      const unsigned pair = unsigned{a} << 8 | b;
      pairs_[pair / 64] |= std::uint64_t{1} << (pair % 64);
    }
  }
}

}  // namespace imds::rules
