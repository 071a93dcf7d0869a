// The short way to decode: of an ordinary packet (Ethernet II, at most two VLAN tags, IPv4 without
// options or IPv6 without extension headers, TCP or UDP, whole, no tunnel) just what decides
// whether anybody has to look at it more closely.
//
// Threads: pure functions, any thread. Never allocates, never throws, never reads beyond `frame`.
// What it declines says nothing about the packet: decode() tells. What it accepts decode() takes
// the same way: reason and anomaly none, not truncated, no tunnel.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/cursor.h"
#include "packet/decode.h"
#include "packet/tcp_options.h"
#include "packet/view.h"

namespace imds::packet {

// Views into the frame it was read from. Without initial values: read_plain() writes what it means.
struct PlainPacket {
  const std::uint8_t* source;       // 4 or 16 bytes, as on the wire
  const std::uint8_t* destination;  // the same, right behind it
  const std::uint8_t* payload;
  std::uint32_t payload_size;
  std::uint32_t ports;           // the source's in the higher half
  std::uint32_t sequence;        // of TCP only, as all below it to tcp_flags
  std::uint32_t acknowledgment;  // meaningful with the flag
  std::uint8_t tcp_flags;
  IpProtocol protocol;  // tcp or udp
  bool is_v6;
  std::uint8_t vlan_count;
  std::array<std::uint16_t, 2> vlan_ids;  // outermost first

