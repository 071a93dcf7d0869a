#include "modifiers.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace imds::sigma {
namespace {

using event::FieldId;
using event::FieldKind;

struct OperationModifier {
  std::string_view name;
  Operation operation;
};
constexpr std::array<OperationModifier, 10> kOperations{{
    {"contains", Operation::contains},
    {"startswith", Operation::starts_with},
    {"endswith", Operation::ends_with},
    {"cidr", Operation::cidr},
    {"exists", Operation::exists},
    {"lt", Operation::less},
    {"lte", Operation::less_or_equal},
    {"gt", Operation::greater},
    {"gte", Operation::greater_or_equal},
    {"re", Operation::matches},
}};
constexpr std::array<TimePart, 6> kTimeParts{TimePart::minute, TimePart::hour,  TimePart::day,
                                             TimePart::week,   TimePart::month, TimePart::year};
struct RegexModifier {
  std::string_view name;
  RegexOption option;
};
constexpr std::array<RegexModifier, 3> kRegexOptions{{
    {"i", kRegexIgnoreCase},
    {"m", kRegexMultiline},
    {"s", kRegexDotAll},
}};
struct TransformModifier {
  std::string_view name;
  Transform transform;
};
constexpr std::array<TransformModifier, 8> kTransforms{{
    {"expand", Transform::expand},
    {"windash", Transform::windash},
    {"utf16le", Transform::utf16le},
    {"wide", Transform::utf16le},
    {"utf16be", Transform::utf16be},
    {"utf16", Transform::utf16},
    {"base64", Transform::base64},
    {"base64offset", Transform::base64offset},
}};
constexpr std::array<std::string_view, 31> kAllModifiers{
    "all",    "contains", "startswith", "endswith", "exists",  "cased",  "neq",  "re",
    "i",      "m",        "s",          "cidr",     "lt",      "lte",    "gt",   "gte",
    "base64", "wide",     "utf16",      "utf16le",  "utf16be", "minute", "hour", "base64offset",
    "day",    "windash",  "week",       "fieldref", "month",   "expand", "year"};

bool is_order(Operation operation) {
  return operation == Operation::less || operation == Operation::less_or_equal ||
         operation == Operation::greater || operation == Operation::greater_or_equal;
}

bool is_part_of_text(Operation operation) {
  return operation == Operation::contains || operation == Operation::starts_with ||
         operation == Operation::ends_with;
}

// Fields of text that can hold a number or an address.
bool may_hold_number(FieldId field) {
  return event::is_single_header(field) || field == FieldId::http_version;
}
bool may_hold_address(FieldId field) {
  return event::is_single_header(field) || field == FieldId::http_host ||
         field == FieldId::url_domain || field == FieldId::dns_answers;
}

// Adds one modifier to a draft.
class Adder {
 public:
  Adder(const Context& context, Position at, std::string_view modifier, MatchDraft& draft)
      : context_(context), at_(at), modifier_(modifier), draft_(draft) {}

  Status add() {
    const auto named = [&](const auto& known) { return known.name == modifier_; };
    if (const auto found = std::find_if(kOperations.begin(), kOperations.end(), named);
        found != kOperations.end()) {
      return add_operation(found->operation);
    }
    if (const auto found = std::find_if(kTransforms.begin(), kTransforms.end(), named);
        found != kTransforms.end()) {
      return add_transform(found->transform);
    }
    if (const auto found = std::find_if(kRegexOptions.begin(), kRegexOptions.end(), named);
        found != kRegexOptions.end()) {
      return add_regex_option(found->option);
    }
    const auto part = std::find_if(kTimeParts.begin(), kTimeParts.end(),
                                   [&](TimePart known) { return name(known) == modifier_; });
    if (part != kTimeParts.end()) {
      return add_time_part(*part);
    }
    return add_flag();
  }

 private:
  [[nodiscard]] tl::unexpected<Error> refuse(std::string message) const {
    return context_.error(at_, std::move(message));
  }
  [[nodiscard]] tl::unexpected<Error> twice() const {
    return refuse("the modifier " + in_quotes(modifier_) + " stands here twice");
  }
  [[nodiscard]] tl::unexpected<Error> contradicts(std::string_view other) const {
    return refuse("the modifiers " + in_quotes(other) + " and " + in_quotes(modifier_) +
                  " contradict each other");
  }

