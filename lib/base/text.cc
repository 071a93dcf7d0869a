#include "base/text.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace imds {

namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;  // 0: malformed
};

// Decodes one UTF-8 sequence at `i` (RFC 3629: no overlong forms, surrogates or beyond U+10FFFF).
CodePoint decode_utf8(std::string_view text, std::size_t i) {
  const auto lead = static_cast<std::uint8_t>(text[i]);
  if (lead < 0x80) {
    return {lead, 1};
  }
  std::size_t size = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if ((lead & 0xe0) == 0xc0) {
    size = 2, value = lead & 0x1f, least = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3, value = lead & 0x0f, least = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4, value = lead & 0x07, least = 0x10000;
  } else {
    return {};
  }
  if (i + size > text.size()) {
    return {};
  }
  for (std::size_t k = 1; k < size; ++k) {
    const auto next = static_cast<std::uint8_t>(text[i + k]);
    if ((next & 0xc0) != 0x80) {
      return {};
    }
    value = (value << 6) | (next & 0x3f);
  }
  if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
    return {};
  }
  return {value, size};
}

// Characters that can reorder or hide what a terminal shows.
bool is_deceptive(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff0 && c <= 0xffff) || c >= 0xe0000;
}

}  // namespace

bool matches_wildcards(std::string_view text, std::string_view pattern, LetterCase letter_case) {
  const auto is_same = [letter_case](char a, char b) {
    return a == b || (letter_case == LetterCase::ignored && ascii_lower(a) == ascii_lower(b));
  };
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t after_star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      resume = t;
    } else if (p < pattern.size() && is_same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (after_star != std::string_view::npos) {
      p = after_star;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

namespace {

// Eight characters at once. Without their highest bits none carries into the next; those that had
// one are no letters.
std::uint64_t lower_eight(std::uint64_t word) {
  constexpr std::uint64_t kEach = 0x0101010101010101u;
  const std::uint64_t low = word & 0x7f * kEach;
  const std::uint64_t from_a = low + (0x80 - 'A') * kEach;
  const std::uint64_t beyond_z = low + (0x7f - 'Z') * kEach;
  return word | ((from_a ^ beyond_z) & ~word & 0x80 * kEach) >> 2;
}

}  // namespace

bool detail::iequals(const char* a, const char* b, std::size_t size) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  for (; size >= kWord; size -= kWord, a += kWord, b += kWord) {
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    std::memcpy(&left, a, kWord);
    std::memcpy(&right, b, kWord);
    if (lower_eight(left) != lower_eight(right)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) {
      return false;
    }
  }
  return true;
}

std::string escape_for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    const std::size_t size = c.size == 0 ? 1 : c.size;
    if (c.size == 0 || is_deceptive(c.value)) {
      for (std::size_t k = 0; k < size; ++k) {
        char hex[5];
        std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<std::uint8_t>(text[i + k]));
        out += hex;
      }
    } else if (c.value == '\\') {
      out += "\\\\";
    } else {
      out += text.substr(i, size);
    }
    i += size;
  }
  return out;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (c.size == 0) {
      out += "\xef\xbf\xbd";
      ++i;
    } else {
      out += text.substr(i, c.size);
      i += c.size;
    }
  }
  return out;
}

}  // namespace imds
