// What every harness shares: the entry point libFuzzer (or replay.cc) calls, the way to say that a
// promise was broken, and reading structured choices out of the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace imds::fuzz {

// A broken promise ends the process, as a sanitiser's finding does.
inline void require(bool holds, const char* promise) {
  if (!holds) {
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
  }
}

inline bool is_within(ByteSpan part, ByteSpan whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.size() <= whole.size() &&
          part.data() - whole.data() <= static_cast<std::ptrdiff_t>(whole.size() - part.size()));
}
inline bool is_within(std::string_view part, std::string_view whole) {
  return is_within(ByteSpan(reinterpret_cast<const std::uint8_t*>(part.data()), part.size()),
                   ByteSpan(reinterpret_cast<const std::uint8_t*>(whole.data()), whole.size()));
}

// The input, taken from the front; zeros once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) {
      return 0;
    }
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value = (value << 8) | byte();
    }
    return value;
  }
  // In [least, most].
  std::size_t between(std::size_t least, std::size_t most) {
    const std::size_t high = byte();
    return least + ((high << 8) | byte()) % (most - least + 1);
  }
  ByteSpan bytes(std::size_t size) {
    const ByteSpan taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  ByteSpan rest() { return bytes(rest_.size()); }

 private:
  ByteSpan rest_;
};

inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace imds::fuzz
