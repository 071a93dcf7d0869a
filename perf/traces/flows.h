// flows-N: N TCP connections at once, N / 10 of them new in each second. Private to the generator.
//
// A connection lives for 10 seconds, which is a loop of the trace or several: each packet carries
// its connection's generation in the client's address, and a replay adds one generation per loop
// (Rewrite). A loop has the beginnings of one generation, the ends of an older one and what the
// ones between do meanwhile. So as many connections are alive as there are generations in 10
// seconds times connections in a generation, however few packets the trace has.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "trace.h"

namespace imds::traces {

// N of "flows-N": digits, or digits and k or M. nullopt: not such a name, or not 1 to 100 million.
[[nodiscard]] std::optional<std::uint64_t> flows_of_name(std::string_view name);
[[nodiscard]] Profile flows_profile(std::string_view name, std::uint64_t flows);
Summary generate_flows(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                       const Emit& emit);

}  // namespace imds::traces
