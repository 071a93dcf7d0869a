// Small character tests shared by the room's sources. ASCII, no locale.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
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
  const void* feed =
      start < text.size() ? std::memchr(text.data() + start, '\n', text.size() - start) : nullptr;
  const std::size_t end =
      feed == nullptr ? text.size()
                      : static_cast<std::size_t>(static_cast<const char*>(feed) - text.data());
  line.text = text.substr(start, end - start);
  line.next = feed == nullptr ? end : end + 1;
  line.bare_lf = feed != nullptr && (line.text.empty() || line.text.back() != '\r');
  while (!line.text.empty() && line.text.back() == '\r') {
    line.text.remove_suffix(1);
  }
  line.bare_cr = end - start > line.text.size() + 1;
  if (const std::size_t cr = line.text.find('\r'); cr != std::string_view::npos) {
    line.text = line.text.substr(0, cr);
    line.next = start + cr + 1;
    line.bare_cr = true;
    line.bare_lf = false;
  }
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
