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
// The workers cannot be told of more.
constexpr std::size_t kHolders = AddressSet::kCapacity;

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

void add_address(SipWords& words, const IpAddress& address) {
  std::array<std::uint64_t, 2> halves;
  static_assert(sizeof halves == sizeof address.bytes);
  std::memcpy(halves.data(), address.bytes.data(), sizeof halves);
  if (address.is_set()) {
    words.add(halves[0]);
  }
  if (address.is_v6()) {
    words.add(halves[1]);
  }
}

template <std::size_t Capacity>
void add_text(SipWords& words, const FixedText<Capacity>& text) {
  static_assert(Capacity % sizeof(std::uint64_t) == 0);
  for (std::size_t at = 0; at < text.length; at += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, text.data + at, sizeof word);
    const std::size_t left = text.length - at;
    // Behind the text stands what an earlier finding left there.
    words.add(left < sizeof word ? word & ((std::uint64_t{1} << 8 * left) - 1) : word);
  }
}

}  // namespace

Stages::Stages(const Options& options)
    : capacity_(GroupTable::groups_in(options.memory_bytes, kStageCount, false)),
      window_ns_(options.window_ns),
      key_(random_key()),
      stories_(std::make_unique<GroupTable>(capacity_, kStageCount, false)),
      claims_(std::make_unique<GroupTable>(kClaims, 1, false)),
      holders_(std::make_unique<GroupTable>(kHolders, 1, true)),
      published_(options.holders) {}

Stages::~Stages() = default;

// Of the endpoint's name, else of the server's address. The first word tells what follows.
SipHash Stages::key_of(const event::Finding& finding, bool with_client) const {
  const IpAddress client = with_client ? finding.source.ip : IpAddress{};
  const IpAddress server = finding.endpoint.empty() ? finding.destination.ip : IpAddress{};
  SipWords words(key_);
  words.add(static_cast<std::uint64_t>(client.family) |
            static_cast<std::uint64_t>(server.family) << 8 |
            std::uint64_t{finding.endpoint.length} << 16);
  add_address(words, client);
  add_address(words, server);
  add_text(words, finding.endpoint);
  return words.finish();
}

