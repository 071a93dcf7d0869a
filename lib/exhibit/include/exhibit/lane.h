// The way of kept packets from one worker to the writer's thread: copies of frames in a bounded
// ring, each with the file and the number in it that were decided when it was kept.
//
// Threads: the ring as frame_ring.h says, recorder and writer being its two ends; the atomics are
// the writer's to set and the recorder's to read; counters have the recorder as their only writer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counter.h"
#include "exhibit/frame_ring.h"

namespace imds::exhibit {

// Why a packet is not in a file, or an alert names none. Names are metric labels.
enum class NotKept : std::uint8_t {
  queue_full,      // the ring to the writer
  exchange_limit,  // the exchange has as many packets or bytes as it may
  rate_limit,      // too many exchanges began within a minute
  disk,            // the file could not be written, shortly before
  not_at_hand,     // the event was completed without a packet, or by one given on in parts
  too_long,        // the frame
};
inline constexpr std::size_t kNotKeptCount = 6;
[[nodiscard]] std::string_view name(NotKept reason);

// Bits of FrameNote::flags.
enum FrameFlag : std::uint8_t {
  kMayBeginMessage = 0x01,  // the payload begins where an HTTP message may begin
  kIsClaim = 0x02,          // raised an address_claim: messages of DHCP and DNS stay as they are
};

// In front of each frame in the ring.
struct FrameNote {
  std::int64_t time_ns = 0;
  std::uint32_t original_length = 0;
  std::uint32_t file = 0;
  std::uint32_t number = 0;
  std::uint16_t link = 0;  // LINKTYPE_
  std::uint16_t port = 0;  // index of the configured port
  std::uint8_t flags = 0;
  std::array<std::uint8_t, 7> reserved{};
};
static_assert(sizeof(FrameNote) == 32);

// The longest frame that is kept, tags put back included.
inline constexpr std::size_t kLongestFrame = 65664;

struct LaneCounters {
  Counter packets;  // kept: they are in the ring or have left it
  Counter bytes;
  Counter exchanges;          // begun, of one packet (claims) or more
  Counter exchanges_evicted;  // forgotten before their flow ended, for others
  std::array<Counter, kNotKeptCount> not_kept;
};

struct alignas(kCacheLine) Lane {
  explicit Lane(std::size_t ring_bytes) : ring(ring_bytes) {}

  FrameRing ring;
  // The writer gives files up that cannot be written; nothing is kept while it waits to try again.
  std::atomic<std::uint32_t> failed_file{0};
  std::atomic<bool> blocked{false};
  LaneCounters counters;
};

}  // namespace imds::exhibit