  [[nodiscard]] std::uint16_t source_port() const {
    return static_cast<std::uint16_t>(ports >> 16);
  }
  [[nodiscard]] std::uint16_t destination_port() const { return static_cast<std::uint16_t>(ports); }
  [[nodiscard]] ByteSpan payload_bytes() const { return {payload, payload_size}; }
  [[nodiscard]] VlanStack vlan() const {
    VlanStack stack;
    stack.count = vlan_count;
    std::copy_n(vlan_ids.begin(), vlan_count, stack.ids.begin());
    return stack;
  }
};

namespace plain {

inline constexpr std::size_t kEthernet = 14;
inline constexpr std::size_t kVlanTag = 4;
inline constexpr unsigned kMostTags = 2;
inline constexpr std::size_t kIpv4 = 20;
inline constexpr std::size_t kIpv6 = 40;
inline constexpr std::size_t kTcp = 20;
inline constexpr std::size_t kUdp = 8;

inline bool is_vlan(std::uint16_t ether_type) {
  return ether_type == static_cast<std::uint16_t>(EtherType::vlan) ||
         ether_type == static_cast<std::uint16_t>(EtherType::service_vlan) ||
         ether_type == static_cast<std::uint16_t>(EtherType::old_service_vlan);
}

// Moves `at` to the network header. False: declined.
inline bool read_tags(ByteSpan frame, std::size_t& at, std::uint16_t& ether_type,
                      PlainPacket& out) {
  for (unsigned tags = 0; is_vlan(ether_type); ++tags) {
    if (tags == kMostTags || frame.size() < at + kVlanTag + 2) {
      return false;
    }
    const std::uint16_t id = load_be16(&frame[at]) & kVlanIdMask;
    if (id != 0) {
      out.vlan_ids[out.vlan_count++] = id;
    }
    ether_type = load_be16(&frame[at + 2]);
    at += kVlanTag;
  }
  return true;
}

// Each of these is given all there is from its header on, and leaves in `rest` what follows it and
// belongs to it.
inline bool read_ipv4(ByteSpan& rest, PlainPacket& out) {
  constexpr std::uint8_t kVersionAndLength = 0x45;
  constexpr std::uint16_t kFragmentMask = 0x3fff;  // more fragments, and the offset
  if (rest.size() < kIpv4 + kUdp || rest[0] != kVersionAndLength) {
    return false;
  }
  const std::size_t total = load_be16(&rest[2]);
  if (total < kIpv4 + kUdp || total > rest.size() || (load_be16(&rest[6]) & kFragmentMask) != 0) {
    return false;
  }
  out.is_v6 = false;
  out.protocol = static_cast<IpProtocol>(rest[9]);
  out.source = &rest[12];
  out.destination = &rest[16];
  rest = rest.subspan(kIpv4, total - kIpv4);
  return true;
}

inline bool read_ipv6(ByteSpan& rest, PlainPacket& out) {
  if (rest.size() < kIpv6 + kUdp || rest[0] >> 4 != 6) {
    return false;
  }
  const std::size_t length = load_be16(&rest[4]);
  if (length < kUdp || length > rest.size() - kIpv6) {
    return false;
  }
  out.is_v6 = true;
  out.protocol = static_cast<IpProtocol>(rest[6]);
  out.source = &rest[8];
  out.destination = &rest[24];
  rest = rest.subspan(kIpv6, length);
  return true;
}

// Of a segment of `size` bytes with a header of `header`, all but the ports.
inline void take_tcp(const std::uint8_t* transport, std::size_t header, std::size_t size,
                     PlainPacket& out) {
  out.sequence = load_be32(transport + 4);
  out.acknowledgment = load_be32(transport + 8);
  out.tcp_flags = transport[13];
  out.payload = transport + header;
  out.payload_size = static_cast<std::uint32_t>(size - header);
}

inline bool read_tcp(ByteSpan rest, PlainPacket& out) {
  if (rest.size() < kTcp) {
    return false;
  }
  const std::size_t size = static_cast<std::size_t>(rest[12] >> 4) * 4;
  if (size < kTcp || size > rest.size() || !tcp_options_add_up(rest.subspan(kTcp, size - kTcp))) {
    return false;
  }
  take_tcp(rest.data(), size, rest.size(), out);
  return true;
}

inline bool read_udp(ByteSpan rest, const TunnelPortTable& tunnels, PlainPacket& out) {
  const std::size_t length = load_be16(&rest[4]);
  if (length < kUdp || length > rest.size() ||
      tunnels.names(out.source_port(), out.destination_port())) {
    return false;
  }
  out.payload = rest.data() + kUdp;
  out.payload_size = static_cast<std::uint32_t>(length - kUdp);
  return true;
}

// Of TCP in one straight line, `transport` being the bytes of its header and what follows, of which
// `size` belong to the packet and kTcp at least are there. Options other than none or the usual
// ones are declined.
[[nodiscard, gnu::always_inline]] inline bool read_ordinary_tcp(const std::uint8_t* transport,
                                                                std::size_t size,
                                                                PlainPacket& out) {
  const std::size_t header = static_cast<std::size_t>(transport[12] >> 4) * 4;
  if (header > size || (header != kTcp && !is_padded_timestamp(transport + kTcp, header - kTcp))) {
    return false;
  }
  out.ports = load_be32(transport);
  take_tcp(transport, header, size, out);
  out.protocol = IpProtocol::tcp;
  out.vlan_count = 0;
  return true;
}

}  // namespace plain

// The most ordinary of all: TCP without VLAN tags, and with nothing but a time stamp for options.
// Inlined, so that what they read stays in registers. What they decline read_plain() may yet take.
[[nodiscard, gnu::always_inline]] inline bool read_tcp_in_ipv4(ByteSpan frame, PlainPacket& out) {
  constexpr std::size_t kNetwork = plain::kEthernet;
  constexpr std::size_t kTransport = kNetwork + plain::kIpv4;
  if (frame.size() < kTransport + plain::kTcp) {
    return false;
  }
  const std::uint8_t* const bytes = frame.data();
  // EtherType, version and header length, TOS, total length, identification.
  const std::uint64_t first = load_be64(bytes + 12);
  // Flags and fragment offset, TTL, protocol.
  const std::uint32_t second = load_be32(bytes + kNetwork + 6);
  constexpr std::uint32_t kFragmentAndProtocol = 0x3fff00ff;
  constexpr std::uint32_t kWholeTcp = 6;
  const std::size_t total = (first >> 16) & 0xffff;
  if (first >> 40 != 0x080045 || (second & kFragmentAndProtocol) != kWholeTcp ||
      total < plain::kIpv4 || total > frame.size() - kNetwork) {
    return false;
  }
  out.source = bytes + kNetwork + 12;
  out.destination = bytes + kNetwork + 16;
  out.is_v6 = false;
  return plain::read_ordinary_tcp(bytes + kTransport, total - plain::kIpv4, out);
}

[[nodiscard, gnu::always_inline]] inline bool read_tcp_in_ipv6(ByteSpan frame, PlainPacket& out) {
  constexpr std::size_t kNetwork = plain::kEthernet;
  constexpr std::size_t kTransport = kNetwork + plain::kIpv6;
  if (frame.size() < kTransport + plain::kTcp) {
    return false;
  }
  const std::uint8_t* const bytes = frame.data();
  // EtherType, version; payload length, next header, hop limit.
  const std::uint32_t first = load_be32(bytes + 12);
  const std::uint32_t second = load_be32(bytes + kNetwork + 4);
  constexpr std::uint32_t kTcpNext = 6;
  const std::size_t length = second >> 16;
  if (first >> 12 != 0x86dd6 || ((second >> 8) & 0xff) != kTcpNext ||
      length > frame.size() - kTransport) {
    return false;
  }
  out.source = bytes + kNetwork + 8;
  out.destination = bytes + kNetwork + 24;
  out.is_v6 = true;
  return plain::read_ordinary_tcp(bytes + kTransport, length, out);
}

// True if `frame`, an Ethernet frame that is here as a whole, is such a packet; `out` is then set,
// and is not otherwise.
[[nodiscard]] inline bool read_plain(ByteSpan frame, const TunnelPortTable& tunnels,
                                     PlainPacket& out) {
  if (frame.size() < plain::kEthernet) {
    return false;
  }
  std::uint16_t ether_type = load_be16(&frame[12]);
  std::size_t at = plain::kEthernet;
  out.vlan_count = 0;
  if (ether_type != static_cast<std::uint16_t>(EtherType::ipv4) &&
      !plain::read_tags(frame, at, ether_type, out)) [[unlikely]] {
    return false;
  }
  ByteSpan rest = frame.subspan(at);
  if (ether_type == static_cast<std::uint16_t>(EtherType::ipv4)) {
    if (!plain::read_ipv4(rest, out)) {
      return false;
    }
  } else if (ether_type != static_cast<std::uint16_t>(EtherType::ipv6) ||
             !plain::read_ipv6(rest, out)) {
    return false;
  }
  out.ports = load_be32(rest.data());
  if (out.protocol == IpProtocol::tcp) {
    return plain::read_tcp(rest, out);
  }
  return out.protocol == IpProtocol::udp && plain::read_udp(rest, tunnels, out);
}

// All that decode() makes of it. `packet` was read from `frame`.
void widen(const PlainPacket& packet, ByteSpan frame, Timestamp time, PacketView& out);

}  // namespace imds::packet
