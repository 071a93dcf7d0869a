// Who was last seen to have, or to answer from, an address: a bounded memory from a key of the
// caller's to a MAC address.
//
// Threads: one owner; counters may be read by anyone. All memory is taken at creation. A key has a
// place in one of 8-way sets, found by a hash with a secret; when its set is full, the entry unused
// longest makes room, counted: what is forgotten is told again, never hidden. An entry is forgotten
// as well when it was not seen for `forget_after_ns`.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/counter.h"
#include "base/siphash.h"
#include "base/time.h"

namespace imds::evidence {

// Plain bytes, all of them written by the caller.
struct OwnerKey {
  IpAddress address;
  std::uint8_t role = 0;  // keeps apart what answers and what is claimed
  std::uint8_t vlan_count = 0;
  std::array<std::uint16_t, 4> vlans{};
  std::uint32_t vni = 0;

  friend bool operator==(const OwnerKey&, const OwnerKey&) = default;
};

struct OwnerCounters {
  Counter entries;  // in use now
  Counter evicted;  // made room for others before their time was over
};

class Owners {
 public:
  struct Options {
    std::size_t entries = 4096;  // rounded up to a power of two, 8 at least
    std::int64_t forget_after_ns = 3600 * kNanosPerSecond;
    std::array<std::uint64_t, 2> secret{};
  };
  struct Noted {
    bool is_new = false;  // nothing was known of the key
    MacAddress previous;  // another MAC that had it until now; zero: none
    [[nodiscard]] bool changed() const { return !previous.is_zero(); }
  };

  explicit Owners(const Options& options);

  // Time may go backwards (captures); it then counts as no time.
  Noted note(const OwnerKey& key, const MacAddress& mac, Timestamp now);

  [[nodiscard]] const OwnerCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t capacity() const { return entries_.size(); }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    OwnerKey key;
    MacAddress mac;
    bool used = false;
    std::int64_t seen_ns = 0;
  };

  [[nodiscard]] std::size_t set_of(const OwnerKey& key) const;
  [[nodiscard]] bool is_forgotten(const Entry& entry, Timestamp now) const;

  std::vector<Entry> entries_;
  std::int64_t forget_after_ns_;
  std::array<std::uint64_t, 2> secret_;
  OwnerCounters counters_;
};

}  // namespace imds::evidence
