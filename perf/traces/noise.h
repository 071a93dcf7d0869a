// Bytes that look encrypted or compressed, made once and cut into payloads, and sums over them in
// constant time, so that a checksum costs the same for every size of payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "random.h"

namespace imds::traces {

class Noise {
 public:
  static constexpr std::size_t kBytes = std::size_t{1} << 20;
  static constexpr std::size_t kLongest = 65536;

  explicit Noise(std::uint64_t seed);

  // Where a payload of at most kLongest bytes may begin.
  [[nodiscard]] std::uint32_t place(Random& random) const {
    return static_cast<std::uint32_t>(random.between(0, (kBytes - kLongest) / 2 - 1) * 2);
  }
  // `at` as place() gives it.
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::uint32_t at, std::size_t size) const {
    return std::span(bytes_).subspan(at, size);
  }
  // Sum of the 16-bit words from `at` on; an odd last byte is the upper half of a word.
  [[nodiscard]] std::uint64_t sum(std::uint32_t at, std::size_t size) const {
    const std::uint64_t words = sums_[(at + size) / 2] - sums_[at / 2];
    return size % 2 == 0 ? words : words + (std::uint64_t{bytes_[at + size - 1]} << 8);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint64_t> sums_;  // of the words before each word
};

}  // namespace imds::traces
