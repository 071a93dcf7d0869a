// MPLS, Ethernet pseudowires, PPPoE, PPP and NSH, and the step into any tunnel.
#include <algorithm>

#include "plausible.h"
#include "tunnels.h"

namespace imds::packet {

namespace {

Layer layer_of(Walk& w, std::uint16_t carried) {
  switch (static_cast<EtherType>(carried)) {
    case EtherType::transparent_ethernet:
      return Layer::ethernet;
    case EtherType::ipv4:
    case EtherType::ipv6:
      return Layer::raw_ip;  // the version field is believed, not the tunnel
    default:
      w.view.ether_type = carried;
      return Layer::ether_type;
  }
}

bool is_inspected(std::uint16_t carried) {
  switch (static_cast<EtherType>(carried)) {
    case EtherType::transparent_ethernet:
    case EtherType::ipv4:
    case EtherType::ipv6:
    case EtherType::arp:
    case EtherType::mpls:
    case EtherType::mpls_multicast:
    case EtherType::nsh:
    case EtherType::pppoe_session:
      return true;
    default:
      return is_vlan_tpid(carried);
  }
}

// The network and transport fields are those of the tunnel's own packet until here.
void forget_outer_packet(PacketView& view) {
  view.ether_type = 0;
  view.source = IpAddress{};
  view.destination = IpAddress{};
  view.protocol = 0;
  view.ttl = 0;
  view.network = {};
  view.source_port = 0;
  view.destination_port = 0;
}

// An Ethernet frame on a pseudowire (RFC 4448). The control word (RFC 4385) is optional, and
// nothing in the packet says whether it is there.
Layer decode_pseudowire(Walk& w) {
  constexpr std::size_t kControlWordSize = 4;
  const bool may_be_control_word = w.at()[0] >> 4 == 0;
  const bool plain = ethernet_plausible(ahead(w));
  // The tag of a frame without control word stands where that of one with it has its source MAC.
  const bool tagged = plain && is_vlan_tpid(load_be16(w.at() + kEthernetSize - 2));
  if (may_be_control_word && !tagged && ethernet_plausible(ahead(w, kControlWordSize))) {
    return enter_tunnel(w, TunnelKind::ethernet_pseudowire, kControlWordSize,
                        EtherType::transparent_ethernet);
  }
  if (plain) {
    return enter_tunnel(w, TunnelKind::ethernet_pseudowire, 0, EtherType::transparent_ethernet);
  }
  const std::size_t needed = kEthernetSize + (may_be_control_word ? kControlWordSize : 0);
  return w.has(needed) ? w.stop(DecodeReason::tunnel_protocol_not_inspected)
                       : w.stop_short(needed, DecodeReason::tunnel_truncated);
}

// A destination MAC may begin like IP, too: then the packet must be exactly what its header says.
bool begins_like_ip(const Ahead& packet) {
  const unsigned version = packet[0] >> 4;
  if (version != 4 && version != 6) {
    return false;
  }
  if (!ethernet_plausible(packet)) {
    return true;
  }
  return ip_plausible(packet) && (version == 4 ? ipv4_checksum_holds(packet)
                                               : kIpv6Size + packet.be16(4) == packet.bytes.size());
}

// Nothing in a label stack says what follows it.
Layer decode_below_labels(Walk& w, std::uint32_t label) {
  constexpr std::uint32_t kIpv4ExplicitNull = 0;
  constexpr std::uint32_t kIpv6ExplicitNull = 2;
  if (!w.has(1)) {
    return w.stop_short(1, DecodeReason::tunnel_truncated);
  }
  const bool says_ip = label == kIpv4ExplicitNull || label == kIpv6ExplicitNull;
  return says_ip || begins_like_ip(ahead(w)) ? Layer::raw_ip : decode_pseudowire(w);
}

// RFC 3032: label (20 bits), traffic class (3), bottom of stack (1), TTL (8).
Layer decode_mpls(Walk& w, std::size_t header_size = 0) {
  constexpr std::size_t kLabelSize = 4;
  constexpr std::uint32_t kBottomOfStack = 0x100;
  std::size_t size = header_size;
  std::uint32_t entry = 0;
  for (unsigned depth = 0; (entry & kBottomOfStack) == 0; ++depth) {
    if (depth == kMaxMplsLabels) {
      return w.stop(DecodeReason::mpls_too_deep);
    }
    size += kLabelSize;
    if (!w.has(size)) {
      return w.stop_short(size, DecodeReason::tunnel_truncated);
    }
    entry = load_be32(w.at() + size - kLabelSize);
  }
  const std::uint32_t label = entry >> 12;
  const Layer below = enter_tunnel(w, TunnelKind::mpls, size, EtherType::ipv4, label);
  return below == Layer::done ? below : decode_below_labels(w, label);
}

// RFC 2516: version and type, code, session, length of the PPP frame.
Layer decode_pppoe(Walk& w) {
  constexpr std::size_t kHeaderSize = 6;
  constexpr std::uint8_t kVersionAndType = 0x11;
  constexpr std::uint8_t kSessionData = 0;
  if (!w.has(kHeaderSize)) {
    return w.stop_short(kHeaderSize, DecodeReason::tunnel_truncated);
  }
  const std::uint8_t* header = w.at();
  if (header[0] != kVersionAndType || header[1] != kSessionData) {
    return w.stop(DecodeReason::tunnel_malformed);
  }
  const std::size_t length = load_be16(header + 4);
  if (kHeaderSize + length <= w.sent()) {  // else the IP length inside tells
    w.bound(kHeaderSize + length);
  }
  return enter_ppp(w, TunnelKind::pppoe, kHeaderSize, load_be16(header + 2));
}

// RFC 8300: version (2 bits), O, U, TTL (6), length in words (6), MD type, next protocol; service
// path; context headers up to the length.
Layer decode_nsh(Walk& w) {
  constexpr std::size_t kFixedSize = 8;
  constexpr std::size_t kMdType1Size = 24;
  if (!w.has(kFixedSize)) {
    return w.stop_short(kFixedSize, DecodeReason::tunnel_truncated);
  }
  const std::uint8_t* header = w.at();
  const unsigned version = header[0] >> 6;
  const std::size_t size = std::size_t{header[1] & 0x3fu} * 4;
  const unsigned md_type = header[2] & 0x0fu;
  if (version != 0 || size < kFixedSize || (md_type == 1 && size != kMdType1Size)) {
    return w.stop(DecodeReason::tunnel_malformed);
  }
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::tunnel_truncated);
  }
  return enter_tunnel(w, TunnelKind::nsh, size, ether_type_of_next_protocol(header[3]));
}

}  // namespace

