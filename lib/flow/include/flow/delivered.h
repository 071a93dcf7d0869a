// The last bytes that were delivered as HTTP heads, kept a little longer: what is sent again is
// compared with them.
//
// One ring per worker. The newest record overwrites the oldest: nothing is ever released, and what
// is found is found by a mark of 4 bytes in the flow's state. All memory is taken at construction.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <optional>

#include "base/cursor.h"
#include "flow/memory.h"

namespace imds::flow {

class Delivered {
 public:
  // 0: nothing recorded.
  using Mark = std::uint32_t;

  struct Record {
    std::uint32_t sequence = 0;  // of bytes[0]
    ByteSpan bytes;
    Mark previous = 0;  // of the same stream
    [[nodiscard]] std::uint32_t end() const {
      return sequence + static_cast<std::uint32_t>(bytes.size());
    }
  };

  // Throws std::bad_alloc. `bytes` ≥ 1 MiB. `begin`: the position of the first record, ≥ 1; another
  // one serves to see what happens when the marks, its low 32 bits, wrap.
  explicit Delivered(std::size_t bytes, const MemorySource& memory = {}, std::uint64_t begin = 1);

  // Keeps copies of `first` and `second`, one behind the other, in all at most a quarter of the
  // ring; longer ones are cut. `mark` then names the new record, and the record the old one.
  void record(Mark& mark, std::uint32_t sequence, ByteSpan first, ByteSpan second);

  // Empty when `mark` is 0 or its record is overwritten. Valid until the next record().
  [[nodiscard]] std::optional<Record> find(Mark mark) const;

 private:
  struct Header {
    std::uint64_t position;
    std::uint32_t sequence;
    std::uint32_t size;
    Mark previous;
  };
  static constexpr std::size_t kUnit = 64;

  [[nodiscard]] std::uint8_t* at(std::uint64_t position) const;

  OwnedMemory memory_;
  std::uint64_t units_;  // of the ring
  std::uint64_t begin_;
  std::uint64_t position_;  // next unit to write; only grows, its low 32 bits are the marks
};

}  // namespace imds::flow
