#include "rules/evaluator.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "program.h"

namespace imds::rules {
namespace {

using event::EventType;
using event::FieldId;
using event::FieldValue;

constexpr std::size_t kWordBits = 64;

std::size_t words_for(std::size_t bits) {
  return (bits + kWordBits - 1) / kWordBits;
}
bool test(const std::vector<std::uint64_t>& words, std::size_t bit) {
  return ((words[bit / kWordBits] >> (bit % kWordBits)) & 1) != 0;
}
void set(std::vector<std::uint64_t>& words, std::size_t bit) {
  words[bit / kWordBits] |= std::uint64_t{1} << (bit % kWordBits);
}

bool compare(std::int64_t value, sigma::Operation comparison, std::int64_t with) {
  switch (comparison) {
    case sigma::Operation::less:
      return value < with;
    case sigma::Operation::less_or_equal:
      return value <= with;
    case sigma::Operation::greater:
      return value > with;
    case sigma::Operation::greater_or_equal:
      return value >= with;
    default:
      return value == with;
  }
}

IpAddress masked(IpAddress address, std::size_t length) {
  for (std::size_t i = length / 8; i < address.size(); ++i) {
    const std::size_t kept = i == length / 8 ? length % 8 : 0;
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00u >> kept));
  }
  return address;
}

}  // namespace

struct Evaluator::State {
  explicit State(std::shared_ptr<const RuleSet> set) : rules(std::move(set)) {}

  void compare_field(const event::Event& event, FieldId field);
  void compare_reading(const TextField& field, std::string_view text, bool contains_only);
  void compare_number(const std::vector<AtomId>& atoms, const FieldValue& value);
  void compare_address(const AddressField& field, const IpAddress& address);
  void choose_rules(const TypePlan& plan);
  [[nodiscard]] bool holds(std::size_t rule) const;
  [[nodiscard]] bool finds_any(const match::Database& database, ByteSpan bytes);
  void count_scan(std::size_t bytes) {
    counters.scans.add();
    counters.bytes_scanned.add(bytes);
  }
  [[nodiscard]] const Program& program() const { return rules->program(); }

  std::shared_ptr<const RuleSet> rules;
  match::Scratch scratch;
  std::vector<std::uint64_t> atoms;   // a bit per atom: it holds for the event
  std::vector<std::uint64_t> chosen;  // a bit per rule: its condition has to be run
  EvaluatorCounters counters;
};

Evaluator::Evaluator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

Result<Evaluator> Evaluator::create(std::shared_ptr<const RuleSet> rules) {
  auto state = std::make_unique<State>(std::move(rules));
  const Program& program = state->program();
  std::vector<const match::Database*> databases{&program.head, &program.raw};
  for (const TextField& field : program.text) {
    databases.push_back(&field.anchors);
  }
  Result<match::Scratch> scratch = match::Scratch::create(databases);
  if (!scratch) {
    return pass_on(scratch);
  }
  state->scratch = std::move(*scratch);
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
    state_->counters.heads_passed.add();
  }
  return found;
}

bool Evaluator::prefilter_raw(ByteSpan bytes) {
  return state_->finds_any(state_->program().raw, bytes);
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
      if (!test(atoms, candidate.atom) && allowed(glob) &&
          (!candidate.confirm || glob.matches(text))) {
        set(atoms, candidate.atom);
      }
      return true;
    });
  }
  for (const AtomId id : field.direct) {
    const Glob& glob = table[id].glob;
    if (!test(atoms, id) && allowed(glob) && glob.matches(text)) {
      set(atoms, id);
    }
  }
}

void Evaluator::State::compare_number(const std::vector<AtomId>& ids, const FieldValue& value) {
  for (const AtomId id : ids) {
    const Atom& atom = program().atoms[id];
    bool any = false;
    if (value.number_count == 0) {
      any = compare(value.number, atom.comparison, atom.number);
    }
    for (std::size_t i = 0; i < value.number_count; ++i) {
      any = any || compare(value.numbers[i], atom.comparison, atom.number);
    }
    if (any) {
      set(atoms, id);
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
      set(atoms, found->second);
    }
  }
}

void Evaluator::State::compare_field(const event::Event& event, FieldId field) {
  event::FieldScratch backing;
  const FieldValue value = event::value_of(event, field, backing);
  if (value.kind == FieldValue::Kind::absent) {
    return;
  }
  const auto index = static_cast<std::size_t>(field);
  for (const AtomId id : program().presence[index]) {
    set(atoms, id);
  }
  switch (value.kind) {
    case FieldValue::Kind::text: {
      const TextField& table = program().text[index];
      if (table.empty()) {
        return;
      }
      const bool contains_only = event.type == EventType::raw_match &&
                                 (field == FieldId::url || field == FieldId::request_headers);
      const auto& [raw, normalised] = value.text;
      compare_reading(table, raw, contains_only);
      if (normalised.data() != raw.data() || normalised.size() != raw.size()) {
        compare_reading(table, normalised, contains_only);
      }
      return;
    }
    case FieldValue::Kind::number:
      return compare_number(program().numbers[index], value);
    case FieldValue::Kind::address:
      return compare_address(program().addresses[index], value.address);
    case FieldValue::Kind::absent:
      return;
  }
}

void Evaluator::State::choose_rules(const TypePlan& plan) {
  std::fill(chosen.begin(), chosen.end(), 0);
  for (const std::uint16_t rule : plan.always) {
    set(chosen, rule);
  }
  if (plan.posting_start.empty()) {
    return;
  }
  for (std::size_t word = 0; word < atoms.size(); ++word) {
    for (std::uint64_t bits = atoms[word]; bits != 0; bits &= bits - 1) {
      const std::size_t atom = word * kWordBits + static_cast<std::size_t>(std::countr_zero(bits));
      for (std::uint32_t i = plan.posting_start[atom]; i < plan.posting_start[atom + 1]; ++i) {
        set(chosen, plan.posting[i]);
      }
    }
  }
}

bool Evaluator::State::holds(std::size_t rule) const {
  const Program& compiled = program();
  std::uint32_t at = compiled.entry[rule];
  while (at < kMiss) {
    const Step& step = compiled.steps[at];
    at = test(atoms, step.atom) ? step.if_true : step.if_false;
  }
  return at == kHit;
}

void Evaluator::evaluate(const event::Event& event, RuleHits& hits) {
  State& state = *state_;
  hits.count = 0;
  hits.overflow = 0;
  state.counters.events.add();
  const TypePlan& plan = state.program().plans[static_cast<std::size_t>(event.type)];
  if (!plan.listens) {
    return;
  }
  std::fill(state.atoms.begin(), state.atoms.end(), 0);
  for (const FieldId field : plan.fields) {
    state.compare_field(event, field);
  }
  state.choose_rules(plan);
  for (std::size_t word = 0; word < state.chosen.size(); ++word) {
    for (std::uint64_t bits = state.chosen[word]; bits != 0; bits &= bits - 1) {
      const std::size_t rule = word * kWordBits + static_cast<std::size_t>(std::countr_zero(bits));
      if (!state.holds(rule)) {
        continue;
      }
      if (hits.count == hits.rules.size()) {
        ++hits.overflow;
        continue;
      }
      hits.rules[hits.count++] = static_cast<std::uint16_t>(rule);
    }
  }
}

const RuleSet& Evaluator::rules() const {
  return *state_->rules;
}

const EvaluatorCounters& Evaluator::counters() const {
  return state_->counters;
}

}  // namespace imds::rules
