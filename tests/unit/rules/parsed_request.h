// Heads as the detector parses them, and rules made of what they say.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "detect/request_fields.h"
#include "event/fields.h"
#include "fixture.h"
#include "http/head.h"
#include "http/target.h"
#include "random_rules.h"

namespace imds::rules {

// As the detector makes it; the parts live in the caller's buffers.
struct ParsedRequest {
  http::RequestHead head;
  std::vector<char> unfolded;
  std::vector<char> target_buffer;
  std::vector<char> header_buffer;

  bool parse(std::string_view text, event::Event& event) {
    unfolded.resize(text.size());
    if (http::parse_request_head(bytes(text), unfolded, head) != http::HeadStatus::ok) {
      return false;
    }
    target_buffer.resize(2 * text.size() + http::kNormaliseSlack);
    detect::set_target(event.http, head.method, head.target, head.fields.host, target_buffer);
    header_buffer.resize(text.size() + head.fields.count);
    detect::set_headers(event.http, head, header_buffer);
    return true;
  }
};

// A regular expression that the text matches: its bytes, some in other words.
inline std::string regex_from(Generator& generator, std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
    const std::string same = plain ? std::string(1, c) : std::string(hex);
    switch (generator.below(40)) {
      case 0:
        out += "[^\\x00]";
        break;
      case 1:
        out += "(?:" + same + "|never)";
        break;
      case 2:
        out += same + "+";
        break;
      case 3:
        out += "x*" + same;
        break;
      case 4:
        out += "(?=" + same + ")" + same;
        break;
      case 5:
        out += "[" + same + "]";
        break;
      case 6:
        out += same + "(?:never)?";
        break;
      case 7:
        out += hex;
        break;
      default:
        out += same;
    }
  }
  return out;
}

// A rule made of what some field of the event says: a piece of it, with a wildcard now and then.
inline sigma::Rule rule_from(Generator& generator, const event::Event& event) {
  constexpr std::array kFields{
      event::FieldId::url,        event::FieldId::url_path,        event::FieldId::url_query,
      event::FieldId::url_domain, event::FieldId::request_headers, event::FieldId::user_agent,
      event::FieldId::http_host,  event::FieldId::request_headers};
  event::FieldScratch scratch;
  event::FieldValue value;
  sigma::FieldMatch match;
  while (value.kind == event::FieldValue::Kind::absent) {
    match.field = kFields[generator.below(kFields.size())];
    value = event::value_of(event, *match.field, scratch);
  }
  if (generator.chance(30)) {  // one header instead
    event::for_each_header(event.http.headers, [&](std::string_view name, std::string_view text) {
      if (generator.chance(50)) {
        match.field = event::FieldId::request_header;
        match.header.assign(name);
        std::transform(name.begin(), name.end(), match.header.begin(), ascii_lower);
        value.text = {text, text};
      }
    });
  }
  const std::string_view text = generator.chance(50) ? value.text.raw : value.text.normalised;
  const std::size_t start = generator.chance(25) ? 0 : generator.below(text.size() + 1);
  const std::size_t size =
      generator.chance(25) ? text.size() - start : generator.below(text.size() - start + 1);
  const bool from_start = start == 0 && generator.chance(50);
  const bool to_end = start + size == text.size() && generator.chance(50);
  match.operation = from_start && to_end ? sigma::Operation::equals
                    : from_start         ? sigma::Operation::starts_with
                    : to_end             ? sigma::Operation::ends_with
                                         : sigma::Operation::contains;
  match.cased = generator.chance(30);

  using Token = sigma::PatternToken;
  sigma::Pattern pattern;
  std::string_view rest = text.substr(start, size);
  if (rest.size() > 3 && generator.chance(40)) {
    const std::size_t cut = generator.below(rest.size());
    if (cut > 0) {
      pattern.tokens.push_back({Token::Kind::literal, std::string(rest.substr(0, cut))});
    }
    pattern.tokens.push_back({Token::Kind::any_many, {}});
    rest.remove_prefix(cut + generator.below(rest.size() - cut));
  }
  if (!rest.empty()) {
    pattern.tokens.push_back({Token::Kind::literal, std::string(rest)});
  }
  sigma::Value one;
  one.kind = sigma::Value::Kind::pattern;
  one.pattern = pattern;
  if (generator.chance(30) && size > 0) {
    match.operation = sigma::Operation::matches;
    one.kind = sigma::Value::Kind::regex;
    one.regex = regex_from(generator, text.substr(start, size));
  }
  match.values = {one};
  sigma::Rule rule;
  rule.events = event::bit(event::EventType::http_request);
  rule.selections = {sigma::Selection{"s", {{match}}, {}}};
  rule.conditions = {sigma::Condition{}};
  return rule;
}

}  // namespace imds::rules
