#include "watch.h"

#include <algorithm>
#include <bit>

namespace imds::story {
namespace {

using Kind = CorrelationRule::Kind;

// Of each step of a sequence, the events remembered: with several workers, one may come late.
constexpr std::size_t kEventsPerStep = 4;

std::size_t lowest(std::uint64_t bits) {
  return static_cast<std::size_t>(std::countr_zero(bits));
}

}  // namespace

std::size_t Correlator::Watch::slots_for(const CorrelationRule& rule) {
  switch (rule.kind) {
    case Kind::event_count:
      return rule.needs_whole_window() ? 1 : static_cast<std::size_t>(rule.least);
    case Kind::value_count: {
      std::uint64_t bound = std::max(rule.least, rule.never.value_or(0));
      bound = rule.most == CorrelationRule::kNoLimit ? bound : std::max(bound, rule.most);
      return static_cast<std::size_t>(bound + (rule.needs_whole_window() ? 1 : 0));
    }
    case Kind::temporal:
      return rule.inputs.size();
    case Kind::temporal_ordered:
      return rule.inputs.size() * kEventsPerStep;
  }
  return 1;
}

Correlator::Watch::Watch(const CorrelationRule& rule, std::size_t memory_bytes)
    : kind_(rule.kind),
      accepted_(rule),
      inputs_(rule.inputs.size()),
      timespan_(rule.timespan_ns),
      least_(rule.least),
      windows_(rule.needs_whole_window()),
      key_(random_key()),
      groups_(group_capacity(rule, memory_bytes), slots_for(rule), windows_) {}

Group& Correlator::Watch::group_of(const SipHash& key, std::int64_t now) {
  if (Group* known = groups_.find(key); known != nullptr) {
    if (!windows_) {
      groups_.touch(*known);
    }
    return *known;
  }
  if (groups_.full()) {
    Group& given_up = *groups_.oldest();
    const bool open = windows_ || given_up.newest >= earliest(now);
    counters.groups_evicted.add(open ? 1 : 0);
    groups_.remove(given_up);
  }
  Group& added = groups_.add(key);
  for (Slot& slot : groups_.slots(added)) {
    slot = {kNever, 0};
  }
  counters.groups.set(groups_.size());
  return added;
}

bool Correlator::Watch::take(const SipHash& key, std::uint64_t inputs, std::uint64_t value,
                             const event::Finding& finding) {
  const std::int64_t time = finding.time.ns;
  counters.events.add();
  Group& group = group_of(key, time);
  if (windows_) {
    extend_window(group, inputs, value, finding);
    return false;
  }
  group.newest = std::max(group.newest, time);
  bool met = false;
  switch (kind_) {
    case Kind::event_count:
      met = count_event(group, time);
      break;
    case Kind::value_count:
      met = count_value(group, value, time);
      break;
    case Kind::temporal:
      met = see(group, inputs, time);
      break;
    case Kind::temporal_ordered:
      met = follow(group, inputs, time);
      break;
  }
  if (!met || quiet(group, group.newest)) {
    return false;
  }
  group.last_alert = group.newest;
  counters.completed.add();
  return true;
}

// The newest `least_` times in order, in a ring.
bool Correlator::Watch::count_event(Group& group, std::int64_t time) {
  const std::span<Slot> ring = groups_.slots(group);
  const auto at = [&](std::size_t i) -> std::int64_t& {
    const std::size_t place = group.head + i;
    return ring[place < ring.size() ? place : place - ring.size()].time;
  };
  if (group.count == ring.size()) {
    if (time < at(0)) {
      return false;  // older than all that count
    }
    group.head = group.head + 1 < ring.size() ? group.head + 1 : 0;
    --group.count;
  }
  std::size_t place = group.count++;
  for (; place > 0 && at(place - 1) > time; --place) {
    at(place) = at(place - 1);
  }
  at(place) = time;
  return group.count == ring.size() && at(0) >= earliest(at(group.count - 1));
}

// Different values, each with the time it was last seen; of too many, the newest.
bool Correlator::Watch::count_value(Group& group, std::uint64_t value, std::int64_t time) {
  const std::span<Slot> slots = groups_.slots(group);
  const std::span<Slot> used = slots.first(group.count);
  const auto known =
      std::find_if(used.begin(), used.end(), [&](const Slot& s) { return s.value == value; });
  if (known != used.end()) {
    known->time = std::max(known->time, time);
  } else if (group.count < slots.size()) {
    slots[group.count++] = {time, value};
  } else {
    Slot& oldest = *std::min_element(used.begin(), used.end(),
                                     [](const Slot& a, const Slot& b) { return a.time < b.time; });
    if (oldest.time < time) {
      oldest = {time, value};
    }
  }
  const std::int64_t since = earliest(group.newest);
  const auto fresh = std::count_if(slots.begin(), slots.begin() + group.count,
                                   [&](const Slot& s) { return s.time >= since; });
  return static_cast<std::uint64_t>(fresh) >= least_;
}

// Of each input the newest time.
bool Correlator::Watch::see(Group& group, std::uint64_t inputs, std::int64_t time) {
  const std::span<Slot> slots = groups_.slots(group);
  for (std::uint64_t left = inputs; left != 0; left &= left - 1) {
    Slot& slot = slots[lowest(left)];
    slot.time = std::max(slot.time, time);
  }
  const std::int64_t since = earliest(group.newest);
  const auto seen =
      std::count_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.time >= since; });
  return static_cast<std::uint64_t>(seen) >= least_;
}

