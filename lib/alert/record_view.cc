// What readers of records ask of them.
#include "alert/record.h"

namespace imds::alert {
namespace {

template <typename Text>
bool fits(const Text& text) {
  return text.length <= sizeof text.data;
}

bool is_family(std::uint8_t family) {
  return family == 0 || family == 4 || family == 6;
}

bool is_valid(const imds_alert_tunnel& tunnel) {
  return tunnel.depth <= kMaxTunnels && tunnel.has_id <= 1 && is_family(tunnel.source.family) &&
         is_family(tunnel.destination.family) && fits(tunnel.path) &&
         (tunnel.depth > 0) == (tunnel.path.length > 0);
}

bool is_valid(const imds_alert_evidence& evidence) {
  return evidence.has_hops <= 1 && is_family(evidence.prefix.family) &&
         is_family(evidence.gateway.family) && evidence.prefix_length <= 128 &&
         fits(evidence.dns_name);
}

bool is_valid(const imds_alert_exchange& x) {
  return x.has_body_bytes <= 1 && x.imds_version <= 2 && x.forwarded <= 1 &&
         x.delivered <= IMDS_ALERT_DELIVERED_USER_DATA && x.content <= IMDS_ALERT_CONTENT_BINARY &&
         x.account_source <= IMDS_ALERT_ACCOUNT_CONFLICTING &&
         x.account_expected <= IMDS_ALERT_ACCOUNT_ON_WRONG_NETWORK && fits(x.region) &&
         fits(x.client_kind) && fits(x.access_key_id) && fits(x.server) && fits(x.mime_type) &&
         fits(x.role);
}

IpAddress address_of_wire(const std::uint8_t* ip, std::uint8_t family) {
  switch (family) {
    case 4:
      return IpAddress::v4_wire(ip);
    case 6:
      return IpAddress::v6_wire(ip);
    default:
      return {};
  }
}

}  // namespace

bool is_valid(const imds_alert_record& r) {
  return r.severity >= 1 && r.severity <= 5 && r.vlan_count <= 4 && is_family(r.source.family) &&
         is_family(r.destination.family) && is_valid(r.tunnel) && is_valid(r.exchange) &&
         r.event.length > 0 && fits(r.event) && fits(r.rule_level) && fits(r.community_id) &&
         fits(r.rule_id) && fits(r.rule_name) && fits(r.endpoint) && fits(r.http_method) &&
         fits(r.http_version) && fits(r.url_original) && fits(r.url_path) && fits(r.url_domain) &&
         fits(r.user_agent) && fits(r.hostname) && fits(r.interface_name) && is_valid(r.evidence) &&
         r.packets.completes <= 1;
}

IpAddress address_of(const imds_alert_peer& peer) {
  return address_of_wire(peer.ip, peer.family);
}

IpAddress address_of(const imds_alert_address& address) {
  return address_of_wire(address.ip, address.family);
}

event::KeptPackets packets_of(const imds_alert_record& record) {
  const imds_alert_packets& from = record.packets;
  return {from.run, from.file, from.last, from.completes != 0, from.before};
}

std::string id_text(const imds_alert_record& record) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < sizeof record.id; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += kHex[record.id[i] >> 4];
    text += kHex[record.id[i] & 0x0f];
  }
  return text;
}

}  // namespace imds::alert
