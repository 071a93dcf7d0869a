#include "copy_fields.h"

namespace imds::alert {

namespace {

// Of an exchange, what one field says; any other changes nothing.
void copy_exchange_field(event::Finding& to, const event::Finding& from, event::FieldId field) {
  using event::FieldId;
  event::FindingExchange& out = to.exchange;
  const event::FindingExchange& in = from.exchange;
  const auto copy_text = [&](auto& text, const auto& answers) {
    if (from.has(event::Part::answer)) {
      text = answers;
    }
  };
  switch (field) {
    case FieldId::http_status:
      out.status = in.status;
      break;
    case FieldId::http_mime_type:
      copy_text(out.mime_type, in.mime_type);
      break;
    case FieldId::http_body_bytes:
      out.has_body_bytes = in.has_body_bytes;
      out.body_bytes = in.body_bytes;
      break;
    case FieldId::imds_server:
      copy_text(out.server, in.server);
      break;
    case FieldId::imds_client_kind:
      out.client_kind = in.client_kind;
      break;
    case FieldId::imds_version:
      out.version = in.version;
      break;
    case FieldId::imds_forwarded:
      out.forwarded = in.forwarded;
      break;
    case FieldId::imds_token_length:
      out.token_length = in.token_length;
      break;
    case FieldId::imds_token_ttl:
      out.token_ttl = in.token_ttl;
      break;
    case FieldId::imds_delivered:
      out.delivered = in.delivered;
      break;
    case FieldId::imds_content_kind:
      out.content = in.content;
      break;
    case FieldId::imds_access_key_id:
      copy_text(out.access_key_id, in.access_key_id);
      break;
    case FieldId::imds_aws_account_id:
    case FieldId::imds_account_source:
      out.account = in.account;
      out.account_source = in.account_source;
      break;
    case FieldId::imds_account_expected:
      out.account_expected = in.account_expected;
      break;
    case FieldId::imds_role:
      copy_text(out.role, in.role);
      break;
    case FieldId::imds_region:
      copy_text(out.region, in.region);
      break;
    case FieldId::imds_expiration:
      out.expiration = in.expiration;
      break;
    default:
      return;
  }
  to.has_exchange = true;
}

// Of the evidence likewise.
void copy_evidence_field(event::Finding& to, const event::Finding& from, event::FieldId field) {
  using event::FieldId;
  switch (field) {
    case FieldId::imds_answer:
      to.evidence.answer = from.evidence.answer;
      break;
    case FieldId::imds_hop_distance:
      to.evidence.hop_distance = from.evidence.hop_distance;
      break;
    case FieldId::imds_previous_mac:
      to.evidence.previous_mac = from.evidence.previous_mac;
      break;
    case FieldId::imds_claim_kind:
      to.evidence.claim = from.evidence.claim;
      break;
    case FieldId::imds_claim_prefix:
      to.evidence.prefix = from.evidence.prefix;
      break;
    case FieldId::imds_claim_mac:
      to.evidence.claimed_mac = from.evidence.claimed_mac;
      break;
    case FieldId::imds_claim_gateway:
      to.evidence.gateway = from.evidence.gateway;
      break;
    case FieldId::imds_claim_signs:
      to.evidence.signs = from.evidence.signs;
      break;
    case FieldId::dns_question_name:
      to.dns_name = from.dns_name;
      break;
    default:
      break;
  }
}

// Of the request.
void copy_request_field(event::Finding& to, const event::Finding& from, event::FieldId field) {
  using event::FieldId;
  switch (field) {
    case FieldId::http_request_method:
      to.method = from.method;
      break;
    case FieldId::url:
      to.target = from.target;
      break;
    case FieldId::url_path:
      to.path = from.path;
      break;
    case FieldId::url_domain:
      to.domain = from.domain;
      break;
    case FieldId::user_agent:
      to.user_agent = from.user_agent;
      break;
    case FieldId::http_version:
      to.http_version = from.http_version;
      break;
    default:
      break;
  }
}

}  // namespace

void copy_field(event::Finding& to, const event::Finding& from, event::FieldId field) {
  using event::FieldId;
  switch (field) {
    case FieldId::source_ip:
      to.source.ip = from.source.ip;
      break;
    case FieldId::source_port:
      to.source.port = from.source.port;
      to.ip_protocol = from.ip_protocol;
      break;
    case FieldId::source_mac:
      to.source.mac = from.source.mac;
      break;
    case FieldId::destination_ip:
      to.destination.ip = from.destination.ip;
      to.endpoint = from.endpoint;  // the address's name
      break;
    case FieldId::destination_port:
      to.destination.port = from.destination.port;
      to.ip_protocol = from.ip_protocol;
      break;
    case FieldId::destination_mac:
      to.destination.mac = from.destination.mac;
      break;
    case FieldId::network_transport:
      to.ip_protocol = from.ip_protocol;
      break;
    case FieldId::network_vlan_id:
      to.vlans = from.vlans;
      to.vlan_count = from.vlan_count;
      break;
    case FieldId::imds_endpoint:
      to.endpoint = from.endpoint;
      break;
    default:
      if (from.has(event::Part::request)) {
        copy_request_field(to, from, field);
      }
      if (from.has(event::Part::evidence)) {
        copy_evidence_field(to, from, field);
      }
      if (from.has_exchange) {
        copy_exchange_field(to, from, field);
      }
      break;  // tunnels' fields: a record has them all or none
  }
}

}  // namespace imds::alert
