// The flow table of one worker: preallocated for N flows, never refuses one.
//
// Look-up goes through buckets of one cache line: 8 slots of a 16-bit signature and a 32-bit entry
// index; a key may stand in either of two buckets. Each bucket counts the keys it had no room for,
// so that nearly every look-up ends in the first. When neither has room, one of their entries is
// moved to its other bucket; if that fails, or all N entries are taken, a flow is evicted: an idle
// one first, else the one whose state ranks highest for eviction (opaque flows), else the one
// unused for longest, among a sample of at most 16. So an attacker who crowds buckets or the table
// costs other flows their place, never memory or time; HashSecret denies choosing which.
//
// Threads: one owner; counters may be read by anyone. Pointers to entries stay valid until the
// entry is removed, which insert(), expire(), erase() and clear() do: within a burst, do not keep a
// pointer across an insert(). Per packet nothing is allocated.
//
//   State: default-constructible, trivially copyable. If it has
//       std::uint8_t eviction_rank() const
//   a higher rank is evicted earlier; 0 is a flow that still matters.
//   OnRemove: void(Entry&, Removal), called just before an entry is removed; it gives back what
//   the state holds (arena buffers). It must not call the table.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <emmintrin.h>
#include <limits>
#include <new>
#include <type_traits>
#include <vector>

#include "base/counter.h"
#include "flow/clock.h"
#include "flow/key.h"
#include "flow/memory.h"

namespace imds::flow {

// Why an entry goes.
enum class Removal : std::uint8_t {
  expired,         // idle for longer than its timeout, found by expire()
  evicted_idle,    // the same, found because its place was needed
  evicted_opaque,  // eviction_rank() above 0
  evicted_active,  // nothing better to evict
  erased,          // by erase() or clear()
};

// Idle seconds after which a flow counts as over, by what is known of it. The owner copies the
// fitting one into Entry::timeout as the flow's state changes.
struct Timeouts {
  std::uint16_t tcp_opening = 10;       // SYN seen, no payload yet
  std::uint16_t tcp_established = 300;  // payload seen
  std::uint16_t tcp_closing = 5;        // FIN in both directions, or RST
  std::uint16_t other = 60;             // UDP and the rest
};

struct TableOptions {
  std::uint32_t flows = 1u << 20;  // 1 to 2^30
  HashSecret secret;               // HashSecret::random() unless results must repeat
  MemorySource memory;
};

struct TableCounters {
  Counter live;  // gauge
  Counter inserted;
  Counter expired;
  Counter evicted_idle;
  Counter evicted_opaque;
  Counter evicted_active;
  Counter erased;
};

template <class State>
struct alignas(64) TableEntry {
  Key key;
  Seconds last_seen = 0;
  std::uint32_t place = 0;     // the table's: 1 + bucket slot that points here; 0 = free
  std::uint16_t timeout = 60;  // seconds without a packet after which the flow is over
  State state{};

  void touch(Seconds now) {
    if (now > last_seen) {  // else the line would be written for nothing
      last_seen = now;
    }
  }
  [[nodiscard]] bool idle(Seconds now) const {
    return now > last_seen && now - last_seen > timeout;
  }
};

// The entry a flow's state is part of.
template <class State>
[[nodiscard]] TableEntry<State>& entry_of(State& state) {
  return *reinterpret_cast<TableEntry<State>*>(reinterpret_cast<char*>(&state) -
                                               offsetof(TableEntry<State>, state));
}

template <class State>
class Table {
  static_assert(std::is_trivially_copyable_v<State> && std::is_default_constructible_v<State>);

 public:
  using Entry = TableEntry<State>;

