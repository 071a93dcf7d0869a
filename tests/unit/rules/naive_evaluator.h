// Sigma semantics written down as plainly as possible: walks the rule tree for every event, shares
// nothing with the compiled form but event::value_of. The reference of the differential tests.
#pragma once

#include <functional>

#include "event/event.h"
#include "sigma/rule.h"

namespace imds::rules {

// Text comparisons for which `hidden` is true count as false.
using Hidden = std::function<bool(const sigma::FieldMatch&, const sigma::Value&)>;

[[nodiscard]] bool naive_holds(const sigma::Rule& rule, const event::Event& event,
                               const Hidden& hidden);
[[nodiscard]] bool naive_holds(const sigma::Rule& rule, const event::Event& event);

}  // namespace imds::rules
