// Small character tests shared by the room's sources. ASCII, no locale.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>
#include <string_view>

#include "base/cursor.h"
#include "base/text.h"

namespace imds::http {

[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Blank inside a line: SP or HTAB.
[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
[[nodiscard]] constexpr bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_slash(char c) {
  return c == '/' || c == '\\';
}
[[nodiscard]] constexpr bool is_alpha(char c) {
  return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

// RFC 9110, 5.6.2.
[[nodiscard]] constexpr bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

// 0 to 15, or -1.
[[nodiscard]] constexpr int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

[[nodiscard]] inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

[[nodiscard]] inline bool starts_with_nocase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

// A method RFC 9110, RFC 5789 (PATCH) or WebDAV readers know, in upper case.
[[nodiscard]] bool is_known_method(std::string_view method);

// Length of the longest method of RFCs, WebDAV or UPnP that `token` ends in, "GET" in "aaaGET"; 0
// if it ends in none.
[[nodiscard]] std::size_t known_method_at_end(std::string_view token);

// Text that for sure begins a request-target, whatever the method: a slash, `*`, http: or https:.
[[nodiscard]] inline bool begins_target(std::string_view text) {
  return !text.empty() && (is_slash(text.front()) || text.front() == '*' ||
                           starts_with_nocase(text, "http:") || starts_with_nocase(text, "https:"));
}

// Number of CR, LF and blanks at the front.
[[nodiscard]] inline std::size_t leading_blank_lines(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && (is_line_end(text[i]) || is_blank(text[i]))) {
    ++i;
  }
  return i;
}

// The first CR or LF from `at`; text.size() if there is none.
[[nodiscard]] inline std::size_t find_cr_or_lf(std::string_view text, std::size_t at) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  for (; text.size() - at >= sizeof cr; at += sizeof cr) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const int found =
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, cr), _mm_cmpeq_epi8(block, lf)));
    if (found != 0) {
      return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(found)));
    }
  }
  while (at < text.size() && !is_line_end(text[at])) {
    ++at;
  }
  return at;
}

// One line without its line end, and where the next begins. The last may lack a line feed. CRs in
// front of a line feed belong to the line end, though all but one are bare; a CR elsewhere ends the
// line as well, as some readers have it.
struct Line {
  std::string_view text;
  std::size_t next = 0;
  bool bare_lf = false;
  bool bare_cr = false;
};
[[nodiscard]] inline Line line_at(std::string_view text, std::size_t start) {
  Line line;
  start = std::min(start, text.size());
  const std::size_t stop = find_cr_or_lf(text, start);
  if (stop == text.size()) {
    line.text = text.substr(start);
    line.next = stop;
    return line;
  }
  line.text = text.substr(start, stop - start);
  line.bare_lf = text[stop] == '\n';
  if (line.bare_lf || (stop + 1 < text.size() && text[stop + 1] == '\n')) [[likely]] {
    line.next = stop + (line.bare_lf ? 1 : 2);
    return line;
  }
  std::size_t behind = stop;
  while (behind < text.size() && text[behind] == '\r') {
    ++behind;
  }
  const bool ended = behind == text.size() || text[behind] == '\n';
  line.bare_cr = !ended || behind > stop + 1;
  line.next = !ended ? stop + 1 : std::min(behind + 1, text.size());
  return line;
}

// A request line taken apart. version is empty when there is none.
struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view version;  // after "HTTP/"
  bool valid = false;
};
[[nodiscard]] RequestLine split_request_line(std::string_view line);

}  // namespace imds::http
