#include "filter_document.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "condition.h"
#include "correlation_document.h"
#include "logsource.h"
#include "rule_document.h"
#include "selection.h"

namespace imds::sigma {
namespace {

const Node& key_of(const Node& map, std::string_view name) {
  return *std::find_if(map.keys.begin(), map.keys.end(),
                       [&](const Node& key) { return key.text == name; });
}

Status read_selections(const Context& context, const Node& section, Rule& detection) {
  for (std::size_t i = 0; i < section.keys.size(); ++i) {
    const Node& name = section.keys[i];
    if (name.text == "condition" || name.text == "rules") {
      continue;
    }
    if (detection.selections.size() == kMaxSelections) {
      return context.error(name.position, "more than " + std::to_string(kMaxSelections) +
                                              " selections in one filter");
    }
    Result<Selection> selection =
        read_selection(context, name, section.children[i], detection.events);
    if (!selection) {
      return pass_on(selection);
    }
    detection.selections.push_back(std::move(*selection));
  }
  if (detection.selections.empty()) {
    return context.error(section.position,
                         "this filter has no selection, so it says nothing to withhold");
  }
  return {};
}

// Whether the condition holds for an event that no selection describes.
bool holds_for_the_rest(const Condition& condition) {
  const auto holds = [](const Condition& operand) { return holds_for_the_rest(operand); };
  switch (condition.kind) {
    case Condition::Kind::selection:
      return false;
    case Condition::Kind::negation:
      return !holds(condition.operands.front());
    case Condition::Kind::conjunction:
      return std::all_of(condition.operands.begin(), condition.operands.end(), holds);
    case Condition::Kind::disjunction:
      return std::any_of(condition.operands.begin(), condition.operands.end(), holds);
  }
  return false;
}

Condition opposite_of(Condition condition) {
  if (condition.kind == Condition::Kind::negation) {
    Condition inner = std::move(condition.operands.front());
    return inner;
  }
  Condition negation{Condition::Kind::negation, 0, {}, condition.position};
  negation.operands.push_back(std::move(condition));
  return negation;
}

Status read_condition(const Context& context, const Node& section, Filter& filter) {
  const Node* text = section.find("condition");
  if (text == nullptr || !text->is_scalar()) {
    return context.error(text == nullptr || text->is_null() ? section.position : text->position,
                         "expected one 'condition' in this filter, such as 'selection'");
  }
  Rule& detection = filter.detection;
  std::vector<bool> used(detection.selections.size());
  Result<Condition> condition = parse_condition(context, *text, detection.selections, used);
  if (!condition) {
    return pass_on(condition);
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      context.warn(detection.selections[i].position,
                   "no condition uses the selection " + in_quotes(detection.selections[i].name));
    }
  }
  filter.says_what_remains = holds_for_the_rest(*condition);
  detection.conditions.push_back(filter.says_what_remains ? opposite_of(std::move(*condition))
                                                          : std::move(*condition));
  return {};
}

Status read_section(const Context& context, const Node& section, Filter& filter) {
  const Node* rules = section.find("rules");
  if (rules == nullptr || rules->is_null()) {
    return context.error(section.position,
                         "this filter has no 'rules'; expected a list of ids or names, or 'any'");
  }
  filter.every_rule =
      rules->is_scalar() && (iequals(rules->text, "any") || iequals(rules->text, "all"));
  if (!filter.every_rule) {
    Result<std::vector<Reference>> references =
        read_references(context, key_of(section, "rules"), *rules);
    if (!references) {
      return pass_on(references);
    }
    filter.references = std::move(*references);
  }
  if (Status read = read_selections(context, section, filter.detection); !read) {
    return read;
  }
  return read_condition(context, section, filter);
}

}  // namespace

Status read_filter_document(const Context& context, const Node& document, LoadedRules& loaded) {
  const Node& section = *document.find("filter");
  if (document.find("detection") != nullptr) {
    return context.error(key_of(document, "detection").position,
                         "a filter has no 'detection'; its selections stand under 'filter'");
  }
  if (!section.is_map()) {
    return context.error(section.is_null() ? key_of(document, "filter").position : section.position,
                         "expected a map with rules, selections and a condition under 'filter'");
  }
  const Node* logsource = document.find("logsource");
  if (logsource == nullptr) {
    return context.error(document.position,
                         "this filter has no 'logsource'; it says which rules a filter fits");
  }
  Filter filter;
  Rule& detection = filter.detection;
  detection.file = context.file;
  detection.position = document.position;
  Result<Service> service = read_logsource(context, *logsource, document);
  if (!service) {
    return pass_on(service);
  }
  if (Status read = read_attributes(context, document, false, detection); !read) {
    return read;
  }
  warn_of_near_misses(context, document);
  detection.logsource = std::move(service->logsource);
  detection.events = service->events;
  if (service->events == 0) {
    loaded.skipped.push_back({detection.where(), detection.id, detection.title,
                              std::move(service->not_served), detection.name});
    return {};
  }
  if (Status read = read_section(context, section, filter); !read) {
    return read;
  }
  loaded.filters.push_back(std::move(filter));
  return {};
}

}  // namespace imds::sigma
