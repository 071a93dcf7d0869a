#include "eal.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sched.h>
#include <set>
#include <unistd.h>
#include <utility>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <spdlog/spdlog.h>

#include "base/text.h"

namespace imds::inspector {

namespace {

// EAL writes its log to a stream; this one keeps what it said while starting for the Error message
// and hands every line to our log. Any EAL thread may write, until the process is gone.
struct LogCapture {
  std::mutex mutex;
  std::string partial;
  std::string tail;
  bool starting = true;
  bool closed = false;
};
LogCapture& log_capture() {
  static auto* const capture = new LogCapture;  // outlives every thread
  return *capture;
}

constexpr std::size_t kTailBytes = 2000;

void take_log_line(LogCapture& capture, const std::string& line) {
  spdlog::debug("{}", escape_for_terminal(line));
  const bool is_small_talk = line.starts_with("EAL: Detected ");
  if (capture.starting && !is_small_talk && capture.tail.size() < kTailBytes) {
    capture.tail += capture.tail.empty() ? "" : "; ";
    capture.tail += line;
  }
}

ssize_t write_log(void*, const char* data, std::size_t size) {
  LogCapture& capture = log_capture();
  const std::lock_guard lock(capture.mutex);
  for (std::size_t i = 0; i < size && !capture.closed; ++i) {
    if (data[i] == '\n') {
      take_log_line(capture, std::exchange(capture.partial, {}));
    } else if (capture.partial.size() < kTailBytes) {
      capture.partial += data[i];
    }
  }
  return static_cast<ssize_t>(size);
}

// EAL prints all its options on standard output when it is given a wrong one. Ours carries alerts
// and nothing else, so what EAL writes there while it starts goes nowhere, unless help is asked.
class QuietStandardOutput {
 public:
  explicit QuietStandardOutput(const std::vector<std::string>& arguments) {
    const bool asks_help = std::any_of(arguments.begin(), arguments.end(),
                                       [](const auto& a) { return a == "--help" || a == "-h"; });
    std::fflush(stdout);
    const int nowhere = asks_help ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
      saved_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
      dup2(nowhere, STDOUT_FILENO);
      close(nowhere);
    }
  }
  ~QuietStandardOutput() {
    std::fflush(stdout);
    if (saved_ >= 0) {
      dup2(saved_, STDOUT_FILENO);
      close(saved_);
    }
  }
  QuietStandardOutput(const QuietStandardOutput&) = delete;
  QuietStandardOutput& operator=(const QuietStandardOutput&) = delete;

 private:
  int saved_ = -1;
};

void capture_dpdk_log() {
  cookie_io_functions_t io{};
  io.write = write_log;
  if (std::FILE* stream = fopencookie(nullptr, "w", io); stream != nullptr) {
    setvbuf(stream, nullptr, _IONBF, 0);
    rte_openlog_stream(stream);
  }
}

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) {
        cpus.push_back(cpu);
      }
    }
  }
  return cpus;
}

// Workers take CPUs from the end, so that the first CPU, where the kernel keeps its own work, and
// with it the control thread, stays free of polling as long as there are CPUs enough.
Result<std::vector<unsigned>> choose_worker_cpus(const EalOptions& options,
                                                 const std::vector<unsigned>& allowed) {
  if (!options.worker_cpus.empty()) {
    for (const unsigned cpu : options.worker_cpus) {
      if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
        return fail(ErrorKind::environment,
                    "workers.cores names CPU " + std::to_string(cpu) +
                        ", which this machine does not have or this process may not use");
      }
    }
    return options.worker_cpus;
  }
  std::vector<unsigned> cpus;
  for (unsigned w = 0; w < options.workers; ++w) {
    cpus.push_back(allowed[allowed.size() - 1 - w % allowed.size()]);
  }
  return cpus;
}

// The first CPU comes last, for the reason above.
std::vector<unsigned> spare_cpus(const std::vector<unsigned>& worker_cpus,
                                 const std::vector<unsigned>& allowed) {
  std::vector<unsigned> spare;
  for (auto cpu = allowed.rbegin(); cpu != allowed.rend(); ++cpu) {
    if (std::find(worker_cpus.begin(), worker_cpus.end(), *cpu) == worker_cpus.end()) {
      spare.push_back(*cpu);
    }
  }
  return spare;
}

std::string lcore_map(const std::vector<unsigned>& worker_cpus,
                      const std::vector<unsigned>& allowed) {
  std::string control;
  for (const unsigned cpu : allowed) {
    if (std::find(worker_cpus.begin(), worker_cpus.end(), cpu) == worker_cpus.end()) {
      control += (control.empty() ? "" : ",") + std::to_string(cpu);
    }
  }
  if (control.empty()) {
    control = std::to_string(allowed.front());
  }
  std::string map = "0@(" + control + ")";
  for (std::size_t w = 0; w < worker_cpus.size(); ++w) {
    map += "," + std::to_string(w + 1) + "@" + std::to_string(worker_cpus[w]);
  }
  return map;
}

