#include "compiler.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "rules/regex_literals.h"

namespace imds::rules {
namespace {

using event::EventType;
using event::FieldId;

// Leaves of all expressions together; each becomes a step.
constexpr std::size_t kMaxLeaves = 20'000'000;

std::size_t index_of(EventType type) {
  return static_cast<std::size_t>(type);
}

// How often, relatively, an atom sends its rules to evaluation in vain.
double candidate_cost(const Atom& atom) {
  constexpr double kNumber = 50;
  constexpr double kNoLiteral = 100;
  constexpr double kPresence = 200;
  switch (atom.kind) {
    case Atom::Kind::prefix:
      return 1;
    case Atom::Kind::number:
      return kNumber;
    case Atom::Kind::present:
    case Atom::Kind::reference:
      return kPresence;
    case Atom::Kind::regex: {
      const std::vector<std::string> needed =
          required_literals(atom.regex_text, [](const std::string& literal) { return literal; });
      return needed.empty() ? kNoLiteral : std::min(kNoLiteral, literals_cost(needed));
    }
    case Atom::Kind::text:
      break;
  }
  double best = kNoLiteral;
  for (const std::string& literal : atom.glob.literals()) {
    best = std::min(best, literal_cost(literal));
  }
  return best;
}

// Bytes of a stream that a comparison may need together.
std::size_t raw_span(const Atom& atom) {
  constexpr std::size_t kLongestRegexMatch = 1024;
  return atom.kind == Atom::Kind::regex
             ? std::min(atom.regex->longest_match().value_or(kLongestRegexMatch),
                        kLongestRegexMatch)
             : atom.glob.span();
}

bool is_before(const HeaderColumn& a, const HeaderColumn& b) {
  return std::pair(a.name.size(), std::string_view(a.name)) <
         std::pair(b.name.size(), std::string_view(b.name));
}

}  // namespace

Compiler::Compiler(const std::vector<sigma::Rule>& rules, const CompileOptions& options,
                   const std::vector<sigma::Filter>& filters)
    : rules_(rules), filters_(filters), program_(std::make_unique<Program>()) {
  program_->options = options;
}

Result<std::unique_ptr<const Program>> Compiler::compile() {
  if (Status status = read_rules(); !status) {
    return pass_on(status);
  }
  if (Status status = read_filters(); !status) {
    return pass_on(status);
  }
  for (const Atom& atom : program_->atoms.all()) {
    head_keys_.push_back(head_key(atom, program_->options.min_literal_bytes));
    raw_keys_.push_back(raw_keys(atom, program_->options.min_literal_bytes));
    candidate_costs_.push_back(candidate_cost(atom));
  }
  for (std::size_t type = 0; type < event::kEventTypeCount; ++type) {
    plan_type(static_cast<EventType>(type));
  }
  for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
    index_heads(rule);
    index_raw(rule);
    name_connections(rule);
    warn_of_absent_fields(rules_[rule], rule);
  }
  emit_steps();
  if (Status status = build_field_tables(); !status) {
    return pass_on(status);
  }
  if (Status status = build_scan(head_literals_, program_->head); !status) {
    return pass_on(status);
  }
  if (Status status = build_scan(raw_literals_, program_->raw); !status) {
    return pass_on(status);
  }
  program_->options.compilation = nullptr;
  program_->destinations.assign(destinations_.begin(), destinations_.end());
  program_->sources.assign(sources_.begin(), sources_.end());
  return std::unique_ptr<const Program>(std::move(program_));
}

