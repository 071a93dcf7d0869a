// One direction of a TCP stream, delivered in order: turns 32-bit sequence numbers into a 64-bit
// stream offset, trims what was seen before and reports what is missing.
//
// 16 bytes of state, no buffering: a segment ahead of the expected byte is taken as the new
// position at once and the hole is reported as a gap. (Holding such segments until the hole is
// filled is a stage in front of this one: held_segments.h.) One owner, no sharing.
#pragma once

#include <cstdint>

#include "base/cursor.h"

namespace imds::flow {

struct Accepted {
  enum class Kind : std::uint8_t {
    empty,           // no payload
    in_order,        // `bytes` continue the stream exactly (the first payload of a stream, too)
    trimmed,         // as in_order, after dropping `old` from the front
    gap,             // `gap` bytes before `bytes` were never seen: the stream is lossy from here on
    retransmission,  // everything was seen before; `bytes` is empty, `old` is the payload
    keep_alive,      // one byte just before the expected one (RFC 9293, 3.8.4); else the same
    resynchronised,  // too far off to be this window: taken as the new position, lossy; the
                     // number of missing bytes is unknown and `gap` is 0
  };
  Kind kind = Kind::empty;
  ByteSpan bytes;            // new bytes, in order; a view into the payload
  ByteSpan old;              // payload bytes that were seen before; a view into the payload
  std::uint64_t offset = 0;  // stream offset of bytes[0], the gap included; 0 is the first payload
                             // byte after SYN, or the first byte ever seen
  std::uint32_t gap = 0;     // missing bytes just before `bytes`; length ≤ kPlausible

  // New bytes do not continue what was delivered before.
  [[nodiscard]] bool lossy() const { return kind == Kind::gap || kind == Kind::resynchronised; }
};

class StreamCursor {
 public:
  // Largest distance, in bytes and in either direction, between a segment and the expected byte
  // that is still believed: 16 MiB, a generous window on a fast path. Beyond it a forged or foreign
  // sequence number would otherwise make all true segments look old.
  static constexpr std::uint32_t kPlausible = 16u << 20;

  // `sequence` of the segment, `syn` if its SYN flag is set (the payload then begins at
  // sequence + 1). FIN needs no mention. RST segments should not be fed. Never fails.
  //
  // A SYN with another initial sequence number on a started stream starts the stream anew (offset
  // 0), and restarted() is true until the next call.
  Accepted accept(std::uint32_t sequence, bool syn, ByteSpan payload);

  // The next `bytes` need not be seen: goes on behind them. No gap, unless mark_lossy() says so.
  void pass(std::uint32_t bytes) {
    next_offset_ += bytes;
    next_sequence_ += bytes;
  }
  void mark_lossy() { flags_ |= kLossy; }
  // How far ahead of the expected byte `sequence` is; negative: before it. Needs started().
  [[nodiscard]] std::int32_t distance(std::uint32_t sequence) const {
    return static_cast<std::int32_t>(sequence - next_sequence_);
  }

  // Whether `sequence` may be of this window, before or behind the expected byte. Needs started().
  [[nodiscard]] bool is_plausible(std::uint32_t sequence) const {
    return sequence - next_sequence_ + kPlausible <= 2 * kPlausible;
  }

  [[nodiscard]] bool started() const { return (flags_ & kStarted) != 0; }
  // The stream's SYN was seen: offset 0 is its true beginning.
  [[nodiscard]] bool saw_beginning() const { return (flags_ & kSawSyn) != 0; }
  // Any gap or resynchronisation so far.
  [[nodiscard]] bool lossy() const { return (flags_ & kLossy) != 0; }
  [[nodiscard]] bool restarted() const { return (flags_ & kRestarted) != 0; }
  // Offset of the next expected byte.
  [[nodiscard]] std::uint64_t next_offset() const { return next_offset_; }
  [[nodiscard]] std::uint32_t next_sequence() const { return next_sequence_; }

 private:
  static constexpr std::uint8_t kStarted = 1;
  static constexpr std::uint8_t kSawSyn = 2;
  static constexpr std::uint8_t kLossy = 4;
  static constexpr std::uint8_t kRestarted = 8;

  void start(std::uint32_t sequence, bool syn);
  void advance(Accepted& accepted, ByteSpan bytes);

  std::uint64_t next_offset_ = 0;
  std::uint32_t next_sequence_ = 0;
  std::uint8_t flags_ = 0;
};
static_assert(sizeof(StreamCursor) == 16);

}  // namespace imds::flow
