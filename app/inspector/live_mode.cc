#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stop_token>
#include <string_view>
#include <thread>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <spdlog/spdlog.h>

#include "eal.h"
#include "engine.h"
#include "inject.h"
#include "metrics/exporter.h"
#include "metrics_sources.h"
#include "modes.h"
#include "port/ethdev.h"
#include "port/packet_meta.h"
#include "receive_cores.h"
#include "reload.h"
#include "report.h"
#include "sinks.h"
#include "summary.h"
#include "watchdog.h"

namespace imds::inspector {

namespace {

constexpr std::uint64_t kEalOverheadBytes = 64u << 20;
constexpr auto kControlInterval = std::chrono::milliseconds(100);

std::string device_string(const config::Port& port, std::size_t index) {
  const std::string number = std::to_string(index);
  switch (port.driver) {
    case config::PortDriver::af_packet:
      return "net_af_packet" + number + ",iface=" + port.interface;
    case config::PortDriver::af_xdp:
      return "net_af_xdp" + number + ",iface=" + port.interface;
    case config::PortDriver::device:
      break;
  }
  return port.device;
}

port::Distribute distribution(const config::Port& port) {
  if (port.mode == config::PortMode::inline_pair) {
    return port::Distribute::off;
  }
  switch (port.distribute) {
    case config::Distribute::automatic:
      return port::Distribute::automatic;
    case config::Distribute::on:
      return port::Distribute::on;
    case config::Distribute::off:
      break;
  }
  return port::Distribute::off;
}

port::EthdevOptions ethdev_options(const config::Config& config) {
  port::EthdevOptions options;
  options.workers = config.workers.count;
  options.burst = pipeline::kBurst;
  if (config.workers.count > 1) {
    options.extra_packets = pipeline::Handover::kSlots + pipeline::kBurst;
  }
  options.rss = config.workers.rss == config::RssMode::five_tuple ? port::RssFields::five_tuple
                                                                  : port::RssFields::ip_pair;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const config::Port& from = config.ports[i];
    port::PortOptions to;
    to.name = from.name;
    to.device = device_string(from, i);
    to.mode = from.mode == config::PortMode::inline_pair ? port::PortMode::inline_pair
                                                         : port::PortMode::tap;
    to.peer = from.peer;
    to.rx_descriptors = from.rx_descriptors;
    to.tx_descriptors = from.tx_descriptors;
    to.promiscuous = from.promiscuous;
    to.mtu = from.mtu;
    to.distribute = distribution(from);
    options.ports.push_back(std::move(to));
  }
  return options;
}

// An argument handed to EAL as it is wins, as it does there.
std::string file_prefix(const config::Config& config) {
  constexpr std::string_view kOption = "--file-prefix";
  const std::vector<std::string>& given = config.eal.extra_arguments;
  std::string prefix = config.eal.file_prefix;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] == kOption && i + 1 < given.size()) {
      prefix = given[i + 1];
    } else if (given[i].starts_with(std::string(kOption) + '=')) {
      prefix = given[i].substr(kOption.size() + 1);
    }
  }
  return prefix;
}

Result<EalReport> start_live_eal(const config::Config& config, const port::EalNeeds& needs,
                                 std::uint64_t table_bytes) {
  EalOptions eal;
  eal.needs_pci = needs.pci;
  eal.workers = config.workers.count;
  eal.worker_cpus.assign(config.workers.cores.begin(), config.workers.cores.end());
  eal.file_prefix = file_prefix(config);
  eal.extra_arguments = config.eal.extra_arguments;
  const std::uint64_t bytes =
      needs.memory_bytes + table_bytes + InjectSource::required_memory_bytes() +
      pipeline::Handover::required_memory_bytes(config.workers.count) + kEalOverheadBytes;
  eal.memory_mib = memory_mib(config.memory.limit_mib, bytes);
  switch (config.memory.hugepages) {
    case config::HugePages::automatic:
      eal.hugepages = needs.hugepages ? HugepageUse::required : HugepageUse::automatic;
      break;
    case config::HugePages::required:
      eal.hugepages = HugepageUse::required;
      break;
    case config::HugePages::off:
      eal.hugepages = HugepageUse::off;
      break;
  }
  return start_eal(eal);
}

