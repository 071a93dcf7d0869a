// Percent-decoding in place (RFC 3986, 2.1), and the odder ways of writing ASCII that some readers
// undo with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "text.h"

namespace imds::http {

// UTF-8 that careless readers take for ASCII: overlong forms (C0 AF, E0 80 AF for `/`), which
// RFC 3629 forbids but old servers decode, and the fullwidth forms U+FF01 to U+FF5E, which
// compatibility mapping (NFKC, and so IDNA) turns into `!` to `~`. Returns the bytes taken, 0 if
// `text` does not begin with such a form.
inline std::size_t fold_lookalike(const char* text, std::size_t size, char& ascii) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (size >= 2 && (byte(0) == 0xc0 || byte(0) == 0xc1) && follows(1)) {
    ascii = static_cast<char>((byte(0) & 1) << 6 | (byte(1) & 0x3f));
    return 2;
  }
  if (size < 3 || !follows(1) || !follows(2)) {
    return 0;
  }
  const unsigned code = (byte(0) & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
  if (byte(0) == 0xe0 && code < 0x80) {
    ascii = static_cast<char>(code);
    return 3;
  }
  if (byte(0) == 0xef && code >= 0xff01 && code <= 0xff5e) {
    ascii = static_cast<char>(code - 0xff01 + '!');
    return 3;
  }
  return 0;
}

// The four hexadecimal digits of %uXXXX (IIS), or -1.
inline int unicode_escape(const char* text, std::size_t size) {
  if (size < 6 || (text[1] != 'u' && text[1] != 'U')) {
    return -1;
  }
  int code = 0;
  for (std::size_t i = 2; i < 6; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) {
      return -1;
    }
    code = code * 16 + digit;
  }
  return code;
}

// UTF-8 of a code point below 65536; 1 to 3 bytes.
inline std::size_t put_utf8(int code, char* out) {
  const auto c = static_cast<unsigned>(code);
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xc0 | c >> 6);
    out[1] = static_cast<char>(0x80 | (c & 0x3f));
    return 2;
  }
  out[0] = static_cast<char>(0xe0 | c >> 12);
  out[1] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
  out[2] = static_cast<char>(0x80 | (c & 0x3f));
  return 3;
}

// One round: % with two hexadecimal digits becomes its byte, %uXXXX its UTF-8; anything else stays.
// Returns the new size, which is smaller exactly if something was decoded.
inline std::size_t percent_decode_once(char* text, std::size_t size) {
  const void* first = size == 0 ? nullptr : std::memchr(text, '%', size);
  if (first == nullptr) {
    return size;
  }
  std::size_t to = static_cast<std::size_t>(static_cast<const char*>(first) - text);
  for (std::size_t from = to; from < size;) {
    if (text[from] != '%') {
      text[to++] = text[from++];
    } else if (size - from > 2 && hex_value(text[from + 1]) >= 0 &&
               hex_value(text[from + 2]) >= 0) {
      text[to++] = static_cast<char>(hex_value(text[from + 1]) * 16 + hex_value(text[from + 2]));
      from += 3;
    } else if (const int code = unicode_escape(text + from, size - from); code >= 0) {
      to += put_utf8(code, text + to);
      from += 6;
    } else {
      text[to++] = text[from++];
    }
  }
  return to;
}

// Folds lookalikes in place; returns the new size.
inline std::size_t fold_lookalikes(char* text, std::size_t size) {
  unsigned all = 0;
  for (std::size_t i = 0; i < size; ++i) {
    all |= static_cast<std::uint8_t>(text[i]);
  }
  if (all < 0x80) {
    return size;
  }
  std::size_t to = 0;
  while (to < size && static_cast<std::uint8_t>(text[to]) < 0xc0) {
    ++to;
  }
  for (std::size_t from = to; from < size;) {
    char ascii = text[from];
    const bool wide = static_cast<std::uint8_t>(ascii) >= 0xc0;
    const std::size_t taken = wide ? fold_lookalike(text + from, size - from, ascii) : 0;
    text[to++] = ascii;
    from += taken == 0 ? 1 : taken;
  }
  return to;
}

// Until nothing changes, at most 3 rounds; each folds the lookalikes it brought to light.
inline std::size_t percent_decode(char* text, std::size_t size) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t decoded = fold_lookalikes(text, percent_decode_once(text, size));
    if (decoded == size) {
      break;
    }
    size = decoded;
  }
  return size;
}

}  // namespace imds::http
