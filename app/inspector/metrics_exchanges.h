// What is counted of exchanges with metadata services.
#pragma once

#include <string>

#include "detect/inspector.h"
#include "metrics/samples.h"

namespace imds::inspector {

void add_exchanges(metrics::Samples& samples, const std::string& worker,
                   const detect::Inspector& inspector);

}  // namespace imds::inspector