  // Throws std::bad_alloc if the memory cannot be had. Memory is touched as it is used.
  explicit Table(const TableOptions& options)
      : secret_(options.secret),
        capacity_(std::clamp(options.flows, 1u, 1u << 30)),
        bucket_mask_(std::bit_ceil((capacity_ + kFlowsPerBucket - 1) / kFlowsPerBucket) - 1),
        bucket_memory_((std::size_t{bucket_mask_} + 1) * sizeof(Bucket), options.memory),
        entry_memory_(std::size_t{capacity_} * sizeof(Entry), options.memory),
        buckets_(static_cast<Bucket*>(bucket_memory_.data())),
        entries_(static_cast<Entry*>(entry_memory_.data())) {
    free_.reserve(capacity_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  [[nodiscard]] std::uint64_t hash(const Key& key) const { return flow::hash(key, secret_); }
  // The same of an IPv4 key of which these are the parts.
  [[nodiscard]] std::uint64_t hash_v4(const PeersV4& peers, std::uint64_t kind) const {
    return flow::hash_v4(peers, kind, secret_);
  }
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  // Entries that expire() goes through: live ones, and those freed since.
  [[nodiscard]] std::uint32_t used() const { return high_water_; }
  [[nodiscard]] const TableCounters& counters() const { return counters_; }
  // Bytes of buckets, entries and free list, all told.
  [[nodiscard]] std::size_t memory_bytes() const {
    return bucket_memory_.size() + entry_memory_.size() + capacity_ * sizeof(std::uint32_t);
  }

  // For a burst: prefetch(hash) for all, then candidate(hash) for all, then find() each, or
  // is() of the candidate first.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&buckets_[first_bucket(hash)]); }
  // The entry that find() will most likely compare, fetched into the cache; nullptr if there is
  // none yet. Of any key: only is() tells.
  [[nodiscard]] Entry* candidate(std::uint64_t hash) const;
  // For a packet that is sure to need all of it: the rest of the candidate, or the entry that
  // insert() will take next.
  void prefetch_rest(const Entry* candidate) const {
    if (candidate != nullptr) {
      fetch(*candidate, kPrefetched, sizeof(Entry));
    } else if (!free_.empty() || high_water_ < capacity_) {
      fetch(entries_[free_.empty() ? high_water_ : free_.back()], 0, sizeof(Entry));
    }
  }
  // Whether a candidate, which may have been removed or reused since, is the flow's entry.
  [[nodiscard]] static bool is(const Entry& candidate, const Key& key) {
    return candidate.place != 0 && candidate.key == key;
  }

  // The flow's entry, or nullptr. Does not touch() it; idle but not yet removed flows are found
  // (see Entry::idle).
  [[nodiscard]] Entry* find(const Key& key, std::uint64_t hash);

  // A new entry with a fresh State, last_seen = now. Never fails; the key must not be present.
  template <class OnRemove>
  Entry& insert(const Key& key, std::uint64_t hash, Seconds now, OnRemove&& on_remove);

  // Looks at the next `budget` entries in turn and removes the idle ones. Returns how many went.
  template <class OnRemove>
  std::uint32_t expire(Seconds now, std::uint32_t budget, OnRemove&& on_remove);

  template <class OnRemove>
  void erase(Entry& entry, OnRemove&& on_remove) {
    remove(entry, Removal::erased, on_remove);
  }
  // Removes everything, as erased.
  template <class OnRemove>
  void clear(OnRemove&& on_remove) {
    for_each([&](Entry& entry) { remove(entry, Removal::erased, on_remove); });
  }
  // visit(Entry&) for each live entry, in no meaningful order; may erase that entry only.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t i = 0; i < high_water_; ++i) {
      if (entries_[i].place != 0) {
        visit(entries_[i]);
      }
    }
  }
  // For tests: every live entry stands in one of its two buckets and in no other place, and each
  // bucket counts those of its keys that stand in their second.
  [[nodiscard]] bool consistent() const;

 private:
  // Of an entry: what its every packet touches is expected there, the key and the state's first
  // line. Of what lies behind, the rest is worth fetching only for packets that need it.
  static constexpr std::size_t kPrefetched = 2 * kCacheLine;
  static constexpr std::uint32_t kSlots = 8;
  static constexpr std::uint32_t kFlowsPerBucket = 6;  // buckets are at most three quarters full
  static constexpr std::uint32_t kSample = 16;

