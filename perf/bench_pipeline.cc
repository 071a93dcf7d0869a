// bench-pipeline: what one worker costs per packet, with the shipped rules and default limits, on a
// trace held in memory, against the bare loop: the same source and the same bursts, packets only
// given back. Rounds of both take turns, and the median of each counts.
//
// Times are of this thread's CPU clock, so that a busy machine shows as little as it can. Every
// round must find exactly what the trace's FILE.expected.json names, or the exit code is 1.
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "classify/classifier.h"
#include "classify/suppression.h"
#include "config/config.h"
#include "event/fields.h"
#include "pipeline/worker.h"
#include "port/packet_meta.h"
#include "port/replay.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "support/eal.h"

namespace {

using namespace imds;
using Alerts = std::map<std::string, std::uint64_t>;

template <class T>
T must(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().to_string());
  }
  return std::move(*result);
}

double thread_cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Findings by event, taken out of the ring as a story thread would.
struct Drain {
  detect::FindingRing ring{4096};
  Alerts found;

  bool operator()() {
    bool any = false;
    while (const event::Finding* finding = ring.front()) {
      found[std::string(event::name(finding->type))] += finding->rule_count;
      ring.pop();
      any = true;
    }
    return any;
  }
  static bool make_room(void* drain) { return (*static_cast<Drain*>(drain))(); }
};

// A worker as the inspector makes one by default.
class Bench {
 public:
  explicit Bench(const std::string& rules_path, const std::string& fields_path) {
    const auto fields = must(event::FieldTable::load(fields_path));
    const std::vector<std::filesystem::path> paths = {rules_path};
    auto rules = must(rules::RuleSet::compile(must(sigma::load_paths(paths, fields)).rules));

    const config::Config config;
    classify::Options classes;
    pipeline::Options options;
    for (const config::Endpoint& endpoint : config.endpoints) {
      classes.endpoints.push_back({endpoint.name, endpoint.addresses});
      options.inspector.endpoint_names.push_back(endpoint.name);
    }
    classes.destination_prefixes = rules->destination_prefixes();
    classes.source_prefixes = rules->source_prefixes();
    classifier_ = must(classify::Classifier::create(classes, -1));
    suppressions_ = must(classify::SuppressionSet::create(classes));

    options.flows.flows = config.flow.capacity;
    options.flows.secret = flow::HashSecret::random();
    options.inspector.raw_scan_bytes = config.inspect.raw_scan_bytes;
    options.inspector.make_room = Drain::make_room;
    options.inspector.make_room_context = &drain_;
    worker_ = must(pipeline::Worker::create(options, std::move(rules), *classifier_, suppressions_,
                                            drain_.ring));
  }

  // Seconds of CPU for one loop of the source through the worker.
  double inspect(port::ReplaySource& source) {
    drain_.found.clear();
    port::Source* const sources[] = {&source};
    const double begin = thread_cpu_seconds();
    for (std::size_t left = source.packets(); left > 0;) {
      left -= worker_->poll(sources);
    }
    const double end = thread_cpu_seconds();
    drain_();
    return end - begin;
  }
  [[nodiscard]] const Alerts& found() const { return drain_.found; }
  [[nodiscard]] const pipeline::Worker& worker() const { return *worker_; }

 private:
  Drain drain_;
  std::unique_ptr<const classify::Classifier> classifier_;
  classify::SuppressionSet suppressions_;
  std::unique_ptr<pipeline::Worker> worker_;
};

