#include "flow/clock.h"

#include <algorithm>
#include <limits>

namespace imds::flow {

void CoarseClock::change(Timestamp time) {
  constexpr std::int64_t kLast = std::numeric_limits<Seconds>::max();
  const std::int64_t seconds = time.ns / kNanosPerSecond;
  second_.ns = seconds * kNanosPerSecond;
  length_ = time.ns >= 0 ? kNanosPerSecond : 0;
  if (!started_) {
    started_ = true;
    offset_ = -seconds;
  }
  // |seconds| < 2^34 and |offset_| < 2^36, so no sum overflows.
  const std::int64_t coarse = seconds + offset_;
  if (coarse >= now_) {
    now_ = static_cast<Seconds>(std::min(coarse, kLast));
  } else if (now_ - coarse > kJitter) {
    offset_ = now_ - seconds;
  }
}

}  // namespace imds::flow
