// Claims that neighbours make to each other: ARP, neighbour discovery, router advertisements,
// redirects.
#include "detect/evidence.h"
#include "evidence/arp.h"
#include "evidence/icmp.h"

namespace imds::detect {

namespace {

using event::ClaimKind;

std::uint16_t signs_of_advertisement(std::uint8_t flags) {
  return static_cast<std::uint16_t>(
      ((flags & evidence::kAdvertisedByRouter) != 0 ? event::kRouterFlag : 0) |
      ((flags & evidence::kAnswersSolicitation) != 0 ? event::kSolicited : 0) |
      ((flags & evidence::kOverridesCache) != 0 ? event::kOverride : 0));
}

}  // namespace

EvidenceOutcome Evidence::read_arp() {
  const packet::PacketView& view = *packet_->view;
  packet::ArpView message;
  if (view.reason != DecodeReason::none ||
      packet::parse_arp(view.network, message) != DecodeReason::none) {
    return EvidenceOutcome::malformed;
  }
  const evidence::ArpClaim said = evidence::read_arp(message);
  Claim* const claim =
      said.kind == ClaimKind::none ? nullptr : claim_address(said.kind, said.address);
  if (claim == nullptr) {
    return said.is_request ? EvidenceOutcome::request : EvidenceOutcome::other;
  }
  const bool is_probe = said.kind == ClaimKind::arp_probe;
  claim->claimant.ip = is_probe ? IpAddress{} : message.sender_ip;
  claim->told.ip = message.target_ip;
  if (is_probe) {
    claim->fields.claimed_mac = said.owner;
  } else {
    note_owner(*claim, said.owner);
  }
  return EvidenceOutcome::claim;
}

void Evidence::read_icmp() {
  const packet::PacketView& view = *packet_->view;
  if (view.is(packet::IpProtocol::icmp)) {
    if (view.icmp_type == evidence::kIcmpRedirect) {
      finish(EvidenceSource::redirect, read_icmp_redirect());
    }
    return;
  }
  // Receivers drop these if they crossed a router, or have a code.
  const bool is_valid = view.ttl == evidence::kNeighbourHopLimit && view.icmp_code == 0;
  const auto read = [&](EvidenceSource source, EvidenceOutcome (Evidence::*reader)()) {
    finish(source, is_valid ? (this->*reader)() : EvidenceOutcome::malformed);
  };
  switch (view.icmp_type) {
    case evidence::kRouterSolicitation:
      finish(EvidenceSource::neighbour, EvidenceOutcome::request);
      break;
    case evidence::kNeighbourSolicitation:
    case evidence::kNeighbourAdvertisement:
      read(EvidenceSource::neighbour, &Evidence::read_neighbour);
      break;
    case evidence::kRouterAdvertisement:
      read(EvidenceSource::router_advertisement, &Evidence::read_router_advertisement);
      break;
    case evidence::kIcmpv6Redirect:
      read(EvidenceSource::redirect, &Evidence::read_icmpv6_redirect);
      break;
    default:
      break;
  }
}

EvidenceOutcome Evidence::read_neighbour() {
  const packet::PacketView& view = *packet_->view;
  const evidence::NeighbourMessage message = evidence::read_neighbour(view.icmp_type, view.payload);
  if (!message.ok) {
    return EvidenceOutcome::malformed;
  }
  const MacAddress owner = message.link_layer.is_zero() ? view.source_mac : message.link_layer;
  if (view.icmp_type == evidence::kNeighbourAdvertisement) {
    if (Claim* const claim = claim_address(ClaimKind::nd_advertisement, message.target)) {
      claim->fields.signs |= signs_of_advertisement(message.flags);
      note_owner(*claim, owner);
    }
    return EvidenceOutcome::other;
  }
  const bool is_probe = view.source == IpAddress::v6_wire(IpAddress{}.bytes.data());
  if (is_probe) {
    if (Claim* const claim = claim_address(ClaimKind::nd_probe, message.target)) {
      claim->claimant.ip = {};
      claim->fields.claimed_mac = view.source_mac;
    }
  } else if (Claim* const claim = claim_address(ClaimKind::nd_sender, view.source)) {
    note_owner(*claim, owner);
  }
  return EvidenceOutcome::request;
}

EvidenceOutcome Evidence::read_router_advertisement() {
  const packet::PacketView& view = *packet_->view;
  constexpr auto kSource = EvidenceSource::router_advertisement;
  evidence::RouterAdvertisement message(view.payload);
  if (message.router_lifetime() > 0) {
    counters_.default_routes[static_cast<std::size_t>(kSource)].add();
  }
  evidence::AdvertisedPrefix said;
  while (message.next(said)) {
    const bool is_meant = said.is_route || said.on_link || said.autonomous;
    if (said.lifetime == 0 || !is_meant) {
      continue;
    }
    const ClaimKind kind = said.is_route ? ClaimKind::ra_route : ClaimKind::ra_prefix;
    Claim* const claim = claim_route(kind, kSource, said.prefix);
    if (claim != nullptr && said.is_route) {
      claim->fields.gateway = view.source;
    } else if (claim != nullptr) {
      claim->fields.signs |= static_cast<std::uint16_t>((said.on_link ? event::kOnLink : 0) |
                                                        (said.autonomous ? event::kAutonomous : 0));
    }
  }
  return message.ok() ? EvidenceOutcome::other : EvidenceOutcome::malformed;
}

EvidenceOutcome Evidence::read_icmpv6_redirect() {
  const evidence::NeighbourMessage message =
      evidence::read_neighbour(evidence::kIcmpv6Redirect, packet_->view->payload);
  if (!message.ok) {
    return EvidenceOutcome::malformed;
  }
  if (Claim* const claim = claim_address(ClaimKind::icmpv6_redirect, message.destination)) {
    claim->fields.gateway = message.target;
    claim->fields.claimed_mac = message.link_layer;
  }
  return EvidenceOutcome::other;
}

EvidenceOutcome Evidence::read_icmp_redirect() {
  const evidence::IcmpRedirect message = evidence::read_icmp_redirect(packet_->view->payload);
  if (!message.ok) {
    return EvidenceOutcome::malformed;
  }
  if (Claim* const claim = claim_address(ClaimKind::icmp_redirect, message.destination)) {
    claim->fields.gateway = message.gateway;
  }
  return EvidenceOutcome::other;
}

}  // namespace imds::detect
