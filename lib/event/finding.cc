#include "event/finding.h"

#include <algorithm>

namespace imds::event {
namespace {

// For people, the normalised reading says where a request really goes.
std::string_view normalised(const TwoReadings& text) {
  return text.normalised.data() != nullptr ? text.normalised : text.raw;
}

// Empty text in a finding is an absent field.
template <std::size_t Capacity>
std::string_view text_of(const FixedText<Capacity>& text) {
  return text.view().empty() ? std::string_view() : text.view();
}

bool has_exchange(const Event& event) {
  const ExchangeFields& e = event.exchange;
  return event.response.status != 0 || e.delivered != Delivered::nothing ||
         !e.client_kind.empty() || e.version != 0 || e.forwarded;
}

void fill_exchange(FindingExchange& out, const Event& event) {
  const ExchangeFields& e = event.exchange;
  out.status = event.response.status;
  out.version = e.version;
  out.forwarded = e.forwarded;
  out.has_body_bytes = e.has_body_bytes;
  out.delivered = e.delivered;
  out.content = e.content;
  out.account_source = e.account_source;
  out.account_expected = e.account_expected;
  out.token_length = e.token_length;
  out.token_ttl = e.token_ttl;
  out.body_bytes = e.body_bytes;
  out.account = e.account;
  out.expiration = e.expiration;
  out.client_kind.assign(e.client_kind);
}

void fill_answer(FindingExchange& out, const ExchangeFields& e) {
  out.region.assign(e.region);
  out.access_key_id.assign(e.access_key_id);
  out.server.assign(e.server);
  out.mime_type.assign(e.mime_type);
  out.role.assign(e.role);
}

bool has_answer(const ExchangeFields& e) {
  return !e.region.empty() || !e.access_key_id.empty() || !e.server.empty() ||
         !e.mime_type.empty() || !e.role.empty();
}

void read_exchange(const FindingExchange& from, Event& event) {
  ExchangeFields& e = event.exchange;
  event.response.status = from.status;
  e.version = from.version;
  e.forwarded = from.forwarded;
  e.has_body_bytes = from.has_body_bytes;
  e.delivered = from.delivered;
  e.content = from.content;
  e.account_source = from.account_source;
  e.account_expected = from.account_expected;
  e.token_length = from.token_length;
  e.token_ttl = from.token_ttl;
  e.body_bytes = from.body_bytes;
  e.account = from.account;
  e.expiration = from.expiration;
  e.client_kind = text_of(from.client_kind);
}

void read_answer(const FindingExchange& from, ExchangeFields& e) {
  e.region = text_of(from.region);
  e.access_key_id = text_of(from.access_key_id);
  e.server = text_of(from.server);
  e.mime_type = text_of(from.mime_type);
  e.role = text_of(from.role);
}

bool has_request(const HttpRequestFields& http) {
  return !http.method.empty() || !http.target.raw.empty() || !http.version.empty() ||
         !http.user_agent.empty() || !normalised(http.path).empty() ||
         !normalised(http.domain).empty();
}

void fill_request(Finding& finding, const HttpRequestFields& http) {
  finding.method.assign(http.method);
  finding.target.assign(http.target.raw);
  finding.path.assign(normalised(http.path));
  finding.domain.assign(normalised(http.domain));
  finding.user_agent.assign(http.user_agent);
  finding.http_version.assign(http.version);
}

bool has_evidence(const Event& event) {
  return event.evidence.answer != Answer::none || event.evidence.claim != ClaimKind::none ||
         !event.dns_name.empty();
}

}  // namespace

void fill(Finding& finding, const Event& event) {
  finding.time = event.time;
  finding.type = event.type;
  finding.is_test = event.is_test;
  finding.ordinal = event.ordinal;

  const FlowContext& flow = event.flow;
  finding.source = flow.source;
  finding.destination = flow.destination;
  finding.ip_protocol = flow.ip_protocol;
  finding.vlans = flow.vlans;
  finding.vlan_count = static_cast<std::uint8_t>(std::min<std::size_t>(flow.vlan_count, kMaxVlans));
  finding.visibility = flow.visibility;
  finding.ingress_port = flow.ingress_port;
  finding.endpoint.assign(flow.endpoint);

  finding.lacks = 0;
  if (event.type == EventType::credentials_used) {
    fill_request(finding, event.http);
    finding.domain.assign(event.server_name);
  } else if (has_request(event.http)) {
    fill_request(finding, event.http);
  } else {
    finding.set_has(Part::request, false);
  }
  finding.has_exchange = has_exchange(event);
  if (finding.has_exchange) {
    fill_exchange(finding.exchange, event);
  }
  if (finding.has_exchange && has_answer(event.exchange)) {
    fill_answer(finding.exchange, event.exchange);
  } else {
    finding.set_has(Part::answer, false);
  }
  if (flow.tunnel.is_set()) {
    finding.tunnel = flow.tunnel;
  } else {
    finding.set_has(Part::tunnel, false);
  }
  if (has_evidence(event)) {
    finding.evidence = event.evidence;
    finding.dns_name.assign(event.dns_name);
  } else {
    finding.set_has(Part::evidence, false);
  }
}

bool has_story(const Finding& finding) {
  return has_story(finding.type, finding.is_test, !finding.endpoint.empty());
}

bool is_in_findings(FieldId field) {
  switch (field) {
    case FieldId::imds_event:
    case FieldId::source_ip:
    case FieldId::source_port:
    case FieldId::source_mac:
    case FieldId::destination_ip:
    case FieldId::destination_port:
    case FieldId::destination_mac:
    case FieldId::network_transport:
    case FieldId::network_vlan_id:
    case FieldId::http_request_method:
    case FieldId::url:
    case FieldId::url_path:
    case FieldId::url_domain:
    case FieldId::user_agent:
    case FieldId::http_version:
    case FieldId::imds_endpoint:
    case FieldId::imds_visibility:
    case FieldId::imds_tunnel_path:
    case FieldId::imds_tunnel_id:
    case FieldId::imds_tunnel_source_ip:
    case FieldId::imds_tunnel_destination_ip:
    case FieldId::imds_answer:
    case FieldId::imds_hop_distance:
    case FieldId::imds_previous_mac:
    case FieldId::imds_claim_kind:
    case FieldId::imds_claim_prefix:
    case FieldId::imds_claim_mac:
    case FieldId::imds_claim_gateway:
    case FieldId::imds_claim_signs:
    case FieldId::dns_question_name:
    case FieldId::http_status:
    case FieldId::http_mime_type:
    case FieldId::http_body_bytes:
    case FieldId::imds_server:
    case FieldId::imds_client_kind:
    case FieldId::imds_version:
    case FieldId::imds_forwarded:
    case FieldId::imds_token_length:
    case FieldId::imds_token_ttl:
    case FieldId::imds_delivered:
    case FieldId::imds_content_kind:
    case FieldId::imds_access_key_id:
    case FieldId::imds_aws_account_id:
    case FieldId::imds_account_source:
    case FieldId::imds_account_expected:
    case FieldId::imds_role:
    case FieldId::imds_region:
    case FieldId::imds_expiration:
      return true;
    default:
      return false;
  }
}

Event event_of(const Finding& finding) {
  Event event;
  event.type = finding.type;
  event.time = finding.time;
  event.ordinal = finding.ordinal;
  event.is_test = finding.is_test;
  event.flow.source = finding.source;
  event.flow.destination = finding.destination;
  event.flow.ip_protocol = finding.ip_protocol;
  event.flow.vlans = finding.vlans;
  event.flow.vlan_count = finding.vlan_count;
  event.flow.visibility = finding.visibility;
  event.flow.ingress_port = finding.ingress_port;
  event.flow.endpoint = finding.endpoint.view();
  if (finding.has(Part::tunnel)) {
    event.flow.tunnel = finding.tunnel;
  }
  if (finding.has(Part::request)) {
    event.http.method = text_of(finding.method);
    event.http.target = {text_of(finding.target), text_of(finding.target)};
    event.http.path = {text_of(finding.path), text_of(finding.path)};
    if (finding.type == EventType::credentials_used) {
      event.server_name = text_of(finding.domain);
    } else {
      event.http.domain = {text_of(finding.domain), text_of(finding.domain)};
    }
    event.http.user_agent = text_of(finding.user_agent);
    event.http.version = text_of(finding.http_version);
  }
  if (finding.has(Part::evidence)) {
    event.evidence = finding.evidence;
    event.dns_name = text_of(finding.dns_name);
  }
  if (finding.has_exchange) {
    read_exchange(finding.exchange, event);
  }
  if (finding.has_exchange && finding.has(Part::answer)) {
    read_answer(finding.exchange, event.exchange);
  }
  return event;
}

}  // namespace imds::event
