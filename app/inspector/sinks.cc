#include "sinks.h"

#include <cerrno>
#include <string>

#include "alert/format.h"
#include "progress.h"

namespace imds::inspector {

bool RingSink::deliver(const alert::SparseRecord& alert) {
  writer_.publish(alert);
  published_.store(writer_.published(), std::memory_order_relaxed);
  if ((alert.record.flags & IMDS_ALERT_IS_TEST) != 0) {
    test_alerts_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

bool PrintSink::deliver(const alert::SparseRecord& alert) {
  const imds_alert_record& record = alert.record;
  std::string line;
  switch (format_) {
    case OutputFormat::text:
      line = alert::to_text(record, colour_);
      break;
    case OutputFormat::ecs:
      line = alert::to_ecs_json(record);
      break;
    case OutputFormat::eve:
      line = alert::to_eve_json(record);
      break;
    case OutputFormat::json:
      break;  // of --check, which delivers no alerts
  }
  line += '\n';
  if (progress_ != nullptr) {
    progress_->clear();
  }
  const bool written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
  if (!written && error_ == 0) {
    error_ = errno;
  }
  return written;
}

bool PrintSink::flush() {
  if (std::fflush(stdout) != 0 && error_ == 0) {
    error_ = errno;
  }
  return !failed();
}

}  // namespace imds::inspector
