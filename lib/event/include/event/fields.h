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
};
inline constexpr std::size_t kFieldCount = 25;

enum class FieldKind : std::uint8_t { text, number, address };

struct FieldDescription {
  FieldId id;
  std::string_view name;  // canonical
  FieldKind kind;
  std::uint32_t events;  // event::bit of every EventType that can carry the field
};

[[nodiscard]] const FieldDescription& describe(FieldId id);

// Levenshtein's distance between two short texts, ASCII case ignored: for "did you mean".
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

class FieldTable {
 public:
  // Only the canonical names.
  FieldTable();
  // Canonical names plus the aliases of a YAML file (conf/fields.yaml): a map from canonical name
  // to a list of aliases. Errors, all of kind config and with file, line and column: unreadable or
  // over 1 MiB, not YAML, not a map of lists of strings, unknown canonical name, a name given
  // twice.
  [[nodiscard]] static Result<FieldTable> load(const std::filesystem::path& file);

  // Names compare exactly (Sigma field names are case-sensitive).
  [[nodiscard]] std::optional<FieldId> find(std::string_view name) const;
  // The known name closest to a misspelt one, for error messages; empty if none is near (more than
  // a third of its letters differ).
  [[nodiscard]] std::string nearest(std::string_view name) const;

 private:
  std::unordered_map<std::string, FieldId> by_name_;
};

}  // namespace imds::event
