// The groups of one correlation: a fixed number of them, each with a fixed number of slots, found
// by key, kept in the order of their last use (or of their beginning, if the owner never touches
// them). Nothing is allocated after construction, and memory that was never needed is never
// touched (but for the rest of a huge page).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "base/pages.h"
#include "base/random.h"
#include "base/siphash.h"
#include "event/finding.h"

namespace imds::story {

// No such time.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

// Without initialisers, so that an array of them costs nothing until it is used.
struct Slot {
  std::int64_t time;
  std::uint64_t value;
};
struct Group {
  SipHash key;
  std::uint32_t chain;  // next in its bucket, or next free one
  std::uint32_t older;
  std::uint32_t newer;
  std::uint32_t head;       // of a ring of slots
  std::uint32_t count;      // slots in use
  std::int64_t start;       // of a window that is judged as a whole
  std::int64_t newest;      // time of the newest event
  std::int64_t last_alert;  // or kNever
  std::uint64_t total;      // events, or bits of the rules seen
};

class GroupTable {
 public:
  GroupTable(std::size_t groups, std::size_t slots_per_group, bool keep_findings);

  // How many groups fit into so much memory; never fewer than kMinGroups.
  static constexpr std::size_t kMinGroups = 16;
  static constexpr std::size_t kMaxGroups = std::size_t{1} << 20;
  [[nodiscard]] static std::size_t groups_in(std::size_t memory_bytes, std::size_t slots_per_group,
                                             bool keep_findings);

  [[nodiscard]] Group* find(const SipHash& key);
  // Fetched ahead of their use: where the group is told, the group with its slots (once that has
  // come), and the groups before and after it in the order of use (once that has).
  void fetch_bucket(const SipHash& key) const;
  void fetch_group(const SipHash& key) const;
  void fetch_neighbours(const SipHash& key) const;
  // Precondition: not full(), and no such key. Counters zero, times kNever, slots as they are.
  Group& add(const SipHash& key);
  void remove(Group& group);
  // Makes it the last to be given up.
  void touch(Group& group);
  [[nodiscard]] Group* oldest() { return size_ == 0 ? nullptr : &groups_[oldest_]; }

  [[nodiscard]] std::span<Slot> slots(const Group& group) {
    return {&slots_[index(group) * slots_per_group_], slots_per_group_};
  }
  // keep_findings only.
  [[nodiscard]] event::Finding& finding(const Group& group) { return findings_[index(group)]; }

  [[nodiscard]] bool full() const { return size_ == capacity_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  [[nodiscard]] std::size_t index(const Group& group) const {
    return static_cast<std::size_t>(&group - groups_.get());
  }
  [[nodiscard]] std::uint32_t& bucket(const SipHash& key) const { return buckets_[key[0] & mask_]; }
  void link_newest(std::uint32_t at);
  void unlink(const Group& group);

  std::size_t capacity_;
  std::size_t slots_per_group_;
  std::size_t mask_;
  Pages<std::uint32_t> buckets_;
  Pages<Group> groups_;
  Pages<Slot> slots_;
  std::unique_ptr<event::Finding[]> findings_;
  std::size_t size_ = 0;
  std::uint32_t fresh_ = 0;  // groups from here on were never used
  std::uint32_t free_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
};

}  // namespace imds::story
