// What the decoder makes of one packet: views into its bytes plus the fields every later pass
// needs. A PacketView owns nothing and is valid only as long as the bytes it was decoded from.
// Plain data: reused from burst to burst, never allocates.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"
#include "base/link_type.h"
#include "base/reasons.h"
#include "base/time.h"
#include "base/tunnel.h"

namespace imds::packet {

using imds::LinkType;

inline constexpr std::size_t kMaxVlanTags = 4;
inline constexpr std::uint16_t kVlanIdMask = 0x0fff;

// 802.1Q/802.1ad tags from the outermost inwards. ids are 12 bit. A priority tag (id 0) belongs to
// no VLAN (IEEE 802.1Q, 9.6) and is peeled without being listed.
struct VlanStack {
  std::array<std::uint16_t, kMaxVlanTags> ids{};
  std::uint8_t count = 0;

  friend bool operator==(const VlanStack&, const VlanStack&) = default;
};

// IANA protocol numbers the engine distinguishes.
enum class IpProtocol : std::uint8_t {
  hop_by_hop = 0,
  icmp = 1,
  ipv4 = 4,
  tcp = 6,
  udp = 17,
  ipv6 = 41,
  routing = 43,
  fragment = 44,
  gre = 47,
  authentication = 51,
  icmpv6 = 58,
  destination_options = 60,
  ether_ip = 97,
  l2tp_v3 = 115,
  mobility = 135,
  mpls = 137,
  host_identity = 139,
  shim6 = 140,
};

// EtherTypes the decoder distinguishes.
enum class EtherType : std::uint16_t {
  ipv4 = 0x0800,
  arp = 0x0806,
  erspan_iii = 0x22eb,
  transparent_ethernet = 0x6558,  // a whole Ethernet frame, in GRE and GENEVE
  vlan = 0x8100,
  ipv6 = 0x86dd,
  ppp = 0x880b,  // in GRE
  wccp = 0x883e,
  mpls = 0x8847,
  mpls_multicast = 0x8848,
  pppoe_session = 0x8864,
  service_vlan = 0x88a8,
  erspan = 0x88be,
  nsh = 0x894f,
  old_service_vlan = 0x9100,
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

// Where a fragment belongs in its datagram (RFC 791, 3.2; RFC 8200, 4.5).
struct FragmentFields {
  std::uint32_t id = 0;
  std::uint16_t offset = 0;  // bytes
  bool more = false;
  // Bytes of `network` in front of the fragment's data that belong to every fragment: the IPv4
  // header, or the IPv6 header and extension headers before the fragment header.
  std::uint16_t header_size = 0;
};

struct alignas(16) PacketView {
  // How far decoding came. With `reason` none, every field of the layers below is set; otherwise
  // the layers decoded before the stop are, and payload is empty unless it is a fragment. A header
  // that misses bytes which the capture cut away is `capture_truncated`; one that the sender cut is
  // its own reason.
  DecodeReason reason = DecodeReason::none;
  // Something wrong that did not stop the decoder, counted beside `reason`; `none` if all is well.
  DecodeReason anomaly = DecodeReason::none;
  // True when fewer bytes are here than the packet had: a capture's snap length, or a packet broker
  // that slices frames (the IP length says so). payload is what is here, payload_length what was
  // sent.
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
  bool is_fragment = false;   // offset not 0 or more to come; an IPv6 atomic fragment is whole
  // From the IP or ARP header to the end of its packet (no Ethernet padding). Empty if decoding
  // stopped before.
  ByteSpan network;

  // Encapsulations peeled on the way to the innermost packet, which all other fields describe:
  // addresses, ttl and network are of its IP header, the MACs of the innermost Ethernet frame, and
  // `vlan` lists the tags of all frames, outermost first.
  Tunnel tunnel;
  // Virtual network the innermost packet belongs to: VXLAN, GENEVE or NVGRE identifier, 0 without
  // one. Unlike tunnel ids that differ per direction it is part of a flow's name.
  std::uint32_t vni = 0;

  // With is_fragment; see also `payload`.
  FragmentFields fragment;

  // Transport layer. Ports are host order; 0 for protocols without ports. For ICMP, icmp_type and
  // icmp_code are set.
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  TcpFields tcp;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  // After the TCP or UDP header, or after type, code and checksum of ICMP; bounded by the IP and
  // UDP lengths (no Ethernet padding). Of a fragment: its part of the datagram.
  ByteSpan payload;
  // The payload's size by the headers, ≥ payload.size(); larger only where `truncated`.
  std::uint32_t payload_length = 0;

  [[nodiscard]] bool is_ip() const { return source.is_set(); }
  [[nodiscard]] bool is(IpProtocol p) const {
    return is_ip() && protocol == static_cast<std::uint8_t>(p);
  }
};

}  // namespace imds::packet
