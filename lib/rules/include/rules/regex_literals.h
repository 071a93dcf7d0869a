// What must stand in every text that a regular expression matches.
//
// Sound for the dialect of PCRE2 over bytes: what is not understood gives no answer rather than a
// wrong one. Case is ASCII's and does not count: literals are in lower case.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace imds::rules {

// What to look for instead of a literal: itself, a piece of it, or nothing (empty) if it is too
// short or too common.
using KeyOf = std::function<std::string(const std::string& literal)>;

// Keys of literals of which every matching text contains one at least; those that cost least
// together. Empty: none are known.
[[nodiscard]] std::vector<std::string> required_literals(std::string_view regex,
                                                         const KeyOf& key_of);

}  // namespace imds::rules
