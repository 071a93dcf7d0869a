#include "story/stages.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <span>

#include "group_table.h"

namespace imds::story {
namespace {

using event::kStageCount;
using event::Stage;

// Endpoints are configured, and few.
constexpr std::size_t kClaims = 1024;
// Stories looked at for being over, with each event: more than one event can begin.
constexpr int kForgottenAtOnce = 4;

constexpr std::size_t index(Stage stage) {
  return static_cast<std::size_t>(stage);
}

Stage reached_by(const event::Finding& finding) {
  return event::reached_by(
      finding.type,
      finding.has(event::Part::evidence) ? finding.evidence.answer : event::Answer::none,
      finding.has_exchange ? finding.exchange.delivered : event::Delivered::nothing);
}

// `later` minus `earlier`, of any two points in time.
std::uint64_t distance(std::int64_t earlier, std::int64_t later) {
  return static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
}

// `times`: of each stage, or kNever.
event::Timeline timeline_of(std::span<const Slot> times) {
  constexpr std::uint64_t kMilli = 1'000'000;
  constexpr std::uint64_t kLongest = std::numeric_limits<std::uint32_t>::max();
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const Slot& stage : times) {
    first = stage.time != kNever ? std::min(first, stage.time) : first;
  }
  event::Timeline out;
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (times[i].time != kNever) {
      const std::uint64_t after = distance(first, times[i].time) / kMilli;
      out.reached = static_cast<std::uint8_t>(out.reached | 1u << i);
      out.after_ms[i] = static_cast<std::uint32_t>(std::min(after, kLongest));
    }
  }
  return out;
}

}  // namespace

Stages::Stages(const Options& options)
    : capacity_(GroupTable::groups_in(options.memory_bytes, kStageCount, false)),
      window_ns_(options.window_ns),
      key_(random_key()),
      stories_(std::make_unique<GroupTable>(capacity_, kStageCount, false)),
      claims_(std::make_unique<GroupTable>(kClaims, 1, false)) {}

Stages::~Stages() = default;

// The endpoint's name, else the server's address, which no name is as long as.
SipHash Stages::key_of(const event::Finding& finding, bool with_client) const {
  std::array<std::uint8_t, 2 * (1 + sizeof(IpAddress::bytes)) + sizeof(finding.endpoint.data)>
      room{};
  std::size_t size = 0;
  const auto add = [&](const void* bytes, std::size_t count) {
    std::memcpy(&room[size], bytes, count);
    size += count;
  };
  const auto add_address = [&](const IpAddress& address) {
    add(&address.family, sizeof address.family);
    add(address.bytes.data(), address.bytes.size());
  };
  add_address(with_client ? finding.source.ip : IpAddress{});
  if (finding.endpoint.empty()) {
    add_address(finding.destination.ip);
  } else {
    add_address({});
    add(finding.endpoint.data, finding.endpoint.length);
  }
  return siphash128(key_, std::span(room).first(size));
}

bool Stages::is_over(const Group& story, std::int64_t now) const {
  return now > story.newest && distance(story.newest, now) > static_cast<std::uint64_t>(window_ns_);
}

// The oldest in use come first; a few at a time keep up with those that begin.
void Stages::forget_old(std::int64_t now) {
  for (int i = 0; i < kForgottenAtOnce; ++i) {
    Group* oldest = stories_->oldest();
    if (oldest == nullptr || !is_over(*oldest, now)) {
      return;
    }
    stories_->remove(*oldest);
  }
}

// The story of that key, made the last to be given up; a new one where there is none, or where it
// is over.
Group& Stages::story_of(GroupTable& table, const SipHash& key, std::int64_t now) {
  Group* known = table.find(key);
  if (known != nullptr && is_over(*known, now)) {
    table.remove(*known);
    known = nullptr;
  }
  if (known == nullptr) {
    if (table.full()) {
      evicted_.add(is_over(*table.oldest(), now) ? 0 : 1);
      table.remove(*table.oldest());
    }
    known = &table.add(key);
    for (Slot& stage : table.slots(*known)) {
      stage = {kNever, 0};
    }
  }
  table.touch(*known);
  known->newest = std::max(known->newest, now);
  return *known;
}

// The claim that was the latest when the story came to know of it.
void Stages::add_claim(const event::Finding& finding, Group& story) {
  Slot& claimed = stories_->slots(story)[index(Stage::claimed)];
  if (claimed.time != kNever || finding.endpoint.empty()) {
    return;
  }
  const Group* claim = claims_->find(key_of(finding, false));
  if (claim != nullptr && !is_over(*claim, finding.time.ns)) {
    claimed.time = claim->newest;
  }
}

event::Timeline Stages::take(const event::Finding& finding) {
  if (!event::has_story(finding)) {
    return {};
  }
  const std::int64_t now = finding.time.ns;
  const Stage stage = reached_by(finding);
  if (stage == Stage::claimed) {
    story_of(*claims_, key_of(finding, false), now);
    event::Timeline only;
    only.reached = 1u << index(Stage::claimed);
    return only;
  }
  forget_old(now);
  Group& story = story_of(*stories_, key_of(finding, true), now);
  Slot& reached = stories_->slots(story)[index(stage)];
  reached.time = reached.time == kNever ? now : std::min(reached.time, now);
  add_claim(finding, story);
  size_.set(stories_->size());
  return timeline_of(stories_->slots(story));
}

}  // namespace imds::story
