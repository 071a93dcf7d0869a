#include "measure_reload.h"

#include <atomic>
#include <cstdio>
#include <sched.h>
#include <thread>
#include <vector>

#include <rte_cycles.h>

namespace imds::bench {
namespace {

// Off the CPU of the thread that asks, if there is another.
void leave_to_worker(const std::vector<int>& cpus, int worker_cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    if (cpu != worker_cpu || cpus.size() == 1) {
      CPU_SET(cpu, &set);
    }
  }
  sched_setaffinity(0, sizeof set, &set);
}

using Policies = std::vector<std::shared_ptr<const detect::Policy>>;

// Puts one after the other in force, evenly over the packets of one loop.
void exchange_all(BenchWorker& worker, const Policies& policies, std::uint64_t loop_packets) {
  pipeline::PolicySwitch& in_force = worker.policies();
  const std::uint64_t begin = worker.worker().counters().packets.get();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const std::uint64_t due = begin + loop_packets * i / policies.size();
    while (worker.worker().counters().packets.get() < due) {
      std::this_thread::yield();
    }
    auto edition = in_force.prepare(policies[i]);
    if (edition) {
      in_force.publish(std::move(*edition));
    }
    (void)in_force.reclaim();
  }
}

}  // namespace

Reloads measure_reloads(BenchWorker& worker, Traffic& traffic, unsigned rounds) {
  port::ReplaySource& source = *traffic.queues.front();
  const std::vector<int> cpus = allowed_cpus();
  const int here = sched_getcpu();
  Reloads out;
  std::vector<double> quiet;
  std::vector<double> busy;
  out.all_found = fill_tables(worker, source, traffic, &traffic.expected);
  for (unsigned round = 0; round < rounds; ++round) {
    Policies policies;
    for (unsigned i = 0; i < kExchangesPerLoop; ++i) {
      policies.push_back(worker.compile_again(policies.empty() ? nullptr : policies.back().get()));
    }
    quiet.push_back(worker.inspect(source).cpu_seconds);
    out.all_found = out.all_found && worker.findings() == traffic.expected;
    std::thread other([&] {
      leave_to_worker(cpus, here);
      exchange_all(worker, policies, source.packets());
    });
    busy.push_back(worker.inspect(source).cpu_seconds);
    other.join();
    out.all_found = out.all_found && worker.findings() == traffic.expected;
    (void)worker.policies().reclaim();
  }
  const pipeline::WorkerCounters& counters = worker.worker().counters();
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  out.exchanges = static_cast<unsigned>(counters.policies_taken.get());
  if (out.exchanges > 0) {
    out.pause_seconds = static_cast<double>(counters.taking_cycles.get()) / hz / out.exchanges;
  }
  out.longest_pause_seconds = static_cast<double>(counters.longest_taking_cycles.get()) / hz;
  out.all_found = out.all_found && worker.every_packet_disposed();
  out.quiet_cpu_seconds = spread_of(std::move(quiet));
  out.busy_cpu_seconds = spread_of(std::move(busy));
  return out;
}

void add_reloads(nlohmann::json& row, const Reloads& measured) {
  row["reload"] = {
      {"exchanges", measured.exchanges},
      {"pause_us", measured.pause_seconds * 1e6},
      {"longest_pause_us", measured.longest_pause_seconds * 1e6},
      {"exchanges_per_loop", kExchangesPerLoop},
      {"cost_ratio", measured.busy_cpu_seconds.median / measured.quiet_cpu_seconds.median}};
  row["ground_truth_ok"] = row.at("ground_truth_ok").get<bool>() && measured.all_found;
}

void print_reloads(const nlohmann::json& row) {
  const nlohmann::json& reload = row.at("reload");
  std::printf(
      "%-10s %u reloads: pause %.2f us, the longest %.2f us; %u of them cost a loop %+.2f %%%s\n",
      row.at("profile").get<std::string>().c_str(), reload.at("exchanges").get<unsigned>(),
      reload.at("pause_us").get<double>(), reload.at("longest_pause_us").get<double>(),
      reload.at("exchanges_per_loop").get<unsigned>(),
      (reload.at("cost_ratio").get<double>() - 1) * 100,
      row.at("ground_truth_ok").get<bool>() ? "" : "  WRONG");
}

}  // namespace imds::bench