Status Compiler::read_rules() {
  if (rules_.size() > kMaxRules) {
    return fail_at(
        ErrorKind::config, rules_[kMaxRules].where(),
        std::to_string(rules_.size()) + " rules; the limit is " + std::to_string(kMaxRules));
  }
  std::size_t leaves = 0;
  for (const sigma::Rule& rule : rules_) {
    Result<BuiltExpression> built = build_expression(rule, program_->atoms, StoryFields::assumed);
    if (!built) {
      return pass_on(built);
    }
    for_each_leaf(built->expression, [&](const Expression&) { ++leaves; });
    if (leaves > kMaxLeaves) {
      return fail_at(
          ErrorKind::config, rule.where(),
          "more than " + std::to_string(kMaxLeaves) + " comparisons in all rules up to this one");
    }
    expressions_.push_back(std::move(built->expression));
    request_parts_.emplace_back();
    add_info(rule);
    if (rule.awaits_answer) {
      Result<Expression> part = read_request_part(rule, program_->atoms);
      if (!part) {
        return pass_on(part);
      }
      request_parts_.back() = std::move(*part);
      program_->awaits_answers = true;
    }
    if (built->compares_story) {
      if (Status status = add_story_rule(expressions_.size() - 1); !status) {
        return status;
      }
    }
  }
  program_->indexes.resize(rules_.size());
  return {};
}

Status Compiler::read_filters() {
  if (filters_.empty()) {
    return {};
  }
  if (filters_.size() > kMaxRules) {
    return fail_at(ErrorKind::config, filters_[kMaxRules].detection.where(),
                   "more than " + std::to_string(kMaxRules) + " filters");
  }
  Filters& table = program_->filters;
  std::vector<std::vector<std::uint16_t>> of_rule(rules_.size());
  for (const sigma::Filter& filter : filters_) {
    Result<BuiltExpression> built =
        build_expression(filter.detection, program_->atoms, StoryFields::compared);
    if (!built) {
      return pass_on(built);
    }
    if (built->compares_story) {
      return fail_at(ErrorKind::config, filter.detection.where(),
                     "a filter cannot compare imds.stage, imds.timeline or imds.reached: it is "
                     "judged before the "
                     "story is known; write a 'not' into the rule instead");
    }
    filter_expressions_.push_back(std::move(built->expression));
    for (const std::size_t rule : filter.rules) {
      of_rule[rule].push_back(static_cast<std::uint16_t>(table.titles.size()));
    }
    table.titles.push_back(filter.detection.title);
  }
  table.of_rule_start.push_back(0);
  for (const std::vector<std::uint16_t>& filters : of_rule) {
    table.of_rule.insert(table.of_rule.end(), filters.begin(), filters.end());
    table.of_rule_start.push_back(static_cast<std::uint32_t>(table.of_rule.size()));
  }
  return {};
}

void Compiler::add_info(const sigma::Rule& rule) {
  RuleInfo info;
  info.id = rule.id;
  info.title = rule.title;
  info.level = std::string(sigma::name(rule.level));
  info.severity = sigma::severity(rule.level);
  info.tags = rule.tags;
  info.file = rule.file;
  info.line = rule.position.line;
  info.awaits_answer = rule.awaits_answer;
  program_->infos.push_back(std::move(info));
}

// For raw_match only strings make a rule run; one that some alternative can do without runs for
// any string it names.
Cover Compiler::candidates(const Expression& expression, EventType type) const {
  const AtomTable& atoms = program_->atoms;
  if (type != EventType::raw_match) {
    const AtomCost cost = [&](AtomId id) { return std::optional(candidate_costs_[id]); };
    return cover(expression, atoms, type, cost, Alternatives::all_indexed);
  }
  const AtomCost cost = [&](AtomId id) {
    const std::vector<std::string>& literals = raw_keys_[id];
    return literals.empty() ? std::nullopt : std::optional(literals_cost(literals));
  };
  Cover found = cover(expression, atoms, type, cost, Alternatives::some_indexed);
  if (found.kind == Cover::Kind::indexed && found.partial) {
    found.atoms.clear();
    for_each_leaf(expression, [&](const Expression& leaf) {
      if (!leaf.negated && !raw_keys_[leaf.atom].empty()) {
        found.atoms.push_back(leaf.atom);
      }
    });
  }
  if (found.kind != Cover::Kind::indexed) {
    found.kind = Cover::Kind::never;
  }
  return found;
}

