// Sigma's string values: wildcards and escapes. Specification 2.x, "String Wildcard" and
// "Escaping".
#pragma once

#include <string_view>

#include "sigma/rule.h"

namespace imds::sigma {

// `*` and `?` are wildcards; a backslash before `*`, `?` or another backslash takes its meaning
// away, any other backslash stands for itself. Every text is a pattern.
[[nodiscard]] Pattern parse_pattern(std::string_view text);

}  // namespace imds::sigma
