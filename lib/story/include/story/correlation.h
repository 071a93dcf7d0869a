// Sigma correlations over findings: event_count, value_count, temporal, temporal_ordered.
//
// Time is the packets'. A window spans `timespan`, both ends included, and slides: it is judged
// with every event, wherever in time it began. A group alerts at most once per timespan, so that no
// event takes part in two alerts. Events may come somewhat out of order (several workers): they are
// put where their time says.
//
// A condition that more events can make false again (lt, lte, eq, neq, a range) is judged when its
// window is over: the window begins with a group's first event and ends when an event or the clock
// says that a timespan has passed, or with finish(). The next event begins the next one.
//
// Threads: one, the story's; counters may be read by any. Memory is taken at construction, an equal
// share for each correlation. When a correlation's groups are all in use, the one unused for
// longest (of windows judged as a whole: the one begun first) is given up, and counted if its
// window was still open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/time.h"
#include "event/fields.h"
#include "event/finding.h"

namespace imds::story {

struct CorrelationRule {
  enum class Kind : std::uint8_t { event_count, value_count, temporal, temporal_ordered };
  static constexpr std::uint64_t kNoLimit = UINT64_MAX;
  static constexpr std::size_t kMaxInputs = 64;

  // A rule whose findings count, or a correlation before this one, which counts when it is
  // completed; then the event is the finding that completed it.
  struct Input {
    bool is_correlation = false;
    std::size_t index = 0;
    std::vector<event::FieldId> group_by;  // an event that lacks one is not counted
    std::vector<event::FieldId> value;     // value_count; the same
  };

  // What stays the same over a reload: two rules of one identity mean the same, and the later one
  // goes on with the groups of the earlier. Empty: none.
  std::string identity;
  Kind kind = Kind::event_count;
  std::vector<Input> inputs;  // 1 to kMaxInputs; for temporal_ordered, in their order
  std::int64_t timespan_ns = kNanosPerSecond;
  // Accepted counts: of events, of different values, of inputs seen. temporal_ordered: all inputs.
  std::uint64_t least = 1;
  std::uint64_t most = kNoLimit;
  std::optional<std::uint64_t> never;
  bool alerts = true;  // false: it only counts for others

  [[nodiscard]] bool needs_whole_window() const { return most != kNoLimit || never.has_value(); }
  [[nodiscard]] bool accepts(std::uint64_t count) const {
    return count >= least && count <= most && count != never;
  }
};

struct CorrelationCounters {
  Counter events;          // that it counted
  Counter incomplete;      // not counted for want of a field
  Counter completed;       // times its condition was met
  Counter groups_evicted;  // given up with an open window, for want of memory
  Counter groups;          // in use now
};

// A correlation whose condition has been met.
struct Completed {
  std::size_t correlation;
  const event::Finding& finding;  // the event that completed it, or the last in the window
  std::size_t input;              // as which it counted: says which fields the group has
};

class Correlator {
 public:
  using Report = std::function<void(const Completed&)>;

  // `rules`: each after those it refers to. `base_rules`: how many rules the findings' indices
  // name.
  Correlator(std::vector<CorrelationRule> rules, std::size_t base_rules, std::size_t memory_bytes);
  ~Correlator();
  Correlator(const Correlator&) = delete;
  Correlator& operator=(const Correlator&) = delete;

  // Goes on with the groups of rules that stood in `earlier` under the same identity and with as
  // much memory; both then share them, as long as findings of both rule sets come.
  void adopt(const Correlator& earlier);

  // A finding and the rules that hit it, all below base_rules. Reports what it completes, a
  // correlation before those that refer to it.
  void take(const event::Finding& finding, std::span<const std::uint16_t> hits,
            const Report& report);
  // Judges windows that ended before `now`; take() does so with the finding's time.
  void advance(Timestamp now, const Report& report);
  // Judges all windows that are still open: nothing follows.
  void finish(const Report& report);

  [[nodiscard]] bool empty() const { return rules_.empty(); }
  // Whether advance() and finish() can have anything to do.
  [[nodiscard]] bool judges_windows() const { return has_windows_; }
  [[nodiscard]] std::size_t size() const { return rules_.size(); }
  [[nodiscard]] const CorrelationRule& rule(std::size_t i) const { return rules_[i]; }
  [[nodiscard]] const CorrelationCounters& counters(std::size_t i) const;
  [[nodiscard]] std::size_t group_capacity(std::size_t i) const;
  // What group_capacity() will be.
  [[nodiscard]] static std::size_t group_capacity(const CorrelationRule& rule,
                                                  std::size_t memory_bytes);

 private:
  class Watch;
  struct Target {
    std::size_t correlation;
    std::size_t input;
  };
  void signal(const std::vector<Target>& targets);
  void drain(const event::Finding& finding, const Report& report);
  void judge(std::size_t correlation, std::uint64_t inputs, const event::Finding& finding,
             const event::Event& event, const Report& report);
  void complete(std::size_t correlation, std::size_t input, const event::Finding& finding,
                const Report& report);
  template <typename EndWindow>
  void judge_windows(const EndWindow& end_window, const Report& report);

  std::vector<CorrelationRule> rules_;
  std::vector<std::shared_ptr<Watch>> watches_;  // per rule
  std::vector<std::vector<Target>> of_rule_;
  std::vector<std::vector<Target>> of_correlation_;
  std::vector<std::vector<std::uint64_t>> alike_;  // per rule, per input: inputs with its fields
  std::vector<std::uint64_t> inputs_;              // per rule: inputs signalled and not yet judged
  std::vector<std::uint64_t> pending_;             // a bit per rule: inputs_ is not 0
  bool has_windows_ = false;
  event::Finding due_;
};

}  // namespace imds::story
