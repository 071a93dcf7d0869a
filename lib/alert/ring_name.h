// What a ring may be called: the rules of shm_open(3), checked before it is asked.
#pragma once

#include <climits>
#include <string>

#include "alert/imds_alert_ring.h"
#include "base/result.h"

namespace imds::alert {

[[nodiscard]] inline Status check_ring_name(const std::string& name, ErrorKind kind) {
  if (name.size() < 2 || name.size() > NAME_MAX || name[0] != '/' ||
      name.find('/', 1) != std::string::npos || name.find('\0') != std::string::npos ||
      name == "/." || name == "/..") {
    return fail(kind, "alert ring \"" + name +
                          "\": expected a name such as " IMDS_ALERT_RING_NAME
                          ": a slash, then 1 to 254 characters without another slash");
  }
  return {};
}

}  // namespace imds::alert
