// What modifiers make of a value before it is compared: encodings, dashes, placeholders.
// Specification 2.x, "Modifiers".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

enum class Transform : std::uint8_t {
  expand,   // %name% becomes each of that placeholder's values
  windash,  // a dash or slash before a word becomes each of the five dashes
  utf16le,  // also `wide`
  utf16be,
  utf16,  // little endian behind a byte order mark
  base64,
  base64offset,  // as base64 shows the value at each of its three offsets
};
[[nodiscard]] std::string_view name(Transform transform);
// Whether it makes other bytes of the value's: those need the value whole, before any wildcard.
[[nodiscard]] bool is_encoding(Transform transform);

// Of one value, however its placeholders and dashes are combined.
inline constexpr std::size_t kMaxVariants = 1'000;

// The texts that `node` means under `expand`.
[[nodiscard]] Result<std::vector<std::string>> expand_placeholders(const Context& context,
                                                                   const Node& node);

// Applies the transforms but `expand`, in order. Never empty.
[[nodiscard]] Result<std::vector<Pattern>> transform(const Context& context, const Node& node,
                                                     Pattern pattern,
                                                     const std::vector<Transform>& transforms);

}  // namespace imds::sigma
