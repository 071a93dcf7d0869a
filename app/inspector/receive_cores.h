// The threads that run the receive cores of distributed ports, each on a CPU of its own as long as
// there are any left. Started and stopped by the control thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "port/ethdev.h"

namespace imds::inspector {

class ReceiveCores {
 public:
  ReceiveCores() = default;
  ~ReceiveCores() { stop(); }
  ReceiveCores(const ReceiveCores&) = delete;
  ReceiveCores& operator=(const ReceiveCores&) = delete;

  // `ports` have been started and outlive the threads. `spare_cpus`: those no worker has, best
  // first; what finds none runs wherever the system puts it, and a warning is logged.
  void start(port::EthdevSet& ports, std::span<const unsigned> spare_cpus);
  // No packet is on its way to the rings afterwards. Idempotent.
  void stop();

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// "received 10 = given 9 + ring full 1" for each distributed port; empty without any.
[[nodiscard]] std::string summarize_distribution(port::EthdevSet& ports);
// Whether that holds, and the workers have taken what they were given. After everything stopped.
[[nodiscard]] bool distribution_adds_up(port::EthdevSet& ports);

}  // namespace imds::inspector
