// The VLAN ids one worker has ever seen. A packet broker that strips tags silently voids VLAN
// suppression; a census that shows no tags tells.
//
// Threads: note() by the owning worker only, snapshot() by anyone at any time. Bits are only ever
// set, so a snapshot may be slightly old, never wrong. 520 bytes, no allocation.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <span>

#include "packet/view.h"

namespace imds::classify {

inline constexpr std::size_t kVlanIds = 4096;

class VlanCensus {
 public:
  struct Snapshot {
    std::bitset<kVlanIds> ids;
    bool untagged = false;

    Snapshot& operator|=(const Snapshot& other) {
      ids |= other.ids;
      untagged = untagged || other.untagged;
      return *this;
    }
  };

  void note(const packet::VlanStack& stack) { note(stack.count, stack.ids); }
  // The first `count` of `ids`.
  void note(unsigned count, std::span<const std::uint16_t> ids) {
    if (count == 0) {
      note_untagged();
    }
    for (unsigned i = 0; i < count; ++i) {
      note(ids[i]);
    }
  }

  void note_untagged() {
    if (!untagged_.load(std::memory_order_relaxed)) {
      untagged_.store(true, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] Snapshot snapshot() const {
    Snapshot out;
    out.untagged = untagged_.load(std::memory_order_relaxed);
    for (std::size_t id = 0; id < kVlanIds; ++id) {
      out.ids[id] = (words_[id / 64].load(std::memory_order_relaxed) >> (id % 64)) & 1u;
    }
    return out;
  }

 private:
  void note(std::uint16_t id) {
    std::atomic<std::uint64_t>& word = words_[(id & packet::kVlanIdMask) / 64];
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    const std::uint64_t seen = word.load(std::memory_order_relaxed);
    if ((seen & bit) == 0) {
      word.store(seen | bit, std::memory_order_relaxed);
    }
  }

  std::array<std::atomic<std::uint64_t>, kVlanIds / 64> words_{};
  std::atomic<bool> untagged_{false};
};

}  // namespace imds::classify
