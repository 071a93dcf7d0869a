// The story: takes the findings of all workers, makes one alert of each (finding, rule) and of each
// correlation they complete, and hands it to every sink. It alone writes the alert ring (through a
// sink), so the ring has one writer. Of several workers' findings, the one that happened first is
// taken first, as far as they are there.
//
// Threads: poll() or run() from one thread, the consumer of every finding ring. Counters may be
// read from any. Sinks are called in the order given, on the story's thread, and must outlive it.
// Bounded: one finding at a time, nothing queued; a full finding ring is the worker's counted loss.
//
// It follows each client's stages (story/stages.h). Findings without rule hits come for their sake
// only. Hits of rules that compare imds.stage, imds.timeline or imds.reached say that the rule may
// hold; whether it does is judged here, and if not the hit is rejected, as if it had never been.
//
// Of credentials_used, a worker knows only that the client may hold credentials. If it does not,
// all hits are rejected; if it does, the alert tells whose they are, and of which endpoint.
//
// Rule hits taken + correlations completed = alerts + throttled + correlated only + rejected +
// unknown rules; for every sink, alerts = delivered + lost. Findings of --inject-test alert by
// every rule they hit, and neither stages nor correlations see them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "alert/record.h"
#include "alert/redact.h"
#include "base/counter.h"
#include "base/spsc_ring.h"
#include "event/finding.h"
#include "story/rule_book.h"
#include "story/stages.h"
#include "story/throttle.h"

namespace imds::story {

using FindingRing = SpscRing<event::Finding>;

// Where alerts go.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  // False: this alert is lost to the sink (and counted). Must not wait for long.
  virtual bool deliver(const alert::SparseRecord& alert) = 0;
  // Called once per poll(), also when there was nothing to deliver; live, many times a second.
  virtual void tick() {}
};

struct Options {
  std::vector<RuleCatalog> catalogs;  // in force from the start; later ones are added to rules()
  alert::RedactionOptions redaction;
  std::string hostname;
  std::vector<std::string> interface_names;               // by Finding::ingress_port
  std::optional<Throttle::Options> throttle{};            // none: every alert is delivered
  std::size_t correlation_bytes = std::size_t{32} << 20;  // of a catalog's correlations together
  Stages::Options stages;
  // Live: what time it is now, so that windows end also when no finding comes. Captures have none.
  std::function<Timestamp()> clock;
};

inline constexpr std::size_t kSeverities = 5;

class Story {
 public:
  Story(Options options, const std::vector<FindingRing*>& workers, std::vector<AlertSink*> sinks);

  // Takes at most `budget` findings, then ticks the sinks. Returns how many it took.
  std::size_t poll(std::size_t budget);

  // Nothing follows: judges the correlation windows that are still open. run() does so at its end.
  void finish();

  // Polls until asked to stop, sleeping a millisecond when there is nothing to do; then drains
  // what is left. Stop the workers first.
  void run(const std::stop_token& stop);

  [[nodiscard]] std::uint64_t findings() const { return findings_.get(); }
  [[nodiscard]] std::uint64_t alerts() const { return alerts_.get(); }
  // Alerts withheld as repeats; not among alerts().
  [[nodiscard]] std::uint64_t throttled() const { return throttled_.get(); }
  // Null without throttling.
  [[nodiscard]] const Throttle* throttle() const { return throttle_.get(); }
  // Rule hits whose generation or index no catalog has: a defect, never silent.
  [[nodiscard]] std::uint64_t unknown_rules() const { return unknown_rules_.get(); }
  // Correlations that were completed, each of which would be one alert.
  [[nodiscard]] std::uint64_t correlations_completed() const {
    return correlations_completed_.get();
  }
  // Hits of rules that alert through correlations only.
  [[nodiscard]] std::uint64_t correlated_only() const { return correlated_only_.get(); }
  // Hits of rules that do not hold as the story stands.
  [[nodiscard]] std::uint64_t rejected() const { return rejected_.get(); }
  [[nodiscard]] const Stages& stages() const { return stages_; }
  [[nodiscard]] std::uint64_t delivered(std::size_t sink) const {
    return sink_counters_[sink].delivered.get();
  }
  [[nodiscard]] std::uint64_t lost(std::size_t sink) const {
    return sink_counters_[sink].lost.get();
  }
  // Alerts of a severity, 1..5.
  [[nodiscard]] std::uint64_t alerts_of_severity(int severity) const;
  // The rules of every generation that findings may still be of, with what became of their alerts.
  [[nodiscard]] RuleBook& rules() { return rules_; }
  [[nodiscard]] const RuleBook& rules() const { return rules_; }

 private:
  struct SinkCounters {
    Counter delivered;
    Counter lost;
  };
  // A worker's ring, and what is known of the findings that come next in it.
  struct Source {
    static constexpr std::uint64_t kExpected = 4;

    FindingRing* ring = nullptr;
    std::uint64_t fetched = 0;   // findings up to this one, by their number in the ring
    std::uint64_t expected = 0;  // the same
    std::array<Stages::Expected, kExpected> stories{};  // of the last of these
    [[nodiscard]] Stages::Expected& story(std::uint64_t number) {
      return stories[number % kExpected];
    }
  };
  [[nodiscard]] Source* earliest();
  void look_ahead(Source& source);
  void consume(const event::Finding& finding, const Stages::Expected& expected);
  void tell(const event::Finding& finding, const RuleBook::Page& page);
  [[nodiscard]] const event::Finding& with_delivery(const event::Finding& use);
  [[nodiscard]] std::span<const std::uint16_t> hits_of(const event::Finding& finding,
                                                       const RuleBook::Page& page);
  void begin_story(imds::rules::Evaluator& judge) const;
  [[nodiscard]] const RuleBook::Page* page_of(std::uint32_t generation);
  [[nodiscard]] Throttle::Verdict verdict_on(const event::Finding& finding,
                                             const RuleBook::Page& page, std::size_t rule);
  [[nodiscard]] Throttle::Verdict throttle(const event::Finding& finding,
                                           const RuleBook::Page& page, std::size_t rule);
  void raise(const RuleBook::Page& page, std::size_t rule, std::uint64_t repeats);
  void raise_correlation(const RuleBook::Page& page, const Completed& completed);
  void end_windows();
  [[nodiscard]] Correlator::Report report_to(const RuleBook::Page& page);
  [[nodiscard]] alert::ObserverNames names_of(const event::Finding& finding) const;

  Options options_;
  alert::RecordMaker maker_;
  std::vector<Source> workers_;
  std::vector<AlertSink*> sinks_;
  std::unique_ptr<SinkCounters[]> sink_counters_;
  std::unique_ptr<Throttle> throttle_;
  RuleBook rules_;
  Stages stages_;
  // Of the finding at hand.
  event::Timeline told_;
  event::Finding use_{};
  std::array<std::uint16_t, event::kMaxRulesPerFinding> hits_;
  std::shared_ptr<const RuleBook::Page> page_;  // of the last finding's generation
  std::array<Counter, kSeverities> severity_counters_;
  Counter findings_;
  Counter alerts_;
  Counter throttled_;
  Counter unknown_rules_;
  Counter correlated_only_;
  Counter rejected_;
  Counter correlations_completed_;
};

}  // namespace imds::story
