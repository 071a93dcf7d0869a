// A reader of the shared-memory alert ring, with its own cursor. Maps the segment read-only; the
// writer does not know it exists.
//
// Threads: one per reader. Trusts nothing in the segment: sizes are checked against the object
// once and kept, records are validated before they are handed out. Every record after the start is
// either handed out or counted: numbers passed = read + lost + damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "alert/imds_alert_ring.h"
#include "base/result.h"

namespace imds::alert {

enum class ReadKind {
  record,            // `out` holds the next record
  nothing,           // no newer record now
  writer_restarted,  // what follows comes from another writer
};

struct ReadResult {
  ReadKind kind = ReadKind::nothing;
  std::uint64_t lost = 0;     // overwritten before this reader came to them, in this call
  std::uint64_t damaged = 0;  // with impossible contents, skipped in this call
};

// Whether the name still stands for the segment this reader has mapped.
enum class SegmentState {
  current,
  removed,   // no object of that name
  replaced,  // another object: a writer with another layout, or after a removal. Attach again
  shrunk,    // somebody cut the object: detach at once
};

struct RingFacts {
  std::uint16_t abi_major = 0;
  std::uint16_t abi_minor = 0;
  std::uint32_t record_size = 0;
  std::uint32_t capacity = 0;
  std::uint64_t published = 0;  // number of the newest record; 0: none
  std::uint64_t oldest = 0;     // number of the oldest record still there; 0: none
  std::uint64_t epoch = 0;
  std::int64_t writer_start_ns = 0;
  std::uint64_t published_at_start = 0;
  std::uint32_t writer_pid = 0;
  bool writer_alive = false;    // holds the lock
  bool writer_stopped = false;  // closed in an orderly way, was not killed
  std::uint64_t heartbeat_age_ns = 0;
};

class RingReader {
 public:
  enum class From { oldest, newest };

  // Errors: usage (the name); environment (no such ring, no permission, not an alert ring, another
  // version, sizes that contradict each other or the object).
  [[nodiscard]] static Result<RingReader> attach(const std::string& name, From from);

  RingReader(RingReader&& other) noexcept;
  RingReader& operator=(RingReader&& other) noexcept;
  ~RingReader();

  // The next record in order, a change of writer, or nothing. Never waits. Error (runtime): the
  // segment contradicts itself, such as a count that went backwards.
  [[nodiscard]] Result<ReadResult> next(imds_alert_record& out);

  [[nodiscard]] SegmentState segment_state() const;
  [[nodiscard]] bool writer_alive() const;
  [[nodiscard]] RingFacts facts() const;

  // Number of the next record to read, and totals since attach().
  [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
  [[nodiscard]] std::uint64_t read() const { return read_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
  RingReader() = default;
  [[nodiscard]] Status map();
  [[nodiscard]] Status check_layout(std::uint64_t object_size);
  void start_at(From from);
  [[nodiscard]] const imds_alert_ring_header& header() const;
  [[nodiscard]] const unsigned char* slot(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t oldest(std::uint64_t published) const;
  void release() noexcept;

  std::string name_;
  int fd_ = -1;
  const unsigned char* base_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t header_size_ = 0;
  std::uint32_t record_size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t cursor_ = 1;
  std::uint64_t read_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t damaged_ = 0;
};

}  // namespace imds::alert
