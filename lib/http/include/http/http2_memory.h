// The memory HTTP/2 header decompression lives on: one fixed piece, cut into blocks of powers of
// two (a buddy allocator), so that nothing is taken from the heap after the start and freed blocks
// of any size make larger ones again. What no block has needed yet is not touched.
//
// One per worker, not shared. Blocks are 64 bytes to kLargest; every operation takes a bounded
// number of steps. When nothing fits, `reclaim` is asked to free something, again and again until
// it has nothing more to give; then allocate() answers nullptr.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace imds::http {

class Http2Memory {
 public:
  static constexpr std::size_t kSmallest = 64;
  static constexpr unsigned kOrders = 13;
  static constexpr std::size_t kLargest = kSmallest << (kOrders - 1);  // 256 KiB

  // Frees at least one block, or answers false. Called from inside allocate().
  using Reclaim = bool (*)(void* context);

  // `memory` must be aligned to 64 bytes and outlive this object; an end that is no multiple of
  // kSmallest is not used. Throws std::bad_alloc (its own table takes 1 byte for each block).
  explicit Http2Memory(std::span<std::byte> memory, Reclaim reclaim = nullptr,
                       void* reclaim_context = nullptr);
  Http2Memory(const Http2Memory&) = delete;
  Http2Memory& operator=(const Http2Memory&) = delete;

  // At least `bytes`, aligned to 64; nullptr: none left, or more than kLargest.
  [[nodiscard]] void* allocate(std::size_t bytes);
  // nullptr is harmless.
  void release(void* block);
  // Size of the block behind a pointer that allocate() gave.
  [[nodiscard]] std::size_t block_size(const void* block) const;

  [[nodiscard]] std::size_t capacity() const { return orders_.size() * kSmallest; }
  [[nodiscard]] std::size_t in_use() const { return in_use_; }

 private:
  // Free blocks hold their list's links.
  struct FreeBlock {
    FreeBlock* next;
    FreeBlock* previous;
  };
  void push(std::size_t index, unsigned order);
  void unlink(std::size_t index, unsigned order);
  [[nodiscard]] FreeBlock* block_at(std::size_t index) const;
  [[nodiscard]] std::size_t index_of(const void* block) const;
  [[nodiscard]] bool make_block(unsigned order);
  [[nodiscard]] void* take(unsigned order);

  std::byte* base_;
  std::vector<std::uint8_t> orders_;  // of the block that begins there, kFree added if it is free
  std::array<FreeBlock*, kOrders> free_{};
  std::size_t untouched_ = 0;  // no block was made from here on: nor is the memory in use
  std::size_t in_use_ = 0;
  Reclaim reclaim_;
  void* reclaim_context_;
};

}  // namespace imds::http
