// The story: takes the findings of all workers, makes one alert of each (finding, rule) and hands
// it to every sink. It alone writes the alert ring (through a sink), so the ring has one writer.
//
// Threads: poll() or run() from one thread, the consumer of every finding ring. Counters may be
// read from any. Sinks are called in the order given, on the story's thread, and must outlive it.
// Bounded: one finding at a time, nothing queued; a full finding ring is the worker's counted loss.
//
// Rule hits taken = alerts + unknown rules; for every sink, alerts = delivered + lost.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "alert/imds_alert_ring.h"
#include "alert/record.h"
#include "alert/redact.h"
#include "base/counter.h"
#include "base/spsc_ring.h"
#include "event/finding.h"

namespace imds::story {

using FindingRing = SpscRing<event::Finding>;

// Where alerts go.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  // False: this alert is lost to the sink (and counted). Must not wait for long.
  virtual bool deliver(const imds_alert_record& record) = 0;
  // Called once per poll(), also when there was nothing to deliver; live, many times a second.
  virtual void tick() {}
};

// The rules that Finding::rules indexes, for one ruleset generation.
struct RuleCatalog {
  std::uint32_t generation = 0;
  std::vector<alert::RuleFacts> rules;
};

struct Options {
  std::vector<RuleCatalog> catalogs;
  alert::RedactionOptions redaction;
  std::string hostname;
  std::vector<std::string> interface_names;  // by Finding::ingress_port
};

inline constexpr std::size_t kSeverities = 5;

class Story {
 public:
  Story(Options options, std::vector<FindingRing*> workers, std::vector<AlertSink*> sinks);

  // Takes at most `budget` findings, one of each worker in turn, then ticks the sinks. Returns how
  // many it took.
  std::size_t poll(std::size_t budget);

  // Polls until asked to stop, sleeping a millisecond when there is nothing to do; then drains
  // what is left. Stop the workers first.
  void run(const std::stop_token& stop);

  [[nodiscard]] std::uint64_t findings() const { return findings_.get(); }
  [[nodiscard]] std::uint64_t alerts() const { return alerts_.get(); }
  // Rule hits whose generation or index no catalog has: a defect, never silent.
  [[nodiscard]] std::uint64_t unknown_rules() const { return unknown_rules_.get(); }
  [[nodiscard]] std::uint64_t delivered(std::size_t sink) const {
    return sink_counters_[sink].delivered.get();
  }
  [[nodiscard]] std::uint64_t lost(std::size_t sink) const {
    return sink_counters_[sink].lost.get();
  }
  // Alerts of a severity, 1..5.
  [[nodiscard]] std::uint64_t alerts_of_severity(int severity) const;
  [[nodiscard]] const std::vector<RuleCatalog>& catalogs() const { return options_.catalogs; }
  // Alerts of one rule of one of catalogs().
  [[nodiscard]] std::uint64_t alerts_of_rule(std::size_t catalog, std::size_t rule) const {
    return rule_counters_[catalog][rule].get();
  }

 private:
  struct SinkCounters {
    Counter delivered;
    Counter lost;
  };
  void consume(const event::Finding& finding);
  void raise(const event::Finding& finding, std::size_t catalog, std::uint16_t rule);

  Options options_;
  alert::Redactor redactor_;
  std::vector<FindingRing*> workers_;
  std::vector<AlertSink*> sinks_;
  std::unique_ptr<SinkCounters[]> sink_counters_;
  std::vector<std::unique_ptr<Counter[]>> rule_counters_;  // per catalog, per rule
  std::array<Counter, kSeverities> severity_counters_;
  Counter findings_;
  Counter alerts_;
  Counter unknown_rules_;
  std::size_t next_worker_ = 0;
  imds_alert_record record_{};
};

}  // namespace imds::story