// The first IPv4 endpoint, else the first one; unset if there is none.
IpAddress test_endpoint(const config::Config& config) {
  IpAddress first;
  for (const config::Endpoint& endpoint : config.endpoints) {
    for (const IpPrefix& prefix : endpoint.addresses) {
      if (prefix.address.is_v4()) {
        return prefix.address;
      }
      if (!first.is_set()) {
        first = prefix.address;
      }
    }
  }
  return first;
}

// Everything of a live run, in the order it comes up; it goes down in reverse.
class LiveRun {
 public:
  LiveRun(const CommandLine& line, const Settings& settings, Ruleset ruleset)
      : line_(line), settings_(settings), ruleset_(std::move(ruleset)) {}

  Status start();
  // Until a stop is requested.
  Result<int> run(bool inject_first);

 private:
  struct LcoreTask {
    pipeline::Worker* worker = nullptr;
    std::vector<port::Source*> sources;
    const std::atomic<bool>* stop = nullptr;
    unsigned lcore = 0;
  };

  static int lcore_main(void* task);
  Status open_ports();
  Status open_engine();
  Status open_metrics();
  Status launch();
  static void apply(void* run, const config::Config& config);
  void refresh_ports();
  void report_injection();
  void stop_workers();
  void stop();

  const CommandLine& line_;
  const Settings& settings_;
  Ruleset ruleset_;  // until it is in force
  EalReport eal_;
  Timestamp start_ = wall_clock_now();
  std::unique_ptr<port::EthdevSet> ports_;
  PortSnapshots snapshots_;
  std::unique_ptr<RingSink> ring_;
  std::unique_ptr<InjectSource> inject_;
  std::unique_ptr<Injector> injector_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<metrics::Exporter> exporter_;
  std::jthread story_thread_;
  std::atomic<bool> stop_workers_{false};
  std::vector<LcoreTask> tasks_;
  ReceiveCores receive_cores_;
};

std::uint64_t count_test_alerts(const void* ring) {
  return static_cast<const RingSink*>(ring)->test_alerts();
}

Status LiveRun::open_ports() {
  const port::EthdevOptions options = ethdev_options(settings_.config);
  const port::EalNeeds needs = port::EthdevSet::eal_needs(options);
  auto eal = start_live_eal(settings_.config, needs,
                            Engine::estimate_memory_bytes(settings_, *ruleset_.compiled) +
                                Engine::estimate_reload_bytes(settings_, *ruleset_.compiled));
  if (!eal) {
    return pass_on(eal);
  }
  eal_ = std::move(*eal);
  report_eal(eal_);
  if (auto status = port::register_packet_meta(); !status) {
    return pass_on(status);
  }
  auto ports = port::EthdevSet::open(options);
  if (!ports) {
    return pass_on(ports);
  }
  ports_ = std::move(*ports);
  return {};
}

Status LiveRun::open_engine() {
  const config::AlertRing& ring = settings_.config.alerts.ring;
  auto writer = alert::RingWriter::open({ring.name, ring.records, ring.mode});
  if (!writer) {
    return pass_on(writer);
  }
  ring_ = std::make_unique<RingSink>(std::move(*writer));
  EngineOptions options;
  options.workers = std::min<unsigned>(settings_.config.workers.count, ports_->queues());
  for (std::uint16_t i = 0; i < ports_->port_count(); ++i) {
    options.port_names.push_back(ports_->report(i).name);
  }
  options.sinks = {ring_.get()};
  options.steering = &ports_->steering();
  options.ruleset = &ruleset_;
  auto engine = Engine::create(settings_, ruleset_.compiled, options);
  if (!engine) {
    return pass_on(engine);
  }
  engine_ = std::move(*engine);
  report_suppressions(engine_->policy()->suppressions);
  ruleset_ = {};
  auto inject = InjectSource::create(0);
  if (!inject) {
    return pass_on(inject);
  }
  inject_ = std::move(*inject);
  injector_ = std::make_unique<Injector>(*inject_, test_endpoint(settings_.config),
                                         count_test_alerts, ring_.get());
  reloader_ = std::make_unique<Reloader>(line_, settings_, *engine_, apply, this);
  return {};
}

