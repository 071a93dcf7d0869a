// What configuration and rules say about addresses, and the one value each address maps to.
//
// Plain data, no threads, no ownership beyond the vectors.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"

namespace imds::classify {

// A service the inspector watches: its name in alerts and metrics, and the prefixes it answers on.
// Where two endpoints cover an address the longer prefix wins.
struct Endpoint {
  std::string name;
  std::vector<IpPrefix> prefixes;
};

// VLAN ids first..last, both included, 0..4095. Id 0 stands for packets without a VLAN.
struct VlanRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend bool operator==(const VlanRange&, const VlanRange&) = default;
};

// A part of each day, in seconds since midnight UTC: `first` is in it, `last` is not. One that ends
// before it begins goes on past midnight.
struct DailyHours {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  friend bool operator==(const DailyHours&, const DailyHours&) = default;
};

inline constexpr Timestamp kAlwaysBefore{std::numeric_limits<std::int64_t>::min()};
inline constexpr Timestamp kNeverAfter{std::numeric_limits<std::int64_t>::max()};

// Traffic that shall not alert. Kinds left empty do not restrict; within a kind any entry
// suffices, across kinds all must hold. At least one kind besides time is given.
struct Suppression {
  std::string name;
  std::vector<IpPrefix> sources;       // the client's address
  std::vector<VlanRange> vlans;        // any tag of the packet's stack
  std::vector<std::string> endpoints;  // names of configured endpoints
  std::vector<IpPrefix> outer{};       // source or destination of the outermost IP header, if the
                                       // packet came in a tunnel
  // Turns `sources` round: the client is in none of them, and is no endpoint.
  bool outside = false;
  std::vector<IpPrefix> destinations{};  // the server's address
  // The server, by the address it answers on or by its MAC in frames to and from it: one kind.
  std::vector<IpPrefix> responder_addresses{};
  std::vector<MacAddress> responder_macs{};
  std::vector<std::string> user_agents{};  // whole text, ASCII case ignored, `*` for anything
  // Only alerts of these rules, by index into the ruleset, ascending; if by_rule and empty, of
  // none.
  bool by_rule = false;
  std::vector<std::uint16_t> rules{};
  Timestamp from = kAlwaysBefore;  // holds from here on
  Timestamp until = kNeverAfter;   // and no longer here
  std::vector<DailyHours> daily{};
  // Why it never matches, as far as the caller knows: it knows the rules. For --check.
  std::string never_because{};
};

struct Options {
  std::vector<Endpoint> endpoints;
  std::vector<Suppression> suppressions;       // the first that matches wins
  std::vector<IpPrefix> destination_prefixes;  // named by rules as destination
  std::vector<IpPrefix> source_prefixes;       // named by rules as source
  Timestamp now{};  // suppressions that ended before are told apart; zero: not known
};

inline constexpr std::size_t kMaxSuppressions = 256;
inline constexpr std::uint16_t kNoEndpoint = 0xffff;

// A set of suppressions, by their index in Options.
struct SuppressionBits {
  std::array<std::uint64_t, kMaxSuppressions / 64> words{};

  void set(std::size_t index) { words[index / 64] |= std::uint64_t{1} << (index % 64); }
  [[nodiscard]] bool test(std::size_t index) const {
    return (words[index / 64] >> (index % 64)) & 1u;
  }
  [[nodiscard]] bool none() const {
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) {
      any |= word;
    }
    return any == 0;
  }

  friend auto operator<=>(const SuppressionBits&, const SuppressionBits&) = default;
};

// All that is known of one address: the union over every prefix that covers it.
struct AddressClass {
  SuppressionBits suppressions;          // whose `sources` cover it
  std::uint16_t endpoint = kNoEndpoint;  // index into Options::endpoints
  bool named_as_destination = false;     // some rule names it as destination
  bool named_as_source = false;          // some rule names it as source

  [[nodiscard]] bool is_endpoint() const { return endpoint != kNoEndpoint; }

  friend auto operator<=>(const AddressClass&, const AddressClass&) = default;
};

}  // namespace imds::classify
