// DPDK's Environment Abstraction Layer behind a few words: where memory comes from, which CPUs
// work, and what went wrong in terms an operator can act on. EAL is started once per process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace imds::inspector {

enum class HugepageUse {
  automatic,  // hugepages where enough are free, ordinary memory (and a warning) where not
  required,   // environment error when too few are free
  off,
};

struct EalOptions {
  bool offline = false;  // --read: no privileges, no shared files, no devices, no telemetry
  HugepageUse hugepages = HugepageUse::automatic;
  std::size_t memory_mib = 512;
  bool needs_pci = false;
  unsigned workers = 1;
  std::vector<unsigned> worker_cpus;  // empty: chosen from the CPUs this process may use
  std::string file_prefix = "imds-inspector";
  std::vector<std::string> extra_arguments;
};

struct EalReport {
  bool hugepages = false;
  std::size_t memory_mib = 0;
  std::vector<unsigned> worker_cpus;    // CPU of worker 0, 1, …
  std::vector<unsigned> spare_cpus;     // those without a worker, best for receive cores first
  std::vector<unsigned> worker_lcores;  // lcore ids of worker 0, 1, …
  std::vector<std::string> arguments;   // what EAL was started with
  std::vector<std::string> warnings;
};

// Starts EAL. Its log goes to our log (debug), its errors into the returned Error.
[[nodiscard]] Result<EalReport> start_eal(const EalOptions& options);
// To be called when the program ends: DPDK's threads go on, but must not reach a log that is being
// taken down.
void close_eal_log();

// For EalOptions::memory_mib: the configured limit, or, where that is 0, room for so many bytes.
[[nodiscard]] std::size_t memory_mib(std::size_t limit_mib, std::uint64_t needed_bytes);

// Free hugepages of all sizes, in MiB.
[[nodiscard]] std::size_t free_hugepage_mib();

}  // namespace imds::inspector
