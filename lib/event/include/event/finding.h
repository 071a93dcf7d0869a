// A finding: an event some rules hit, or one that carries a story further, copied out of the packet
// into a plain record of fixed size that travels from a worker to the story thread through an
// SpscRing. Text longer than its cap keeps its beginning and is marked truncated.
//
// A finding never leaves the process: secrets in it (userinfo, query parameters) are masked when
// the alert record is made. Headers are not copied at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/counter.h"
#include "base/fixed_text.h"
#include "base/time.h"
#include "event/event.h"
#include "event/kept_packets.h"

namespace imds::event {

inline constexpr std::size_t kMaxRulesPerFinding = 32;

// Of an exchange with a metadata service; see ExchangeFields.
struct FindingExchange {
  std::uint16_t status;  // 0: none
  std::uint8_t version;
  bool forwarded;
  bool has_body_bytes;
  Delivered delivered;
  ContentKind content;
  AccountSource account_source;
  AccountVerdict account_expected;
  std::uint32_t token_length;
  std::uint32_t token_ttl;
  std::uint64_t body_bytes;
  std::uint64_t account;
  std::int64_t expiration;
  FixedText<16> region;
  FixedText<32> client_kind;
  FixedText<32> access_key_id;
  FixedText<32> server;
  FixedText<64> mime_type;
  FixedText<64> role;
};

struct Finding {
  Timestamp time;
  EventType type;
  std::uint8_t worker;
  bool is_test;
  bool rules_truncated;              // more rules hit than fit; the rest were counted
  bool has_exchange;                 // `exchange` is set
  std::uint32_t ordinal;             // the event's, see Event::ordinal
  std::uint32_t ruleset_generation;  // which ruleset `rules` indexes
  std::uint16_t rule_count;
  std::array<std::uint16_t, kMaxRulesPerFinding> rules;  // indices into that ruleset

  Peer source;
  Peer destination;
  std::uint8_t ip_protocol;
  std::uint8_t vlan_count;
  std::array<std::uint16_t, kMaxVlans> vlans;
  std::uint16_t visibility;
  std::uint16_t ingress_port;
  Tunnel tunnel;
  KeptPackets kept;  // of the exchange, where evidence is kept

  // Short texts first: what most findings fill stands on few cache lines.
  FixedText<64> endpoint;
  FixedText<8> http_version;
  FixedText<32> method;
  FixedText<256> domain;  // normalised authority without port
  FixedText<256> user_agent;
  FixedText<1024> target;  // raw request-target
  FixedText<1024> path;    // normalised path

  FindingExchange exchange;  // most findings have none
  EvidenceFields evidence;
  FixedText<160> dns_name;

  // Per rule: how its comparisons came out that the story cannot repeat. Set for rules that the
  // story judges (rules::RuleInfo::in_story) only.
  std::array<std::uint64_t, kMaxRulesPerFinding> compared;
};
static_assert(std::is_trivially_copyable_v<Finding>);

// Consumer: fetches what a usual finding fills, ahead of its use.
inline void prefetch(const Finding& finding) {
  const char* fixed = reinterpret_cast<const char*>(&finding);
  for (std::size_t at = 0; at < offsetof(Finding, domain) + kCacheLine; at += kCacheLine) {
    __builtin_prefetch(fixed + at);
  }
  __builtin_prefetch(&finding.user_agent);
  __builtin_prefetch(&finding.target);
  __builtin_prefetch(&finding.path);
}

// Fills everything but worker, generation, rules and kept packets.
void fill(Finding& finding, const Event& event);

// event::has_story() of the event it was made of.
[[nodiscard]] bool has_story(const Finding& finding);

// Fields that can be read from a finding: the rest was not copied (headers, query, raw bytes).
[[nodiscard]] bool is_in_findings(FieldId field);
// What a finding still knows of its event, as views into it; text cut to its cap. Every field of
// is_in_findings() can be asked for with value_of(), of `url` there is the raw reading only.
[[nodiscard]] Event event_of(const Finding& finding);

}  // namespace imds::event
