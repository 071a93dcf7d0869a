// What the engine remembers of one flow. Plain data inside the flow table's entries; buffers it
// holds belong to the worker's arena and are given back by Inspector::end_flow().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"
#include "classify/address_class.h"
#include "detect/tunnel_memory.h"
#include "exhibit/recorder.h"
#include "flow/arena.h"
#include "flow/delivered.h"
#include "flow/held_segments.h"
#include "flow/key.h"
#include "flow/stream_cursor.h"
#include "http/body.h"
#include "http/head_end.h"
#include "http/preamble.h"
#include "packet/view.h"

namespace imds::detect {

// Where one direction of a TCP stream stands.
enum class Phase : std::uint8_t {
  probe,      // deciding from the first bytes
  http_head,  // inside a request head
  http_body,  // inside a body, which is skipped
  http2,      // the client's side of an HTTP/2 connection
  // Of the answering direction, where answers matter:
  answer_waits,  // an answer has come before its request, and waits for it
  answer_head,   // inside a response head
  answer_body,   // inside a response body, which is read
  hunt,          // framing in doubt: requests are looked for everywhere
  opaque,        // not HTTP, or HTTP no more: only the first bytes of each segment are compared
};

// A head being collected over segments.
struct HeadCollector {
  flow::HeadBuffer buffer;
  http::HeadEndFinder finder;
};

// Why a stream has had no raw scan, where a reload may change that.
enum class RawSkipped : std::uint8_t {
  no,
  unasked,   // no rule asked for one
  bypassed,  // it is encrypted, and its flow touched no endpoint
};

struct DirectionState {
  static constexpr std::uint32_t kNoHttp2Slot = 0xffffffff;

  Phase phase = Phase::probe;
  bool side_active = false;  // `side` is collecting
  bool strict = false;       // entered by a guess: not every line passes for a request's
  bool raw_done = false;     // no raw scan (any more)
  RawSkipped raw_skipped = RawSkipped::no;
  bool side_second = false;  // what `side` collects is the other reading of conflicting bytes
  bool end_judged = false;   // the unfinished head was judged at a FIN
  http::PreambleKind preamble = http::PreambleKind::none;  // the last message to a proxy
  HeadCollector head;  // also holds the bytes of an undecided probe, or a split header block
  // A request found where a body was announced; while hunting, the tail of what was read; before
  // the first request, the name a SOCKS request gave.
  HeadCollector side;
  http::BodySkipper body;
  std::uint32_t raw_scanned = 0;  // bytes given to the raw scan so far
  // The last heads that were delivered, for comparison with what is sent again.
  flow::Delivered::Mark delivered = 0;
  // Sequence numbers of the last hole that was passed without waiting; empty if equal.
  std::uint32_t hole_begin = 0;
  std::uint32_t hole_end = 0;
  std::uint32_t http2_slot = kNoHttp2Slot;  // in Http2Connections
  std::uint32_t http2_skippable = 0;        // of the frame under way, as its walker says

  // Whether a segment that ends `to` bytes beyond the next expected one has to wait for those in
  // front of it. What is skipped does not: only the first bytes of its segments are looked at.
  [[nodiscard]] bool needs_order(std::uint64_t to) const {
    switch (phase) {
      case Phase::http_body:
        return side_active || to > body.skippable();
      case Phase::http2:
        return side_active || to > http2_skippable;
      case Phase::opaque:
        return side_active || !raw_done;
      default:
        return true;
    }
  }
  // A head is being collected.
  [[nodiscard]] bool is_unfinished() const {
    return phase == Phase::http_head || side_active ||
           (phase == Phase::http2 && !head.buffer.empty()) || is_unfinished_answer();
  }
  // There may be more to tell of an answer.
  [[nodiscard]] bool is_unfinished_answer() const {
    return phase == Phase::answer_waits || phase == Phase::answer_head ||
           phase == Phase::answer_body;
  }
};

// What told client from server: a later, stronger evidence corrects a weaker one.
enum class ClientEvidence : std::uint8_t {
  none,
  endpoint,  // only one side is watched: it is the server
  head,      // a request head came from the client
  syn_ack,   // the server's SYN
  syn,
};

inline constexpr std::size_t kRememberedRawRules = 4;

// Of the last packet that left a head unfinished, for the event it may still become when its flow
// ages out.
struct LastPacket {
  Timestamp time;
  packet::VlanStack vlan;
  MacAddress source_mac;
  MacAddress destination_mac;
  flow::Direction direction = flow::Direction::from_lower;
  bool truncated = false;
  TunnelMemory::Ticket tunnel = TunnelMemory::kNone;
};

// Where a flow may go on, if what comes next confirms it: after a SYN, or a segment, of another
// sequence space, which may be forged.
struct Elsewhere {
  std::uint32_t sequence = 0;
  std::uint8_t direction = kNone;  // flow::Direction
  bool syn = false;
  static constexpr std::uint8_t kNone = 2;
};

struct FlowState {
  static constexpr std::uint8_t kClientUnknown = 2;
  static constexpr std::uint8_t kFinBoth = 0x03;
  static constexpr std::uint8_t kReset = 0x04;
  static constexpr std::uint16_t kNoByte = 0x100;
  static constexpr std::uint16_t kNoExchange = 0xffff;

