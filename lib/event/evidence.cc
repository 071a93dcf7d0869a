#include "event/evidence.h"

#include <array>

namespace imds::event {
namespace {

constexpr std::array<std::string_view, kAnswerCount> kAnswers{"none", "syn_ack", "udp", "rst",
                                                              "icmp"};

constexpr std::array<std::string_view, kClaimKindCount> kClaims{
    "none",
    "arp_reply",
    "arp_gratuitous",
    "arp_announcement",
    "arp_probe",
    "arp_sender",
    "nd_advertisement",
    "nd_probe",
    "nd_sender",
    "ra_prefix",
    "ra_route",
    "icmp_redirect",
    "icmpv6_redirect",
    "dhcp_route",
    "dhcp_route_249",
    "dhcp_static_route",
    "dhcp_router",
    "dhcp_lease",
    "dhcpv6_lease",
    "dhcpv6_prefix",
    "dns_address",
    "dns_metadata_name",
};

constexpr std::array<SignName, 10> kSigns{{
    {kMacMismatch, "mac_mismatch"},
    {kOwnerChanged, "owner_changed"},
    {kBroadcast, "broadcast"},
    {kRouterFlag, "router"},
    {kSolicited, "solicited"},
    {kOverride, "override"},
    {kOnLink, "on_link"},
    {kAutonomous, "autonomous"},
    {kRelayed, "relayed"},
    {kOverloaded, "overloaded"},
}};

}  // namespace

std::string_view name(Answer answer) {
  return kAnswers[static_cast<std::size_t>(answer)];
}

std::string_view name(ClaimKind kind) {
  return kClaims[static_cast<std::size_t>(kind)];
}

std::span<const SignName> sign_names() {
  return kSigns;
}

std::optional<std::uint8_t> hop_distance(std::uint8_t ttl) {
  if (ttl == 0) {
    return std::nullopt;
  }
  for (const int initial : {32, 64, 128}) {
    if (ttl <= initial) {
      return static_cast<std::uint8_t>(initial - ttl);
    }
  }
  return static_cast<std::uint8_t>(255 - ttl);
}

}  // namespace imds::event
