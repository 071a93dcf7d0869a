// One value of a field match, in the form its field and operation ask for.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

// `match` has its field, operation and flags; `events` is what the rule listens to.
[[nodiscard]] Result<Value> read_value(const Context& context, const FieldMatch& match,
                                       const Node& node, std::uint32_t events);

}  // namespace imds::sigma
