#include "rows.h"

#include <cstdio>
#include <string>

#include <rte_cycles.h>

#include "memory.h"

namespace imds::bench {
namespace {

constexpr double kMebibyte = 1 << 20;

double mebibytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / kMebibyte;
}

nlohmann::json common(const Traffic& traffic, const traces::Alerts& found, bool all_found) {
  const auto packets = static_cast<double>(traffic.packets());
  return {{"profile", traffic.profile},
          {"packets", traffic.packets()},
          {"bytes_per_packet", static_cast<double>(traffic.bytes()) / packets},
          {"flows", traffic.flows},
          {"concurrent_flows", traffic.concurrent_flows},
          {"alerts", found.total()},
          {"expected_alerts", traffic.expected.total()},
          {"alerts_by_rule", found.by_rule},
          {"ground_truth_ok", all_found}};
}

double number(const nlohmann::json& row, const char* key) {
  return row.at(key).get<double>();
}

void print_one(const nlohmann::json& row) {
  std::printf(
      "%-10s %8.0f packets of %4.0f B: %6.2f Mpps %7.2f Gbit/s, %6.1f cycles/packet (%.0f to "
      "%.0f), bare %.1f, above it %.1f; alerts %.0f of %.0f%s\n",
      row.at("profile").get<std::string>().c_str(), number(row, "packets"),
      number(row, "bytes_per_packet"), number(row, "mpps"), number(row, "gbit_per_s"),
      number(row, "cycles_per_packet"), number(row, "cycles_per_packet_least"),
      number(row, "cycles_per_packet_most"), number(row, "bare_cycles_per_packet"),
      number(row, "cycles_per_packet") - number(row, "bare_cycles_per_packet"),
      number(row, "alerts"), number(row, "expected_alerts"),
      row.at("ground_truth_ok").get<bool>() ? "" : "  WRONG");
  std::printf("%-10s cycles/packet by pass:", "");
  for (const std::string_view pass : kPasses) {
    const std::string name(pass);
    std::printf(" %s %.1f", name.c_str(), row.at("passes").at(name).get<double>());
  }
  std::printf("; %.2f M findings/s; by the clock %.1f cycles/packet\n",
              number(row, "findings_per_s") * 1e-6, number(row, "wall_cycles_per_packet"));
}

void print_several(const nlohmann::json& row) {
  std::printf(
      "%-10s %8.0f packets of %4.0f B, %.0f workers: %6.2f Mpps %7.2f Gbit/s, %.2f times "
      "one of them; alerts %.0f of %.0f%s\n",
      row.at("profile").get<std::string>().c_str(), number(row, "packets"),
      number(row, "bytes_per_packet"), number(row, "workers"), number(row, "mpps"),
      number(row, "gbit_per_s"), number(row, "ratio_to_one_worker"), number(row, "alerts"),
      number(row, "expected_alerts"), row.at("ground_truth_ok").get<bool>() ? "" : "  WRONG");
  for (const nlohmann::json& worker : row.at("per_worker")) {
    std::printf("%-10s   queue of %.0f packets: %6.2f Mpps, alone %6.2f\n", "",
                number(worker, "packets"), number(worker, "mpps"), number(worker, "mpps_alone"));
  }
}

}  // namespace

nlohmann::json row_of(const OneWorker& measured, const Traffic& traffic) {
  nlohmann::json row = common(traffic, measured.found, measured.all_found);
  const auto packets = static_cast<double>(traffic.packets());
  const auto bytes = static_cast<double>(traffic.bytes());
  const double cycles = static_cast<double>(rte_get_tsc_hz()) / packets;
  const double seconds = measured.cpu_seconds.median;
  row["workers"] = 1;
  row["mpps"] = packets / seconds * 1e-6;
  row["gbit_per_s"] = bytes * 8 / seconds * 1e-9;
  row["cycles_per_packet"] = seconds * cycles;
  row["cycles_per_packet_least"] = measured.cpu_seconds.least * cycles;
  row["cycles_per_packet_most"] = measured.cpu_seconds.most * cycles;
  row["bare_cycles_per_packet"] = measured.bare_cpu_seconds * cycles;
  row["wall_cycles_per_packet"] = measured.wall_seconds * cycles;
  row["findings_per_s"] = measured.findings / seconds;
  for (std::size_t i = 0; i < kPasses.size(); ++i) {
    row["passes"][std::string(kPasses[i])] = measured.pass_shares[i] * seconds * cycles;
  }
  return row;
}

