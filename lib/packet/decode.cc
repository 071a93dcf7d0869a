#include "packet/decode.h"

#include "clear.h"
#include "ip_layers.h"
#include "link_layers.h"
#include "link_types.h"
#include "transport_layers.h"
#include "walk.h"

namespace imds::packet {

namespace {

// Every step consumes bytes or ends the walk, except those from a layer that only names the next.
Layer step(Walk& w, Layer layer) {
  switch (layer) {
    case Layer::done:
      break;
    case Layer::ethernet:
      return decode_ethernet(w);
    case Layer::cooked_v1:
      return decode_cooked_v1(w);
    case Layer::cooked_v2:
      return decode_cooked_v2(w);
    case Layer::raw_ip:
      return decode_raw_ip(w);
    case Layer::ether_type:
      return decode_ether_type(w);
    case Layer::arp:
      return decode_arp(w);
    case Layer::ipv4:
      return decode_ipv4(w);
    case Layer::ipv6:
      return decode_ipv6(w);
    case Layer::transport:
      return decode_transport(w);
  }
  return Layer::done;
}

void walk_from(Walk& walk, Layer layer) {
  while (layer != Layer::done) {
    layer = step(walk, layer);
  }
}

}  // namespace

void decode(ByteSpan frame, const FrameInfo& info, const DecodeOptions& options, PacketView& out) {
  clear(out);
  out.time = info.time;
  Walk walk{out, options, frame};
  if (info.original_length > frame.size()) {
    walk.missing = info.original_length - static_cast<std::uint32_t>(frame.size());
    out.truncated = true;
  }
  if (info.stripped_outer_vlan >= 0) [[unlikely]] {
    push_tag(walk, static_cast<std::uint16_t>(info.stripped_outer_vlan));
  }
  if (info.stripped_vlan >= 0) {
    push_tag(walk, static_cast<std::uint16_t>(info.stripped_vlan));
  }
  walk_from(walk, first_layer(walk, info.link));
}

void decode(ByteSpan frame, const FrameInfo& info, PacketView& out) {
  static constexpr DecodeOptions kDefaults;
  decode(frame, info, kDefaults, out);
}

void decode_datagram(ByteSpan datagram, const PacketView& fragment, const DecodeOptions& options,
                     PacketView& out) {
  clear(out);
  out.time = fragment.time;
  out.source_mac = fragment.source_mac;
  out.destination_mac = fragment.destination_mac;
  out.vlan = fragment.vlan;
  out.tunnel = fragment.tunnel;
  out.vni = fragment.vni;
  Walk walk{out, options, datagram};
  walk_from(walk, Layer::raw_ip);
}

}  // namespace imds::packet
