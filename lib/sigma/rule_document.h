// One YAML document to one rule: its attributes, logsource, detection.
#pragma once

#include "base/result.h"
#include "context.h"
#include "sigma/load.h"

namespace imds::sigma {

// Adds to `loaded`: a rule, or a skipped one. Does not look for duplicate ids.
[[nodiscard]] Status read_rule_document(const Context& context, const Node& document,
                                        LoadedRules& loaded);

}  // namespace imds::sigma
