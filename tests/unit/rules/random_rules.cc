#include "random_rules.h"

#include <array>
#include <string_view>
#include <utility>

#include "event/fields.h"
#include "match/regex.h"

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

constexpr std::array<std::string_view, 4> kHeaders{"token", "x-token", "accept", "a"};
constexpr std::array kReferred{
    FieldId::url,       FieldId::url_domain,     FieldId::http_host,   FieldId::request_header,
    FieldId::source_ip, FieldId::destination_ip, FieldId::source_port, FieldId::url_path,
    FieldId::raw};
// kWords without what a regular expression takes for its own.
constexpr std::array<std::string_view, 12> kRegexWords{"/",       "a",         "B",     "ab",
                                                       "/latest", "meta-DATA", "\\.",   "\xc3\xa9",
                                                       ": ",      "x-token",   "token", "GET"};

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

Operation Generator::text_operation() {
  return std::array{Operation::equals, Operation::contains, Operation::starts_with,
                    Operation::ends_with}[below(4)];
}

// What naive_regex.h knows.
std::string Generator::regex() {
  constexpr std::array<std::string_view, 8> kQuantifiers{"*",     "+", "?", "{1,2}",
                                                         "{0,3}", "",  "",  ""};
  constexpr std::array<std::string_view, 9> kBytes{".",   "[a-m]", "[^/]", "\\d", "\\w",
                                                   "\\s", "[/.:]", "[Bb]", "\\."};
  std::string out = chance(15) ? "^" : "";
  const std::size_t parts = 1 + below(4);
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t kind = below(20);
    if (kind < 9) {
      out += pick(*this, kRegexWords);
    } else if (kind < 13) {
      out += std::string(pick(*this, kBytes)) + std::string(pick(*this, kQuantifiers));
    } else if (kind < 16) {
      out += "(?:" + std::string(pick(*this, kRegexWords)) + "|" +
             std::string(pick(*this, kRegexWords)) + ")" + std::string(pick(*this, kQuantifiers));
    } else if (kind == 16) {
      out += "(" + std::string(pick(*this, kRegexWords)) + ")" +
             std::string(pick(*this, kQuantifiers));
    } else if (kind == 17) {
      out += "\\b";
    } else if (kind == 18) {
      out += std::string(chance(50) ? "(?=" : "(?!") + std::string(pick(*this, kRegexWords)) + ")";
    } else {
      out += std::string(chance(50) ? "(?<=" : "(?<!") + std::string(pick(*this, kBytes)) + ")";
    }
  }
  return out + (chance(15) ? "$" : "");
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
  if (event::is_of_story(*match.field)) {
    match.field = FieldId::url;
  }
  if (story_percent_ > 0 && chance(story_percent_)) {
    match.field = chance(40)   ? FieldId::imds_stage
                  : chance(70) ? FieldId::imds_timeline
                               : FieldId::imds_reached;
  }
  if (event::is_single_header(*match.field)) {
    match.header = pick(*this, kHeaders);
  }
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
  if (kind != event::FieldKind::time && chance(20)) {
    match.operation = Operation::matches;
    match.regex_options = static_cast<std::uint8_t>(below(8));
    for (std::size_t i = 0; i < values; ++i) {
      value.kind = sigma::Value::Kind::regex;
      do {  // some can never match, which is refused
        value.regex = regex();
      } while (
          !match::Regex::compile(value.regex, {(match.regex_options & sigma::kRegexIgnoreCase) != 0,
                                               (match.regex_options & sigma::kRegexMultiline) != 0,
                                               (match.regex_options & sigma::kRegexDotAll) != 0}));
      match.values.push_back(value);
    }
    return match;
  }
  if (kind != event::FieldKind::time && !event::is_of_story(*match.field) && chance(8)) {
    match.operation = text_operation();
    value.kind = sigma::Value::Kind::field;
    value.other.id = pick(*this, kReferred);
    if (value.other.id == FieldId::request_header) {
      value.other.header = pick(*this, kHeaders);
    }
    match.values = {value};
    return match;
  }
  // Numbers and addresses as text, headers as numbers and addresses.
  const bool as_text = kind != event::FieldKind::time && chance(15);
  const bool parsed = event::is_single_header(*match.field) && chance(30);
  if (kind == event::FieldKind::time) {
    match.time_part = std::array{sigma::TimePart::minute, sigma::TimePart::hour,
                                 sigma::TimePart::day,    sigma::TimePart::week,
                                 sigma::TimePart::month,  sigma::TimePart::year}[below(6)];
  }
  if (parsed) {
    const bool number = chance(50);
    match.operation = number ? Operation::greater_or_equal : Operation::cidr;
    value.kind = number ? sigma::Value::Kind::number : sigma::Value::Kind::prefix;
    value.number = static_cast<std::int64_t>(below(6));
    value.prefix = *IpPrefix::parse(pick(*this, kPrefixes));
    match.values = {value};
    return match;
  }
  if (as_text) {
    match.operation = text_operation();
    for (std::size_t i = 0; i < values; ++i) {
      value.kind = sigma::Value::Kind::pattern;
      value.pattern = pattern();
      value.pattern.tokens.push_back(
          {sigma::PatternToken::Kind::literal, chance(50) ? "1" : std::string("2.0.")});
      match.values.push_back(value);
    }
    return match;
  }
  match.operation = kind == event::FieldKind::address ? Operation::cidr
                    : kind != event::FieldKind::text
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
      case event::FieldKind::time:
        value.kind = sigma::Value::Kind::number;
        value.number = static_cast<std::int64_t>(below(6));
        if (match.time_part == sigma::TimePart::year) {
          value.number += 2023;
        } else if (match.time_part != sigma::TimePart::none) {
          value.number *= 5;
        }
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
    if (match.operation == Operation::equals && match.time_part == sigma::TimePart::none &&
        chance(8)) {
      value = {};
    }
    while (value.kind == sigma::Value::Kind::pattern && chance(15)) {
      sigma::Value other;
      other.kind = sigma::Value::Kind::pattern;
      other.pattern = pattern();
      value.others.push_back(std::move(other));
    }
    match.values.push_back(value);
    value.others.clear();
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

std::string Generator::headers() {
  std::string out = text(4);
  const std::size_t count = below(4);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string value = chance(60)   ? text(2)
                              : chance(50) ? std::to_string(below(8))
                                           : pick(*this, kAddresses);
    out += std::string(chance(80) ? "\n" : "") + std::string(pick(*this, kHeaders)) + ": " + value +
           "\n";
  }
  return out;
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
  out.http.headers = maybe(headers(), 90);
  out.response = {static_cast<std::uint16_t>(below(4)), out.http.headers};
  out.flow.ttl = static_cast<std::uint8_t>(below(4));
  // Some time in 2023 to 2028.
  constexpr std::int64_t kFirst = 1'672'531'200;
  out.time.ns = (kFirst + static_cast<std::int64_t>(below(6 * 31'557'600))) * kNanosPerSecond;
  out.http.version = maybe("a", 90);
  if (event::has_story(out)) {
    out.stage = keep("a" + text(2));
    out.timeline = keep("a" + text(4));
    out.reached = maybe(text(2), 50);
  }
  return out;
}

}  // namespace imds::rules
