// What the named profiles consist of. Private to the generator.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "maker.h"
#include "trace.h"

namespace imds::traces {

// How much of a trace's bytes conversations of one kind make up.
struct Share {
  Kind kind;
  double bytes;
};

struct Recipe {
  Profile profile;
  std::vector<Share> shares;
  Link link = Link::plain;
  double elephant = 0;  // of all packets, those of one single connection
  // How long a trace lasts, whatever its size; 0: as long as a full link of 10 Gbit/s takes for it.
  std::int64_t seconds = 0;
};

// Other names of profiles.
struct Alias {
  std::string_view name;
  std::string_view profile;
};

[[nodiscard]] std::span<const Recipe> recipes();
[[nodiscard]] std::span<const Alias> aliases();
// nullptr for flows-N.
[[nodiscard]] const Recipe* find_recipe(std::string_view profile);

}  // namespace imds::traces
