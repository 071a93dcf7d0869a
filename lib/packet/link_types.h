// Link layers that only captures have: out of line, so that Ethernet's path stays short. Private to
// the room.
#pragma once

#include "walk.h"

namespace imds::packet {

// Peels the header `link` stands for and names what follows: Ethernet, what PacketView::ether_type
// says, bare IP, or nothing the decoder knows.
Layer peel_link_header(Walk& w, LinkType link);

inline Layer first_layer(Walk& w, LinkType link) {
  switch (link) {
    case LinkType::ethernet:
      return Layer::ethernet;
    case LinkType::linux_sll:
      return Layer::cooked_v1;
    case LinkType::linux_sll2:
      return Layer::cooked_v2;
    case LinkType::raw_ip:
    case LinkType::raw_ipv4:
    case LinkType::raw_ipv6:
      return Layer::raw_ip;
    default:
      return peel_link_header(w, link);
  }
}

// An 802.11 frame (IEEE 802.11-2020, 9.2) and the headers captures put in front of it; the MACs are
// those of the stations at both ends, not of the access points between. `padded`: the radio
// aligned what follows the MAC header to 4 bytes.
Layer peel_wlan(Walk& w, bool padded);
Layer peel_radiotap(Walk& w);
Layer peel_prism(Walk& w);
Layer peel_avs(Walk& w);

// IEEE 802.2 LLC, with or without SNAP.
Layer peel_llc(Walk& w);

// Drops `size` bytes and goes on with `next`.
inline Layer skip_header(Walk& w, std::size_t size, Layer next) {
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  w.consume(size);
  return next;
}

inline Layer continue_with(Walk& w, std::uint16_t ether_type) {
  w.view.ether_type = ether_type;
  return Layer::ether_type;
}

inline Layer continue_with(Walk& w, EtherType ether_type) {
  return continue_with(w, static_cast<std::uint16_t>(ether_type));
}

}  // namespace imds::packet
