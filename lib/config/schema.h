// The schema: which keys the file may have, what each may hold and where it goes.
#pragma once

#include "config/config.h"
#include "section.h"

namespace imds::config {

void read_config(Section& file, Config& config);

// The table of user agents; whether it is there.
[[nodiscard]] bool read_clients(Section& file, std::vector<ClientKind>& clients);

// Elements of lists: text that is not empty, and a prefix.
void read_text(const Value& value, std::string& out);
void read_prefix(const Value& value, IpPrefix& out);
// An element of `suppress` (schema_suppress.cc).
void read_suppression(const Value& value, Suppression& suppression);
void read_rule_id(const Value& value, std::string& out);
void read_tag(const Value& value, std::string& out);
// `alerts.throttle` (schema_throttle.cc).
void read_throttle(Section& s, Throttle& throttle);

inline constexpr std::size_t kMaxListElements = 4096;

}  // namespace imds::config
