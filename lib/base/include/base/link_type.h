// Link layers of captured packets, by tcpdump's LINKTYPE_ numbers. Shared vocabulary of the capture
// reader, which finds the number in a file, and the decoder, which peels the header it stands for.
#pragma once

#include <cstdint>
#include <optional>

namespace imds {

enum class LinkType : std::uint16_t {
  null = 0,  // BSD loopback: address family in the capturing host's byte order
  ethernet = 1,
  token_ring = 6,
  ppp = 9,
  fddi = 10,
  ppp_hdlc = 50,
  ppp_ether = 51,     // begins with the PPPoE header
  atm_rfc1483 = 100,  // LLC/SNAP of AAL5 frames
  raw_ip = 101,
  cisco_hdlc = 104,
  ieee802_11 = 105,
  atm_clip = 106,
  frame_relay = 107,
  loop = 108,  // OpenBSD loopback: address family in network order
  enc = 109,   // OpenBSD IPsec
  linux_sll = 113,
  pflog = 117,
  prism = 119,
  ip_over_fc = 122,
  sun_atm = 123,
  radiotap = 127,
  ip_over_ieee1394 = 138,
  docsis = 143,
  avs = 163,
  ppp_pppd = 166,  // direction in place of PPP's address byte
  juniper_ether = 178,
  ppi = 192,
  erf = 197,
  ppp_with_direction = 204,
  cisco_hdlc_with_direction = 205,
  frame_relay_with_direction = 206,
  ipnet = 226,  // Solaris
  raw_ipv4 = 228,
  raw_ipv6 = 229,
  nflog = 239,
  netanalyzer = 240,
  netanalyzer_transparent = 241,
  pktap = 258,  // macOS
  ethernet_mpacket = 274,
  linux_sll2 = 276,
};

// What the decoder makes of a number in a capture file; nullopt: nothing.
[[nodiscard]] std::optional<LinkType> find_link_type(std::uint32_t linktype);

}  // namespace imds
