#include "link_types.h"

#include <algorithm>
#include <cstring>

#include "base/link_type.h"

namespace imds::packet {

namespace {

// Address families as the systems that write them number them: 2 is IPv4 everywhere, IPv6 is not.
Layer continue_with_family(Walk& w, std::uint32_t family) {
  constexpr std::uint32_t kInet = 2;
  constexpr std::uint32_t kInet6[] = {10, 23, 24, 26, 28, 30};  // Linux, Windows, BSDs, Solaris
  if (family == kInet ||
      std::find(std::begin(kInet6), std::end(kInet6), family) != std::end(kInet6)) {
    return Layer::raw_ip;
  }
  constexpr std::uint32_t kLeastEtherType = 0x0600;  // some BSD tunnels write an EtherType instead
  return family >= kLeastEtherType && family <= 0xffff
             ? continue_with(w, static_cast<std::uint16_t>(family))
             : w.stop(DecodeReason::ethertype_not_inspected);
}

std::uint32_t load_le32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 |
         std::uint32_t{p[3]} << 24;
}

// A small number written by a host of unknown byte order.
std::uint32_t load_host32(const std::uint8_t* p) {
  return std::min(load_le32(p), load_be32(p));
}

Layer peel_null(Walk& w) {
  constexpr std::size_t kSize = 4;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint32_t family = load_host32(w.at());
  w.consume(kSize);
  return continue_with_family(w, family);
}

// Family, SPI, flags.
Layer peel_enc(Walk& w) {
  constexpr std::size_t kSize = 12;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint32_t family = load_host32(w.at());
  w.consume(kSize);
  return continue_with_family(w, family);
}

// Length without padding, family, …
Layer peel_pflog(Walk& w) {
  if (!w.has(2)) {
    return w.stop_short(2, DecodeReason::link_truncated);
  }
  const std::size_t size = std::max<std::size_t>((w.at()[0] + 3u) / 4 * 4, 4);
  const std::uint8_t family = w.at()[1];
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  w.consume(size);
  return continue_with_family(w, family);
}

// RFC 1661: address and control may be there or not, the protocol may be one byte.
Layer peel_ppp(Walk& w) {
  constexpr std::uint16_t kAddressAndControl = 0xff03;
  constexpr std::uint16_t kIpv4 = 0x0021;
  constexpr std::uint16_t kIpv6 = 0x0057;
  constexpr std::uint16_t kMpls = 0x0281;
  constexpr std::uint16_t kEtherTypeMpls = 0x8847;
  if (w.has(2) && load_be16(w.at()) == kAddressAndControl) {
    w.consume(2);
  }
  const std::size_t size = w.has(1) && (w.at()[0] & 1) != 0 ? 1 : 2;
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  const std::uint16_t protocol = size == 1 ? w.at()[0] : load_be16(w.at());
  w.consume(size);
  switch (protocol) {
    case kIpv4:
      return continue_with(w, EtherType::ipv4);
    case kIpv6:
      return continue_with(w, EtherType::ipv6);
    case kMpls:
      return continue_with(w, kEtherTypeMpls);
    default:
      return w.stop(DecodeReason::ethertype_not_inspected);
  }
}

// Address, control, EtherType.
Layer peel_cisco_hdlc(Walk& w) {
  constexpr std::size_t kSize = 4;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint16_t type = load_be16(w.at() + 2);
  w.consume(kSize);
  return continue_with(w, type);
}

// RFC 1662 or Cisco's, told apart by the address.
Layer peel_hdlc(Walk& w) {
  constexpr std::uint8_t kCiscoUnicast = 0x0f;
  constexpr std::uint8_t kCiscoMulticast = 0x8f;
  const bool cisco = w.has(1) && (w.at()[0] == kCiscoUnicast || w.at()[0] == kCiscoMulticast);
  return cisco ? peel_cisco_hdlc(w) : peel_ppp(w);
}

// SNAP's five bytes: an EtherType, or a frame bridged whole (RFC 2427, RFC 2684).
Layer peel_snap_header(Walk& w) {
  constexpr std::size_t kSize = 5;
  constexpr std::uint32_t kEncapsulated = 0x000000;
  constexpr std::uint32_t kBridgeTunnel = 0x0000f8;
  constexpr std::uint32_t kBridged = 0x0080c2;
  constexpr std::uint16_t kEthernetWithFcs = 0x0001;
  constexpr std::uint16_t kEthernetNoFcs = 0x0007;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint32_t oui = load_be32(w.at()) >> 8;
  const std::uint16_t protocol = load_be16(w.at() + 3);
  w.consume(kSize);
  if (oui == kEncapsulated || oui == kBridgeTunnel) {
    return continue_with(w, protocol);
  }
  if (oui == kBridged && (protocol == kEthernetWithFcs || protocol == kEthernetNoFcs)) {
    return Layer::ethernet;
  }
  return w.stop(DecodeReason::ethertype_not_inspected);
}

Layer continue_with_nlpid(Walk& w, std::uint8_t nlpid) {
  switch (nlpid) {
    case 0xcc:
      return continue_with(w, EtherType::ipv4);
    case 0x8e:
      return continue_with(w, EtherType::ipv6);
    case 0x80:
      return peel_snap_header(w);
    case 0xcf:
      return peel_ppp(w);
    default:
      return w.stop(DecodeReason::ethertype_not_inspected);
  }
}

// RFC 2427: a Q.922 address, whose last byte has bit 0 set, control 3, padding, NLPID. Cisco's own:
// the address and an EtherType.
Layer peel_frame_relay(Walk& w) {
  constexpr std::size_t kLongestAddress = 4;
  constexpr std::uint8_t kUnnumbered = 0x03;
  std::size_t address = 1;
  while (address < kLongestAddress && w.has(address) && (w.at()[address - 1] & 1) == 0) {
    ++address;
  }
  if (!w.has(address + 2)) {
    return w.stop_short(address + 2, DecodeReason::link_truncated);
  }
  w.consume(address);
  if (w.at()[0] != kUnnumbered) {
    const std::uint16_t type = load_be16(w.at());
    w.consume(2);
    return continue_with(w, type);
  }
  w.consume(1);
  if (w.at()[0] == 0 && w.has(2)) {
    w.consume(1);
  }
  const std::uint8_t nlpid = w.at()[0];
  w.consume(1);
  return continue_with_nlpid(w, nlpid);
}

// RFC 2684: LLC, whose bridged frames are padded by two bytes.
Layer peel_atm(Walk& w) {
  constexpr std::uint8_t kNlpidLlc[] = {0xfe, 0xfe, 0x03};
  constexpr std::uint8_t kBridged[] = {0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2};
  constexpr std::size_t kBridgedSize = 10;
  if (w.has(sizeof(kNlpidLlc) + 1) && std::memcmp(w.at(), kNlpidLlc, sizeof(kNlpidLlc)) == 0) {
    const std::uint8_t nlpid = w.at()[sizeof(kNlpidLlc)];
    w.consume(sizeof(kNlpidLlc) + 1);
    return continue_with_nlpid(w, nlpid);
  }
  if (w.has(sizeof(kBridged)) && std::memcmp(w.at(), kBridged, sizeof(kBridged)) == 0) {
    return skip_header(w, kBridgedSize, Layer::ethernet);
  }
  return peel_llc(w);
}

// Flags, VPI, VCI; then LLC.
Layer peel_sun_atm(Walk& w) {
  constexpr std::size_t kSize = 4;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  w.consume(kSize);
  return peel_atm(w);
}

Layer peel_atm_clip(Walk& w) {
  return w.has(2) && load_be16(w.at()) == 0xaaaa ? peel_atm(w) : Layer::raw_ip;
}

// Access and frame control, addresses, a route where the source address says so, LLC.
Layer peel_token_ring(Walk& w) {
  constexpr std::size_t kSize = 14;
  constexpr std::uint8_t kRouted = 0x80;  // in the first byte of the source address
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const bool is_data = w.at()[1] >> 6 == 1;
  const bool routed = (w.at()[8] & kRouted) != 0;
  w.consume(kSize);
  if (!is_data) {
    return w.stop(DecodeReason::ethertype_not_inspected);
  }
  if (routed) {
    const std::size_t route = w.has(1) ? std::max(w.at()[0] & 0x1f, 2) : 2;
    if (!w.has(route)) {
      return w.stop_short(route, DecodeReason::link_truncated);
    }
    w.consume(route);
  }
  return peel_llc(w);
}

Layer peel_fddi(Walk& w) {
  constexpr std::size_t kSize = 13;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const bool is_llc = (w.at()[0] & 0xf0) == 0x50;
  w.consume(kSize);
  return is_llc ? peel_llc(w) : w.stop(DecodeReason::ethertype_not_inspected);
}

Layer peel_ip_over_fc(Walk& w) {
  constexpr std::size_t kSize = 16;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  w.consume(kSize);
  return peel_llc(w);
}

// Two addresses of 8 bytes, EtherType.
Layer peel_ip_over_ieee1394(Walk& w) {
  constexpr std::size_t kSize = 18;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint16_t type = load_be16(w.at() + 16);
  w.consume(kSize);
  return continue_with(w, type);
}

// Frame control, parameter, length, an extended header of `parameter` bytes, check sequence.
Layer peel_docsis(Walk& w) {
  constexpr std::size_t kSize = 6;
  constexpr std::uint8_t kTypeMask = 0xc0;  // 0: an Ethernet frame
  constexpr std::uint8_t kExtended = 0x01;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  if ((w.at()[0] & kTypeMask) != 0) {
    return w.stop(DecodeReason::ethertype_not_inspected);
  }
  const bool extended = (w.at()[0] & kExtended) != 0;
  return skip_header(w, kSize + (extended ? w.at()[1] : 0), Layer::ethernet);
}

// "MGC", flags, with an extension its length and bytes.
Layer peel_juniper_ethernet(Walk& w) {
  constexpr std::uint8_t kMagic[] = {0x4d, 0x47, 0x43};
  constexpr std::uint8_t kNoLinkLayer = 0x02;
  constexpr std::uint8_t kExtended = 0x80;
  constexpr std::size_t kLeast = 4;
  if (!w.has(kLeast)) {
    return w.stop_short(kLeast, DecodeReason::link_truncated);
  }
  if (std::memcmp(w.at(), kMagic, sizeof(kMagic)) != 0) {
    return w.stop(DecodeReason::ethertype_not_inspected);
  }
  const std::uint8_t flags = w.at()[3];
  std::size_t size = kLeast;
  if ((flags & kExtended) != 0) {
    if (!w.has(kLeast + 2)) {
      return w.stop_short(kLeast + 2, DecodeReason::link_truncated);
    }
    size += 2 + std::size_t{load_be16(w.at() + kLeast)};
  }
  if ((flags & kNoLinkLayer) != 0) {  // the address family stands where Ethernet would begin
    return skip_header(w, size + 4, Layer::raw_ip);
  }
  return skip_header(w, size, Layer::ethernet);
}

// Endace's record: time, type, flags, lengths, extension headers of 8 bytes, the frame.
Layer peel_erf(Walk& w) {
  constexpr std::size_t kSize = 16;
  constexpr std::size_t kExtension = 8;
  constexpr std::uint8_t kMore = 0x80;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint8_t type = w.at()[8] & 0x7f;
  bool more = (w.at()[8] & kMore) != 0;
  w.consume(kSize);
  while (more) {
    if (!w.has(kExtension)) {
      return w.stop_short(kExtension, DecodeReason::link_truncated);
    }
    more = (w.at()[0] & kMore) != 0;
    w.consume(kExtension);
  }
  switch (type) {
    case 1:  // HDLC_POS
      return peel_hdlc(w);
    case 2:   // ETH, …
    case 11:  // COLOR_ETH
    case 16:  // DSM_COLOR_ETH
    case 20:  // COLOR_HASH_ETH
      return skip_header(w, 2, Layer::ethernet);
    case 22:  // IPV4
    case 23:  // IPV6
      return Layer::raw_ip;
    default:
      return w.stop(DecodeReason::ethertype_not_inspected);
  }
}

// Attributes of netlink: length, type, both in the host's order, value, padding to 4 bytes.
Layer peel_nflog(Walk& w) {
  constexpr std::size_t kHeader = 4;
  constexpr std::size_t kAttribute = 4;
  constexpr std::uint16_t kPayload = 9;
  constexpr std::uint16_t kMostTypes = 0xff;
  if (!w.has(kHeader)) {
    return w.stop_short(kHeader, DecodeReason::link_truncated);
  }
  w.consume(kHeader);
  while (w.has(kAttribute)) {
    const auto le16 = [&w](std::size_t at) {
      return static_cast<std::uint16_t>(w.at()[at] | w.at()[at + 1] << 8);
    };
    const bool little = (le16(2) & 0x7fff) <= kMostTypes;
    const std::size_t length = little ? le16(0) : load_be16(w.at());
    const std::uint16_t type = (little ? le16(2) : load_be16(w.at() + 2)) & 0x7fff;
    if (length < kAttribute) {
      break;
    }
    if (type == kPayload) {
      w.consume(kAttribute);
      return Layer::raw_ip;
    }
    const std::size_t padded = (length + 3) / 4 * 4;
    if (!w.has(padded)) {
      return w.stop_short(padded, DecodeReason::link_truncated);
    }
    w.consume(padded);
  }
  return w.sent() > w.rest.size() ? w.stop(DecodeReason::capture_truncated)
                                  : w.stop(DecodeReason::ethertype_not_inspected);
}

// Headers that name another link type for what follows; once, so that no chain grows long.
Layer continue_with_link(Walk& w, std::uint32_t number) {
  const auto link = find_link_type(number);
  if (!link || *link == LinkType::ppi || *link == LinkType::pktap) {
    return w.stop(DecodeReason::link_type_unsupported);
  }
  return first_layer(w, *link);
}

// Version, flags, length, link type, fields; little endian.
Layer peel_ppi(Walk& w) {
  constexpr std::size_t kLeast = 8;
  if (!w.has(kLeast)) {
    return w.stop_short(kLeast, DecodeReason::link_truncated);
  }
  const std::uint32_t link = load_le32(w.at() + 4);
  const std::size_t size = std::max<std::size_t>(w.at()[2] | w.at()[3] << 8, kLeast);
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  w.consume(size);
  return continue_with_link(w, link);
}

// Length, type of record (1: packet), link type, …; little endian on every Mac that writes it.
Layer peel_pktap(Walk& w) {
  constexpr std::size_t kLeast = 12;
  if (!w.has(kLeast)) {
    return w.stop_short(kLeast, DecodeReason::link_truncated);
  }
  const std::size_t size = std::max<std::size_t>(load_le32(w.at()), kLeast);
  const std::uint32_t link = load_le32(w.at() + 8);
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  w.consume(size);
  return continue_with_link(w, link);
}

// One byte that says the direction, then what `peel` knows.
Layer peel_after_direction(Walk& w, Layer (*peel)(Walk&), std::size_t size) {
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  w.consume(size);
  return peel(w);
}

}  // namespace

