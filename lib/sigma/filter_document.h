// One YAML document to one filter, its references not yet resolved.
// "Sigma Filters Specification" 2.x.
#pragma once

#include "base/result.h"
#include "context.h"
#include "sigma/load.h"

namespace imds::sigma {

// Adds to `loaded`: a filter, or a skipped document.
//
// What a filter withholds. The specification says that a filter suppresses matches, and its example
// reads `condition: selection`; the reference converter adds the condition to the rule's with
// `and`, so its users write `condition: not selection` and mean the same. Both are read as they are
// meant: an event that none of the selections describes is never withheld. So a condition that is
// false for such an event says what is withheld, and one that is true for it says what remains.
[[nodiscard]] Status read_filter_document(const Context& context, const Node& document,
                                          LoadedRules& loaded);

}  // namespace imds::sigma
