// What was told already: a bounded memory of keys, so that what goes on is told once per window
// and not with every packet.
//
// Threads: one owner; counters may be read by anyone. All memory is taken at creation: 16 bytes an
// entry. A key has a place in one of 8-way sets; when its set is full, what was told longest ago
// makes room, counted: what is forgotten is told again, never hidden. Keys are hashes that who
// sends the packets cannot choose (siphash128()); two that are equal in 64 bits pass for one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/counter.h"
#include "base/siphash.h"
#include "base/time.h"

namespace imds::evidence {

class Told {
 public:
  struct Options {
    std::size_t entries = 16384;  // rounded up to a power of two, 8 at least
    std::int64_t window_ns = 600 * kNanosPerSecond;
  };
  explicit Told(const Options& options);

  // Whether it is to be told: it was not within the window before `now`. Then it counts as told
  // now. Time may go backwards (captures); it then counts as no time.
  [[nodiscard]] bool note(const SipHash& key, Timestamp now);

  [[nodiscard]] std::size_t capacity() const { return entries_.size(); }
  // Made room for others before their window was over.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.get(); }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    std::int64_t told_ns = 0;
  };

  std::vector<Entry> entries_;
  std::int64_t window_ns_;
  Counter evicted_;
};

}  // namespace imds::evidence
