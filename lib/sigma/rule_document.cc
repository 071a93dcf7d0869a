#include "rule_document.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "base/text.h"
#include "condition.h"
#include "logsource.h"
#include "selection.h"

namespace imds::sigma {
namespace {

constexpr std::size_t kMaxTitleLength = 256;  // the specification's

// The specification's attributes of a rule. Others are custom, and legal.
constexpr std::array<std::string_view, 22> kAttributes{
    "title",       "id",          "name",   "related",        "taxonomy", "status",
    "description", "license",     "author", "date",           "modified", "references",
    "logsource",   "detection",   "fields", "falsepositives", "level",    "tags",
    "scope",       "correlation", "filter", "generate"};
constexpr std::array<std::string_view, 5> kLevels{"informational", "low", "medium", "high",
                                                  "critical"};
constexpr std::array<std::string_view, 5> kStatuses{"stable", "test", "experimental", "deprecated",
                                                    "unsupported"};

template <typename Words>
std::string joined(const Words& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += (text.empty() ? "" : ", ") + std::string(word);
  }
  return text;
}

Position value_position(const Node& document, std::string_view key) {
  const Node* value = document.find(key);
  return value == nullptr || value->is_null() ? document.position : value->position;
}

// Documents that are no plain rule: other kinds Sigma has, and what Sigma 1 had.
Status check_kind(const Context& context, const Node& document) {
  if (!document.is_map()) {
    return context.error(document.position,
                         "expected a Sigma rule: a map with title, id, level, logsource and "
                         "detection");
  }
  const auto key_position = [&](std::string_view name) {
    const auto key = std::find_if(document.keys.begin(), document.keys.end(),
                                  [&](const Node& k) { return k.text == name; });
    return key->position;
  };
  if (document.find("action") != nullptr) {
    return context.error(key_position("action"),
                         "'action: global', 'reset' and 'repeat' belong to Sigma 1 and are not "
                         "supported; write every document as a rule of its own, with its own id, "
                         "and repeat the shared attributes in each");
  }
  for (const std::string_view required : {"logsource", "detection"}) {
    if (document.find(required) != nullptr) {
      continue;
    }
    for (const Node& key : document.keys) {
      if (event::edit_distance(std::string_view(key.text).substr(0, 64), required) <= 2) {
        return context.error(key.position,
                             "unknown attribute " + in_quotes(key.text) + did_you_mean(required));
      }
    }
    return context.error(document.position,
                         "this rule has no " + in_quotes(required) + "; every rule needs one");
  }
  return {};
}

}  // namespace

void warn_of_near_misses(const Context& context, const Node& document) {
  for (const Node& key : document.keys) {
    if (std::find(kAttributes.begin(), kAttributes.end(), key.text) != kAttributes.end()) {
      continue;
    }
    for (const std::string_view known : kAttributes) {
      if (key.text.size() <= 64 && event::edit_distance(key.text, known) == 1) {
        context.warn(key.position, "the attribute " + in_quotes(key.text) +
                                       " has no meaning to the inspector" + did_you_mean(known));
      }
    }
  }
}

namespace {

// An optional attribute that is one text; empty if it is not given.
Result<std::string> read_text(const Context& context, const Node& document, std::string_view key) {
  const Node* node = document.find(key);
  if (node == nullptr || node->is_null()) {
    return std::string();
  }
  if (!node->is_scalar()) {
    return context.error(node->position, "expected a text for " + in_quotes(key));
  }
  return node->text;
}

// An optional attribute that is a list of texts; a single text is a list of one.
Result<std::vector<std::string>> read_texts(const Context& context, const Node& document,
                                            std::string_view key) {
  std::vector<std::string> texts;
  const Node* node = document.find(key);
  if (node == nullptr || node->is_null()) {
    return texts;
  }
  if (node->is_scalar()) {
    texts.push_back(node->text);
    return texts;
  }
  for (const Node& item : node->children) {
    if (!node->is_sequence() || !item.is_scalar()) {
      return context.error(item.position, "expected a list of texts for " + in_quotes(key));
    }
    texts.push_back(item.text);
  }
  return texts;
}

// A UUID made of the rule's title, for rules that have none: the same wherever the file lies.
std::string id_of_title(std::string_view title) {
  // FNV-1a, twice with different beginnings; RFC 9562 version 8 leaves the bits to the maker.
  constexpr std::uint64_t kPrime = 0x100000001b3;
  std::array<std::uint64_t, 2> hash{0xcbf29ce484222325, 0x84222325cbf29ce4};
  for (const char c : title) {
    for (std::uint64_t& half : hash) {
      half = (half ^ static_cast<unsigned char>(c)) * kPrime;
    }
  }
  hash[0] = (hash[0] & ~std::uint64_t{0xf000}) | 0x8000;
  hash[1] = (hash[1] & ~(std::uint64_t{3} << 62)) | std::uint64_t{2} << 62;
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx",
                static_cast<unsigned>(hash[0] >> 32), static_cast<unsigned>(hash[0] >> 16 & 0xffff),
                static_cast<unsigned>(hash[0] & 0xffff), static_cast<unsigned>(hash[1] >> 48),
                static_cast<unsigned long long>(hash[1] & 0xffffffffffff));
  return text;
}

