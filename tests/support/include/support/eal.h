// Brings EAL up for tests and benchmarks, once per process, without privileges, hugepages or
// files left behind. Programs that use it set `external = [dep_dpdk]`.
#pragma once

#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <string>

#include <rte_eal.h>
#include <rte_errno.h>

namespace imds::support {

// Call before anything of DPDK; later calls do nothing. Throws std::runtime_error when EAL does
// not start. The first caller's thread becomes the main lcore.
inline void start_eal(unsigned megabytes = 512) {
  static const bool started = [megabytes] {
    // EAL keeps pointers into its arguments.
    static std::string arguments[] = {"test",
                                      "--no-huge",
                                      "--no-shconf",
                                      "--no-pci",
                                      "--no-telemetry",
                                      "-m",
                                      std::to_string(megabytes),
                                      "--lcores",
                                      "0@0",
                                      "--log-level",
                                      "*:error"};
    static char* argv[std::size(arguments)];
    for (std::size_t i = 0; i < std::size(arguments); ++i) {
      argv[i] = arguments[i].data();
    }
    if (rte_eal_init(static_cast<int>(std::size(arguments)), argv) < 0) {
      throw std::runtime_error(std::string("EAL did not start: ") + rte_strerror(rte_errno));
    }
    std::atexit([] { rte_eal_cleanup(); });
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace imds::support
