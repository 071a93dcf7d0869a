// The control path: commands to a running inspector through DPDK's telemetry socket, which only
// the user who runs it can open (docs/decisions/003).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

struct rte_tel_data;

namespace imds::inspector {

// What the inspector that runs under this DPDK file prefix answers to a command: an object.
// nullopt: none runs. Errors: a failure it reports itself, with the kind it says; environment (the
// socket cannot be opened); runtime (no answer within `patience`, or not an understandable one).
[[nodiscard]] Result<std::optional<nlohmann::json>> ask_running(const std::string& file_prefix,
                                                                const std::string& command,
                                                                std::chrono::seconds patience);

// In a telemetry handler: the answer is this failure. `reply` is a fresh dictionary.
void reply_failure(rte_tel_data* reply, const Error& error);

}  // namespace imds::inspector
