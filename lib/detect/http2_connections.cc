#include "detect/http2_connections.h"

#include <algorithm>

#include "base/age_list.h"
#include "detect/flow_state.h"

namespace imds::detect {

namespace {

constexpr std::array<std::string_view, kHttp2BlindCount> kBlindNames = {
    "mid_stream",      "gap",    "conflict", "malformed_frame", "compression", "table_size",
    "block_too_large", "memory", "evicted"};

std::size_t slots_for(std::size_t bytes) {
  return std::max(bytes, Http2Connections::kLeastBytes) / Http2Connections::kBytesPerSlot;
}

// What the slots and the allocator's own table leave.
std::size_t block_bytes(std::size_t bytes) {
  const std::size_t all = std::max(bytes, Http2Connections::kLeastBytes);
  const std::size_t slots = slots_for(bytes) * (sizeof(Http2Connection) + sizeof(std::uint32_t));
  return (all - slots - all / http::Http2Memory::kSmallest) / http::Http2Memory::kSmallest *
         http::Http2Memory::kSmallest;
}

}  // namespace

std::string_view name(Http2Blind reason) {
  return kBlindNames[static_cast<std::size_t>(reason)];
}

Http2Connections::Http2Connections(std::size_t bytes, const flow::MemorySource& memory)
    : blocks_(block_bytes(bytes), memory),
      memory_(
          {static_cast<std::byte*>(blocks_.data()), block_bytes(bytes)},
          [](void* self) { return static_cast<Http2Connections*>(self)->evict_one(); }, this),
      allocator_(http::http2_allocator(memory_)),
      slots_(slots_for(bytes)) {
  free_.reserve(slots_.size());
  for (auto slot = static_cast<std::uint32_t>(slots_.size()); slot > 0; --slot) {
    free_.push_back(slot - 1);
  }
  counters_.bytes_capacity.set(memory_.capacity());
}

void Http2Connections::link(std::uint32_t slot) {
  List& list = list_of(slots_[slot]);
  imds::link_newest(slots_, slot, list.oldest, list.newest);
}

void Http2Connections::unlink(std::uint32_t slot) {
  List& list = list_of(slots_[slot]);
  imds::unlink(slots_, slot, list.oldest, list.newest);
}

void Http2Connections::free_slot(std::uint32_t slot) {
  Http2Connection& c = slots_[slot];
  unlink(slot);
  c.inflater.close();
  c.owner = nullptr;
  free_.push_back(slot);
  counters_.open.set(counters_.open.get() - 1);
}

// Ordinary connections go first; one that matters only for one that matters as well.
bool Http2Connections::evict_one() {
  for (const std::uint32_t victim : {lists_[0].oldest, lists_[1].oldest}) {
    if (victim == kNone || victim == current_) {
      continue;
    }
    if (slots_[victim].of_interest && !current_matters_) {
      continue;
    }
    free_slot(victim);
    counters_.evicted.add();
    return true;
  }
  return false;
}

void Http2Connections::note_use() {
  counters_.bytes_in_use.set(memory_.in_use());
  counters_.bytes_peak.raise_to(memory_.in_use());
}

Http2Connection* Http2Connections::open(DirectionState& owner, bool of_interest) {
  current_ = kNone;
  current_matters_ = of_interest;
  if (free_.empty() && !evict_one()) {
    return nullptr;
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Http2Connection& c = slots_[slot];
  c.walker = http::Http2FrameWalker();
  c.of_interest = of_interest;
  c.owner = &owner;
  link(slot);
  counters_.open.add();
  current_ = slot;
  owner.http2_slot = slot;
  if (!c.inflater.open(allocator_)) {
    close(owner);
    return nullptr;
  }
  note_use();
  return &c;
}

Http2Connection* Http2Connections::find(const DirectionState& owner) {
  const std::uint32_t slot = owner.http2_slot;
  if (slot >= slots_.size() || slots_[slot].owner != &owner) {
    return nullptr;
  }
  if (list_of(slots_[slot]).newest != slot) {
    unlink(slot);
    link(slot);
  }
  current_ = slot;
  current_matters_ = slots_[slot].of_interest;
  return &slots_[slot];
}

void Http2Connections::close(DirectionState& owner) {
  const std::uint32_t slot = owner.http2_slot;
  owner.http2_slot = DirectionState::kNoHttp2Slot;
  if (slot < slots_.size() && slots_[slot].owner == &owner) {
    free_slot(slot);
    note_use();
  }
}

http::Http2Inflated Http2Connections::inflate(Http2Connection& connection, ByteSpan block,
                                              bool whole, const http::Http2Buffers& buffers,
                                              http::Http2HeaderBlock& out) {
  const http::Http2Inflated result = connection.inflater.inflate(block, whole, buffers, out);
  note_use();
  return result;
}

}  // namespace imds::detect
