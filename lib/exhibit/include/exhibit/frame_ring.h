// A bounded ring of byte records between one producer thread and one consumer thread. Each record
// lies in one piece; where the end of the memory is too near, the rest of it is passed over.
//
// Threads: reserve()/commit() by the producer only, front()/pop() by the consumer only. Full:
// reserve() returns nullptr. The memory is taken in the constructor, left out of core dumps (what
// is in it is not yet overwritten), and given back in the destructor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"
#include "base/cursor.h"

namespace imds::exhibit {

class FrameRing {
 public:
  // Rounded up to a power of two, at least a page. Throws std::bad_alloc.
  explicit FrameRing(std::size_t least_bytes);
  ~FrameRing();
  FrameRing(const FrameRing&) = delete;
  FrameRing& operator=(const FrameRing&) = delete;

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Records longer than this never find room.
  [[nodiscard]] std::size_t longest() const { return capacity_ / 2 - kHeader; }

  // Room for a record of `size` bytes, aligned to 8, or nullptr. Without commit() it is not there.
  [[nodiscard]] std::uint8_t* reserve(std::size_t size);
  void commit();

  // The oldest record, until pop(); empty if there is none. The consumer may write in it.
  [[nodiscard]] std::span<std::uint8_t> front();
  void pop();

 private:
  static constexpr std::size_t kHeader = 8;
  static constexpr std::uint64_t kPassOver = UINT64_MAX;

  [[nodiscard]] std::uint64_t& header_at(std::uint64_t position) const;

  std::size_t capacity_;
  std::uint8_t* memory_;
  std::uint64_t reserved_ = 0;  // where the record will begin
  std::uint64_t after_ = 0;     // and end
  std::uint64_t popped_ = 0;    // where the one at the front ends
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace imds::exhibit
