// A named item of the detection section: field maps, lists of them, keywords.
// Specification 2.x, "Search-Identifier", and its modifiers appendix.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

// `events`: what the rule listens to; a field none of them can carry is an error.
[[nodiscard]] Result<Selection> read_selection(const Context& context, const Node& name,
                                               const Node& item, std::uint32_t events);

}  // namespace imds::sigma
