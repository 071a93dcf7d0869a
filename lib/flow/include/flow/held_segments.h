// Segments that arrived before the bytes in front of them, kept until the hole is filled or given
// up.
//
// One store per worker, of fixed size: all memory is taken at construction. A stream that waits
// has a record here, named by a handle of 4 bytes in the flow's state; a stream that does not
// wait costs nothing. Segments are kept as they came, sorted by sequence number, overlaps and all:
// whoever drains them compares. Exact repetitions are not kept twice, and a segment that continues
// another is appended to it, so that many small ones do not cost many blocks.
//
// Threads: one owner; counters may be read by anyone. At a limit hold() says which one and changes
// nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "base/counter.h"
#include "base/cursor.h"
#include "base/time.h"
#include "flow/arena.h"
#include "flow/memory.h"

namespace imds::flow {

class HeldSegments {
 public:
  // 0: no record. Whoever holds another value must release() it, or drain it with pop().
  using Handle = std::uint32_t;

  struct Options {
    std::uint32_t memory_mib = 16;       // for the bytes of all streams
    std::uint32_t stream_bytes = 65536;  // most bytes of one stream
    std::uint32_t stream_segments = 256;
  };
  // Throws std::bad_alloc if the memory cannot be had.
  explicit HeldSegments(const Options& options, const MemorySource& memory = {});

  enum class Result : std::uint8_t {
    held,
    repeated,     // the same bytes are held already
    stream_full,  // this stream holds as much as it may
    store_full,   // no memory within `share`
  };

  struct Segment {
    std::uint32_t sequence = 0;  // of bytes[0]
    bool fin = false;            // a FIN follows the bytes
    ByteSpan bytes;
    [[nodiscard]] std::uint32_t end() const {
      return sequence + static_cast<std::uint32_t>(bytes.size());
    }
  };

  // Keeps a copy of `segment`. `owner` is what overdue() gives back; the same for all segments of a
  // stream. `share`: bytes of the store that may be in use for this stream to take more.
  [[nodiscard]] Result hold(Handle& handle, const Segment& segment, Timestamp now,
                            std::uint64_t share, void* owner);

  // The held segment with the lowest sequence number; of several the one that came first. Valid
  // until the next hold() or pop(). `handle` must not be 0.
  [[nodiscard]] Segment front(Handle handle) const;
  // Gives front() back; the last one empties the handle.
  void pop(Handle& handle);
  void release(Handle& handle);

  // The stream goes on (bytes were delivered): its waiting begins anew.
  void progress(Handle handle, Timestamp now);
  // When the stream last went on, or began to wait.
  [[nodiscard]] Timestamp waiting_since(Handle handle) const { return stream(handle).since; }
  // The peer has acknowledged the missing bytes. Of how long ago that was first seen: nanoseconds,
  // and how often this was said since (the first time is 1).
  struct Acknowledged {
    std::int64_t ns = 0;
    std::uint32_t times = 0;
  };
  [[nodiscard]] Acknowledged acknowledged(Handle handle, Timestamp now);

  // The owner of the stream that waits longest, if that is longer than it may: 10 seconds, and a
  // tenth of that for each quarter of the store in use (to 10 ms). nullptr: none. The stream must
  // be drained before the next call.
  [[nodiscard]] void* overdue(Timestamp now) const;

  struct Counters {
    Counter segments;        // gauge: held now
    Counter segments_total;  // ever held
    Counter streams;         // gauge: streams that wait
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Of the bytes: capacity, in use, peak.
  [[nodiscard]] const Arena::Counters& memory() const { return arena_.counters(); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Node {
    HeadBuffer buffer;
    std::uint32_t sequence = 0;
    std::uint32_t next = kNone;  // in its stream, or in the free list
    bool fin = false;
  };
  struct Stream {
    void* owner = nullptr;
    Timestamp since;
    Timestamp acknowledged_at;
    std::uint32_t acknowledged_times = 0;
    std::uint32_t first = kNone;
    std::uint32_t bytes = 0;
    std::uint32_t segments = 0;
    std::uint32_t older = kNone;  // in order of `since`; `newer` also links the free list
    std::uint32_t newer = kNone;
  };

  [[nodiscard]] const Stream& stream(Handle handle) const { return streams_[handle - 1]; }
  [[nodiscard]] Stream& stream(Handle handle) { return streams_[handle - 1]; }
  [[nodiscard]] bool append_to_predecessor(Stream& waiting, const Segment& segment);
  [[nodiscard]] bool is_repeated(const Stream& waiting, const Segment& segment) const;
  [[nodiscard]] Handle begin_stream(Timestamp now, void* owner);
  void insert(Stream& waiting, std::uint32_t node);
  void link_newest(std::uint32_t index);
  void unlink(std::uint32_t index);
  void end_stream(Handle& handle);

  Options options_;
  Arena arena_;
  std::vector<Node> nodes_;
  std::vector<Stream> streams_;
  std::uint32_t free_node_ = kNone;
  std::uint32_t free_stream_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  Counters counters_;
};

}  // namespace imds::flow
