// The alert record: one finding, one rule, secrets masked, in the plain layout of the ring.
//
// Threads: pure functions. Text longer than its field keeps its beginning and sets the field's bit
// in `truncated`. All unused bytes are zero.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "alert/imds_alert_ring.h"
#include "alert/redact.h"
#include "base/address.h"
#include "event/finding.h"

namespace imds::alert {

// What an alert tells about its rule.
struct RuleFacts {
  std::string id;     // Sigma id (a UUID), or the file's name where a rule has none
  std::string name;   // Sigma title
  std::string level;  // informational, low, medium, high, critical
  int severity = 3;   // 1..5, from the level
};

// What an alert tells about the inspector.
struct ObserverNames {
  std::string_view hostname;
  std::string_view interface_name;  // of the finding's ingress port, or the capture file's
};

// `out` is overwritten whole; sequence and epoch are left zero for the ring.
void make_record(const event::Finding& finding, const RuleFacts& rule, const ObserverNames& names,
                 const Redactor& redactor, imds_alert_record& out);

// Whether every length, count and code of a record that came out of a segment is in its range.
[[nodiscard]] bool is_valid(const imds_alert_record& record);

// A record's text as a view into it; a length beyond the capacity is cut to it.
template <typename Text>
[[nodiscard]] std::string_view view(const Text& text) {
  return {text.data, text.length < sizeof text.data ? text.length : sizeof text.data};
}

[[nodiscard]] IpAddress address_of(const imds_alert_peer& peer);
[[nodiscard]] IpAddress address_of(const imds_alert_address& address);

// The record's UUID, 8-4-4-4-12, lower case.
[[nodiscard]] std::string id_text(const imds_alert_record& record);

}  // namespace imds::alert
