// Text of bounded size held in place: findings and alert records carry these, so that nothing on
// the way from packet to ring allocates. Assigning more than fits keeps the beginning and says so.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace imds {

template <std::size_t Capacity>
struct FixedText {
  static_assert(Capacity <= 0xffff);
  std::uint16_t length = 0;
  bool truncated = false;
  char data[Capacity];

  void assign(std::string_view text) {
    length = static_cast<std::uint16_t>(std::min(text.size(), Capacity));
    truncated = text.size() > Capacity;
    copy_bytes<Capacity>(data, text.data(), length);
  }
  void clear() {
    length = 0;
    truncated = false;
  }
  [[nodiscard]] bool empty() const { return length == 0; }
  [[nodiscard]] std::string_view view() const { return {data, length}; }
};

}  // namespace imds
