// One YAML document to one rule: its attributes, logsource, detection.
#pragma once

#include "base/result.h"
#include "context.h"
#include "sigma/load.h"

namespace imds::sigma {

// Title, id, level and the other attributes that every kind of document has. A missing level is no
// error here (Rule::has_level), nor is a missing id where it is not needed.
[[nodiscard]] Status read_attributes(const Context& context, const Node& document, bool needs_id,
                                     Rule& rule);
// Custom attributes are legal, but one that almost has a standard name is probably a slip.
void warn_of_near_misses(const Context& context, const Node& document);

// Adds to `loaded`: a rule, or a skipped one. Does not look for duplicate ids.
[[nodiscard]] Status read_rule_document(const Context& context, const Node& document,
                                        LoadedRules& loaded);

}  // namespace imds::sigma
