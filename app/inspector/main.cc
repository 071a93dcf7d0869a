// imds-inspector: finds IMDS traffic on live ports and in captures, and raises alerts by Sigma
// rules.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fstream>
#include <ios>
#include <unistd.h>

#include <boost/version.hpp>
#include <rte_version.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "alert/imds_alert_ring.h"
#include "base/exit_code.h"
#include "build_config.h"
#include "command_line.h"
#include "eal.h"
#include "match/compilation.h"
#include "match/database.h"
#include "modes.h"
#include "settings.h"

namespace imds::inspector {

namespace {

std::atomic<bool> stop{false};
std::atomic<bool> reload{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

// For one use, so that a second signal ends a program that does not stop.
void note_stop(int) {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  stop.store(true);
}

void note_reload(int) {
  reload.store(true);
}

int report(const Error& error) {
  std::fprintf(stderr, "imds-inspector: error: %s\n", error.to_string().c_str());
  if (error.kind == ErrorKind::usage) {
    std::fputs("imds-inspector --help lists the options\n", stderr);
  }
  return exit_code(error.kind);
}

// Started with a standard stream closed, the next file opened would take its place, and be
// written to as if it were that.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
      std::abort();
    }
  }
}

void start_log(config::LogLevel level) {
  auto logger = spdlog::stderr_color_mt("imds");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(logger);
  set_log_level(level);
}

// What a crash leaves behind would have the tokens and keys of the packets at hand in it: unless
// somebody chose what core dumps hold, they are without memory (core(5), coredump_filter).
void leave_memory_out_of_core_dumps() {
  constexpr const char* kFilter = "/proc/self/coredump_filter";
  constexpr unsigned kKernelsDefault = 0x33;  // or without the headers of files, as it was built
  constexpr unsigned kWithoutHeaders = 0x23;
  constexpr const char* kHeadersOnly = "0x10";
  unsigned filter = 0;
  if (std::ifstream(kFilter) >> std::hex >> filter &&
      (filter == kKernelsDefault || filter == kWithoutHeaders)) {
    std::ofstream(kFilter) << kHeadersOnly;
  }
}

// A compilation that was given up may still read static objects: they stay.
int leave(int code) {
  if (match::abandoned_compilations() > 0) {
    std::fflush(nullptr);
    _exit(code);
  }
  return code;
}

void print_build_info() {
  std::printf(
      "imds-inspector %s\nrevision    %s\nbuild       %s, -march=%s\ncompiler    %s\n"
      "dpdk        %s\nmatcher     %s\nboost       %s\nalert ring  ABI %d.%d\n",
      kVersion, kRevision, kBuildType, kMarch, kCompiler, rte_version(),
      match::library_version().c_str(), BOOST_LIB_VERSION, IMDS_ALERT_RING_ABI_MAJOR,
      IMDS_ALERT_RING_ABI_MINOR);
}

Result<int> dispatch(const CommandLine& line) {
  if (line.help) {
    std::fputs(help_text().c_str(), stdout);
    return 0;
  }
  if (line.version) {
    std::printf("imds-inspector %s\n", kVersion);
    return 0;
  }
  if (line.build_info) {
    print_build_info();
    return 0;
  }
  auto settings = load_settings(line);
  if (!settings) {
    return pass_on(settings);
  }
  start_log(settings->config.log.level);
  if (line.check) {
    return run_check(line, *settings);
  }
  for (const config::Warning& warning : settings->config.warnings) {
    spdlog::warn("{}", warning.to_string());
  }
  catch_stop_signals();
  auto code = line.read.empty() ? run_live(line, *settings) : run_read(line, *settings);
  close_eal_log();
  return code;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note_stop;  // without SA_RESTART: a read from a pipe must not go on waiting
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() {
  return stop.load();
}

void catch_reload_signal() {
  struct sigaction action {};
  action.sa_handler = note_reload;
  action.sa_flags = SA_RESTART;
  sigaction(SIGHUP, &action, nullptr);
}

bool take_reload_request() {
  return reload.exchange(false);
}

void set_log_level(config::LogLevel level) {
  spdlog::level::level_enum to = spdlog::level::err;
  switch (level) {
    case config::LogLevel::trace:
      to = spdlog::level::trace;
      break;
    case config::LogLevel::debug:
      to = spdlog::level::debug;
      break;
    case config::LogLevel::info:
      to = spdlog::level::info;
      break;
    case config::LogLevel::warning:
      to = spdlog::level::warn;
      break;
    case config::LogLevel::error:
      break;
  }
  spdlog::default_logger_raw()->set_level(to);
}

}  // namespace imds::inspector

int main(int argc, char** argv) {
  using namespace imds::inspector;
  try {
    open_standard_streams();
    leave_memory_out_of_core_dumps();
    // A reader of standard output that goes away is a failed write, and reported as such.
    std::signal(SIGPIPE, SIG_IGN);
    const auto line = parse_command_line(argc, argv);
    if (!line) {
      return leave(report(line.error()));
    }
    const auto code = dispatch(*line);
    if (!code) {
      return leave(report(code.error()));
    }
    if (std::fflush(stdout) != 0) {
      return leave(report({imds::ErrorKind::runtime,
                           std::string("cannot write to standard output: ") + std::strerror(errno),
                           {}}));
    }
    return leave(*code);
  } catch (const std::exception& e) {
    return leave(report({imds::ErrorKind::runtime, std::string("unexpected: ") + e.what(), {}}));
  }
}