  Status add_operation(Operation operation) {
    if (draft_.match.operation != Operation::equals) {
      return contradicts(name(draft_.match.operation));
    }
    draft_.match.operation = operation;
    return {};
  }

  Status add_transform(Transform transform) {
    if (draft_.has(transform)) {
      return twice();
    }
    if (is_encoding(transform)) {
      if (is_part_of_text(draft_.match.operation)) {
        return refuse("the modifier " + in_quotes(modifier_) + " must stand before " +
                      in_quotes(name(draft_.match.operation)) +
                      ": the value is encoded first, then looked for");
      }
      const bool to_bytes = transform != Transform::base64 && transform != Transform::base64offset;
      for (const Transform before : draft_.transforms) {
        const bool before_to_bytes =
            before != Transform::base64 && before != Transform::base64offset;
        if (is_encoding(before) && before_to_bytes == to_bytes) {
          return contradicts(name(before));
        }
        if (is_encoding(before) && to_bytes) {
          return refuse("the modifier " + in_quotes(modifier_) + " must stand before " +
                        in_quotes(name(before)) + ", which encodes its bytes");
        }
      }
    }
    draft_.transforms.push_back(transform);
    return {};
  }

  Status add_regex_option(RegexOption option) {
    if (draft_.match.operation != Operation::matches) {
      return refuse("the modifier " + in_quotes(modifier_) +
                    " is an option of 're' and must stand behind it, as in 're|" +
                    std::string(modifier_) + "'");
    }
    if ((draft_.match.regex_options & option) != 0) {
      return twice();
    }
    draft_.match.regex_options |= option;
    return {};
  }

  Status add_time_part(TimePart part) {
    if (draft_.match.time_part != TimePart::none) {
      return contradicts(name(draft_.match.time_part));
    }
    draft_.match.time_part = part;
    return {};
  }

  Status add_flag() {
    const std::array<std::pair<std::string_view, bool*>, 4> flags{{{"all", &draft_.match.all},
                                                                   {"cased", &draft_.match.cased},
                                                                   {"neq", &draft_.match.negated},
                                                                   {"fieldref", &draft_.refers}}};
    for (const auto& [known, flag] : flags) {
      if (modifier_ == known) {
        if (*flag) {
          return twice();
        }
        *flag = true;
        return {};
      }
    }
    std::string supported;
    for (const std::string_view known : kAllModifiers) {
      supported += (supported.empty() ? "" : ", ") + std::string(known);
    }
    return refuse((modifier_.empty() ? std::string("expected a modifier after '|'")
                                     : "unknown modifier " + in_quotes(modifier_)) +
                  did_you_mean(nearest(modifier_, kAllModifiers)) + "; modifiers are " + supported);
  }

