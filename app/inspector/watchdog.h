// Notices workers that no longer poll, and says so once per stall. Control thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "engine.h"

namespace imds::inspector {

class Watchdog {
 public:
  explicit Watchdog(const Engine& engine);
  // Call a few times a second.
  void look();

 private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    std::uint64_t cycles = 0;
    Clock::time_point since;
    bool stalled = false;
  };

  const Engine& engine_;
  std::vector<Seen> workers_;
};

}  // namespace imds::inspector
