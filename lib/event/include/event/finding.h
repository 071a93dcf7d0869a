// A finding: an event some rules hit, copied out of the packet into a plain record of fixed size
// that travels from a worker to the story thread through an SpscRing. Text longer than its cap
// keeps its beginning and is marked truncated.
//
// A finding never leaves the process: secrets in it (userinfo, query parameters) are masked when
// the alert record is made. Headers are not copied at all.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "base/fixed_text.h"
#include "base/time.h"
#include "event/event.h"

namespace imds::event {

inline constexpr std::size_t kMaxRulesPerFinding = 32;

struct Finding {
  Timestamp time;
  EventType type;
  std::uint8_t worker;
  bool is_test;
  bool rules_truncated;              // more rules hit than fit; the rest were counted
  std::uint32_t ordinal;             // the event's, see Event::ordinal
  std::uint32_t ruleset_generation;  // which ruleset `rules` indexes
  std::uint16_t rule_count;
  std::array<std::uint16_t, kMaxRulesPerFinding> rules;  // indices into that ruleset

  Peer source;
  Peer destination;
  std::uint8_t ip_protocol;
  std::uint8_t vlan_count;
  std::array<std::uint16_t, kMaxVlans> vlans;
  std::uint8_t visibility;
  std::uint16_t ingress_port;
  Tunnel tunnel;

  FixedText<64> endpoint;
  FixedText<32> method;
  FixedText<1024> target;  // raw request-target
  FixedText<1024> path;    // normalised path
  FixedText<256> domain;   // normalised authority without port
  FixedText<256> user_agent;
  FixedText<8> http_version;
};
static_assert(std::is_trivially_copyable_v<Finding>);

// Fills everything but worker, generation and rules.
void fill(Finding& finding, const Event& event);

}  // namespace imds::event
