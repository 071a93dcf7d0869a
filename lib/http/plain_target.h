// Targets that mean what they say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace imds::http {

// The target is a path, perhaps with a query, that normalising leaves as it is: it begins with a
// slash and has neither % nor bytes beyond ASCII, no fragment, and in its path no backslash, no
// parameter, no empty segment and none that begins with a dot. `readable` ≥ target.size() bytes may
// be read from its beginning; with some more than there are it is quicker.
[[nodiscard]] bool is_plain_target(std::string_view target, std::size_t readable = 0);

// The Disguise bits (sketch.h) of a path and query; a plain target has none.
[[nodiscard]] std::uint16_t path_and_query_disguise(std::string_view text);

}  // namespace imds::http
