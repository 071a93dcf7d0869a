// Atoms: the different comparisons that all rules of a set make, each kept once. Conditions refer
// to them by index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "event/event.h"
#include "event/fields.h"
#include "glob.h"
#include "match/regex.h"
#include "sigma/rule.h"

namespace imds::rules {

using AtomId = std::uint32_t;

// Where a compared value comes from: a FieldId, or from kFieldCount on the single headers that some
// rule compares.
using Column = std::uint16_t;

struct Atom {
  enum class Kind : std::uint8_t {
    text,       // some reading of the field matches `glob`
    number,     // some value of the field stands to `number` as `comparison` says
    prefix,     // the address is within `prefix`
    present,    // the field has a value
    regex,      // some reading of the field is matched by `regex`
    reference,  // some reading of the field stands to some of `other` as `comparison` says
  } kind = Kind::present;
  event::FieldId field = event::FieldId::imds_event;
  Column column = 0;
  Glob glob;
  sigma::Operation comparison = sigma::Operation::equals;
  sigma::TimePart part = sigma::TimePart::none;  // number: of a field of time
  std::int64_t number = 0;
  IpPrefix prefix;
  std::string regex_text;
  std::shared_ptr<const match::Regex> regex;
  event::FieldId other_field = event::FieldId::imds_event;
  Column other = 0;
  bool cased = false;  // reference
  std::string header;  // the field is this single header
  std::string shown;   // for people: url contains '/latest'
};

// What an atom is worth for one type of event before any is seen.
enum class Outcome : std::uint8_t {
  never,  // the type cannot carry the field
  always,
  depends,
};
[[nodiscard]] Outcome outcome(const Atom& atom, event::EventType type);

class AtomTable {
 public:
  AtomTable();

  [[nodiscard]] AtomId text(const event::FieldRef& field, sigma::Operation operation, bool cased,
                            const sigma::Pattern& pattern);
  [[nodiscard]] AtomId number(const event::FieldRef& field, sigma::Operation comparison,
                              sigma::TimePart part, std::int64_t number);
  [[nodiscard]] AtomId prefix(const event::FieldRef& field, const IpPrefix& prefix);
  [[nodiscard]] AtomId present(const event::FieldRef& field);
  // Error: no regular expression, or none that can be looked for.
  [[nodiscard]] tl::expected<AtomId, match::RegexFailure> regex(const event::FieldRef& field,
                                                                const sigma::Value& value,
                                                                std::uint8_t options);
  [[nodiscard]] AtomId reference(const event::FieldRef& field, sigma::Operation operation,
                                 bool cased, const event::FieldRef& other);

  [[nodiscard]] std::size_t size() const { return atoms_.size(); }
  [[nodiscard]] const Atom& operator[](AtomId id) const { return atoms_[id]; }
  [[nodiscard]] const std::vector<Atom>& all() const { return atoms_; }

  [[nodiscard]] std::size_t column_count() const { return columns_.size(); }
  // Of a column.
  [[nodiscard]] const event::FieldRef& field(Column column) const;

 private:
  [[nodiscard]] Column column(const event::FieldRef& field);
  [[nodiscard]] Atom make(Atom::Kind kind, const event::FieldRef& field);
  // The atom of this key, or where to put it.
  AtomId intern(const std::string& key, Atom atom);

  std::vector<Atom> atoms_;
  std::unordered_map<std::string, AtomId> by_key_;
  std::vector<event::FieldRef> columns_;
  std::unordered_map<std::string, Column> by_header_;
};

}  // namespace imds::rules
