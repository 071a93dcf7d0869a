// A rule's condition as a tree over atoms, negations only at its leaves, and what can be told from
// it before an event is seen: on which types of events it can hold, and which few atoms it needs.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "atoms.h"
#include "base/result.h"
#include "event/event.h"
#include "rules/rule_set.h"
#include "sigma/rule.h"

namespace imds::rules {

struct Expression {
  enum class Kind : std::uint8_t { constant, leaf, all, any } kind = Kind::constant;
  bool value = false;    // constant
  bool negated = false;  // leaf
  AtomId atom = 0;       // leaf
  std::vector<Expression> operands;
};

// Leaves of one rule's expression: a bound on memory, far above any rule written by a person.
inline constexpr std::size_t kMaxLeavesPerRule = 200'000;

// Comparisons of fields that only the story knows (event::is_of_story).
enum class StoryFields : std::uint8_t {
  assumed,   // each taken to come out as the rule wants it, as far as the event can have the field
  compared,  // as any other
};

// Comparisons of what a request's answer says, or that may come out otherwise for it.
enum class AnswerFields : std::uint8_t {
  compared,  // as any other
  assumed,   // each taken to come out as the rule wants it
};

struct BuiltExpression {
  Expression expression;
  bool compares_story = false;  // some comparison is of such a field
};

// Errors carry the position in the rule: a string value or a rule over its limit, or a field of the
// story compared with another field.
//
// With StoryFields::assumed the expression holds wherever the rule could, whatever the story says:
// negations stand at the leaves, so that taking leaves for true never makes it hold less often.
// With AnswerFields::assumed it holds for every request whose answer the rule could hold for.
[[nodiscard]] Result<BuiltExpression> build_expression(
    const sigma::Rule& rule, AtomTable& atoms, StoryFields story_fields,
    AnswerFields answer_fields = AnswerFields::compared);

// What a rule that awaits answers says of their requests. Error: that of build_expression(), or it
// says nothing that would single them out, so that every answer would have to be read.
[[nodiscard]] Result<Expression> read_request_part(const sigma::Rule& rule, AtomTable& atoms);

// A necessary set: if the expression holds, so does one of `atoms` at least.
struct Cover {
  enum class Kind : std::uint8_t {
    never,    // the expression cannot hold
    always,   // it holds for every event of the type
    indexed,  // `atoms` is a necessary set
    none,     // it may hold without any atom that can be looked up
  } kind = Kind::none;
  double cost = 0;
  std::vector<AtomId> atoms;
  bool partial = false;  // indexed, but alternatives were left out: it may hold without `atoms`
};

// What it costs to have an atom in a necessary set; nullopt: it cannot stand in one.
using AtomCost = std::function<std::optional<double>(AtomId)>;

enum class Alternatives : std::uint8_t {
  all_indexed,   // a disjunction is covered only if each of its operands is
  some_indexed,  // operands that are not covered are left out and the cover marked partial
};

[[nodiscard]] Cover cover(const Expression& expression, const AtomTable& atoms,
                          event::EventType type, const AtomCost& cost, Alternatives alternatives);

// Calls `visit(leaf)` for every leaf.
void for_each_leaf(const Expression& expression,
                   const std::function<void(const Expression&)>& visit);

}  // namespace imds::rules
