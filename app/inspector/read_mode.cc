#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <unistd.h>

#include "eal.h"
#include "engine.h"
#include "metrics/samples.h"
#include "metrics_sources.h"
#include "modes.h"
#include "port/capture.h"
#include "port/packet_meta.h"
#include "progress.h"
#include "report.h"
#include "sinks.h"
#include "summary.h"

namespace imds::inspector {

namespace {

// EAL's own needs beside tables and packets.
constexpr std::uint64_t kEalOverheadBytes = 48u << 20;

Status start_offline_eal(const Settings& settings, const rules::RuleSet& rules) {
  EalOptions eal;
  eal.offline = true;
  const std::uint64_t bytes = Engine::estimate_memory_bytes(settings, rules) +
                              port::CaptureSource::required_memory_bytes() + kEalOverheadBytes;
  eal.memory_mib = memory_mib(settings.config.memory.limit_mib, bytes);
  eal.extra_arguments = settings.config.eal.extra_arguments;
  auto started = start_eal(eal);
  if (!started) {
    return pass_on(started);
  }
  return port::register_packet_meta();
}

Status write_metrics(const std::string& path, const Engine& engine, Timestamp start) {
  metrics::Registry registry;
  register_sources(registry, {&engine, nullptr, nullptr, nullptr, start});
  const std::string text = metrics::to_text(registry.collect());
  if (path == "-") {
    std::fwrite(text.data(), 1, text.size(), stderr);
    return {};
  }
  std::ofstream out(path, std::ios::binary);
  if (!(out << text) || !out.flush()) {
    return fail(ErrorKind::runtime, "cannot write the metrics to " + path);
  }
  return {};
}

// Given back piece by piece, DPDK's memory is cleared first: more than a hundred MiB of address
// tables, which takes longer than reading a small capture. The end of the process takes it at once.
template <class T>
T& keep_until_exit(std::unique_ptr<T> owned) {
  static T* kept = nullptr;  // where leak checkers find it
  kept = owned.release();
  return *kept;
}

void inspect_all(Engine& engine, port::CaptureSource& source, PrintSink& printer,
                 Progress& progress) {
  port::Source* const sources[] = {&source};
  std::uint64_t shown = 0;
  while (!source.exhausted() && !stop_requested() && !printer.failed()) {
    engine.worker(0).poll(sources);
    engine.story().poll(std::numeric_limits<std::size_t>::max());
    // Some were told meanwhile, while the worker polled.
    const std::uint64_t alerts = engine.story().alerts();
    if (alerts != shown && source.is_stream()) {
      printer.flush();  // the next packet may be long in coming
      shown = alerts;
    }
    progress.update(source.progress(), alerts);
  }
  engine.worker(0).finish();
  engine.story().poll(std::numeric_limits<std::size_t>::max());
  engine.story().finish();
  engine.stop_evidence();
  progress.clear();
}

}  // namespace

Result<int> run_read(const CommandLine& line, const Settings& settings) {
  const Timestamp start = wall_clock_now();
  RulesetOptions how;
  how.is_stopped = stop_requested;
  auto ruleset = load_ruleset(settings.config.rules, how);
  if (!ruleset && stop_requested()) {
    return 0;  // before anything began
  }
  if (!ruleset) {
    return pass_on(ruleset);
  }
  report_ruleset(*ruleset);
  // Before EAL, so that a bad path is found at once.
  auto reader = port::CaptureReader::open(line.read);
  if (!reader && stop_requested()) {
    return 0;  // before the first packet came
  }
  if (!reader) {
    return pass_on(reader);
  }
  if (auto status = start_offline_eal(settings, *ruleset->compiled); !status) {
    return pass_on(status);
  }
  auto created_source = port::CaptureSource::create(std::move(*reader));
  if (!created_source) {
    return pass_on(created_source);
  }
  port::CaptureSource& source = keep_until_exit(std::move(*created_source));
  Progress progress;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  PrintSink printer(line.format, terminal, terminal ? &progress : nullptr);
  EngineOptions options;
  options.port_names = {"capture"};
  options.sinks = {&printer};
  options.throttle = line.throttle;
  options.drain_inline = true;
  options.ruleset = &*ruleset;
  auto created_engine = Engine::create(settings, ruleset->compiled, options);
  if (!created_engine) {
    return pass_on(created_engine);
  }
  Engine& engine = keep_until_exit(std::move(*created_engine));
  report_suppressions(engine.policy()->suppressions);

  const auto begin = std::chrono::steady_clock::now();
  inspect_all(engine, source, printer, progress);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const bool printed = printer.flush();
  std::fputs(summarize(engine, took.count()).c_str(), stderr);
  if (line.metrics_text) {
    if (auto status = write_metrics(*line.metrics_text, engine, start); !status) {
      return pass_on(status);
    }
  }
  if (!adds_up(engine)) {
    return fail(ErrorKind::runtime, "the counts above do not add up; this is a defect");
  }
  if (!printed) {
    return fail(ErrorKind::runtime, std::string("cannot write alerts to standard output: ") +
                                        std::strerror(printer.error()));
  }
  if (!source.errors().empty()) {
    std::string all;
    for (const Error& error : source.errors()) {
      all += (all.empty() ? "" : "; ") + error.to_string();
    }
    return fail(ErrorKind::runtime, all);
  }
  return 0;
}

}  // namespace imds::inspector
