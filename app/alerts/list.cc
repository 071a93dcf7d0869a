#include "alert/ring_reader.h"
#include "commands.h"
#include "output.h"
#include "printer.h"

namespace imds::alerts {

Status list(const std::string& ring, const CommandLine& options) {
  using alert::ReadKind;
  Result<alert::RingReader> reader =
      alert::RingReader::attach(ring, alert::RingReader::From::oldest);
  if (!reader) {
    return pass_on(reader);
  }
  const Printer printer(options.format);
  // What is published while this runs is not listed.
  const std::uint64_t last = reader->facts().published;
  const std::uint64_t held = last + 1 - reader->cursor();
  const std::uint64_t first =
      options.count && *options.count < held ? last + 1 - *options.count : 0;
  imds_alert_record record;
  while (reader->cursor() <= last && !stop_requested()) {
    Result<alert::ReadResult> result = reader->next(record);
    if (!result) {
      return pass_on(result);
    }
    if (result->kind == ReadKind::nothing) {
      break;
    }
    if (result->kind == ReadKind::record && record.sequence >= first && record.sequence <= last) {
      Result<Printed> printed = printer.print(record);
      if (!printed) {
        return pass_on(printed);
      }
      if (*printed == Printed::enough) {
        return {};
      }
    }
  }
  if (reader->lost() > 0) {
    note("lost " + std::to_string(reader->lost()) +
         " alerts: they were overwritten while being listed");
  }
  if (reader->damaged() > 0) {
    note("skipped " + std::to_string(reader->damaged()) + " damaged alerts");
  }
  if (held == 0) {
    note("no alerts in " + ring);
  }
  return {};
}

}  // namespace imds::alerts
