// Percent-decoding in place (RFC 3986, 2.1).
#pragma once

#include <cstddef>
#include <cstring>

#include "text.h"

namespace imds::http {

// One round: each % with two hexadecimal digits becomes its byte, anything else stays. Returns the
// new size, which is smaller exactly if something was decoded.
inline std::size_t percent_decode_once(char* text, std::size_t size) {
  const void* first = size == 0 ? nullptr : std::memchr(text, '%', size);
  if (first == nullptr) {
    return size;
  }
  std::size_t to = static_cast<std::size_t>(static_cast<const char*>(first) - text);
  for (std::size_t from = to; from < size; ++to) {
    if (text[from] == '%' && size - from > 2 && hex_value(text[from + 1]) >= 0 &&
        hex_value(text[from + 2]) >= 0) {
      text[to] = static_cast<char>(hex_value(text[from + 1]) * 16 + hex_value(text[from + 2]));
      from += 3;
    } else {
      text[to] = text[from++];
    }
  }
  return to;
}

// Until nothing changes, at most 3 rounds.
inline std::size_t percent_decode(char* text, std::size_t size) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t decoded = percent_decode_once(text, size);
    if (decoded == size) {
      break;
    }
    size = decoded;
  }
  return size;
}

}  // namespace imds::http
