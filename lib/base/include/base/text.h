// Text from the wire made safe to show, and ASCII helpers that know no locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imds {

[[nodiscard]] constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

namespace detail {
[[nodiscard]] bool iequals(const char* a, const char* b, std::size_t size);
}
// Equal without regard to ASCII case. Nearly all comparisons end with the sizes.
[[nodiscard]] inline bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && detail::iequals(a.data(), b.data(), a.size());
}

enum class LetterCase : std::uint8_t { counts, ignored };  // of ASCII letters

// Whether `text` is as `pattern` says, in which `*` stands for any run of bytes. Goes back to the
// last
// `*` only: at most |text| x |pattern| steps.
[[nodiscard]] bool matches_wildcards(std::string_view text, std::string_view pattern,
                                     LetterCase letter_case);

// For terminals and logs: printable ASCII and well-formed printable UTF-8 stay; controls (C0, C1,
// DEL), bidirectional overrides, malformed bytes and the backslash become \xNN (\\ for itself).
[[nodiscard]] std::string escape_for_terminal(std::string_view text);

// Well-formed UTF-8 for JSON: each malformed byte becomes U+FFFD. Controls stay; the JSON writer
// escapes them.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

}  // namespace imds