nlohmann::json row_of(const SeveralWorkers& measured, const Traffic& traffic) {
  nlohmann::json row = common(traffic, measured.found, measured.all_found);
  const auto packets = static_cast<double>(traffic.packets());
  double pps = 0;
  double bits = 0;
  double seconds = 0;  // of CPU, of all
  for (const WorkerRates& worker : measured.workers) {
    const auto of_worker = static_cast<double>(worker.packets);
    pps += worker.together_pps;
    bits += worker.together_pps * static_cast<double>(worker.bytes) * 8 / of_worker;
    seconds += of_worker / worker.together_pps;
    row["per_worker"].push_back({{"packets", worker.packets},
                                 {"mpps", worker.together_pps * 1e-6},
                                 {"mpps_alone", worker.alone_pps * 1e-6}});
  }
  const double cycles = static_cast<double>(rte_get_tsc_hz()) / packets;
  row["workers"] = measured.workers.size();
  row["mpps"] = pps * 1e-6;
  row["gbit_per_s"] = bits * 1e-9;
  row["ratio_to_one_worker"] = measured.ratio;
  row["cycles_per_packet"] = seconds * cycles;
  row["bare_cycles_per_packet"] = measured.bare_cpu_seconds * cycles;
  row["findings_per_s"] =
      measured.findings / seconds * static_cast<double>(measured.workers.size());
  return row;
}

void add_memory(nlohmann::json& row, const Traffic& traffic,
                const std::vector<std::unique_ptr<BenchWorker>>& workers, bool eal_huge_pages) {
  const ProcessMemory process = process_memory();
  const pipeline::Worker::FlowTable& table = workers.front()->worker().flows();
  std::uint64_t tables = 0;
  std::uint64_t live = 0;
  std::uint64_t evicted = 0;
  for (const auto& worker : workers) {
    tables += worker->worker().flows().memory_bytes();
    const flow::TableCounters& counters = worker->worker().flows().counters();
    live += counters.live.get();
    evicted += counters.evicted_opaque.get() + counters.evicted_active.get();
  }
  // Transparent huge pages are only known by how many there are.
  const bool huge = process.huge_bytes >= traffic.memory_bytes() / 10 * 9;
  row["pages"] = huge ? "2 MiB" : "4 KiB";
  row["eal_pages"] = eal_huge_pages ? "2 MiB" : "4 KiB";
  row["memory_mib"] = mebibytes(process.resident_bytes);
  row["memory"] = {
      {"resident_mib", mebibytes(process.resident_bytes)},
      {"huge_pages_mib", mebibytes(process.huge_bytes)},
      {"eal_heap_mib", mebibytes(process.eal_heap_bytes)},
      {"packets_mib", mebibytes(traffic.memory_bytes())},
      {"flow_tables_mib", mebibytes(tables)},
      {"flow_capacity", table.capacity()},
      {"flows_live", live},
      {"flows_evicted", evicted},
      {"bytes_per_flow", static_cast<double>(table.memory_bytes()) / table.capacity()}};
}

void print(const nlohmann::json& row) {
  row.at("workers").get<unsigned>() == 1 ? print_one(row) : print_several(row);
  const nlohmann::json& memory = row.at("memory");
  std::printf(
      "%-10s pages of %s; %.0f MiB resident, of which packets %.0f; flow tables of %.0f "
      "MiB for %.0f flows each, %.0f bytes per flow, %.0f live, %.0f evicted\n",
      "", row.at("pages").get<std::string>().c_str(), number(memory, "resident_mib"),
      number(memory, "packets_mib"), number(memory, "flow_tables_mib"),
      number(memory, "flow_capacity"), number(memory, "bytes_per_flow"),
      number(memory, "flows_live"), number(memory, "flows_evicted"));
}

}  // namespace imds::bench
