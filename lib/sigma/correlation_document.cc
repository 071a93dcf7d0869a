#include "correlation_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "base/text.h"
#include "event/finding.h"
#include "rule_document.h"

namespace imds::sigma {
namespace {

constexpr std::array<std::string_view, 4> kTypes{"event_count", "value_count", "temporal",
                                                 "temporal_ordered"};
// The specification's, but they need numbers that no event carries.
constexpr std::array<std::string_view, 6> kMetrics{"value_sum", "value_avg",        "value_min",
                                                   "value_max", "value_percentile", "value_median"};
constexpr std::array<std::string_view, 6> kComparisons{"gt", "gte", "lt", "lte", "eq", "neq"};

template <typename Words>
std::string joined(const Words& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += (text.empty() ? "" : ", ") + std::string(word);
  }
  return text;
}

const Node& key_of(const Node& map, std::string_view name) {
  return *std::find_if(map.keys.begin(), map.keys.end(),
                       [&](const Node& key) { return key.text == name; });
}

Position position_of(const Node& map, std::string_view name) {
  const Node& value = *map.find(name);
  return value.is_null() ? key_of(map, name).position : value.position;
}

Result<const Node*> require(const Context& context, const Node& map, std::string_view key,
                            std::string_view example) {
  const Node* value = map.find(key);
  if (value == nullptr || value->is_null()) {
    return context.error(
        value == nullptr ? map.position : key_of(map, key).position,
        "this correlation has no " + in_quotes(key) + ", such as " + std::string(example));
  }
  return value;
}

Result<CorrelationType> read_type(const Context& context, const Node& section) {
  Result<const Node*> node = require(context, section, "type", "event_count");
  if (!node) {
    return pass_on(node);
  }
  const std::string& text = (*node)->text;
  const auto found = std::find(kTypes.begin(), kTypes.end(), text);
  if (found != kTypes.end()) {
    return static_cast<CorrelationType>(found - kTypes.begin());
  }
  const bool metric = std::find(kMetrics.begin(), kMetrics.end(), text) != kMetrics.end();
  return context.error((*node)->position,
                       in_quotes(text) +
                           (metric ? " is not supported: events carry no quantities"
                                   : " is no type of correlation") +
                           "; expected one of " + joined(kTypes) +
                           (metric ? "" : did_you_mean(nearest(text, kTypes))));
}

// `number + letter`.
Result<std::int64_t> read_timespan(const Context& context, const Node& section) {
  Result<const Node*> node = require(context, section, "timespan", "10m");
  if (!node) {
    return pass_on(node);
  }
  const std::string& text = (*node)->text;
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kUnits{
      {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};
  const auto found = std::find_if(kUnits.begin(), kUnits.end(),
                                  [&](const auto& known) { return known.first == unit; });
  if (!(*node)->is_scalar() || problem == std::errc::invalid_argument || text.front() == '-' ||
      found == kUnits.end()) {
    return context.error((*node)->position,
                         in_quotes(text) +
                             " is no timespan; expected a number and one of the letters s, m, h "
                             "and d (seconds, minutes, hours, days), such as 10m");
  }
  if (problem != std::errc() || number == 0 || number > kMaxTimespanSeconds / found->second) {
    return context.error((*node)->position,
                         "expected a timespan from 1s to 366d, not " + in_quotes(text));
  }
  return number * found->second;
}

Result<CorrelatedField> read_field(const Context& context, const Node& node,
                                   const std::vector<FieldAlias>& aliases) {
  if (!node.is_scalar() || node.text.empty()) {
    return context.error(node.position, "expected a field's name");
  }
  CorrelatedField field{node.text, {}, node.position};
  const bool is_alias = std::any_of(aliases.begin(), aliases.end(),
                                    [&](const FieldAlias& a) { return a.name == node.text; });
  if (is_alias) {
    return field;  // link() knows which rule means what
  }
  const std::optional<event::FieldId> known = context.fields.find(node.text);
  if (!known) {
    std::string_view near;
    std::vector<std::string_view> names;
    for (const FieldAlias& alias : aliases) {
      names.push_back(alias.name);
    }
    near = nearest(node.text, names);
    return context.error(node.position,
                         "unknown field " + in_quotes(node.text) +
                             did_you_mean(near.empty() ? context.fields.nearest(node.text) : near) +
                             "; expected a name of fields.yaml or one under 'aliases'");
  }
  field.fields.push_back(*known);
  return field;
}

Status check_is_kept(const Context& context, Position at, const std::string& name,
                     event::FieldId field) {
  if (event::is_in_findings(field)) {
    return {};
  }
  return context.error(at, "correlations cannot use the field " + in_quotes(name) +
                               ": only rules see it, findings do not keep it");
}

// One field, or a list of them.
Result<std::vector<CorrelatedField>> read_fields(const Context& context, const Node& key,
                                                 const Node& node,
                                                 const std::vector<FieldAlias>& aliases) {
  const bool is_list = node.is_sequence();
  std::vector<CorrelatedField> fields;
  for (std::size_t i = 0; i < (is_list ? node.children.size() : 1); ++i) {
    Result<CorrelatedField> field = read_field(context, is_list ? node.children[i] : node, aliases);
    if (!field) {
      return pass_on(field);
    }
    if (!field->fields.empty()) {
      if (Status kept = check_is_kept(context, field->position, field->name, field->fields[0]);
          !kept) {
        return pass_on(kept);
      }
    }
    if (std::any_of(fields.begin(), fields.end(), [&](const CorrelatedField& other) {
          return other.name == field->name ||
                 (!field->fields.empty() && other.fields == field->fields);
        })) {
      return context.error(field->position,
                           in_quotes(field->name) + " means a field that stands here already");
    }
    fields.push_back(std::move(*field));
  }
  if (fields.empty() || fields.size() > kMaxGroupFields) {
    return context.error(key.position, "expected 1 to " + std::to_string(kMaxGroupFields) +
                                           " fields under " + in_quotes(key.text));
  }
  return fields;
}

Result<FieldAlias> read_alias(const Context& context, const Node& name, const Node& map) {
  FieldAlias alias{name.text, {}, name.position};
  if (!map.is_map() || map.keys.empty()) {
    return context.error(map.is_null() ? name.position : map.position,
                         "expected a map from rules to fields, as in 'rule_name: source.ip'");
  }
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    Result<CorrelatedField> field = read_field(context, map.children[i], {});
    if (!field) {
      return pass_on(field);
    }
    if (Status kept = check_is_kept(context, field->position, field->name, field->fields[0]);
        !kept) {
      return pass_on(kept);
    }
    alias.entries.push_back({map.keys[i].text, field->fields[0], map.keys[i].position});
  }
  return alias;
}

Result<std::vector<FieldAlias>> read_aliases(const Context& context, const Node& section) {
  std::vector<FieldAlias> aliases;
  const Node* node = section.find("aliases");
  if (node == nullptr || node->is_null()) {
    return aliases;
  }
  if (!node->is_map()) {
    return context.error(node->position, "expected a map of names under 'aliases'");
  }
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    Result<FieldAlias> alias = read_alias(context, node->keys[i], node->children[i]);
    if (!alias) {
      return pass_on(alias);
    }
    aliases.push_back(std::move(*alias));
  }
  return aliases;
}

