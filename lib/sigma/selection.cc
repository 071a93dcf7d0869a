#include "selection.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "condition.h"
#include "event/event.h"
#include "value.h"

namespace imds::sigma {
namespace {

using event::FieldKind;

struct OperationModifier {
  std::string_view name;
  Operation operation;
};
constexpr std::array<OperationModifier, 9> kOperations{{
    {"contains", Operation::contains},
    {"startswith", Operation::starts_with},
    {"endswith", Operation::ends_with},
    {"cidr", Operation::cidr},
    {"exists", Operation::exists},
    {"lt", Operation::less},
    {"lte", Operation::less_or_equal},
    {"gt", Operation::greater},
    {"gte", Operation::greater_or_equal},
}};
constexpr std::array<std::string_view, 12> kSupported{"all",  "contains", "startswith", "endswith",
                                                      "cidr", "exists",   "cased",      "neq",
                                                      "lt",   "lte",      "gt",         "gte"};
// Sigma's, but not (yet) the inspector's.
constexpr std::array<std::string_view, 19> kUnsupported{
    "re",      "i",       "m",    "s",       "base64",   "base64offset", "utf16",
    "utf16le", "utf16be", "wide", "windash", "fieldref", "expand",       "minute",
    "hour",    "day",     "week", "month",   "year"};

std::string supported_modifiers() {
  std::string text;
  for (const std::string_view modifier : kSupported) {
    text += (text.empty() ? "" : ", ") + std::string(modifier);
  }
  return text;
}

bool is_order(Operation operation) {
  return operation == Operation::less || operation == Operation::less_or_equal ||
         operation == Operation::greater || operation == Operation::greater_or_equal;
}

bool is_text_operation(Operation operation) {
  return operation == Operation::contains || operation == Operation::starts_with ||
         operation == Operation::ends_with;
}

// Adds one modifier to the match.
Status apply_modifier(const Context& context, Position at, std::string_view modifier,
                      FieldMatch& match) {
  const auto operation =
      std::find_if(kOperations.begin(), kOperations.end(),
                   [&](const OperationModifier& known) { return known.name == modifier; });
  if (operation != kOperations.end()) {
    if (match.operation != Operation::equals) {
      return context.error(at, "the modifiers " + in_quotes(name(match.operation)) + " and " +
                                   in_quotes(modifier) + " contradict each other");
    }
    match.operation = operation->operation;
    return {};
  }
  const std::array<std::pair<std::string_view, bool*>, 3> flags{
      {{"all", &match.all}, {"cased", &match.cased}, {"neq", &match.negated}}};
  for (const auto& [known, flag] : flags) {
    if (modifier != known) {
      continue;
    }
    if (*flag) {
      return context.error(at, "the modifier " + in_quotes(modifier) + " stands here twice");
    }
    *flag = true;
    return {};
  }
  if (std::find(kUnsupported.begin(), kUnsupported.end(), modifier) != kUnsupported.end()) {
    return context.error(at, "the modifier " + in_quotes(modifier) +
                                 " is not supported yet; supported are " + supported_modifiers());
  }
  return context.error(at, (modifier.empty() ? std::string("expected a modifier after '|'")
                                             : "unknown modifier " + in_quotes(modifier)) +
                               did_you_mean(nearest(modifier, kSupported)) + "; supported are " +
                               supported_modifiers());
}

// Modifiers that make no sense together, or not on this field.
Status check_modifiers(const Context& context, const FieldMatch& match) {
  const auto refuse = [&](std::string message) -> Status {
    return context.error(match.position, std::move(message));
  };
  const Operation operation = match.operation;
  const std::string modifier = in_quotes(name(operation));
  const bool is_text = !match.field || event::describe(*match.field).kind == FieldKind::text;
  const bool compares_text =
      is_text && (operation == Operation::equals || is_text_operation(operation));
  if (match.cased && !compares_text) {
    return refuse("the modifier 'cased' only changes comparisons of text");
  }
  if (match.negated && (match.all || operation == Operation::exists || is_order(operation))) {
    return refuse("the modifier 'neq' cannot be combined with " + (match.all ? "'all'" : modifier));
  }
  if (match.all && operation == Operation::exists) {
    return refuse("the modifiers 'all' and 'exists' contradict each other");
  }
  if (!match.field) {
    const bool finds_anywhere = operation == Operation::equals || operation == Operation::contains;
    return finds_anywhere && !match.negated
               ? Status{}
               : refuse("keywords take the modifiers 'all', 'contains' and 'cased' only");
  }
  switch (event::describe(*match.field).kind) {
    case FieldKind::text:
      return operation == Operation::cidr || is_order(operation)
                 ? refuse("the modifier " + modifier + " does not apply to " +
                          in_quotes(match.name) + ", which holds text")
                 : Status{};
    case FieldKind::number:
      return operation == Operation::cidr || is_text_operation(operation)
                 ? refuse("the modifier " + modifier + " does not apply to " +
                          in_quotes(match.name) + ", which holds a number")
                 : Status{};
    case FieldKind::address:
      return is_order(operation) || is_text_operation(operation)
                 ? refuse("the modifier " + modifier + " does not apply to " +
                          in_quotes(match.name) +
                          ", which holds an address; write networks with 'cidr'")
                 : Status{};
  }
  return {};
}

Status resolve_field(const Context& context, std::uint32_t events, FieldMatch& match) {
  if (match.name.empty()) {
    return {};
  }
  match.field = context.fields.find(match.name);
  if (!match.field) {
    const std::string near = context.fields.nearest(match.name);
    return context.error(match.position,
                         "unknown field " + in_quotes(match.name) + did_you_mean(near) +
                             "; known names and their aliases stand in fields.yaml");
  }
  if ((event::describe(*match.field).events & events) == 0) {
    return context.error(match.position, "no event of this rule's logsource carries the field " +
                                             in_quotes(match.name));
  }
  return {};
}

Status read_values(const Context& context, const Node& node, std::uint32_t events,
                   FieldMatch& match) {
  const auto add = [&](const Node& item) -> Status {
    Result<Value> value = read_value(context, match, item, events);
    if (!value) {
      return pass_on(value);
    }
    match.values.push_back(std::move(*value));
    return {};
  };
  if (!node.is_sequence()) {
    return add(node);
  }
  if (node.children.empty()) {
    return context.error(node.position, "the list of values is empty");
  }
  for (const Node& item : node.children) {
    if (Status added = add(item); !added) {
      return added;
    }
  }
  return {};
}

// imds.visibility is a set of names in one text: to equal one of them is to have it in the set.
Status settle_visibility(const Context& context, FieldMatch& match) {
  if (match.field != event::FieldId::imds_visibility || match.operation != Operation::equals) {
    return {};
  }
  const auto nulls = std::count_if(match.values.begin(), match.values.end(),
                                   [](const Value& v) { return v.kind == Value::Kind::null; });
  if (nulls == static_cast<std::ptrdiff_t>(match.values.size())) {
    return {};
  }
  if (nulls > 0) {
    return context.error(match.position,
                         "names and null cannot stand in one list here; put null "
                         "in a selection of its own");
  }
  match.operation = Operation::contains;
  return {};
}

// "name|modifier|modifier: values"; without a name, keywords.
Result<FieldMatch> read_match(const Context& context, const Node& key, const Node& values,
                              std::uint32_t events) {
  FieldMatch match;
  match.position = key.position;
  const std::string_view text = key.text;
  std::size_t bar = text.find('|');
  match.name = text.substr(0, bar);
  while (bar != std::string_view::npos) {
    const std::size_t start = bar + 1;
    bar = text.find('|', start);
    const std::string_view modifier =
        text.substr(start, bar == std::string_view::npos ? bar : bar - start);
    const Position at = locate(context.source, key, start);
    if (Status applied = apply_modifier(context, at, modifier, match); !applied) {
      return pass_on(applied);
    }
  }
  if (text.empty()) {
    return context.error(key.position, "expected a field's name");
  }
  if (Status resolved = resolve_field(context, events, match); !resolved) {
    return pass_on(resolved);
  }
  if (Status checked = check_modifiers(context, match); !checked) {
    return pass_on(checked);
  }
  if (!match.field) {
    match.operation = Operation::contains;
  }
  if (match.operation == Operation::exists && values.is_sequence()) {
    return context.error(values.position, "the modifier 'exists' takes true or false, not a list");
  }
  if (Status read = read_values(context, values, events, match); !read) {
    return pass_on(read);
  }
  if (match.all && match.values.size() == 1) {
    context.warn(match.position, "the modifier 'all' has no meaning for a single value");
  }
  if (Status settled = settle_visibility(context, match); !settled) {
    return pass_on(settled);
  }
  return match;
}

Result<std::vector<FieldMatch>> read_map(const Context& context, const Node& map,
                                         std::uint32_t events) {
  std::vector<FieldMatch> group;
  if (map.children.empty()) {
    return context.error(map.position, "expected fields and their values; this map is empty");
  }
  for (std::size_t i = 0; i < map.children.size(); ++i) {
    Result<FieldMatch> match = read_match(context, map.keys[i], map.children[i], events);
    if (!match) {
      return pass_on(match);
    }
    group.push_back(std::move(*match));
  }
  return group;
}

// Items are linked by 'or': each map is a group, all plain keywords together are one more.
Status read_list(const Context& context, const Node& list, std::uint32_t events,
                 Selection& selection) {
  FieldMatch keywords;
  keywords.operation = Operation::contains;
  for (const Node& item : list.children) {
    if (item.is_map()) {
      Result<std::vector<FieldMatch>> group = read_map(context, item, events);
      if (!group) {
        return pass_on(group);
      }
      selection.groups.push_back(std::move(*group));
      continue;
    }
    Result<Value> keyword = read_value(context, keywords, item, events);
    if (!keyword) {
      return pass_on(keyword);
    }
    if (keywords.values.empty()) {
      keywords.position = item.position;
    }
    keywords.values.push_back(std::move(*keyword));
  }
  if (!keywords.values.empty()) {
    selection.groups.push_back({std::move(keywords)});
  }
  return {};
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

}  // namespace

Result<Selection> read_selection(const Context& context, const Node& name, const Node& item,
                                 std::uint32_t events) {
  if (!is_name(name.text)) {
    return context.error(name.position, in_quotes(name.text) +
                                            " cannot be a selection's name: letters, digits, "
                                            "'_', '-' and '.' only, or no condition can name it");
  }
  if (is_reserved_word(name.text)) {
    return context.error(name.position, in_quotes(name.text) +
                                            " is a word of the condition language and cannot be "
                                            "a selection's name");
  }
  Selection selection{name.text, {}, name.position};
  if (item.is_map()) {
    Result<std::vector<FieldMatch>> group = read_map(context, item, events);
    if (!group) {
      return pass_on(group);
    }
    selection.groups.push_back(std::move(*group));
    return selection;
  }

  // A single keyword needs no list around it.
  Node list;
  const bool single = item.is_scalar();
  if (single) {
    list.children.push_back(item);
  }
  if (!single && (!item.is_sequence() || item.children.empty())) {
    return context.error(item.is_null() ? name.position : item.position,
                         "the selection " + in_quotes(name.text) +
                             " is empty; expected fields with values, or keywords");
  }
  if (Status read = read_list(context, single ? list : item, events, selection); !read) {
    return pass_on(read);
  }
  return selection;
}

}  // namespace imds::sigma
