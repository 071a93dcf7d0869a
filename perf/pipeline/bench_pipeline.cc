// bench-pipeline: what a worker costs per packet, with the shipped rules and default limits, on
// packets held in memory far larger than the caches, against the bare loop: the same source and the
// same bursts, packets only given back.
//
// Exit codes: 0; 1 when a round did not find exactly what the packets are known to hold, or on
// another failure; 2 for the command line.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "bench_worker.h"
#include "measure.h"
#include "measure_reload.h"
#include "memory.h"
#include "must.h"
#include "port/packet_meta.h"
#include "rows.h"
#include "support/eal.h"
#include "traffic.h"

namespace {

using namespace imds;
using namespace imds::bench;

constexpr std::uint32_t kEalMebibytes = 256;  // LPM tables, mbufs and EAL itself
constexpr std::uint32_t kMostWorkers = 64;

struct Arguments {
  TrafficRequest traffic;
  std::string rules = IMDS_CONF_DIR "/rules";
  std::string fields = IMDS_CONF_DIR "/fields.yaml";
  std::string json;
  unsigned rounds = 11;
  unsigned workers = 1;
  std::uint32_t flows = 0;
  bool small_pages = false;
  bool no_fast_lane = false;
  bool keep_evidence = false;
  bool reloads = false;
};

// False if there is nothing to measure; the exit code is in `code` then.
bool parse(int argc, char** argv, Arguments& arguments, int& code) {
  namespace po = boost::program_options;
  po::options_description options("bench-pipeline --profile NAME | --trace FILE");
  TrafficRequest& traffic = arguments.traffic;
  auto add = options.add_options();
  add("help", "this text");
  add("profile", po::value(&traffic.profile), "traffic made in memory: imds-tracegen --list");
  add("packets", po::value(&traffic.packets), "how many at least; default: the profile's own");
  add("seed", po::value(&traffic.seed), "another one gives other packets; default 1");
  add("trace", po::value(&traffic.trace), "pcap file made by imds-tracegen");
  add("rules", po::value(&arguments.rules), "rule file or folder; default: as shipped");
  add("rounds", po::value(&arguments.rounds), "how often; default 11");
  add("workers", po::value(&arguments.workers), "at once, each on a CPU of its own; default 1");
  add("flows", po::value(&arguments.flows),
      "flows a worker can hold; default: as configured, or what the profile needs");
  add("small-pages", po::bool_switch(&arguments.small_pages), "4 KiB pages, for comparison");
  add("no-fast-lane", po::bool_switch(&arguments.no_fast_lane),
      "every packet goes the whole way, for comparison");
  add("keep-evidence", po::bool_switch(&arguments.keep_evidence),
      "with evidence.capture, all but the writing");
  add("reloads", po::bool_switch(&arguments.reloads),
      "measure exchanges of the rules under the worker, too; one worker");
  add("json", po::value(&arguments.json), "file for the result");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  if (given.count("help") != 0) {
    std::printf("%s", (std::ostringstream() << options).str().c_str());
    code = 0;
    return false;
  }
  code = 2;
  if (traffic.profile.empty() == traffic.trace.empty()) {
    std::fprintf(stderr, "bench-pipeline: one of --profile and --trace is needed\n");
    return false;
  }
  if (arguments.rounds == 0 || arguments.workers == 0 || arguments.workers > kMostWorkers) {
    std::fprintf(stderr, "bench-pipeline: one round at least, and 1 to %u workers\n", kMostWorkers);
    return false;
  }
  if (arguments.reloads && arguments.workers != 1) {
    std::fprintf(stderr, "bench-pipeline: --reloads is for one worker\n");
    return false;
  }
  traffic.queues = static_cast<std::uint16_t>(arguments.workers);
  return true;
}

std::uint32_t flow_capacity(const Arguments& arguments) {
  if (arguments.flows != 0) {
    return arguments.flows;
  }
  std::uint64_t flows = config::Flow{}.capacity;
  if (!arguments.traffic.profile.empty()) {
    // Those that have ended stay for some seconds, in each of which a tenth is replaced.
    const std::uint64_t at_once = flows_of_profile(arguments.traffic.profile);
    flows = std::max(flows, at_once * 2);
  }
  return static_cast<std::uint32_t>(flows);
}

nlohmann::json measure(Arguments& arguments) {
  const std::vector<int> cpus = allowed_cpus();
  const std::uint32_t flows = flow_capacity(arguments);
  // Entry, bucket slots and free list; a bit more, so that the rest fits too.
  constexpr std::uint64_t kBytesPerFlow = sizeof(pipeline::Worker::FlowTable::Entry) + 64;
  const std::uint64_t table_bytes = flows * kBytesPerFlow;
  bool eal_huge = false;
  if (arguments.small_pages) {
    avoid_huge_pages();
    arguments.traffic.huge_pages = false;
    support::start_eal(kEalMebibytes);
  } else {
    eal_huge = support::start_eal_on_huge_pages(
        kEalMebibytes + static_cast<unsigned>(arguments.workers * (table_bytes >> 20)));
  }
  must(port::register_packet_meta());

  const Shared shared = make_shared_parts(arguments.rules, arguments.fields);
  std::vector<std::unique_ptr<BenchWorker>> workers;
  for (unsigned i = 0; i < arguments.workers; ++i) {
    workers.push_back(std::make_unique<BenchWorker>(
        shared, WorkerSetup{i, flows, eal_huge, !arguments.no_fast_lane, arguments.keep_evidence}));
  }
  Traffic traffic = make_traffic(arguments.traffic);
  nlohmann::json row =
      workers.size() == 1
          ? row_of(measure_one(*workers.front(), traffic, arguments.rounds), traffic)
          : row_of(measure_several(workers, cpus, traffic, arguments.rounds), traffic);
  if (arguments.reloads) {
    add_reloads(row, measure_reloads(*workers.front(), traffic, arguments.rounds));
  }
  row["rounds"] = arguments.rounds;
  add_memory(row, traffic, workers, eal_huge);
  return row;
}

int run(int argc, char** argv) {
  Arguments arguments;
  int code = 0;
  if (!parse(argc, argv, arguments, code)) {
    return code;
  }
  const nlohmann::json row = measure(arguments);
  print(row);
  if (arguments.reloads) {
    print_reloads(row);
  }
  if (!arguments.json.empty()) {
    std::ofstream out(arguments.json);
    if (!(out << row.dump(2) << '\n') || !out.flush()) {
      throw std::runtime_error("cannot write " + arguments.json);
    }
  }
  return row.at("ground_truth_ok").get<bool>() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const boost::program_options::error& error) {
    std::fprintf(stderr, "bench-pipeline: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-pipeline: %s\n", error.what());
    return 1;
  }
}
