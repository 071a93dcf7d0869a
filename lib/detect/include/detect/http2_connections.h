// The HTTP/2 connections of one worker whose header compression is followed, in a fixed piece of
// memory: a slot for each, and the blocks their dynamic tables live in.
//
// A new connection always finds room: when slots or blocks run out, the connection unused for
// longest is given up (and counted); one that touches a watched address only for another such.
// Its owner finds out when it next looks. An owner is known by its address: it must stay where it
// is while it holds a connection. One owner thread; counters may be read by anyone. After
// construction nothing is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "flow/memory.h"
#include "http/http2_frames.h"
#include "http/http2_headers.h"
#include "http/http2_memory.h"

namespace imds::detect {

struct DirectionState;

// Why the requests of an HTTP/2 connection can no longer be read.
enum class Http2Blind : std::uint8_t {
  mid_stream,       // its beginning was not seen
  gap,              // bytes of a header block or a frame header were lost
  conflict,         // its bytes were seen in two readings
  malformed_frame,  // no such sequence of frames
  compression,      // a header block that is not HPACK
  table_size,       // a dynamic table larger than is followed
  block_too_large,  // a header block longer than inspect.head_bytes_max
  memory,           // no memory for its compression or for a split block
  evicted,          // given up for another connection
};
inline constexpr std::size_t kHttp2BlindCount = 9;
[[nodiscard]] std::string_view name(Http2Blind reason);

struct Http2Connection {
  http::Http2FrameWalker walker;
  bool of_interest = false;
  http::Http2Inflater inflater;
  const DirectionState* owner = nullptr;  // nullptr: the slot is free
  std::uint32_t older = 0;                // neighbours in its list
  std::uint32_t newer = 0;
};

class Http2Connections {
 public:
  static constexpr std::size_t kLeastBytes = std::size_t{1} << 20;
  // One slot for so many bytes of the memory: a connection takes no less.
  static constexpr std::size_t kBytesPerSlot = 2048;

  // `bytes` for everything, slots included; raised to kLeastBytes. Throws std::bad_alloc.
  explicit Http2Connections(std::size_t bytes, const flow::MemorySource& memory = {});
  Http2Connections(const Http2Connections&) = delete;
  Http2Connections& operator=(const Http2Connections&) = delete;

  // A fresh connection for `owner`, which must hold none. nullptr: no memory, as all of it belongs
  // to connections that matter more.
  [[nodiscard]] Http2Connection* open(DirectionState& owner, bool of_interest);
  // The owner's connection, now the one used last; nullptr if it holds none any more.
  [[nodiscard]] Http2Connection* find(const DirectionState& owner);
  // Gives it back; harmless if the owner holds none.
  void close(DirectionState& owner);
  // connection.inflater.inflate(); the connection must be the last one opened or found.
  [[nodiscard]] http::Http2Inflated inflate(Http2Connection& connection, ByteSpan block, bool whole,
                                            const http::Http2Buffers& buffers,
                                            http::Http2HeaderBlock& out);

  struct Counters {
    Counter open;            // gauge: connections followed
    Counter bytes_capacity;  // gauge, constant
    Counter bytes_in_use;    // gauge, whole blocks
    Counter bytes_peak;      // largest bytes_in_use so far
    Counter evicted;         // given up for others
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  // Connections in order of use, from the one unused for longest.
  struct List {
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };
  [[nodiscard]] List& list_of(const Http2Connection& c) { return lists_[c.of_interest ? 1 : 0]; }
  void link(std::uint32_t slot);
  void unlink(std::uint32_t slot);
  void free_slot(std::uint32_t slot);
  [[nodiscard]] bool evict_one();
  void note_use();

  flow::OwnedMemory blocks_;
  http::Http2Memory memory_;
  nghttp2_mem allocator_;
  std::vector<Http2Connection> slots_;
  std::vector<std::uint32_t> free_;
  std::array<List, 2> lists_;
  std::uint32_t current_ = kNone;  // never evicted
  bool current_matters_ = false;
  Counters counters_;
};

}  // namespace imds::detect
