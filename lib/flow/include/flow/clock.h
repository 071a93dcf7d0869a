// Flow ageing counts whole seconds in 32 bits, and those never run backwards, though the
// timestamps of captures do.
//
// One per worker; not shared.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace imds::flow {

// Seconds on a CoarseClock. Only differences mean anything.
using Seconds = std::uint32_t;

class CoarseClock {
 public:
  // Steps back of up to this many seconds are jitter between sources: time stands still. Longer
  // ones are a new beginning (another capture, a corrected wall clock): time goes on from where it
  // stood, so that no flow looks idle, or fresh, for years.
  static constexpr std::int64_t kJitter = 60;

  // Feed each burst's (or packet's) time; returns now(), never less than before. A step forward
  // is taken as it is, to a limit of 2^32 - 1 seconds in all.
  Seconds update(Timestamp time) {
    // As nearly always: the second of the time before.
    if (static_cast<std::uint64_t>(time.ns) - static_cast<std::uint64_t>(second_.ns) >= length_) {
      change(time);
    }
    return now_;
  }
  [[nodiscard]] Seconds now() const { return now_; }

 private:
  void change(Timestamp time);

  // So many nanoseconds from `second_` on change nothing: the second of the last time. None before
  // the first, and before 1970, where seconds end at their number.
  Timestamp second_;
  std::uint64_t length_ = 0;
  std::int64_t offset_ = 0;  // coarse = seconds of the timestamp + offset_
  Seconds now_ = 0;
  bool started_ = false;
};

}  // namespace imds::flow
