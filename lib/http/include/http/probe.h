// Is this HTTP/1? Answers from the first bytes of a stream or of a segment.
//
// Pure functions of the bytes given. Nothing is kept, copied or allocated.
#pragma once

#include <cstdint>
#include <cstring>

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

// A few instructions, for every segment that is otherwise skipped: do these bytes begin like an
// upper-case token, as methods of RFCs, WebDAV and UPnP are written (GET, MKCOL, M-SEARCH,
// RPC_IN_DATA), the HTTP/2 preface and "HTTP/" too? Byte 0 only; a hit is confirmed by the
// functions above.
[[nodiscard]] inline bool may_start_http(std::uint64_t first8) {
  const auto is_upper = [](std::uint64_t c) { return (c & 0xff) - 'A' < 26; };
  const auto is_token = [is_upper](std::uint64_t c) {
    return is_upper(c) || (c & 0xff) == '-' || (c & 0xff) == '_';
  };
  return __builtin_expect(is_upper(first8), 0) && is_token(first8 >> 8) && is_token(first8 >> 16);
}

}  // namespace imds::http
