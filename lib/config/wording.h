// How errors quote what the file says, and which known word somebody may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace imds::config {

// 'text', safe for terminals and not longer than a line.
[[nodiscard]] std::string quote(std::string_view text);

// "a, b, c"
[[nodiscard]] std::string join(std::span<const std::string> words);

// The known word with the fewest edits (insert, delete, replace, swap neighbours) from `word`,
// or an empty one when none is near enough to be a misspelling of it.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

}  // namespace imds::config