  struct alignas(64) Bucket {
    std::uint16_t signatures[kSlots];  // 0 = free slot
    std::uint32_t indices[kSlots];
    std::uint32_t spilled;  // keys whose first bucket this is, and that stand in their second

    // Bit i set: slot i has this signature.
    [[nodiscard]] std::uint32_t matches(std::uint16_t signature) const {
      const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(signatures));
      const __m128i equal = _mm_cmpeq_epi16(all, _mm_set1_epi16(static_cast<short>(signature)));
      return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(equal, equal))) & 0xffu;
    }
  };
  static_assert(sizeof(Bucket) == 64);

  // The eviction candidate so far: idle before rank before age.
  struct Victim {
    Entry* entry = nullptr;
    bool idle = false;
    std::uint8_t rank = 0;
    Seconds age = 0;
  };

  [[nodiscard]] static std::uint16_t signature(std::uint64_t hash) {
    const auto top = static_cast<std::uint16_t>(hash >> 48);
    return top == 0 ? std::uint16_t{1} : top;
  }
  [[nodiscard]] std::uint32_t first_bucket(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash) & bucket_mask_;
  }
  [[nodiscard]] std::uint32_t second_bucket(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash >> 22) & bucket_mask_;
  }
  [[nodiscard]] static std::uint8_t rank_of(const State& state) {
    if constexpr (requires {
                    { state.eviction_rank() } -> std::convertible_to<std::uint8_t>;
                  }) {
      return state.eviction_rank();
    } else {
      return 0;
    }
  }

  static void fetch(const Entry& entry, std::size_t from, std::size_t to);
  [[nodiscard]] Entry* find_in(const Bucket& bucket, std::uint16_t signature, const Key& key);
  [[nodiscard]] bool place_in(std::uint32_t bucket, std::uint16_t signature, std::uint32_t index);
  [[nodiscard]] bool make_room(std::uint32_t bucket);
  template <class OnRemove>
  void evict_from_buckets(std::uint64_t hash, Seconds now, OnRemove&& on_remove);
  template <class OnRemove>
  void evict_from_pool(Seconds now, OnRemove&& on_remove);
  void consider(Victim& victim, Entry& entry, Seconds now) const;
  template <class OnRemove>
  void evict(const Victim& victim, OnRemove&& on_remove);
  template <class OnRemove>
  void remove(Entry& entry, Removal why, OnRemove&& on_remove);
  void count(Removal why);

  HashSecret secret_;
  std::uint32_t capacity_;
  std::uint32_t bucket_mask_;
  OwnedMemory bucket_memory_;
  OwnedMemory entry_memory_;
  Bucket* buckets_;
  Entry* entries_;
  std::vector<std::uint32_t> free_;  // stack of freed indices; reserved, never grown
  std::uint32_t high_water_ = 0;     // entries from here on were never used
  std::uint32_t expire_hand_ = 0;
  std::uint32_t evict_hand_ = 0;
  TableCounters counters_;
};

template <class State>
void Table<State>::fetch(const Entry& entry, std::size_t from, std::size_t to) {
  const auto* const begin = reinterpret_cast<const char*>(&entry);
  for (std::size_t at = from; at < std::min(sizeof(Entry), to); at += kCacheLine) {
    __builtin_prefetch(begin + at);
  }
}

template <class State>
auto Table<State>::candidate(std::uint64_t hash) const -> Entry* {
  const std::uint16_t sig = signature(hash);
  const Bucket* bucket = &buckets_[first_bucket(hash)];
  std::uint32_t hits = bucket->matches(sig);
  if (hits == 0 && bucket->spilled != 0) [[unlikely]] {
    bucket = &buckets_[second_bucket(hash)];
    hits = bucket->matches(sig);
  }
  if (hits == 0) {
    return nullptr;
  }
  Entry& entry = entries_[bucket->indices[std::countr_zero(hits)]];
  fetch(entry, 0, kPrefetched);
  return &entry;
}

