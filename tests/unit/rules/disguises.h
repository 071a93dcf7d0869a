// The same request written in other ways: what servers, proxies or resolvers undo.
#pragma once

#include <string>
#include <string_view>

#include "random_rules.h"

namespace imds::rules {

// Some characters of `text` encoded: percent once to three times, %u, overlong, fullwidth.
[[nodiscard]] std::string encoded(Generator& generator, std::string_view text);

// Slashes doubled or turned, dot segments and parameters put in, then encoded.
[[nodiscard]] std::string disguised_path(Generator& generator, std::string_view path);

// 169.254.169.254 or fd00:ec2::254 in another form, or the name `host`, for a Host header or URL.
[[nodiscard]] std::string disguised_host(Generator& generator);

// "Name: value" with its line end: other case, blanks, folds, line ends.
[[nodiscard]] std::string disguised_header(Generator& generator, std::string_view name,
                                           std::string_view value);

// A whole head for `path`, in any target form, with a Host and a few more headers, of which `text`
// is part.
[[nodiscard]] std::string disguised_head(Generator& generator, std::string_view path,
                                         std::string_view text);

}  // namespace imds::rules
