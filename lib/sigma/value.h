// One value of a field match, in the form its field and operation ask for.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "context.h"
#include "modifiers.h"
#include "sigma/rule.h"

namespace imds::sigma {

// The field a rule names at `at`. Errors: no field of that name, or of no event in `events`.
[[nodiscard]] Result<event::FieldRef> find_field(const Context& context, Position at,
                                                 const std::string& name, std::uint32_t events);

// `draft` has its field, operation and flags; `events` is what the rule listens to.
[[nodiscard]] Result<Value> read_value(const Context& context, const MatchDraft& draft,
                                       const Node& node, std::uint32_t events);

}  // namespace imds::sigma
