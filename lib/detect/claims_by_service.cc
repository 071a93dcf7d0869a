// Claims that a server makes: DHCP in both versions, and DNS.
#include <algorithm>

#include "base/text.h"
#include "detect/evidence.h"
#include "evidence/dhcp4.h"
#include "evidence/dhcp6.h"

namespace imds::detect {

namespace {

using event::ClaimKind;
using evidence::Dhcp4Option;

struct RouteOption {
  Dhcp4Option option;
  ClaimKind kind;
};
constexpr std::array<RouteOption, 3> kRouteOptions{{
    {Dhcp4Option::classless_route, ClaimKind::dhcp_route},
    {Dhcp4Option::classless_route_microsoft, ClaimKind::dhcp_route_249},
    {Dhcp4Option::static_route, ClaimKind::dhcp_static_route},
}};

bool is_zero(const IpAddress& address) {
  return address == IpAddress::v4(0);
}

}  // namespace

EvidenceOutcome Evidence::read_dhcp() {
  const evidence::Dhcp4Message message(packet_->view->payload);
  if (!message.ok()) {
    return EvidenceOutcome::malformed;
  }
  if (!message.is_reply()) {
    return EvidenceOutcome::request;
  }
  if (!message.gives()) {
    return EvidenceOutcome::other;
  }
  bool well = !message.options_malformed();
  for (const RouteOption& option : kRouteOptions) {
    well &= message.for_each_route(option.option, [&](const evidence::Dhcp4Route& route) {
      if (Claim* const claim = claim_route(option.kind, EvidenceSource::dhcp, route.prefix)) {
        claim->fields.gateway = route.gateway;
      }
    });
  }
  bool has_router = false;
  well &= message.for_each_route(Dhcp4Option::router, [&](const evidence::Dhcp4Route& route) {
    has_router = true;
    (void)claim_address(ClaimKind::dhcp_router, route.gateway);
  });
  if (has_router) {
    counters_.default_routes[static_cast<std::size_t>(EvidenceSource::dhcp)].add();
  }
  (void)claim_address(ClaimKind::dhcp_lease, message.your_address());
  for (Claim& claim : std::span(claims_).first(claim_count_)) {
    claim.fields.signs |=
        static_cast<std::uint16_t>((message.is_relayed() ? event::kRelayed : 0) |
                                   (message.is_overloaded() ? event::kOverloaded : 0));
    if (!is_zero(message.your_address())) {
      claim.told.ip = message.your_address();
    }
    if (!message.client_mac().is_zero()) {
      claim.told.mac = message.client_mac();
    }
  }
  return well ? EvidenceOutcome::other : EvidenceOutcome::malformed;
}

EvidenceOutcome Evidence::read_dhcpv6() {
  evidence::Dhcp6Message message(packet_->view->payload);
  if (!message.ok()) {
    return EvidenceOutcome::malformed;
  }
  if (!message.gives()) {
    return message.is_request() ? EvidenceOutcome::request : EvidenceOutcome::other;
  }
  evidence::Dhcp6Grant grant;
  while (message.next(grant)) {
    if (grant.lifetime == 0) {
      continue;
    }
    Claim* const claim =
        grant.is_delegated
            ? claim_route(ClaimKind::dhcpv6_prefix, EvidenceSource::dhcpv6, grant.prefix)
            : claim_address(ClaimKind::dhcpv6_lease, grant.prefix.address);
    if (claim != nullptr && message.is_relayed()) {
      claim->fields.signs |= event::kRelayed;
    }
  }
  return message.ok() ? EvidenceOutcome::other : EvidenceOutcome::malformed;
}

EvidenceOutcome Evidence::read_dns(ByteSpan message) {
  if (listens_to_dns_) {
    tell_dns(message);
  }
  return read_dns_claims(message);
}

// Each message has one outcome.
void Evidence::tell_dns(ByteSpan message) {
  evidence::DnsReader reader(message);
  DnsOutcome outcome = DnsOutcome::unreadable;
  if (reader.ok()) {
    const std::uint16_t type = reader.question_type();
    told_ = {};
    told_.id = reader.id();
    told_.fields.is_answer = reader.is_response();
    told_.fields.response_code = reader.response_code();
    if (reader.is_response()) {
      answers_.read(reader);
      told_.fields.answers = answers_.texts();
    }
    if (reader.has_question()) {
      const std::string_view name = reader.question();
      std::copy(name.begin(), name.end(), told_name_.begin());
      told_.name = {told_name_.data(), name.size()};
      told_.fields.question_type = type;
    } else if (reader.is_response() && !answers_.first_owner().empty()) {
      told_.name = answers_.first_owner();
      told_.fields.question_type = answers_.first_type();
    }
    has_told_ = true;
    const bool whole = reader.ok() && !(reader.is_response() && answers_.is_cut());
    outcome = whole ? DnsOutcome::judged : DnsOutcome::judged_in_part;
  }
  counters_.dns_messages[static_cast<std::size_t>(outcome)].add();
}

// A chain of aliases is one answer to one question: a metadata name anywhere in it makes every
// address a claim.
EvidenceOutcome Evidence::read_dns_claims(ByteSpan message) {
  evidence::DnsReader reader(message);
  if (!reader.is_response()) {
    return reader.ok() ? EvidenceOutcome::request : EvidenceOutcome::malformed;
  }
  bool is_metadata = is_metadata_name(reader.question());
  bool has_address = false;
  evidence::DnsRecord record;
  while (reader.next(record)) {
    is_metadata = is_metadata || is_metadata_name(record.owner) || is_metadata_name(record.target);
    if (record.type != evidence::DnsRecord::Type::address) {
      continue;
    }
    has_address = true;
    const std::uint16_t endpoint = policy_->endpoint_of(record.address);
    const bool is_endpoint = endpoint != classify::kNoEndpoint;
    if (!is_endpoint && !is_metadata) {
      continue;
    }
    (void)add(is_endpoint ? ClaimKind::dns_address : ClaimKind::dns_metadata_name, endpoint,
              {record.address, static_cast<std::uint8_t>(8 * record.address.size())});
    note_dns_name(reader.question(), record.owner);
  }
  // An alias alone: its address comes in another message.
  if (is_metadata && !has_address && reader.ok() && reader.has_aliases()) {
    (void)add(ClaimKind::dns_metadata_name, classify::kNoEndpoint, {});
    note_dns_name(reader.question(), {});
  }
  for (Claim& claim : std::span(claims_).first(claim_count_)) {
    claim.dns_name = {dns_name_.data(), dns_name_size_};
  }
  return reader.ok() ? EvidenceOutcome::other : EvidenceOutcome::malformed;
}

// The name that all claims of the message are about: the question's, or where there is none (mDNS)
// the first record's that claims.
void Evidence::note_dns_name(std::string_view question, std::string_view owner) {
  const std::string_view name = question.empty() || question == "." ? owner : question;
  if (dns_name_size_ == 0 && !name.empty()) {
    dns_name_size_ = std::min(name.size(), dns_name_.size());
    std::copy_n(name.begin(), dns_name_size_, dns_name_.begin());
  }
}

bool Evidence::is_metadata_name(std::string_view name) const {
  return !name.empty() &&
         std::any_of(options_.metadata_names.begin(), options_.metadata_names.end(),
                     [&](const std::string& pattern) {
                       return matches_wildcards(name, pattern, LetterCase::counts);
                     });
}

}  // namespace imds::detect
