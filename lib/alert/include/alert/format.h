// Alert records as text. Each function takes any record, also one that is not valid, and returns
// one alert without a trailing newline. Absent fields are left out; text that is not UTF-8 is made
// so (JSON) or escaped (terminal).
#pragma once

#include <string>

#include "alert/imds_alert_ring.h"

namespace imds::alert {

// One line of Elastic Common Schema JSON, nested objects; fields in docs/alerts.md.
[[nodiscard]] std::string to_ecs_json(const imds_alert_record& record);

// One line of Suricata EVE JSON, event_type "alert".
[[nodiscard]] std::string to_eve_json(const imds_alert_record& record);

// For people: one line, and indented ones below when there is a request or a story to show. Escape
// sequences for colour only if asked for; never any from the traffic.
[[nodiscard]] std::string to_text(const imds_alert_record& record, bool colour = false);

}  // namespace imds::alert