Result<std::uint64_t> read_count(const Context& context, const Node& node) {
  std::uint64_t count = 0;
  const char* last = node.text.data() + node.text.size();
  const auto [end, problem] = std::from_chars(node.text.data(), last, count);
  if (!node.is_scalar() || node.text.empty() || problem != std::errc() || end != last ||
      count > std::uint64_t{1} << 53) {
    return context.error(node.position, "expected a count, a whole number from 0");
  }
  return count;
}

void restrict(Threshold& threshold, std::string_view comparison, std::uint64_t count) {
  const auto at_least = [&](std::uint64_t n) { threshold.least = std::max(threshold.least, n); };
  const auto at_most = [&](std::uint64_t n) { threshold.most = std::min(threshold.most, n); };
  if (comparison == "gt") {
    at_least(count + 1);
  } else if (comparison == "gte") {
    at_least(count);
  } else if (comparison == "lt") {
    at_most(count == 0 ? 0 : count - 1);
  } else if (comparison == "lte") {
    at_most(count);
  } else if (comparison == "eq") {
    at_least(count);
    at_most(count);
  } else {
    threshold.never = count;
  }
}

// A count begins with an event, so it is never 0.
Status check_threshold(const Context& context, const Node& condition,
                       const Correlation& correlation) {
  const Threshold& threshold = correlation.threshold;
  const bool only_never = threshold.never == threshold.least && threshold.least == threshold.most;
  if (threshold.least > threshold.most || only_never) {
    return context.error(condition.position,
                         "no count satisfies this condition (an event is there to be counted, so "
                         "a count is 1 at least)");
  }
  std::uint64_t remembered = threshold.least;
  if (correlation.type != CorrelationType::event_count) {
    remembered = std::max(remembered, threshold.never.value_or(0));
    remembered =
        threshold.most == Threshold::kNoLimit ? remembered : std::max(remembered, threshold.most);
  }
  if (remembered > kMaxCount &&
      !(correlation.type == CorrelationType::event_count && threshold.needs_whole_window())) {
    return context.error(condition.position, "counts above " + std::to_string(kMaxCount) +
                                                 " are not supported: every event counted is "
                                                 "remembered");
  }
  return {};
}

