// Prefixes as messages have them. Private to the room.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"

namespace imds::evidence {

// `bytes` are the address's first ones, the rest is zero; bits beyond `length` are cleared, as
// receivers do. `length` ≤ 32 or 128.
inline IpPrefix make_prefix(AddressFamily family, ByteSpan bytes, unsigned length) {
  IpPrefix prefix;
  prefix.address.family = family;
  const std::size_t most = family == AddressFamily::ipv4 ? 4 : 16;
  std::copy_n(bytes.begin(), std::min(bytes.size(), most), prefix.address.bytes.begin());
  prefix.length = static_cast<std::uint8_t>(length);
  for (std::size_t i = 0; i < most; ++i) {
    const unsigned kept = std::clamp<int>(static_cast<int>(length) - static_cast<int>(8 * i), 0, 8);
    prefix.address.bytes[i] &= static_cast<std::uint8_t>(0xff00u >> kept);
  }
  return prefix;
}

}  // namespace imds::evidence
