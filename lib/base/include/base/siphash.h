// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): a
// hash whose collisions cannot be made by who does not know the secret. What comes from the wire
// decides what is hashed here.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace imds {

using SipKey = std::array<std::uint64_t, 2>;
using SipHash = std::array<std::uint64_t, 2>;

namespace detail {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
};

}  // namespace detail

// The hash of 64-bit words that come one by one. What is added has to tell where it ends: of two
// values, the words of neither may be those of the other and more.
class SipWords {
 public:
  explicit SipWords(const SipKey& key)
      : state_{key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xeeu,
               key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u} {}
  void add(std::uint64_t word) { state_.absorb(word); }
  // Once.
  [[nodiscard]] SipHash finish() {
    state_.v2 ^= 0xee;
    state_.rounds(4);
    SipHash out;
    out[0] = state_.v0 ^ state_.v1 ^ state_.v2 ^ state_.v3;
    state_.v1 ^= 0xdd;
    state_.rounds(4);
    out[1] = state_.v0 ^ state_.v1 ^ state_.v2 ^ state_.v3;
    return out;
  }

 private:
  detail::SipState state_;
};

[[nodiscard]] inline SipHash siphash128(const SipKey& key, std::span<const std::uint8_t> bytes) {
  SipWords words(key);
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, &bytes[at], sizeof word);
    words.add(word);
  }
  std::uint64_t last = std::uint64_t{bytes.size()} << 56;
  if (at < bytes.size()) {
    std::memcpy(&last, &bytes[at], bytes.size() - at);  // at most 7 bytes, the length stays on top
  }
  words.add(last);
  return words.finish();
}

}  // namespace imds
