// A slow regular expression matcher of the tests' own: every way to match is followed. It knows
// what random_rules.cc writes: literals, `.`, classes, groups, alternation, quantifiers, anchors,
// \b, \d, \w, \s, look-ahead and look-behind of one byte, over bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imds::rules {

// `options`: bits of sigma::RegexOption.
[[nodiscard]] bool naive_regex_finds(std::string_view regex, std::uint8_t options,
                                     std::string_view text);

}  // namespace imds::rules
