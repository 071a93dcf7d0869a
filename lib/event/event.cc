#include "event/event.h"

#include <algorithm>
#include <cstring>

namespace imds::event {
namespace {

constexpr std::array<std::string_view, kEventTypeCount> kEventNames{
    "connection",       "http_request", "http_response",    "raw_match",    "tcp_overlap_conflict",
    "fragment_overlap", "responder",    "address_claim",    "token_issued", "credentials_delivered",
    "http2_mid_stream", "dns",          "credentials_used",
};

constexpr std::array<VisibilityName, 9> kVisibilityNames{{
    {kDirectionGuessed, "direction_guessed"},
    {kMidStream, "mid_stream"},
    {kResponsesOnly, "responses_only"},
    {kCaptureTruncated, "capture_truncated"},
    {kStreamGap, "stream_gap"},
    {kSecondReading, "second_reading"},
    {kRequestsOnly, "requests_only"},
    {kRequestUnseen, "request_unseen"},
    {kBodyIncomplete, "body_incomplete"},
}};

constexpr std::size_t all_visibility_names_size() {
  std::size_t size = kVisibilityNames.size() - 1;  // commas
  for (const VisibilityName& entry : kVisibilityNames) {
    size += entry.name.size();
  }
  return size;
}
static_assert(all_visibility_names_size() <= sizeof(FieldScratch::bytes));

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kSctp = 132;

// "0" to "255", each padded with NULs: names of the protocols that have no other.
constexpr auto kDecimals = [] {
  std::array<std::array<char, 4>, 256> decimals{};
  for (unsigned n = 0; n < decimals.size(); ++n) {
    std::size_t at = 0;
    if (n >= 100) {
      decimals[n][at++] = static_cast<char>('0' + n / 100);
    }
    if (n >= 10) {
      decimals[n][at++] = static_cast<char>('0' + n / 10 % 10);
    }
    decimals[n][at] = static_cast<char>('0' + n % 10);
  }
  return decimals;
}();

FieldValue text_value(std::string_view text) {
  FieldValue value;
  if (text.data() != nullptr) {
    value.kind = FieldValue::Kind::text;
    value.text = {text, text};
  }
  return value;
}

FieldValue text_value(TwoReadings text) {
  if (text.raw.data() == nullptr) {
    return text_value(text.normalised);
  }
  if (text.normalised.data() == nullptr) {
    return text_value(text.raw);
  }
  FieldValue value;
  value.kind = FieldValue::Kind::text;
  value.text = text;
  return value;
}

FieldValue address_value(const IpAddress& address) {
  FieldValue value;
  if (address.is_set()) {
    value.kind = FieldValue::Kind::address;
    value.address = address;
  }
  return value;
}

FieldValue port_value(std::uint16_t port, std::uint8_t ip_protocol) {
  FieldValue value;
  if (port != 0 || ip_protocol == kTcp || ip_protocol == kUdp || ip_protocol == kSctp) {
    value.kind = FieldValue::Kind::number;
    value.number = port;
  }
  return value;
}

FieldValue mac_value(const MacAddress& mac, FieldScratch& scratch) {
  if (mac.is_zero()) {
    return {};
  }
  constexpr char kHex[] = "0123456789abcdef";
  char* out = scratch.bytes.data();
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    if (i > 0) {
      *out++ = ':';
    }
    *out++ = kHex[mac.bytes[i] >> 4];
    *out++ = kHex[mac.bytes[i] & 0x0f];
  }
  return text_value({scratch.bytes.data(), static_cast<std::size_t>(out - scratch.bytes.data())});
}

FieldValue vlan_value(const FlowContext& flow) {
  FieldValue value;
  const std::size_t count = std::min<std::size_t>(flow.vlan_count, kMaxVlans);
  if (count > 0) {
    value.kind = FieldValue::Kind::number;
    value.number = flow.vlans[0];
    value.numbers = flow.vlans;
    value.number_count = static_cast<std::uint8_t>(count);
  }
  return value;
}

// The names of the set bits, comma-separated.
template <typename Names>
FieldValue names_value(unsigned bits, const Names& names, FieldScratch& scratch) {
  char* out = scratch.bytes.data();
  for (const auto& entry : names) {
    if ((bits & entry.bit) == 0) {
      continue;
    }
    if (out != scratch.bytes.data()) {
      *out++ = ',';
    }
    std::memcpy(out, entry.name.data(), entry.name.size());
    out += entry.name.size();
  }
  if (out == scratch.bytes.data()) {
    return {};
  }
  return text_value({scratch.bytes.data(), static_cast<std::size_t>(out - scratch.bytes.data())});
}

FieldValue tunnel_id_value(const Tunnel& tunnel) {
  FieldValue value;
  if (tunnel.has_id) {
    value.kind = FieldValue::Kind::number;
    value.number = tunnel.id;
  }
  return value;
}

// "169.254.169.254/32"
FieldValue prefix_value(const IpPrefix& prefix, FieldScratch& scratch) {
  if (!prefix.address.is_set()) {
    return {};
  }
  const std::span<char, IpAddress::kLongestText> room(scratch.bytes.data(),
                                                      IpAddress::kLongestText);
  char* out = scratch.bytes.data() + prefix.address.write_to(room).size();
  *out++ = '/';
  const char* const digits = kDecimals[prefix.length].data();
  const std::size_t size = std::strlen(digits);
  std::memcpy(out, digits, size);
  out += size;
  return text_value({scratch.bytes.data(), static_cast<std::size_t>(out - scratch.bytes.data())});
}

FieldValue hops_value(const std::optional<std::uint8_t>& hops) {
  FieldValue value;
  if (hops) {
    value.kind = FieldValue::Kind::number;
    value.number = *hops;
  }
  return value;
}

FieldValue non_empty(std::string_view text) {
  return text.empty() ? FieldValue{} : text_value(text);
}

std::string_view extension_of(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  const std::size_t dot = last.rfind('.');
  return dot == std::string_view::npos || dot + 1 == last.size() ? std::string_view()
                                                                 : last.substr(dot + 1);
}

FieldValue extension_value(const TwoReadings& path) {
  return text_value(TwoReadings{extension_of(path.raw), extension_of(path.normalised)});
}

FieldValue number_or_absent(std::int64_t number) {
  FieldValue value;
  if (number != 0) {
    value.kind = FieldValue::Kind::number;
    value.number = number;
  }
  return value;
}

FieldValue account_value(const ExchangeFields& exchange, FieldScratch& scratch) {
  return exchange.has_account()
             ? text_value(account_text(exchange.account, std::span(scratch.bytes).first<12>()))
             : FieldValue{};
}

FieldValue version_value(std::uint8_t version) {
  return version == 0 ? FieldValue{} : text_value(version == 1 ? "v1" : "v2");
}

FieldValue body_bytes_value(const ExchangeFields& exchange) {
  FieldValue value;
  if (exchange.has_body_bytes) {
    value.kind = FieldValue::Kind::number;
    value.number = static_cast<std::int64_t>(exchange.body_bytes);
  }
  return value;
}

// The fields of an exchange; `absent` for any other.
FieldValue exchange_value(const ExchangeFields& exchange, FieldId field, FieldScratch& scratch) {
  switch (field) {
    case FieldId::http_mime_type:
      return non_empty(exchange.mime_type);
    case FieldId::http_body_bytes:
      return body_bytes_value(exchange);
    case FieldId::imds_server:
      return non_empty(exchange.server);
    case FieldId::imds_client_kind:
      return non_empty(exchange.client_kind);
    case FieldId::imds_version:
      return version_value(exchange.version);
    case FieldId::imds_forwarded:
      return non_empty(exchange.forwarded ? "yes" : "");
    case FieldId::imds_token_length:
      return number_or_absent(exchange.token_length);
    case FieldId::imds_token_ttl:
      return number_or_absent(exchange.token_ttl);
    case FieldId::imds_delivered:
      return non_empty(name(exchange.delivered));
    case FieldId::imds_content_kind:
      return non_empty(name(exchange.content));
    case FieldId::imds_access_key_id:
      return non_empty(exchange.access_key_id);
    case FieldId::imds_aws_account_id:
      return account_value(exchange, scratch);
    case FieldId::imds_account_source:
      return non_empty(name(exchange.account_source));
    case FieldId::imds_account_expected:
      return non_empty(name(exchange.account_expected));
    case FieldId::imds_role:
      return non_empty(exchange.role);
    case FieldId::imds_region:
      return non_empty(exchange.region);
    case FieldId::imds_expiration:
      return number_or_absent(exchange.expiration);
    default:
      return {};
  }
}

// The fields of a DNS message; `absent` for any other.
FieldValue dns_value(const Event& event, FieldId field, FieldScratch& scratch) {
  const std::span<char, kMaxDnsWord> room(scratch.bytes.data(), kMaxDnsWord);
  const DnsFields& dns = event.dns;
  if (event.type != EventType::dns) {
    return {};
  }
  switch (field) {
    case FieldId::dns_type:
      return text_value(kDnsMessageTypes[dns.is_answer ? 1 : 0]);
    case FieldId::dns_question_type:
      return dns.question_type ? text_value(dns_type_name(*dns.question_type, room)) : FieldValue{};
    case FieldId::dns_response_code:
      return dns.is_answer ? text_value(dns_response_name(dns.response_code, room)) : FieldValue{};
    default:
      return {};
  }
}

FieldValue family_value(const IpAddress& address) {
  return address.is_set() ? text_value(address.is_v4() ? "ipv4" : "ipv6") : FieldValue{};
}

// Whole seconds, rounded down also before 1970.
FieldValue time_value(Timestamp time) {
  FieldValue value;
  value.kind = FieldValue::Kind::number;
  value.number = time.ns / kNanosPerSecond - (time.ns % kNanosPerSecond < 0 ? 1 : 0);
  return value;
}

}  // namespace