// Sequences. Every remembered event knows the latest time at which a chain of all steps up to it
// can have begun; a later beginning is never worse.
//
// One event is one step only: later inputs are entered first, so that none finds itself before it.
bool Correlator::Watch::follow(Group& group, std::uint64_t inputs, std::int64_t time) {
  while (inputs != 0) {
    const auto input = static_cast<std::size_t>(std::bit_width(inputs)) - 1;
    inputs &= ~(std::uint64_t{1} << input);
    enter(group, input, time);
  }
  const std::span<Slot> last = groups_.slots(group).last(kEventsPerStep);
  return std::any_of(last.begin(), last.end(), [&](const Slot& event) {
    return event.time != kNever && static_cast<std::int64_t>(event.value) != kNever &&
           !quiet(group, event.time);
  });
}

// When the latest chain begins that ends with the step before `input`, before `time` (or at it:
// what came earlier with the same time stamp is earlier), and that fits into the timespan; or
// kNever.
std::int64_t Correlator::Watch::start_of_chain(Group& group, std::size_t input, std::int64_t time,
                                               bool also_now) {
  if (input == 0) {
    return time;
  }
  std::int64_t latest = kNever;
  for (const Slot& event :
       groups_.slots(group).subspan((input - 1) * kEventsPerStep, kEventsPerStep)) {
    const auto start = static_cast<std::int64_t>(event.value);
    if (event.time != kNever && start >= earliest(time) &&
        (event.time < time || (also_now && event.time == time))) {
      latest = std::max(latest, start);
    }
  }
  return latest;
}

void Correlator::Watch::enter(Group& group, std::size_t input, std::int64_t time) {
  const std::span<Slot> slots = groups_.slots(group);
  const std::span<Slot> events = slots.subspan(input * kEventsPerStep, kEventsPerStep);
  if (time < events.front().time) {
    return;  // later than all that could still wait for it
  }
  std::size_t place = 0;  // oldest first; the oldest makes room
  for (; place + 1 < events.size() && events[place + 1].time <= time; ++place) {
    events[place] = events[place + 1];
  }
  events[place] = {time, static_cast<std::uint64_t>(start_of_chain(group, input, time, true))};
  // An event that came late may be what later ones were waiting for.
  for (std::size_t next = input + 1; next < inputs_; ++next) {
    for (Slot& event : slots.subspan(next * kEventsPerStep, kEventsPerStep)) {
      if (event.time != kNever && event.time > time) {
        const std::int64_t start = start_of_chain(group, next, event.time, false);
        event.value =
            static_cast<std::uint64_t>(std::max(static_cast<std::int64_t>(event.value), start));
      }
    }
  }
}

void Correlator::Watch::extend_window(Group& group, std::uint64_t inputs, std::uint64_t value,
                                      const event::Finding& finding) {
  const std::int64_t time = finding.time.ns;
  if (group.start == kNever) {
    group.start = time;
  }
  if (time >= group.newest) {
    group.newest = time;
    group.head = static_cast<std::uint32_t>(lowest(inputs));
    groups_.finding(group) = finding;
  }
  switch (kind_) {
    case Kind::event_count:
      ++group.total;
      break;
    case Kind::value_count:
      count_value(group, value, time);
      break;
    case Kind::temporal:
    case Kind::temporal_ordered:
      group.total |= inputs;
      break;
  }
}

Correlator::Watch::Window Correlator::Watch::end_window(std::int64_t now, bool all,
                                                        event::Finding& last, std::size_t& input) {
  Group* group = groups_.oldest();
  if (!windows_ || group == nullptr || (!all && group->start >= earliest(now))) {
    return Window::none;
  }
  std::uint64_t count = group->total;
  if (kind_ == Kind::value_count) {
    count = group->count;
  } else if (kind_ != Kind::event_count) {
    count = static_cast<std::uint64_t>(std::popcount(group->total));
  }
  const bool accepted = accepted_.accepts(count);
  if (accepted) {
    last = groups_.finding(*group);
    input = group->head;
    counters.completed.add();
  }
  groups_.remove(*group);
  counters.groups.set(groups_.size());
  return accepted ? Window::accepted : Window::rejected;
}

}  // namespace imds::story
