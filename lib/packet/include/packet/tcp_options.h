// Whether TCP options have the lengths they say. A pure function; reads nothing beyond its bytes.
#pragma once

#include <cstdint>

#include "base/cursor.h"

namespace imds::packet {

// The whole of it; the function below knows what is nearly always there.
[[nodiscard]] bool tcp_options_add_up_one_by_one(ByteSpan options);

// RFC 9293 3.1: kind, length including both, value; end-of-options and no-operation are one byte.
[[nodiscard]] inline bool tcp_options_add_up(ByteSpan options) {
  constexpr std::uint32_t kPaddedTimestamp = 0x0101080a;  // as nearly every segment carries
  if (options.empty() || (options.size() == 12 && load_be32(options.data()) == kPaddedTimestamp))
      [[likely]] {
    return true;
  }
  return tcp_options_add_up_one_by_one(options);
}

}  // namespace imds::packet
