// YAML text to plain trees with positions. yaml-cpp is named in document.cc only; its exceptions
// end there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sigma/rule.h"

namespace imds::sigma {

inline constexpr std::size_t kMaxFileSize = 10u << 20;
inline constexpr std::size_t kMaxNodes = 1'000'000;
inline constexpr std::size_t kMaxTextBytes = 2 * kMaxFileSize;  // of all scalars, aliases expanded
inline constexpr std::size_t kMaxNesting = 32;

struct Node {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };

  Kind kind = Kind::null;
  bool plain = false;  // a scalar without quotes: `true` is a boolean, `'true'` a string
  Position position;
  std::size_t offset = 0;  // into the source, of the first byte, quotes included
  std::string text;        // scalar
  std::vector<Node> keys;  // map: scalars, all different, one per child
  std::vector<Node> children;

  [[nodiscard]] bool is_null() const { return kind == Kind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::scalar; }
  [[nodiscard]] bool is_sequence() const { return kind == Kind::sequence; }
  [[nodiscard]] bool is_map() const { return kind == Kind::map; }
  // The value of a map's key, or nullptr.
  [[nodiscard]] const Node* find(std::string_view key) const;
};

// All documents of a file. `source` may not begin with a byte order mark. Errors: not YAML, a limit
// passed, a key twice in one map, a key that is no scalar, a tag other than YAML's own.
[[nodiscard]] Result<std::vector<Node>> parse_documents(const std::string& source,
                                                        const std::string& file_name);

// Where the byte at `index` of a scalar's text stands in the source. Exact for every style whose
// text stands in the source unescaped: plain, quoted, folded and literal.
[[nodiscard]] Position locate(std::string_view source, const Node& scalar, std::size_t index);

// Points to the first byte that is not well-formed UTF-8, or is a control character YAML forbids:
// yaml-cpp would take U+0004 for the end of the file and silently leave out the rest.
[[nodiscard]] Status check_characters(std::string_view source, const std::string& file_name);

}  // namespace imds::sigma
