// What a run did, for people: every packet and every finding accounted for.
#pragma once

#include <cstdint>
#include <string>

#include "engine.h"

namespace imds::inspector {

// Several lines, the first with received = Σ dispositions. `seconds`: how long it took.
[[nodiscard]] std::string summarize(const Engine& engine, double seconds);

// Whether every packet has exactly one disposition and every finding its fate. False only by a
// defect; reported as one.
[[nodiscard]] bool adds_up(const Engine& engine);

}  // namespace imds::inspector