// The same without a worker.
double only_release(port::ReplaySource& source) {
  std::array<rte_mbuf*, pipeline::kBurst> burst{};
  const double begin = thread_cpu_seconds();
  for (std::size_t left = source.packets(); left > 0;) {
    const std::uint16_t count = source.receive(burst);
    source.release(std::span<rte_mbuf* const>(burst).first(count));
    left -= count;
  }
  return thread_cpu_seconds() - begin;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::uint64_t total(const Alerts& alerts) {
  std::uint64_t sum = 0;
  for (const auto& [event, count] : alerts) {
    sum += count;
  }
  return sum;
}

struct Arguments {
  std::string trace;
  std::string rules = IMDS_CONF_DIR "/rules";
  std::string fields = IMDS_CONF_DIR "/fields.yaml";
  std::string json;
  unsigned rounds = 11;
};

nlohmann::json expectation(const std::string& trace) {
  std::ifstream file(trace + ".expected.json");
  if (!file) {
    throw std::runtime_error("cannot read " + trace +
                             ".expected.json: make traces with imds-tracegen");
  }
  return nlohmann::json::parse(file);
}

nlohmann::json measure(const Arguments& arguments) {
  const nlohmann::json expected = expectation(arguments.trace);
  const Alerts wanted = expected.at("alerts").get<Alerts>();
  Bench bench(arguments.rules, arguments.fields);
  port::ReplaySource::Options endless;
  endless.loops = 0;
  auto source = must(port::ReplaySource::create({arguments.trace}, endless));

  std::vector<double> inspected;
  std::vector<double> bare;
  bool ground_truth = true;
  // The first round fills tables and caches and is only checked.
  for (unsigned round = 0; round <= arguments.rounds; ++round) {
    const double without = only_release(*source);
    const double with = bench.inspect(*source);
    ground_truth = ground_truth && bench.found() == wanted;
    if (round > 0) {
      bare.push_back(without);
      inspected.push_back(with);
    }
  }
  const pipeline::WorkerCounters& counters = bench.worker().counters();
  std::uint64_t disposed = 0;
  for (const Counter& counter : counters.dispositions) {
    disposed += counter.get();
  }
  ground_truth = ground_truth && disposed == counters.packets.get();

  const auto packets = static_cast<double>(source->packets());
  const auto bytes = static_cast<double>(source->bytes());
  const double seconds = median(inspected);
  const double cycles = static_cast<double>(rte_get_tsc_hz()) / packets;
  const auto [least, most] = std::minmax_element(inspected.begin(), inspected.end());
  return {{"profile", expected.at("profile")},
          {"packets", source->packets()},
          {"bytes_per_packet", bytes / packets},
          {"flows", expected.at("flows")},
          {"rounds", arguments.rounds},
          {"mpps", packets / seconds * 1e-6},
          {"gbit_per_s", bytes * 8 / seconds * 1e-9},
          {"cycles_per_packet", seconds * cycles},
          {"cycles_per_packet_least", *least * cycles},
          {"cycles_per_packet_most", *most * cycles},
          {"bare_cycles_per_packet", median(bare) * cycles},
          {"alerts", total(bench.found())},
          {"expected_alerts", total(wanted)},
          {"ground_truth_ok", ground_truth}};
}

void print(const nlohmann::json& row) {
  const auto number = [&row](const char* key) { return row.at(key).get<double>(); };
  std::printf(
      "%-10s %8.0f packets of %4.0f B: %6.2f Mpps %7.2f Gbit/s, %6.0f cycles/packet (%.0f to "
      "%.0f), "
      "bare %.0f, ratio %.1f; alerts %.0f of %.0f%s\n",
      row.at("profile").get<std::string>().c_str(), number("packets"), number("bytes_per_packet"),
      number("mpps"), number("gbit_per_s"), number("cycles_per_packet"),
      number("cycles_per_packet_least"), number("cycles_per_packet_most"),
      number("bare_cycles_per_packet"),
      number("cycles_per_packet") / number("bare_cycles_per_packet"), number("alerts"),
      number("expected_alerts"), row.at("ground_truth_ok").get<bool>() ? "" : "  WRONG");
}

int run(int argc, char** argv) {
  namespace po = boost::program_options;
  Arguments arguments;
  po::options_description options("bench-pipeline --trace FILE");
  options.add_options()("help", "this text")("trace", po::value(&arguments.trace),
                                             "pcap file made by imds-tracegen")(
      "rules", po::value(&arguments.rules), "rule file or folder; default: as shipped")(
      "rounds", po::value(&arguments.rounds), "how often; default 11")(
      "json", po::value(&arguments.json), "file for the result");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  if (given.count("help") != 0) {
    std::printf("%s", (std::ostringstream() << options).str().c_str());
    return 0;
  }
  if (arguments.trace.empty() || arguments.rounds == 0) {
    std::fprintf(stderr, "bench-pipeline: --trace is needed, and one round at least\n");
    return 2;
  }
  constexpr std::uint64_t kOtherMemory = 256;  // MiB: LPM tables and EAL itself
  const std::uint64_t memory =
      (must(port::ReplaySource::required_memory_bytes({arguments.trace})) >> 20) + kOtherMemory;
  support::start_eal(static_cast<unsigned>(memory));
  if (auto registered = port::register_packet_meta(); !registered) {
    throw std::runtime_error(registered.error().to_string());
  }
  const nlohmann::json row = measure(arguments);
  print(row);
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
