#include "http/head_end.h"

#include <algorithm>
#include <cstring>

#include "text.h"

namespace imds::http {

HeadEndFinder::Found HeadEndFinder::feed(ByteSpan chunk, std::uint32_t limit) {
  const std::size_t room = limit > size_ ? limit - size_ : 0;
  const std::string_view text = as_text(chunk.first(std::min(chunk.size(), room)));
  const auto complete = [this](std::size_t consumed) {
    size_ += static_cast<std::uint32_t>(consumed);
    return Found{Status::complete, consumed};
  };
  std::size_t i = 0;
  while (i < text.size()) {
    switch (state_) {
      case State::leading:
        if (is_line_end(text[i])) {
          ++i;
        } else {
          state_ = State::in_line;
        }
        break;
      case State::in_line: {
        const void* feed = std::memchr(text.data() + i, '\n', text.size() - i);
        if (feed == nullptr) {
          i = text.size();
        } else {
          i = static_cast<std::size_t>(static_cast<const char*>(feed) - text.data()) + 1;
          state_ = State::after_lf;
        }
        break;
      }
      case State::after_lf:
        if (text[i] == '\n') {
          return complete(i + 1);
        }
        if (text[i] == '\r') {
          state_ = State::after_lf_cr;
          ++i;
        } else {
          state_ = State::in_line;
        }
        break;
      case State::after_lf_cr:
        if (text[i] == '\n') {
          return complete(i + 1);
        }
        state_ = State::in_line;
        break;
    }
  }
  size_ += static_cast<std::uint32_t>(text.size());
  return {size_ >= limit ? Status::too_long : Status::need_more, chunk.size()};
}

std::size_t simple_request_size(ByteSpan bytes) {
  const std::string_view text = as_text(bytes);
  const std::size_t start = leading_blank_lines(text);
  const Line line = line_at(text, start);
  const bool ended = line.next > start && text[line.next - 1] == '\n';
  if (!ended) {
    return 0;
  }
  const RequestLine request = split_request_line(line.text);
  return request.valid && request.version.empty() ? line.next : 0;
}

std::size_t bare_cr_head_size(ByteSpan bytes) {
  std::string_view text = as_text(bytes);
  const std::size_t start = leading_blank_lines(text);
  text.remove_prefix(start);
  const std::size_t end = text.find("\r\r");
  return end == std::string_view::npos || text.find('\n') != std::string_view::npos
             ? 0
             : start + end + 2;
}

}  // namespace imds::http
