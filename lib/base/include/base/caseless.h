// Bytes compared with a text in which the case of some letters does not count, many at a time.
//
// A pure function; reads nothing outside of what it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace imds {

namespace detail {

// `size` is sizeof(Word) at least; the last word may overlap the one before.
template <typename Word>
bool stands_at_by(const char* at, const char* letters, const char* text, std::size_t size) {
  const auto word = [](const char* from) {
    Word bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    return bytes;
  };
  const auto differ = [&](std::size_t i) {
    return (word(at + i) | word(letters + i)) ^ word(text + i);
  };
  for (std::size_t i = 0; i + sizeof(Word) < size; i += sizeof(Word)) {
    if (differ(i) != 0) {
      return false;
    }
  }
  return differ(size - sizeof(Word)) == 0;
}

}  // namespace detail

// Whether the `size` bytes from `at` are `text`, which is in lower case where `letters`, as long,
// has 0x20: there case does not count. Elsewhere `letters` is 0.
[[nodiscard]] inline bool stands_at(const char* at, const char* letters, const char* text,
                                    std::size_t size) {
  if (size >= sizeof(std::uint64_t)) {
    return detail::stands_at_by<std::uint64_t>(at, letters, text, size);
  }
  if (size >= sizeof(std::uint32_t)) {
    return detail::stands_at_by<std::uint32_t>(at, letters, text, size);
  }
  return size == 0 || detail::stands_at_by<std::uint8_t>(at, letters, text, size);
}

}  // namespace imds
