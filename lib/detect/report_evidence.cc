// Answers and claims to events.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/siphash.h"
#include "detect/inspector.h"

namespace imds::detect {

namespace {

constexpr classify::AddressClass kNothingKnown;

// Says nothing of a place: addresses of one link, of groups, and of nobody.
bool is_without_place(const IpAddress& address) {
  const std::uint8_t first = address.bytes[0];
  const std::uint8_t second = address.bytes[1];
  if (address.is_v4()) {
    return first == 0 || first >= 224 || (first == 169 && second == 254);
  }
  const bool is_unspecified = std::all_of(address.bytes.begin(), address.bytes.end(),
                                          [](std::uint8_t byte) { return byte == 0; });
  return is_unspecified || first == 0xff || (first == 0xfe && (second & 0xc0) == 0x80);
}

// Innermost addresses, ports, tags, and what of the connection's direction a DNS server sends in.
std::uint64_t stream_number(const packet::PacketView& view, const SipKey& secret) {
  std::array<std::uint64_t, 6> words{};
  std::memcpy(&words[0], view.source.bytes.data(), 16);
  std::memcpy(&words[2], view.destination.bytes.data(), 16);
  words[4] =
      std::uint64_t{view.source_port} << 48 | std::uint64_t{view.destination_port} << 32 | view.vni;
  for (std::size_t i = 0; i < view.vlan.count; ++i) {
    words[5] = words[5] << 16 | view.vlan.ids[i];
  }
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(words.data());
  return siphash128(secret, {bytes, sizeof words})[0];
}

// Who asked whom, by which number and for what.
std::uint64_t lookup_number(const event::Event& event, std::uint16_t id, const SipKey& secret) {
  std::array<std::uint8_t, 40 + evidence::kMaxDnsText> bytes{};
  const event::Peer& client = event.flow.source;
  const event::Peer& server = event.flow.destination;
  std::memcpy(&bytes[0], client.ip.bytes.data(), 16);
  std::memcpy(&bytes[16], server.ip.bytes.data(), 16);
  store_be16(&bytes[32], client.port);
  store_be16(&bytes[34], server.port);
  store_be16(&bytes[36], id);
  bytes[38] = event.flow.ip_protocol;
  bytes[39] = event.dns.question_type ? static_cast<std::uint8_t>(*event.dns.question_type) : 0;
  std::copy(event.dns_name.begin(), event.dns_name.end(), bytes.begin() + 40);
  return siphash128(secret, std::span(bytes).first(40 + event.dns_name.size()))[0];
}

}  // namespace

void Inspector::evidence(const PacketContext& packet) {
  if (packet.source->is_endpoint()) {
    report_answer(packet);
  }
  if (may_be_dns_or_claim(*packet.view)) {
    for (const Claim& claim : evidence_.claims_of(packet, seat_->policy())) {
      report_claim(packet, claim);
    }
    if (const DnsTold* told = evidence_.told()) {
      report_dns(packet, *told);
    }
  }
}

// What any event says of the packet that completed it.
event::Event Inspector::packet_event(const PacketContext& packet, event::EventType type) const {
  const packet::PacketView& view = *packet.view;
  event::Event event;
  event.type = type;
  event.time = view.time;
  event.is_test = packet.is_test;
  event.flow.ip_protocol = view.protocol;
  event.flow.ttl = view.ttl;
  event.flow.vlan_count = view.vlan.count;
  std::copy_n(view.vlan.ids.begin(), view.vlan.count, event.flow.vlans.begin());
  event.flow.ingress_port = packet.ingress_port;
  event.flow.tunnel = view.tunnel;
  event.flow.visibility =
      static_cast<std::uint8_t>((view.truncated ? event::kCaptureTruncated : 0) |
                                (packet.second_reading ? event::kSecondReading : 0));
  return event;
}

void Inspector::name_endpoint(event::Event& event, std::uint16_t endpoint) const {
  const std::vector<std::string>& endpoints = seat_->policy().endpoint_names;
  if (endpoint < endpoints.size()) {
    event.flow.endpoint = endpoints[endpoint];
  }
}

// network.direction, where some rule asks for it. Not every claim names both sides.
void Inspector::add_direction(event::Event& event) const {
  const auto& own = seat_->policy().own_networks;
  const IpAddress& source = event.flow.source.ip;
  const IpAddress& destination = event.flow.destination.ip;
  if (own && source.is_set() && destination.is_set()) {
    event.flow.direction = own->direction(source, destination);
  }
}

void Inspector::report_answer(const PacketContext& packet) {
  const packet::PacketView& view = *packet.view;
  const std::optional<Answered> answered = evidence_.answer_of(packet);
  if (!answered || !answered->is_event) {
    return;
  }
  event::Event event = packet_event(packet, event::EventType::responder);
  event.flow.source = {view.destination, view.destination_port, view.destination_mac};
  event.flow.destination = {view.source, view.source_port, view.source_mac};
  name_endpoint(event, packet.source->endpoint);
  event.evidence = answered->fields;
  add_direction(event);
  seat_->evaluator().evaluate(event, hits_);
  settle({*packet.destination,
          view.vlan,
          packet.source->endpoint,
          view.tunnel,
          view.source,
          view.source_mac,
          {},
          view.time},
         event);
}

void Inspector::report_claim(const PacketContext& packet, const Claim& claim) {
  const packet::PacketView& view = *packet.view;
  event::Event event = packet_event(packet, event::EventType::address_claim);
  event.flow.source = claim.claimant;
  event.flow.destination = claim.told;
  name_endpoint(event, claim.endpoint);
  event.evidence = claim.fields;
  event.dns_name = claim.dns_name;
  add_direction(event);
  seat_->evaluator().evaluate(event, hits_);
  // The claimant takes the responder's part, and whoever was told that of the client.
  classify::Subject subject{
      class_of(claim.told.ip), view.vlan, claim.endpoint, view.tunnel, claim.claimant.ip,
      claim.claimant.mac,      {},        view.time};
  subject.nowhere = is_without_place(claim.told.ip);
  settle(subject, event);
}

void Inspector::report_dns(const PacketContext& packet, const DnsTold& told) {
  const packet::PacketView& view = *packet.view;
  const event::Peer sender{view.source, view.source_port, view.source_mac};
  const event::Peer receiver{view.destination, view.destination_port, view.destination_mac};
  const bool is_answer = told.fields.is_answer;
  const classify::AddressClass& client = is_answer ? *packet.destination : *packet.source;
  const std::uint16_t endpoint =
      packet.source->is_endpoint() ? packet.source->endpoint : packet.destination->endpoint;
  event::Event event = packet_event(packet, event::EventType::dns);
  event.flow.source = is_answer ? receiver : sender;
  event.flow.destination = is_answer ? sender : receiver;
  if (const auto& own = seat_->policy().own_networks) {
    event.flow.direction = own->direction(event.flow.source.ip, event.flow.destination.ip);
  }
  event.dns_name = told.name;
  event.dns = told.fields;
  seat_->evaluator().evaluate(event, hits_);
  if (hits_.count > 0) {
    lookups_.forget_told(lookup_number(event, told.id, options_.evidence.owners.secret), event.time,
                         seat_->policy().rule_identities, hits_);
  }
  settle({client,
          view.vlan,
          endpoint,
          view.tunnel,
          event.flow.destination.ip,
          event.flow.destination.mac,
          {},
          event.time},
         event);
}

const classify::AddressClass& Inspector::class_of(const IpAddress& address) const {
  const auto& classifier = seat_->policy().classifier;
  return classifier != nullptr ? classifier->lookup(address) : kNothingKnown;
}

// In the direction of the stream at hand, which need not be the packet's.
bool Inspector::is_from_dns_server(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  const bool is_packets_own = step.index() == flow::index(step.direction);
  return (is_packets_own ? view.source_port : view.destination_port) == Evidence::kDns;
}

// Of queries, only where a rule listens.
bool Inspector::carries_dns(const Step& step) const {
  if (!evidence_.listens_to_dns()) {
    return is_from_dns_server(step);
  }
  const packet::PacketView& view = *step.packet.view;
  return view.source_port == Evidence::kDns || view.destination_port == Evidence::kDns;
}

// DNS messages are put together whatever else becomes of the stream.
bool Inspector::needs_order(const Step& step, std::uint64_t to) const {
  const bool is_hello = step.flow.hello == step.index() + 1;
  return step.stream.needs_order(to) || is_hello || carries_dns(step);
}

void Inspector::note_dns_bytes(const Step& step, std::uint32_t sequence, ByteSpan bytes) {
  // Of segments that waited, the last packet may have gone the other way.
  packet::PacketView turned;
  PacketContext context = step.packet;
  if (step.index() != flow::index(step.direction)) {
    turned = *step.packet.view;
    std::swap(turned.source, turned.destination);
    std::swap(turned.source_port, turned.destination_port);
    std::swap(turned.source_mac, turned.destination_mac);
    std::swap(context.source, context.destination);
    context.view = &turned;
  }
  const std::uint64_t stream = stream_number(*context.view, options_.evidence.owners.secret);
  const auto kind =
      is_from_dns_server(step) ? evidence::DnsKind::response : evidence::DnsKind::query;
  evidence_.dns_bytes(context, seat_->policy(), stream, sequence, bytes, kind,
                      [&](std::span<const Claim> claims) {
                        for (const Claim& claim : claims) {
                          report_claim(context, claim);
                        }
                        if (const DnsTold* told = evidence_.told()) {
                          report_dns(context, *told);
                        }
                      });
}

}  // namespace imds::detect
