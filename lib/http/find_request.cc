#include "http/find_request.h"

#include <algorithm>

#include "http/probe.h"
#include "text.h"

namespace imds::http {

namespace {

// Where the method begins whose last character stands before `end`; `end` if there is none, less
// than `from` never. What is all upper case is one method, whatever its name; else a known one that
// ends the token counts.
std::size_t method_before(std::string_view text, std::size_t from, std::size_t end) {
  std::size_t begin = end;
  while (begin > from && end - begin <= kMaxMethodLength && is_token_char(text[begin - 1])) {
    --begin;
  }
  const std::string_view token = text.substr(begin, end - begin);
  const bool one_word =
      token.size() <= kMaxMethodLength && std::all_of(token.begin(), token.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
      });
  const std::size_t known = one_word ? 0 : known_method_at_end(token);
  return known == 0 ? begin : end - known;
}

}  // namespace

std::optional<FoundRequest> find_request(ByteSpan bytes, std::size_t from) {
  const std::string_view text = as_text(bytes);
  for (std::size_t at = from; at < text.size(); ++at) {
    at = text.find_first_of(" \t", at);
    if (at == std::string_view::npos) {
      break;
    }
    const std::size_t end = at;
    while (at + 1 < text.size() && is_blank(text[at + 1])) {
      ++at;
    }
    const std::size_t begin = method_before(text, from, end);
    if (begin == end || end - begin > kMaxMethodLength || at + 1 == text.size()) {
      continue;
    }
    const bool line_begins = begin == 0 || is_line_end(text[begin - 1]);
    const bool known = is_known_method(text.substr(begin, end - begin));
    if (!begins_target(text.substr(at + 1)) && !(line_begins && known)) {
      continue;
    }
    const Line line = line_at(text, begin);
    const bool complete = line.next < text.size() || is_line_end(text.back());
    if (complete && split_request_line(line.text).version.empty()) {
      continue;
    }
    return FoundRequest{begin, line.next};
  }
  return std::nullopt;
}

}  // namespace imds::http
