// Rules that compare what only the story knows. A worker takes those comparisons for true; the
// story makes them, and takes all others as the worker found them.
#pragma once

#include "atoms.h"
#include "base/result.h"
#include "expression.h"
#include "program.h"
#include "sigma/rule.h"

namespace imds::rules {

struct StoryCondition {
  StoryRule rule;  // without its entry
  Expression whole;
};

// The whole condition of a rule that compares such fields. Error: that of build_expression(), or
// more than kMaxComparedWithStory other comparisons.
[[nodiscard]] Result<StoryCondition> read_story_rule(const sigma::Rule& rule, AtomTable& atoms);

}  // namespace imds::rules
