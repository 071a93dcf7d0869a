// Encapsulations named by an IP protocol: IP in IP, GRE and all it carries, EtherIP, L2TPv3.
#include "l2tp_v3.h"
#include "plausible.h"
#include "tunnels.h"

namespace imds::packet {

namespace {

enum GreFlag : std::uint16_t {
  kGreChecksum = 0x8000,
  kGreRouting = 0x4000,  // RFC 1701
  kGreKey = 0x2000,
  kGreSequence = 0x1000,
  kGreAcknowledgment = 0x0080,  // version 1 (RFC 2637)
  kGreVersion = 0x0007,
};

struct GreHeader {
  std::uint16_t flags = 0;
  std::uint16_t protocol = 0;
  std::size_t size = 0;
  std::uint32_t key = 0;

  [[nodiscard]] bool has(std::uint16_t mask) const { return (flags & mask) != 0; }
  [[nodiscard]] unsigned version() const { return flags & kGreVersion; }
  [[nodiscard]] std::optional<std::uint32_t> id() const {
    return has(kGreKey) ? std::optional(key) : std::nullopt;
  }
};

// Source routes (RFC 1701): address family, offset, length, then `length` bytes; the list ends with
// family and length 0.
bool skip_gre_routes(Walk& w, GreHeader& gre) {
  constexpr std::size_t kEntrySize = 4;
  constexpr unsigned kMostRoutes = 16;
  for (unsigned count = 0; count <= kMostRoutes; ++count) {
    if (!w.has(gre.size + kEntrySize)) {
      w.stop_short(gre.size + kEntrySize, DecodeReason::tunnel_truncated);
      return false;
    }
    const std::uint8_t* entry = w.at() + gre.size;
    const std::size_t length = entry[3];
    gre.size += kEntrySize + length;
    if (load_be16(entry) == 0 && length == 0) {
      return true;
    }
  }
  w.stop(DecodeReason::tunnel_malformed);
  return false;
}

// False: the walk has ended.
bool read_gre(Walk& w, GreHeader& gre) {
  constexpr std::size_t kFixedSize = 4;
  if (!w.has(kFixedSize)) {
    w.stop_short(kFixedSize, DecodeReason::tunnel_truncated);
    return false;
  }
  gre.flags = load_be16(w.at());
  gre.protocol = load_be16(w.at() + 2);
  gre.size = kFixedSize;
  if (gre.version() > 1) {
    w.stop(DecodeReason::tunnel_malformed);
    return false;
  }
  const bool is_v0 = gre.version() == 0;
  gre.size += is_v0 && gre.has(kGreChecksum | kGreRouting) ? 4 : 0;
  const std::size_t key_at = gre.size;
  gre.size += gre.has(kGreKey) ? 4 : 0;
  gre.size += gre.has(kGreSequence) ? 4 : 0;
  gre.size += !is_v0 && gre.has(kGreAcknowledgment) ? 4 : 0;
  if (!w.has(gre.size)) {
    w.stop_short(gre.size, DecodeReason::tunnel_truncated);
    return false;
  }
  gre.key = gre.has(kGreKey) ? load_be32(w.at() + key_at) : 0;
  return !is_v0 || !gre.has(kGreRouting) || skip_gre_routes(w, gre);
}

// Type I has no header, type II one of 8 bytes, type III one of 12 and perhaps a subheader.
Layer enter_erspan(Walk& w, const GreHeader& gre) {
  constexpr std::size_t kTypeTwoSize = 8;
  constexpr std::size_t kTypeThreeSize = 12;
  constexpr std::size_t kSubheaderSize = 8;
  constexpr unsigned kFrameIsEthernet = 0;
  constexpr unsigned kFrameIsIp = 2;
  const bool is_three = gre.protocol == static_cast<std::uint16_t>(EtherType::erspan_iii);
  if (!is_three && !gre.has(kGreSequence)) {
    return enter_tunnel(w, TunnelKind::erspan, gre.size, EtherType::transparent_ethernet);
  }
  std::size_t size = gre.size + (is_three ? kTypeThreeSize : kTypeTwoSize);
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::tunnel_truncated);
  }
  const std::uint8_t* header = w.at() + gre.size;
  if (header[0] >> 4 != (is_three ? 2 : 1)) {
    return w.stop(DecodeReason::tunnel_malformed);
  }
  const std::uint32_t session = load_be16(header + 2) & 0x3ffu;
  EtherType carried = EtherType::transparent_ethernet;
  if (is_three) {
    const unsigned last = load_be16(header + 10);
    size += (last & 1) != 0 ? kSubheaderSize : 0;
    if (!w.has(size)) {
      return w.stop_short(size, DecodeReason::tunnel_truncated);
    }
    const unsigned frame_type = (last >> 10) & 0x1f;
    if (frame_type != kFrameIsEthernet && frame_type != kFrameIsIp) {
      return w.stop(DecodeReason::tunnel_protocol_not_inspected);
    }
    carried = frame_type == kFrameIsIp ? EtherType::ipv4 : carried;
  }
  return enter_tunnel(w, TunnelKind::erspan, size, carried, session);
}

