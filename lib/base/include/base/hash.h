// CRC-32C hashing for tables keyed by wire fields. Needs SSE 4.2, which x86-64-v2 includes.
// Not for anything an attacker must not be able to collide without a bounded cost: every table
// that uses it is bounded and never chains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nmmintrin.h>

namespace imds {

[[nodiscard]] inline std::uint32_t crc32c_u64(std::uint32_t seed, std::uint64_t value) {
  return static_cast<std::uint32_t>(_mm_crc32_u64(seed, value));
}

[[nodiscard]] inline std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  while (size >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    seed = crc32c_u64(seed, word);
    p += 8;
    size -= 8;
  }
  while (size > 0) {
    seed = _mm_crc32_u8(seed, *p++);
    --size;
  }
  return seed;
}

// Spreads a CRC over all bits (the finaliser of MurmurHash3, 32 bit).
[[nodiscard]] inline std::uint32_t mix32(std::uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  return h;
}

}  // namespace imds
