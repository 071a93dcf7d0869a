#include "story_rules.h"

#include <algorithm>
#include <utility>

#include "compiler.h"
#include "event/fields.h"

namespace imds::rules {

Result<StoryCondition> read_story_rule(const sigma::Rule& rule, AtomTable& atoms) {
  Result<BuiltExpression> built = build_expression(rule, atoms, StoryFields::compared);
  if (!built) {
    return pass_on(built);
  }
  StoryCondition out;
  out.whole = std::move(built->expression);
  std::vector<AtomId>& compared = out.rule.compared;
  for_each_leaf(out.whole, [&](const Expression& leaf) {
    if (!event::is_of_story(atoms[leaf.atom].field)) {
      compared.push_back(leaf.atom);
    }
  });
  std::sort(compared.begin(), compared.end());
  compared.erase(std::unique(compared.begin(), compared.end()), compared.end());
  if (compared.size() > kMaxComparedWithStory) {
    return fail_at(ErrorKind::config, rule.where(),
                   "a rule with imds.stage, imds.timeline or imds.reached makes at most " +
                       std::to_string(kMaxComparedWithStory) +
                       " different comparisons of other fields; this one makes " +
                       std::to_string(compared.size()));
  }
  return out;
}

Status Compiler::add_story_rule(std::size_t rule) {
  Result<StoryCondition> condition = read_story_rule(rules_[rule], program_->atoms);
  if (!condition) {
    return pass_on(condition);
  }
  StoryRules& story = program_->story;
  story.of_rule.resize(rules_.size(), StoryRules::kNone);
  story.of_rule[rule] = static_cast<std::uint16_t>(story.rules.size());
  story.rules.push_back(std::move(condition->rule));
  story_expressions_.push_back(std::move(condition->whole));
  program_->infos[rule].in_story = true;
  return {};
}

}  // namespace imds::rules
