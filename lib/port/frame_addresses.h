// Where a frame has its addresses and the checksums that cover them: just enough to keep both
// directions of a flow together and to change an address. Private to the room.
//
// Peels VLAN tags and VXLAN (whose outer UDP checksum is absent). Fragments count as what they are
// fragments of, without ports.
#pragma once

#include <cstdint>
#include <optional>

#include "base/cursor.h"
#include "port/steering.h"

namespace imds::port {

// Offsets are from the frame's first byte.
struct FrameAddresses {
  FlowTuple tuple;  // addresses and protocol; ports stay 0
  std::uint16_t source_at = 0;
  std::uint16_t destination_at = 0;
  std::uint16_t ip_checksum_at = 0;  // 0: none (IPv6)
  std::uint16_t l4_checksum_at = 0;  // 0: none, or one that does not cover addresses
};

// nullopt: not IP, or cut short. `link_type` as in PacketMeta.
[[nodiscard]] std::optional<FrameAddresses> find_addresses(ByteSpan frame, std::uint16_t link_type);

// Of an Ethernet frame, what a NIC would choose its queue by: the outermost addresses, and with
// them protocol and ports, unless it is a fragment, whose other fragments have no ports. IPv6
// extension headers are passed over. nullopt: not IP, or cut short.
[[nodiscard]] std::optional<FlowTuple> find_outer_flow(ByteSpan frame);

}  // namespace imds::port
