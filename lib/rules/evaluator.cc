#include "rules/evaluator.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/text.h"
#include "field_values.h"
#include "program.h"
#include "reference.h"

namespace imds::rules {
namespace {

using event::EventType;
using event::FieldId;
using event::FieldValue;

// The same for all values of a field, those of a single header among them.
template <typename Visit>
bool any_text(const event::Event& event, const event::FieldRef& field, const Visit& visit) {
  if (field.id == FieldId::dns_answers) {
    return std::any_of(event.dns.answers.begin(), event.dns.answers.end(), visit);
  }
  if (!event::is_single_header(field.id)) {
    event::FieldScratch backing;
    return any_text(event::value_of(event, field.id, backing), visit);
  }
  bool found = false;
  const std::string_view headers =
      field.id == FieldId::request_header ? event.http.headers : event.response.headers;
  event::for_each_header(headers, [&](std::string_view name, std::string_view value) {
    found = found || (iequals(name, field.header) && visit(value));
  });
  return found;
}

}  // namespace

struct Evaluator::State {
  void begin_counting(const State* former);
  void compare_field(const event::Event& event, FieldId field);
  void compare_answers(std::span<const std::string_view> answers);
  void compare_headers(std::string_view headers, const std::vector<HeaderColumn>& compared);
  void compare_references(const event::Event& event, const std::vector<AtomId>& references);
  void compare_value(Column column, const FieldValue& value, bool contains_only);
  void compare_reading(const TextField& field, std::string_view text, bool contains_only);
  void compare_regexes(const TextField& field, std::string_view text);
  void compare_parsed(const ColumnTables& tables, std::string_view text);
  void compare_number(const std::vector<AtomId>& atoms, const FieldValue& value);
  void compare_address(const AddressField& field, const IpAddress& address);
  void choose_rules(const TypePlan& plan);
  [[nodiscard]] bool holds(std::uint32_t entry) const;
  [[nodiscard]] bool awaits_answer(std::size_t rule) const {
    return program().awaits_answers && program().infos[rule].awaits_answer;
  }
  [[nodiscard]] std::uint64_t compared(const StoryRule& rule) const;
  [[nodiscard]] bool withhold(std::size_t rule);
  [[nodiscard]] bool finds_any(const match::Database& database, ByteSpan bytes);
  void count_scan(std::size_t bytes) {
    counters->scans.add();
    counters->bytes_scanned.add(bytes);
  }
  [[nodiscard]] const Program& program() const { return rules->program(); }

