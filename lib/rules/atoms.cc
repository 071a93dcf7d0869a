#include "atoms.h"

#include <utility>

#include "base/text.h"

namespace imds::rules {
namespace {

std::string field_name(event::FieldId field) {
  return std::string(event::describe(field).name);
}

// In raw_match the stream's bytes stand for these, but only under `contains`: where a target or a
// header begins and ends in them is not known.
bool stands_for_raw(event::FieldId field) {
  return field == event::FieldId::url || field == event::FieldId::request_headers;
}

}  // namespace

Outcome outcome(const Atom& atom, event::EventType type) {
  if (atom.field == event::FieldId::imds_event) {
    const bool holds = atom.kind == Atom::Kind::present || atom.glob.matches(event::name(type));
    return holds ? Outcome::always : Outcome::never;
  }
  if ((event::describe(atom.field).events & event::bit(type)) == 0) {
    return Outcome::never;
  }
  if (type == event::EventType::raw_match && stands_for_raw(atom.field) &&
      atom.kind == Atom::Kind::text && !atom.glob.is_contains()) {
    return Outcome::never;
  }
  return Outcome::depends;
}

AtomId AtomTable::intern(const std::string& key, Atom atom) {
  const auto [entry, is_new] = by_key_.try_emplace(key, static_cast<AtomId>(atoms_.size()));
  if (is_new) {
    atoms_.push_back(std::move(atom));
  }
  return entry->second;
}

AtomId AtomTable::text(event::FieldId field, sigma::Operation operation, bool cased,
                       const sigma::Pattern& pattern) {
  Atom atom;
  atom.kind = Atom::Kind::text;
  atom.field = field;
  atom.comparison = operation;
  atom.glob = Glob(pattern, operation, cased);
  atom.shown = field_name(field) + " " + std::string(sigma::name(operation)) +
               (cased ? " (cased) '" : " '") + escape_for_terminal(pattern.to_string()) + "'";
  return intern(field_name(field) + '\0' + 't' + static_cast<char>(operation) +
                    static_cast<char>(cased) + pattern.to_string(),
                std::move(atom));
}

AtomId AtomTable::number(event::FieldId field, sigma::Operation comparison, std::int64_t number) {
  Atom atom;
  atom.kind = Atom::Kind::number;
  atom.field = field;
  atom.comparison = comparison;
  atom.number = number;
  atom.shown =
      field_name(field) + " " + std::string(sigma::name(comparison)) + " " + std::to_string(number);
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

AtomId AtomTable::prefix(event::FieldId field, const IpPrefix& prefix) {
  Atom atom;
  atom.kind = Atom::Kind::prefix;
  atom.field = field;
  atom.prefix = prefix;
  atom.shown = field_name(field) + " in " + prefix.to_string();
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

AtomId AtomTable::present(event::FieldId field) {
  Atom atom;
  atom.kind = Atom::Kind::present;
  atom.field = field;
  atom.shown = field_name(field) + " exists";
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

}  // namespace imds::rules
