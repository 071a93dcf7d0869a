// Time as the engine carries it: nanoseconds since the Unix epoch, UTC. On live ports it is the
// receive time of the burst; in captures, the file's own timestamp.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace imds {

struct Timestamp {
  std::int64_t ns = 0;

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// Span between two timestamps in nanoseconds; negative when `later` is earlier.
[[nodiscard]] constexpr std::int64_t operator-(Timestamp later, Timestamp earlier) {
  return later.ns - earlier.ns;
}

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// RFC 3339 in UTC with microseconds: "2025-10-08T12:00:00.123456Z".
[[nodiscard]] std::string to_rfc3339(Timestamp time);

// The wall clock now.
[[nodiscard]] Timestamp wall_clock_now();

}  // namespace imds
