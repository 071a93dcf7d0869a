// The fields an event can have, under their canonical (Elastic Common Schema) names, and the
// alias table that maps what Sigma rules of other vendors call them.
//
// Threads: a FieldTable is immutable after load and may be shared. FieldIds are dense from 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace imds::event {

// One per canonical field. Order is that of the description table in fields.cc.
enum class FieldId : std::uint8_t {
  imds_event = 0,
  source_ip,
  source_port,
  source_mac,
  destination_ip,
  destination_port,
  destination_mac,
  network_transport,
  network_vlan_id,
  http_request_method,
  url,       // the request-target: raw or normalised (both readings are compared)
  url_path,  // path of the target: raw or normalised
  url_query,
  url_domain,  // authority: target's if absolute, else Host; without port, lower case
  user_agent,
  request_headers,  // "Name: value\n" per header, unfolded
  http_host,        // the Host header as sent
  http_version,     // "1.0", "1.1", "2"
  raw,              // raw_match: the bytes of the stream
  imds_endpoint,    // name of the configured endpoint the flow touches
  imds_visibility,
  imds_tunnel_path,            // "gre/vxlan", outermost first
  imds_tunnel_id,              // VNI, key, TEID, …: of the innermost encapsulation that has one
  imds_tunnel_source_ip,       // of the outermost IP header
  imds_tunnel_destination_ip,  // of the outermost IP header
  timestamp,                   // when: seconds since the epoch
  network_type,                // "ipv4", "ipv6"
  ip_ttl,                      // or hop limit, as the packet that completed the event had it
  url_extension,               // of the path's last segment, without the dot: raw or normalised
  request_header,              // one header; which one, its name says (FieldRef::header)
  http_status,
  response_headers,    // "Name: value\n" per header, unfolded
  response_header,     // one header, as request_header
  network_direction,   // "inbound", "outbound", "internal", "external"
  imds_answer,         // responder: "syn_ack", "udp", "rst", "icmp"
  imds_hop_distance,   // responder: routers on the way, inferred from the TTL; 0: on the link
  imds_previous_mac,   // who answered, or had the address, before
  imds_claim_kind,     // address_claim: "arp_reply", "dhcp_route", …
  imds_claim_prefix,   // what is claimed, as text: "169.254.169.254/32"
  imds_claim_mac,      // who has it, by the claim
  imds_claim_gateway,  // next hop of a claimed route
  imds_claim_signs,    // set of words: "mac_mismatch", "override", …
  dns_question_name,   // of a dns message, or of an address_claim by DNS
  imds_stage,          // how far the client's story with the endpoint has come: Event::stage
  imds_timeline,       // its stages and when they were reached: Event::timeline
  http_mime_type,      // of a response: its Content-Type without parameters
  http_body_bytes,     // of a response, decompressed
  imds_server,         // a response's header Server
  imds_client_kind,    // by the user agent: conf/clients.yaml
  imds_version,        // "v1", "v2": of the metadata service's protocol
  imds_forwarded,      // "yes": the request had X-Forwarded-For
  imds_token_length,
  imds_token_ttl,         // seconds
  imds_delivered,         // event::Delivered
  imds_content_kind,      // event::ContentKind
  imds_access_key_id,     // of delivered credentials
  imds_aws_account_id,    // twelve digits
  imds_account_source,    // event::AccountSource
  imds_account_expected,  // event::AccountVerdict
  imds_role,
  imds_region,
  imds_expiration,    // of delivered credentials: seconds since the epoch
  dns_type,           // "query", "answer"
  dns_question_type,  // "A", "TXT", …
  dns_response_code,  // "NOERROR", "NXDOMAIN", …
  dns_answers,        // the answers' addresses, names and texts: any of them
  imds_reached,       // the stage that this event reached as the first: Event::reached
  tls_server_name,    // credentials_used: what the ClientHello asks for
};
inline constexpr std::size_t kFieldCount = 68;

enum class FieldKind : std::uint8_t { text, number, address, time };

struct FieldDescription {
  FieldId id;
  std::string_view name;  // canonical
  FieldKind kind;
  std::uint32_t events;  // event::bit of every EventType that can carry the field
};

[[nodiscard]] const FieldDescription& describe(FieldId id);

// A field, and for those of single headers which one.
struct FieldRef {
  FieldId id = FieldId::imds_event;
  std::string header;  // lower case; empty unless `id` is request_header or response_header

  friend bool operator==(const FieldRef&, const FieldRef&) = default;
};
// Only the story knows it, across workers: rules that compare it are judged there once more.
[[nodiscard]] constexpr bool is_of_story(FieldId id) {
  return id == FieldId::imds_stage || id == FieldId::imds_timeline || id == FieldId::imds_reached;
}

// As rules and messages write it: "http.request.header.cookie".
[[nodiscard]] std::string field_name(const FieldRef& field);

// The value of one header stands under `id`.
[[nodiscard]] constexpr bool is_single_header(FieldId id) {
  return id == FieldId::request_header || id == FieldId::response_header;
}

// Levenshtein's distance between two short texts, ASCII case ignored: for "did you mean".
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

class FieldTable {
 public:
  // Only the canonical names.
  FieldTable();
  // Canonical names plus the aliases of a YAML file (conf/fields.yaml): a map from canonical name
  // to a list of aliases. Errors, all of kind config and with file, line and column: unreadable or
  // over 1 MiB, not YAML, not a map of lists of strings, unknown canonical name, a name given
  // twice. Headers have canonical names as well: `http.request.header.cookie`. An item `{also:
  // alias}` under a second field says that rules mean either by the alias.
  [[nodiscard]] static Result<FieldTable> load(const std::filesystem::path& file);

  // Names compare exactly (Sigma field names are case-sensitive), but for those of single headers:
  // any `http.request.header.<name>`, `request_headers.<name>`, `cs(<Name>)` and, for responses,
  // `http.response.header.<name>`, `response_headers.<name>`, `sc(<Name>)` is known, and the case
  // of <name> does not count.
  [[nodiscard]] std::optional<FieldRef> resolve(std::string_view name) const;
  // The field that is meant as well by an alias of another.
  [[nodiscard]] std::optional<FieldId> also(std::string_view alias) const;
  // resolve() without the header's name.
  [[nodiscard]] std::optional<FieldId> find(std::string_view name) const;
  // The known name closest to a misspelt one, for error messages; empty if none is near (more than
  // a third of its letters differ).
  [[nodiscard]] std::string nearest(std::string_view name) const;

 private:
  std::unordered_map<std::string, FieldRef> by_name_;
  std::unordered_map<std::string, FieldId> also_;
};

}  // namespace imds::event
