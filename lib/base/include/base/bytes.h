// Short runs of bytes copied, cleared and looked through without a call: most texts of events are
// shorter than a call of memcpy is worth, and what compilers make of one in place (`rep movs`)
// takes longer still to begin. Of a run, the last piece may overlap the one before.
//
// Plain functions; nothing is checked. Nothing outside the runs is read or written. `kMost`: no run
// is longer, so that the compiler leaves out what does not happen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>
#include <string_view>

namespace imds {

namespace detail {

template <std::size_t kSize>
void copy_piece(unsigned char* to, const unsigned char* from) {
  unsigned char piece[kSize];
  std::memcpy(piece, from, kSize);
  std::memcpy(to, piece, kSize);
}

inline __m128i load16(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
inline long long load8(const char* at) {
  long long value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
// All of `size` bytes, fewer than 16, some of them twice; the rest is zero.
inline __m128i load_few(const char* at, std::size_t size) {
  if (size >= 8) {
    return _mm_set_epi64x(load8(at), load8(at + size - 8));
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(at[i]);
  }
  return _mm_set_epi64x(0, static_cast<long long>(value));
}

template <char... kWanted>
__m128i equal_any(__m128i bytes) {
  __m128i found = _mm_setzero_si128();
  ((found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(kWanted)))), ...);
  return found;
}

}  // namespace detail

// The runs do not overlap.
template <std::size_t kMost = SIZE_MAX>
void copy_bytes(void* to, const void* from, std::size_t size) {
  auto* const out = static_cast<unsigned char*>(to);
  const auto* const in = static_cast<const unsigned char*>(from);
  if (kMost >= 16 && size >= 16) {
    for (std::size_t at = 0; at + 16 < size; at += 16) {
      detail::copy_piece<16>(out + at, in + at);
    }
    detail::copy_piece<16>(out + size - 16, in + size - 16);
  } else if (kMost >= 8 && size >= 8) {
    detail::copy_piece<8>(out, in);
    detail::copy_piece<8>(out + size - 8, in + size - 8);
  } else if (size >= 4) {
    detail::copy_piece<4>(out, in);
    detail::copy_piece<4>(out + size - 4, in + size - 4);
  } else if (size > 0) {
    out[0] = in[0];
    out[size / 2] = in[size / 2];
    out[size - 1] = in[size - 1];
  }
}

template <std::size_t kMost = SIZE_MAX>
void zero_bytes(void* to, std::size_t size) {
  static constexpr unsigned char kZeros[16] = {};
  auto* const out = static_cast<unsigned char*>(to);
  if (kMost >= 16 && size >= 16) {
    for (std::size_t at = 0; at + 16 < size; at += 16) {
      detail::copy_piece<16>(out + at, kZeros);
    }
    detail::copy_piece<16>(out + size - 16, kZeros);
  } else if (kMost >= 8 && size >= 8) {
    detail::copy_piece<8>(out, kZeros);
    detail::copy_piece<8>(out + size - 8, kZeros);
  } else if (size >= 4) {
    detail::copy_piece<4>(out, kZeros);
    detail::copy_piece<4>(out + size - 4, kZeros);
  } else if (size > 0) {
    out[0] = 0;
    out[size / 2] = 0;
    out[size - 1] = 0;
  }
}

// Whether any byte of `text` is one of `kWanted`, of which none is 0.
template <char... kWanted>
[[nodiscard]] bool contains_any(std::string_view text) {
  static_assert(((kWanted != 0) && ...));
  const char* const data = text.data();
  const std::size_t size = text.size();
  __m128i found;
  if (size < 16) {
    found = detail::equal_any<kWanted...>(detail::load_few(data, size));
  } else {
    found = detail::equal_any<kWanted...>(detail::load16(data + size - 16));
    for (std::size_t at = 0; at + 16 < size; at += 16) {
      found = _mm_or_si128(found, detail::equal_any<kWanted...>(detail::load16(data + at)));
    }
  }
  return _mm_movemask_epi8(found) != 0;
}

}  // namespace imds