bool Stages::is_over(const Group& story, std::int64_t now) const {
  return now > story.newest && distance(story.newest, now) > static_cast<std::uint64_t>(window_ns_);
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

// Whether it was not reached before.
bool Stages::reach(Group& story, Stage stage, std::int64_t now) {
  Slot& reached = stories_->slots(story)[index(stage)];
  const bool is_fresh = reached.time == kNever;
  reached.time = is_fresh ? now : std::min(reached.time, now);
  return is_fresh;
}

event::Timeline Stages::told_of(const Group& story, Stage stage, bool is_fresh) const {
  event::Timeline told = timeline_of(stories_->slots(story));
  told.fresh = static_cast<std::uint8_t>(is_fresh ? 1u << index(stage) : 0u);
  return told;
}

event::Timeline Stages::take_claim(const event::Finding& claim) {
  const SipHash key = key_of(claim, false);
  const Group* const known = claims_->find(key);
  event::Timeline only;
  only.reached = 1u << index(Stage::claimed);
  only.fresh = known == nullptr || is_over(*known, claim.time.ns) ? only.reached : 0;
  story_of(*claims_, key, claim.time.ns);
  return only;
}

// The claim that was the latest when the story came to know of it.
void Stages::add_claim(const event::Finding& finding, Group& story) {
  Slot& claimed = stories_->slots(story)[index(Stage::claimed)];
  if (claims_->size() == 0 || claimed.time != kNever || finding.endpoint.empty()) {
    return;
  }
  const Group* claim = claims_->find(key_of(finding, false));
  if (claim != nullptr && !is_over(*claim, finding.time.ns)) {
    claimed.time = claim->newest;
  }
}

// Claims and uses are rare, and of other tables.
Stages::Expected Stages::expect(const event::Finding& finding) const {
  if (!event::has_story(finding) || finding.type == event::EventType::address_claim ||
      finding.type == event::EventType::credentials_used) {
    return {};
  }
  const Expected expected{key_of(finding, true), true};
  stories_->fetch_bucket(expected.key);
  return expected;
}

void Stages::fetch(const Expected& expected) const {
  if (expected.is_set) {
    stories_->fetch_group(expected.key);
  }
}

void Stages::fetch_neighbours(const Expected& expected) const {
  if (expected.is_set) {
    stories_->fetch_neighbours(expected.key);
  }
}

event::Timeline Stages::take(const event::Finding& finding) {
  return take(finding, expect(finding));
}

event::Timeline Stages::take(const event::Finding& finding, const Expected& expected) {
  if (!event::has_story(finding)) {
    return {};
  }
  const std::int64_t now = finding.time.ns;
  const Stage stage = reached_by(finding);
  forget(now);
  if (stage == Stage::claimed) {
    return take_claim(finding);
  }
  if (stage == Stage::used) {
    return take_use(finding);
  }
  const SipHash key = expected.is_set ? expected.key : key_of(finding, true);
  Group& story = story_of(*stories_, key, now);
  const bool is_fresh = reach(story, stage, now);
  add_claim(finding, story);
  size_.set(stories_->size());
  if (stage == Stage::credentials) {
    hold(finding);
  }
  return told_of(story, stage, is_fresh);
}

// The oldest in use come first; a few at a time keep up with those that begin.
void Stages::forget(std::int64_t now) {
  for (int i = 0; i < kForgottenAtOnce; ++i) {
    Group* const oldest = stories_->oldest();
    if (oldest == nullptr || !is_over(*oldest, now)) {
      break;
    }
    stories_->remove(*oldest);
  }
  for (int i = 0; i < kForgottenAtOnce; ++i) {
    Group* const oldest = holders_->oldest();
    if (oldest == nullptr || !is_over(*oldest, now)) {
      break;
    }
    give_up(*oldest);
  }
  size_.set(stories_->size());
}

// --- Who holds delivered credentials ---

SipHash Stages::key_of(const IpAddress& client) const {
  std::array<std::uint8_t, sizeof client.bytes + 1> room;
  std::copy(client.bytes.begin(), client.bytes.end(), room.begin());
  room.back() = static_cast<std::uint8_t>(client.family);
  return siphash128(key_, room);
}

void Stages::hold(const event::Finding& delivery) {
  if (delivery.exchange.account_expected == event::AccountVerdict::yes) {
    return;
  }
  const SipHash key = key_of(delivery.source.ip);
  Group* holder = holders_->find(key);
  if (holder == nullptr) {
    if (holders_->full()) {
      holders_evicted_.add();
      give_up(*holders_->oldest());
    }
    holder = &holders_->add(key);
    if (published_ != nullptr && !published_->add(delivery.source.ip)) {
      holders_evicted_.add();
    }
  }
  holders_->touch(*holder);
  holders_->finding(*holder) = delivery;
  holder->start = delivery.time.ns;
  holder->newest = std::max(holder->newest, delivery.time.ns);
  holder_count_.set(holders_->size());
}

void Stages::give_up(Group& holder) {
  if (published_ != nullptr) {
    published_->remove(holders_->finding(holder).source.ip);
  }
  holders_->remove(holder);
  holder_count_.set(holders_->size());
}

const event::Finding* Stages::delivery_to(const IpAddress& client) const {
  const Group* const holder = holders_->find(key_of(client));
  return holder == nullptr ? nullptr : &holders_->finding(*holder);
}

// It has no endpoint of its own: its story is that of the delivery.
event::Timeline Stages::take_use(const event::Finding& use) {
  const std::int64_t now = use.time.ns;
  Group* const holder = holders_->find(key_of(use.source.ip));
  if (holder == nullptr || is_over(*holder, now) || now < holder->start) {
    return {};
  }
  Group* const story = stories_->find(key_of(holders_->finding(*holder), true));
  if (story == nullptr || is_over(*story, now)) {
    return {};
  }
  holders_->touch(*holder);
  stories_->touch(*story);
  holder->newest = std::max(holder->newest, now);
  story->newest = std::max(story->newest, now);
  return told_of(*story, Stage::used, reach(*story, Stage::used, now));
}

}  // namespace imds::story
