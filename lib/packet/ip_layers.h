// IPv4, IPv6 and what stands between an IP header and its transport. Private to the room.
#pragma once

#include "walk.h"

namespace imds::packet {

inline constexpr std::size_t kIpv4Size = 20;
inline constexpr std::size_t kIpv6Size = 40;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4OffsetMask = 0x1fff;  // in units of 8 bytes
inline constexpr std::uint16_t kIpv4FragmentMask = kIpv4MoreFragments | kIpv4OffsetMask;
inline constexpr std::uint16_t kIpv6MoreFragments = 0x0001;
inline constexpr std::uint16_t kIpv6OffsetMask = 0xfff8;
inline constexpr std::uint16_t kIpv6FragmentMask = kIpv6MoreFragments | kIpv6OffsetMask;

// Bare IP: the version field tells; anything but 6 is left for decode_ipv4 to refuse.
inline Layer decode_raw_ip(Walk& w) {
  const bool is_v6 = w.has(1) && w.at()[0] >> 4 == 6;
  w.view.ether_type = static_cast<std::uint16_t>(is_v6 ? EtherType::ipv6 : EtherType::ipv4);
  return is_v6 ? Layer::ipv6 : Layer::ipv4;
}

// Headers that stand in front of the transport and name the next: AH in both families, the
// extension headers of RFC 8200, 6275, 7401 and 5533 in IPv6.
inline bool is_extension(std::uint8_t protocol, bool is_v6) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::authentication:
      return true;
    case IpProtocol::hop_by_hop:
    case IpProtocol::routing:
    case IpProtocol::fragment:
    case IpProtocol::destination_options:
    case IpProtocol::mobility:
    case IpProtocol::host_identity:
    case IpProtocol::shim6:
      return is_v6;
    default:
      return false;
  }
}

// Its size in bytes; AH counts words of 4 beyond the first two (RFC 4302), the rest units of 8
// beyond the first, the fragment header has no length.
inline std::size_t extension_size(std::uint8_t protocol, const std::uint8_t* header) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::authentication:
      return (std::size_t{header[1]} + 2) * 4;
    case IpProtocol::fragment:
      return 8;
    default:
      return (std::size_t{header[1]} + 1) * 8;
  }
}

inline Layer stop_in_extension(Walk& w, std::size_t needed) {
  return w.stop_short(needed, w.trailer ? DecodeReason::ipv6_payload_length
                                        : DecodeReason::ipv6_extension_truncated);
}

// The rest of a fragment is its share of the datagram, whatever it holds.
inline Layer stop_at_fragment(Walk& w, std::size_t header_size) {
  w.view.fragment.header_size = static_cast<std::uint16_t>(header_size);
  w.view.is_fragment = true;
  w.view.payload = w.rest;
  w.view.payload_length = static_cast<std::uint32_t>(w.sent());
  return w.stop(DecodeReason::ip_fragment);
}

inline Layer decode_extensions(Walk& w) {
  constexpr std::size_t kLeastSize = 8;
  for (unsigned count = 0; is_extension(w.view.protocol, w.view.source.is_v6()); ++count) {
    if (count == kMaxIpv6Extensions) {
      return w.stop(DecodeReason::ipv6_extension_too_deep);
    }
    if (!w.has(kLeastSize)) {
      return stop_in_extension(w, kLeastSize);
    }
    const std::size_t size = extension_size(w.view.protocol, w.at());
    if (!w.has(size)) {
      return stop_in_extension(w, size);
    }
    const bool is_fragment_header =
        w.view.protocol == static_cast<std::uint8_t>(IpProtocol::fragment);
    w.view.protocol = w.at()[0];
    // An atomic fragment (RFC 6946) is a whole packet.
    const std::uint16_t position = is_fragment_header ? load_be16(w.at() + 2) : 0;
    if ((position & kIpv6FragmentMask) != 0) {
      const auto header_size = static_cast<std::size_t>(w.at() - w.view.network.data());
      w.view.fragment.id = load_be32(w.at() + 4);
      w.view.fragment.offset = position & kIpv6OffsetMask;
      w.view.fragment.more = (position & kIpv6MoreFragments) != 0;
      w.consume(size);
      return stop_at_fragment(w, header_size);
    }
    w.consume(size);
  }
  return Layer::transport;
}

// Fills a zeroed address in place: a whole IpAddress built beside it would be stored in parts and
// loaded as one, which stalls the CPU.
inline void set_address(IpAddress& to, AddressFamily family, const std::uint8_t* wire) {
  to.family = family;
  std::memcpy(to.bytes.data(), wire, family == AddressFamily::ipv4 ? 4 : 16);
}

inline Layer decode_ipv4(Walk& w) {
  if (!w.has(kIpv4Size)) [[unlikely]] {
    return w.stop_short(kIpv4Size, DecodeReason::ipv4_truncated);
  }
  const std::uint8_t* header = w.at();
  if (header[0] >> 4 != 4) [[unlikely]] {
    return w.stop(DecodeReason::ipv4_version);
  }
  const std::size_t header_size = std::size_t{header[0] & 0x0fu} * 4;
  if (header_size < kIpv4Size) [[unlikely]] {
    return w.stop(DecodeReason::ipv4_header_length);
  }
  const std::size_t total = load_be16(header + 2);
  if (total != 0) [[likely]] {  // 0: left to the NIC by segmentation offload
    if (total < header_size) [[unlikely]] {
      return w.stop(DecodeReason::ipv4_total_length);
    }
    w.bound_ip(total, DecodeReason::ipv4_beyond_frame);
  }
  if (!w.has(header_size)) [[unlikely]] {
    return w.stop_short(header_size, DecodeReason::ipv4_header_length);
  }
  PacketView& view = w.view;
  view.network = w.rest;
  view.ttl = header[8];
  view.protocol = header[9];
  set_address(view.source, AddressFamily::ipv4, header + 12);
  set_address(view.destination, AddressFamily::ipv4, header + 16);
  const std::uint16_t position = load_be16(header + 6);
  w.consume(header_size);
  if ((position & kIpv4FragmentMask) != 0) [[unlikely]] {
    view.fragment.id = load_be16(header + 4);
    view.fragment.offset = static_cast<std::uint16_t>((position & kIpv4OffsetMask) * 8);
    view.fragment.more = (position & kIpv4MoreFragments) != 0;
    return stop_at_fragment(w, header_size);
  }
  return is_extension(view.protocol, false) ? decode_extensions(w) : Layer::transport;
}

inline Layer decode_ipv6(Walk& w) {
  if (!w.has(kIpv6Size)) [[unlikely]] {
    return w.stop_short(kIpv6Size, DecodeReason::ipv6_truncated);
  }
  const std::uint8_t* header = w.at();
  if (header[0] >> 4 != 6) [[unlikely]] {
    return w.stop(DecodeReason::ipv6_version);
  }
  const std::size_t payload = load_be16(header + 4);
  if (payload != 0) [[likely]] {  // 0: a jumbogram (RFC 2675) or segmentation offload
    w.bound_ip(kIpv6Size + payload, DecodeReason::ipv6_beyond_frame);
  }
  PacketView& view = w.view;
  view.network = w.rest;
  view.protocol = header[6];
  view.ttl = header[7];
  set_address(view.source, AddressFamily::ipv6, header + 8);
  set_address(view.destination, AddressFamily::ipv6, header + 24);
  w.consume(kIpv6Size);
  return is_extension(view.protocol, true) ? decode_extensions(w) : Layer::transport;
}

}  // namespace imds::packet
