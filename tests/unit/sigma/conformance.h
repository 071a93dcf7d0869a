// A detection, an event, a verdict. Rules go the whole way: YAML, loader, compiler, evaluator.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "event/event.h"
#include "rule_text.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace imds::sigma {

// A request as the events of packets have it. `headers` stands for all of them.
struct Request {
  std::string_view url = "/latest/meta-data/iam";
  std::string_view method = "GET";
  std::string_view domain = "example.com";
  std::string_view headers = "Host: example.com\nUser-Agent: curl/8.5.0\nX-Token: AbC\n";
  std::string_view source = "192.0.2.10";
  std::string_view destination = "169.254.169.254";
  std::uint16_t port = 80;
  std::int64_t seconds = 1'704'067'200;  // 2024-01-01T00:00:00Z, a Monday
  bool has_user_agent = true;
};

inline event::Event event_of(const Request& request) {
  event::Event event;
  event.type = event::EventType::http_request;
  event.time.ns = request.seconds * kNanosPerSecond;
  event.flow.source = {*IpAddress::parse(request.source), 40000, {}};
  event.flow.destination = {*IpAddress::parse(request.destination), request.port, {}};
  event.flow.ip_protocol = 6;
  event.flow.ttl = 64;
  event.http.method = request.method;
  event.http.target = {request.url, request.url};
  const std::size_t mark = request.url.find('?');
  const std::string_view path = request.url.substr(0, mark);
  event.http.path = {path, path};
  if (mark != std::string_view::npos) {
    event.http.query = {request.url.substr(mark + 1), request.url.substr(mark + 1)};
  }
  event.http.domain = {request.domain, request.domain};
  event.http.host = request.domain;
  if (request.has_user_agent) {
    event.http.user_agent = "curl/8.5.0";
  }
  event.http.headers = request.headers;
  event.http.version = "1.1";
  return event;
}

// With the aliases that are shipped.
inline const event::FieldTable& fields() {
  static const event::FieldTable table =
      event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml").value();
  return table;
}

inline bool holds(const std::string& detection, const Request& request,
                  const LoadOptions& options = {}) {
  Result<LoadedRules> loaded = load_text(rule_with(detection), "test.yml", fields(), options);
  if (!loaded) {
    ADD_FAILURE() << loaded.error().to_string() << "\n" << detection;
    return false;
  }
  auto compiled = rules::RuleSet::compile(loaded->rules);
  if (!compiled) {
    ADD_FAILURE() << compiled.error().to_string() << "\n" << detection;
    return false;
  }
  auto evaluator = rules::Evaluator::create(*compiled);
  if (!evaluator) {
    ADD_FAILURE() << evaluator.error().to_string();
    return false;
  }
  rules::RuleHits hits;
  evaluator->evaluate(event_of(request), hits);
  return hits.count > 0;
}

// One line of a selection.
inline bool line(const std::string& text, const Request& request = {},
                 const LoadOptions& options = {}) {
  return holds("  sel:\n    " + text + "\n  condition: sel\n", request, options);
}

struct LineCase {
  std::string text;
  bool expected;
  Request request = {};
};
inline void check(std::initializer_list<LineCase> cases) {
  for (const LineCase& one : cases) {
    EXPECT_EQ(line(one.text, one.request), one.expected) << one.text << " on " << one.request.url;
  }
}

}  // namespace imds::sigma