  // First, on one cache line, what the fast lane reads and writes: see fast_lane.h.
  std::array<flow::StreamCursor, 2> cursors;    // by direction
  std::array<std::uint32_t, 2> acknowledged{};  // by direction of the data: highest of the peer's
  std::array<std::uint32_t, 2> may_skip{};      // payload bytes that need no more than a glance
  std::array<std::uint16_t, 2> last_raw_byte{kNoByte, kNoByte};  // of what the raw scan was given
  std::uint32_t packets = 0;
  std::uint16_t ingress_port = 0;
  std::uint16_t generation = 0;        // lower bits of that of the policy it is derived from
  std::array<std::uint8_t, 2> lane{};  // by direction: bits of fast_lane.h
  std::uint8_t has_acknowledged = 0;   // bit per direction: `acknowledged` is set
  std::uint8_t seen : 2 = 0;           // bit per direction: a packet was seen in it
  bool saw_payload : 1 = false;
  bool judged : 1 = false;  // counted for the one-sided share

  // What other packets need.
  std::array<std::uint32_t, 2> armed{};              // what may_skip was
  std::array<flow::HeldSegments::Handle, 2> held{};  // by direction: segments that wait
  std::uint32_t requests = 0;                        // http_request events so far
  std::uint32_t second_reading = 0;  // checksum of the last second reading that was judged
  Elsewhere elsewhere;
  std::uint16_t endpoint = classify::kNoEndpoint;
  std::uint16_t exchange = kNoExchange;  // in Exchanges
  exhibit::Mark mark;                    // in the recorder, where evidence is kept
  // Rules (Policy::rule_identities) that have alerted on raw_match.
  std::array<std::uint16_t, kRememberedRawRules> raw_rules{};
  std::uint8_t raw_rule_count = 0;
  std::uint8_t client = kClientUnknown;  // flow::Direction of the client's packets
  ClientEvidence client_evidence = ClientEvidence::none;
  std::uint8_t closed = 0;   // bit per direction: FIN reached; kReset
  bool of_interest = false;  // touches an endpoint or an address a rule names
  bool connection_reported = false;
  bool saw_syn = false;
  bool overlap_reported : 1 = false;
  bool is_test : 1 = false;
  bool http2 : 1 = false;           // HTTP/2 was recognised
  bool http2_reported : 1 = false;  // http2_mid_stream was raised
  // 1 + the direction whose ClientHello is being collected in its `head`; 0: none.
  std::uint8_t hello : 2 = 0;

  std::array<DirectionState, 2> directions;  // by flow::Direction
  LastPacket last;

  [[nodiscard]] bool has_unfinished_head() const {
    return directions[0].is_unfinished() || directions[1].is_unfinished() || holds_segments();
  }
  [[nodiscard]] bool holds_segments() const { return (held[0] | held[1]) != 0; }
  [[nodiscard]] bool is_closing() const {
    return (closed & kFinBoth) == kFinBoth || (closed & kReset) != 0;
  }
  [[nodiscard]] bool both_seen() const { return seen == 0x03; }

  // For flow::Table: opaque flows go first, those that touch an endpoint last.
  [[nodiscard]] std::uint8_t eviction_rank() const {
    if (of_interest) {
      return 0;
    }
    const bool opaque =
        directions[0].phase == Phase::opaque || directions[1].phase == Phase::opaque;
    return opaque ? 2 : 1;
  }
};
// There are as many as flows: what few flows need belongs into a pool of the inspector.
static_assert(sizeof(DirectionState) == 80 && sizeof(FlowState) <= 320);
static_assert(offsetof(FlowState, armed) <= kCacheLine);

}  // namespace imds::detect
