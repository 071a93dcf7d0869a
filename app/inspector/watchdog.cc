#include "watchdog.h"

#include <spdlog/spdlog.h>

namespace imds::inspector {

namespace {

constexpr auto kStall = std::chrono::seconds(2);

}  // namespace

Watchdog::Watchdog(const Engine& engine) : engine_(engine), workers_(engine.worker_count()) {
  for (Seen& seen : workers_) {
    seen.since = Clock::now();
  }
}

void Watchdog::look() {
  const Clock::time_point now = Clock::now();
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    Seen& seen = workers_[w];
    const std::uint64_t cycles = engine_.worker(w).counters().run_cycles.get();
    if (cycles != seen.cycles) {
      if (seen.stalled) {
        spdlog::warn("worker {} polls again", w);
      }
      seen = {cycles, now, false};
    } else if (!seen.stalled && now - seen.since > kStall) {
      seen.stalled = true;
      spdlog::warn("worker {} has not polled its queues for {} s: packets are being lost", w,
                   std::chrono::duration_cast<std::chrono::seconds>(now - seen.since).count());
    }
  }
}

}  // namespace imds::inspector
