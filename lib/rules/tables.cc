// The tables by which an Evaluator compares fields, and the databases by which it scans.
#include <algorithm>
#include <string>
#include <vector>

#include "compiler.h"

namespace imds::rules {
namespace {

// Up to this many anchored comparisons are made one by one: most end at the first byte.
constexpr std::size_t kMaxDirect = 16;
// Confirmed candidates need no more of their literal than this.
constexpr std::size_t kMaxAnchorBytes = 64;

const std::string* longest_literal(const Glob& glob) {
  const std::string* best = nullptr;
  for (const std::string& literal : glob.literals()) {
    if (best == nullptr || literal.size() > best->size()) {
      best = &literal;
    }
  }
  return best;
}

// Only whether any is found matters, so one that contains another tells nothing more. Of few
// literals alone: there a fewer one counts, and comparing all with all costs nothing.
bool is_implied(const std::set<std::string>& literals, const std::string& literal) {
  constexpr std::size_t kFew = 64;
  return literals.size() <= kFew &&
         std::any_of(literals.begin(), literals.end(), [&](const std::string& other) {
           return other.size() < literal.size() && literal.find(other) != std::string::npos;
         });
}

Error to_error(match::CompileFailure failure, const std::string& what) {
  failure.error.message += " (" + what + ")";
  return std::move(failure.error);
}

}  // namespace

Status Compiler::build_field_tables() {
  const std::size_t count = program_->atoms.column_count();
  std::vector<std::vector<AtomId>> text(count);
  std::vector<std::vector<AtomId>> prefixes(count);
  program_->columns.resize(count);
  for (AtomId id = 0; id < program_->atoms.size(); ++id) {
    const Atom& atom = program_->atoms[id];
    ColumnTables& tables = program_->columns[atom.column];
    switch (atom.kind) {
      case Atom::Kind::text:
        text[atom.column].push_back(id);
        break;
      case Atom::Kind::number:
        tables.numbers.push_back(id);
        break;
      case Atom::Kind::prefix:
        prefixes[atom.column].push_back(id);
        break;
      case Atom::Kind::present:
        tables.presence.push_back(id);
        break;
      case Atom::Kind::regex:
        tables.text.regex.push_back(id);
        break;
      case Atom::Kind::reference:
        break;  // stands in the plans of the types that carry both fields
    }
  }
  for (std::size_t column = 0; column < count; ++column) {
    ColumnTables& tables = program_->columns[column];
    build_address_field(tables.addresses, prefixes[column]);
    if (Status status = build_text_field(tables.text, text[column]); !status) {
      return status;
    }
    if (Status status = build_regexes(tables.text); !status) {
      return status;
    }
  }
  return {};
}

Status Compiler::build_regexes(TextField& field) {
  std::vector<match::Pattern> patterns;
  for (const AtomId id : field.regex) {
    const match::Regex& regex = *program_->atoms[id].regex;
    match::Pattern pattern = regex.pattern();
    pattern.id = static_cast<std::uint32_t>(patterns.size());
    pattern.flags |= match::kSingleMatch;
    patterns.push_back(std::move(pattern));
    program_->confirms_regexes = program_->confirms_regexes || regex.needs_confirmation();
  }
  auto database = match::Database::compile(patterns, program_->options.compilation);
  if (!database) {
    const std::size_t at = database.error().pattern;
    const std::string what = at < field.regex.size() ? program_->atoms[field.regex[at]].shown
                                                     : "all regular expressions of a field";
    return tl::unexpected<Error>(to_error(std::move(database.error()), what));
  }
  field.regexes = std::move(*database);
  return {};
}

Status Compiler::build_text_field(TextField& field, const std::vector<AtomId>& atoms) {
  const bool compare_all =
      atoms.size() <= kMaxDirect && std::all_of(atoms.begin(), atoms.end(), [&](AtomId id) {
        return program_->atoms[id].glob.is_anchored();
      });
  std::vector<match::Pattern> patterns;
  for (const AtomId id : atoms) {
    const Glob& glob = program_->atoms[id].glob;
    const std::string* literal = longest_literal(glob);
    if (compare_all || literal == nullptr) {
      field.direct.push_back(id);
      continue;
    }
    const bool confirm = !glob.is_plain_contains();
    match::Pattern pattern;
    pattern.text = confirm ? literal->substr(0, kMaxAnchorBytes) : *literal;
    pattern.id = static_cast<std::uint32_t>(field.anchored.size());
    pattern.flags = match::kSingleMatch;
    if (!glob.cased()) {
      pattern.flags |= match::kCaseless;
    }
    patterns.push_back(std::move(pattern));
    field.anchored.push_back({id, confirm});
  }
  auto database = match::Database::compile(patterns, program_->options.compilation);
  if (!database) {
    const std::size_t at = database.error().pattern;
    const std::string what =
        at < field.anchored.size() ? program_->atoms[field.anchored[at].atom].shown : "all strings";
    return tl::unexpected<Error>(to_error(std::move(database.error()), what));
  }
  field.anchors = std::move(*database);
  return {};
}

void Compiler::build_address_field(AddressField& field, const std::vector<AtomId>& atoms) {
  for (const AtomId id : atoms) {
    const IpPrefix& prefix = program_->atoms[id].prefix;
    auto group = std::find_if(field.groups.begin(), field.groups.end(), [&](const auto& g) {
      return g.family == prefix.address.family && g.length == prefix.length;
    });
    if (group == field.groups.end()) {
      field.groups.push_back({prefix.address.family, prefix.length, {}});
      group = field.groups.end() - 1;
    }
    group->prefixes.emplace_back(prefix.address, id);
  }
  for (AddressField::Group& group : field.groups) {
    std::sort(group.prefixes.begin(), group.prefixes.end());
  }
}

Status Compiler::build_scan(const std::set<std::string>& literals, match::Database& out) {
  std::vector<match::Pattern> patterns;
  for (const std::string& literal : literals) {
    if (is_implied(literals, literal)) {
      continue;
    }
    match::Pattern pattern;
    pattern.text = literal;
    pattern.id = static_cast<std::uint32_t>(patterns.size());
    pattern.flags = match::kCaseless;
    patterns.push_back(std::move(pattern));
  }
  auto database = match::Database::compile(patterns, program_->options.compilation);
  if (!database) {
    const std::size_t at = database.error().pattern;
    return tl::unexpected<Error>(to_error(std::move(database.error()),
                                          at < patterns.size() ? patterns[at].text : "prefilter"));
  }
  out = std::move(*database);
  return {};
}

}  // namespace imds::rules
