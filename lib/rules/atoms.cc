#include "atoms.h"

#include <utility>

#include "base/text.h"

namespace imds::rules {
namespace {

bool carries(event::EventType type, event::FieldId field) {
  return (event::describe(field).events & event::bit(type)) != 0;
}

// In raw_match the stream's bytes stand for these, but only under `contains`: where a target or a
// header begins and ends in them is not known.
bool stands_for_raw(event::FieldId field) {
  return field == event::FieldId::url || field == event::FieldId::request_headers;
}

}  // namespace

Outcome outcome(const Atom& atom, event::EventType type) {
  const bool is_known = atom.kind == Atom::Kind::present || atom.kind == Atom::Kind::text;
  if (atom.field == event::FieldId::imds_event && is_known) {
    const bool holds = atom.kind == Atom::Kind::present || atom.glob.matches(event::name(type));
    return holds ? Outcome::always : Outcome::never;
  }
  if (!carries(type, atom.field)) {
    return Outcome::never;
  }
  if (atom.kind == Atom::Kind::reference && !carries(type, atom.other_field)) {
    return Outcome::never;
  }
  if (type == event::EventType::raw_match) {
    const bool anywhere = atom.kind == Atom::Kind::present ||
                          (atom.kind == Atom::Kind::text && atom.glob.is_contains());
    if (stands_for_raw(atom.field) && !anywhere) {
      return Outcome::never;
    }
    if (atom.kind == Atom::Kind::reference && stands_for_raw(atom.other_field)) {
      return Outcome::never;
    }
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

AtomTable::AtomTable() {
  for (std::size_t field = 0; field < event::kFieldCount; ++field) {
    columns_.push_back({static_cast<event::FieldId>(field), {}});
  }
}

const event::FieldRef& AtomTable::field(Column column) const {
  return columns_[column];
}

Column AtomTable::column(const event::FieldRef& field) {
  if (!event::is_single_header(field.id)) {
    return static_cast<Column>(field.id);
  }
  const auto [entry, is_new] =
      by_header_.try_emplace(event::field_name(field), static_cast<Column>(column_count()));
  if (is_new) {
    columns_.push_back(field);
  }
  return entry->second;
}

Atom AtomTable::make(Atom::Kind kind, const event::FieldRef& field) {
  Atom atom;
  atom.kind = kind;
  atom.field = field.id;
  atom.header = field.header;
  atom.column = column(field);
  return atom;
}

AtomId AtomTable::text(const event::FieldRef& field, sigma::Operation operation, bool cased,
                       const sigma::Pattern& pattern) {
  Atom atom = make(Atom::Kind::text, field);
  atom.comparison = operation;
  atom.glob = Glob(pattern, operation, cased);
  atom.shown = event::field_name(field) + " " + std::string(sigma::name(operation)) +
               (cased ? " (cased) '" : " '") + escape_for_terminal(pattern.to_string()) + "'";
  return intern(event::field_name(field) + '\0' + 't' + static_cast<char>(operation) +
                    static_cast<char>(cased) + pattern.to_string(),
                std::move(atom));
}

AtomId AtomTable::number(const event::FieldRef& field, sigma::Operation comparison,
                         sigma::TimePart part, std::int64_t number) {
  Atom atom = make(Atom::Kind::number, field);
  atom.comparison = comparison;
  atom.part = part;
  atom.number = number;
  atom.shown = event::field_name(field) + " " +
               (part == sigma::TimePart::none ? "" : std::string(sigma::name(part)) + " ") +
               std::string(sigma::name(comparison)) + " " + std::to_string(number);
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

AtomId AtomTable::prefix(const event::FieldRef& field, const IpPrefix& prefix) {
  Atom atom = make(Atom::Kind::prefix, field);
  atom.prefix = prefix;
  atom.shown = event::field_name(field) + " in " + prefix.to_string();
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

AtomId AtomTable::present(const event::FieldRef& field) {
  Atom atom = make(Atom::Kind::present, field);
  atom.shown = event::field_name(field) + " exists";
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

tl::expected<AtomId, match::RegexFailure> AtomTable::regex(const event::FieldRef& field,
                                                           const sigma::Value& value,
                                                           std::uint8_t options) {
  const std::string key =
      event::field_name(field) + '\0' + 'r' + static_cast<char>(options) + value.regex;
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    return known->second;
  }
  std::shared_ptr<const match::Regex> regex = value.compiled;
  if (regex == nullptr) {
    auto compiled = match::Regex::compile(value.regex, {(options & sigma::kRegexIgnoreCase) != 0,
                                                        (options & sigma::kRegexMultiline) != 0,
                                                        (options & sigma::kRegexDotAll) != 0});
    if (!compiled) {
      return tl::unexpected<match::RegexFailure>(std::move(compiled.error()));
    }
    regex = std::make_shared<const match::Regex>(std::move(*compiled));
  }
  Atom atom = make(Atom::Kind::regex, field);
  atom.regex_text = value.regex;
  atom.regex = std::move(regex);
  atom.shown = event::field_name(field) + " re '" + escape_for_terminal(value.regex) + "'";
  return intern(key, std::move(atom));
}

AtomId AtomTable::reference(const event::FieldRef& field, sigma::Operation operation, bool cased,
                            const event::FieldRef& other) {
  Atom atom = make(Atom::Kind::reference, field);
  atom.comparison = operation;
  atom.other_field = other.id;
  atom.other = column(other);
  atom.cased = cased;
  atom.shown = event::field_name(field) + " " + std::string(sigma::name(operation)) +
               (cased ? " (cased) field " : " field ") + event::field_name(other);
  const std::string key = atom.shown;
  return intern(key, std::move(atom));
}

}  // namespace imds::rules
