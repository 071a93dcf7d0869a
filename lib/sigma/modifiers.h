// The modifiers of one line of a selection: `field|modifier|modifier`. Specification 2.x,
// "Modifiers".
#pragma once

#include <vector>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"
#include "transform.h"

namespace imds::sigma {

// A line while it is read.
struct MatchDraft {
  FieldMatch match;
  std::vector<Transform> transforms;  // of the values, in the order given
  bool refers = false;                // the values are names of fields (fieldref)

  [[nodiscard]] bool has(Transform transform) const;
};

// Reads the modifiers behind the name in `key`. Errors: unknown, given twice, contradicting each
// other, in an order that makes no sense.
[[nodiscard]] Status read_modifiers(const Context& context, const Node& key, MatchDraft& draft);

// Whether they make sense for the field, which is resolved by now.
[[nodiscard]] Status check_modifiers(const Context& context, const MatchDraft& draft);

}  // namespace imds::sigma