Layer enter_tunnel(Walk& w, TunnelKind kind, std::size_t header_size, std::uint16_t carried,
                   std::optional<std::uint32_t> id) {
  if (!is_inspected(carried)) {
    return w.stop(DecodeReason::tunnel_protocol_not_inspected);
  }
  Tunnel& tunnel = w.view.tunnel;
  if (tunnel.path.count >= std::min<std::size_t>(w.options.max_tunnels, kMaxTunnels)) {
    return w.stop(DecodeReason::tunnel_too_deep);
  }
  tunnel.path.kinds[tunnel.path.count++] = kind;
  if (id) {
    tunnel.has_id = true;
    tunnel.id = *id;
  }
  if (!tunnel.source.is_set() && w.view.is_ip()) {
    tunnel.source = w.view.source;
    tunnel.destination = w.view.destination;
  }
  forget_outer_packet(w.view);
  w.tags = 0;
  w.consume(header_size);
  return layer_of(w, carried);
}

Layer enter_network(Walk& w, TunnelKind kind, std::size_t header_size, std::uint16_t carried,
                    std::uint32_t vni) {
  const Layer inner = enter_tunnel(w, kind, header_size, carried, vni);
  if (inner != Layer::done) {
    w.view.vni = vni;
  }
  return inner;
}

Layer enter_ppp(Walk& w, TunnelKind kind, std::size_t header_size,
                std::optional<std::uint32_t> id) {
  constexpr std::uint16_t kAddressAndControl = 0xff03;
  std::size_t size = header_size;
  if (w.has(size + 2) && load_be16(w.at() + size) == kAddressAndControl) {
    size += 2;
  }
  const bool begins_address = w.has(size + 1) && w.at()[size] == kAddressAndControl >> 8;
  const std::size_t least = size + (begins_address ? 2 : 1);
  if (!w.has(least)) {
    return w.stop_short(least, DecodeReason::tunnel_truncated);
  }
  // The first byte of a protocol number is even, the last odd, so that the first may be left out.
  const bool is_compressed = (w.at()[size] & 1) != 0;
  if (!is_compressed && !w.has(size + 2)) {
    return w.stop_short(size + 2, DecodeReason::tunnel_truncated);
  }
  const std::uint16_t protocol = is_compressed ? w.at()[size] : load_be16(w.at() + size);
  size += is_compressed ? 1 : 2;
  switch (protocol) {
    case 0x0021:
      return enter_tunnel(w, kind, size, EtherType::ipv4, id);
    case 0x0057:
      return enter_tunnel(w, kind, size, EtherType::ipv6, id);
    case 0x0281:
      return enter_tunnel(w, kind, size, EtherType::mpls, id);
    case 0x0283:
      return enter_tunnel(w, kind, size, EtherType::mpls_multicast, id);
    default:
      return w.stop(DecodeReason::tunnel_protocol_not_inspected);
  }
}

Layer enter_mpls(Walk& w, std::size_t header_size) {
  return decode_mpls(w, header_size);
}

std::uint16_t ether_type_of_next_protocol(std::uint8_t number) {
  constexpr std::array<EtherType, 6> kTypes = {EtherType{0},    EtherType::ipv4,
                                               EtherType::ipv6, EtherType::transparent_ethernet,
                                               EtherType::nsh,  EtherType::mpls};
  return number < kTypes.size() ? static_cast<std::uint16_t>(kTypes[number]) : std::uint16_t{0};
}

Layer decode_link_tunnel(Walk& w) {
  switch (static_cast<EtherType>(w.view.ether_type)) {
    case EtherType::mpls:
    case EtherType::mpls_multicast:
      return decode_mpls(w);
    case EtherType::pppoe_session:
      return decode_pppoe(w);
    case EtherType::nsh:
      return decode_nsh(w);
    default:
      return w.stop(DecodeReason::ethertype_not_inspected);
  }
}

}  // namespace imds::packet
