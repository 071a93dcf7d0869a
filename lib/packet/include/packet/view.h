// What the decoder makes of one packet: views into its bytes plus the fields every later pass
// needs. A PacketView owns nothing and is valid only as long as the bytes it was decoded from.
// Plain data: reused from burst to burst, never allocates.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"
#include "base/reasons.h"
#include "base/time.h"

namespace imds::packet {

// Link layers the decoder knows, by tcpdump's LINKTYPE_ numbers.
enum class LinkType : std::uint16_t {
  ethernet = 1,
  raw_ip = 101,
  linux_sll = 113,
  linux_sll2 = 276,
};

inline constexpr std::size_t kMaxVlanTags = 4;
inline constexpr std::uint16_t kVlanIdMask = 0x0fff;

// 802.1Q/802.1ad tags from the outermost inwards. ids are 12 bit.
struct VlanStack {
  std::array<std::uint16_t, kMaxVlanTags> ids{};
  std::uint8_t count = 0;

  friend bool operator==(const VlanStack&, const VlanStack&) = default;
};

// IANA protocol numbers the engine distinguishes.
enum class IpProtocol : std::uint8_t {
  hop_by_hop = 0,
  icmp = 1,
  tcp = 6,
  udp = 17,
  icmpv6 = 58,
};

// TCP flag bits as on the wire (RFC 9293).
enum TcpFlag : std::uint8_t {
  kTcpFin = 0x01,
  kTcpSyn = 0x02,
  kTcpRst = 0x04,
  kTcpPsh = 0x08,
  kTcpAck = 0x10,
  kTcpUrg = 0x20,
};

struct TcpFields {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;

  [[nodiscard]] bool has(std::uint8_t mask) const { return (flags & mask) == mask; }
};

struct PacketView {
  // How far decoding came. With `reason` none, every field of the layers below is set; otherwise
  // the layers decoded before the stop are, and payload is empty.
  DecodeReason reason = DecodeReason::none;
  // True when the capture held fewer bytes than the packet had: payload is what was there.
  bool truncated = false;

  Timestamp time;
  MacAddress source_mac;  // zero where the link type has none
  MacAddress destination_mac;
  VlanStack vlan;
  std::uint16_t ether_type = 0;  // after VLAN tags; 0 on raw IP before the version is read

  // Network layer (innermost once tunnels are decoded). family none: not IP.
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;  // after IPv6 extension headers
  std::uint8_t ttl = 0;       // or hop limit
  bool is_fragment = false;

  // Tunnels: VXLAN/GENEVE network identifier, 0 without one; layers peeled.
  std::uint32_t vni = 0;
  std::uint8_t tunnel_depth = 0;

  // Transport layer. Ports are host order; 0 for protocols without ports. For ICMP, icmp_type and
  // icmp_code are set.
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  TcpFields tcp;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  ByteSpan payload;  // after TCP/UDP/ICMP header, bounded by the IP length (no Ethernet padding)

  [[nodiscard]] bool is_ip() const { return source.is_set(); }
  [[nodiscard]] bool is(IpProtocol p) const {
    return is_ip() && protocol == static_cast<std::uint8_t>(p);
  }
};

}  // namespace imds::packet
