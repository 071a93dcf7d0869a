// Brings EAL up for tests and benchmarks, once per process, without privileges or files left
// behind. Programs that use it set `external = [dep_dpdk]`.
#pragma once

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <rte_eal.h>
#include <rte_errno.h>

namespace imds::support {

// Free reserved pages of 2 MiB, in MiB.
inline std::size_t free_huge_mebibytes() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  std::size_t pages = 0;
  file >> pages;
  return pages * 2;
}

inline void init_eal(unsigned megabytes, bool huge_pages) {
  // EAL keeps pointers into its arguments.
  static std::vector<std::string> arguments = {"test", "--no-pci",    "--no-telemetry", "--lcores",
                                               "0@0",  "--log-level", "*:error"};
  if (huge_pages) {
    arguments.emplace_back("--in-memory");
  } else {
    arguments.insert(arguments.end(),
                     {"--no-huge", "--no-shconf", "-m", std::to_string(megabytes)});
  }
  static std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    throw std::runtime_error(std::string("EAL did not start: ") + rte_strerror(rte_errno));
  }
  std::atexit([] { rte_eal_cleanup(); });
}

// Call before anything of DPDK; later calls do nothing. Throws std::runtime_error when EAL does
// not start. The first caller's thread becomes the main lcore. Memory is `megabytes` of ordinary
// pages, so that tests do not depend on the machine.
inline void start_eal(unsigned megabytes = 512) {
  static const bool started = [megabytes] {
    init_eal(megabytes, false);
    return true;
  }();
  static_cast<void>(started);
}

// For benchmarks, instead of start_eal(): on reserved huge pages if `megabytes` of them are free;
// EAL takes them as it needs them. Returns whether they are.
inline bool start_eal_on_huge_pages(unsigned megabytes) {
  const bool huge_pages = free_huge_mebibytes() >= megabytes;
  init_eal(megabytes, huge_pages);
  return huge_pages;
}

}  // namespace imds::support
