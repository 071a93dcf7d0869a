// DNS over TCP (RFC 1035, 4.2.2; RFC 7766): messages out of the in-order bytes of streams. A
// message that is whole in one piece is handed on where it lies; only others are copied, into a
// fixed number of slots.
//
// A stream is named by a number of the caller's, and each piece by where it begins: a piece that
// does not continue what its stream's slot holds (bytes were lost, or it is another stream with the
// same number) gives the slot up.
//
// Threads: one. All memory is taken at creation: slots × 64 KiB. When every slot is in use, the one
// unused longest is given up, counted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/counter.h"
#include "base/cursor.h"
#include "evidence/dns.h"

namespace imds::evidence {

struct DnsStreamCounters {
  Counter copied;    // messages put together from several pieces
  Counter given_up;  // of those begun, never ended: bytes were lost
  Counter evicted;   // or for want of a slot
  Counter open;      // slots in use now
};

class DnsStreams {
 public:
  explicit DnsStreams(std::size_t slots);

  // Calls visit(ByteSpan message) for each message that `bytes` complete. `sequence` is the number
  // of their first byte. What does not begin like a message of that kind is passed over.
  template <typename Visit>
  void feed(std::uint64_t stream, std::uint32_t sequence, ByteSpan bytes, DnsKind kind,
            Visit&& visit) {
    Piece piece{stream, sequence, bytes, kind};
    ByteSpan message;
    while (next(piece, message)) {
      visit(message);
    }
  }

  [[nodiscard]] const DnsStreamCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }

 private:
  static constexpr std::size_t kLengthSize = 2;
  static constexpr std::size_t kSlotBytes = kLengthSize + 65535;

  struct Slot {
    std::uint64_t stream = 0;
    std::uint64_t used_at = 0;
    std::uint32_t next_sequence = 0;
    std::uint32_t size = 0;  // 0: free
  };
  struct Piece {
    std::uint64_t stream;
    std::uint32_t sequence;
    ByteSpan bytes;
    DnsKind kind;
    void consume(std::size_t count) {
      sequence += static_cast<std::uint32_t>(count);
      bytes = bytes.subspan(count);
    }
  };

  bool next(Piece& piece, ByteSpan& message);
  bool continue_slot(Slot& slot, Piece& piece, ByteSpan& message);
  void begin_slot(Piece& piece);
  Slot* find(std::uint64_t stream);
  void release(Slot& slot);
  [[nodiscard]] std::uint8_t* bytes_of(const Slot& slot);

  std::vector<Slot> slots_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::uint64_t uses_ = 0;
  DnsStreamCounters counters_;
};

}  // namespace imds::evidence
