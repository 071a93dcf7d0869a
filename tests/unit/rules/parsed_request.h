// Heads as the detector parses them, and rules made of what they say.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

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
    const http::Target target = http::split_target(head.method, head.target, head.fields.host);
    target_buffer.resize(2 * text.size() + http::kNormaliseSlack);
    const http::NormalisedTarget normal = http::normalise_target(target, target_buffer);
    header_buffer.resize(text.size() + head.fields.count);
    event.http.method = head.method;
    event.http.target = {target.text, normal.target};
    event.http.path = {target.path, normal.path};
    event.http.query = {target.query, normal.query};
    event.http.domain = {target.host, normal.domain};
    event.http.host = head.fields.host;
    event.http.user_agent = head.fields.user_agent;
    event.http.headers = http::write_header_text(head.fields, header_buffer).text;
    event.http.version = head.version_text;
    return true;
  }
};

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
  match.values = {one};
  sigma::Rule rule;
  rule.events = event::bit(event::EventType::http_request);
  rule.selections = {sigma::Selection{"s", {{match}}, {}}};
  rule.conditions = {sigma::Condition{}};
  return rule;
}

}  // namespace imds::rules
