#include "value.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "address.h"
#include "base/text.h"
#include "event/event.h"
#include "known_values.h"
#include "match/regex.h"
#include "number.h"
#include "pattern.h"
#include "transform.h"
#include "unseen_fields.h"

namespace imds::sigma {
namespace {

using event::FieldId;
using event::FieldKind;

bool is_order(Operation operation) {
  return operation == Operation::less || operation == Operation::less_or_equal ||
         operation == Operation::greater || operation == Operation::greater_or_equal;
}

// What a number field can hold; nothing outside could ever match.
std::int64_t largest(FieldId field) {
  switch (field) {
    case FieldId::source_port:
    case FieldId::destination_port:
      return 65535;
    case FieldId::network_vlan_id:
      return 4095;
    case FieldId::ip_ttl:
    case FieldId::imds_hop_distance:
      return 255;
    case FieldId::http_status:
      return 999;
    case FieldId::imds_tunnel_id:
      return std::numeric_limits<std::uint32_t>::max();
    default:
      return std::numeric_limits<std::int64_t>::max();
  }
}

struct Bounds {
  std::int64_t least;
  std::int64_t most;
};
Bounds bounds(TimePart part) {
  switch (part) {
    case TimePart::minute:
      return {0, 59};
    case TimePart::hour:
      return {0, 23};
    case TimePart::day:
      return {1, 31};
    case TimePart::week:
      return {1, 53};
    case TimePart::month:
      return {1, 12};
    case TimePart::year:
      return {1970, 9999};
    case TimePart::none:
      break;
  }
  return {0, 0};
}

// One text under all modifiers but `expand`; several values of which any will do.
class Reader {
 public:
  Reader(const Context& context, const MatchDraft& draft, const Node& node, std::uint32_t events)
      : context_(context), draft_(draft), match_(draft.match), node_(node), events_(events) {}

  Result<std::vector<Value>> read(std::string_view text) const {
    if (match_.operation == Operation::matches) {
      return read_regex(text);
    }
    const FieldKind kind = match_.field ? event::describe(*match_.field).kind : FieldKind::text;
    const Operation operation = match_.operation;
    if (kind == FieldKind::time) {
      return read_time_part(text);
    }
    if (operation == Operation::cidr) {
      return read_prefixes(text);
    }
    if (is_order(operation)) {
      return read_number(text);
    }
    Pattern pattern = parse_pattern(text);
    if (operation == Operation::equals && !pattern.has_wildcards()) {
      if (kind == FieldKind::address) {
        return read_addresses(text);
      }
      if (kind == FieldKind::number) {
        return read_number(text);
      }
    }
    if (kind == FieldKind::address) {
      if (const auto network = octets(pattern)) {
        return list(Value::Kind::prefix, [&](Value& value) { value.prefix = *network; });
      }
    }
    return read_patterns(std::move(pattern));
  }

 private:
  using Values = Result<std::vector<Value>>;

  template <typename Set>
  std::vector<Value> list(Value::Kind kind, const Set& set) const {
    std::vector<Value> values(1);
    values[0].kind = kind;
    values[0].position = node_.position;
    set(values[0]);
    return values;
  }
  [[nodiscard]] tl::unexpected<Error> refuse(std::string message) const {
    return context_.error(node_.position, std::move(message));
  }

  Values read_regex(std::string_view text) const {
    const match::RegexFlags flags{(match_.regex_options & kRegexIgnoreCase) != 0,
                                  (match_.regex_options & kRegexMultiline) != 0,
                                  (match_.regex_options & kRegexDotAll) != 0};
    if (Status wanted = context_.options.deadline.check(kReading); !wanted) {
      wanted.error().where = context_.where(node_.position);
      return pass_on(wanted);
    }
    auto regex = match::Regex::compile(text, flags);
    if (!regex) {
      return context_.error(locate(context_.source, node_, regex.error().offset),
                            regex.error().message);
    }
    return list(Value::Kind::regex, [&](Value& value) {
      value.regex = text;
      value.compiled = std::make_shared<const match::Regex>(std::move(*regex));
    });
  }

