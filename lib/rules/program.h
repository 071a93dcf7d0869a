// The compiled form of a rule set: tables that an Evaluator walks. Immutable after compilation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "atoms.h"
#include "event/event.h"
#include "event/fields.h"
#include "match/database.h"
#include "rules/raw_starts.h"
#include "rules/rule_set.h"

namespace imds::rules {

// Sets as bits in words.
inline constexpr std::size_t kWordBits = 64;
inline std::size_t words_for(std::size_t bits) {
  return (bits + kWordBits - 1) / kWordBits;
}
inline bool test_bit(const std::vector<std::uint64_t>& words, std::size_t bit) {
  return ((words[bit / kWordBits] >> (bit % kWordBits)) & 1) != 0;
}
inline void set_bit(std::vector<std::uint64_t>& words, std::size_t bit) {
  words[bit / kWordBits] |= std::uint64_t{1} << (bit % kWordBits);
}

// All string atoms of one field. Each is found by its longest literal in one scan and, unless that
// literal is all it says, confirmed by its glob. Atoms without a literal, and the few of a field
// whose atoms are all anchored, are compared directly.
//
// Regular expressions are scanned for apart, so that literals keep their cheaper search.
struct TextField {
  struct Anchored {
    AtomId atom;
    bool confirm;
  };
  match::Database anchors;  // pattern ids index `anchored`
  std::vector<Anchored> anchored;
  std::vector<AtomId> direct;
  match::Database regexes;  // pattern ids index `regex`
  std::vector<AtomId> regex;

  [[nodiscard]] bool empty() const { return anchored.empty() && direct.empty() && regex.empty(); }
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

// All atoms of one column.
struct ColumnTables {
  TextField text;
  std::vector<AtomId> numbers;
  AddressField addresses;
  std::vector<AtomId> presence;
};

// A single header that is compared.
struct HeaderColumn {
  std::string name;  // lower case
  Column column;
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
  std::vector<std::uint64_t> known;            // a bit per atom: it holds for every such event
  std::vector<event::FieldId> fields;          // those that the type carries and its rules compare
  std::vector<HeaderColumn> request_headers;   // sorted by length, then by name
  std::vector<HeaderColumn> response_headers;  // likewise
  std::vector<AtomId> references;              // compare two fields with each other
  std::vector<std::uint16_t> always;           // rules that no atom indexes
  std::vector<std::uint32_t> posting_start;    // per atom, and one more; empty: no postings
  std::vector<std::uint16_t> posting;          // rules to run if the atom holds
};

// Filters: conditions of their own over the same atoms, asked only when a rule they name has hit.
struct Filters {
  std::vector<std::string> titles;
  std::vector<std::uint32_t> entry;          // per filter: a step, kHit or kMiss
  std::vector<std::uint32_t> of_rule_start;  // per rule, and one more; empty: no filters
  std::vector<std::uint16_t> of_rule;

  // In the order the filters were given.
  [[nodiscard]] std::span<const std::uint16_t> of(std::size_t rule) const {
    if (of_rule_start.empty()) {
      return {};
    }
    return std::span(of_rule).subspan(of_rule_start[rule],
                                      of_rule_start[rule + 1] - of_rule_start[rule]);
  }
};

// A rule that compares what only the story knows: its whole condition, and how what the worker
// found travels to the story.
struct StoryRule {
  std::vector<AtomId>
      compared;                 // the comparisons of other fields; bit i of what travels is the ith
  std::uint32_t entry = kMiss;  // a step, kHit or kMiss
};

struct StoryRules {
  static constexpr std::uint16_t kNone = 0xffff;
  std::vector<StoryRule> rules;
  std::vector<std::uint16_t> of_rule;  // per rule: into `rules`, or kNone; empty: there are none

  [[nodiscard]] const StoryRule* of(std::size_t rule) const {
    return of_rule.empty() || of_rule[rule] == kNone ? nullptr : &rules[of_rule[rule]];
  }
};

struct Program {
  CompileOptions options;
  std::vector<RuleInfo> infos;
  std::vector<RuleIndex> indexes;

  AtomTable atoms;
  std::vector<ColumnTables> columns;  // by Column
  bool confirms_regexes = false;      // some regular expression needs it

  std::vector<Step> steps;
  std::vector<std::uint32_t> entry;  // per rule: a step, kHit or kMiss
  // Per rule that awaits answers, what it asks of their requests: a step, kHit or kMiss. Empty:
  // there are none.
  std::vector<std::uint32_t> request_part;
  bool awaits_answers = false;
  Filters filters;
  StoryRules story;

  std::array<TypePlan, event::kEventTypeCount> plans;

  match::Database head;  // literals over raw request heads
  match::Database raw;   // literals over other streams
  std::size_t longest_raw_literal = 0;
  RawStarts raw_starts;
  bool parses_every_head = false;
  std::vector<IpPrefix> destinations;
  std::vector<IpPrefix> sources;

  std::vector<std::string> warnings;
};

}  // namespace imds::rules
