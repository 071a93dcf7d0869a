#include "base/random.h"

#include <random>

namespace imds {

void fill_random(std::span<std::uint64_t> words) {
  std::random_device device;  // 32 bits at a time
  for (std::uint64_t& word : words) {
    word = std::uint64_t{device()} << 32 | device();
  }
}

}  // namespace imds
