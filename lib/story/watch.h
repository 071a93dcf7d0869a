// One correlation's state: its groups, and what an event does to one of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/siphash.h"
#include "group_table.h"
#include "story/correlation.h"

namespace imds::story {

class Correlator::Watch {
 public:
  Watch(const CorrelationRule& rule, std::size_t memory_bytes);

  // An event of the group, for all of `inputs` (a bit each). Whether it completes the correlation.
  bool take(const SipHash& group, std::uint64_t inputs, std::uint64_t value,
            const event::Finding& finding);

  // Ends the window begun first, if it was over before `now` or if `all` are to end; whether its
  // count is accepted. `last` is then its last event, `input` as what that counted.
  enum class Window : std::uint8_t { none, rejected, accepted };
  Window end_window(std::int64_t now, bool all, event::Finding& last, std::size_t& input);

  [[nodiscard]] bool judges_windows() const { return windows_; }
  [[nodiscard]] const SipKey& key() const { return key_; }
  [[nodiscard]] std::size_t capacity() const { return groups_.capacity(); }

  CorrelationCounters counters;

  static std::size_t slots_for(const CorrelationRule& rule);

 private:
  // When an event must have happened to stand in one window with one at `time`.
  [[nodiscard]] std::int64_t earliest(std::int64_t time) const {
    return time < kNever + 1 + timespan_ ? kNever + 1 : time - timespan_;
  }
  Group& group_of(const SipHash& key, std::int64_t now);
  void extend_window(Group& group, std::uint64_t inputs, std::uint64_t value,
                     const event::Finding& finding);
  bool count_event(Group& group, std::int64_t time);
  bool count_value(Group& group, std::uint64_t value, std::int64_t time);
  bool see(Group& group, std::uint64_t inputs, std::int64_t time);
  bool follow(Group& group, std::uint64_t inputs, std::int64_t time);
  void enter(Group& group, std::size_t input, std::int64_t time);
  [[nodiscard]] std::int64_t start_of_chain(Group& group, std::size_t input, std::int64_t time,
                                            bool also_now);
  [[nodiscard]] bool quiet(const Group& group, std::int64_t time) const {
    return group.last_alert != kNever && group.last_alert >= earliest(time);
  }

  CorrelationRule::Kind kind_;
  CorrelationRule accepted_;  // for its accepts()
  std::size_t inputs_;
  std::int64_t timespan_;
  std::uint64_t least_;
  bool windows_;
  SipKey key_;
  GroupTable groups_;
};

}  // namespace imds::story
