// Alerts in the chosen format on standard output.
#pragma once

#include "alert/imds_alert_ring.h"
#include "base/result.h"
#include "command_line.h"

namespace imds::alerts {

enum class Printed { more, enough };  // enough: nobody reads, or asked to stop

class Printer {
 public:
  explicit Printer(Format format);
  // Error (runtime): standard output cannot be written.
  [[nodiscard]] Result<Printed> print(const imds_alert_record& record) const;

 private:
  Format format_;
  bool colour_;
};

}  // namespace imds::alerts
