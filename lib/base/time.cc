#include "base/time.h"

#include <cstdio>
#include <ctime>

namespace imds {

std::string to_rfc3339(Timestamp time) {
  std::int64_t seconds = time.ns / kNanosPerSecond;
  std::int64_t rest = time.ns % kNanosPerSecond;
  if (rest < 0) {
    rest += kNanosPerSecond;
    --seconds;
  }
  const std::time_t t = static_cast<std::time_t>(seconds);
  std::tm tm{};
  gmtime_r(&t, &tm);
  char out[64];
  std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
                tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                static_cast<int>(rest / 1000));
  return out;
}

Timestamp wall_clock_now() {
  std::timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return Timestamp{now.tv_sec * kNanosPerSecond + now.tv_nsec};
}

}  // namespace imds