std::optional<std::size_t> read_number(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::size_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

Result<bool> decide_hugepages(const EalOptions& options, std::vector<std::string>& warnings) {
  if (options.offline || options.hugepages == HugepageUse::off) {
    return false;
  }
  const std::size_t free_mib = free_hugepage_mib();
  if (free_mib >= options.memory_mib) {
    return true;
  }
  const std::string have = "memory: " + std::to_string(free_mib) + " MiB of hugepages are free, " +
                           std::to_string(options.memory_mib) + " MiB are needed";
  const std::string advice = "reserve them, for example: echo " +
                             std::to_string((options.memory_mib + 1) / 2) +
                             " > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
  if (options.hugepages == HugepageUse::required || options.needs_pci) {
    return fail(ErrorKind::environment, have + "; " + advice);
  }
  warnings.push_back(have + "; running on ordinary pages, which is slower. " + advice);
  return false;
}

std::string take_tail() {
  LogCapture& capture = log_capture();
  const std::lock_guard lock(capture.mutex);
  capture.starting = false;
  return std::exchange(capture.tail, {});
}

// EAL reports a second process under the same prefix as "Success" or a lock failure.
std::string translate_failure(const EalOptions& options) {
  const std::string tail = take_tail();
  if (tail.find("another primary process") != std::string::npos) {
    return "another program already runs with DPDK file prefix \"" + options.file_prefix +
           "\": stop it or set eal.file_prefix";
  }
  if (tail.find("Invalid 'command line' arguments") != std::string::npos) {
    return "DPDK refuses its arguments (" + escape_for_terminal(tail) +
           "); check eal.extra_arguments and what stands after --";
  }
  std::string message = "DPDK could not start";
  if (rte_errno != 0) {
    message += std::string(" (") + rte_strerror(rte_errno) + ")";
  }
  if (!tail.empty()) {
    message += ": " + escape_for_terminal(tail);
  }
  return message;
}

std::vector<std::string> build_arguments(const EalOptions& options, bool hugepages,
                                         const std::string& lcores) {
  std::vector<std::string> arguments{"imds-inspector", "--lcores", lcores, "-m",
                                     std::to_string(options.memory_mib)};
  if (options.offline) {
    for (const char* a : {"--no-huge", "--no-shconf", "--no-pci", "--no-telemetry"}) {
      arguments.emplace_back(a);
    }
  } else {
    arguments.emplace_back("--file-prefix=" + options.file_prefix);
    arguments.emplace_back(hugepages ? "--in-memory" : "--no-huge");
    if (!options.needs_pci) {
      arguments.emplace_back("--no-pci");
      // Physical addresses would split packet memory, of which AF_XDP can map one piece only.
      arguments.emplace_back("--iova-mode=va");
    }
  }
  arguments.insert(arguments.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  return arguments;
}

}  // namespace

std::size_t memory_mib(std::size_t limit_mib, std::uint64_t needed_bytes) {
  return limit_mib > 0 ? limit_mib : static_cast<std::size_t>(needed_bytes >> 20) + 1;
}

std::size_t free_hugepage_mib() {
  std::size_t kib = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    // hugepages-2048kB
    const std::string name = entry.path().filename().string();
    const std::size_t dash = name.find('-');
    if (dash == std::string::npos) {
      continue;
    }
    const std::size_t page_kib = std::strtoull(name.c_str() + dash + 1, nullptr, 10);
    kib += page_kib * read_number(entry.path() / "free_hugepages").value_or(0);
  }
  return kib / 1024;
}

Result<EalReport> start_eal(const EalOptions& options) {
  EalReport report;
  auto hugepages = decide_hugepages(options, report.warnings);
  if (!hugepages) {
    return pass_on(hugepages);
  }
  const std::vector<unsigned> allowed = allowed_cpus();
  if (allowed.empty()) {
    return fail(ErrorKind::environment, "cannot read which CPUs this process may use");
  }
  auto cpus = choose_worker_cpus(options, allowed);
  if (!cpus) {
    return pass_on(cpus);
  }
  const std::set<unsigned> distinct(cpus->begin(), cpus->end());
  if (distinct.size() < cpus->size()) {
    report.warnings.push_back(std::to_string(cpus->size()) + " workers share " +
                              std::to_string(distinct.size()) +
                              " CPU(s) and take turns, which loses packets under load: lower "
                              "workers.count or give the process more CPUs");
  }
  report.hugepages = *hugepages;
  report.memory_mib = options.memory_mib;
  report.worker_cpus = *cpus;
  report.spare_cpus = spare_cpus(*cpus, allowed);
  for (unsigned w = 0; w < cpus->size(); ++w) {
    report.worker_lcores.push_back(w + 1);
  }
  // --read runs its one worker in the main thread, on whatever CPU is free.
  const std::string lcores = lcore_map(options.offline ? std::vector<unsigned>() : *cpus, allowed);
  report.arguments = build_arguments(options, *hugepages, lcores);
  // EAL keeps pointers into its arguments.
  static std::vector<std::string> kept;
  static std::vector<char*> argv;
  kept = report.arguments;
  argv.clear();
  for (std::string& a : kept) {
    argv.push_back(a.data());
  }
  argv.push_back(nullptr);

  capture_dpdk_log();
  int started = 0;
  {
    const QuietStandardOutput quiet(options.extra_arguments);
    started = rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
  }
  if (started < 0) {
    return fail(ErrorKind::environment, translate_failure(options));
  }
  (void)take_tail();
  return report;
}

void close_eal_log() {
  LogCapture& capture = log_capture();
  const std::lock_guard lock(capture.mutex);
  capture.closed = true;
}

}  // namespace imds::inspector
