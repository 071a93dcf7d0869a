#include "random_rules.h"

#include <array>
#include <string_view>
#include <utility>

#include "event/fields.h"

namespace imds::rules {
namespace {

using event::FieldId;
using sigma::Operation;

constexpr std::array<std::string_view, 15> kWords{
    "/",  "a",       "B",   "ab", "/latest", "meta-DATA", ".", "\xc3\xa9", "\xe2\x82\xac",
    ": ", "x-token", "%2f", "\n", "token",   "GET",
};

constexpr std::array kAddresses{"192.0.2.1", "192.0.2.77", "10.1.2.3", "2001:db8::1",
                                "169.254.169.254"};
constexpr std::array kPrefixes{"192.0.2.1/32",  "192.0.2.0/24",       "10.0.0.0/8", "0.0.0.0/0",
                               "2001:db8::/32", "169.254.169.254/32", "::/0"};

// Compared more often than others, since they decide about the prefilter.
constexpr std::array kStringFields{FieldId::url, FieldId::request_headers, FieldId::raw};

template <typename Items>
const auto& pick(Generator& generator, const Items& items) {
  return items[generator.below(items.size())];
}

void append(sigma::Pattern& pattern, sigma::PatternToken token) {
  using Kind = sigma::PatternToken::Kind;
  if (!pattern.tokens.empty() && pattern.tokens.back().kind == token.kind) {
    if (token.kind == Kind::literal) {
      pattern.tokens.back().text += token.text;
      return;
    }
    if (token.kind == Kind::any_many) {
      return;
    }
  }
  pattern.tokens.push_back(std::move(token));
}

}  // namespace

std::string Generator::text(std::size_t most_words) {
  std::string out;
  const std::size_t words = below(most_words + 1);
  for (std::size_t i = 0; i < words; ++i) {
    out += pick(*this, kWords);
  }
  return out;
}

sigma::Pattern Generator::pattern() {
  using Kind = sigma::PatternToken::Kind;
  sigma::Pattern out;
  const std::size_t tokens = below(5);
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::size_t kind = below(10);
    if (kind < 7) {
      append(out, {Kind::literal, std::string(pick(*this, kWords))});
    } else {
      append(out, {kind == 7 ? Kind::any_one : Kind::any_many, {}});
    }
  }
  return out;
}

sigma::FieldMatch Generator::field_match() {
  sigma::FieldMatch match;
  match.negated = chance(10);
  match.all = chance(25);
  match.cased = chance(25);
  sigma::Value value;
  const std::size_t values = 1 + below(3);
  if (chance(8)) {
    match.operation = Operation::contains;
    for (std::size_t i = 0; i < values; ++i) {
      value.kind = sigma::Value::Kind::pattern;
      value.pattern = pattern();
      match.values.push_back(value);
    }
    return match;
  }
  match.field =
      chance(25) ? pick(*this, kStringFields) : static_cast<FieldId>(below(event::kFieldCount));
  match.name = event::describe(*match.field).name;
  if (chance(6)) {
    match.operation = Operation::exists;
    match.all = false;
    value.kind = sigma::Value::Kind::boolean;
    value.boolean = chance(50);
    match.values = {value};
    return match;
  }
  const event::FieldKind kind = event::describe(*match.field).kind;
  match.operation = kind == event::FieldKind::address ? Operation::cidr
                    : kind == event::FieldKind::number
                        ? std::array{Operation::equals, Operation::less, Operation::less_or_equal,
                                     Operation::greater, Operation::greater_or_equal}[below(5)]
                        : std::array{Operation::equals, Operation::contains, Operation::starts_with,
                                     Operation::ends_with}[below(4)];
  for (std::size_t i = 0; i < values; ++i) {
    switch (kind) {
      case event::FieldKind::address:
        value.kind = sigma::Value::Kind::prefix;
        value.prefix = *IpPrefix::parse(pick(*this, kPrefixes));
        break;
      case event::FieldKind::number:
        value.kind = sigma::Value::Kind::number;
        value.number = static_cast<std::int64_t>(below(6));
        break;
      case event::FieldKind::text:
        value.kind = sigma::Value::Kind::pattern;
        value.pattern = pattern();
        if (match.field == FieldId::imds_event && chance(70)) {
          value.pattern.tokens = {
              {sigma::PatternToken::Kind::literal,
               std::string(event::name(static_cast<event::EventType>(below(4))))}};
        }
        break;
    }
    if (match.operation == Operation::equals && chance(8)) {
      value = {};
    }
    match.values.push_back(value);
  }
  return match;
}

