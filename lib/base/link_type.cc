#include "base/link_type.h"

namespace imds {

std::optional<LinkType> find_link_type(std::uint32_t linktype) {
  // Raw IP says itself which version it is. 12 and 14 are what most systems, and OpenBSD, once
  // wrote for it.
  constexpr std::uint32_t kRaw = 12;
  constexpr std::uint32_t kOpenBsdRaw = 14;
  if (linktype == kRaw || linktype == kOpenBsdRaw) {
    return LinkType::raw_ip;
  }
  if (linktype > 0xffff) {
    return std::nullopt;
  }
  const auto type = static_cast<LinkType>(linktype);
  switch (type) {
    case LinkType::null:
    case LinkType::ethernet:
    case LinkType::token_ring:
    case LinkType::ppp:
    case LinkType::fddi:
    case LinkType::ppp_hdlc:
    case LinkType::ppp_ether:
    case LinkType::atm_rfc1483:
    case LinkType::raw_ip:
    case LinkType::cisco_hdlc:
    case LinkType::ieee802_11:
    case LinkType::atm_clip:
    case LinkType::frame_relay:
    case LinkType::loop:
    case LinkType::enc:
    case LinkType::linux_sll:
    case LinkType::pflog:
    case LinkType::prism:
    case LinkType::ip_over_fc:
    case LinkType::sun_atm:
    case LinkType::radiotap:
    case LinkType::ip_over_ieee1394:
    case LinkType::docsis:
    case LinkType::avs:
    case LinkType::ppp_pppd:
    case LinkType::juniper_ether:
    case LinkType::ppi:
    case LinkType::erf:
    case LinkType::ppp_with_direction:
    case LinkType::cisco_hdlc_with_direction:
    case LinkType::frame_relay_with_direction:
    case LinkType::ipnet:
    case LinkType::nflog:
    case LinkType::netanalyzer:
    case LinkType::netanalyzer_transparent:
    case LinkType::pktap:
    case LinkType::ethernet_mpacket:
    case LinkType::linux_sll2:
      return type;
    case LinkType::raw_ipv4:
    case LinkType::raw_ipv6:
      return LinkType::raw_ip;
  }
  return std::nullopt;
}

}  // namespace imds
