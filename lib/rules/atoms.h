// Atoms: the different comparisons that all rules of a set make, each kept once. Conditions refer
// to them by index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "event/event.h"
#include "event/fields.h"
#include "glob.h"
#include "sigma/rule.h"

namespace imds::rules {

using AtomId = std::uint32_t;

struct Atom {
  enum class Kind : std::uint8_t {
    text,     // some reading of the field matches `glob`
    number,   // some value of the field stands to `number` as `comparison` says
    prefix,   // the address is within `prefix`
    present,  // the field has a value
  } kind = Kind::present;
  event::FieldId field = event::FieldId::imds_event;
  Glob glob;
  sigma::Operation comparison = sigma::Operation::equals;
  std::int64_t number = 0;
  IpPrefix prefix;
  std::string shown;  // for people: url contains '/latest'
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
  [[nodiscard]] AtomId text(event::FieldId field, sigma::Operation operation, bool cased,
                            const sigma::Pattern& pattern);
  [[nodiscard]] AtomId number(event::FieldId field, sigma::Operation comparison,
                              std::int64_t number);
  [[nodiscard]] AtomId prefix(event::FieldId field, const IpPrefix& prefix);
  [[nodiscard]] AtomId present(event::FieldId field);

  [[nodiscard]] std::size_t size() const { return atoms_.size(); }
  [[nodiscard]] const Atom& operator[](AtomId id) const { return atoms_[id]; }
  [[nodiscard]] const std::vector<Atom>& all() const { return atoms_; }

 private:
  // The atom of this key, or where to put it.
  AtomId intern(const std::string& key, Atom atom);

  std::vector<Atom> atoms_;
  std::unordered_map<std::string, AtomId> by_key_;
};

}  // namespace imds::rules
