// Rounds of a measurement: one worker against the bare loop, or several workers at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bench_worker.h"
#include "traffic.h"

namespace imds::bench {

inline constexpr std::array<std::string_view, 6> kPasses = {"receive", "decode",  "classify",
                                                            "flow",    "inspect", "act"};

struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
[[nodiscard]] Spread spread_of(std::vector<double> values);

// Seconds for all packets of one loop. CPU time is the thread's own, so that a busy machine shows
// as little as it can.
struct OneWorker {
  Spread cpu_seconds;
  double wall_seconds = 0;  // median
  double bare_cpu_seconds = 0;
  std::array<double, kPasses.size()> pass_shares{};  // of cpu_seconds; from rounds of their own
  double findings = 0;                               // in one loop, of any number of rules
  traces::Alerts found;                              // in the last loop
  bool all_found = true;                             // in each loop, and each packet accounted for
};

// Loops through the worker until its tables are as full as the traffic makes them. Returns whether
// each found what is expected; `expected` is of this source, or null.
bool fill_tables(BenchWorker& worker, port::ReplaySource& source, const Traffic& traffic,
                 const traces::Alerts* expected);

// `rounds` times the bare loop and the worker, in turn, after loops that fill tables and caches. If
// loops have other clients, the bare loops come before and after instead, so that the worker sees
// each once.
[[nodiscard]] OneWorker measure_one(BenchWorker& worker, Traffic& traffic, unsigned rounds);

struct WorkerRates {
  double alone_pps = 0;       // packets per second of its CPU time, the other workers idle
  double together_pps = 0;    // all at once; medians
  std::uint64_t packets = 0;  // of one loop of its queue
  std::uint64_t bytes = 0;
};
struct SeveralWorkers {
  std::vector<WorkerRates> workers;
  // Packets per second of all at once to the mean of each alone.
  double ratio = 0;
  double bare_cpu_seconds = 0;  // of one loop of all queues, one after the other
  double findings = 0;
  traces::Alerts found;  // of one loop of all queues, as the last one was
  bool all_found = true;
};

// One worker for each queue, each on a thread and one of `cpus` of its own, that shares nothing it
// writes.
// Throws std::runtime_error if there are fewer CPUs.
[[nodiscard]] SeveralWorkers measure_several(
    const std::vector<std::unique_ptr<BenchWorker>>& workers, const std::vector<int>& cpus,
    Traffic& traffic, unsigned rounds);

// Those this thread may run on. EAL leaves its main thread one.
[[nodiscard]] std::vector<int> allowed_cpus();

}  // namespace imds::bench
