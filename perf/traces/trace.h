// Seeded synthetic traffic to measure with: named profiles, described in docs/traces.md. The same
// profile, seed and size give the same packets. What must be found in them is counted while they
// are made.
//
// Conversations of interest are complete in a trace, from handshake to FIN, so that a trace can be
// replayed again and again and alerts the same number of times each time.
//
// One thread per call. Memory: a few hundred bytes per conversation under way, whatever it carries;
// packets are made as they are handed out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/time.h"
#include "support/wire_bytes.h"

namespace imds::traces {

// What a replay changes from loop to loop so that flows are new to the inspector. Loop k, counted
// from 0, plays every packet with k * step added to its client address: the host bits of `clients`
// count up and wrap round. That is the IPv4 address, source or destination, that lies in `clients`;
// frames of such a profile are plain Ethernet, IPv4 without options, TCP. Checksums follow
// (RFC 1624), or are left wrong where nobody looks at them.
struct Rewrite {
  IpPrefix clients;        // IPv4
  std::uint32_t step = 0;  // 0: every loop plays the packets as they are

  [[nodiscard]] bool is_none() const { return step == 0; }
  // Loops after which the first one's addresses come again.
  [[nodiscard]] std::uint64_t variants() const {
    return is_none() ? 1 : (std::uint64_t{1} << (32 - clients.length)) / step;
  }
  // Of the IPv4 address `host_order`, which lies in `clients`.
  [[nodiscard]] std::uint32_t address_in_loop(std::uint32_t host_order, std::uint64_t loop) const {
    const std::uint32_t host_bits = clients.length == 0 ? ~0u : (1u << (32 - clients.length)) - 1;
    const std::uint32_t moved = host_order + static_cast<std::uint32_t>(loop) * step;
    return (host_order & ~host_bits) | (moved & host_bits);
  }
};

struct Profile {
  std::string name;
  std::string text;           // one line for people
  std::uint64_t packets = 0;  // as many as a measurement wants
  std::uint64_t flows =
      0;  // at once, in a trace (or, with `rewrite`, in a replay) of that many packets
  Rewrite rewrite;
};

// Those with a name of their own, and of flows-N some examples.
[[nodiscard]] std::span<const Profile> profiles();
// Also finds flows-N for any N of 1 to 100 million ("flows-250000", "flows-2M"), and aliases.
[[nodiscard]] std::optional<Profile> find_profile(std::string_view name);

// Alerts of the shipped rules.
struct Alerts {
  std::map<std::string, std::uint64_t> by_event;  // `imds.event`
  std::map<std::string, std::uint64_t> by_rule;   // `rule.id`

  void add(std::string_view event, std::string_view rule, std::uint64_t count = 1);
  void add(const Alerts& other);
  [[nodiscard]] std::uint64_t total() const;

  friend bool operator==(const Alerts&, const Alerts&) = default;
};

struct Summary {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;       // of frames, without preamble and FCS
  std::uint64_t flows = 0;       // begun in one loop
  std::uint64_t concurrent = 0;  // most at once; with a rewrite, in a replay
  // Loops of a replay until that many are alive: more than 1 only with a rewrite.
  std::uint64_t loops_to_fill = 1;
  Alerts alerts;  // of one loop
};

// The frame is valid until the call returns.
using Emit = std::function<void(Timestamp, const support::Bytes&)>;

// About `packets` packets, rather more: conversations begun are brought to their end. With fewer
// than the profile's own number, fewer conversations run at once.
Summary generate(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                 const Emit& emit);

}  // namespace imds::traces