  Values read_time_part(std::string_view text) const {
    const Bounds allowed = bounds(match_.time_part);
    const std::optional<std::int64_t> number = parse_number(without_zero(text));
    if (!number || *number < allowed.least || *number > allowed.most) {
      return refuse("the " + std::string(name(match_.time_part)) + " is a whole number from " +
                    std::to_string(allowed.least) + " to " + std::to_string(allowed.most) +
                    ", not " + in_quotes(text));
    }
    return list(Value::Kind::number, [&](Value& value) { value.number = *number; });
  }
  // Times of day are written 07.
  static std::string_view without_zero(std::string_view text) {
    return text.size() == 2 && text[0] == '0' ? text.substr(1) : text;
  }

  Values read_number(std::string_view text) const {
    const std::int64_t limit = largest(*match_.field);
    const std::optional<std::int64_t> number = parse_number(text);
    if (!number || *number > limit) {
      return refuse(in_quotes(match_.name) + " holds a whole number from 0 to " +
                    std::to_string(limit) + "; it can never be " + in_quotes(text));
    }
    return list(Value::Kind::number, [&](Value& value) { value.number = *number; });
  }

  Values read_prefixes(std::string_view text) const {
    std::string why;
    const std::vector<IpPrefix> prefixes = parse_prefixes(text, why);
    if (prefixes.empty()) {
      return refuse(in_quotes(text) + " is no address prefix: " + why);
    }
    return all_of(prefixes);
  }

  Values read_addresses(std::string_view text) const {
    std::vector<IpPrefix> prefixes;
    for (const IpAddress& address : parse_addresses(text)) {
      prefixes.push_back({address, static_cast<std::uint8_t>(8 * address.size())});
    }
    if (prefixes.empty()) {
      const bool wants_cidr = text.find('/') != std::string_view::npos;
      return refuse(in_quotes(match_.name) + " holds an IPv4 or IPv6 address; it can never be " +
                    in_quotes(text) +
                    (wants_cidr ? "; write networks with the modifier 'cidr', as in " +
                                      in_quotes(match_.name + "|cidr: 10.0.0.0/8")
                                : ""));
    }
    return all_of(prefixes);
  }

  std::vector<Value> all_of(const std::vector<IpPrefix>& prefixes) const {
    std::vector<Value> values;
    for (const IpPrefix& prefix : prefixes) {
      values.push_back(list(Value::Kind::prefix, [&](Value& v) { v.prefix = prefix; }).front());
    }
    return values;
  }

  // `10.1.` at the beginning of an address is 10.1.0.0/16, which tables can look up.
  [[nodiscard]] std::optional<IpPrefix> octets(const Pattern& pattern) const {
    std::string text;
    const bool one_star =
        pattern.tokens.size() == 2 && pattern.tokens[1].kind == PatternToken::Kind::any_many;
    if (match_.operation == Operation::starts_with && pattern.literal()) {
      text = *pattern.literal();
    } else if (match_.operation == Operation::equals && one_star) {
      text = pattern.tokens[0].text;
    }
    const auto dots = std::count(text.begin(), text.end(), '.');
    if (text.empty() || text.back() != '.' || dots > 3) {
      return std::nullopt;
    }
    for (auto missing = dots; missing < 4; ++missing) {
      text += missing == 3 ? "0" : "0.";
    }
    const auto address = IpAddress::parse(text);
    if (!address || !address->is_v4()) {
      return std::nullopt;
    }
    return IpPrefix{*address, static_cast<std::uint8_t>(8 * dots)};
  }

  Values read_patterns(Pattern pattern) const {
    if (pattern.tokens.empty() && match_.operation != Operation::equals) {
      return refuse(match_.field ? "an empty value stands in every text; to ask whether there is "
                                   "one, write '|exists: true'"
                                 : "an empty keyword would match every event");
    }
    if (draft_.transforms.empty()) {
      if (Status settled = settle_known_values(context_, match_, node_, events_, pattern);
          !settled) {
        return pass_on(settled);
      }
    }
    Result<std::vector<Pattern>> patterns =
        transform(context_, node_, std::move(pattern), draft_.transforms);
    if (!patterns) {
      return pass_on(patterns);
    }
    std::vector<Value> values;
    for (Pattern& one : *patterns) {
      values.push_back(list(Value::Kind::pattern, [&](Value& value) {
                         value.pattern = std::move(one);
                       }).front());
    }
    return values;
  }

