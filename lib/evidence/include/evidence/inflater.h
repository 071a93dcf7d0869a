// Decompresses bodies with the content codings gzip and deflate (RFC 9110, 8.4.1), piece by piece,
// in memory taken once: a fixed number of bodies at a time, each with zlib's state and window.
//
// What a body holds may be secret: its window and the pool's output buffer are overwritten before
// they serve another. One owner thread; counters may be read by anyone. After construction nothing
// allocates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/counter.h"
#include "base/cursor.h"

namespace imds::evidence {

enum class Coding : std::uint8_t { identity, gzip, deflate, unknown };

class Inflaters {
 public:
  using Handle = std::uint16_t;  // 0: none
  static constexpr std::size_t kBytesEach = 48 * 1024;

  // At least 1. Throws std::bad_alloc.
  explicit Inflaters(std::size_t count);
  ~Inflaters();
  Inflaters(const Inflaters&) = delete;
  Inflaters& operator=(const Inflaters&) = delete;

  // 0 if all are in use.
  [[nodiscard]] Handle take(Coding coding);
  // Harmless on 0, which `handle` is afterwards.
  void give_back(Handle& handle);

  enum class Result : std::uint8_t {
    more,    // all input was used
    ended,   // the compressed data ended; what may follow in `input` was not read
    full,    // `most` bytes were put out, and there are more
    broken,  // no such data (any more)
  };
  // Calls put(ByteSpan) for each piece of the output, `most` bytes in all; the piece is gone when
  // the call returns.
  template <typename Put>
  [[nodiscard]] Result inflate(Handle handle, ByteSpan input, std::uint64_t most, Put&& put) {
    begin(handle, input);
    for (std::size_t largest = 0;;) {
      const Piece piece = next(handle, most);
      most -= piece.bytes.size();
      largest = std::max(largest, piece.bytes.size());
      if (!piece.bytes.empty()) {
        put(piece.bytes);
      }
      if (piece.is_last) {
        wipe_output(largest);
        return piece.result;
      }
    }
  }

  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }
  [[nodiscard]] std::size_t in_use() const { return slots_.size() - free_.size(); }

 private:
  struct Slot;
  struct Piece {
    ByteSpan bytes;
    bool is_last = false;
    Result result = Result::more;
  };
  void begin(Handle handle, ByteSpan input);
  [[nodiscard]] Piece next(Handle handle, std::uint64_t most);
  void wipe_output(std::size_t size);

  static constexpr std::size_t kOutput = 16 * 1024;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Handle> free_;
  std::vector<std::uint8_t> output_;
};

}  // namespace imds::evidence
