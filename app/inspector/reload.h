// Takes changed rules, endpoints and suppressions into a running inspector: everything is read,
// checked and compiled first, then all workers go over to it between two bursts. What is wrong
// leaves in force what was, and says why.
//
// Threads: a thread of its own does the work, away from the workers. request(), reload(), status()
// from any thread; the rest from the control thread. One object a process.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "command_line.h"
#include "engine.h"
#include "settings.h"

namespace imds::inspector {

// What became of the last reload, and of all of them. A start counts as the first success.
struct ReloadStatus {
  bool success = true;
  Timestamp last_success;
  std::uint64_t succeeded = 0;  // reloads only
  std::uint64_t failed = 0;
  double seconds = 0;  // that the last one took, reading to exchange
};

struct Reloaded {
  std::uint32_t generation = 0;
  std::size_t rules = 0;
  double seconds = 0;
};

// Sections of the configuration that differ and take effect at the next start only.
[[nodiscard]] std::vector<std::string> needs_restart(const config::Config& in_force,
                                                     const config::Config& wanted);

class Reloader {
 public:
  // Called on the reloader's thread after each success, with what is in force.
  using Applied = void (*)(void* context, const config::Config& config);

  // `line` and `in_force` are what the inspector was started with. `engine`, `line` and `context`
  // must outlive this.
  Reloader(const CommandLine& line, const Settings& in_force, Engine& engine, Applied applied,
           void* context);
  ~Reloader() { stop(); }
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  // Starts the thread, and makes reload() reachable for other processes through DPDK's telemetry
  // socket, as /imds/reload.
  void start();
  // Before the workers stop. Waits for a reload under way; nothing is exchanged afterwards.
  void stop();

  // Asks for a reload. One that is under way may have read the files already, so another follows;
  // requests that wait become one.
  void request();
  // The same, and waits for its outcome.
  [[nodiscard]] Result<Reloaded> reload();
  [[nodiscard]] ReloadStatus status() const;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] Result<Reloaded> attempt(const std::stop_token& stop);
  [[nodiscard]] Result<std::uint32_t> replace(const Settings& wanted, const Ruleset& ruleset,
                                              const std::stop_token& stop);
  [[nodiscard]] bool wait_for_former(const std::stop_token& stop);

  const CommandLine& line_;
  Settings in_force_;  // the reloader's thread only
  Engine& engine_;
  Applied applied_;
  void* context_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t requested_ = 0;  // tickets
  std::uint64_t answered_ = 0;   // the highest ticket whose reload is over
  bool stopped_ = false;
  Result<Reloaded> last_{Reloaded{}};
  ReloadStatus status_;
  std::jthread thread_;
};

// Asks the inspector that runs under this DPDK file prefix to reload, and waits. Errors: its own,
// with their kind; runtime if none runs.
[[nodiscard]] Result<Reloaded> ask_running_to_reload(const std::string& file_prefix);
[[nodiscard]] std::string describe_reload(const Reloaded& reloaded);

}  // namespace imds::inspector
