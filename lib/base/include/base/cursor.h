// Bounds-checked reading of wire bytes. A read past the end returns zero (or an empty span) and
// leaves the cursor failed for good; parsers check ok() once per header instead of per field.
// Never allocates, never throws. Multi-byte integers are big-endian on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace imds {

using ByteSpan = std::span<const std::uint8_t>;

[[nodiscard]] inline std::uint16_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>((p[0] << 8) | p[1]);
}
[[nodiscard]] inline std::uint32_t load_be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
[[nodiscard]] inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}

class ByteCursor {
 public:
  explicit ByteCursor(ByteSpan bytes) : bytes_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }
  [[nodiscard]] std::size_t offset() const { return offset_; }
  // What is left, without moving.
  [[nodiscard]] ByteSpan rest() const { return bytes_.subspan(offset_); }

  std::uint8_t u8() { return need(1) ? bytes_[advance(1)] : std::uint8_t{0}; }
  std::uint16_t be16() { return need(2) ? load_be16(&bytes_[advance(2)]) : std::uint16_t{0}; }
  std::uint32_t be32() { return need(4) ? load_be32(&bytes_[advance(4)]) : 0u; }
  ByteSpan take(std::size_t count) {
    if (!need(count)) {
      return {};
    }
    return bytes_.subspan(advance(count), count);
  }
  bool skip(std::size_t count) {
    if (!need(count)) {
      return false;
    }
    offset_ += count;
    return true;
  }

 private:
  bool need(std::size_t count) {
    if (ok_ && count <= bytes_.size() - offset_) {
      return true;
    }
    ok_ = false;
    return false;
  }
  std::size_t advance(std::size_t count) {
    const std::size_t at = offset_;
    offset_ += count;
    return at;
  }

  ByteSpan bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace imds
