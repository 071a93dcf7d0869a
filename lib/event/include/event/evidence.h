// What an impersonator leaves behind, as fields of an event: who answered from an address that is a
// metadata service's, and who claimed such an address, by which means.
//
// Plain data, no threads. Names are values of Sigma fields, of alerts and of metric labels: lower
// snake case, never renamed once released; numbers stand in alert records and never change either.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.h"

namespace imds::event {

// Values of `imds.answer`. Firewalls forge the last two in the name of any address.
enum class Answer : std::uint8_t { none = 0, syn_ack, udp, rst, icmp };
inline constexpr std::size_t kAnswerCount = 5;
[[nodiscard]] constexpr bool counts_as_answered(Answer answer) {
  return answer == Answer::syn_ack || answer == Answer::udp;
}

// Values of `imds.claim.kind`: how an address, or a route that covers one, was claimed.
enum class ClaimKind : std::uint8_t {
  none = 0,
  arp_reply,          // is-at
  arp_gratuitous,     // is-at, told to nobody in particular: sender and target address are the same
  arp_announcement,   // RFC 5227, 2.3: a request with sender and target address the same
  arp_probe,          // RFC 5227, 2.1.1: is the address free? Who asks means to take it
  arp_sender,         // a request for another address, with the address as its sender's
  nd_advertisement,   // RFC 4861, 4.4
  nd_probe,           // RFC 4862, 5.4: duplicate address detection, as arp_probe
  nd_sender,          // a solicitation sent from the address
  ra_prefix,          // RFC 4861, 4.6.2: prefix information, on-link or autonomous
  ra_route,           // RFC 4191, 2.3
  icmp_redirect,      // RFC 792
  icmpv6_redirect,    // RFC 4861, 4.5
  dhcp_route,         // option 121 (RFC 3442)
  dhcp_route_249,     // the same under Microsoft's number (MS-DHCPE, 2.2.8)
  dhcp_static_route,  // option 33 (RFC 2132, 5.8)
  dhcp_router,        // option 3 names the address as a router
  dhcp_lease,         // the address is given to a client
  dhcpv6_lease,       // the same (RFC 8415, 21.6)
  dhcpv6_prefix,      // a prefix that covers it is delegated (RFC 8415, 21.22)
  dns_address,        // a name is mapped to the address
  dns_metadata_name,  // a metadata service's name is mapped to any address or name
};
inline constexpr std::size_t kClaimKindCount = 22;

// Bits of `imds.claim.signs`: what else is to be said about a claim.
enum ClaimSign : std::uint16_t {
  kMacMismatch = 0x0001,   // the MAC claimed is not the one the frame came from
  kOwnerChanged = 0x0002,  // another MAC had the address before
  kBroadcast = 0x0004,     // told to everybody on the link, or to a group
  kRouterFlag = 0x0008,    // ND: R
  kSolicited = 0x0010,     // ND: S
  kOverride = 0x0020,      // ND: O
  kOnLink = 0x0040,        // RA prefix: L
  kAutonomous = 0x0080,    // RA prefix: A
  kRelayed = 0x0100,       // DHCP: came through a relay
  kOverloaded = 0x0200,    // DHCP: options stand in the fields `sname` or `file`, too
};

struct SignName {
  ClaimSign bit;
  std::string_view name;  // "mac_mismatch", …
};

// "syn_ack", …; "none" for none.
[[nodiscard]] std::string_view name(Answer answer);
[[nodiscard]] std::string_view name(ClaimKind kind);
// In order of bits. No name is part of another.
[[nodiscard]] std::span<const SignName> sign_names();

// Set for `responder` and `address_claim`.
struct EvidenceFields {
  Answer answer = Answer::none;
  ClaimKind claim = ClaimKind::none;
  std::uint8_t ttl = 0;  // of the answer; 0: not known
  // Routers between the responder and the tap, as far as the TTL tells; see hop_distance().
  std::optional<std::uint8_t> hop_distance;
  std::uint16_t signs = 0;  // ClaimSign bits
  MacAddress claimed_mac;   // who has the address, by the claim; zero: it does not say
  MacAddress previous_mac;  // who had it, or answered, before; zero: nobody
  IpPrefix prefix;          // what is claimed; family none: a name without an address
  IpAddress gateway;        // next hop of a route; family none: there is none

  friend bool operator==(const EvidenceFields&, const EvidenceFields&) = default;
};

// From the usual initial values 32, 64, 128 and 255: how much is missing to the next of them. 0:
// the sender is on the link (or made its TTL look so).
[[nodiscard]] std::optional<std::uint8_t> hop_distance(std::uint8_t ttl);

}  // namespace imds::event
