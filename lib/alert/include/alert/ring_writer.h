// The one writer of the shared-memory alert ring.
//
// Threads: publish() and beat() from one thread; the counts from any. The segment outlives the
// writer, so that alerts stay readable after it stopped or died. publish() never waits, allocates
// or fails: the oldest record is overwritten, and readers know it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "alert/imds_alert_ring.h"
#include "alert/record.h"
#include "base/result.h"

namespace imds::alert {

struct RingOptions {
  std::string name = IMDS_ALERT_RING_NAME;  // "/name", no further slash
  std::uint32_t capacity = 8192;            // records of 4 KiB; rounded up to a power of two
  mode_t mode = 0640;
};
inline constexpr std::uint32_t kMaxRingCapacity = 1u << 20;

class RingWriter {
 public:
  // Creates the segment, or takes over one that a former writer left: with the same layout its
  // records stay and numbering goes on under a new epoch, otherwise a new segment takes its name.
  // Errors: config (name, capacity); environment (another writer is alive, the segment belongs to
  // another user, no permission, no room in /dev/shm).
  [[nodiscard]] static Result<RingWriter> open(const RingOptions& options);

  RingWriter(RingWriter&& other) noexcept;
  RingWriter& operator=(RingWriter&& other) noexcept;
  // Marks the writer as stopped; the segment stays.
  ~RingWriter();

  // Copies the record into the ring and numbers it; `record.sequence` and `.epoch` are not read.
  void publish(const SparseRecord& record);
  void publish(const imds_alert_record& record);
  // Tells readers that the writer is well; call at least once a second.
  void beat();

  // Number of the newest record, counting those of former writers.
  [[nodiscard]] std::uint64_t last_sequence() const;
  // Records published by this writer.
  [[nodiscard]] std::uint64_t published() const { return last_sequence() - at_start_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint32_t capacity() const { return mask_ + 1; }

 private:
  RingWriter() = default;
  void take_over();
  void publish(const imds_alert_record& record, RecordLines lines);
  void prefetch_slot(std::size_t index, RecordLines lines) const;
  void release() noexcept;

  int fd_ = -1;
  unsigned char* base_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t mask_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t at_start_ = 0;
  std::vector<RecordLines> slot_lines_;  // by slot: where it may hold anything but zero

  friend class RingOpener;
};

}  // namespace imds::alert
