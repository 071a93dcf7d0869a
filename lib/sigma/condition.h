// The condition language: and, or, not, parentheses, `1 of`, `any of`, `all of`, `them`.
// Specification 2.x, "Condition".
#pragma once

#include <vector>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

// Resolves names and quantifiers against `selections` and marks in `used` (one per selection) those
// the condition refers to.
[[nodiscard]] Result<Condition> parse_condition(const Context& context, const Node& text,
                                                const std::vector<Selection>& selections,
                                                std::vector<bool>& used);

// A word the condition language keeps for itself, so that no selection can have it as name.
[[nodiscard]] bool is_reserved_word(std::string_view word);

}  // namespace imds::sigma
