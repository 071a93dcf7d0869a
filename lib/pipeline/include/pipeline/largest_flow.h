// How much of a worker's packets belong to one flow: an elephant keeps a worker busy that no
// spreading over more workers can relieve.
//
// One packet of each burst is sampled and counts for all of its burst, so the cost is per burst.
// Flows are counted with the Space-Saving algorithm (Metwally, Agrawal, El Abbadi 2005): a flow
// that has no slot takes the smallest one and inherits its count as its error. What is told is the
// count without the error: at least so much belongs to one flow, at most 1/kSlots more.
//
// Threads: one writer; share() by anyone. Time is that of the packets. Nothing allocates.
#pragma once

#include <array>
#include <cstdint>

#include "base/counter.h"
#include "base/time.h"

namespace imds::pipeline {

class LargestFlow {
 public:
  static constexpr std::size_t kSlots = 16;
  static constexpr std::int64_t kIntervalNs = 10 * kNanosPerSecond;
  // An interval with fewer bursts tells nothing: of three packets, one flow has most.
  static constexpr std::uint32_t kFewestSamples = 100;
  static constexpr std::uint64_t kWhole = 1'000'000;  // share() of a flow that has all packets

  // Which packet of a burst of `count` (not 0) is to be sampled: each is as likely as the others.
  [[nodiscard]] std::uint16_t pick(std::uint16_t count) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint16_t>(((random_ >> 32) * count) >> 32);
  }
  // The packet belongs to the flow with this hash and stands for `packets`.
  void sample(std::uint64_t flow_hash, std::uint32_t packets);
  // The packet belongs to no flow (it is not IP).
  void sample_without_flow(std::uint32_t packets) {
    packets_ += packets;
    ++samples_;
  }
  // Ends the interval if it is over; the next one begins at `now`. A clock that was set back begins
  // one, too.
  void tick(Timestamp now);

  // Of the packets of the last interval those of its largest flow, in millionths; 0 before the
  // first interval is over, and where packets were too few to tell.
  [[nodiscard]] std::uint64_t share() const { return share_.get(); }

 private:
  struct Slot {
    std::uint64_t flow = 0;
    std::uint64_t packets = 0;
    std::uint64_t error = 0;
  };

  std::array<Slot, kSlots> slots_{};
  std::uint64_t packets_ = 0;
  std::uint32_t samples_ = 0;
  std::uint64_t random_ = 1;
  Timestamp begin_;
  Counter share_;
};

}  // namespace imds::pipeline
