// Random choices of the trace generator. Not std::uniform_int_distribution: that gives other
// numbers with another standard library. For the same reason at most one choice is made in an
// expression: compilers evaluate operands and arguments in different orders.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

namespace imds::traces {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  [[nodiscard]] std::uint64_t bits() { return engine_(); }
  // Both included. The bias of the remainder is below 2^-32 for what is asked here.
  [[nodiscard]] std::size_t between(std::size_t least, std::size_t most) {
    return least + engine_() % (most - least + 1);
  }
  // True once in `n`.
  [[nodiscard]] bool one_in(std::size_t n) { return engine_() % n == 0; }
  // In [0, 1).
  [[nodiscard]] double fraction() {
    return static_cast<double>(engine_() >> 11) * (1.0 / 9007199254740992.0);
  }
  // As many between 10 and 20 as between 50 and 100: how sizes of files are spread.
  [[nodiscard]] std::size_t sized(double least, double most) {
    return static_cast<std::size_t>(least * std::pow(most / least, fraction()));
  }
  template <class Choices>
  [[nodiscard]] const auto& any(const Choices& choices) {
    return choices[engine_() % choices.size()];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace imds::traces
