// From single packets to what they say of a metadata service's addresses: who answers from one, and
// who claims one, or a route that covers one; and, where rules listen to DNS, what each DNS message
// says. Needs no flow. Knows the endpoints of the policy in force; makes no events: the Inspector
// does.
//
// Threads: one owner; counters may be read by anyone. All memory is taken at creation: what is
// remembered of owners, answers and DNS over TCP is bounded, see evidence/owners.h, evidence/told.h
// and evidence/dns_stream.h. Never throws. Of more than kMaxClaims claims in one packet, or one DNS
// message, the rest is counted only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "detect/packet_context.h"
#include "detect/policy.h"
#include "event/event.h"
#include "evidence/dns.h"
#include "evidence/dns_answers.h"
#include "evidence/dns_stream.h"
#include "evidence/owners.h"
#include "evidence/told.h"

namespace imds::detect {

struct EvidenceOptions {
  // Names of metadata services in lower case, `*` for anything: a DNS answer for one is a claim.
  std::vector<std::string> metadata_names;
  evidence::Owners::Options owners;
  evidence::Told::Options answers;  // of who was answered by whom
  std::size_t dns_streams = 64;     // DNS messages over TCP under way at once, 64 KiB each
};

// What a message that is looked at belongs to, and what became of it: each has one outcome.
enum class EvidenceSource : std::uint8_t {
  arp,
  neighbour,  // solicitations and advertisements of IPv6, and of routers the solicitations
  router_advertisement,
  redirect,
  dhcp,
  dhcpv6,
  dns,
};
inline constexpr std::size_t kEvidenceSourceCount = 7;
enum class EvidenceOutcome : std::uint8_t {
  claim,      // of an endpoint's address, a route to one, or a metadata name
  request,    // only asks: who-has, solicitations, DHCP clients
  other,      // not about an endpoint
  malformed,  // and no claim in what could be read
};
inline constexpr std::size_t kEvidenceOutcomeCount = 4;
// What became of a DNS message while a rule listens to them: each has one.
enum class DnsOutcome : std::uint8_t {
  judged,
  judged_in_part,  // malformed behind its question, or answers beyond what is compared
  unreadable,      // malformed in its header or question: no event
};
inline constexpr std::size_t kDnsOutcomeCount = 3;
[[nodiscard]] std::string_view name(EvidenceSource source);    // "arp", "nd", …
[[nodiscard]] std::string_view name(EvidenceOutcome outcome);  // "claim", …
[[nodiscard]] std::string_view name(DnsOutcome outcome);       // "judged", …

struct EvidenceCounters {
  std::array<std::array<Counter, kEvidenceOutcomeCount>, kEvidenceSourceCount> messages;
  std::array<Counter, event::kClaimKindCount> claims;  // `none` stays 0
  Counter claims_cut;                                  // beyond kMaxClaims; not in `claims`
  // Routes too short to be a claim, by where they were announced: they cover everything.
  std::array<Counter, kEvidenceSourceCount> default_routes;
  std::array<Counter, event::kAnswerCount> answers;  // packets from endpoints; `none` stays 0
  std::array<Counter, kDnsOutcomeCount> dns_messages;
};

inline constexpr std::size_t kMaxClaims = 16;
// Shorter routes cover everything, and claim nothing in particular.
inline constexpr std::uint8_t kShortestRouteV4 = 8;
inline constexpr std::uint8_t kShortestRouteV6 = 16;

struct Claim {
  event::EvidenceFields fields;
  std::uint16_t endpoint = classify::kNoEndpoint;  // none: a metadata name for another address
  event::Peer claimant;
  event::Peer told;           // of DHCP, the client that the answer is for
  std::string_view dns_name;  // valid until the next packet
};

// What a DNS message says. Views are valid until the next message.
struct DnsTold {
  std::uint16_t id = 0;
  std::string_view name;  // asked for, or of what is told unasked; empty: neither
  event::DnsFields fields;
};

struct Answered {
  event::EvidenceFields fields;
  // The machine's first answer, or not the one that answered before, or (of a SYN-ACK or a
  // datagram) the first to this client within a window.
  bool is_event = false;
};

class Evidence {
 public:
  explicit Evidence(const EvidenceOptions& options);

  // Whether claims_of() has anything to read in a packet.
  [[nodiscard]] static bool may_claim(const packet::PacketView& view) {
    switch (static_cast<packet::IpProtocol>(view.protocol)) {
      case packet::IpProtocol::udp:
        return is_claiming_port(view.source_port, view.destination_port);
      case packet::IpProtocol::icmp:
      case packet::IpProtocol::icmpv6:
        return true;
      default:
        return view.ether_type == static_cast<std::uint16_t>(packet::EtherType::arp);
    }
  }
  // Of datagrams: answers of DNS, mDNS and LLMNR, and DHCP in both directions.
  [[nodiscard]] static constexpr bool is_claiming_port(std::uint16_t source,
                                                       std::uint16_t destination) {
    return source == kDns || source == kMdns || source == kLlmnr || destination - kDhcp <= 1u ||
           destination - kDhcpv6 <= 1u;
  }
  // Where DNS, mDNS and LLMNR are asked.
  [[nodiscard]] static constexpr bool is_dns_port(std::uint16_t port) {
    return port == kDns || port == kMdns || port == kLlmnr;
  }
  // The direction of a TCP connection that DNS answers come in.
  static constexpr std::uint16_t kDns = 53;

