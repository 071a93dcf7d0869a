#include "printer.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "alert/format.h"
#include "output.h"

namespace imds::alerts {

Printer::Printer(Format format)
    : format_(format), colour_(format == Format::text && wants_colour()) {}

Result<Printed> Printer::print(const imds_alert_record& record) const {
  std::string line;
  switch (format_) {
    case Format::text:
      line = alert::to_text(record, colour_);
      break;
    case Format::eve:
      line = alert::to_eve_json(record);
      break;
    default:
      line = alert::to_ecs_json(record);
  }
  switch (write_line(std::move(line))) {
    case Written::ok:
      return Printed::more;
    case Written::failed:
      return fail(ErrorKind::runtime,
                  std::string("cannot write to standard output: ") + std::strerror(errno));
    default:
      return Printed::enough;
  }
}

}  // namespace imds::alerts