Status read_comparisons(const Context& context, const Node& condition, Correlation& correlation) {
  bool any = false;
  for (std::size_t i = 0; i < condition.keys.size(); ++i) {
    const Node& key = condition.keys[i];
    if (key.text == "field") {
      continue;
    }
    if (std::find(kComparisons.begin(), kComparisons.end(), key.text) == kComparisons.end()) {
      return context.error(key.position, in_quotes(key.text) +
                                             " is no comparison of counts; expected one of " +
                                             joined(kComparisons));
    }
    Result<std::uint64_t> count = read_count(context, condition.children[i]);
    if (!count) {
      return pass_on(count);
    }
    restrict(correlation.threshold, key.text, *count);
    any = true;
  }
  if (!any) {
    return context.error(condition.position, "expected a comparison of counts, such as 'gte: 10'");
  }
  return check_threshold(context, condition, correlation);
}

// temporal and temporal_ordered count the rules that were seen; without a condition, all must be.
Status check_rule_count(const Context& context, const Node& condition, Correlation& correlation) {
  const std::uint64_t rules = correlation.rules.size();
  if (correlation.threshold.most >= rules) {
    correlation.threshold.most = Threshold::kNoLimit;  // there are no more: nothing to wait for
  }
  if (correlation.threshold.least > rules) {
    return context.error(condition.position, "this condition asks for more rules than the " +
                                                 std::to_string(rules) + " there are");
  }
  if (correlation.type == CorrelationType::temporal_ordered &&
      (correlation.threshold.least != rules || correlation.threshold.never)) {
    return context.error(condition.position,
                         "'temporal_ordered' needs all its rules; leave the condition out, or use "
                         "'temporal', which can do with some");
  }
  return {};
}

Status read_condition(const Context& context, const Node& section, Correlation& correlation) {
  const bool temporal = correlation.type == CorrelationType::temporal ||
                        correlation.type == CorrelationType::temporal_ordered;
  const Node* node = section.find("condition");
  if (temporal && (node == nullptr || node->is_null())) {
    correlation.threshold.least = correlation.rules.size();
    return {};
  }
  Result<const Node*> condition = require(context, section, "condition", "'gte: 10'");
  if (!condition) {
    return pass_on(condition);
  }
  if (!node->is_map()) {
    return context.error(node->position,
                         "expected a map such as 'gte: 10'; conditions over the names of rules are "
                         "not supported");
  }
  const Node* field = node->find("field");
  if ((field != nullptr) != (correlation.type == CorrelationType::value_count)) {
    return context.error(field == nullptr ? node->position : key_of(*node, "field").position,
                         field == nullptr
                             ? "value_count needs a 'field' in its condition, whose values count"
                             : "'field' belongs to value_count only");
  }
  if (field != nullptr) {
    Result<std::vector<CorrelatedField>> fields =
        read_fields(context, key_of(*node, "field"), *field, correlation.aliases);
    if (!fields) {
      return pass_on(fields);
    }
    correlation.value = std::move(*fields);
  }
  if (Status read = read_comparisons(context, *node, correlation); !read) {
    return read;
  }
  return temporal ? check_rule_count(context, *node, correlation) : Status{};
}