template <class State>
auto Table<State>::find_in(const Bucket& bucket, std::uint16_t signature, const Key& key)
    -> Entry* {
  for (std::uint32_t hits = bucket.matches(signature); hits != 0; hits &= hits - 1) {
    Entry& entry = entries_[bucket.indices[std::countr_zero(hits)]];
    if (entry.key == key) {
      return &entry;
    }
  }
  return nullptr;
}

template <class State>
auto Table<State>::find(const Key& key, std::uint64_t hash) -> Entry* {
  const std::uint16_t sig = signature(hash);
  const Bucket& first = buckets_[first_bucket(hash)];
  if (Entry* entry = find_in(first, sig, key)) {
    return entry;
  }
  return first.spilled == 0 ? nullptr : find_in(buckets_[second_bucket(hash)], sig, key);
}

template <class State>
bool Table<State>::place_in(std::uint32_t bucket, std::uint16_t signature, std::uint32_t index) {
  Bucket& b = buckets_[bucket];
  const std::uint32_t free = b.matches(0);
  if (free == 0) {
    return false;
  }
  const auto slot = static_cast<std::uint32_t>(std::countr_zero(free));
  b.signatures[slot] = signature;
  b.indices[slot] = index;
  entries_[index].place = bucket * kSlots + slot + 1;
  return true;
}

// Moves one entry of a full bucket to that entry's other bucket. False if none can move.
template <class State>
bool Table<State>::make_room(std::uint32_t bucket) {
  Bucket& b = buckets_[bucket];
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    const std::uint32_t index = b.indices[slot];
    const std::uint64_t h = hash(entries_[index].key);
    const bool leaves_first = first_bucket(h) == bucket;
    const std::uint32_t other = leaves_first ? second_bucket(h) : first_bucket(h);
    if (other != bucket && place_in(other, b.signatures[slot], index)) {
      b.signatures[slot] = 0;
      if (leaves_first) {
        ++b.spilled;
      } else {
        --buckets_[other].spilled;
      }
      return true;
    }
  }
  return false;
}

