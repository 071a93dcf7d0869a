// Correlations over findings made by hand, and what they reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "story/correlation.h"

namespace imds::story {

using event::FieldId;
using Kind = CorrelationRule::Kind;
inline constexpr std::int64_t kSecond = kNanosPerSecond;
inline constexpr std::size_t kBaseRules = 8;
inline constexpr std::size_t kMemory = 1 << 20;

inline IpAddress address(int last) {
  return IpAddress::v4(0x0a000000u + static_cast<std::uint32_t>(last));
}

inline event::Finding finding(std::int64_t time_ns, int source = 1, int destination = 2) {
  event::Finding f{};
  f.time.ns = time_ns;
  f.type = event::EventType::http_request;
  f.source.ip = address(source);
  f.destination.ip = address(destination);
  f.ip_protocol = 6;
  return f;
}

// A rule over the base rules 0, 1, …; grouped by source unless the test says otherwise.
inline CorrelationRule rule(Kind kind, std::size_t inputs, std::int64_t seconds,
                            std::uint64_t least) {
  CorrelationRule out;
  out.kind = kind;
  out.timespan_ns = seconds * kSecond;
  out.least = least;
  for (std::size_t i = 0; i < inputs; ++i) {
    out.inputs.push_back({false, i, {FieldId::source_ip}, {}});
  }
  return out;
}

class Watcher {
 public:
  explicit Watcher(std::vector<CorrelationRule> rules, std::size_t memory = kMemory)
      : correlator(std::move(rules), kBaseRules, memory) {}

  // "0@5 " for correlation 0 completed by an event at 5 s.
  std::string take(const event::Finding& f, std::vector<std::uint16_t> hits) {
    seen.clear();
    correlator.take(f, hits, report());
    return seen;
  }
  std::string at(std::int64_t seconds, std::vector<std::uint16_t> hits = {0}, int source = 1) {
    return take(finding(seconds * kSecond, source), std::move(hits));
  }
  std::string finish() {
    seen.clear();
    correlator.finish(report());
    return seen;
  }
  std::string advance(std::int64_t seconds) {
    seen.clear();
    correlator.advance({seconds * kSecond}, report());
    return seen;
  }
  Correlator::Report report() {
    return [this](const Completed& done) {
      seen += std::to_string(done.correlation) + "@" +
              std::to_string(done.finding.time.ns / kSecond) + " ";
    };
  }

  Correlator correlator;
  std::string seen;
};

// In this order, which the operands of + do not keep.
inline std::string joined(std::initializer_list<std::string> texts) {
  std::string out;
  for (const std::string& text : texts) {
    out += text;
  }
  return out;
}

inline CorrelationRule bounded(Kind kind, std::size_t inputs, std::uint64_t least,
                               std::uint64_t most) {
  CorrelationRule out = rule(kind, inputs, 10, least);
  out.most = most;
  return out;
}

}  // namespace imds::story
