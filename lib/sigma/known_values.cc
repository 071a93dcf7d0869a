#include "known_values.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/tunnel.h"
#include "event/direction.h"
#include "event/event.h"
#include "event/stage.h"
#include "number.h"

namespace imds::sigma {
namespace {

using event::FieldId;

std::string joined(std::span<const std::string_view> words) {
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

// Any other field that has one of some names, or a set of them.
Status check_name(const Context& context, const Node& node, std::string_view literal,
                  std::string_view field, std::span<const std::string_view> known) {
  if (std::none_of(known.begin(), known.end(),
                   [&](std::string_view name) { return iequals(name, literal); })) {
    return context.error(node.position, in_quotes(literal) + " is no value of " +
                                            std::string(field) + "; these are " + joined(known));
  }
  return {};
}

// Of entries with a `name`.
template <typename Entries>
std::vector<std::string_view> names_in(const Entries& entries) {
  std::vector<std::string_view> names;
  for (const auto& entry : entries) {
    names.push_back(entry.name);
  }
  return names;
}

// Of an enumeration, from `first` on: most begin with `none`, which is no name.
template <typename Enum>
std::vector<std::string_view> names_of(std::size_t count, std::size_t first = 1) {
  std::vector<std::string_view> names;
  for (std::size_t i = first; i < count; ++i) {
    names.push_back(event::name(static_cast<Enum>(i)));
  }
  return names;
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

bool is_mac(FieldId field) {
  return field == FieldId::source_mac || field == FieldId::destination_mac ||
         field == FieldId::imds_previous_mac || field == FieldId::imds_claim_mac;
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

}  // namespace

Status settle_known_values(const Context& context, const FieldMatch& match, const Node& node,
                           std::uint32_t events, Pattern& pattern) {
  if (match.field && is_mac(*match.field)) {
    for (PatternToken& token : pattern.tokens) {
      std::replace(token.text.begin(), token.text.end(), '-', ':');
    }
  }
  const std::optional<std::string_view> literal = pattern.literal();
  if (match.operation != Operation::equals || !match.field || !literal) {
    return {};
  }
  switch (*match.field) {
    case FieldId::imds_event:
      return check_event_name(context, node, *literal, events);
    case FieldId::imds_stage:
    case FieldId::imds_reached:
      return check_name(context, node, *literal, event::describe(*match.field).name,
                        names_of<event::Stage>(event::kStageCount, 0));
    case FieldId::imds_visibility:
      return check_name(context, node, *literal, "imds.visibility",
                        names_in(event::visibility_names()));
    case FieldId::network_direction:
      return check_name(context, node, *literal, "network.direction", event::kDirections);
    case FieldId::dns_type:
      return check_name(context, node, *literal, "dns.type", event::kDnsMessageTypes);
    case FieldId::imds_answer:
      return check_name(context, node, *literal, "imds.answer",
                        names_of<event::Answer>(event::kAnswerCount));
    case FieldId::imds_claim_kind:
      return check_name(context, node, *literal, "imds.claim.kind",
                        names_of<event::ClaimKind>(event::kClaimKindCount));
    case FieldId::imds_claim_signs:
      return check_name(context, node, *literal, "imds.claim.signs", names_in(event::sign_names()));
    case FieldId::imds_tunnel_path:
      return check_tunnel_path(context, node, *literal);
    case FieldId::imds_delivered:
      return check_name(context, node, *literal, "imds.delivered", event::delivered_names());
    case FieldId::imds_account_source:
      return check_name(context, node, *literal, "imds.account_source",
                        event::account_source_names());
    case FieldId::imds_account_expected:
      return check_name(context, node, *literal, "imds.account_expected",
                        event::account_verdict_names());
    case FieldId::imds_content_kind:
      return check_name(context, node, *literal, "imds.content_kind", event::content_kind_names());
    case FieldId::source_mac:
    case FieldId::destination_mac:
    case FieldId::imds_previous_mac:
    case FieldId::imds_claim_mac: {
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

}  // namespace imds::sigma
