// Ethernet, VLAN tags, SNAP and Linux cooked headers. Private to the room.
#pragma once

#include "tunnels.h"
#include "walk.h"

namespace imds::packet {

inline constexpr std::size_t kEthernetSize = 14;
inline constexpr std::size_t kVlanTagSize = 4;
inline constexpr std::size_t kSnapSize = 8;
inline constexpr std::size_t kCookedV1Size = 16;
inline constexpr std::size_t kCookedV2Size = 20;
inline constexpr std::size_t kMacSize = 6;
// Smaller values of the EtherType field are an IEEE 802.3 length.
inline constexpr std::uint16_t kLeastEtherType = 0x0600;

// Lists a tag unless it only carries a priority or the frames around this one have filled the list.
inline void push_tag(Walk& w, std::uint16_t tci) {
  ++w.tags;
  const std::uint16_t id = tci & kVlanIdMask;
  if (id != 0 && w.view.vlan.count < kMaxVlanTags) {
    w.view.vlan.ids[w.view.vlan.count++] = id;
  }
}

inline Layer decode_ethernet(Walk& w) {
  if (!w.has(kEthernetSize)) [[unlikely]] {
    return w.stop_short(kEthernetSize, DecodeReason::ethernet_truncated);
  }
  w.view.destination_mac = MacAddress::wire(w.at());
  w.view.source_mac = MacAddress::wire(w.at() + kMacSize);
  w.view.ether_type = load_be16(w.at() + 12);
  w.consume(kEthernetSize);
  return Layer::ether_type;
}

// LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address, protocol.
inline Layer decode_cooked_v1(Walk& w) {
  if (!w.has(kCookedV1Size)) {
    return w.stop_short(kCookedV1Size, DecodeReason::cooked_truncated);
  }
  if (load_be16(w.at() + 4) == kMacSize) {
    w.view.source_mac = MacAddress::wire(w.at() + 6);
  }
  w.view.ether_type = load_be16(w.at() + 14);
  w.consume(kCookedV1Size);
  return Layer::ether_type;
}

// LINKTYPE_LINUX_SLL2: protocol, reserved, interface, ARPHRD, packet type, address length, address.
inline Layer decode_cooked_v2(Walk& w) {
  if (!w.has(kCookedV2Size)) {
    return w.stop_short(kCookedV2Size, DecodeReason::cooked_truncated);
  }
  if (w.at()[11] == kMacSize) {
    w.view.source_mac = MacAddress::wire(w.at() + 12);
  }
  w.view.ether_type = load_be16(w.at());
  w.consume(kCookedV2Size);
  return Layer::ether_type;
}

inline bool is_vlan_tpid(std::uint16_t ether_type) {
  switch (static_cast<EtherType>(ether_type)) {
    case EtherType::vlan:
    case EtherType::service_vlan:
    case EtherType::old_service_vlan:
      return true;
    default:
      return false;
  }
}

// IP inside IEEE 802.2 SNAP with OUI 0 (RFC 1042).
inline bool peel_snap(Walk& w) {
  constexpr std::array<std::uint8_t, 6> kHeader{0xaa, 0xaa, 0x03, 0, 0, 0};
  if (!w.has(kSnapSize) || std::memcmp(w.at(), kHeader.data(), kHeader.size()) != 0) {
    return false;
  }
  w.view.ether_type = load_be16(w.at() + 6);
  w.consume(kSnapSize);
  return true;
}

inline Layer decode_vlan_tag(Walk& w) {
  if (w.tags == kMaxVlanDepth) {
    return w.stop(DecodeReason::vlan_too_deep);
  }
  if (!w.has(kVlanTagSize)) {
    return w.stop_short(kVlanTagSize, DecodeReason::vlan_truncated);
  }
  push_tag(w, load_be16(w.at()));
  w.view.ether_type = load_be16(w.at() + 2);
  w.consume(kVlanTagSize);
  return Layer::ether_type;
}

inline Layer decode_ether_type(Walk& w) {
  if (w.view.ether_type < kLeastEtherType && !peel_snap(w)) [[unlikely]] {
    return w.stop(DecodeReason::ethertype_not_inspected);
  }
  switch (static_cast<EtherType>(w.view.ether_type)) {
    case EtherType::ipv4:
      return Layer::ipv4;
    case EtherType::ipv6:
      return Layer::ipv6;
    case EtherType::arp:
      return Layer::arp;
    default:
      return is_vlan_tpid(w.view.ether_type) ? decode_vlan_tag(w) : decode_link_tunnel(w);
  }
}

inline Layer decode_arp(Walk& w) {
  constexpr std::size_t kArpSize = 28;
  ArpView arp;
  const DecodeReason reason = parse_arp(w.rest, arp);
  if (reason == DecodeReason::arp_truncated) {
    return w.stop_short(kArpSize, reason);
  }
  if (reason == DecodeReason::none) {
    w.bound(kArpSize);
    w.view.network = w.rest;
  }
  return w.stop(reason);
}

}  // namespace imds::packet
