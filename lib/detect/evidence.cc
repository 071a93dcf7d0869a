#include "detect/evidence.h"

#include <algorithm>
#include <cstring>

#include "base/siphash.h"
#include "evidence/icmp.h"

namespace imds::detect {

namespace {

using event::Answer;
using event::ClaimKind;
using packet::IpProtocol;

constexpr std::array<std::string_view, kEvidenceSourceCount> kSources{
    "arp", "nd", "ra", "redirect", "dhcp", "dhcpv6", "dns"};
constexpr std::array<std::string_view, kEvidenceOutcomeCount> kOutcomes{"claim", "request", "other",
                                                                        "malformed"};
constexpr std::array<std::string_view, kDnsOutcomeCount> kDnsOutcomes{"judged", "judged_in_part",
                                                                      "unreadable"};

bool is_neighbour_discovery(std::uint8_t icmp_type) {
  return icmp_type >= evidence::kRouterSolicitation && icmp_type <= evidence::kIcmpv6Redirect;
}

// What of a packet from an endpoint's address is an answer. The messages by which neighbours find
// each other are claims.
Answer kind_of(const packet::PacketView& view) {
  switch (static_cast<IpProtocol>(view.protocol)) {
    case IpProtocol::tcp:
      return view.tcp.has(packet::kTcpRst)                     ? Answer::rst
             : view.tcp.has(packet::kTcpSyn | packet::kTcpAck) ? Answer::syn_ack
                                                               : Answer::none;
    case IpProtocol::udp:
      return Answer::udp;
    case IpProtocol::icmp:
      return Answer::icmp;
    case IpProtocol::icmpv6:
      return is_neighbour_discovery(view.icmp_type) ? Answer::none : Answer::icmp;
    default:
      return Answer::none;
  }
}

}  // namespace

std::string_view name(EvidenceSource source) {
  return kSources[static_cast<std::size_t>(source)];
}

std::string_view name(EvidenceOutcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

std::string_view name(DnsOutcome outcome) {
  return kDnsOutcomes[static_cast<std::size_t>(outcome)];
}

Evidence::Evidence(const EvidenceOptions& options)
    : options_(options),
      owners_(options.owners),
      answers_told_(options.answers),
      streams_(options.dns_streams) {}

std::span<const Claim> Evidence::claims_of(const PacketContext& packet, const Policy& policy) {
  const packet::PacketView& view = *packet.view;
  begin(packet, policy);
  if (view.ether_type == static_cast<std::uint16_t>(packet::EtherType::arp)) {
    finish(EvidenceSource::arp, read_arp());
    return claims();
  }
  if (view.reason != DecodeReason::none) {
    return {};
  }
  if (!view.is(IpProtocol::udp)) {
    read_icmp();
  } else if (view.destination_port - kDhcp <= 1u) {
    finish(EvidenceSource::dhcp, read_dhcp());
  } else if (view.destination_port - kDhcpv6 <= 1u) {
    finish(EvidenceSource::dhcpv6, read_dhcpv6());
  } else {
    finish(EvidenceSource::dns, read_dns(view.payload));
  }
  return claims();
}

void Evidence::begin(const PacketContext& packet, const Policy& policy) {
  packet_ = &packet;
  policy_ = &policy;
  claim_count_ = 0;
  dns_name_size_ = 0;
  has_told_ = false;
}

void Evidence::finish(EvidenceSource source, EvidenceOutcome outcome) {
  const EvidenceOutcome settled = claim_count_ > 0 ? EvidenceOutcome::claim : outcome;
  counters_.messages[static_cast<std::size_t>(source)][static_cast<std::size_t>(settled)].add();
}

Claim* Evidence::claim_address(ClaimKind kind, const IpAddress& address) {
  const std::uint16_t endpoint = policy_->endpoint_of(address);
  const auto length = static_cast<std::uint8_t>(8 * address.size());
  return endpoint == classify::kNoEndpoint ? nullptr : add(kind, endpoint, {address, length});
}

Claim* Evidence::claim_route(ClaimKind kind, EvidenceSource source, const IpPrefix& prefix) {
  if (prefix.length < (prefix.address.is_v4() ? kShortestRouteV4 : kShortestRouteV6)) {
    counters_.default_routes[static_cast<std::size_t>(source)].add();
    return nullptr;
  }
  const std::uint16_t endpoint = policy_->endpoint_within(prefix);
  return endpoint == classify::kNoEndpoint ? nullptr : add(kind, endpoint, prefix);
}

Claim* Evidence::add(ClaimKind kind, std::uint16_t endpoint, const IpPrefix& prefix) {
  if (claim_count_ == claims_.size()) {
    counters_.claims_cut.add();
    return nullptr;
  }
  counters_.claims[static_cast<std::size_t>(kind)].add();
  const packet::PacketView& view = *packet_->view;
  Claim& claim = claims_[claim_count_++];
  claim = {};
  claim.fields.claim = kind;
  claim.fields.prefix = prefix;
  claim.endpoint = endpoint;
  claim.claimant = {view.source, view.source_port, view.source_mac};
  claim.told = {view.destination, view.destination_port, view.destination_mac};
  constexpr std::uint8_t kGroup = 0x01;  // IEEE 802: broadcast and multicast
  if ((view.destination_mac.bytes[0] & kGroup) != 0) {
    claim.fields.signs |= event::kBroadcast;
  }
  return &claim;
}

evidence::OwnerKey Evidence::owner_key(const IpAddress& address, std::uint8_t role) const {
  const packet::PacketView& view = *packet_->view;
  evidence::OwnerKey key;
  key.address = address;
  key.role = role;
  key.vlan_count = view.vlan.count;
  std::copy_n(view.vlan.ids.begin(), view.vlan.count, key.vlans.begin());
  key.vni = view.vni;
  return key;
}

// By the claim, `owner` has the address now.
void Evidence::note_owner(Claim& claim, const MacAddress& owner) {
  constexpr std::uint8_t kClaimed = 0xff;  // no Answer
  claim.fields.claimed_mac = owner;
  if (owner.is_zero()) {
    return;
  }
  const packet::PacketView& view = *packet_->view;
  if (!view.source_mac.is_zero() && owner != view.source_mac) {
    claim.fields.signs |= event::kMacMismatch;
  }
  const evidence::Owners::Noted noted =
      owners_.note(owner_key(claim.fields.prefix.address, kClaimed), owner, view.time);
  if (noted.changed()) {
    claim.fields.signs |= event::kOwnerChanged;
    claim.fields.previous_mac = noted.previous;
  }
}

// Of this machine from this address to this client, within the window.
bool Evidence::is_first_answer_to(const packet::PacketView& view, Answer kind) {
  std::array<std::uint64_t, 8> words{};
  std::memcpy(&words[0], view.source.bytes.data(), view.source.bytes.size());
  std::memcpy(&words[2], view.destination.bytes.data(), view.destination.bytes.size());
  std::memcpy(&words[4], view.source_mac.bytes.data(), view.source_mac.bytes.size());
  words[5] = std::uint64_t{view.vni} << 32 | std::uint64_t{view.vlan.count} << 16 |
             static_cast<std::uint64_t>(view.source.family) << 8 | static_cast<std::uint64_t>(kind);
  for (std::size_t i = 0; i < view.vlan.count; ++i) {
    words[6] = words[6] << 16 | view.vlan.ids[i];
  }
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(words.data());
  return answers_told_.note(siphash128(options_.owners.secret, {bytes, sizeof words}), view.time);
}

std::optional<Answered> Evidence::answer_of(const PacketContext& packet) {
  const packet::PacketView& view = *packet.view;
  const Answer kind = view.reason == DecodeReason::none ? kind_of(view) : Answer::none;
  if (kind == Answer::none) {
    return std::nullopt;
  }
  counters_.answers[static_cast<std::size_t>(kind)].add();
  packet_ = &packet;
  Answered answered;
  answered.fields.answer = kind;
  answered.fields.ttl = view.ttl;
  answered.fields.hop_distance = event::hop_distance(view.ttl);
  const evidence::Owners::Noted noted = owners_.note(
      owner_key(view.source, static_cast<std::uint8_t>(kind)), view.source_mac, view.time);
  const bool is_first = event::counts_as_answered(kind) && is_first_answer_to(view, kind);
  answered.is_event = noted.is_new || noted.changed() || is_first;
  answered.fields.previous_mac = noted.previous;
  return answered;
}

}  // namespace imds::detect
