#include "link.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "context.h"

namespace imds::sigma {
namespace {

std::string at(const SourcePosition& where) {
  return where.file + ":" + std::to_string(where.line);
}

// What a reference can mean.
struct Target {
  enum class Kind : std::uint8_t { rule, correlation, skipped } kind = Kind::rule;
  std::size_t index = 0;
};

// Ids that are taken, and by what.
class Ids {
 public:
  // `id`: empty for none. Error: another document has it.
  Status take(const std::string& id, const std::string& title, const SourcePosition& where) {
    if (id.empty()) {
      return {};
    }
    const auto [other, is_new] = taken_.emplace(id, in_quotes(title) + " at " + at(where));
    if (is_new) {
      return {};
    }
    return fail_at(ErrorKind::config, where,
                   "the rule id " + id + " is already taken by " + other->second +
                       "; give every rule an id of its own");
  }

 private:
  std::unordered_map<std::string, std::string> taken_;
};

// Leaves out documents whose id `take` refuses, each with an error in `refused`.
template <typename Document, typename Take>
void keep_first(std::vector<Document>& documents, const Take& take, std::vector<Error>& refused) {
  std::vector<Document> kept;
  for (Document& document : documents) {
    if (Status taken = take(document); taken) {
      kept.push_back(std::move(document));
    } else {
      refused.push_back(std::move(taken.error()));
    }
  }
  documents = std::move(kept);
}

class Linker {
 public:
  explicit Linker(LoadedRules& loaded) : loaded_(loaded) {}

  Status run() {
    if (loaded_.correlations.size() > kMaxCorrelations) {
      return fail_at(ErrorKind::config, loaded_.correlations[kMaxCorrelations].where(),
                     "more than " + std::to_string(kMaxCorrelations) + " correlations");
    }
    for (auto step :
         {&Linker::list_targets, &Linker::resolve_correlations, &Linker::put_in_order,
          &Linker::settle_correlations, &Linker::decide_who_alerts, &Linker::resolve_filters}) {
      if (Status done = (this->*step)(); !done) {
        return done;
      }
    }
    return {};
  }

 private:
  Status list_targets();
  Status resolve_correlations();
  Status put_in_order();
  Status visit(std::size_t correlation);
  void renumber(const std::vector<std::size_t>& place);
  void leave_out(std::size_t correlation, const std::string& because);
  Status settle_correlations();
  Status settle(Correlation& correlation);
  Status settle_fields(Correlation& correlation, std::vector<CorrelatedField>& fields);
  Status decide_who_alerts();
  Status resolve_filters();
  Status resolve_filter(Filter& filter);

  [[nodiscard]] Result<Target> find(const std::string& text, const SourcePosition& where) const;
  [[nodiscard]] SourcePosition where(const Target& target) const;
  [[nodiscard]] std::string cycle_text(std::size_t back_to) const;
  [[nodiscard]] std::uint32_t events_of(const Reference& reference) const {
    return reference.kind == Reference::Kind::rule ? loaded_.rules[reference.index].events
                                                   : loaded_.correlations[reference.index].events;
  }

  LoadedRules& loaded_;
  std::multimap<std::string, Target, std::less<>> by_name_;
  std::unordered_map<std::string, Target> by_id_;