Status LiveRun::open_metrics() {
  const config::Metrics& metrics = settings_.config.metrics;
  if (!metrics.enabled) {
    return {};
  }
  auto registry = std::make_shared<metrics::Registry>();
  register_sources(
      *registry, {engine_.get(), ring_.get(), ports_.get(), &snapshots_, start_, reloader_.get()});
  auto exporter =
      metrics::Exporter::start(metrics.listen.address, metrics.listen.port, std::move(registry));
  if (!exporter) {
    return pass_on(exporter);
  }
  exporter_ = std::move(*exporter);
  spdlog::info("metrics: http://{}:{}/metrics", metrics.listen.address.to_string(),
               exporter_->port());
  return {};
}

int LiveRun::lcore_main(void* task) {
  auto& t = *static_cast<LcoreTask*>(task);
  t.worker->run(t.sources, *t.stop);
  return 0;
}

Status LiveRun::launch() {
  tasks_.resize(engine_->worker_count());
  for (std::size_t w = 0; w < tasks_.size(); ++w) {
    LcoreTask& task = tasks_[w];
    task.worker = &engine_->worker(w);
    task.stop = &stop_workers_;
    task.lcore = eal_.worker_lcores[w];
    for (std::uint16_t p = 0; p < ports_->port_count(); ++p) {
      task.sources.push_back(&ports_->source(p, static_cast<std::uint16_t>(w)));
    }
  }
  tasks_[0].sources.push_back(inject_.get());
  if (auto status = ports_->start(); !status) {
    return pass_on(status);
  }
  refresh_ports();
  report_ports(*ports_, settings_.config.workers.count);
  story_thread_ = std::jthread([this](const std::stop_token& stop) { engine_->story().run(stop); });
  for (LcoreTask& task : tasks_) {
    if (rte_eal_remote_launch(lcore_main, &task, task.lcore) != 0) {
      return fail(ErrorKind::environment,
                  "cannot start a worker on lcore " + std::to_string(task.lcore));
    }
  }
  receive_cores_.start(*ports_, eal_.spare_cpus);
  injector_->serve();
  reloader_->start();
  return {};
}

Status LiveRun::start() {
  report_ruleset(ruleset_);
  for (auto step :
       {&LiveRun::open_ports, &LiveRun::open_engine, &LiveRun::open_metrics, &LiveRun::launch}) {
    if (auto status = (this->*step)(); !status) {
      stop();
      return pass_on(status);
    }
  }
  if (engine_->evidence() != nullptr) {
    spdlog::info("evidence: packets of alerted exchanges are kept in {}",
                 settings_.config.evidence.capture.directory);
  }
  spdlog::info("alerts: ring {} ({} records); rules: {} in force",
               settings_.config.alerts.ring.name, ring_->capacity(),
               engine_->policy()->rules->size());
  spdlog::info("inspecting: {} worker(s) on {} port(s)", tasks_.size(), ports_->port_count());
  return {};
}

// What a reload changes beside the rules.
void LiveRun::apply(void* run, const config::Config& config) {
  set_log_level(config.log.level);
  static_cast<LiveRun*>(run)->injector_->aim_at(test_endpoint(config));
}

void LiveRun::refresh_ports() {
  std::vector<PortSnapshots::Port> now;
  for (std::uint16_t i = 0; i < ports_->port_count(); ++i) {
    now.push_back({ports_->link(i), ports_->stats(i)});
  }
  snapshots_.set(std::move(now));
}

void LiveRun::report_injection() {
  const auto result = injector_->test(stop_requested);
  if (stop_requested()) {
    return;
  }
  if (!result) {
    spdlog::warn("test request: {}", result.error().message);
  } else {
    spdlog::info("{}", describe_injection(*result));
  }
}

