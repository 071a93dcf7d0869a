// A bounded pool of buffers for the heads that arrive in several segments. A buffer begins at
// 1 KiB and moves to the next size class (4, 16, 64 KiB) as its head grows.
//
// One per worker, not shared; the counters may be read by anyone. All memory is taken at
// construction (and touched by the system only as it is used); after it nothing is allocated.
// At a limit append() says which one, changes nothing, and the caller counts and goes on with what
// the buffer holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/counter.h"
#include "base/cursor.h"
#include "flow/memory.h"

namespace imds::flow {

// A handle on collected bytes: lives in a flow's state, plain data, 8 bytes. Empty when
// default-constructed. Copying it does not copy the bytes: exactly one copy may be used on.
// Whoever holds it must release() it to its arena.
class HeadBuffer {
 public:
  [[nodiscard]] bool empty() const { return length_ == 0; }
  [[nodiscard]] std::size_t size() const { return length_; }

 private:
  friend class Arena;
  static constexpr std::uint32_t kNoBlock = 0xffffffff;
  std::uint32_t block_ = kNoBlock;  // class in the low 2 bits, index above
  std::uint32_t length_ = 0;
};

enum class AppendResult : std::uint8_t {
  ok,
  head_too_long,  // the head would exceed kLargest
  arena_full,     // no free block of the size needed, nor a larger one
};

class Arena {
 public:
  static constexpr std::size_t kClasses = 4;
  static constexpr std::array<std::size_t, kClasses> kBlockSize = {1024, 4096, 16384, 65536};
  static constexpr std::size_t kLargest = kBlockSize[kClasses - 1];

  struct Options {
    // Blocks of each class. The default is 16 MiB, 4 MiB a class.
    std::array<std::uint32_t, kClasses> blocks = {4096, 1024, 256, 64};
  };
  // Throws std::bad_alloc if the memory cannot be had.
  explicit Arena(const Options& options, const MemorySource& memory = {});
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Appends all of `bytes`, or nothing. `bytes` must not lie in this arena. A full class is helped
  // out by the next larger one.
  [[nodiscard]] AppendResult append(HeadBuffer& buffer, ByteSpan bytes);
  // What the buffer holds; valid until the next append() to it or its release().
  [[nodiscard]] ByteSpan bytes(const HeadBuffer& buffer) const;
  // Gives the block back and empties the handle; harmless on an empty one.
  void release(HeadBuffer& buffer);
  // The same, after overwriting what it holds, which may be secret.
  void wipe(HeadBuffer& buffer);

  struct Counters {
    Counter bytes_capacity;  // gauge, constant
    Counter bytes_in_use;    // gauge, whole blocks
    Counter bytes_peak;      // largest bytes_in_use so far
    Counter full;            // append() answered arena_full
    Counter too_long;        // append() answered head_too_long
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  std::uint32_t take_block(std::size_t least_bytes);
  void give_block(std::uint32_t block);
  [[nodiscard]] std::uint8_t* address(std::uint32_t block) const;

  OwnedMemory memory_;
  std::array<std::size_t, kClasses> base_{};               // byte offset of each class in memory_
  std::array<std::vector<std::uint32_t>, kClasses> free_;  // stacks of indices, never grown
  Counters counters_;
};

}  // namespace imds::flow
