#include "selection.h"

#include <algorithm>
#include <string>
#include <utility>

#include "condition.h"
#include "event/event.h"
#include "modifiers.h"
#include "value.h"

namespace imds::sigma {
namespace {

Status resolve_field(const Context& context, std::uint32_t events, FieldMatch& match) {
  if (match.name.empty()) {
    return {};
  }
  Result<event::FieldRef> field = find_field(context, match.position, match.name, events);
  if (!field) {
    return pass_on(field);
  }
  match.field = field->id;
  match.header = std::move(field->header);
  match.also = context.fields.also(match.name);
  return {};
}

Status read_values(const Context& context, const Node& node, std::uint32_t events,
                   MatchDraft& draft) {
  const auto add = [&](const Node& item) -> Status {
    Result<Value> value = read_value(context, draft, item, events);
    if (!value) {
      return pass_on(value);
    }
    draft.match.values.push_back(std::move(*value));
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

// Some fields are a set of names in one text: to equal one of them is to have it in the set.
Status settle_sets(const Context& context, FieldMatch& match) {
  const bool is_set = match.field == event::FieldId::imds_visibility ||
                      match.field == event::FieldId::imds_claim_signs;
  if (!is_set || match.operation != Operation::equals) {
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

// Without `contains` an encoding at unknown offset is compared with whole values, which begin at
// offset 0.
void warn_of_encodings(const Context& context, const MatchDraft& draft) {
  if (draft.has(Transform::base64offset) && draft.match.operation == Operation::equals &&
      draft.match.field) {
    context.warn(draft.match.position,
                 "'base64offset' without 'contains' compares with the whole value; "
                 "'base64offset|contains' looks for it anywhere");
  }
}

// "name|modifier|modifier: values"; without a name, keywords.
Result<FieldMatch> read_match(const Context& context, const Node& key, const Node& values,
                              std::uint32_t events) {
  if (key.text.empty()) {
    return context.error(key.position, "expected a field's name");
  }
  MatchDraft draft;
  FieldMatch& match = draft.match;
  match.position = key.position;
  match.name = key.text.substr(0, key.text.find('|'));
  if (Status read = read_modifiers(context, key, draft); !read) {
    return pass_on(read);
  }
  if (Status resolved = resolve_field(context, events, match); !resolved) {
    return pass_on(resolved);
  }
  if (Status checked = check_modifiers(context, draft); !checked) {
    return pass_on(checked);
  }
  if (!match.field && match.operation == Operation::equals) {
    match.operation = Operation::contains;
  }
  if (match.operation == Operation::exists && values.is_sequence()) {
    return context.error(values.position, "the modifier 'exists' takes true or false, not a list");
  }
  if (Status read = read_values(context, values, events, draft); !read) {
    return pass_on(read);
  }
  if (match.all && match.values.size() == 1) {
    context.warn(match.position, "the modifier 'all' has no meaning for a single value");
  }
  warn_of_encodings(context, draft);
  if (Status settled = settle_sets(context, match); !settled) {
    return pass_on(settled);
  }
  return std::move(match);
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
  MatchDraft draft;
  FieldMatch& keywords = draft.match;
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
    Result<Value> keyword = read_value(context, draft, item, events);
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