std::string_view name(EventType type) {
  return kEventNames[static_cast<std::size_t>(type)];
}

std::optional<EventType> event_type(std::string_view name) {
  const auto found = std::find(kEventNames.begin(), kEventNames.end(), name);
  if (found == kEventNames.end()) {
    return std::nullopt;
  }
  return static_cast<EventType>(found - kEventNames.begin());
}

std::span<const VisibilityName> visibility_names() {
  return kVisibilityNames;
}

bool has_story(EventType type, bool is_test, bool at_endpoint) {
  const bool always =
      std::find(kAlwaysOfStory.begin(), kAlwaysOfStory.end(), type) != kAlwaysOfStory.end();
  return !is_test && (always || at_endpoint);
}

bool has_story(const Event& event) {
  return has_story(event.type, event.is_test, !event.flow.endpoint.empty());
}

bool moves_story(const Event& event) {
  switch (event.type) {
    case EventType::connection:
    case EventType::http_response:
    case EventType::responder:
    case EventType::address_claim:
    case EventType::token_issued:
    case EventType::credentials_delivered:
    case EventType::credentials_used:
      return has_story(event);
    case EventType::http_request:
    case EventType::raw_match:
    case EventType::tcp_overlap_conflict:
    case EventType::fragment_overlap:
    case EventType::http2_mid_stream:
      break;  // of a flow whose connection was told
    case EventType::dns:
      break;  // what claims an address is told as a claim
  }
  return false;
}

