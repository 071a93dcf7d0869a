#include "http/probe.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "http/http2_frames.h"
#include "text.h"

namespace imds::http {

namespace {

// CR and LF skipped; need_more when nothing else has come yet.
struct Beginning {
  std::string_view text;
  Probe verdict = Probe::yes;
};
Beginning after_blank_lines(ByteSpan bytes) {
  Beginning beginning{as_text(bytes), Probe::yes};
  const std::size_t blank = leading_blank_lines(beginning.text);
  beginning.text.remove_prefix(blank);
  if (blank > kMaxLeadingBlank) {
    beginning.verdict = Probe::no;
  } else if (beginning.text.empty()) {
    beginning.verdict = Probe::need_more;
  }
  return beginning;
}

// Whether `text` begins with `expected`, as far as there is text.
Probe begins_with(std::string_view text, std::string_view expected) {
  const std::size_t common = std::min(text.size(), expected.size());
  if (!iequals(text.substr(0, common), expected.substr(0, common))) {
    return Probe::no;
  }
  return common == expected.size() ? Probe::yes : Probe::need_more;
}

Probe begins_sure_target(std::string_view text) {
  if (begins_target(text)) {
    return Probe::yes;
  }
  const Probe http = begins_with(text, "http:");
  const Probe https = begins_with(text, "https:");
  return http == Probe::need_more || https == Probe::need_more ? Probe::need_more : Probe::no;
}

constexpr std::array<std::string_view, 10> kKnownMethods = {
    "GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND"};

// Those of WebDAV (RFC 3253, 3648, 3744, 4791, 5323), Exchange and UPnP that no other method ends
// in.
constexpr std::array<std::string_view, 24> kFurtherMethods = {
    "PROPPATCH", "MKCOL", "MKCALENDAR", "MKACTIVITY", "COPY",   "MOVE",   "LOCK",   "REPORT",
    "SEARCH",    "MERGE", "CHECKOUT",   "CHECKIN",    "ACL",    "BIND",   "NOTIFY", "SUBSCRIBE",
    "M-SEARCH",  "POLL",  "LINK",       "LABEL",      "UPDATE", "REBIND", "PURGE",  "QUERY"};

// The longest of `methods` that `token` ends in; 0 if none.
template <typename Methods>
std::size_t longest_ending(const Methods& methods, std::string_view token) {
  std::size_t longest = 0;
  for (const std::string_view method : methods) {
    if (method.size() > longest && token.size() >= method.size() &&
        token.substr(token.size() - method.size()) == method) {
      longest = method.size();
    }
  }
  return longest;
}

}  // namespace

std::size_t known_method_at_end(std::string_view token) {
  return std::max(longest_ending(kKnownMethods, token), longest_ending(kFurtherMethods, token));
}

bool is_known_method(std::string_view method) {
  return std::find(kKnownMethods.begin(), kKnownMethods.end(), method) != kKnownMethods.end();
}

Probe starts_like_request(ByteSpan first_bytes) {
  const auto [text, verdict] = after_blank_lines(first_bytes);
  if (verdict != Probe::yes) {
    return verdict;
  }
  std::size_t end = 0;
  while (end < text.size() && end <= kMaxMethodLength && is_token_char(text[end])) {
    ++end;
  }
  if (end > kMaxMethodLength) {
    return Probe::no;
  }
  if (end == text.size()) {
    return Probe::need_more;
  }
  if (end == 0 || !is_blank(text[end])) {
    return Probe::no;
  }
  std::size_t target = end;
  while (target < text.size() && is_blank(text[target])) {
    ++target;
  }
  if (target == text.size()) {
    return Probe::need_more;
  }
  if (is_known_method(text.substr(0, end))) {
    const auto c = static_cast<std::uint8_t>(text[target]);
    return c > ' ' && c != 0x7f ? Probe::yes : Probe::no;
  }
  return begins_sure_target(text.substr(target));
}

Probe starts_like_response(ByteSpan first_bytes) {
  const auto [text, verdict] = after_blank_lines(first_bytes);
  if (verdict != Probe::yes) {
    return verdict;
  }
  constexpr std::string_view kName = "HTTP/";
  const Probe name = begins_with(text, kName);
  if (name != Probe::yes) {
    return name;
  }
  if (text.size() == kName.size()) {
    return Probe::need_more;
  }
  return is_digit(text[kName.size()]) ? Probe::yes : Probe::no;
}

Probe starts_like_http2(ByteSpan first_bytes) {
  constexpr std::string_view kPreface = kHttp2Preface;
  const std::string_view text = as_text(first_bytes);
  const std::size_t common = std::min(text.size(), kPreface.size());
  if (text.substr(0, common) != kPreface.substr(0, common)) {
    return Probe::no;
  }
  return common == kPreface.size() ? Probe::yes : Probe::need_more;
}

}  // namespace imds::http