  const Context& context_;
  const MatchDraft& draft_;
  const FieldMatch& match_;
  const Node& node_;
  std::uint32_t events_;
};

Result<Value> read_boolean(const Context& context, const Node& node) {
  const bool yes = iequals(node.text, "true") || iequals(node.text, "yes");
  const bool no = iequals(node.text, "false") || iequals(node.text, "no");
  if (!node.plain || (!yes && !no)) {
    return context.error(node.position,
                         "the modifier 'exists' takes true or false, not " + in_quotes(node.text));
  }
  Value value;
  value.kind = Value::Kind::boolean;
  value.boolean = yes;
  value.position = node.position;
  return value;
}

Result<Value> read_reference(const Context& context, const FieldMatch& match, const Node& node,
                             std::uint32_t events) {
  Result<event::FieldRef> other = find_field(context, node.position, node.text, events);
  if (!other) {
    return pass_on(other);
  }
  if (event::describe(other->id).kind == FieldKind::time) {
    return context.error(node.position, in_quotes(node.text) +
                                            " holds a point in time, which 'fieldref' cannot "
                                            "compare");
  }
  if (other->id == match.field && other->header == match.header) {
    return context.error(node.position, in_quotes(node.text) + " is the field itself");
  }
  Value value;
  value.kind = Value::Kind::field;
  value.other = std::move(*other);
  value.position = node.position;
  return value;
}

}  // namespace

Result<event::FieldRef> find_field(const Context& context, Position at, const std::string& name,
                                   std::uint32_t events) {
  std::optional<event::FieldRef> field = context.fields.resolve(name);
  if (const std::string_view why = field ? std::string_view() : why_unseen(name); !why.empty()) {
    return context.error(at, "no event has the field " + in_quotes(name) + ": " + std::string(why));
  }
  if (!field) {
    const std::string near = context.fields.nearest(name);
    return context.error(at, "unknown field " + in_quotes(name) + did_you_mean(near) +
                                 "; known names and their aliases stand in fields.yaml");
  }
  if ((event::describe(field->id).events & events) == 0) {
    return context.error(at,
                         "no event of this rule's logsource carries the field " + in_quotes(name));
  }
  return std::move(*field);
}

Result<Value> read_value(const Context& context, const MatchDraft& draft, const Node& node,
                         std::uint32_t events) {
  const FieldMatch& match = draft.match;
  if (node.is_null()) {
    if (!match.field || match.operation != Operation::equals || draft.refers ||
        match.time_part != TimePart::none) {
      const std::string modifier = draft.refers ? "fieldref"
                                   : match.time_part != TimePart::none
                                       ? std::string(name(match.time_part))
                                       : std::string(name(match.operation));
      return context.error(
          node.position, match.field ? "null cannot stand under the modifier " + in_quotes(modifier)
                                     : "expected a keyword, not null");
    }
    Value null;
    null.position = node.position;
    return null;
  }
  if (!node.is_scalar()) {
    return context.error(node.position,
                         "expected a string, a number or null; lists and maps cannot be nested "
                         "here");
  }
  if (match.operation == Operation::exists) {
    return read_boolean(context, node);
  }
  if (draft.refers) {
    return read_reference(context, match, node, events);
  }
  std::vector<std::string> texts{node.text};
  if (draft.has(Transform::expand)) {
    Result<std::vector<std::string>> expanded = expand_placeholders(context, node);
    if (!expanded) {
      return pass_on(expanded);
    }
    texts = std::move(*expanded);
  }
  std::vector<Value> values;
  for (const std::string& text : texts) {
    Result<std::vector<Value>> read = Reader(context, draft, node, events).read(text);
    if (!read) {
      return pass_on(read);
    }
    values.insert(values.end(), read->begin(), read->end());
  }
  Value first = std::move(values.front());
  first.others.assign(std::make_move_iterator(values.begin() + 1),
                      std::make_move_iterator(values.end()));
  return first;
}

}  // namespace imds::sigma
