// What can be told of an atom before a request head is parsed: a literal that must stand in the
// raw bytes, or an address the flow must have.
//
// Literals are looked for in plain heads only: `Name:` OWS `value`, one line per header, a target
// that normalising leaves as it is. The caller parses every other head (http::has_disguise).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "atoms.h"

namespace imds::rules {

struct HeadKey {
  enum class Kind : std::uint8_t {
    none,
    literal,      // one of `literals` stands in the raw head, ASCII case ignored
    destination,  // the flow's destination is within the atom's prefix
    source,       // the flow's source is within the atom's prefix
    endpoint,     // the flow touches a configured endpoint
  } kind = Kind::none;
  std::vector<std::string> literals;  // lower case
  double cost = 0;                    // relative cost of the heads that are parsed for it in vain
  std::string why_not;                // none: the reason, for people
};

[[nodiscard]] HeadKey head_key(const Atom& atom, std::size_t min_literal_bytes);

// In raw_match the atom looks for a string in the stream's bytes.
[[nodiscard]] bool compares_stream(const Atom& atom);

// For raw_match: literals, in lower case, of which the atom needs one in the stream's bytes; empty
// if it is no string comparison on them or its literals are too short.
[[nodiscard]] std::vector<std::string> raw_keys(const Atom& atom, std::size_t min_literal_bytes);

// Relative cost of looking for a literal: long ones are rare in ordinary traffic.
[[nodiscard]] double literal_cost(const std::string& literal);
// The same for one of several.
[[nodiscard]] double literals_cost(const std::vector<std::string>& literals);

}  // namespace imds::rules
