// What exchanging the rules costs a worker that is at work.
#pragma once

#include <nlohmann/json.hpp>

#include "bench_worker.h"
#include "measure.h"

namespace imds::bench {

struct Reloads {
  unsigned exchanges = 0;
  double pause_seconds = 0;  // mean that the worker took to go over
  double longest_pause_seconds = 0;
  Spread quiet_cpu_seconds;  // of one loop without exchanges
  Spread busy_cpu_seconds;   // of one loop with kExchangesPerLoop
  bool all_found = true;     // in every loop, whichever generation found it
};

inline constexpr unsigned kExchangesPerLoop = 20;

// `rounds` times a loop without exchanges and one with, in which another thread exchanges the
// policy for one compiled anew from the same rules.
[[nodiscard]] Reloads measure_reloads(BenchWorker& worker, Traffic& traffic, unsigned rounds);

// Into the row of the same worker.
void add_reloads(nlohmann::json& row, const Reloads& measured);
void print_reloads(const nlohmann::json& row);

}  // namespace imds::bench
