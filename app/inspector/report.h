// What the log says at start: memory, CPUs, ports as they really are.
#pragma once

#include <cstdint>
#include <string>

#include "classify/suppression.h"
#include "eal.h"
#include "inject.h"
#include "port/ethdev.h"
#include "settings.h"

namespace imds::inspector {

// Rules passed over and what is probably not meant.
void report_ruleset(const Ruleset& ruleset);
// Suppressions that never match.
void report_suppressions(const classify::SuppressionSet& suppressions);
void report_eal(const EalReport& report);
void report_ports(const port::EthdevSet& ports, std::uint16_t workers);
[[nodiscard]] std::string describe_injection(const InjectionResult& result);

}  // namespace imds::inspector