sigma::Selection Generator::selection() {
  sigma::Selection out;
  const std::size_t groups = 1 + below(2);
  for (std::size_t i = 0; i < groups; ++i) {
    std::vector<sigma::FieldMatch> matches;
    const std::size_t count = 1 + below(3);
    for (std::size_t j = 0; j < count; ++j) {
      matches.push_back(field_match());
    }
    out.groups.push_back(std::move(matches));
  }
  return out;
}

sigma::Condition Generator::condition(std::size_t selections, int depth) {
  using Kind = sigma::Condition::Kind;
  sigma::Condition out;
  const std::size_t kind = depth == 0 ? 0 : below(6);
  if (kind < 2) {
    out.selection = below(selections);
    return out;
  }
  out.kind = kind == 2 ? Kind::negation : kind < 5 ? Kind::disjunction : Kind::conjunction;
  const std::size_t operands = out.kind == Kind::negation ? 1 : 2 + below(2);
  for (std::size_t i = 0; i < operands; ++i) {
    out.operands.push_back(condition(selections, depth - 1));
  }
  return out;
}

sigma::Rule Generator::rule() {
  sigma::Rule out;
  out.id = "random";
  out.title = "random";
  out.file = "random.yml";
  out.events = 1 + static_cast<std::uint32_t>(below((1u << event::kEventTypeCount) - 1));
  out.events |= event::bit(event::EventType::http_request);
  const std::size_t selections = 1 + below(3);
  for (std::size_t i = 0; i < selections; ++i) {
    out.selections.push_back(selection());
  }
  const std::size_t conditions = chance(15) ? 2 : 1;
  for (std::size_t i = 0; i < conditions; ++i) {
    out.conditions.push_back(condition(selections, 3));
  }
  return out;
}

std::string_view Generator::keep(std::string text) {
  kept_.push_back(std::move(text));
  return kept_.back();
}

std::string_view Generator::maybe(std::string text, unsigned percent) {
  return chance(percent) ? keep(std::move(text)) : std::string_view();
}

event::TwoReadings Generator::readings() {
  const std::string_view raw = maybe(text(5), 90);
  if (raw.data() == nullptr || chance(60)) {
    return {raw, raw};
  }
  return {raw, keep(text(5))};
}

event::Event Generator::event(event::EventType type) {
  event::Event out;
  out.type = type;
  out.flow.source = {
      *IpAddress::parse(pick(*this, kAddresses)), static_cast<std::uint16_t>(below(6)), {}};
  out.flow.destination = {
      *IpAddress::parse(pick(*this, kAddresses)), static_cast<std::uint16_t>(below(6)), {}};
  out.flow.ip_protocol = chance(80) ? 6 : 1;
  if (chance(50)) {
    out.flow.source.mac.bytes = {2, 0, 0, 0, 0, 0xab};
  }
  out.flow.vlan_count = static_cast<std::uint8_t>(below(3));
  for (std::uint16_t& vlan : out.flow.vlans) {
    vlan = static_cast<std::uint16_t>(below(6));
  }
  out.flow.visibility = static_cast<std::uint8_t>(below(64));
  out.flow.endpoint = maybe("ab", 50);
  if (chance(50)) {
    out.flow.tunnel.path = {{TunnelKind::vxlan}, 1};
    out.flow.tunnel.has_id = chance(80);
    out.flow.tunnel.id = static_cast<std::uint32_t>(out.flow.tunnel.has_id ? below(6) : 0);
    out.flow.tunnel.source = *IpAddress::parse(pick(*this, kAddresses));
    out.flow.tunnel.destination = *IpAddress::parse(pick(*this, kAddresses));
  }
  if (type == event::EventType::raw_match) {
    out.raw = keep(text(16));
  }
  // Filled for every type: what a type does not carry must not be looked at.
  out.http.method = maybe(chance(50) ? "GET" : text(2), 90);
  out.http.target = readings();
  out.http.path = readings();
  out.http.query = readings();
  out.http.domain = readings();
  out.http.host = maybe(text(3), 90);
  out.http.user_agent = maybe(text(3), 70);
  out.http.headers = maybe(text(8), 90);
  out.http.version = maybe("a", 90);
  return out;
}

}  // namespace imds::rules
