// A progress bar on a terminal's standard error; nothing at all where that is no terminal.
#pragma once

#include <chrono>
#include <cstdint>

#include "port/capture.h"

namespace imds::inspector {

class Progress {
 public:
  Progress();
  // Draws at most a few times a second.
  void update(const port::CaptureProgress& progress, std::uint64_t alerts);
  // Takes the bar off the screen, so that other text can be written.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool enabled_;
  bool drawn_ = false;
  Clock::time_point due_;
};

}  // namespace imds::inspector
