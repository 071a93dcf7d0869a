#include "exhibit/recorder.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "exhibit/pcapng.h"

namespace imds::exhibit {

namespace {

constexpr std::size_t kMacs = 12;
constexpr std::size_t kTag = 4;
constexpr std::uint16_t kVlan = 0x8100;
constexpr std::uint16_t kServiceVlan = 0x88a8;
constexpr std::uint16_t kEthernet = 1;
constexpr std::uint16_t kVlanIdMask = 0x0fff;

// Tags that the NIC has taken off and that find their place again.
std::size_t tags_of(const Frame& frame) {
  if (frame.link != kEthernet || frame.bytes.size() < kMacs) {
    return 0;
  }
  return std::size_t{frame.stripped_vlan >= 0 ? 1u : 0u} +
         std::size_t{frame.stripped_outer_vlan >= 0 ? 1u : 0u};
}

std::uint8_t* put_tag(std::uint8_t* out, std::uint16_t type, std::int32_t id) {
  store_be16(out, type);
  store_be16(out + 2, static_cast<std::uint16_t>(id) & kVlanIdMask);
  return out + kTag;
}

// With tags put back: `out` has room for them.
void copy_frame(const Frame& frame, std::uint8_t* out) {
  if (tags_of(frame) == 0) {
    std::copy(frame.bytes.begin(), frame.bytes.end(), out);
    return;
  }
  std::memcpy(out, frame.bytes.data(), kMacs);
  out += kMacs;
  if (frame.stripped_outer_vlan >= 0) {
    out = put_tag(out, kServiceVlan, frame.stripped_outer_vlan);
  }
  if (frame.stripped_vlan >= 0) {
    out = put_tag(out, kVlan, frame.stripped_vlan);
  }
  const ByteSpan rest = frame.bytes.subspan(kMacs);
  std::copy(rest.begin(), rest.end(), out);
}

std::size_t size_of(const Frame& frame) {
  return frame.bytes.size() + tags_of(frame) * kTag;
}

}  // namespace

std::string_view name(NotKept reason) {
  static constexpr std::array<std::string_view, kNotKeptCount> kNames = {
      "queue_full", "exchange_limit", "rate_limit", "disk", "not_at_hand", "too_long"};
  return kNames[static_cast<std::size_t>(reason)];
}

Recorder::Recorder(const Options& options, Lane& lane)
    : options_(options),
      lane_(lane),
      exchanges_(std::clamp<std::size_t>(options.exchanges, 1, Mark::kRemembered)),
      remembered_(kRememberedFrames),
      remembered_bytes_(kRememberedFrames * kLongestRemembered),
      bytes_in_file_(kFileOverhead) {}

Recorder::Exchange* Recorder::find(const Mark& mark) {
  if (mark.exchange >= exchanges_.size() || exchanges_[mark.exchange].owner != &mark) {
    return nullptr;
  }
  return &exchanges_[mark.exchange];
}

bool Recorder::is_full(const Exchange& exchange, std::size_t more) const {
  return exchange.packets >= options_.exchange_packets ||
         exchange.bytes + more > options_.exchange_bytes;
}

bool Recorder::keeps(const Mark& mark) const {
  return mark.exchange < exchanges_.size() && exchanges_[mark.exchange].owner == &mark &&
         !is_full(exchanges_[mark.exchange], 0);
}

// Whether another exchange may begin, by the time of the packets.
bool Recorder::may_begin() {
  constexpr std::int64_t kMinute = 60 * kNanosPerSecond;
  const std::int64_t passed = frame_.time.ns - minute_ns_;
  if (passed < 0 || passed >= kMinute) {
    minute_ns_ = frame_.time.ns;
    begun_ = 0;
  }
  if (begun_ >= options_.exchanges_per_minute) {
    count(NotKept::rate_limit);
    return false;
  }
  ++begun_;
  lane_.counters.exchanges.add();
  return true;
}

// The flow's exchange, or a fresh one with what was remembered of it; nullptr: too many.
Recorder::Exchange* Recorder::open(Mark& mark) {
  if (Exchange* known = find(mark)) {
    return known;
  }
  if (!may_begin()) {
    return nullptr;
  }
  const std::size_t index = next_exchange_;
  next_exchange_ = (next_exchange_ + 1) % exchanges_.size();
  Exchange& exchange = exchanges_[index];
  if (exchange.owner != nullptr) {
    lane_.counters.exchanges_evicted.add();
  }
  exchange = {};
  exchange.owner = &mark;
  if (mark.exchange == Mark::kRemembered) {
    keep_remembered(mark, exchange);
  }
  mark.exchange = static_cast<std::uint16_t>(index);
  return &exchange;
}

event::KeptPackets Recorder::tell(Mark* mark, bool is_claim) {
  if (!is_at_hand_) {
    const Exchange* known = mark != nullptr ? find(*mark) : nullptr;
    if (known == nullptr || !known->kept.is_set()) {
      count(NotKept::not_at_hand);
      return {};
    }
    event::KeptPackets kept = known->kept;
    kept.completes = false;
    return kept;
  }
  flags_ |= is_claim ? kIsClaim : 0;
  if (mark != nullptr) {
    Exchange* exchange = open(*mark);
    if (exchange == nullptr) {
      return {};
    }
    keep_at_hand(*exchange);
    if (number_ == 0) {
      return {};
    }
    event::KeptPackets kept = exchange->kept;
    kept.completes = true;
    return kept;
  }
  if (number_ == 0) {
    if (!may_begin()) {
      return {};
    }
    number_ = put(frame_, flags_);
    number_file_ = file_;
  }
  return number_ == 0 ? event::KeptPackets{}
                      : event::KeptPackets{options_.run, number_file_, number_, true, 0};
}

void Recorder::after(Mark& mark, bool may_alert) {
  if (!is_at_hand_) {
    return;
  }
  if (Exchange* exchange = find(mark)) {
    keep_at_hand(*exchange);
  } else if (may_alert && number_ == 0) {
    remember(mark);
  }
}

// Once, and the exchange knows its number: also if another event of the packet had it kept.
void Recorder::keep_at_hand(Exchange& exchange) {
  if (noted_ == &exchange) {
    return;
  }
  if (number_ == 0) {
    keep(exchange, frame_, flags_);
    number_ = exchange.kept.completes ? exchange.kept.last : 0;
    number_file_ = exchange.kept.file;
    noted_ = &exchange;
    return;
  }
  ++exchange.packets;
  exchange.kept.run = options_.run;
  exchange.kept.note(number_file_, number_);
  noted_ = &exchange;
}

// `kept.completes` says whether this frame found its place.
void Recorder::keep(Exchange& exchange, const Frame& frame, std::uint8_t flags) {
  const std::size_t size = size_of(frame);
  exchange.kept.completes = false;
  if (is_full(exchange, size)) {
    count(NotKept::exchange_limit);
    return;
  }
  const std::uint32_t number = put(frame, flags);
  if (number == 0) {
    return;
  }
  ++exchange.packets;
  exchange.bytes += static_cast<std::uint32_t>(size);
  exchange.kept.run = options_.run;
  exchange.kept.note(file_, number);
  exchange.kept.completes = true;
}

void Recorder::keep_remembered(const Mark& mark, Exchange& exchange) {
  for (std::size_t i = 0; i < remembered_.size(); ++i) {
    Remembered& one = remembered_[(next_remembered_ + i) % remembered_.size()];
    if (one.owner == &mark) {
      keep(exchange, one.frame, one.flags);
      one.owner = nullptr;
    }
  }
}

// In place of the oldest.
void Recorder::remember(Mark& mark) {
  if (frame_.bytes.size() > kLongestRemembered) {
    return;
  }
  Remembered& one = remembered_[next_remembered_];
  std::uint8_t* const bytes = &remembered_bytes_[next_remembered_ * kLongestRemembered];
  next_remembered_ = (next_remembered_ + 1) % remembered_.size();
  std::copy(frame_.bytes.begin(), frame_.bytes.end(), bytes);
  one.owner = &mark;
  one.frame = frame_;
  one.frame.bytes = {bytes, frame_.bytes.size()};
  one.flags = flags_;
  mark.exchange = Mark::kRemembered;
}

void Recorder::forget_remembered(const Mark& mark) {
  for (Remembered& one : remembered_) {
    if (one.owner == &mark) {
      one.owner = nullptr;
    }
  }
}

void Recorder::close(Mark& mark) {
  if (mark.exchange == Mark::kNone) {
    return;
  }
  if (mark.exchange == Mark::kRemembered) {
    forget_remembered(mark);
  } else if (Exchange* exchange = find(mark)) {
    exchange->owner = nullptr;
  }
  mark.exchange = Mark::kNone;
}

// Goes on to the next file where this one has no room or was given up; false: nothing can be kept
// now.
bool Recorder::turn_page(std::size_t bytes) {
  if (lane_.blocked.load(std::memory_order_acquire)) {
    count(NotKept::disk);
    return false;
  }
  const bool is_given_up = lane_.failed_file.load(std::memory_order_acquire) == file_;
  if (is_given_up || (packets_in_file_ > 0 && bytes_in_file_ + bytes > options_.file_bytes)) {
    ++file_;
    packets_in_file_ = 0;
    bytes_in_file_ = kFileOverhead;
  }
  return true;
}

// Copies it into the lane. Its number in file_; 0: it is not kept, and counted.
std::uint32_t Recorder::put(const Frame& frame, std::uint8_t flags) {
  const std::size_t size = size_of(frame);
  if (size > kLongestFrame || sizeof(FrameNote) + size > lane_.ring.longest()) {
    count(NotKept::too_long);
    return 0;
  }
  const std::size_t bytes = longest_packet_block(size);
  if (!turn_page(bytes)) {
    return 0;
  }
  std::uint8_t* room = lane_.ring.reserve(sizeof(FrameNote) + size);
  while (room == nullptr && options_.wait) {
    std::this_thread::yield();
    room = lane_.ring.reserve(sizeof(FrameNote) + size);
  }
  if (room == nullptr) {
    count(NotKept::queue_full);
    return 0;
  }
  FrameNote note;
  note.time_ns = frame.time.ns;
  note.original_length = static_cast<std::uint32_t>(
      std::max<std::size_t>(frame.original_length, frame.bytes.size()) + tags_of(frame) * kTag);
  note.file = file_;
  note.number = ++packets_in_file_;
  note.link = frame.link;
  note.port = frame.port;
  note.flags = flags;
  std::memcpy(room, &note, sizeof note);
  copy_frame(frame, room + sizeof note);
  lane_.ring.commit();
  bytes_in_file_ += bytes;
  lane_.counters.packets.add();
  lane_.counters.bytes.add(size);
  return note.number;
}

}  // namespace imds::exhibit