  std::shared_ptr<const RuleSet> rules;
  match::Scratch scratch;
  std::optional<match::RegexScratch> regex_scratch;  // if some regular expression needs it
  Comparer comparer;
  std::vector<std::uint64_t> atoms;   // a bit per atom: it holds for the event
  std::vector<std::uint64_t> chosen;  // a bit per rule: its condition has to be run
  std::shared_ptr<EvaluatorCounters> counters;
  std::vector<std::shared_ptr<Counter>> withheld;  // per filter
};

Evaluator::Evaluator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

// Filters have no id: those of one title go on in the order they stand in.
void Evaluator::State::begin_counting(const State* former) {
  counters = former != nullptr ? former->counters : std::make_shared<EvaluatorCounters>();
  std::multimap<std::string_view, std::shared_ptr<Counter>> known;
  for (std::size_t i = 0; former != nullptr && i < former->withheld.size(); ++i) {
    known.emplace(former->program().filters.titles[i], former->withheld[i]);
  }
  for (const std::string& title : program().filters.titles) {
    if (const auto found = known.lower_bound(title);
        found != known.end() && found->first == title) {
      withheld.push_back(std::move(found->second));
      known.erase(found);
    } else {
      withheld.push_back(std::make_shared<Counter>());
    }
  }
}

Result<Evaluator> Evaluator::create(std::shared_ptr<const RuleSet> rules, const Evaluator* former) {
  auto state = std::make_unique<State>();
  state->rules = std::move(rules);
  state->begin_counting(former != nullptr ? former->state_.get() : nullptr);
  const Program& program = state->program();
  std::vector<const match::Database*> databases{&program.head, &program.raw};
  for (const ColumnTables& column : program.columns) {
    databases.push_back(&column.text.anchors);
    databases.push_back(&column.text.regexes);
  }
  Result<match::Scratch> scratch = match::Scratch::create(databases);
  if (!scratch) {
    return pass_on(scratch);
  }
  state->scratch = std::move(*scratch);
  if (program.confirms_regexes) {
    Result<match::RegexScratch> memory = match::RegexScratch::create();
    if (!memory) {
      return pass_on(memory);
    }
    state->regex_scratch.emplace(std::move(*memory));
  }
  state->atoms.resize(words_for(program.atoms.size()));
  state->chosen.resize(words_for(program.infos.size()));
  return Evaluator(std::move(state));
}

bool Evaluator::State::finds_any(const match::Database& database, ByteSpan bytes) {
  if (database.empty()) {
    return false;
  }
  count_scan(bytes.size());
  bool found = false;
  const bool scanned = match::scan(database, scratch, bytes, [&](std::uint32_t, std::uint64_t) {
    found = true;
    return false;
  });
  return found || !scanned;  // what could not be looked at may hold anything
}

bool Evaluator::prefilter(ByteSpan raw_head) {
  const bool found = state_->finds_any(state_->program().head, raw_head);
  if (found) {
    state_->counters->heads_passed.add();
  }
  return found;
}

bool Evaluator::prefilter_raw(ByteSpan bytes) {
  return state_->finds_any(state_->program().raw, bytes);
}

bool Evaluator::listens(EventType type) const {
  return state_->program().plans[static_cast<std::size_t>(type)].listens;
}

void Evaluator::State::compare_reading(const TextField& field, std::string_view text,
                                       bool contains_only) {
  const AtomTable& table = program().atoms;
  const auto allowed = [&](const Glob& glob) { return !contains_only || glob.is_contains(); };
  if (!field.anchors.empty()) {
    count_scan(text.size());
    const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    match::scan(field.anchors, scratch, bytes, [&](std::uint32_t id, std::uint64_t) {
      const TextField::Anchored& candidate = field.anchored[id];
      const Glob& glob = table[candidate.atom].glob;
      if (!test_bit(atoms, candidate.atom) && allowed(glob) &&
          (!candidate.confirm || glob.matches(text))) {
        set_bit(atoms, candidate.atom);
      }
      return true;
    });
  }
  for (const AtomId id : field.direct) {
    const Glob& glob = table[id].glob;
    if (!test_bit(atoms, id) && allowed(glob) && glob.matches(text)) {
      set_bit(atoms, id);
    }
  }
}

void Evaluator::State::compare_number(const std::vector<AtomId>& ids, const FieldValue& value) {
  for (const AtomId id : ids) {
    const Atom& atom = program().atoms[id];
    bool any = false;
    if (value.number_count == 0) {
      any = compare(sigma::part_of(value.number, atom.part), atom.comparison, atom.number);
    }
    for (std::size_t i = 0; i < value.number_count; ++i) {
      any = any || compare(value.numbers[i], atom.comparison, atom.number);
    }
    if (any) {
      set_bit(atoms, id);
    }
  }
}

void Evaluator::State::compare_address(const AddressField& field, const IpAddress& address) {
  for (const AddressField::Group& group : field.groups) {
    if (group.family != address.family) {
      continue;
    }
    const IpAddress network = masked(address, group.length);
    const auto found =
        std::lower_bound(group.prefixes.begin(), group.prefixes.end(), network,
                         [](const auto& entry, const IpAddress& a) { return entry.first < a; });
    if (found != group.prefixes.end() && found->first == network) {
      set_bit(atoms, found->second);
    }
  }
}

void Evaluator::State::compare_regexes(const TextField& field, std::string_view text) {
  const AtomTable& table = program().atoms;
  if (text.empty()) {  // which no scan reports
    for (const AtomId id : field.regex) {
      if (table[id].regex->matches_empty()) {
        set_bit(atoms, id);
      }
    }
    return;
  }
  count_scan(text.size());
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  match::scan(field.regexes, scratch, bytes, [&](std::uint32_t which, std::uint64_t) {
    const AtomId id = field.regex[which];
    const match::Regex& regex = *table[id].regex;
    if (test_bit(atoms, id)) {
      return true;
    }
    auto verdict = match::Regex::Verdict::yes;
    if (regex.needs_confirmation()) {
      verdict = regex.find(text, *regex_scratch);
    }
    if (verdict == match::Regex::Verdict::yes) {
      set_bit(atoms, id);
    } else if (verdict == match::Regex::Verdict::gave_up) {
      counters->regexes_given_up.add();
    }
    return true;
  });
}

// A text as the number or address that it may be.
void Evaluator::State::compare_parsed(const ColumnTables& tables, std::string_view text) {
  if (!tables.numbers.empty()) {
    if (const auto number = number_in(text)) {
      FieldValue value;
      value.number = *number;
      compare_number(tables.numbers, value);
    }
  }
  if (!tables.addresses.groups.empty()) {
    if (const auto address = address_in(text)) {
      compare_address(tables.addresses, *address);
    }
  }
}

void Evaluator::State::compare_value(Column column, const FieldValue& value, bool contains_only) {
  const ColumnTables& tables = program().columns[column];
  for (const AtomId id : tables.presence) {
    set_bit(atoms, id);
  }
  if (value.kind == FieldValue::Kind::number) {
    compare_number(tables.numbers, value);
  } else if (value.kind == FieldValue::Kind::address) {
    compare_address(tables.addresses, value.address);
  }
  const bool is_text = value.kind == FieldValue::Kind::text;
  if (tables.text.empty() && !is_text) {
    return;
  }
  any_text(value, [&](std::string_view text) {
    compare_reading(tables.text, text, contains_only);
    if (!tables.text.regex.empty() && !contains_only) {
      compare_regexes(tables.text, text);
    }
    if (is_text) {
      compare_parsed(tables, text);
    }
    return false;
  });
}

void Evaluator::State::compare_field(const event::Event& event, FieldId field) {
  if (field == FieldId::dns_answers) {
    compare_answers(event.dns.answers);
    return;
  }
  event::FieldScratch backing;
  const FieldValue value = event::value_of(event, field, backing);
  if (value.kind == FieldValue::Kind::absent) {
    return;
  }
  const bool contains_only = event.type == EventType::raw_match &&
                             (field == FieldId::url || field == FieldId::request_headers);
  compare_value(static_cast<Column>(field), value, contains_only);
}

void Evaluator::State::compare_answers(std::span<const std::string_view> answers) {
  for (const std::string_view answer : answers) {
    FieldValue text;
    text.kind = FieldValue::Kind::text;
    text.text = {answer, answer};
    compare_value(static_cast<Column>(FieldId::dns_answers), text, false);
  }
}

void Evaluator::State::compare_headers(std::string_view headers,
                                       const std::vector<HeaderColumn>& compared) {
  if (compared.empty()) {
    return;
  }
  event::for_each_header(headers, [&](std::string_view name, std::string_view value) {
    auto candidate = std::lower_bound(
        compared.begin(), compared.end(), name.size(),
        [](const HeaderColumn& column, std::size_t size) { return column.name.size() < size; });
    for (; candidate != compared.end() && candidate->name.size() == name.size(); ++candidate) {
      if (iequals(candidate->name, name)) {
        FieldValue text;
        text.kind = FieldValue::Kind::text;
        text.text = {value, value};
        compare_value(candidate->column, text, false);
      }
    }
  });
}

void Evaluator::State::compare_references(const event::Event& event,
                                          const std::vector<AtomId>& references) {
  for (const AtomId id : references) {
    const Atom& atom = program().atoms[id];
    const event::FieldRef& field = program().atoms.field(atom.column);
    const event::FieldRef& other = program().atoms.field(atom.other);
    const bool holds = any_text(event, field, [&](std::string_view text) {
      return any_text(event, other, [&](std::string_view with) {
        return comparer.compare(text, atom.comparison, with, atom.cased);
      });
    });
    if (holds) {
      set_bit(atoms, id);
    }
  }
}

void Evaluator::State::choose_rules(const TypePlan& plan) {
  std::fill(chosen.begin(), chosen.end(), 0);
  for (const std::uint16_t rule : plan.always) {
    set_bit(chosen, rule);
  }
  if (plan.posting_start.empty()) {
    return;
  }
  for (std::size_t word = 0; word < atoms.size(); ++word) {
    for (std::uint64_t bits = atoms[word]; bits != 0; bits &= bits - 1) {
      const std::size_t atom = word * kWordBits + static_cast<std::size_t>(std::countr_zero(bits));
      for (std::uint32_t i = plan.posting_start[atom]; i < plan.posting_start[atom + 1]; ++i) {
        set_bit(chosen, plan.posting[i]);
      }
    }
  }
}

bool Evaluator::State::holds(std::uint32_t entry) const {
  const Program& compiled = program();
  std::uint32_t at = entry;
  while (at < kMiss) {
    const Step& step = compiled.steps[at];
    at = test_bit(atoms, step.atom) ? step.if_true : step.if_false;
  }
  return at == kHit;
}

// Whether some filter of the rule holds; the first one counts it.
bool Evaluator::State::withhold(std::size_t rule) {
  const Filters& filters = program().filters;
  for (const std::uint16_t filter : filters.of(rule)) {
    if (holds(filters.entry[filter])) {
      withheld[filter]->add();
      return true;
    }
  }
  return false;
}

void Evaluator::evaluate(const event::Event& event, RuleHits& hits) {
  State& state = *state_;
  hits.clear();
  state.counters->events.add();
  const TypePlan& plan = state.program().plans[static_cast<std::size_t>(event.type)];
  if (!plan.listens) {
    return;
  }
  std::copy(plan.known.begin(), plan.known.end(), state.atoms.begin());
  for (const FieldId field : plan.fields) {
    state.compare_field(event, field);
  }
  state.compare_headers(event.http.headers, plan.request_headers);
  state.compare_headers(event.response.headers, plan.response_headers);
  state.compare_references(event, plan.references);
  state.choose_rules(plan);
  for (std::size_t word = 0; word < state.chosen.size(); ++word) {
    for (std::uint64_t bits = state.chosen[word]; bits != 0; bits &= bits - 1) {
      const std::size_t rule = word * kWordBits + static_cast<std::size_t>(std::countr_zero(bits));
      if (event.type == EventType::http_request && state.awaits_answer(rule)) {
        hits.wants_answer = hits.wants_answer || state.holds(state.program().request_part[rule]);
        continue;
      }
      if (!state.holds(state.program().entry[rule]) || state.withhold(rule)) {
        continue;
      }
      if (hits.count == hits.rules.size()) {
        ++hits.overflow;
        continue;
      }
      if (const StoryRule* story = state.program().story.of(rule)) {
        hits.compared[hits.count] = state.compared(*story);
        hits.any_compared = true;
      }
      hits.rules[hits.count++] = static_cast<std::uint16_t>(rule);
    }
  }
}

std::uint64_t Evaluator::State::compared(const StoryRule& rule) const {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rule.compared.size(); ++i) {
    bits |= std::uint64_t{test_bit(atoms, rule.compared[i]) ? 1u : 0u} << i;
  }
  return bits;
}

