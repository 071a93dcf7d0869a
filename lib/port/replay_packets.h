// What a replay source holds of its packets. Private to the room.
#pragma once

#include <array>

#include <rte_mbuf.h>

#include "base/cursor.h"
#include "growing_memory.h"
#include "port/packet_meta.h"
#include "port/replay.h"

namespace imds::port {

// Packets begin at multiples of this many bytes, and are prefetched this many ahead of their turn.
inline constexpr std::uint64_t kReplayAlign = 64;
inline constexpr std::size_t kReplayPrefetch = 64;

inline constexpr std::uint32_t kLongestSegment = 65535;  // bytes of one mbuf

struct ReplaySource::Packet {
  PacketMeta meta;          // of the first loop
  std::uint32_t place = 0;  // in units of kReplayAlign
  std::uint32_t length = 0;
  // Of what is rewritten (IPv4), from the packet's first byte. 0: none.
  std::array<std::uint16_t, 2> addresses_at = {};
  std::uint16_t ip_checksum_at = 0;
  std::uint16_t l4_checksum_at = 0;
};

struct ReplaySource::Packets {
  GrowingMemory bytes;
  GrowingMemory list;  // of Packet; ends with kReplayPrefetch copies of the first ones
  rte_mbuf_ext_shared_info shared = {};
};

[[nodiscard]] inline std::uint32_t host_mask(const IpPrefix& prefix) {
  return prefix.length == 0 ? UINT32_MAX : (std::uint32_t{1} << (32 - prefix.length)) - 1;
}

}  // namespace imds::port
