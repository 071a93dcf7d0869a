#include "noise.h"

#include <cstring>

namespace imds::traces {

Noise::Noise(std::uint64_t seed) : bytes_(kBytes), sums_(kBytes / 2 + 1) {
  Random random(seed);
  for (std::size_t i = 0; i < kBytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.bits();
    std::memcpy(&bytes_[i], &word, sizeof word);
  }
  for (std::size_t i = 0; i < kBytes / 2; ++i) {
    sums_[i + 1] = sums_[i] + (std::uint64_t{bytes_[2 * i]} << 8 | bytes_[2 * i + 1]);
  }
}

}  // namespace imds::traces