// WCCP version 2 puts a redirect header in front of the packet, version 1 does not.
Layer enter_wccp(Walk& w, const GreHeader& gre) {
  constexpr std::size_t kRedirectSize = 4;
  if (!w.has(gre.size + 1)) {
    return w.stop_short(gre.size + 1, DecodeReason::tunnel_truncated);
  }
  const bool has_redirect = w.at()[gre.size] >> 4 != 4;
  const std::size_t size = gre.size + (has_redirect ? kRedirectSize : 0);
  return w.has(size) ? enter_tunnel(w, TunnelKind::gre, size, EtherType::ipv4, gre.id())
                     : w.stop_short(size, DecodeReason::tunnel_truncated);
}

// PPTP: the key is the payload's length and the call. No sequence number: no payload.
Layer enter_pptp(Walk& w, const GreHeader& gre) {
  if (gre.protocol != static_cast<std::uint16_t>(EtherType::ppp) || !gre.has(kGreSequence)) {
    return w.stop(DecodeReason::tunnel_protocol_not_inspected);
  }
  const std::size_t length = gre.key >> 16;
  if (gre.has(kGreKey) && gre.size + length <= w.sent()) {
    w.bound(gre.size + length);
  }
  return enter_ppp(w, TunnelKind::gre, gre.size, gre.key & 0xffff);
}

Layer decode_gre(Walk& w) {
  GreHeader gre;
  if (!read_gre(w, gre)) {
    return Layer::done;
  }
  if (gre.version() == 1) {
    return enter_pptp(w, gre);
  }
  switch (static_cast<EtherType>(gre.protocol)) {
    case EtherType::transparent_ethernet:
      // RFC 7637: a key, and neither checksum nor sequence number.
      if (gre.has(kGreKey) && !gre.has(kGreChecksum | kGreRouting | kGreSequence)) {
        return enter_network(w, TunnelKind::nvgre, gre.size, gre.protocol, gre.key >> 8);
      }
      break;
    case EtherType::erspan:
    case EtherType::erspan_iii:
      return enter_erspan(w, gre);
    case EtherType::wccp:
      return enter_wccp(w, gre);
    case EtherType::ppp:
      return enter_ppp(w, TunnelKind::gre, gre.size, gre.id());
    default:
      break;
  }
  return w.has(gre.size) ? enter_tunnel(w, TunnelKind::gre, gre.size, gre.protocol, gre.id())
                         : w.stop_short(gre.size, DecodeReason::tunnel_truncated);
}

// RFC 3378: version 3 and 12 reserved bits. Some write the version into the other half of the byte.
Layer decode_ether_ip(Walk& w) {
  constexpr std::size_t kHeaderSize = 2;
  constexpr unsigned kVersion = 3;
  if (!w.has(kHeaderSize)) {
    return w.stop_short(kHeaderSize, DecodeReason::tunnel_truncated);
  }
  if (w.at()[0] >> 4 != kVersion && (w.at()[0] & 0x0f) != kVersion) {
    return w.stop(DecodeReason::tunnel_malformed);
  }
  return enter_tunnel(w, TunnelKind::ether_ip, kHeaderSize, EtherType::transparent_ethernet);
}

// RFC 3931, 4.1.1. Session 0 is a control message.
Layer decode_l2tp_v3(Walk& w) {
  constexpr std::size_t kSessionIdSize = 4;
  if (!w.has(kSessionIdSize)) {
    return w.stop_short(kSessionIdSize, DecodeReason::tunnel_truncated);
  }
  const std::uint32_t session = load_be32(w.at());
  const Ahead data = ahead(w, kSessionIdSize);
  const auto payload = session != 0 ? find_session_payload(data) : std::nullopt;
  if (!payload) {
    const bool was_cut = session != 0 && w.missing != 0 && !data.has(kLeastSessionPayload);
    return w.stop(was_cut ? DecodeReason::capture_truncated
                          : DecodeReason::tunnel_protocol_not_inspected);
  }
  return enter_tunnel(w, TunnelKind::l2tp_v3, kSessionIdSize + payload->offset, payload->carried,
                      session);
}

}  // namespace

Layer decode_ip_tunnel(Walk& w) {
  switch (static_cast<IpProtocol>(w.view.protocol)) {
    case IpProtocol::ipv4:
    case IpProtocol::ipv6:
      return enter_tunnel(w, TunnelKind::ip_in_ip, 0, EtherType::ipv4);
    case IpProtocol::gre:
      return decode_gre(w);
    case IpProtocol::ether_ip:
      return decode_ether_ip(w);
    case IpProtocol::l2tp_v3:
      return decode_l2tp_v3(w);
    case IpProtocol::mpls:
      return enter_mpls(w, 0);
    default:
      return w.stop(DecodeReason::ip_protocol_not_inspected);
  }
}

}  // namespace imds::packet