  const Context& context_;
  Position at_;
  std::string_view modifier_;
  MatchDraft& draft_;
};

// What is wrong with the modifiers among themselves; empty: nothing.
std::string contradiction(const MatchDraft& draft) {
  const FieldMatch& match = draft.match;
  const Operation operation = match.operation;
  const std::string modifier = in_quotes(name(operation));
  const bool compares_text = operation == Operation::equals || is_part_of_text(operation);
  if (match.negated && (match.all || operation == Operation::exists || is_order(operation))) {
    return "the modifier 'neq' cannot be combined with " + (match.all ? "'all'" : modifier);
  }
  if (match.all && operation == Operation::exists) {
    return "the modifiers 'all' and 'exists' contradict each other";
  }
  if (match.cased && (match.regex_options & kRegexIgnoreCase) != 0) {
    return "the modifiers 'cased' and 'i' contradict each other";
  }
  if (match.cased && !compares_text && operation != Operation::matches) {
    return "the modifier 'cased' only changes comparisons of text";
  }
  if (draft.refers && (!compares_text || !draft.transforms.empty())) {
    return "the modifier 'fieldref' compares with another field and cannot be combined with " +
           (compares_text ? in_quotes(name(draft.transforms.front())) : modifier);
  }
  const bool expands_only = std::all_of(draft.transforms.begin(), draft.transforms.end(),
                                        [](Transform t) { return t == Transform::expand; });
  if (!draft.transforms.empty() && !compares_text &&
      (!expands_only || operation == Operation::matches || operation == Operation::exists)) {
    const auto culprit =
        std::find_if(draft.transforms.begin(), draft.transforms.end(),
                     [&](Transform t) { return expands_only || t != Transform::expand; });
    return "the modifiers " + in_quotes(name(*culprit)) + " and " + modifier +
           " contradict each other";
  }
  if (match.time_part != TimePart::none &&
      ((operation != Operation::equals && !is_order(operation)) || draft.refers)) {
    return "the modifiers " + in_quotes(name(match.time_part)) + " and " +
           (draft.refers ? std::string("'fieldref'") : modifier) + " contradict each other";
  }
  return {};
}

// What the modifiers ask of the field and it cannot give; empty: nothing.
std::string misfit(const MatchDraft& draft) {
  const FieldMatch& match = draft.match;
  const Operation operation = match.operation;
  const std::string modifier = in_quotes(name(operation));
  const FieldKind kind = event::describe(*match.field).kind;
  const auto does_not_apply = [&](const std::string& what) {
    return "the modifier " + what + " does not apply to " + in_quotes(match.name) +
           ", which holds ";
  };
  if (match.time_part != TimePart::none && kind != FieldKind::time) {
    return does_not_apply(in_quotes(name(match.time_part))) + "no point in time";
  }
  const auto encoding = std::find_if(draft.transforms.begin(), draft.transforms.end(),
                                     [](Transform t) { return t != Transform::expand; });
  if (kind != FieldKind::text && encoding != draft.transforms.end()) {
    return does_not_apply(in_quotes(name(*encoding))) + "no text";
  }
  if (kind != FieldKind::text && match.cased) {
    return "the modifier 'cased' only changes comparisons of text";
  }
  switch (kind) {
    case FieldKind::text:
      return (operation == Operation::cidr && !may_hold_address(*match.field)) ||
                     (is_order(operation) && !may_hold_number(*match.field))
                 ? does_not_apply(modifier) + "text"
                 : std::string();
    case FieldKind::number:
      return operation == Operation::cidr ? does_not_apply(modifier) + "a number" : std::string();
    case FieldKind::address:
      return is_order(operation)
                 ? does_not_apply(modifier) + "an address; write networks with 'cidr'"
                 : std::string();
    case FieldKind::time:
      if (draft.refers || operation == Operation::cidr || operation == Operation::matches ||
          is_part_of_text(operation)) {
        return does_not_apply(draft.refers ? "'fieldref'" : modifier) + "a point in time";
      }
      return match.time_part == TimePart::none && operation != Operation::exists
                 ? in_quotes(match.name) +
                       " holds a point in time; say what of it is compared: minute, hour, day, "
                       "week, month or year, as in " +
                       in_quotes(match.name + "|hour|gte: 20")
                 : std::string();
  }
  return {};
}

}  // namespace

bool MatchDraft::has(Transform transform) const {
  return std::find(transforms.begin(), transforms.end(), transform) != transforms.end();
}

Status read_modifiers(const Context& context, const Node& key, MatchDraft& draft) {
  const std::string_view text = key.text;
  std::size_t bar = text.find('|');
  while (bar != std::string_view::npos) {
    const std::size_t start = bar + 1;
    bar = text.find('|', start);
    const std::string_view modifier =
        text.substr(start, bar == std::string_view::npos ? bar : bar - start);
    const Position at = locate(context.source, key, start);
    if (Status added = Adder(context, at, modifier, draft).add(); !added) {
      return added;
    }
  }
  return {};
}

Status check_modifiers(const Context& context, const MatchDraft& draft) {
  const FieldMatch& match = draft.match;
  if (std::string wrong = contradiction(draft); !wrong.empty()) {
    return context.error(match.position, std::move(wrong));
  }
  if (match.field) {
    std::string wrong = misfit(draft);
    return wrong.empty() ? Status{} : context.error(match.position, std::move(wrong));
  }
  const Operation operation = match.operation;
  const bool finds_anywhere = operation == Operation::equals || operation == Operation::contains ||
                              operation == Operation::matches;
  if (!finds_anywhere || match.negated || draft.refers || match.time_part != TimePart::none) {
    return context.error(match.position,
                         "keywords take the modifiers 'all', 'contains', 'cased', 're' and those "
                         "that encode a value only");
  }
  return {};
}

}  // namespace imds::sigma
