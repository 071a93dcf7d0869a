// Seeded synthetic traffic to measure with. The same profile, seed and size give the same packets.
//
// Every TCP conversation is complete, from handshake to FIN, so a trace can be replayed again and
// again and alerts the same number of times each time. What it must alert on is counted while it
// is made.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "support/packet_builder.h"

namespace imds::traces {

struct Profile {
  std::string_view name;
  std::string_view text;  // one line for people
  std::uint64_t packets;  // as many as a measurement wants, roughly
};

[[nodiscard]] std::span<const Profile> profiles();
[[nodiscard]] const Profile* find_profile(std::string_view name);

struct Summary {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of frames, without preamble and FCS
  std::uint64_t flows = 0;
  // Events the shipped rules must alert on, by name (`imds.event`).
  std::map<std::string, std::uint64_t> alerts;
};

using Emit = std::function<void(Timestamp, const support::Bytes&)>;

// At least `packets` packets: conversations begun are brought to their end.
Summary generate(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                 const Emit& emit);

}  // namespace imds::traces
