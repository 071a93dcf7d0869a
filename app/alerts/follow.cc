// Follows the ring as `tail -F` follows a file: past restarts of the writer, and to a new segment
// when the name gets one.
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "alert/ring_reader.h"
#include "commands.h"
#include "output.h"
#include "printer.h"

namespace imds::alerts {
namespace {

using alert::ReadKind;
using alert::RingReader;
using alert::SegmentState;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kIdleSleep{10};
constexpr std::chrono::milliseconds kCheckEvery{250};
constexpr std::chrono::seconds kReportEvery{1};

class Follower {
 public:
  Follower(std::string ring, const CommandLine& options)
      : ring_(std::move(ring)), options_(options), printer_(options.format) {
    if (options.timeout_seconds) {
      deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(*options.timeout_seconds));
    }
  }
  Status run();

 private:
  enum class Step { go_on, end };

  Status attach_first();
  Result<Step> read_one();
  Status idle();
  Status look_at_segment();
  void look_at_writer();
  void report_losses();
  [[nodiscard]] bool must_end() const {
    return stop_requested() || (deadline_ && Clock::now() >= *deadline_);
  }

  std::string ring_;
  const CommandLine& options_;
  Printer printer_;
  std::optional<RingReader> reader_;
  std::optional<Clock::time_point> deadline_;
  Clock::time_point next_check_{};
  Clock::time_point next_report_{};
  std::uint64_t printed_ = 0;
  std::uint64_t lost_ = 0;     // not yet reported
  std::uint64_t damaged_ = 0;  // not yet reported
  bool writer_was_alive_ = true;
  bool said_removed_ = false;
};

Status Follower::attach_first() {
  const auto from = options_.from_start ? RingReader::From::oldest : RingReader::From::newest;
  bool said = false;
  for (;;) {
    Result<RingReader> reader = RingReader::attach(ring_, from);
    if (reader) {
      reader_ = std::move(*reader);
      break;
    }
    if (!options_.wait || reader.error().kind != ErrorKind::environment) {
      return pass_on(reader);
    }
    if (!std::exchange(said, true)) {
      note("waiting for alert ring " + ring_);
    }
    if (must_end()) {
      return {};
    }
    std::this_thread::sleep_for(kIdleSleep);
  }
  note("following " + ring_ + " from alert " + std::to_string(reader_->cursor()));
  return {};
}

Status Follower::run() {
  if (Status attached = attach_first(); !attached) {
    return attached;
  }
  while (reader_ && !must_end()) {
    Result<Step> step = read_one();
    if (!step) {
      report_losses();
      return pass_on(step);
    }
    if (*step == Step::end) {
      break;
    }
  }
  report_losses();
  if (options_.count && printed_ < *options_.count && deadline_ && !stop_requested() &&
      Clock::now() >= *deadline_) {
    return fail(ErrorKind::runtime, "timeout: " + std::to_string(printed_) + " of " +
                                        std::to_string(*options_.count) + " alerts came");
  }
  return {};
}

Result<Follower::Step> Follower::read_one() {
  imds_alert_record record;
  Result<alert::ReadResult> result = reader_->next(record);
  if (!result) {
    return pass_on(result);
  }
  lost_ += result->lost;
  damaged_ += result->damaged;
  if (lost_ + damaged_ > 0 && Clock::now() >= next_report_) {
    report_losses();
  }
  switch (result->kind) {
    case ReadKind::record: {
      Result<Printed> printed = printer_.print(record);
      if (!printed) {
        return pass_on(printed);
      }
      ++printed_;
      return *printed == Printed::enough || printed_ == options_.count ? Step::end : Step::go_on;
    }
    case ReadKind::writer_restarted:
      report_losses();
      note("the writer restarted: another inspector process writes to " + ring_ + " now");
      writer_was_alive_ = true;
      return Step::go_on;
    case ReadKind::nothing:
      if (Status status = idle(); !status) {
        return pass_on(status);
      }
      return Step::go_on;
  }
  return Step::go_on;
}

Status Follower::idle() {
  report_losses();
  if (Clock::now() >= next_check_) {
    next_check_ = Clock::now() + kCheckEvery;
    look_at_writer();
    if (Status status = look_at_segment(); !status) {
      return status;
    }
  }
  std::this_thread::sleep_for(kIdleSleep);
  return {};
}

void Follower::look_at_writer() {
  const bool alive = reader_->writer_alive();
  if (writer_was_alive_ && !alive) {
    note(reader_->facts().writer_stopped
             ? "the writer stopped; waiting for the next"
             : "the writer is gone without a goodbye (killed or crashed); waiting for the next");
  }
  writer_was_alive_ = alive;
}

// Everything in the mapped segment has been read: safe to go over to another.
Status Follower::look_at_segment() {
  switch (reader_->segment_state()) {
    case SegmentState::current:
      said_removed_ = false;
      return {};
    case SegmentState::shrunk:
      return fail(ErrorKind::runtime, "alert ring " + ring_ + ": the segment was cut short");
    case SegmentState::removed:
      if (!std::exchange(said_removed_, true)) {
        note("alert ring " + ring_ + " was removed; waiting for a new one");
      }
      return {};
    case SegmentState::replaced:
      break;
  }
  Result<RingReader> fresh = RingReader::attach(ring_, RingReader::From::oldest);
  if (!fresh) {
    return {};  // its writer is still making it; look again
  }
  // The last records of the old segment may have come after the last look.
  if (reader_->facts().published >= reader_->cursor()) {
    return {};
  }
  reader_ = std::move(*fresh);
  writer_was_alive_ = true;
  said_removed_ = false;
  note("alert ring " + ring_ + " was replaced: the writer restarted with a new segment");
  return {};
}

void Follower::report_losses() {
  if (lost_ > 0) {
    note("lost " + std::to_string(std::exchange(lost_, 0)) +
         " alerts: they were overwritten before they could be read");
  }
  if (damaged_ > 0) {
    note("skipped " + std::to_string(std::exchange(damaged_, 0)) + " damaged alerts");
  }
  next_report_ = Clock::now() + kReportEvery;
}

}  // namespace

Status follow(const std::string& ring, const CommandLine& options) {
  return Follower(ring, options).run();
}

}  // namespace imds::alerts
