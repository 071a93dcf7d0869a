// Rules from YAML text and events made by hand.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/cursor.h"
#include "event/event.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "sigma/load.h"

namespace imds::rules {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitised = true;
#elif defined(__has_feature)
inline constexpr bool kSanitised = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitised = false;
#endif

// Of so many random rule sets, or what they are to yield: all where verdicts are compared; a sixth
// in the sanitised build, which looks for faults of memory and where compiling a set takes seconds.
constexpr std::uint32_t share_of(std::uint32_t number) {
  return kSanitised ? (number + 5) / 6 : number;
}

inline ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A whole rule around the given detection, which is written without indentation of its own.
inline std::string rule_yaml(const std::string& detection,
                             const std::string& logsource = "category: network") {
  static int serial = 0;
  char id[40];
  std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", ++serial);
  std::string indented;
  std::size_t start = 0;
  while (start < detection.size()) {
    const std::size_t end = detection.find('\n', start);
    indented += "  " + detection.substr(start, end - start) + "\n";
    start = end == std::string::npos ? detection.size() : end + 1;
  }
  return "title: Test\nid: " + std::string(id) + "\nstatus: test\nlevel: high\nlogsource:\n  " +
         logsource + "\ndetection:\n" + indented;
}

inline std::vector<sigma::Rule> load(const std::string& yaml) {
  Result<sigma::LoadedRules> loaded = sigma::load_text(yaml, "test.yml", event::FieldTable());
  EXPECT_TRUE(loaded) << loaded.error().to_string() << "\n" << yaml;
  return loaded ? std::move(loaded->rules) : std::vector<sigma::Rule>();
}

inline std::shared_ptr<const RuleSet> compile(const std::vector<sigma::Rule>& rules) {
  Result<std::shared_ptr<const RuleSet>> set = RuleSet::compile(rules);
  EXPECT_TRUE(set) << set.error().to_string();
  return set ? *set : nullptr;
}

// Each detection is a rule of its own, with the default logsource.
inline std::shared_ptr<const RuleSet> compile(std::initializer_list<std::string> detections) {
  std::vector<sigma::Rule> rules;
  for (const std::string& detection : detections) {
    for (sigma::Rule& rule : load(rule_yaml(detection))) {
      rules.push_back(std::move(rule));
    }
  }
  return compile(rules);
}

inline Evaluator evaluator(std::shared_ptr<const RuleSet> set) {
  Result<Evaluator> made = Evaluator::create(std::move(set));
  EXPECT_TRUE(made) << made.error().to_string();
  return std::move(*made);
}

// What a worker finds, which does not know the story.
inline RuleHits candidates(Evaluator& evaluator, event::Event event) {
  event.stage = {};
  event.timeline = {};
  event.reached = {};
  RuleHits found;
  evaluator.evaluate(event, found);
  return found;
}

// What is left of it when the story has judged.
inline std::vector<int> hits(Evaluator& evaluator, const event::Event& event) {
  const RuleHits found = candidates(evaluator, event);
  std::vector<int> out;
  evaluator.begin_story(event.stage, event.timeline, event.reached);
  for (std::uint16_t i = 0; i < found.count; ++i) {
    if (!evaluator.rules().info(found.rules[i]).in_story ||
        evaluator.holds_in_story(found.rules[i], found.compared[i])) {
      out.push_back(found.rules[i]);
    }
  }
  return out;
}

// Whether a single rule holds for an event.
inline bool matches(const std::string& detection, const event::Event& event) {
  Evaluator judge = evaluator(compile({detection}));
  return !hits(judge, event).empty();
}

inline IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpAddress());
}

inline IpPrefix prefix(std::string_view text) {
  const auto parsed = IpPrefix::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpPrefix());
}

inline event::TwoReadings same(std::string_view text) {
  return {text, text};
}

inline event::Event tcp_event(event::EventType type) {
  event::Event event;
  event.type = type;
  event.flow.source = {address("192.0.2.10"), 40000, {}};
  event.flow.destination = {address("198.51.100.20"), 80, {}};
  event.flow.ip_protocol = 6;
  return event;
}

// GET of the target from host `example.com`, by curl. `target` must outlive the event.
inline event::Event request(std::string_view target) {
  event::Event event = tcp_event(event::EventType::http_request);
  event.http.method = "GET";
  event.http.target = same(target);
  event.http.path = same(target.substr(0, target.find('?')));
  if (target.find('?') != std::string_view::npos) {
    event.http.query = same(target.substr(target.find('?') + 1));
  }
  event.http.domain = same("example.com");
  event.http.host = "Example.com:8080";
  event.http.user_agent = "curl/8.5.0";
  event.http.headers = "Host: Example.com:8080\nUser-Agent: curl/8.5.0\nAccept: */*\n";
  event.http.version = "1.1";
  return event;
}

inline event::Event raw_stream(std::string_view text) {
  event::Event event = tcp_event(event::EventType::raw_match);
  event.raw = text;
  return event;
}

}  // namespace imds::rules
