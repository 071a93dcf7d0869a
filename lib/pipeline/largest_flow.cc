#include "pipeline/largest_flow.h"

#include <algorithm>

namespace imds::pipeline {

void LargestFlow::sample(std::uint64_t flow_hash, std::uint32_t packets) {
  packets_ += packets;
  ++samples_;
  Slot* smallest = slots_.data();
  for (Slot& slot : slots_) {
    if (slot.flow == flow_hash && slot.packets != 0) {
      slot.packets += packets;
      return;
    }
    if (slot.packets < smallest->packets) {
      smallest = &slot;
    }
  }
  *smallest = {flow_hash, smallest->packets + packets, smallest->packets};
}

void LargestFlow::tick(Timestamp now) {
  const std::int64_t passed = now.ns - begin_.ns;
  if (passed >= 0 && passed < kIntervalNs) {
    return;
  }
  std::uint64_t largest = 0;
  for (const Slot& slot : slots_) {
    largest = std::max(largest, slot.packets - slot.error);
  }
  // Before the first packet `begin_` is no time of packets, and the counts are 0.
  share_.set(samples_ >= kFewestSamples ? largest * kWhole / packets_ : 0);
  slots_ = {};
  packets_ = 0;
  samples_ = 0;
  begin_ = now;
}

}  // namespace imds::pipeline
