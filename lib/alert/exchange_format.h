// The parts of an alert's forms that tell of an exchange with a metadata service.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "alert/imds_alert_ring.h"

namespace imds::alert {

// `http.response` of the whole alert.
void put_response(nlohmann::ordered_json& root, const imds_alert_exchange& exchange);
// What stands under `imds`.
void put_exchange(nlohmann::ordered_json& imds, const imds_alert_exchange& exchange);
// The words that help to find an alert: visit("client_kind", "curl"), …; only what is known.
void for_each_exchange_word(
    const imds_alert_exchange& exchange,
    const std::function<void(const char* key, const std::string& value)>& visit);
// For people: what was answered, and what was in it; empty for an alert about no answer.
[[nodiscard]] std::string answer_line(const imds_alert_exchange& exchange);

}  // namespace imds::alert
