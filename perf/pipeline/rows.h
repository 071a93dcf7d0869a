// Results as one JSON object each, and for people.
#pragma once

#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench_worker.h"
#include "measure.h"
#include "traffic.h"

namespace imds::bench {

[[nodiscard]] nlohmann::json row_of(const OneWorker& measured, const Traffic& traffic);
[[nodiscard]] nlohmann::json row_of(const SeveralWorkers& measured, const Traffic& traffic);

// What the process takes now, and what of it are flow tables and packets.
void add_memory(nlohmann::json& row, const Traffic& traffic,
                const std::vector<std::unique_ptr<BenchWorker>>& workers, bool eal_huge_pages);

void print(const nlohmann::json& row);

}  // namespace imds::bench