  // put_in_order: depth first, references before those who refer.
  enum class Mark : std::uint8_t { unseen, open, placed, left_out };
  std::vector<Mark> marks_;
  std::vector<std::size_t> open_;
  std::vector<std::size_t> order_;
  std::vector<std::vector<Target>> targets_;  // per correlation, per reference
  std::vector<std::size_t> skipped_as_;       // per correlation that was left out
};

Status Linker::list_targets() {
  const auto add = [&](const std::string& id, const std::string& name, Target target) {
    if (!id.empty()) {
      std::string lower = id;
      std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
      by_id_.emplace(std::move(lower), target);
    }
    if (!name.empty()) {
      by_name_.emplace(name, target);
    }
  };
  for (std::size_t i = 0; i < loaded_.rules.size(); ++i) {
    add(loaded_.rules[i].id, loaded_.rules[i].name, {Target::Kind::rule, i});
  }
  for (std::size_t i = 0; i < loaded_.correlations.size(); ++i) {
    add(loaded_.correlations[i].id, loaded_.correlations[i].name, {Target::Kind::correlation, i});
  }
  for (std::size_t i = 0; i < loaded_.skipped.size(); ++i) {
    add(loaded_.skipped[i].id, loaded_.skipped[i].name, {Target::Kind::skipped, i});
  }
  return {};
}

SourcePosition Linker::where(const Target& target) const {
  switch (target.kind) {
    case Target::Kind::rule:
      return loaded_.rules[target.index].where();
    case Target::Kind::correlation:
      return loaded_.correlations[target.index].where();
    case Target::Kind::skipped:
      return loaded_.skipped[target.index].where;
  }
  return {};
}

Result<Target> Linker::find(const std::string& text, const SourcePosition& where_from) const {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
  if (const auto id = by_id_.find(lower); id != by_id_.end()) {
    return id->second;
  }
  const auto [begin, end] = by_name_.equal_range(text);
  if (begin == end) {
    std::vector<std::string_view> names;
    for (const auto& [name, target] : by_name_) {
      names.push_back(name);
    }
    return fail_at(
        ErrorKind::config, where_from,
        "no rule has the id or the name " + in_quotes(text) + did_you_mean(nearest(text, names)));
  }
  if (std::next(begin) != end) {
    return fail_at(ErrorKind::config, where_from,
                   "the name " + in_quotes(text) + " is given twice, at " +
                       at(where(begin->second)) + " and " + at(where(std::next(begin)->second)) +
                       "; refer to the rule by its id");
  }
  return begin->second;
}

Status Linker::resolve_correlations() {
  for (Correlation& correlation : loaded_.correlations) {
    std::vector<Target> targets;
    for (const Reference& reference : correlation.rules) {
      Result<Target> target = find(reference.text, correlation.where(reference.position));
      if (!target) {
        return pass_on(target);
      }
      const bool again = std::any_of(targets.begin(), targets.end(), [&](const Target& other) {
        return other.kind == target->kind && other.index == target->index;
      });
      if (again) {
        return fail_at(ErrorKind::config, correlation.where(reference.position),
                       in_quotes(reference.text) + " means a rule that stands here already");
      }
      targets.push_back(*target);
    }
    targets_.push_back(std::move(targets));
  }
  return {};
}

std::string Linker::cycle_text(std::size_t back_to) const {
  std::string text;
  const auto start = std::find(open_.begin(), open_.end(), back_to);
  for (auto it = start; it != open_.end(); ++it) {
    text += in_quotes(loaded_.correlations[*it].title) + " refers to ";
  }
  return text + in_quotes(loaded_.correlations[back_to].title);
}

void Linker::leave_out(std::size_t index, const std::string& because) {
  const Correlation& correlation = loaded_.correlations[index];
  skipped_as_[index] = loaded_.skipped.size();
  loaded_.skipped.push_back(
      {correlation.where(), correlation.id, correlation.title, because, correlation.name});
  marks_[index] = Mark::left_out;
}

// Depth is bounded by kMaxCorrelations: a frame of this is small.
Status Linker::visit(std::size_t index) {
  marks_[index] = Mark::open;
  open_.push_back(index);
  std::string missing;
  for (std::size_t i = 0; i < targets_[index].size(); ++i) {
    const Target target = targets_[index][i];
    const Reference& reference = loaded_.correlations[index].rules[i];
    if (target.kind == Target::Kind::correlation) {
      if (marks_[target.index] == Mark::open) {
        return fail_at(ErrorKind::config, loaded_.correlations[index].where(reference.position),
                       "correlations refer to each other in a circle: " + cycle_text(target.index));
      }
      if (marks_[target.index] == Mark::unseen) {
        if (Status visited = visit(target.index); !visited) {
          return visited;
        }
      }
    }
    if (target.kind == Target::Kind::skipped ||
        (target.kind == Target::Kind::correlation && marks_[target.index] == Mark::left_out)) {
      missing = reference.text;
    }
  }
  open_.pop_back();
  if (!missing.empty()) {
    leave_out(index, "it refers to " + in_quotes(missing) + ", which is not in force");
    return {};
  }
  marks_[index] = Mark::placed;
  order_.push_back(index);
  return {};
}

Status Linker::put_in_order() {
  marks_.assign(loaded_.correlations.size(), Mark::unseen);
  skipped_as_.resize(loaded_.correlations.size());
  for (std::size_t i = 0; i < loaded_.correlations.size(); ++i) {
    if (marks_[i] == Mark::unseen) {
      if (Status visited = visit(i); !visited) {
        return visited;
      }
    }
  }
  std::vector<std::size_t> place(loaded_.correlations.size());
  std::vector<Correlation> ordered;
  for (const std::size_t index : order_) {
    place[index] = ordered.size();
    Correlation correlation = std::move(loaded_.correlations[index]);
    for (std::size_t i = 0; i < correlation.rules.size(); ++i) {
      const Target target = targets_[index][i];
      const bool is_rule = target.kind == Target::Kind::rule;
      correlation.rules[i].kind = is_rule ? Reference::Kind::rule : Reference::Kind::correlation;
      correlation.rules[i].index = is_rule ? target.index : place[target.index];
    }
    ordered.push_back(std::move(correlation));
  }
  loaded_.correlations = std::move(ordered);
  renumber(place);
  return {};
}

// Names and ids mean the correlations where they stand now.
void Linker::renumber(const std::vector<std::size_t>& place) {
  const auto follow = [&](Target& target) {
    if (target.kind != Target::Kind::correlation) {
      return;
    }
    if (marks_[target.index] == Mark::left_out) {
      target = {Target::Kind::skipped, skipped_as_[target.index]};
    } else {
      target.index = place[target.index];
    }
  };
  for (auto& [id, target] : by_id_) {
    follow(target);
  }
  for (auto& [name, target] : by_name_) {
    follow(target);
  }
}

// Whether a reference that was resolved means the target.
bool means(const Reference& reference, const Target& target) {
  const auto kind =
      reference.kind == Reference::Kind::rule ? Target::Kind::rule : Target::Kind::correlation;
  return kind == target.kind && reference.index == target.index;
}

Status Linker::settle_fields(Correlation& correlation, std::vector<CorrelatedField>& fields) {
  for (CorrelatedField& field : fields) {
    const auto alias = std::find_if(correlation.aliases.begin(), correlation.aliases.end(),
                                    [&](const FieldAlias& a) { return a.name == field.name; });
    std::vector<event::FieldId> by_rule;
    for (const Reference& reference : correlation.rules) {
      std::optional<event::FieldId> meant;
      SourcePosition where = correlation.where(field.position);
      if (alias == correlation.aliases.end()) {
        meant = field.fields.front();
      } else {
        for (const FieldAlias::Entry& entry : alias->entries) {
          Result<Target> target = find(entry.rule, correlation.where(entry.position));
          if (!target) {
            return pass_on(target);
          }
          if (means(reference, *target)) {
            meant = entry.field;
            where = correlation.where(entry.position);
          }
        }
      }
      if (!meant) {
        return fail_at(ErrorKind::config, correlation.where(alias->position),
                       "the alias " + in_quotes(alias->name) + " names no field for the rule " +
                           in_quotes(reference.text));
      }
      if ((event::describe(*meant).events & events_of(reference)) == 0) {
        return fail_at(ErrorKind::config, where,
                       "no event of the rule " + in_quotes(reference.text) + " carries the field " +
                           in_quotes(event::describe(*meant).name));
      }
      by_rule.push_back(*meant);
    }
    field.fields = std::move(by_rule);
  }
  return {};
}

Status Linker::settle(Correlation& correlation) {
  for (const FieldAlias& alias : correlation.aliases) {
    for (const FieldAlias::Entry& entry : alias.entries) {
      Result<Target> target = find(entry.rule, correlation.where(entry.position));
      if (!target) {
        return pass_on(target);
      }
      if (std::none_of(correlation.rules.begin(), correlation.rules.end(),
                       [&](const Reference& r) { return means(r, *target); })) {
        return fail_at(ErrorKind::config, correlation.where(entry.position),
                       in_quotes(entry.rule) + " is none of this correlation's rules");
      }
    }
  }
  Level highest = Level::informational;
  bool any = false;
  for (const Reference& reference : correlation.rules) {
    correlation.events |= events_of(reference);
    if (reference.kind == Reference::Kind::correlation) {
      highest = std::max(highest, loaded_.correlations[reference.index].level);
      any = true;
    } else if (loaded_.rules[reference.index].has_level) {
      highest = std::max(highest, loaded_.rules[reference.index].level);
      any = true;
    }
  }
  if (!correlation.has_level && any) {
    correlation.level = highest;
  }
  if (Status settled = settle_fields(correlation, correlation.group_by); !settled) {
    return settled;
  }
  return settle_fields(correlation, correlation.value);
}

Status Linker::settle_correlations() {
  for (Correlation& correlation : loaded_.correlations) {
    if (Status settled = settle(correlation); !settled) {
      return settled;
    }
  }
  return {};
}

Status Linker::decide_who_alerts() {
  std::set<std::size_t> wanted_rules;
  std::set<std::size_t> wanted_correlations;
  for (const Correlation& correlation : loaded_.correlations) {
    for (const Reference& reference : correlation.rules) {
      const bool is_rule = reference.kind == Reference::Kind::rule;
      bool& alerts = is_rule ? loaded_.rules[reference.index].alerts
                             : loaded_.correlations[reference.index].alerts;
      alerts = false;
      if (correlation.generate) {
        (is_rule ? wanted_rules : wanted_correlations).insert(reference.index);
      }
    }
  }
  for (const std::size_t rule : wanted_rules) {
    loaded_.rules[rule].alerts = true;
  }
  for (const std::size_t correlation : wanted_correlations) {
    loaded_.correlations[correlation].alerts = true;
  }
  for (const Rule& rule : loaded_.rules) {
    if (rule.alerts && !rule.has_level) {
      loaded_.warnings.push_back(
          {rule.where(),
           "this rule has no 'level'; it alerts as medium. Levels are informational, low, medium, "
           "high, critical"});
    }
  }
  return {};
}

// A filter fits a rule whose logsource is the filter's or a part of it.
bool fits(const Logsource& filter, const Logsource& rule) {
  const auto same = [](const std::string& wanted, const std::string& given) {
    return wanted.empty() || wanted == given;
  };
  return same(filter.category, rule.category) && same(filter.product, rule.product) &&
         same(filter.service, rule.service);
}

Status Linker::resolve_filter(Filter& filter) {
  const Rule& detection = filter.detection;
  std::set<std::size_t> rules;
  if (filter.every_rule) {
    for (std::size_t i = 0; i < loaded_.rules.size(); ++i) {
      if (fits(detection.logsource, loaded_.rules[i].logsource)) {
        rules.insert(i);
      }
    }
  }
  for (Reference& reference : filter.references) {
    const SourcePosition where = detection.where(reference.position);
    Result<Target> target = find(reference.text, where);
    if (!target) {
      return pass_on(target);
    }
    if (target->kind == Target::Kind::correlation) {
      return fail_at(ErrorKind::config, where,
                     in_quotes(reference.text) +
                         " is a correlation; filters withhold findings, so name the rules it "
                         "refers to");
    }
    if (target->kind == Target::Kind::skipped) {
      continue;
    }
    reference.index = target->index;
    if (!fits(detection.logsource, loaded_.rules[target->index].logsource)) {
      loaded_.warnings.push_back({where, "this filter does not apply to " +
                                             in_quotes(reference.text) +
                                             ": the rule's logsource is another"});
      continue;
    }
    rules.insert(target->index);
  }
  if (rules.empty()) {
    loaded_.warnings.push_back(
        {detection.where(), "this filter applies to no rule that is in force"});
  }
  filter.rules.assign(rules.begin(), rules.end());
  return {};
}

Status Linker::resolve_filters() {
  for (Filter& filter : loaded_.filters) {
    if (Status resolved = resolve_filter(filter); !resolved) {
      return resolved;
    }
  }
  return {};
}

}  // namespace

std::vector<Error> leave_out_same_ids(LoadedRules& loaded) {
  Ids ids;
  std::vector<Error> refused;
  const auto take_rule = [&](const Rule& rule) {
    return ids.take(rule.id, rule.title, rule.where());
  };
  keep_first(loaded.rules, take_rule, refused);
  keep_first(
      loaded.correlations,
      [&](const Correlation& c) { return ids.take(c.key(), c.title, c.where()); }, refused);
  keep_first(
      loaded.filters, [&](const Filter& filter) { return take_rule(filter.detection); }, refused);
  return refused;
}

Status link(LoadedRules& loaded) {
  return Linker(loaded).run();
}

}  // namespace imds::sigma
