// Peeling of encapsulations. Private to the room. Outside of the headers every packet runs through:
// a packet without a tunnel pays for none of this.
#pragma once

#include <optional>

#include "walk.h"

namespace imds::packet {

inline constexpr std::size_t kUdpSize = 8;

// By PacketView::ether_type: MPLS, PPPoE, NSH; anything else ends the walk.
Layer decode_link_tunnel(Walk& w);

// By PacketView::protocol: IP in IP, GRE, EtherIP, L2TPv3, MPLS; anything else ends the walk.
Layer decode_ip_tunnel(Walk& w);

// The walk stands at a UDP header whose ports, one of which announces a tunnel, are in the view.
// nullopt, and nothing consumed: the payload is no such tunnel.
std::optional<Layer> peel_udp_tunnel(Walk& w);

// Takes the tunnel's `header_size` bytes off and makes the view describe what is inside, which is
// what EtherType `carried` says. Ends the walk with tunnel_protocol_not_inspected or
// tunnel_too_deep, the view still being that of the tunnel's own packet.
Layer enter_tunnel(Walk& w, TunnelKind kind, std::size_t header_size, std::uint16_t carried,
                   std::optional<std::uint32_t> id = {});
inline Layer enter_tunnel(Walk& w, TunnelKind kind, std::size_t header_size, EtherType carried,
                          std::optional<std::uint32_t> id = {}) {
  return enter_tunnel(w, kind, header_size, static_cast<std::uint16_t>(carried), id);
}
// The same for tunnels whose id is a virtual network's.
Layer enter_network(Walk& w, TunnelKind kind, std::size_t header_size, std::uint16_t carried,
                    std::uint32_t vni);

// A PPP frame (RFC 1661) behind `header_size` bytes of tunnel header.
Layer enter_ppp(Walk& w, TunnelKind kind, std::size_t header_size, std::optional<std::uint32_t> id);

// A header in front of an MPLS label stack that is no tunnel by itself: IP protocol 137, UDP.
Layer enter_mpls(Walk& w, std::size_t header_size);

// What the next-protocol number of NSH (RFC 8300, 2.2) and VXLAN-GPE means; 0: not inspected.
std::uint16_t ether_type_of_next_protocol(std::uint8_t number);

}  // namespace imds::packet
