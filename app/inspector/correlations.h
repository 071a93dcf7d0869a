// Correlations and filters of the loaded rules: mapped to the story's own terms, and in words.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "settings.h"
#include "story/story.h"

namespace imds::inspector {

// Behind a catalog's rules: the correlations, and which rules alert through them only.
void add_correlations(const Ruleset& ruleset, story::RuleCatalog& catalog);

// Memory of all correlations together.
[[nodiscard]] std::size_t correlation_bytes(const config::Config& config);

// Of all correlations together, what each of them has room for.
[[nodiscard]] std::size_t group_capacity(const Ruleset& ruleset,
                                         const sigma::Correlation& correlation,
                                         std::size_t memory_bytes);

// Of the rule or correlation it means.
[[nodiscard]] const std::string& id_of(const Ruleset& ruleset, const sigma::Reference& reference);

// For `--check`, a few lines for each.
[[nodiscard]] std::vector<std::string> describe_correlations(const Ruleset& ruleset,
                                                             std::size_t memory_bytes);
[[nodiscard]] std::vector<std::string> describe_filters(const Ruleset& ruleset);

}  // namespace imds::inspector
