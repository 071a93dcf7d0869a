// Encapsulations in UDP. The port is only a hint: every one of these functions first convinces
// itself, and leaves the datagram alone (nullopt) where it is not.
#include "l2tp_v3.h"
#include "plausible.h"
#include "tunnels.h"

namespace imds::packet {

namespace {

using Peeled = std::optional<Layer>;

// The header of `needed` bytes is not all here. Where a capture cut it nobody can tell any more;
// where its sender left it short it is none.
Peeled short_header(Walk& w, const Ahead& header, std::size_t needed) {
  return needed <= header.sent ? Peeled(w.stop(DecodeReason::capture_truncated)) : std::nullopt;
}

// What should convince is not there. Where a capture cut it away, nobody can tell any more.
Peeled unconvinced(Walk& w, const Ahead& inner, std::size_t needed) {
  return w.missing != 0 && !inner.has(needed) ? Peeled(w.stop(DecodeReason::capture_truncated))
                                              : std::nullopt;
}

bool carried_plausible(std::uint16_t carried, const Ahead& inner) {
  switch (static_cast<EtherType>(carried)) {
    case EtherType::transparent_ethernet:
      return ethernet_plausible(inner);
    case EtherType::ipv4:
    case EtherType::ipv6:
      return ip_plausible(inner);
    default:
      return false;
  }
}

constexpr std::size_t kVxlanSize = 8;
constexpr std::uint8_t kVxlanHasVni = 0x08;

// RFC 7348, and the group policy option: flags, policy bits, group policy id, VNI, reserved.
Peeled peel_vxlan(Walk& w) {
  constexpr std::uint8_t kGroupPolicy = 0x80;
  constexpr std::uint8_t kPolicyBits = 0x48;
  const Ahead header = ahead(w, kUdpSize);
  if (!header.has(kVxlanSize)) {
    return short_header(w, header, kVxlanSize);
  }
  const std::uint8_t flags = header[0];
  if ((flags & kVxlanHasVni) == 0) {
    return std::nullopt;
  }
  const bool has_policy = (flags & kGroupPolicy) != 0;
  const bool is_clean =
      (flags & ~(kVxlanHasVni | kGroupPolicy)) == 0 && header[7] == 0 &&
      (has_policy ? (header[1] & ~kPolicyBits) == 0 : header[1] == 0 && header.be16(2) == 0);
  // Receivers are to ignore reserved bits.
  const Ahead inner = header.from(kVxlanSize);
  if (!is_clean && !ethernet_plausible(inner)) {
    return unconvinced(w, inner, kEthernetSize);
  }
  return enter_network(w, TunnelKind::vxlan, kUdpSize + kVxlanSize,
                       static_cast<std::uint16_t>(EtherType::transparent_ethernet),
                       header.be32(4) >> 8);
}

// Flags with a version and a bit that says whether the next protocol is given, VNI, reserved.
Peeled peel_vxlan_gpe(Walk& w) {
  constexpr std::uint8_t kVersionMask = 0x30;
  constexpr std::uint8_t kHasNextProtocol = 0x04;
  const Ahead header = ahead(w, kUdpSize);
  if (!header.has(kVxlanSize)) {
    return short_header(w, header, kVxlanSize);
  }
  const std::uint8_t flags = header[0];
  const bool names_next = (flags & kHasNextProtocol) != 0;
  const bool has_vni = (flags & kVxlanHasVni) != 0;
  const std::uint16_t carried = names_next
                                    ? ether_type_of_next_protocol(header[3])
                                    : static_cast<std::uint16_t>(EtherType::transparent_ethernet);
  if ((flags & kVersionMask) != 0 || (!names_next && !has_vni) || carried == 0) {
    return std::nullopt;
  }
  const bool is_clean =
      has_vni && (flags & 0xc0) == 0 && header[1] == 0 && header[2] == 0 && header[7] == 0;
  const Ahead inner = header.from(kVxlanSize);
  if (!is_clean && !carried_plausible(carried, inner)) {
    return unconvinced(w, inner, kEthernetSize);
  }
  constexpr std::size_t kSize = kUdpSize + kVxlanSize;
  return has_vni ? enter_network(w, TunnelKind::vxlan_gpe, kSize, carried, header.be32(4) >> 8)
                 : enter_tunnel(w, TunnelKind::vxlan_gpe, kSize, carried);
}

// RFC 8926: version (2 bits), length of options in words (6), O, C, reserved; protocol; VNI;
// reserved; options.
Peeled peel_geneve(Walk& w) {
  constexpr std::size_t kFixedSize = 8;
  const Ahead header = ahead(w, kUdpSize);
  if (!header.has(kFixedSize)) {
    return short_header(w, header, kFixedSize);
  }
  const unsigned version = header[0] >> 6;
  const std::size_t size = kFixedSize + std::size_t{header[0] & 0x3fu} * 4;
  const std::uint16_t carried = header.be16(2);
  if (version != 0 || size > header.sent) {
    return std::nullopt;
  }
  if (!header.has(size)) {
    return short_header(w, header, size);
  }
  const bool is_clean = (header[1] & 0x3f) == 0 && header[7] == 0;
  switch (static_cast<EtherType>(carried)) {
    case EtherType::transparent_ethernet:
    case EtherType::ipv4:
    case EtherType::ipv6:
      if (!is_clean && !carried_plausible(carried, header.from(size))) {
        return unconvinced(w, header.from(size), kEthernetSize);
      }
      break;
    case EtherType::arp:
    case EtherType::mpls:
    case EtherType::mpls_multicast:
    case EtherType::nsh:
      if (!is_clean) {
        return std::nullopt;
      }
      break;
    default:
      return std::nullopt;
  }
  return enter_network(w, TunnelKind::geneve, kUdpSize + size, carried, header.be32(4) >> 8);
}

// RFC 4380, 5.1.1: an authentication and an origin indication may precede the IPv6 packet.
Peeled peel_teredo(Walk& w) {
  constexpr std::uint16_t kAuthentication = 1;
  constexpr std::size_t kAuthenticationFixedSize = 13;  // with nonce and confirmation
  constexpr std::uint16_t kOrigin = 0;
  constexpr std::size_t kOriginSize = 8;
  const Ahead header = ahead(w, kUdpSize);
  constexpr std::size_t kLengthsSize = 4;
  if (!header.has(kLengthsSize)) {
    return short_header(w, header, kLengthsSize);
  }
  std::size_t size = 0;
  if (header.be16(0) == kAuthentication) {
    size = kAuthenticationFixedSize + header[2] + header[3];
  }
  if (!header.has(size + 2)) {
    return short_header(w, header, size + 2);
  }
  if (header.be16(size) == kOrigin) {
    size += kOriginSize;
  }
  if (!header.has(size + 1)) {
    return short_header(w, header, size + 1);
  }
  const Ahead inner = header.from(size);
  if (inner[0] >> 4 != 6 || !ip_plausible(inner)) {
    return std::nullopt;
  }
  return enter_tunnel(w, TunnelKind::teredo, kUdpSize + size, EtherType::ipv6);
}

constexpr std::size_t kGtpFixedSize = 8;
constexpr std::uint8_t kGtpExtension = 0x04;
constexpr std::uint8_t kGtpAnyOption = 0x07;  // extension, sequence number, N-PDU number

// Size of a GTP-U header with its extensions (3GPP TS 29.281, 5.1 and 5.2), each of which begins
// with its length in words and ends with the type of the next. May reach beyond what is here; 0 if
// an extension cannot be.
std::size_t gtp_header_size(const Ahead& header) {
  constexpr std::size_t kOptionsSize = 4;
  constexpr unsigned kMostExtensions = 16;
  if ((header[0] & kGtpAnyOption) == 0) {
    return kGtpFixedSize;
  }
  std::size_t size = kGtpFixedSize + kOptionsSize;
  if ((header[0] & kGtpExtension) == 0) {
    return size;
  }
  for (unsigned count = 0; header.has(size) && header[size - 1] != 0; ++count) {
    if (!header.has(size + 1)) {
      return size + 1;
    }
    if (header[size] == 0 || count == kMostExtensions) {
      return 0;
    }
    size += std::size_t{header[size]} * 4;
  }
  return size;
}

Peeled peel_gtp_u(Walk& w) {
  constexpr std::uint8_t kVersionAndType = 0x30;  // version 1, GTP rather than GTP'
  constexpr std::uint8_t kUserData = 255;
  const Ahead header = ahead(w, kUdpSize);
  if (!header.has(kGtpFixedSize)) {
    return short_header(w, header, kGtpFixedSize);
  }
  if ((header[0] & 0xf0) != kVersionAndType || header[1] != kUserData) {
    return std::nullopt;
  }
  const std::size_t size = gtp_header_size(header);
  if (size == 0) {
    return std::nullopt;
  }
  if (!header.has(size)) {
    return short_header(w, header, size);
  }
  // Receivers go by the UDP length; a wrong one here does not hide an IP packet.
  const std::size_t length = kGtpFixedSize + header.be16(2);
  const Ahead inner = header.from(size);
  const bool is_ip = ip_plausible(inner);
  if (!is_ip && (length > header.sent || length < size)) {
    return std::nullopt;
  }
  const std::uint32_t teid = header.be32(4);
  if (is_ip || (inner.has(1) && (inner[0] >> 4 == 4 || inner[0] >> 4 == 6))) {
    return enter_tunnel(w, TunnelKind::gtp_u, kUdpSize + size, EtherType::ipv4, teid);
  }
  if (ethernet_plausible(inner)) {
    return enter_tunnel(w, TunnelKind::gtp_u, kUdpSize + size, EtherType::transparent_ethernet,
                        teid);
  }
  if (w.missing != 0 && !inner.has(kEthernetSize)) {
    return w.stop(DecodeReason::capture_truncated);
  }
  return w.stop(DecodeReason::tunnel_protocol_not_inspected);
}

// RFC 2661, 3.1: flags, then length, tunnel, session, Ns and Nr, offset, as the flags say; then
// PPP.
Peeled peel_l2tp_v2(Walk& w, const Ahead& header, std::uint16_t flags) {
  constexpr std::uint16_t kHasLength = 0x4000;
  constexpr std::uint16_t kHasSequence = 0x0800;
  constexpr std::uint16_t kHasOffset = 0x0200;
  constexpr std::uint16_t kReserved = 0x34f0;
  constexpr std::uint16_t kPppAddressAndControl = 0xff03;
  const std::size_t ids_at = (flags & kHasLength) != 0 ? 4 : 2;
  std::size_t size = ids_at + 4 + ((flags & kHasSequence) != 0 ? 4 : 0);
  const std::size_t offset_at = size;
  size += (flags & kHasOffset) != 0 ? 2 : 0;
  if (!header.has(size)) {
    return short_header(w, header, size);
  }
  size += (flags & kHasOffset) != 0 ? header.be16(offset_at) : 0;
  if (!header.has(size + 2)) {
    return short_header(w, header, size + 2);
  }
  if ((flags & kReserved) != 0) {
    return std::nullopt;
  }
  const Ahead frame = header.from(size);
  if (frame.be16(0) != kPppAddressAndControl && serial_header_size(frame) == 0) {
    return unconvinced(w, frame, kLeastSerialFrame);
  }
  return enter_ppp(w, TunnelKind::l2tp_v2, kUdpSize + size, header.be16(ids_at + 2));
}

// RFC 3931, 4.1.2: flags, reserved, session.
Peeled peel_l2tp_v3(Walk& w, const Ahead& header, std::uint16_t flags) {
  constexpr std::size_t kFixedSize = 8;
  constexpr std::uint16_t kVersionOnly = 0x0003;
  if (!header.has(kFixedSize)) {
    return short_header(w, header, kFixedSize);
  }
  const std::uint32_t session = header.be32(4);
  if (flags != kVersionOnly || header.be16(2) != 0 || session == 0) {
    return std::nullopt;
  }
  const Ahead data = header.from(kFixedSize);
  const auto payload = find_session_payload(data);
  if (!payload) {
    return unconvinced(w, data, kLeastSessionPayload);
  }
  return enter_tunnel(w, TunnelKind::l2tp_v3, kUdpSize + kFixedSize + payload->offset,
                      payload->carried, session);
}

Peeled peel_l2tp(Walk& w) {
  constexpr std::uint16_t kControlMessage = 0x8000;
  const Ahead header = ahead(w, kUdpSize);
  if (!header.has(2)) {
    return short_header(w, header, 2);
  }
  const std::uint16_t flags = header.be16(0);
  if ((flags & kControlMessage) != 0) {
    return std::nullopt;
  }
  switch (flags & 0x000f) {
    case 2:
      return peel_l2tp_v2(w, header, flags);
    case 3:
      return peel_l2tp_v3(w, header, flags);
    default:
      return std::nullopt;
  }
}

// RFC 7510. A label stack has no mark of its own: it must end soon and in front of an IP packet or
// an Ethernet frame.
Peeled peel_mpls(Walk& w) {
  constexpr std::size_t kLabelSize = 4;
  constexpr std::uint8_t kBottomOfStack = 0x01;
  const Ahead header = ahead(w, kUdpSize);
  std::size_t size = 0;
  do {
    size += kLabelSize;
    if (!header.has(size)) {
      return short_header(w, header, size);
    }
  } while ((header[size - 2] & kBottomOfStack) == 0 && size < kMaxMplsLabels * kLabelSize);
  const Ahead inner = header.from(size);
  if (!ip_plausible(inner) && !ethernet_plausible(inner) && !ethernet_plausible(inner.from(4))) {
    return unconvinced(w, inner, kEthernetSize + kLabelSize);
  }
  return enter_mpls(w, kUdpSize);
}

Peeled peel(Walk& w, TunnelKind kind) {
  switch (kind) {
    case TunnelKind::vxlan: {
      const Peeled inner = peel_vxlan(w);
      return inner ? inner : peel_vxlan_gpe(w);  // some run both on one port
    }
    case TunnelKind::vxlan_gpe:
      return peel_vxlan_gpe(w);
    case TunnelKind::geneve:
      return peel_geneve(w);
    case TunnelKind::teredo:
      return peel_teredo(w);
    case TunnelKind::gtp_u:
      return peel_gtp_u(w);
    case TunnelKind::l2tp_v2:
      return peel_l2tp(w);
    case TunnelKind::mpls:
      return peel_mpls(w);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Layer> peel_udp_tunnel(Walk& w) {
  const std::uint16_t source_port = w.view.source_port;
  const Peeled inner = peel(w, w.options.ports.kind_of(w.view.destination_port));
  return inner ? inner : peel(w, w.options.ports.kind_of(source_port));
}

}  // namespace imds::packet
