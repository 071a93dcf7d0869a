// Where alerts go: the shared-memory ring (live), or standard output (--read).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>

#include "alert/ring_writer.h"
#include "command_line.h"
#include "story/story.h"

namespace imds::inspector {

class Progress;

// Story thread only, except test_alerts() and published(), which anyone may read.
class RingSink final : public story::AlertSink {
 public:
  explicit RingSink(alert::RingWriter writer) : writer_(std::move(writer)) {}
  bool deliver(const alert::SparseRecord& alert) override;
  void tick() override { writer_.beat(); }

  [[nodiscard]] std::uint64_t published() const {
    return published_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t test_alerts() const {
    return test_alerts_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t capacity() const { return writer_.capacity(); }

 private:
  alert::RingWriter writer_;
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> test_alerts_{0};
};

// One alert a line (text: one or two) on standard output. A failed write counts as a loss.
class PrintSink final : public story::AlertSink {
 public:
  PrintSink(OutputFormat format, bool colour, Progress* progress)
      : format_(format), colour_(colour), progress_(progress) {}
  bool deliver(const alert::SparseRecord& alert) override;
  // Shows what was delivered so far. False, with the reason in error(), once any write failed.
  bool flush();
  [[nodiscard]] bool failed() const { return error_ != 0; }
  // errno of the first failure.
  [[nodiscard]] int error() const { return error_; }

 private:
  OutputFormat format_;
  bool colour_;
  Progress* progress_;
  int error_ = 0;
};

}  // namespace imds::inspector
