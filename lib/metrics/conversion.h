// Samples in the shape prometheus-cpp serialises.
#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "metrics/samples.h"

namespace imds::metrics {

[[nodiscard]] std::vector<prometheus::MetricFamily> to_prometheus(const Samples& samples);

}  // namespace imds::metrics
