// What a packet carries beside its bytes, in an mbuf dynamic field: every Source sets it on each
// mbuf it hands out, in the first segment. Register once after EAL start and before the first
// Source; reading is then valid from any thread that owns the mbuf.
#pragma once

#include <cstdint>

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "base/result.h"
#include "base/time.h"

namespace imds::port {

// tcpdump LINKTYPE_ numbers: NICs deliver Ethernet, captures whatever they hold (base/link_type.h
// has those the decoder knows). All raw IP flavours arrive as kLinkRawIp.
inline constexpr std::uint16_t kLinkEthernet = 1;
inline constexpr std::uint16_t kLinkRawIp = 101;
inline constexpr std::uint16_t kLinkLinuxSll = 113;
inline constexpr std::uint16_t kLinkLinuxSll2 = 276;

enum PacketFlag : std::uint8_t {
  // The mbuf holds fewer bytes than the packet had on the wire.
  kTruncated = 0x01,
  // Made by the inspector itself to prove its alert path; alerts are marked.
  kTest = 0x02,
};

struct PacketMeta {
  std::int64_t timestamp_ns = 0;      // since the Unix epoch, UTC
  std::uint32_t original_length = 0;  // bytes on the wire; the mbuf's length if that is unknown
  std::uint16_t link_type = kLinkEthernet;
  std::uint8_t flags = 0;         // PacketFlag bits
  std::uint8_t ingress_port = 0;  // index of the configured port; set when handed to another worker
};
static_assert(sizeof(PacketMeta) == 16);

// Offset of the field in rte_mbuf; -1 until registered. Written once by register_packet_meta().
extern int packet_meta_offset;

// Idempotent. Fails (environment) when other libraries have used up the mbuf's dynamic space.
[[nodiscard]] Status register_packet_meta();

[[nodiscard]] inline PacketMeta& meta(rte_mbuf* packet) {
  return *RTE_MBUF_DYNFIELD(packet, packet_meta_offset, PacketMeta*);
}
[[nodiscard]] inline const PacketMeta& meta(const rte_mbuf* packet) {
  return *RTE_MBUF_DYNFIELD(packet, packet_meta_offset, const PacketMeta*);
}

}  // namespace imds::port