void Evaluator::begin_story(std::string_view stage, std::string_view timeline,
                            std::string_view reached) {
  State& state = *state_;
  event::Event told;
  told.stage = stage;
  told.timeline = timeline;
  told.reached = reached;
  std::fill(state.atoms.begin(), state.atoms.end(), 0);
  state.compare_field(told, FieldId::imds_stage);
  state.compare_field(told, FieldId::imds_timeline);
  state.compare_field(told, FieldId::imds_reached);
}

// Rules that share a comparison were told the same of it.
bool Evaluator::holds_in_story(std::uint16_t rule, std::uint64_t compared) {
  State& state = *state_;
  const StoryRule* story = state.program().story.of(rule);
  if (story == nullptr) {
    return true;
  }
  for (std::size_t i = 0; i < story->compared.size(); ++i) {
    if (((compared >> i) & 1) != 0) {
      set_bit(state.atoms, story->compared[i]);
    }
  }
  return state.holds(story->entry);
}

const RuleSet& Evaluator::rules() const {
  return *state_->rules;
}

const EvaluatorCounters& Evaluator::counters() const {
  return *state_->counters;
}

std::uint64_t Evaluator::withheld(std::size_t filter) const {
  return state_->withheld[filter]->get();
}

}  // namespace imds::rules
