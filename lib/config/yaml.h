// A YAML document as a plain tree with positions, strict about what the schema could not see
// otherwise: repeated keys, aliases, tags and further documents are errors here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace imds::config {

struct Place {
  int line = 0;  // from 1
  int column = 0;
};

struct Entry;

struct Node {
  enum class Kind { null, scalar, list, map } kind = Kind::null;
  Place place;
  std::string text;            // scalar
  bool quoted = false;         // scalar in quotes or a block: a text, whatever it looks like
  std::vector<Node> items;     // list
  std::vector<Entry> entries;  // map, in the file's order, keys unique
};

struct Entry {
  std::string key;
  Place key_place;
  Node value;
};

// Bounds: kMaxFileBytes, kMaxDepth. An empty text is a null node. `name` stands in errors only.
[[nodiscard]] Result<Node> parse_yaml(std::string_view text, const std::string& name);

}  // namespace imds::config
