// What imds-alerts does; each returns when it is done or asked to stop.
#pragma once

#include <string>

#include "base/result.h"
#include "command_line.h"

namespace imds::alerts {

[[nodiscard]] Status follow(const std::string& ring, const CommandLine& options);
[[nodiscard]] Status list(const std::string& ring, const CommandLine& options);
[[nodiscard]] Status stats(const std::string& ring, const CommandLine& options);

}  // namespace imds::alerts
