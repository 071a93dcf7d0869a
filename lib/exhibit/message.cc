#include "exhibit/message.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace imds::exhibit {

namespace {

using Bytes = std::span<std::uint8_t>;

// Values that say how a message was made and not what it carries.
constexpr std::array<std::string_view, 23> kHarmless = {"host",
                                                        "user-agent",
                                                        "accept",
                                                        "accept-encoding",
                                                        "accept-language",
                                                        "accept-ranges",
                                                        "age",
                                                        "cache-control",
                                                        "connection",
                                                        "content-encoding",
                                                        "content-length",
                                                        "content-type",
                                                        "date",
                                                        "expect",
                                                        "keep-alive",
                                                        "last-modified",
                                                        "pragma",
                                                        "range",
                                                        "server",
                                                        "transfer-encoding",
                                                        "vary",
                                                        "x-aws-ec2-metadata-token-ttl-seconds",
                                                        "x-forwarded-for"};
constexpr std::size_t kLongestMethod = 20;
constexpr std::size_t kLongestName = 40;
constexpr std::size_t kLongestReason = 40;

std::string_view text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
// RFC 9110, 5.6.2, as far as names in use go.
bool is_name_character(char c) {
  return is_letter(c) || is_digit(c) || c == '-' || c == '_';
}
bool is_printable(char c) {
  return (c >= ' ' && c <= '~') || c == '\t';
}

template <typename Is>
bool all(std::string_view s, Is is) {
  return std::all_of(s.begin(), s.end(), is);
}

// "HTTP/1.1"
bool is_version(std::string_view s) {
  return s.size() == 8 && s.starts_with("HTTP/") && is_digit(s[5]) && s[6] == '.' && is_digit(s[7]);
}

// Where a question mark stands, plain or percent-encoded any number of times, or whatever else may
// have parameters behind it; npos: nowhere.
std::size_t parameters_in(std::string_view target) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == '?' || target[i] == ';' || target[i] == '#' || target[i] == '=' ||
        target[i] == '&') {
      return i;
    }
    if (target[i] != '%') {
      continue;
    }
    std::size_t at = i + 1;
    while (target.substr(at, 2) == "25") {
      at += 2;
    }
    const std::string_view code = target.substr(at, 2);
    if (iequals(code, "3f") || iequals(code, "3b") || iequals(code, "23") || iequals(code, "3d") ||
        iequals(code, "26") || iequals(code, "40")) {
      return i;
    }
  }
  return std::string_view::npos;
}

// Userinfo ends at the last `@`, and begins behind `//` if there is any before it.
std::size_t overwrite_target(Bytes target) {
  std::size_t count = 0;
  const std::size_t parameters = std::min(parameters_in(text(target)), target.size());
  if (parameters < target.size()) {
    count += overwrite(target.subspan(parameters + 1));
  }
  const std::string_view kept = text(target.first(parameters));
  const std::size_t at = kept.rfind('@');
  if (at != std::string_view::npos) {
    const std::size_t slashes = kept.substr(0, at).find("//");
    const std::size_t begin = slashes == std::string_view::npos ? 0 : slashes + 2;
    count += overwrite(target.subspan(begin, at - begin));
  }
  return count;
}

constexpr std::size_t kStatusLine = 12;  // without the reason

// "HTTP/1.1 200 OK", without the end of line.
bool is_status_line(std::string_view s) {
  return s.size() >= kStatusLine && is_version(s.substr(0, 8)) && s[8] == ' ' &&
         all(s.substr(9, 3), is_digit) && (s.size() == kStatusLine || s[kStatusLine] == ' ');
}

std::size_t overwrite_status_line(Bytes line) {
  const std::string_view reason = text(line).substr(kStatusLine);
  const bool is_plain = reason.size() <= kLongestReason &&
                        all(reason, [](char c) { return is_letter(c) || c == ' ' || c == '-'; });
  return is_plain ? 0 : overwrite(line.subspan(kStatusLine));
}

bool is_request_line(std::string_view line) {
  const std::size_t method = line.find(' ');
  const std::size_t version = line.rfind(' ');
  return method != std::string_view::npos && version > method + 1 && method > 0 &&
         method <= kLongestMethod && all(line.substr(0, method), is_name_character) &&
         is_version(line.substr(version + 1));
}

std::size_t overwrite_request_line(Bytes line) {
  const std::string_view s = text(line);
  const std::size_t method = s.find(' ');
  return overwrite_target(line.subspan(method + 1, s.rfind(' ') - method - 1));
}

// What a lenient receiver might take for the beginning of another line is no plain text.
bool is_harmless(std::string_view name, std::string_view value) {
  const bool is_listed = std::any_of(kHarmless.begin(), kHarmless.end(),
                                     [&](std::string_view known) { return iequals(name, known); });
  return is_listed && all(value, is_printable) &&
         (!iequals(name, "host") || value.find('@') == std::string_view::npos);
}

std::size_t overwrite_header(Bytes line) {
  const std::string_view s = text(line);
  const std::size_t colon = s.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kLongestName ||
      !all(s.substr(0, colon), is_name_character)) {
    return overwrite(line);
  }
  const std::size_t value = std::min(s.find_first_not_of(" \t", colon + 1), s.size());
  return is_harmless(s.substr(0, colon), s.substr(value)) ? 0 : overwrite(line.subspan(value));
}

}  // namespace

std::size_t overwrite(Bytes bytes) {
  std::fill(bytes.begin(), bytes.end(), kOverwritten);
  return bytes.size();
}

std::size_t overwrite_message(Bytes bytes) {
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = text(bytes).find('\n', begin);
    if (end == std::string_view::npos) {
      return count + overwrite(bytes.subspan(begin));  // not all of the line is here
    }
    const bool has_return = end > begin && bytes[end - 1] == '\r';
    const Bytes line = bytes.subspan(begin, end - begin - (has_return ? 1 : 0));
    if (begin == 0 && is_status_line(text(line))) {
      count += overwrite_status_line(line);
    } else if (begin == 0 && is_request_line(text(line))) {
      count += overwrite_request_line(line);
    } else if (begin == 0) {
      return overwrite(bytes);
    } else if (line.empty()) {
      return count + overwrite(bytes.subspan(end + 1));
    } else {
      count += overwrite_header(line);
    }
    begin = end + 1;
  }
  return count;
}

}  // namespace imds::exhibit
