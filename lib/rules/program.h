// The compiled form of a rule set: tables that an Evaluator walks. Immutable after compilation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "atoms.h"
#include "event/event.h"
#include "event/fields.h"
#include "match/database.h"
#include "rules/rule_set.h"

namespace imds::rules {

// All string atoms of one field. Each is found by its longest literal in one scan and, unless that
// literal is all it says, confirmed by its glob. Atoms without a literal, and the few of a field
// whose atoms are all anchored, are compared directly.
struct TextField {
  struct Anchored {
    AtomId atom;
    bool confirm;
  };
  match::Database anchors;  // pattern ids index `anchored`
  std::vector<Anchored> anchored;
  std::vector<AtomId> direct;

  [[nodiscard]] bool empty() const { return anchored.empty() && direct.empty(); }
};

// All prefix atoms of one field, by family and length, each group sorted by address.
struct AddressField {
  struct Group {
    AddressFamily family;
    std::uint8_t length;
    std::vector<std::pair<IpAddress, AtomId>> prefixes;
  };
  std::vector<Group> groups;
};

// One step of a condition: test an atom, go on to another step or end.
struct Step {
  AtomId atom;
  std::uint32_t if_true;
  std::uint32_t if_false;
};
inline constexpr std::uint32_t kHit = 0xffffffff;
inline constexpr std::uint32_t kMiss = 0xfffffffe;

// What one type of event asks for.
struct TypePlan {
  bool listens = false;
  std::vector<event::FieldId> fields;        // those that the type carries and its rules compare
  std::vector<std::uint16_t> always;         // rules that no atom indexes
  std::vector<std::uint32_t> posting_start;  // per atom, and one more; empty: no postings
  std::vector<std::uint16_t> posting;        // rules to run if the atom holds
};

struct Program {
  CompileOptions options;
  std::vector<RuleInfo> infos;
  std::vector<RuleIndex> indexes;

  AtomTable atoms;
  std::array<TextField, event::kFieldCount> text;
  std::array<std::vector<AtomId>, event::kFieldCount> numbers;
  std::array<AddressField, event::kFieldCount> addresses;
  std::array<std::vector<AtomId>, event::kFieldCount> presence;

  std::vector<Step> steps;
  std::vector<std::uint32_t> entry;  // per rule: a step, kHit or kMiss

  std::array<TypePlan, event::kEventTypeCount> plans;

  match::Database head;  // literals over raw request heads
  match::Database raw;   // literals over other streams
  std::size_t longest_raw_literal = 0;
  bool parses_every_head = false;
  std::vector<IpPrefix> destinations;
  std::vector<IpPrefix> sources;

  std::vector<std::string> warnings;
};

}  // namespace imds::rules
