// Where a string that raw_match compares can begin: the pairs of bytes such strings start with. Far
// cheaper than a scan for a few bytes, and it tells which end of a piece has to be looked at again
// with the next one.
//
// Plain value of 8 KiB, constant once made: any thread may ask. Asking never allocates and reads
// nothing beyond its bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"

namespace imds::rules {

class RawStarts {
 public:
  // A string begins with `first` and `second`, in either case if they are ASCII letters. Those
  // whose beginning is not known may begin anywhere.
  void add(std::uint8_t first, std::uint8_t second);
  void add_any() { pairs_.fill(~std::uint64_t{0}); }

  [[nodiscard]] bool may_begin(std::uint8_t first, std::uint8_t second) const {
    const unsigned pair = unsigned{first} << 8 | second;
    return (pairs_[pair / 64] >> (pair % 64)) & 1u;
  }
  // Whether one may begin in `bytes` or with the byte `before` them, and have its second byte here.
  [[nodiscard]] bool may_begin_in(std::uint8_t before, ByteSpan bytes) const {
    for (const std::uint8_t byte : bytes) {
      if (may_begin(before, byte)) {
        return true;
      }
      before = byte;
    }
    return false;
  }
  // The end of `bytes`, from the first place on where one may begin. The last byte alone, of which
  // only the next one tells, does not count.
  [[nodiscard]] ByteSpan unfinished(ByteSpan bytes) const {
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      if (may_begin(bytes[i], bytes[i + 1])) {
        return bytes.subspan(i);
      }
    }
    return {};
  }

 private:
  std::array<std::uint64_t, 65536 / 64> pairs_{};
};

}  // namespace imds::rules
