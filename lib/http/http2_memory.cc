#include "http/http2_memory.h"

#include <algorithm>
#include <bit>

namespace imds::http {

namespace {

constexpr std::uint8_t kInside = 0xff;  // no block begins here
constexpr std::uint8_t kFree = 0x80;

unsigned order_of(std::size_t bytes) {
  const std::size_t units = (std::max<std::size_t>(bytes, 1) - 1) / Http2Memory::kSmallest;
  return static_cast<unsigned>(std::bit_width(units));
}

}  // namespace

Http2Memory::Http2Memory(std::span<std::byte> memory, Reclaim reclaim, void* reclaim_context)
    : base_(memory.data()),
      orders_(memory.size() / kSmallest, kInside),
      reclaim_(reclaim),
      reclaim_context_(reclaim_context) {}

Http2Memory::FreeBlock* Http2Memory::block_at(std::size_t index) const {
  return reinterpret_cast<FreeBlock*>(base_ + index * kSmallest);
}

std::size_t Http2Memory::index_of(const void* block) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(block) - base_) / kSmallest;
}

void Http2Memory::push(std::size_t index, unsigned order) {
  FreeBlock* block = block_at(index);
  block->previous = nullptr;
  block->next = free_[order];
  if (block->next != nullptr) {
    block->next->previous = block;
  }
  free_[order] = block;
  orders_[index] = static_cast<std::uint8_t>(kFree | order);
}

void Http2Memory::unlink(std::size_t index, unsigned order) {
  FreeBlock* block = block_at(index);
  if (block->previous != nullptr) {
    block->previous->next = block->next;
  } else {
    free_[order] = block->next;
  }
  if (block->next != nullptr) {
    block->next->previous = block->previous;
  }
  orders_[index] = kInside;
}

// The next of the memory no block has been made of: the largest blocks first, what is left at the
// end in ever smaller ones, so that each begins at a multiple of its size. False when even the
// largest is below `order`.
bool Http2Memory::make_block(unsigned order) {
  const std::size_t units = orders_.size() - untouched_;
  const unsigned made = std::min<unsigned>(static_cast<unsigned>(std::bit_width(units)), kOrders);
  if (made <= order) {
    return false;
  }
  push(untouched_, made - 1);
  untouched_ += std::size_t{1} << (made - 1);
  return true;
}

void* Http2Memory::take(unsigned order) {
  unsigned from = order;
  while (from < kOrders && free_[from] == nullptr) {
    ++from;
  }
  if (from == kOrders) {
    return make_block(order) ? take(order) : nullptr;
  }
  FreeBlock* block = free_[from];
  const std::size_t index = index_of(block);
  unlink(index, from);
  while (from > order) {
    --from;
    push(index + (std::size_t{1} << from), from);
  }
  orders_[index] = static_cast<std::uint8_t>(order);
  in_use_ += kSmallest << order;
  return block;
}

void* Http2Memory::allocate(std::size_t bytes) {
  if (bytes > kLargest) {
    return nullptr;
  }
  const unsigned order = order_of(bytes);
  void* block = take(order);
  while (block == nullptr && reclaim_ != nullptr && reclaim_(reclaim_context_)) {
    block = take(order);
  }
  return block;
}

void Http2Memory::release(void* block) {
  if (block == nullptr) {
    return;
  }
  std::size_t index = index_of(block);
  unsigned order = orders_[index];
  in_use_ -= kSmallest << order;
  orders_[index] = kInside;
  while (order + 1 < kOrders) {
    const std::size_t buddy = index ^ (std::size_t{1} << order);
    if (buddy >= orders_.size() || orders_[buddy] != (kFree | order)) {
      break;
    }
    unlink(buddy, order);
    index = std::min(index, buddy);
    ++order;
  }
  push(index, order);
}

std::size_t Http2Memory::block_size(const void* block) const {
  return kSmallest << orders_[index_of(block)];
}

}  // namespace imds::http