// A rule that awaits answers is asked of requests, too: whether they may fit it.
bool Compiler::is_asked(std::size_t rule, EventType type) const {
  return (rules_[rule].events & event::bit(type)) != 0 ||
         (rules_[rule].awaits_answer && type == EventType::http_request);
}

const Expression& Compiler::asked(std::size_t rule, EventType type) const {
  return rules_[rule].awaits_answer && type == EventType::http_request ? request_parts_[rule]
                                                                       : expressions_[rule];
}

void Compiler::plan_type(EventType type) {
  TypePlan& plan = program_->plans[index_of(type)];
  std::vector<std::uint16_t> listeners;
  std::vector<std::pair<AtomId, std::uint16_t>> postings;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!is_asked(i, type)) {
      continue;
    }
    const Cover found = candidates(asked(i, type), type);
    if (found.kind == Cover::Kind::never) {
      continue;
    }
    const auto rule = static_cast<std::uint16_t>(i);
    listeners.push_back(rule);
    program_->infos[i].events |= rules_[i].events & event::bit(type);
    if (found.kind != Cover::Kind::indexed) {
      plan.always.push_back(rule);
      continue;
    }
    for (const AtomId atom : found.atoms) {
      postings.emplace_back(atom, rule);
    }
  }
  plan.listens = !listeners.empty();
  plan.known.assign(words_for(program_->atoms.size()), 0);
  for (AtomId id = 0; id < program_->atoms.size(); ++id) {
    if (outcome(program_->atoms[id], type) == Outcome::always) {
      set_bit(plan.known, id);
    }
  }
  plan_fields(plan, type, listeners);

  std::sort(postings.begin(), postings.end());
  postings.erase(std::unique(postings.begin(), postings.end()), postings.end());
  if (postings.empty()) {
    return;
  }
  plan.posting_start.assign(program_->atoms.size() + 1, 0);
  for (const auto& [atom, rule] : postings) {
    ++plan.posting_start[atom + 1];
    plan.posting.push_back(rule);
  }
  for (std::size_t i = 1; i < plan.posting_start.size(); ++i) {
    plan.posting_start[i] += plan.posting_start[i - 1];
  }
}

void Compiler::plan_fields(TypePlan& plan, EventType type,
                           const std::vector<std::uint16_t>& listeners) const {
  std::set<Column> columns;
  std::set<AtomId> references;
  const auto add = [&](const Expression& leaf) {
    const Atom& atom = program_->atoms[leaf.atom];
    if (outcome(atom, type) != Outcome::depends) {
      return;
    }
    if (atom.kind == Atom::Kind::reference) {
      references.insert(leaf.atom);
    } else {
      columns.insert(atom.column);
    }
  };
  for (const std::uint16_t rule : listeners) {
    for_each_leaf(asked(rule, type), add);
    for (const std::uint16_t filter : program_->filters.of(rule)) {
      for_each_leaf(filter_expressions_[filter], add);
    }
  }
  plan.references.assign(references.begin(), references.end());
  for (const Column column : columns) {
    const event::FieldRef field = program_->atoms.field(column);
    if (field.id == FieldId::request_header) {
      plan.request_headers.push_back({field.header, column});
    } else if (field.id == FieldId::response_header) {
      plan.response_headers.push_back({field.header, column});
    } else {
      plan.fields.push_back(field.id);
    }
  }
  std::sort(plan.request_headers.begin(), plan.request_headers.end(), is_before);
  std::sort(plan.response_headers.begin(), plan.response_headers.end(), is_before);
}