Status read_section(const Context& context, const Node& section, Correlation& correlation) {
  if (Status known =
          check_keys(context, section, "a correlation",
                     {"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"});
      !known) {
    return known;
  }
  Result<CorrelationType> type = read_type(context, section);
  if (!type) {
    return pass_on(type);
  }
  correlation.type = *type;
  Result<const Node*> list = require(context, section, "rules", "a list of names or ids");
  if (!list) {
    return pass_on(list);
  }
  Result<std::vector<Reference>> rules = read_references(context, key_of(section, "rules"), **list);
  if (!rules) {
    return pass_on(rules);
  }
  correlation.rules = std::move(*rules);
  Result<std::vector<FieldAlias>> aliases = read_aliases(context, section);
  if (!aliases) {
    return pass_on(aliases);
  }
  correlation.aliases = std::move(*aliases);
  if (const Node* fields = section.find("group-by"); fields != nullptr && !fields->is_null()) {
    Result<std::vector<CorrelatedField>> group_by =
        read_fields(context, key_of(section, "group-by"), *fields, correlation.aliases);
    if (!group_by) {
      return pass_on(group_by);
    }
    correlation.group_by = std::move(*group_by);
  }
  Result<std::int64_t> timespan = read_timespan(context, section);
  if (!timespan) {
    return pass_on(timespan);
  }
  correlation.timespan_seconds = *timespan;
  return read_condition(context, section, correlation);
}

// A root attribute by the specification; the reference converter reads it in the section.
Status read_generate(const Context& context, const Node& map, Correlation& correlation) {
  const Node* node = map.find("generate");
  if (node == nullptr) {
    return {};
  }
  const bool yes = iequals(node->text, "true") || iequals(node->text, "yes");
  if (!node->plain || (!yes && !iequals(node->text, "false") && !iequals(node->text, "no"))) {
    return context.error(position_of(map, "generate"), "expected true or false for 'generate'");
  }
  correlation.generate = yes;
  return {};
}

}  // namespace

std::string_view name(CorrelationType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

Status check_keys(const Context& context, const Node& map, std::string_view what,
                  std::initializer_list<std::string_view> known) {
  for (const Node& key : map.keys) {
    if (std::find(known.begin(), known.end(), key.text) == known.end()) {
      return context.error(key.position, in_quotes(key.text) + " is no part of " +
                                             std::string(what) +
                                             did_you_mean(nearest(key.text, known)) +
                                             "; expected are " + joined(known));
    }
  }
  return {};
}

Result<std::vector<Reference>> read_references(const Context& context, const Node& key,
                                               const Node& list) {
  std::vector<Reference> references;
  const bool is_list = list.is_sequence();
  for (std::size_t i = 0; i < (is_list ? list.children.size() : 1); ++i) {
    const Node& node = is_list ? list.children[i] : list;
    if (!node.is_scalar() || node.text.empty()) {
      return context.error(node.is_null() ? key.position : node.position,
                           "expected the id or the name of a rule");
    }
    if (std::any_of(references.begin(), references.end(),
                    [&](const Reference& other) { return other.text == node.text; })) {
      return context.error(node.position, in_quotes(node.text) + " stands here twice");
    }
    references.push_back({Reference::Kind::rule, 0, node.text, node.position});
  }
  if (references.empty()) {
    return context.error(key.position, "expected a list of rules, by id or name");
  }
  return references;
}

Status read_correlation_document(const Context& context, const Node& document,
                                 LoadedRules& loaded) {
  const Node& section = *document.find("correlation");
  for (const std::string_view other : {"detection", "filter"}) {
    if (document.find(other) != nullptr) {
      return context.error(key_of(document, other).position,
                           "a correlation has no " + in_quotes(other) +
                               "; write the rules it refers to as documents of their own");
    }
  }
  if (!section.is_map()) {
    return context.error(position_of(document, "correlation"),
                         "expected a map with type, rules, timespan and condition under "
                         "'correlation'");
  }
  Rule attributes;
  if (Status read = read_attributes(context, document, false, attributes); !read) {
    return read;
  }
  warn_of_near_misses(context, document);
  Correlation correlation;
  correlation.id = std::move(attributes.id);
  correlation.name = std::move(attributes.name);
  correlation.title = std::move(attributes.title);
  correlation.level = attributes.level;
  correlation.has_level = attributes.has_level;
  correlation.description = std::move(attributes.description);
  correlation.references = std::move(attributes.references);
  correlation.tags = std::move(attributes.tags);
  correlation.false_positives = std::move(attributes.false_positives);
  correlation.file = context.file;
  correlation.position = document.position;
  if (Status read = read_section(context, section, correlation); !read) {
    return read;
  }
  if (correlation.rules.size() > kMaxCorrelatedRules) {
    return context.error(
        key_of(section, "rules").position,
        "more than " + std::to_string(kMaxCorrelatedRules) + " rules in one correlation");
  }
  for (const Node* map : {&section, &document}) {
    if (Status read = read_generate(context, *map, correlation); !read) {
      return read;
    }
  }
  loaded.correlations.push_back(std::move(correlation));
  return {};
}

}  // namespace imds::sigma
