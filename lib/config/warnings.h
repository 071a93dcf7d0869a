// What is legal in a configuration but probably not meant.
#pragma once

#include <vector>

#include "config/config.h"

namespace imds::config {

// In the order of the file. The configuration has passed every check.
[[nodiscard]] std::vector<Warning> find_warnings(const Config& config);

}  // namespace imds::config