void Compiler::index_heads(std::size_t rule) {
  const RuleInfo& info = program_->infos[rule];
  if ((info.events & event::bit(EventType::http_request)) == 0 && !info.awaits_answer) {
    return;
  }
  const Expression& expression = asked(rule, EventType::http_request);
  const AtomCost cost = [&](AtomId id) {
    const HeadKey& key = head_keys_[id];
    return key.kind == HeadKey::Kind::none ? std::nullopt : std::optional(key.cost);
  };
  const Cover found =
      cover(expression, program_->atoms, EventType::http_request, cost, Alternatives::all_indexed);
  RuleIndex& index = program_->indexes[rule];
  if (found.kind == Cover::Kind::never) {
    return;
  }
  if (found.kind != Cover::Kind::indexed) {
    index.unindexed_because = unindexed_reason(expression);
    program_->parses_every_head = true;
    return;
  }
  std::set<std::string> literals;
  std::set<IpPrefix> destinations;
  std::set<IpPrefix> sources;
  for (const AtomId atom : found.atoms) {
    const HeadKey& key = head_keys_[atom];
    switch (key.kind) {
      case HeadKey::Kind::literal:
        literals.insert(key.literals.begin(), key.literals.end());
        break;
      case HeadKey::Kind::destination:
        destinations.insert(program_->atoms[atom].prefix);
        break;
      case HeadKey::Kind::source:
        sources.insert(program_->atoms[atom].prefix);
        break;
      case HeadKey::Kind::endpoint:
        index.endpoint = true;
        break;
      case HeadKey::Kind::none:
        break;
    }
  }
  index.literals.assign(literals.begin(), literals.end());
  index.destinations.assign(destinations.begin(), destinations.end());
  index.sources.assign(sources.begin(), sources.end());
  head_literals_.merge(literals);
  destinations_.merge(destinations);
  sources_.merge(sources);
}

void Compiler::index_raw(std::size_t rule) {
  if ((program_->infos[rule].events & event::bit(EventType::raw_match)) == 0) {
    return;
  }
  for (const AtomId atom : candidates(expressions_[rule], EventType::raw_match).atoms) {
    raw_literals_.insert(raw_keys_[atom].begin(), raw_keys_[atom].end());
  }
  for_each_leaf(expressions_[rule], [&](const Expression& leaf) {
    const Atom& atom = program_->atoms[leaf.atom];
    if (compares_stream(atom)) {
      program_->longest_raw_literal = std::max(program_->longest_raw_literal, raw_span(atom));
      const auto pair = atom.kind == Atom::Kind::text ? atom.glob.first_pair() : std::nullopt;
      if (pair) {
        program_->raw_starts.add((*pair)[0], (*pair)[1]);
      } else {
        program_->raw_starts.add_any();
      }
    }
  });
}

// Destinations under no negation, in alternatives that can hold for a connection.
void Compiler::name_connections(std::size_t rule) {
  if ((program_->infos[rule].events & event::bit(EventType::connection)) == 0) {
    return;
  }
  const AtomCost any_cost = [](AtomId) { return std::optional(1.0); };
  const std::function<void(const Expression&)> visit = [&](const Expression& expression) {
    if (expression.kind == Expression::Kind::leaf) {
      const Atom& atom = program_->atoms[expression.atom];
      if (!expression.negated && atom.kind == Atom::Kind::prefix &&
          atom.field == FieldId::destination_ip) {
        destinations_.insert(atom.prefix);
      }
      return;
    }
    const Cover possible = cover(expression, program_->atoms, EventType::connection, any_cost,
                                 Alternatives::all_indexed);
    if (possible.kind != Cover::Kind::never) {
      std::for_each(expression.operands.begin(), expression.operands.end(), visit);
    }
  };
  visit(expressions_[rule]);
}