  // From the next packet on: whether told() is asked for, and queries are given, too.
  void listen_to_dns(bool listens) { listens_to_dns_ = listens; }
  [[nodiscard]] bool listens_to_dns() const { return listens_to_dns_; }

  // What a packet claims. Valid until the next call for anything.
  [[nodiscard]] std::span<const Claim> claims_of(const PacketContext& packet, const Policy& policy);
  // After that, the DNS message that it was, if rules listen. nullptr: none that can be read.
  [[nodiscard]] const DnsTold* told() const { return has_told_ ? &told_ : nullptr; }

  // The same for bytes of a TCP stream from port 53, or of one to it if rules listen, in order:
  // visit(std::span<const Claim>) once for each DNS message that they complete. `stream` tells
  // streams apart.
  template <typename Visit>
  void dns_bytes(const PacketContext& packet, const Policy& policy, std::uint64_t stream,
                 std::uint32_t sequence, ByteSpan bytes, evidence::DnsKind kind, Visit&& visit) {
    streams_.feed(stream, sequence, bytes, kind, [&](ByteSpan message) {
      begin(packet, policy);
      finish(EvidenceSource::dns, read_dns(message));
      visit(claims());
    });
  }

  // Of a packet from an endpoint's address. nullopt: it is no answer (TCP data, a bare ACK).
  [[nodiscard]] std::optional<Answered> answer_of(const PacketContext& packet);

  [[nodiscard]] const EvidenceCounters& counters() const { return counters_; }
  [[nodiscard]] const evidence::Owners& owners() const { return owners_; }
  [[nodiscard]] const evidence::Told& answers_told() const { return answers_told_; }
  [[nodiscard]] const evidence::DnsStreams& dns_streams() const { return streams_; }

 private:
  static constexpr unsigned kDhcp = 67;
  static constexpr unsigned kDhcpv6 = 546;
  static constexpr std::uint16_t kMdns = 5353;
  static constexpr std::uint16_t kLlmnr = 5355;

  void begin(const PacketContext& packet, const Policy& policy);
  void finish(EvidenceSource source, EvidenceOutcome outcome);
  [[nodiscard]] std::span<const Claim> claims() const {
    return std::span(claims_).first(claim_count_);
  }

  // claims_on_link.cc. Each returns what the message is if it makes no claim.
  EvidenceOutcome read_arp();
  EvidenceOutcome read_icmp_redirect();
  EvidenceOutcome read_neighbour();
  EvidenceOutcome read_router_advertisement();
  EvidenceOutcome read_icmpv6_redirect();
  void read_icmp();
  // claims_by_service.cc: the same.
  EvidenceOutcome read_dhcp();
  EvidenceOutcome read_dhcpv6();
  EvidenceOutcome read_dns(ByteSpan message);
  EvidenceOutcome read_dns_claims(ByteSpan message);
  void tell_dns(ByteSpan message);
  void note_dns_name(std::string_view question, std::string_view owner);
  [[nodiscard]] bool is_metadata_name(std::string_view name) const;

  // Claims the address or route if it is, or covers, an endpoint's. nullptr: it is not; or there is
  // no more room, counted.
  Claim* claim_address(event::ClaimKind kind, const IpAddress& address);
  Claim* claim_route(event::ClaimKind kind, EvidenceSource source, const IpPrefix& prefix);
  Claim* add(event::ClaimKind kind, std::uint16_t endpoint, const IpPrefix& prefix);
  void note_owner(Claim& claim, const MacAddress& owner);
  [[nodiscard]] bool is_first_answer_to(const packet::PacketView& view, event::Answer kind);
  [[nodiscard]] evidence::OwnerKey owner_key(const IpAddress& address, std::uint8_t role) const;

  EvidenceOptions options_;
  evidence::Owners owners_;
  evidence::Told answers_told_;
  evidence::DnsStreams streams_;
  EvidenceCounters counters_;

  // The packet at hand.
  const PacketContext* packet_ = nullptr;
  const Policy* policy_ = nullptr;
  std::size_t claim_count_ = 0;
  std::array<Claim, kMaxClaims> claims_;
  std::array<char, evidence::kMaxDnsText> dns_name_;
  std::size_t dns_name_size_ = 0;

  bool listens_to_dns_ = false;
  bool has_told_ = false;
  DnsTold told_;
  std::array<char, evidence::kMaxDnsText> told_name_;
  evidence::DnsAnswers answers_;
};

}  // namespace imds::detect
