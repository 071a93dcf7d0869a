// 32 bytes compared at a time: one AVX2 register where the build has them (-march=x86-64-v3 or
// native), else two of SSE. Plain values; nothing is checked: load() reads 32 bytes whatever is
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace imds {

class Block32 {
 public:
  static constexpr std::size_t kSize = 32;

#ifdef __AVX2__
  [[nodiscard]] static Block32 load(const void* at) {
    return {_mm256_loadu_si256(static_cast<const __m256i*>(at))};
  }
  void store(void* at) const {
    _mm256_storeu_si256(static_cast<__m256i*>(at), v_);
  }
  [[nodiscard]] static Block32 all(int byte) {
    return {_mm256_set1_epi8(static_cast<char>(byte))};
  }
  // The same 16 bytes in both halves, as look_up() takes them.
  [[nodiscard]] static Block32 table(const void* sixteen) {
    return {_mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(sixteen)))};
  }
  [[nodiscard]] Block32 operator|(Block32 b) const {
    return {_mm256_or_si256(v_, b.v_)};
  }
  [[nodiscard]] Block32 operator&(Block32 b) const {
    return {_mm256_and_si256(v_, b.v_)};
  }
  [[nodiscard]] Block32 operator-(Block32 b) const {
    return {_mm256_sub_epi8(v_, b.v_)};
  }
  [[nodiscard]] Block32 equal(Block32 b) const {
    return {_mm256_cmpeq_epi8(v_, b.v_)};
  }
  // Unsigned; no byte goes below 0.
  [[nodiscard]] Block32 reduced_by(Block32 b) const {
    return {_mm256_subs_epu8(v_, b.v_)};
  }
  [[nodiscard]] Block32 high_nibbles() const {
    return Block32{_mm256_srli_epi16(v_, 4)} & all(0x0f);
  }
  // Each byte's low nibble is an index into `table`; those with the highest bit set give 0.
  [[nodiscard]] Block32 look_up(Block32 table) const {
    return {_mm256_shuffle_epi8(table.v_, v_)};
  }
  // Bit i: the highest bit of byte i.
  [[nodiscard]] std::uint32_t mask() const {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(v_));
  }

 private:
  Block32(__m256i v) : v_(v) {}
  __m256i v_;
#else
  [[nodiscard]] static Block32 load(const void* at) {
    const auto* const blocks = static_cast<const __m128i*>(at);
    return {_mm_loadu_si128(blocks), _mm_loadu_si128(blocks + 1)};
  }
  void store(void* at) const {
    _mm_storeu_si128(static_cast<__m128i*>(at), low_);
    _mm_storeu_si128(static_cast<__m128i*>(at) + 1, high_);
  }
  [[nodiscard]] static Block32 all(int byte) {
    const __m128i half = _mm_set1_epi8(static_cast<char>(byte));
    return {half, half};
  }
  [[nodiscard]] static Block32 table(const void* sixteen) {
    const __m128i half = _mm_loadu_si128(static_cast<const __m128i*>(sixteen));
    return {half, half};
  }
  [[nodiscard]] Block32 operator|(Block32 b) const {
    return {_mm_or_si128(low_, b.low_), _mm_or_si128(high_, b.high_)};
  }
  [[nodiscard]] Block32 operator&(Block32 b) const {
    return {_mm_and_si128(low_, b.low_), _mm_and_si128(high_, b.high_)};
  }
  [[nodiscard]] Block32 operator-(Block32 b) const {
    return {_mm_sub_epi8(low_, b.low_), _mm_sub_epi8(high_, b.high_)};
  }
  [[nodiscard]] Block32 equal(Block32 b) const {
    return {_mm_cmpeq_epi8(low_, b.low_), _mm_cmpeq_epi8(high_, b.high_)};
  }
  [[nodiscard]] Block32 reduced_by(Block32 b) const {
    return {_mm_subs_epu8(low_, b.low_), _mm_subs_epu8(high_, b.high_)};
  }
  [[nodiscard]] Block32 high_nibbles() const {
    return Block32{_mm_srli_epi16(low_, 4), _mm_srli_epi16(high_, 4)} & all(0x0f);
  }
  [[nodiscard]] Block32 look_up(Block32 table) const {
    return {_mm_shuffle_epi8(table.low_, low_), _mm_shuffle_epi8(table.low_, high_)};
  }
  [[nodiscard]] std::uint32_t mask() const {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(low_)) |
           static_cast<std::uint32_t>(_mm_movemask_epi8(high_)) << 16;
  }

 private:
  Block32(__m128i low, __m128i high) : low_(low), high_(high) {}
  __m128i low_;
  __m128i high_;
#endif

 public:
  [[nodiscard]] Block32 equal(char c) const {
    return equal(all(c));
  }
  // Bytes from `first` to `last`, taken as unsigned.
  [[nodiscard]] Block32 within(char first, char last) const {
    return (*this - all(first)).reduced_by(all(last - first)).equal(all(0));
  }
  // `size` bytes, fewer than kSize, and zeros behind them.
  [[nodiscard]] static Block32 load_part(const void* at, std::size_t size) {
    alignas(kSize) char padded[kSize] = {};
    std::memcpy(padded, at, size);
    return load(padded);
  }
};

}  // namespace imds
