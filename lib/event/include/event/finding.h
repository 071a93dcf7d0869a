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

// Of an exchange with a metadata service; see ExchangeFields. What a request has, too, stands
// first.
struct FindingExchange {
  std::uint16_t status;  // 0: none
  std::uint8_t version;
  bool forwarded;
  bool has_body_bytes;
  Delivered delivered;
  ContentKind content;
  AccountSource account_source;
  AccountVerdict account_expected;
  FixedText<32> client_kind;
  std::uint32_t token_length;
  std::uint32_t token_ttl;
  std::uint64_t body_bytes;
  std::uint64_t account;
  std::int64_t expiration;
  // Part::answer
  FixedText<16> region;
  FixedText<32> access_key_id;
  FixedText<32> server;
  FixedText<64> mime_type;
  FixedText<64> role;
};

// What a finding may lack. Its bytes are not written then, and hold what another finding left: most
// of a ring's slot is in no cache. Who reads members directly asks Finding::has() first; event_of()
// does.
enum class Part : std::uint8_t {
  request = 0x01,   // http_version to path
  answer = 0x02,    // the last texts of exchange
  tunnel = 0x04,    // tunnel
  evidence = 0x08,  // evidence and dns_name
};

struct alignas(kCacheLine) Finding {
  Timestamp time;
  EventType type;
  std::uint8_t worker;
  bool is_test;
  bool rules_truncated;  // more rules hit than fit; the rest were counted
  bool has_exchange;     // `exchange` is set
  std::uint8_t lacks;    // bits of Part
  std::uint8_t ip_protocol;
  std::uint8_t vlan_count;
  std::uint32_t ordinal;             // the event's, see Event::ordinal
  std::uint32_t ruleset_generation;  // which ruleset `rules` indexes
  std::uint16_t rule_count;
  std::uint16_t visibility;
  std::uint16_t ingress_port;
  std::array<std::uint16_t, kMaxVlans> vlans;
  Peer source;
  Peer destination;
  KeptPackets kept;                                      // of the exchange, where evidence is kept
  std::array<std::uint16_t, kMaxRulesPerFinding> rules;  // indices into that ruleset

  // Short texts first: what most findings fill stands on few cache lines.
  FixedText<64> endpoint;
  FixedText<8> http_version;
  FixedText<32> method;
  FixedText<256> domain;  // normalised authority without port; of credentials_used the TLS name
  FixedText<256> user_agent;
  FixedText<1024> target;  // raw request-target
  FixedText<1024> path;    // normalised path

  FindingExchange exchange;  // most findings have none
  Tunnel tunnel;
  EvidenceFields evidence;
  FixedText<160> dns_name;

  // Per rule: how its comparisons came out that the story cannot repeat. Set for rules that the
  // story judges (rules::RuleInfo::in_story) only.
  std::array<std::uint64_t, kMaxRulesPerFinding> compared;

  [[nodiscard]] bool has(Part part) const { return (lacks & static_cast<std::uint8_t>(part)) == 0; }
  void set_has(Part part, bool present) {
    const auto bit = static_cast<std::uint8_t>(part);
    lacks = static_cast<std::uint8_t>(present ? lacks & ~bit : lacks | bit);
  }
};
static_assert(std::is_trivially_copyable_v<Finding>);
// What every finding has ends where its endpoint's name does.
static_assert(offsetof(Finding, endpoint) <= 3 * kCacheLine);

// Calls fetch(address) for the cache lines that a usual finding fills.
template <typename Fetch>
void for_usual_lines(const Finding& finding, const Fetch& fetch) {
  const auto fetch_from = [&](const void* begin, std::size_t size) {
    const auto* const bytes = static_cast<const char*>(begin);
    for (std::size_t at = 0; at < size; at += kCacheLine) {
      fetch(bytes + at);
    }
  };
  constexpr std::size_t kUsualAgent = 96;
  fetch_from(&finding, offsetof(Finding, domain) + kCacheLine);
  fetch_from(&finding.user_agent, kUsualAgent);
  fetch_from(&finding.target, kCacheLine);
  fetch_from(&finding.path, kCacheLine);
  fetch_from(&finding.exchange, offsetof(FindingExchange, region));
}

// Consumer: fetches them ahead of their use.
inline void prefetch(const Finding& finding) {
  for_usual_lines(finding, [](const void* line) { __builtin_prefetch(line); });
}
// Producer: where the next finding will be written, which has long left the caches.
inline void prefetch_for_writing(const Finding& finding) {
  constexpr int kWrite = 1;
  for_usual_lines(finding, [](const void* line) { __builtin_prefetch(line, kWrite); });
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
