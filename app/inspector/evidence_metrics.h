// The metrics of who answers from endpoints' addresses, and who claims them.
#pragma once

#include "engine.h"
#include "metrics/samples.h"

namespace imds::inspector {

// Of all workers.
void add_evidence(metrics::Samples& samples, const Engine& engine);

}  // namespace imds::inspector