// The first leaf that stands in the way, and why.
std::string Compiler::unindexed_reason(const Expression& expression) const {
  const AtomCost cost = [&](AtomId id) {
    const HeadKey& key = head_keys_[id];
    return key.kind == HeadKey::Kind::none ? std::nullopt : std::optional(key.cost);
  };
  const auto blocks = [&](const Expression& part) {
    const Cover::Kind kind =
        cover(part, program_->atoms, EventType::http_request, cost, Alternatives::all_indexed).kind;
    return kind == Cover::Kind::none || kind == Cover::Kind::always;
  };
  if (expression.kind == Expression::Kind::constant) {
    return "what only the story knows, or only the answer, may hold for every request";
  }
  if (expression.kind == Expression::Kind::leaf) {
    const Atom& atom = program_->atoms[expression.atom];
    const Outcome known = outcome(atom, EventType::http_request);
    const std::string shown = (expression.negated ? "not " : "") + atom.shown;
    if (known != Outcome::depends) {
      return "'" + shown + "' holds for every request";
    }
    return expression.negated ? "'" + shown + "' is a negation"
                              : "'" + shown + "' " + head_keys_[expression.atom].why_not;
  }
  for (const Expression& operand : expression.operands) {
    if (blocks(operand)) {
      return unindexed_reason(operand);
    }
  }
  return "its condition always holds";
}

void Compiler::warn_of_absent_fields(const sigma::Rule& rule, std::size_t index) {
  std::set<FieldId> negated;
  for_each_leaf(expressions_[index], [&](const Expression& leaf) {
    const Atom& atom = program_->atoms[leaf.atom];
    if (leaf.negated && atom.kind != Atom::Kind::present) {
      negated.insert(atom.field);
    }
  });
  for (const FieldId field : negated) {
    const std::uint32_t without = program_->infos[index].events & ~event::describe(field).events;
    std::string types;
    for (std::size_t type = 0; type < event::kEventTypeCount; ++type) {
      if ((without & event::bit(static_cast<EventType>(type))) != 0) {
        types += (types.empty() ? "" : ", ") + std::string(name(static_cast<EventType>(type)));
      }
    }
    if (!types.empty()) {
      program_->warnings.push_back(
          rule.where().file + ":" + std::to_string(rule.position.line) + ": '" + rule.title +
          "' negates a comparison of " + std::string(event::describe(field).name) +
          ", which is always true for " + types + ", where the field is absent");
    }
  }
}

void Compiler::emit_steps() {
  for (const Expression& expression : expressions_) {
    program_->entry.push_back(emit(expression, kHit, kMiss));
  }
  if (program_->awaits_answers) {
    for (const Expression& part : request_parts_) {
      program_->request_part.push_back(emit(part, kHit, kMiss));
    }
  }
  for (const Expression& expression : filter_expressions_) {
    program_->filters.entry.push_back(emit(expression, kHit, kMiss));
  }
  for (std::size_t i = 0; i < story_expressions_.size(); ++i) {
    program_->story.rules[i].entry = emit(story_expressions_[i], kHit, kMiss);
  }
}

// From the last operand to the first, so that every target exists when it is referred to.
std::uint32_t Compiler::emit(const Expression& expression, std::uint32_t if_true,
                             std::uint32_t if_false) {
  switch (expression.kind) {
    case Expression::Kind::constant:
      return expression.value ? if_true : if_false;
    case Expression::Kind::leaf:
      program_->steps.push_back({expression.atom, expression.negated ? if_false : if_true,
                                 expression.negated ? if_true : if_false});
      return static_cast<std::uint32_t>(program_->steps.size() - 1);
    case Expression::Kind::all: {
      std::uint32_t next = if_true;
      for (auto it = expression.operands.rbegin(); it != expression.operands.rend(); ++it) {
        next = emit(*it, next, if_false);
      }
      return next;
    }
    case Expression::Kind::any: {
      std::uint32_t next = if_false;
      for (auto it = expression.operands.rbegin(); it != expression.operands.rend(); ++it) {
        next = emit(*it, if_true, next);
      }
      return next;
    }
  }
  return if_false;
}

}  // namespace imds::rules