Layer peel_llc(Walk& w) {
  constexpr std::size_t kSize = 3;
  constexpr std::uint8_t kSnap = 0xaa;
  constexpr std::uint8_t kIp = 0x06;
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  const std::uint8_t service = w.at()[0];
  const bool same = service == w.at()[1];
  w.consume(kSize);
  if (same && service == kSnap) {
    return peel_snap_header(w);
  }
  return same && service == kIp ? Layer::raw_ip : w.stop(DecodeReason::ethertype_not_inspected);
}

Layer peel_link_header(Walk& w, LinkType link) {
  constexpr std::size_t kIpnetSize = 24;
  constexpr std::size_t kNetanalyzerSize = 4;
  constexpr std::size_t kPreambleSize = 8;
  switch (link) {
    case LinkType::null:
    case LinkType::loop:
      return peel_null(w);
    case LinkType::enc:
      return peel_enc(w);
    case LinkType::pflog:
      return peel_pflog(w);
    case LinkType::ipnet:
      return skip_header(w, kIpnetSize, Layer::raw_ip);
    case LinkType::ppp:
    case LinkType::ppp_hdlc:
      return peel_hdlc(w);
    case LinkType::ppp_ether:
      return continue_with(w, std::uint16_t{0x8864});
    case LinkType::ppp_pppd:
      return peel_after_direction(w, peel_ppp, 2);  // direction and control
    case LinkType::ppp_with_direction:
      return peel_after_direction(w, peel_hdlc, 1);
    case LinkType::cisco_hdlc:
      return peel_hdlc(w);
    case LinkType::cisco_hdlc_with_direction:
      return peel_after_direction(w, peel_hdlc, 1);
    case LinkType::frame_relay:
      return peel_frame_relay(w);
    case LinkType::frame_relay_with_direction:
      return peel_after_direction(w, peel_frame_relay, 1);
    case LinkType::atm_rfc1483:
      return peel_atm(w);
    case LinkType::atm_clip:
      return peel_atm_clip(w);
    case LinkType::sun_atm:
      return peel_sun_atm(w);
    case LinkType::token_ring:
      return peel_token_ring(w);
    case LinkType::fddi:
      return peel_fddi(w);
    case LinkType::ip_over_fc:
      return peel_ip_over_fc(w);
    case LinkType::ip_over_ieee1394:
      return peel_ip_over_ieee1394(w);
    case LinkType::ieee802_11:
      return peel_wlan(w, false);
    case LinkType::radiotap:
      return peel_radiotap(w);
    case LinkType::prism:
      return peel_prism(w);
    case LinkType::avs:
      return peel_avs(w);
    case LinkType::ppi:
      return peel_ppi(w);
    case LinkType::pktap:
      return peel_pktap(w);
    case LinkType::nflog:
      return peel_nflog(w);
    case LinkType::docsis:
      return peel_docsis(w);
    case LinkType::juniper_ether:
      return peel_juniper_ethernet(w);
    case LinkType::erf:
      return peel_erf(w);
    case LinkType::netanalyzer:
      return skip_header(w, kNetanalyzerSize, Layer::ethernet);
    case LinkType::netanalyzer_transparent:
      return skip_header(w, kNetanalyzerSize + kPreambleSize, Layer::ethernet);
    case LinkType::ethernet_mpacket:
      return skip_header(w, kPreambleSize, Layer::ethernet);
    default:
      return w.stop(DecodeReason::link_type_unsupported);  // a number from a capture file
  }
}

}  // namespace imds::packet
