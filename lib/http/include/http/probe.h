// Is this HTTP/1? Answers from the first bytes of a stream or of a segment.
//
// Pure functions of the bytes given. Nothing is kept, copied or allocated.
#pragma once

#include <cstdint>
#include <cstring>
#include <emmintrin.h>

#include "base/cursor.h"

namespace imds::http {

enum class Probe : std::uint8_t {
  no,
  need_more,  // so far possible; ask again with more of the same bytes
  yes,
};

// Longest method token (RFC 9110, 9.1) believed in; IANA's longest registered has 17.
inline constexpr std::size_t kMaxMethodLength = 24;
// Blank lines tolerated before a request or status line (RFC 9112, 2.2), in bytes of CR and LF.
inline constexpr std::size_t kMaxLeadingBlank = 64;

// Does the stream begin like a request? After leading CR/LF: a method known to RFCs, then a blank
// and any target; or any other token of at most kMaxMethodLength, a blank, and what begins a target
// for sure: `/`, `\`, `*`, `http:` or `https:`. Usually decided within 8 bytes. `yes` is a
// well-founded suspicion, not a promise: parse_request_head() has the last word.
[[nodiscard]] Probe starts_like_request(ByteSpan first_bytes);

// The same for a status line: after leading CR/LF, "HTTP/" and a digit.
[[nodiscard]] Probe starts_like_response(ByteSpan first_bytes);

// The whole HTTP/2 client connection preface (RFC 9113, 3.4). Checked before
// starts_like_request(), which it also satisfies.
[[nodiscard]] Probe starts_like_http2(ByteSpan first_bytes);

// The first 8 bytes of a payload as may_start_http() wants them; missing ones are zero.
[[nodiscard]] inline std::uint64_t first8(ByteSpan payload) {
  std::uint64_t value = 0;
  if (payload.size() >= 8) {
    std::memcpy(&value, payload.data(), 8);
  } else if (!payload.empty()) {
    std::memcpy(&value, payload.data(), payload.size());
  }
  return value;
}

// The second look of may_start_http(): the whole token, blank included.
[[nodiscard]] bool confirm_http_token(std::uint64_t first8);

// A few instructions, for every segment that is otherwise skipped: do these bytes begin with a
// method of RFC 9110, PATCH or PROPFIND and a blank, with the HTTP/2 preface, or with "HTTP/"?
// Exact upper-case tokens at byte 0 only; a hit is confirmed by the functions above.
[[nodiscard]] inline bool may_start_http(std::uint64_t first8) {
  const auto four = [](char a, char b, char c, char d) {
    return static_cast<int>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b) << 8 |
                            static_cast<std::uint32_t>(c) << 16 |
                            static_cast<std::uint32_t>(d) << 24);
  };
  const __m128i first4 = _mm_set1_epi32(static_cast<int>(static_cast<std::uint32_t>(first8)));
  const __m128i common = _mm_setr_epi32(four('G', 'E', 'T', ' '), four('P', 'U', 'T', ' '),
                                        four('P', 'O', 'S', 'T'), four('H', 'E', 'A', 'D'));
  const __m128i other = _mm_setr_epi32(four('D', 'E', 'L', 'E'), four('O', 'P', 'T', 'I'),
                                       four('P', 'A', 'T', 'C'), four('C', 'O', 'N', 'N'));
  const __m128i rare = _mm_setr_epi32(four('T', 'R', 'A', 'C'), four('P', 'R', 'O', 'P'),
                                      four('P', 'R', 'I', ' '), four('H', 'T', 'T', 'P'));
  const __m128i hits =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi32(first4, common), _mm_cmpeq_epi32(first4, other)),
                   _mm_cmpeq_epi32(first4, rare));
  return __builtin_expect(_mm_movemask_epi8(hits), 0) != 0 && confirm_http_token(first8);
}

}  // namespace imds::http
