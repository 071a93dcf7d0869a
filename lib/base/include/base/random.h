// Numbers that nobody outside can guess, for keys of hashes over what comes from the wire.
//
// Threads: any. Reads the system's source of randomness: at the start, not per packet. Throws what
// std::random_device throws if there is none.
#pragma once

#include <cstdint>
#include <span>

#include "base/siphash.h"

namespace imds {

void fill_random(std::span<std::uint64_t> words);

[[nodiscard]] inline SipKey random_key() {
  SipKey key;
  fill_random(key);
  return key;
}

}  // namespace imds
