// A bounded ring between one producer thread and one consumer thread, for large plain records:
// the producer fills a slot in place, so a record is written once and never copied twice.
//
// Threads: reserve()/commit() by the producer only, front()/pop() by the consumer only, the
// counts by anyone. Full: reserve() returns nullptr; the caller counts the loss. Memory is taken
// in the constructor and never after. Capacity is a power of two.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/counter.h"
#include "base/pages.h"

namespace imds {

template <typename Record>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<Record>);

 public:
  explicit SpscRing(std::size_t least_capacity)
      : slots_(make_pages<Record>(std::bit_ceil(least_capacity))),
        mask_(std::bit_ceil(least_capacity) - 1) {
    std::uninitialized_value_construct_n(slots_.get(), capacity());
  }

  [[nodiscard]] std::size_t capacity() const { return mask_ + 1; }

  // Producer: the next free slot, or nullptr when the ring is full. The slot's old contents are
  // whatever stood there before. Without commit() nothing is published.
  [[nodiscard]] Record* reserve() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - cached_tail_ > mask_) {
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head - cached_tail_ > mask_) {
        return nullptr;
      }
    }
    return &slots_[head & mask_];
  }
  void commit() {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // Consumer: the oldest record, or nullptr when the ring is empty. Valid until pop().
  [[nodiscard]] const Record* front() {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == cached_head_) {
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail == cached_head_) {
        return nullptr;
      }
    }
    return &slots_[tail & mask_];
  }
  // Consumer: the record `distance` behind front(), to be fetched ahead, or nullptr if none is
  // known yet. Call after front(); it looks at nothing the producer writes.
  [[nodiscard]] const Record* ahead(std::uint64_t distance) const {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return cached_head_ - tail > distance ? &slots_[(tail + distance) & mask_] : nullptr;
  }
  void pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  // Anyone: records ever committed and ever popped.
  [[nodiscard]] std::uint64_t produced() const { return head_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t consumed() const { return tail_.load(std::memory_order_acquire); }

 private:
  Pages<Record> slots_;
  std::size_t mask_;
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
  std::uint64_t cached_tail_ = 0;
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t cached_head_ = 0;
};

}  // namespace imds
