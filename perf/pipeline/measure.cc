#include "measure.h"

#include <algorithm>
#include <numeric>

namespace imds::bench {
namespace {

constexpr unsigned kPassRounds = 5;

std::array<std::uint64_t, kPasses.size()> cycles_of(const pipeline::PassCycles& passes) {
  return {passes.receive, passes.decode, passes.classify, passes.flow, passes.inspect, passes.act};
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

bool fill_tables(BenchWorker& worker, port::ReplaySource& source, const Traffic& traffic,
                 const traces::Alerts* expected) {
  // Flows that have ended stay for a while: as many as end meanwhile.
  constexpr std::uint64_t kMoreLoops = 12;
  constexpr double kSteady = 1.01;
  bool all_found = true;
  double live = 0;
  const std::uint64_t most = traffic.loops_to_fill + (traffic.rewrites ? kMoreLoops : 0);
  for (std::uint64_t loop = 1; loop <= most; ++loop) {
    worker.inspect(source);
    all_found = all_found && (expected == nullptr || worker.findings() == *expected);
    const auto before = live;
    live = static_cast<double>(worker.worker().flows().counters().live.get());
    if (loop >= traffic.loops_to_fill && live < before * kSteady) {
      break;
    }
  }
  return all_found;
}

OneWorker measure_one(BenchWorker& worker, Traffic& traffic, unsigned rounds) {
  port::ReplaySource& source = *traffic.queues.front();
  OneWorker out;
  std::vector<double> cpu;
  std::vector<double> wall;
  std::vector<double> bare;
  const auto check = [&] {
    const traces::Alerts found = worker.findings();
    out.all_found = out.all_found && found == traffic.expected;
  };
  const auto bare_rounds = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      bare.push_back(only_release(source).cpu_seconds);
    }
  };

  static_cast<void>(only_release(source));
  if (traffic.rewrites) {
    bare_rounds(rounds / 2);
  }
  out.all_found = fill_tables(worker, source, traffic, &traffic.expected);
  for (unsigned round = 0; round < rounds; ++round) {
    if (!traffic.rewrites) {
      bare_rounds(1);
    }
    const LoopCost cost = worker.inspect(source);
    check();
    cpu.push_back(cost.cpu_seconds);
    wall.push_back(cost.wall_seconds);
  }
  out.findings = static_cast<double>(worker.finding_count());
  out.found = worker.findings();

  // By the clock, not the CPU's time: the round others disturbed least counts.
  std::uint64_t least = UINT64_MAX;
  for (unsigned round = 0; round < std::min(rounds, kPassRounds); ++round) {
    const auto passes = cycles_of(worker.measure_passes(source));
    check();
    if (const auto sum = std::accumulate(passes.begin(), passes.end(), std::uint64_t{0});
        sum < least) {
      least = sum;
      std::transform(passes.begin(), passes.end(), out.pass_shares.begin(), [sum](auto cycles) {
        return static_cast<double>(cycles) / static_cast<double>(sum);
      });
    }
  }
  if (traffic.rewrites) {
    bare_rounds(rounds - rounds / 2);
  }
  out.all_found = out.all_found && worker.every_packet_disposed();
  out.cpu_seconds = spread_of(cpu);
  out.wall_seconds = spread_of(wall).median;
  out.bare_cpu_seconds = spread_of(bare).median;
  return out;
}

}  // namespace imds::bench
