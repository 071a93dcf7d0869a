#include "exhibit/frame_ring.h"

#include <algorithm>
#include <bit>
#include <new>
#include <sys/mman.h>

namespace imds::exhibit {

namespace {

constexpr std::size_t kLeastBytes = 4096;

std::uint64_t aligned(std::uint64_t size) {
  return (size + 7) & ~std::uint64_t{7};
}

}  // namespace

FrameRing::FrameRing(std::size_t least_bytes)
    : capacity_(std::bit_ceil(std::max(least_bytes, kLeastBytes))) {
  void* memory =
      mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  (void)madvise(memory, capacity_, MADV_DONTDUMP);
  memory_ = static_cast<std::uint8_t*>(memory);
}

FrameRing::~FrameRing() {
  (void)munmap(memory_, capacity_);
}

// Positions are multiples of 8, as is the capacity, so a header never wraps.
std::uint64_t& FrameRing::header_at(std::uint64_t position) const {
  return *reinterpret_cast<std::uint64_t*>(memory_ + (position & (capacity_ - 1)));
}

std::uint8_t* FrameRing::reserve(std::size_t size) {
  if (size > longest()) {
    return nullptr;
  }
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  const std::uint64_t needed = kHeader + aligned(size);
  const std::uint64_t to_end = capacity_ - (head & (capacity_ - 1));
  const std::uint64_t passed = needed <= to_end ? 0 : to_end;
  const std::uint64_t used = head - tail_.load(std::memory_order_acquire);
  if (used + passed + needed > capacity_) {
    return nullptr;
  }
  if (passed > 0) {
    header_at(head) = kPassOver;
  }
  reserved_ = head + passed;
  after_ = reserved_ + needed;
  header_at(reserved_) = size;
  return &memory_[(reserved_ & (capacity_ - 1)) + kHeader];
}

void FrameRing::commit() {
  head_.store(after_, std::memory_order_release);
}

std::span<std::uint8_t> FrameRing::front() {
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail == head_.load(std::memory_order_acquire)) {
    return {};
  }
  if (header_at(tail) == kPassOver) {
    tail += capacity_ - (tail & (capacity_ - 1));
  }
  const std::uint64_t size = header_at(tail);
  popped_ = tail + kHeader + aligned(size);
  return {&memory_[(tail & (capacity_ - 1)) + kHeader], static_cast<std::size_t>(size)};
}

void FrameRing::pop() {
  tail_.store(popped_, std::memory_order_release);
}

}  // namespace imds::exhibit
