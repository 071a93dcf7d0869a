// One YAML document to one correlation, its references not yet resolved.
// "Sigma Correlation Rules Specification" 2.x.
#pragma once

#include "base/result.h"
#include "context.h"
#include "sigma/load.h"

namespace imds::sigma {

// Adds to `loaded`. The result's rules have text and position only; what depends on them (fields by
// rule, events, levels) is left to link().
[[nodiscard]] Status read_correlation_document(const Context& context, const Node& document,
                                               LoadedRules& loaded);

// The names or ids a document refers to: a list of texts, all different.
[[nodiscard]] Result<std::vector<Reference>> read_references(const Context& context,
                                                             const Node& key, const Node& list);

// Keys other than `known` are an error: unlike a rule's attributes they would change what is meant.
[[nodiscard]] Status check_keys(const Context& context, const Node& map, std::string_view what,
                                std::initializer_list<std::string_view> known);

}  // namespace imds::sigma
