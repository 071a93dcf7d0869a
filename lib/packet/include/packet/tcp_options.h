// Whether TCP options have the lengths they say. A pure function; reads nothing beyond its bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cursor.h"

namespace imds::packet {

// The whole of it; the function below knows what is nearly always there.
[[nodiscard]] bool tcp_options_add_up_one_by_one(ByteSpan options);

// Two no-operations and a time stamp (RFC 7323), as nearly every segment carries them.
[[nodiscard]] inline bool is_padded_timestamp(const std::uint8_t* options, std::size_t size) {
  constexpr std::uint32_t kPaddedTimestamp = 0x0101080a;
  return size == 12 && load_be32(options) == kPaddedTimestamp;
}

// RFC 9293 3.1: kind, length including both, value; end-of-options and no-operation are one byte.
[[nodiscard]] inline bool tcp_options_add_up(ByteSpan options) {
  if (options.empty() || is_padded_timestamp(options.data(), options.size())) [[likely]] {
    return true;
  }
  return tcp_options_add_up_one_by_one(options);
}

}  // namespace imds::packet
