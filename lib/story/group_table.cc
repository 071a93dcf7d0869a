#include "group_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/age_list.h"

namespace imds::story {
namespace {

std::size_t bytes_per_group(std::size_t slots_per_group, bool keep_findings) {
  constexpr std::size_t kBuckets = 2 * sizeof(std::uint32_t);  // at most two of them a group
  return sizeof(Group) + kBuckets + slots_per_group * sizeof(Slot) +
         (keep_findings ? sizeof(event::Finding) : 0);
}

}  // namespace

GroupTable::GroupTable(std::size_t groups, std::size_t slots_per_group, bool keep_findings)
    : capacity_(groups),
      slots_per_group_(slots_per_group),
      mask_(std::bit_ceil(groups) - 1),
      buckets_(make_pages<std::uint32_t>(mask_ + 1)),
      groups_(make_pages<Group>(groups)),
      slots_(make_pages<Slot>(groups * slots_per_group)),
      findings_(keep_findings ? std::make_unique_for_overwrite<event::Finding[]>(groups)
                              : nullptr) {
  std::fill_n(buckets_.get(), mask_ + 1, kNone);
}

std::size_t GroupTable::groups_in(std::size_t memory_bytes, std::size_t slots_per_group,
                                  bool keep_findings) {
  return std::clamp(memory_bytes / bytes_per_group(slots_per_group, keep_findings), kMinGroups,
                    kMaxGroups);
}

Group* GroupTable::find(const SipHash& key) {
  for (std::uint32_t at = bucket(key); at != kNone; at = groups_[at].chain) {
    if (groups_[at].key == key) {
      return &groups_[at];
    }
  }
  return nullptr;
}

void GroupTable::fetch_bucket(const SipHash& key) const {
  __builtin_prefetch(&bucket(key));
}

// The first of the bucket will be it: there are more buckets than groups.
void GroupTable::fetch_group(const SipHash& key) const {
  constexpr int kForWriting = 1;
  const std::uint32_t at = bucket(key);
  if (at != kNone) {
    const auto* const group = reinterpret_cast<const char*>(&groups_[at]);
    __builtin_prefetch(group, kForWriting);
    __builtin_prefetch(group + sizeof(Group) - 1, kForWriting);
    const auto* const slots = reinterpret_cast<const char*>(&slots_[at * slots_per_group_]);
    __builtin_prefetch(slots, kForWriting);
    __builtin_prefetch(slots + slots_per_group_ * sizeof(Slot) - 1, kForWriting);
  }
}

void GroupTable::fetch_neighbours(const SipHash& key) const {
  constexpr int kForWriting = 1;
  const std::uint32_t at = bucket(key);
  if (at != kNone) {
    for (const std::uint32_t neighbour : {groups_[at].older, groups_[at].newer}) {
      if (neighbour != kNone) {
        __builtin_prefetch(&groups_[neighbour], kForWriting);
      }
    }
  }
}

Group& GroupTable::add(const SipHash& key) {
  assert(!full());
  std::uint32_t at = fresh_;
  if (free_ != kNone) {
    at = free_;
    free_ = groups_[at].chain;
  } else {
    ++fresh_;
  }
  ++size_;
  Group& group = groups_[at];
  group = {};
  group.key = key;
  group.start = kNever;
  group.newest = kNever;
  group.last_alert = kNever;
  group.chain = bucket(key);
  bucket(key) = at;
  link_newest(at);
  return group;
}

void GroupTable::remove(Group& group) {
  const auto at = static_cast<std::uint32_t>(index(group));
  std::uint32_t* link = &bucket(group.key);
  while (*link != at) {
    link = &groups_[*link].chain;
  }
  *link = group.chain;
  unlink(group);
  group.chain = free_;
  free_ = at;
  --size_;
}

void GroupTable::touch(Group& group) {
  const auto at = static_cast<std::uint32_t>(index(group));
  if (at != newest_) {
    unlink(group);
    link_newest(at);
  }
}

void GroupTable::link_newest(std::uint32_t at) {
  imds::link_newest(groups_, at, oldest_, newest_);
}

void GroupTable::unlink(const Group& group) {
  imds::unlink(groups_, static_cast<std::uint32_t>(index(group)), oldest_, newest_);
}

}  // namespace imds::story
