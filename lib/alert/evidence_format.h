// How alerts tell who answered and who claimed an address. Private to the room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "alert/imds_alert_ring.h"

namespace imds::alert {

// Adds `answer`, `hop_distance`, `claim` … to the alert's object `imds`, as far as they are there.
void put_evidence(nlohmann::ordered_json& imds, const imds_alert_evidence& evidence);

// The same for EVE's metadata: names and values, some names several times. Valid UTF-8.
[[nodiscard]] std::vector<std::pair<const char*, std::string>> evidence_metadata(
    const imds_alert_evidence& evidence);

// The same in a line for people, escaped; empty for other events.
[[nodiscard]] std::string evidence_line(const imds_alert_record& record);

}  // namespace imds::alert
