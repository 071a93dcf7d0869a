#include "plain_target.h"

#include <algorithm>

#include "base/simd.h"
#include "http/sketch.h"

namespace imds::http {

bool is_plain_target(std::string_view target, std::size_t readable) {
  if (target.empty() || target.front() != '/') {
    return false;
  }
  std::uint64_t slash_before = 0;
  bool in_path = true;
  for (std::size_t at = 0; at < target.size(); at += Block32::kSize) {
    const std::size_t left = target.size() - at;
    const bool whole = left >= Block32::kSize || readable >= at + Block32::kSize;
    const Block32 block =
        whole ? Block32::load(target.data() + at) : Block32::load_part(target.data() + at, left);
    const std::uint64_t all = left >= Block32::kSize ? 0xffffffff : (std::uint64_t{1} << left) - 1;
    // A byte beyond ASCII has its highest bit set, as has one that compares equal.
    if (((block | block.equal('%') | block.equal('#')).mask() & all) != 0) {
      return false;
    }
    if (!in_path) {
      continue;
    }
    const std::uint64_t marks = block.equal('?').mask() & all;
    const std::uint64_t path = marks == 0 ? all : (marks & -marks) - 1;
    const std::uint64_t slashes = block.equal('/').mask();
    const std::uint64_t after_slash = (slashes << 1) | slash_before;
    const std::uint64_t odd = (block.equal('\\') | block.equal(';')).mask() |
                              (after_slash & (slashes | block.equal('.').mask()));
    if ((odd & path) != 0) {
      return false;
    }
    slash_before = slashes >> (Block32::kSize - 1) & 1;
    in_path = marks == 0;
  }
  return true;
}

std::uint16_t path_and_query_disguise(std::string_view text) {
  if (is_plain_target(text)) {
    return 0;
  }
  const std::size_t path_size = std::min(text.find('?'), text.size());
  unsigned bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' || static_cast<std::uint8_t>(c) >= 0x80) {
      bits |= kTargetEncoded;
    }
    if (i >= path_size) {
      continue;
    }
    const char next = i + 1 < path_size ? text[i + 1] : '\0';
    if (c == '\\' || (c == '/' && next == '/')) {
      bits |= kTargetSlashes;
    } else if (c == ';') {
      bits |= kTargetParameter;
    } else if (c == '/' && next == '.') {
      bits |= kTargetDots;
    }
  }
  return static_cast<std::uint16_t>(bits);
}

}  // namespace imds::http