template <class State>
template <class OnRemove>
auto Table<State>::insert(const Key& key, std::uint64_t hash, Seconds now, OnRemove&& on_remove)
    -> Entry& {
  if (free_.empty() && high_water_ == capacity_) {
    evict_from_pool(now, on_remove);
  }
  const std::uint16_t sig = signature(hash);
  const std::uint32_t first = first_bucket(hash);
  const std::uint32_t second = second_bucket(hash);
  if (buckets_[first].matches(0) == 0 && buckets_[second].matches(0) == 0 && !make_room(first) &&
      !make_room(second)) {
    evict_from_buckets(hash, now, on_remove);
  }

  std::uint32_t index = high_water_;
  if (free_.empty()) {
    ++high_water_;
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Entry& entry = *new (&entries_[index]) Entry;
  entry.key = key;
  entry.last_seen = now;
  if (!place_in(first, sig, index)) {
    // One of the two has room by now.
    (void)place_in(second, sig, index);
    ++buckets_[first].spilled;
  }
  counters_.inserted.add();
  counters_.live.add();
  return entry;
}

template <class State>
void Table<State>::consider(Victim& victim, Entry& entry, Seconds now) const {
  const Victim other{&entry, entry.idle(now), rank_of(entry.state),
                     now > entry.last_seen ? now - entry.last_seen : 0};
  const bool better =
      victim.entry == nullptr || other.idle > victim.idle ||
      (other.idle == victim.idle &&
       (other.rank > victim.rank || (other.rank == victim.rank && other.age > victim.age)));
  if (better) {
    victim = other;
  }
}

template <class State>
template <class OnRemove>
void Table<State>::evict_from_buckets(std::uint64_t hash, Seconds now, OnRemove&& on_remove) {
  Victim victim;
  for (const std::uint32_t bucket : {first_bucket(hash), second_bucket(hash)}) {
    for (const std::uint32_t index : buckets_[bucket].indices) {
      consider(victim, entries_[index], now);
    }
  }
  evict(victim, on_remove);
}

// All entries are live here, so any of them will do.
template <class State>
template <class OnRemove>
void Table<State>::evict_from_pool(Seconds now, OnRemove&& on_remove) {
  Victim victim;
  for (std::uint32_t i = 0; i < std::min(kSample, capacity_); ++i) {
    consider(victim, entries_[evict_hand_], now);
    evict_hand_ = evict_hand_ + 1 == capacity_ ? 0 : evict_hand_ + 1;
  }
  evict(victim, on_remove);
}

template <class State>
template <class OnRemove>
void Table<State>::evict(const Victim& victim, OnRemove&& on_remove) {
  const Removal why = victim.idle       ? Removal::evicted_idle
                      : victim.rank > 0 ? Removal::evicted_opaque
                                        : Removal::evicted_active;
  remove(*victim.entry, why, on_remove);
}

template <class State>
template <class OnRemove>
std::uint32_t Table<State>::expire(Seconds now, std::uint32_t budget, OnRemove&& on_remove) {
  std::uint32_t removed = 0;
  for (std::uint32_t left = std::min(budget, high_water_); left > 0; --left) {
    if (expire_hand_ >= high_water_) {
      expire_hand_ = 0;
    }
    Entry& entry = entries_[expire_hand_++];
    if (entry.place != 0 && entry.idle(now)) {
      remove(entry, Removal::expired, on_remove);
      ++removed;
    }
  }
  return removed;
}

template <class State>
template <class OnRemove>
void Table<State>::remove(Entry& entry, Removal why, OnRemove&& on_remove) {
  on_remove(entry, why);
  const std::uint32_t slot = entry.place - 1;
  buckets_[slot / kSlots].signatures[slot % kSlots] = 0;
  if (const std::uint32_t first = first_bucket(hash(entry.key)); first != slot / kSlots) {
    --buckets_[first].spilled;
  }
  entry.place = 0;
  free_.push_back(static_cast<std::uint32_t>(&entry - entries_));
  counters_.live.set(counters_.live.get() - 1);
  count(why);
}

template <class State>
bool Table<State>::consistent() const {
  std::vector<std::uint32_t> spilled(std::size_t{bucket_mask_} + 1);
  std::uint64_t standing = 0;
  for (std::uint32_t b = 0; b <= bucket_mask_; ++b) {
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      if (buckets_[b].signatures[slot] == 0) {
        continue;
      }
      const Entry& entry = entries_[buckets_[b].indices[slot]];
      const std::uint64_t h = hash(entry.key);
      const bool in_first = first_bucket(h) == b;
      if (entry.place != b * kSlots + slot + 1 || buckets_[b].signatures[slot] != signature(h) ||
          !(in_first || second_bucket(h) == b)) {
        return false;
      }
      ++standing;
      spilled[first_bucket(h)] += in_first ? 0 : 1;
    }
  }
  for (std::uint32_t b = 0; b <= bucket_mask_; ++b) {
    if (spilled[b] != buckets_[b].spilled) {
      return false;
    }
  }
  return standing == counters_.live.get();
}

template <class State>
void Table<State>::count(Removal why) {
  switch (why) {
    case Removal::expired:
      counters_.expired.add();
      break;
    case Removal::evicted_idle:
      counters_.evicted_idle.add();
      break;
    case Removal::evicted_opaque:
      counters_.evicted_opaque.add();
      break;
    case Removal::evicted_active:
      counters_.evicted_active.add();
      break;
    case Removal::erased:
      counters_.erased.add();
      break;
  }
}

}  // namespace imds::flow