// RFC 9562 text form; lower case in the result.
Result<std::string> read_id(const Context& context, const Node& document, const Rule& rule,
                            bool needs_id) {
  Result<std::string> id = read_text(context, document, "id");
  if (!id || (id->empty() && !needs_id)) {
    return id;
  }
  if (id->empty()) {
    std::string made = id_of_title(rule.title);
    context.warn(value_position(document, "id"),
                 "this rule has no 'id'; alerts name it " + made +
                     ", made of its title. Give it a UUID that stays when the title changes (cat "
                     "/proc/sys/kernel/random/uuid makes one)");
    return made;
  }
  bool good = id->size() == 36;
  for (std::size_t i = 0; i < id->size() && good; ++i) {
    char& c = (*id)[i];
    c = ascii_lower(c);
    good = i == 8 || i == 13 || i == 18 || i == 23
               ? c == '-'
               : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  }
  if (!good) {
    return context.error(value_position(document, "id"),
                         "'id' must be a UUID such as 929a690e-bef0-4204-a928-ef5e620d6fcc");
  }
  return id;
}

Status read_title_and_level(const Context& context, const Node& document, Rule& rule) {
  Result<std::string> title = read_text(context, document, "title");
  if (!title) {
    return pass_on(title);
  }
  if (title->empty() || title->size() > kMaxTitleLength) {
    return context.error(
        value_position(document, "title"),
        "expected a 'title' of 1 to " + std::to_string(kMaxTitleLength) + " bytes");
  }
  rule.title = std::move(*title);

  Result<std::string> level = read_text(context, document, "level");
  if (!level) {
    return pass_on(level);
  }
  if (level->empty()) {
    rule.level = Level::medium;  // link() tells, if the rule alerts
    return {};
  }
  const auto found = std::find(kLevels.begin(), kLevels.end(), *level);
  if (found == kLevels.end()) {
    return context.error(value_position(document, "level"),
                         in_quotes(*level) + " is no level; expected one of " + joined(kLevels));
  }
  rule.has_level = true;
  rule.level = static_cast<Level>(found - kLevels.begin());
  return {};
}

Status read_status(const Context& context, const Node& document, Rule& rule) {
  Result<std::string> status = read_text(context, document, "status");
  if (!status) {
    return pass_on(status);
  }
  if (!status->empty() &&
      std::find(kStatuses.begin(), kStatuses.end(), *status) == kStatuses.end()) {
    return context.error(
        value_position(document, "status"),
        in_quotes(*status) + " is no status; expected one of " + joined(kStatuses));
  }
  if (*status == "deprecated" || *status == "unsupported") {
    context.warn(value_position(document, "status"),
                 "this rule calls itself " + *status + "; it is loaded all the same");
  }
  rule.status = std::move(*status);
  return {};
}

}  // namespace

Status read_attributes(const Context& context, const Node& document, bool needs_id, Rule& rule) {
  if (Status read = read_title_and_level(context, document, rule); !read) {
    return read;
  }
  Result<std::string> id = read_id(context, document, rule, needs_id);
  if (!id) {
    return pass_on(id);
  }
  rule.id = std::move(*id);
  Result<std::string> name = read_text(context, document, "name");
  if (!name) {
    return pass_on(name);
  }
  rule.name = std::move(*name);
  if (Status read = read_status(context, document, rule); !read) {
    return read;
  }

  Result<std::string> description = read_text(context, document, "description");
  if (!description) {
    return pass_on(description);
  }
  rule.description = std::move(*description);
  std::vector<std::string> authors;
  const std::array<std::pair<std::string_view, std::vector<std::string>*>, 4> lists{
      {{"author", &authors},
       {"references", &rule.references},
       {"tags", &rule.tags},
       {"falsepositives", &rule.false_positives}}};
  for (const auto& [key, target] : lists) {
    Result<std::vector<std::string>> list = read_texts(context, document, key);
    if (!list) {
      return pass_on(list);
    }
    *target = std::move(*list);
  }
  rule.author = joined(authors);
  return {};
}

