// How alerts tell where the packets of their exchange are kept. Private to the room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "alert/imds_alert_ring.h"

namespace imds::alert {

// Adds `evidence`: file, packets and packet, to the alert's object `imds`, if any are kept.
void put_packets(nlohmann::ordered_json& imds, const imds_alert_record& record);

// The same for EVE's metadata: names and values, some names several times.
[[nodiscard]] std::vector<std::pair<const char*, std::string>> packets_metadata(
    const imds_alert_record& record);

// "kept in imds-….pcapng: packets 4, 5, 7"; empty: none are.
[[nodiscard]] std::string packets_line(const imds_alert_record& record);

}  // namespace imds::alert
