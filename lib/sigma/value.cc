#include "value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "base/tunnel.h"
#include "event/event.h"
#include "pattern.h"

namespace imds::sigma {
namespace {

using event::FieldId;
using event::FieldKind;

// Decimal, or hexadecimal after 0x. A leading zero is refused: YAML 1.1 reads octal, 1.2 decimal.
std::optional<std::int64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && ascii_lower(text[1]) == 'x') {
    text.remove_prefix(2);
    base = 16;
  } else if (text.size() > 1 && text[0] == '0') {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (problem != std::errc() || end != text.data() + text.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

// What a number field can hold; nothing outside could ever match.
std::int64_t largest(FieldId field) {
  switch (field) {
    case FieldId::source_port:
    case FieldId::destination_port:
      return 65535;
    case FieldId::network_vlan_id:
      return 4095;
    case FieldId::imds_tunnel_id:
      return std::numeric_limits<std::uint32_t>::max();
    default:
      return std::numeric_limits<std::int64_t>::max();
  }
}

Result<Value> read_number(const Context& context, const FieldMatch& match, const Node& node) {
  const std::int64_t limit = largest(*match.field);
  const std::optional<std::int64_t> number = parse_number(node.text);
  if (!number || *number > limit) {
    return context.error(node.position, in_quotes(match.name) + " holds a whole number from 0 to " +
                                            std::to_string(limit) + "; it can never be " +
                                            in_quotes(node.text));
  }
  Value value{Value::Kind::number, {}, *number, {}, false, node.position};
  return value;
}

Result<Value> read_prefix(const Context& context, const FieldMatch& match, const Node& node) {
  Value value;
  value.kind = Value::Kind::prefix;
  value.position = node.position;
  if (match.operation == Operation::cidr) {
    std::string why;
    const std::optional<IpPrefix> prefix = IpPrefix::parse(node.text, &why);
    if (!prefix) {
      return context.error(node.position, in_quotes(node.text) + " is no address prefix: " + why);
    }
    value.prefix = *prefix;
    return value;
  }

  const std::optional<IpAddress> address = IpAddress::parse(node.text);
  if (!address) {
    const bool wants_cidr = node.text.find_first_of("*?/") != std::string::npos;
    return context.error(
        node.position, in_quotes(match.name) + " holds an IPv4 or IPv6 address; it can never be " +
                           in_quotes(node.text) +
                           (wants_cidr ? "; write networks with the modifier 'cidr', as in " +
                                             in_quotes(match.name + "|cidr: 10.0.0.0/8")
                                       : ""));
  }
  value.prefix = {*address, static_cast<std::uint8_t>(8 * address->size())};
  return value;
}

Result<Value> read_boolean(const Context& context, const Node& node) {
  const bool yes = iequals(node.text, "true") || iequals(node.text, "yes");
  const bool no = iequals(node.text, "false") || iequals(node.text, "no");
  if (!node.plain || (!yes && !no)) {
    return context.error(node.position,
                         "the modifier 'exists' takes true or false, not " + in_quotes(node.text));
  }
  return Value{Value::Kind::boolean, {}, 0, {}, yes, node.position};
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    text += (text.empty() ? "" : ", ") + std::string(word);
  }
  return text;
}

// imds.event: a name no event of the rule's logsource has can never match.
Status check_event_name(const Context& context, const Node& node, std::string_view literal,
                        std::uint32_t events) {
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < event::kEventTypeCount; ++i) {
    const auto type = static_cast<event::EventType>(i);
    if ((events & event::bit(type)) != 0) {
      known.push_back(event::name(type));
    }
  }
  if (std::none_of(known.begin(), known.end(),
                   [&](std::string_view name) { return iequals(name, literal); })) {
    return context.error(
        node.position,
        in_quotes(literal) + " is no event this rule's logsource has; these are " + joined(known));
  }
  return {};
}

Status check_visibility_name(const Context& context, const Node& node, std::string_view literal) {
  std::vector<std::string_view> known;
  for (const event::VisibilityName& entry : event::visibility_names()) {
    known.push_back(entry.name);
  }
  if (std::none_of(known.begin(), known.end(),
                   [&](std::string_view name) { return iequals(name, literal); })) {
    return context.error(
        node.position,
        in_quotes(literal) + " is no value of imds.visibility; these are " + joined(known));
  }
  return {};
}

// imds.tunnel.path, whole: every part is an encapsulation's name. What is right but deeper than the
// decoder goes can never match either, but that is no slip of the pen.
Status check_tunnel_path(const Context& context, const Node& node, std::string_view literal) {
  std::vector<std::string_view> known;
  for (std::size_t i = 1; i < kTunnelKindCount; ++i) {
    known.push_back(name(static_cast<TunnelKind>(i)));
  }
  for (std::size_t start = 0; start <= literal.size();) {
    const std::size_t end = std::min(literal.find('/', start), literal.size());
    const std::string_view part = literal.substr(start, end - start);
    if (std::none_of(known.begin(), known.end(),
                     [&](std::string_view name) { return iequals(name, part); })) {
      return context.error(node.position, in_quotes(literal) +
                                              " is no path of tunnels such as gre/vxlan; " +
                                              "encapsulations are " + joined(known));
    }
    start = end + 1;
  }
  return {};
}

// Hyphens (as ECS and Windows write) become the colons events have.
Result<std::string> canonical_mac(const Context& context, const Node& node,
                                  std::string_view literal) {
  std::string mac(literal);
  bool good = mac.size() == 17;
  for (std::size_t i = 0; i < mac.size() && good; ++i) {
    if (i % 3 == 2) {
      good = mac[i] == ':' || mac[i] == '-';
      mac[i] = ':';
    } else {
      mac[i] = ascii_lower(mac[i]);
      good = (mac[i] >= '0' && mac[i] <= '9') || (mac[i] >= 'a' && mac[i] <= 'f');
    }
  }
  if (!good) {
    return context.error(node.position, "expected a MAC address such as 02:00:5e:10:00:01, not " +
                                            in_quotes(literal));
  }
  return mac;
}

// A protocol's number becomes its name.
Status settle_transport(const Context& context, const Node& node, std::string_view literal,
                        Pattern& pattern) {
  const std::optional<std::int64_t> number = parse_number(literal);
  for (unsigned protocol = 1; protocol <= 255; ++protocol) {
    const std::string_view known = event::transport_name(static_cast<std::uint8_t>(protocol));
    if (number == protocol || iequals(known, literal)) {
      pattern.tokens.front().text = known;
      return {};
    }
  }
  return context.error(node.position, in_quotes(literal) +
                                          " is no transport; expected a name such as tcp, udp or "
                                          "icmp, or an IP protocol number");
}

// Whole values of fields whose possible values are known: what can never match is refused, and
// other notations are brought to the one events have.
Status settle_known_values(const Context& context, const FieldMatch& match, const Node& node,
                           std::uint32_t events, Pattern& pattern) {
  const std::optional<std::string_view> literal = pattern.literal();
  if (match.operation != Operation::equals || !match.field || !literal) {
    return {};
  }
  switch (*match.field) {
    case FieldId::imds_event:
      return check_event_name(context, node, *literal, events);
    case FieldId::imds_visibility:
      return check_visibility_name(context, node, *literal);
    case FieldId::imds_tunnel_path:
      return check_tunnel_path(context, node, *literal);
    case FieldId::source_mac:
    case FieldId::destination_mac: {
      Result<std::string> mac = canonical_mac(context, node, *literal);
      if (!mac) {
        return pass_on(mac);
      }
      pattern.tokens.front().text = std::move(*mac);
      return {};
    }
    case FieldId::network_transport:
      return settle_transport(context, node, *literal, pattern);
    default:
      return {};
  }
}

Result<Value> read_pattern(const Context& context, const FieldMatch& match, const Node& node,
                           std::uint32_t events) {
  Value value;
  value.kind = Value::Kind::pattern;
  value.position = node.position;
  value.pattern = parse_pattern(node.text);
  if (value.pattern.tokens.empty() && match.operation != Operation::equals) {
    return context.error(node.position,
                         match.field ? "an empty value stands in every text; to ask whether there "
                                       "is one, write '|exists: true'"
                                     : "an empty keyword would match every event");
  }
  if (Status settled = settle_known_values(context, match, node, events, value.pattern); !settled) {
    return pass_on(settled);
  }
  return value;
}

}  // namespace

Result<Value> read_value(const Context& context, const FieldMatch& match, const Node& node,
                         std::uint32_t events) {
  if (node.is_null()) {
    if (!match.field || match.operation != Operation::equals) {
      return context.error(node.position, match.field ? "null cannot stand under the modifier " +
                                                            in_quotes(name(match.operation))
                                                      : "expected a keyword, not null");
    }
    return Value{Value::Kind::null, {}, 0, {}, false, node.position};
  }
  if (!node.is_scalar()) {
    return context.error(node.position,
                         "expected a string, a number or null; lists and maps cannot be nested "
                         "here");
  }
  if (match.operation == Operation::exists) {
    return read_boolean(context, node);
  }
  switch (match.field ? event::describe(*match.field).kind : FieldKind::text) {
    case FieldKind::address:
      return read_prefix(context, match, node);
    case FieldKind::number:
      return read_number(context, match, node);
    case FieldKind::text:
      break;
  }
  return read_pattern(context, match, node, events);
}

}  // namespace imds::sigma
