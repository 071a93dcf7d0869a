// Values of fields whose possible values are known.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

// What can never match is refused, and other notations are brought to the one events have.
[[nodiscard]] Status settle_known_values(const Context& context, const FieldMatch& match,
                                         const Node& node, std::uint32_t events, Pattern& pattern);

}  // namespace imds::sigma