namespace {

Status read_selections(const Context& context, const Node& detection, Rule& rule) {
  for (std::size_t i = 0; i < detection.keys.size(); ++i) {
    const Node& name = detection.keys[i];
    if (name.text == "condition") {
      continue;
    }
    if (name.text == "timeframe") {
      return context.error(name.position,
                           "'timeframe' belongs to aggregations, which are not supported; Sigma 2 "
                           "replaced them by correlation rules");
    }
    if (rule.selections.size() == kMaxSelections) {
      return context.error(
          name.position, "more than " + std::to_string(kMaxSelections) + " selections in one rule");
    }
    Result<Selection> selection = read_selection(context, name, detection.children[i], rule.events);
    if (!selection) {
      return pass_on(selection);
    }
    rule.selections.push_back(std::move(*selection));
  }
  return {};
}

Status read_conditions(const Context& context, const Node& condition, Rule& rule) {
  std::vector<bool> used(rule.selections.size());
  const bool is_list = condition.is_sequence() && !condition.children.empty();
  const std::size_t count = is_list ? condition.children.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const Node& text = is_list ? condition.children[i] : condition;
    if (!text.is_scalar()) {
      return context.error(text.position,
                           "expected a condition, such as 'selection', or a list of them");
    }
    Result<Condition> parsed = parse_condition(context, text, rule.selections, used);
    if (!parsed) {
      return pass_on(parsed);
    }
    rule.conditions.push_back(std::move(*parsed));
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      context.warn(rule.selections[i].position,
                   "no condition uses the selection " + in_quotes(rule.selections[i].name));
    }
  }
  return {};
}

Status read_detection(const Context& context, const Node& document, Rule& rule) {
  const Node& detection = *document.find("detection");
  if (!detection.is_map()) {
    return context.error(value_position(document, "detection"),
                         "expected a map of selections and a condition under 'detection'");
  }
  const Node* condition = detection.find("condition");
  if (condition == nullptr) {
    for (const Node& key : detection.keys) {
      if (event::edit_distance(std::string_view(key.text).substr(0, 64), "condition") <= 2) {
        return context.error(key.position, "this detection has no 'condition'; " +
                                               in_quotes(key.text) + " looks like it");
      }
    }
    return context.error(detection.position, "this detection has no 'condition'");
  }
  if (Status read = read_selections(context, detection, rule); !read) {
    return read;
  }
  if (rule.selections.empty()) {
    return context.error(detection.position, "this detection has no selection");
  }
  return read_conditions(context, *condition, rule);
}

// Whether it compares what the answer to a request says.
bool compares_answers(const Rule& rule) {
  const auto is_of_answers = [](event::FieldId field) {
    constexpr std::uint32_t kRequest = event::bit(event::EventType::http_request);
    constexpr std::uint32_t kResponse = event::bit(event::EventType::http_response);
    return (event::describe(field).events & (kRequest | kResponse)) == kResponse;
  };
  const auto names_event = [](const Value& value) {
    return value.kind == Value::Kind::pattern && value.pattern.literal() &&
           iequals(*value.pattern.literal(), event::name(event::EventType::http_response));
  };
  const auto is_about_answers = [&](const FieldMatch& match) {
    if (!match.field) {
      return false;
    }
    const bool refers =
        std::any_of(match.values.begin(), match.values.end(), [&](const Value& value) {
          return value.kind == Value::Kind::field && is_of_answers(value.other.id);
        });
    const bool names = match.field == event::FieldId::imds_event &&
                       std::any_of(match.values.begin(), match.values.end(), names_event);
    return refers || names || is_of_answers(*match.field);
  };
  return std::any_of(rule.selections.begin(), rule.selections.end(), [&](const Selection& part) {
    return std::any_of(part.groups.begin(), part.groups.end(), [&](const auto& group) {
      return std::any_of(group.begin(), group.end(), is_about_answers);
    });
  });
}

}  // namespace

Status read_rule_document(const Context& context, const Node& document, LoadedRules& loaded) {
  if (Status checked = check_kind(context, document); !checked) {
    return checked;
  }
  Rule rule;
  rule.file = context.file;
  rule.position = document.position;
  Result<Service> service = read_logsource(context, *document.find("logsource"), document);
  if (!service) {
    return pass_on(service);
  }
  if (service->events == 0) {
    const auto shown = [&](std::string_view key) {
      const Node* node = document.find(key);
      return node != nullptr && node->is_scalar() ? node->text : std::string();
    };
    loaded.skipped.push_back(
        {rule.where(), shown("id"), shown("title"), std::move(service->not_served), shown("name")});
    return {};
  }
  rule.logsource = std::move(service->logsource);
  if (Status read = read_attributes(context, document, true, rule); !read) {
    return read;
  }
  warn_of_near_misses(context, document);
  constexpr std::uint32_t kAnswers = event::bit(event::EventType::http_response);
  rule.events = service->events | (service->has_answers ? kAnswers : 0);
  if (Status read = read_detection(context, document, rule); !read) {
    return read;
  }
  if (service->has_answers) {
    rule.awaits_answer = compares_answers(rule);
    rule.events = rule.awaits_answer ? kAnswers : service->events;
  }
  loaded.rules.push_back(std::move(rule));
  return {};
}

}  // namespace imds::sigma