Result<int> LiveRun::run(bool inject_first) {
  const auto begin = std::chrono::steady_clock::now();
  Watchdog watchdog(*engine_);
  if (inject_first) {
    report_injection();
  }
  while (!stop_requested()) {
    std::this_thread::sleep_for(kControlInterval);
    if (take_reload_request()) {
      reloader_->request();
    }
    refresh_ports();
    watchdog.look();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  stop();
  std::fputs(summarize(*engine_, took.count()).c_str(), stderr);
  std::fputs(summarize_distribution(*ports_).c_str(), stderr);
  if (!adds_up(*engine_) || !distribution_adds_up(*ports_)) {
    return fail(ErrorKind::runtime, "the counts above do not add up; this is a defect");
  }
  return 0;
}

// This thread takes the place of the workers for what still waits in the rings of receive cores.
void LiveRun::stop_workers() {
  stop_workers_.store(true);
  for (const LcoreTask& task : tasks_) {
    rte_eal_wait_lcore(task.lcore);
  }
  for (std::size_t w = 0; w < tasks_.size(); ++w) {
    std::vector<port::Source*> rings;
    for (std::uint16_t p = 0; p < ports_->port_count(); ++p) {
      if (ports_->distributor(p) != nullptr) {
        rings.push_back(&ports_->source(p, static_cast<std::uint16_t>(w)));
      }
    }
    while (!rings.empty() && tasks_[w].worker->poll(rings) > 0) {
    }
  }
}

// Where packets come from by software first, then workers, then what they feed, then the ports.
void LiveRun::stop() {
  if (reloader_ != nullptr) {
    reloader_->stop();
  }
  injector_.reset();
  receive_cores_.stop();
  stop_workers();
  if (engine_ != nullptr) {
    for (std::size_t w = 0; w < engine_->worker_count(); ++w) {
      engine_->worker(w).finish();
    }
    engine_->stop_evidence();
  }
  if (story_thread_.joinable()) {
    story_thread_.request_stop();
    story_thread_.join();
  }
  exporter_.reset();
  if (ports_ != nullptr) {
    ports_->stop();
  }
}

}  // namespace

Result<int> run_live(const CommandLine& line, const Settings& settings) {
  if (line.reload) {
    auto reloaded = ask_running_to_reload(file_prefix(settings.config));
    if (!reloaded) {
      return pass_on(reloaded);
    }
    std::printf("%s\n", describe_reload(*reloaded).c_str());
    return 0;
  }
  if (line.inject_test) {
    auto answer = ask_running_inspector(file_prefix(settings.config));
    if (!answer) {
      return pass_on(answer);
    }
    if (answer->has_value()) {
      if ((*answer)->alerts == 0) {
        return fail(ErrorKind::runtime, describe_injection(**answer));
      }
      std::printf("%s\n", describe_injection(**answer).c_str());
      return 0;
    }
  }
  if (settings.config.ports.empty()) {
    return fail_at(ErrorKind::config, {settings.config_path, 0, 0},
                   "no ports: name them under ports:, or watch an interface with --interface "
                   "NAME, or read captures with --read FILE");
  }
  if (line.inject_test && !test_endpoint(settings.config).is_set()) {
    return fail_at(ErrorKind::config, {settings.config_path, 0, 0},
                   "--inject-test needs an endpoint: endpoints is empty");
  }
  catch_reload_signal();
  RulesetOptions how;
  how.is_stopped = stop_requested;
  auto ruleset = load_ruleset(settings.config.rules, how);
  if (!ruleset && stop_requested()) {
    return 0;  // before anything began
  }
  if (!ruleset) {
    return pass_on(ruleset);
  }
  if (auto status = Engine::check(settings, *ruleset->compiled); !status) {
    return pass_on(status);
  }
  LiveRun live(line, settings, std::move(*ruleset));
  if (auto status = live.start(); !status) {
    return pass_on(status);
  }
  return live.run(line.inject_test);
}

}  // namespace imds::inspector
