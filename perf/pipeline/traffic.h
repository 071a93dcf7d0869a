// The packets a measurement replays and what must be found in them.
#pragma once

#include <cstdint>
#include <string>

#include "port/replay.h"
#include "traces/trace.h"

namespace imds::bench {

struct TrafficRequest {
  std::string profile;        // made in memory
  std::uint64_t packets = 0;  // 0: as many as the profile suggests
  std::uint64_t seed = 1;
  std::string trace;  // or read from this file and FILE.expected.json
  std::uint16_t queues = 1;
  bool huge_pages = true;
};

struct Traffic {
  std::string profile;
  std::uint64_t flows = 0;             // begun in one loop
  std::uint64_t concurrent_flows = 0;  // at most at once; 0: not known
  std::uint64_t loops_to_fill = 1;     // until so many are
  bool rewrites = false;               // every loop has other clients
  traces::Alerts expected;             // of one loop of all queues
  port::ReplaySource::Queues queues;

  [[nodiscard]] std::uint64_t packets() const;
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint64_t memory_bytes() const;
};

// Throws std::runtime_error. EAL must be running.
[[nodiscard]] Traffic make_traffic(const TrafficRequest& request);

// Flows at once in a replay of that profile. Throws if there is none of that name.
[[nodiscard]] std::uint64_t flows_of_profile(const std::string& profile);

}  // namespace imds::bench