std::string_view transport_name(std::uint8_t ip_protocol) {
  switch (ip_protocol) {
    case 1:
      return "icmp";
    case 2:
      return "igmp";
    case 4:
      return "ipv4";
    case kTcp:
      return "tcp";
    case kUdp:
      return "udp";
    case 33:
      return "dccp";
    case 41:
      return "ipv6";
    case 47:
      return "gre";
    case 50:
      return "esp";
    case 51:
      return "ah";
    case 58:
      return "ipv6-icmp";
    case 89:
      return "ospfigp";
    case 103:
      return "pim";
    case 112:
      return "vrrp";
    case 115:
      return "l2tp";
    case kSctp:
      return "sctp";
    case 136:
      return "udplite";
    default:
      return kDecimals[ip_protocol].data();
  }
}

FieldValue value_of(const Event& event, FieldId field, FieldScratch& scratch) {
  const FlowContext& flow = event.flow;
  const bool is_raw = event.type == EventType::raw_match;
  switch (field) {
    case FieldId::imds_event:
      return text_value(name(event.type));
    case FieldId::source_ip:
      return address_value(flow.source.ip);
    case FieldId::source_port:
      return port_value(flow.source.port, flow.ip_protocol);
    case FieldId::source_mac:
      return mac_value(flow.source.mac, scratch);
    case FieldId::destination_ip:
      return address_value(flow.destination.ip);
    case FieldId::destination_port:
      return port_value(flow.destination.port, flow.ip_protocol);
    case FieldId::destination_mac:
      return mac_value(flow.destination.mac, scratch);
    case FieldId::network_transport:
      return flow.ip_protocol == 0 ? FieldValue{} : text_value(transport_name(flow.ip_protocol));
    case FieldId::network_vlan_id:
      return vlan_value(flow);
    case FieldId::http_request_method:
      return text_value(event.http.method);
    case FieldId::url:
      return is_raw ? text_value(event.raw) : text_value(event.http.target);
    case FieldId::url_path:
      return text_value(event.http.path);
    case FieldId::url_query:
      return text_value(event.http.query);
    case FieldId::url_domain:
      return text_value(event.http.domain);
    case FieldId::user_agent:
      return text_value(event.http.user_agent);
    case FieldId::request_headers:
      return text_value(is_raw ? event.raw : event.http.headers);
    case FieldId::http_host:
      return text_value(event.http.host);
    case FieldId::http_version:
      return text_value(event.http.version);
    case FieldId::raw:
      return text_value(event.raw);
    case FieldId::imds_endpoint:
      return non_empty(flow.endpoint);
    case FieldId::imds_visibility:
      return names_value(flow.visibility, kVisibilityNames, scratch);
    case FieldId::imds_tunnel_path:
      return non_empty(path_text(flow.tunnel.path, scratch.bytes));
    case FieldId::imds_tunnel_id:
      return tunnel_id_value(flow.tunnel);
    case FieldId::imds_tunnel_source_ip:
      return address_value(flow.tunnel.source);
    case FieldId::imds_tunnel_destination_ip:
      return address_value(flow.tunnel.destination);
    case FieldId::timestamp:
      return time_value(event.time);
    case FieldId::network_type:
      return family_value(flow.source.ip);
    case FieldId::network_direction:
      return non_empty(flow.direction);
    case FieldId::ip_ttl:
      return number_or_absent(flow.ttl);
    case FieldId::url_extension:
      return extension_value(event.http.path);
    case FieldId::http_status:
      return number_or_absent(event.response.status);
    case FieldId::response_headers:
      return text_value(event.response.headers);
    case FieldId::imds_answer:
      return event.evidence.answer == Answer::none ? FieldValue{}
                                                   : text_value(name(event.evidence.answer));
    case FieldId::imds_hop_distance:
      return hops_value(event.evidence.hop_distance);
    case FieldId::imds_previous_mac:
      return mac_value(event.evidence.previous_mac, scratch);
    case FieldId::imds_claim_kind:
      return event.evidence.claim == ClaimKind::none ? FieldValue{}
                                                     : text_value(name(event.evidence.claim));
    case FieldId::imds_claim_prefix:
      return prefix_value(event.evidence.prefix, scratch);
    case FieldId::imds_claim_mac:
      return mac_value(event.evidence.claimed_mac, scratch);
    case FieldId::imds_claim_gateway:
      return address_value(event.evidence.gateway);
    case FieldId::imds_claim_signs:
      return names_value(event.evidence.signs, sign_names(), scratch);
    case FieldId::dns_question_name:
      return non_empty(event.dns_name);
    case FieldId::imds_stage:
      return non_empty(event.stage);
    case FieldId::imds_timeline:
      return non_empty(event.timeline);
    case FieldId::dns_type:
    case FieldId::dns_question_type:
    case FieldId::dns_response_code:
      return dns_value(event, field, scratch);
    case FieldId::imds_reached:
      return non_empty(event.reached);
    case FieldId::tls_server_name:
      return non_empty(event.server_name);
    case FieldId::request_header:
    case FieldId::response_header:
    case FieldId::dns_answers:
      return {};
    default:
      return exchange_value(event.exchange, field, scratch);
  }
}

}  // namespace imds::event
