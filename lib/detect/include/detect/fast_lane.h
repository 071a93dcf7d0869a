// The fast lane: segments of a flow that only move numbers forward. Bare acknowledgments, and
// payload that is skipped (bodies, encrypted and other opaque streams) once its first bytes have
// been compared, are accounted for on one cache line of the flow's state. So is the little that
// interactive protocols send at a time, if no string of the rules can begin in it. Beginnings and
// ends without payload (SYN, SYN-ACK, FIN) of flows that nobody watches need a few more lines.
// Everything else is declined and takes the whole way through Inspector::packet(), with the same
// outcome: the lane saves time and decides nothing.
//
// arm() says after each packet that took the whole way what may pass from there on; settle() tells
// the streams what has passed, before anything else reads them. Between the two, what a body has
// left and what the raw scan has been given are old.
//
// Threads: one owner. Nothing allocates.
#pragma once

#include <cstdint>

#include "base/cursor.h"
#include "detect/counters.h"
#include "detect/flow_state.h"
#include "flow/key.h"
#include "http/http2_frames.h"
#include "http/probe.h"
#include "packet/view.h"
#include "rules/raw_starts.h"

namespace imds::detect {

// Packets after which a flow seen in one direction only is taken to stay so.
inline constexpr std::uint32_t kPacketsToJudge = 16;

// What the lane has to know of a TCP segment.
struct Segment {
  ByteSpan payload;
  std::uint32_t sequence;
  std::uint32_t acknowledgment;
  std::uint8_t flags;  // packet::TcpFlag

  [[nodiscard]] bool begins_or_ends() const { return (flags & kBeginsOrEnds) != 0; }
  static constexpr std::uint8_t kBeginsOrEnds = packet::kTcpSyn | packet::kTcpFin | packet::kTcpRst;
};

class FastLane {
 public:
  // `counters`, of so many ports, must outlive the lane. Before the first packet: take().
  FastLane(Counters& counters, std::size_t ports) : counters_(counters), ports_(ports) {}

  // The rules in force from here on. Flows armed under others are declined until they are armed
  // again. `starts` must outlive that; `raw_scan_bytes` as in Options, 0 if no rule asks for it.
  void take(const rules::RawStarts& starts, std::uint32_t raw_scan_bytes,
            std::uint32_t generation) {
    starts_ = &starts;
    raw_scan_bytes_ = raw_scan_bytes;
    generation_ = static_cast<std::uint16_t>(generation);
  }

  // True: the segment is accounted for as Inspector::packet() would have done it. False: nothing
  // has changed.
  [[nodiscard]] bool pass(const Segment& segment, flow::Direction direction, FlowState& flow);
  // The same for what pass() has declined: the answer to a SYN, or the end of a stream that has
  // nothing unfinished. What the flow's time-out depends on may have changed.
  [[nodiscard]] bool pass_control(const Segment& segment, flow::Direction direction,
                                  FlowState& flow);
  // Whether begin() will do for a segment of no known flow, or of one that is_over(), if neither
  // address is watched.
  [[nodiscard]] static bool begins(const Segment& segment) {
    return segment.payload.empty() && (segment.flags & Segment::kBeginsOrEnds) == packet::kTcpSyn &&
           (segment.flags & packet::kTcpAck) == 0;
  }
  // Closed, and nothing of it is left to be judged.
  [[nodiscard]] static bool is_over(const FlowState& flow) {
    return flow.is_closing() && !flow.has_unfinished_head();
  }
  // The first segment of a flow that nobody watches. `flow` is fresh.
  void begin(const Segment& segment, flow::Direction direction, std::uint16_t ingress_port,
             FlowState& flow) const;

  // The segment that `direction`'s peer sent up to `number` was received.
  void note_acknowledgment(std::uint32_t number, flow::Direction direction, FlowState& flow);

  // Counts a flow with payload as seen in one direction or in both, once. To be called from its
  // kPacketsToJudge-th packet on, and at its end.
  void judge_sides(FlowState& flow);

  // `watched`: the flow touches an address whose contact is reported.
  void arm(FlowState& flow, bool watched) const;
  static void settle(FlowState& flow);

 private:
  // Bits of FlowState::lane.
  enum Bit : std::uint8_t {
    kQuiet = 0x01,   // segments without payload pass
    kSkips = 0x02,   // payload passes, within may_skip
    kFrames = 0x04,  // unless it looks like an HTTP/2 frame
    kRaw = 0x08,     // unless a string of the rules may begin in it
  };
  // Never armed for more at once: may_skip has 32 bits.
  static constexpr std::uint32_t kMostSkipped = 1u << 31;
  // Of more bytes a scan is cheaper.
  static constexpr std::size_t kMostCompared = 64;

  [[nodiscard]] bool answer(const Segment& segment, flow::Direction direction, FlowState& flow);
  [[nodiscard]] bool end(const Segment& segment, flow::Direction direction, FlowState& flow);
  void note_passed(const Segment& segment, flow::Direction direction, FlowState& flow);

  // Of payload that would pass else; notes its last byte.
  [[nodiscard]] bool passes_glance(ByteSpan payload, unsigned d, FlowState& flow) const;

  // How much payload may pass, and the bits that say how.
  struct Allowance {
    std::uint64_t bytes = 0;
    std::uint8_t bits = 0;
  };
  [[nodiscard]] Allowance allowance(const FlowState& flow, unsigned d) const;
  [[nodiscard]] static bool may_begin_request(ByteSpan payload) {
    return static_cast<std::uint8_t>(payload[0] - 'A') < 26 &&
           http::may_start_http(http::first8(payload));
  }
  [[nodiscard]] bool may_begin_string(std::uint16_t before, ByteSpan payload) const {
    return payload.size() > kMostCompared ||
           starts_->may_begin_in(static_cast<std::uint8_t>(before), payload);
  }

  Counters& counters_;
  std::size_t ports_;
  const rules::RawStarts* starts_ = nullptr;
  std::uint32_t raw_scan_bytes_ = 0;
  std::uint16_t generation_ = 0;
};

inline void FastLane::note_acknowledgment(std::uint32_t number, flow::Direction direction,
                                          FlowState& flow) {
  const unsigned peer = 1 - flow::index(direction);
  if (((flow.has_acknowledged >> peer) & 1u) == 0) [[unlikely]] {
    flow.has_acknowledged |= static_cast<std::uint8_t>(1u << peer);
    flow.acknowledged[peer] = number;
    return;
  }
  // Backwards, or implausibly far: wraps to a large number.
  const std::uint32_t more = number - flow.acknowledged[peer];
  if (more - 1 >= flow::StreamCursor::kPlausible) {
    return;
  }
  flow.acknowledged[peer] = number;
  if (flow.ingress_port < ports_ && flow.both_seen()) {
    counters_.bytes_acknowledged[flow.ingress_port].add(more);
  }
}

inline void FastLane::note_passed(const Segment& segment, flow::Direction direction,
                                  FlowState& flow) {
  if ((segment.flags & packet::kTcpAck) != 0) {
    note_acknowledgment(segment.acknowledgment, direction, flow);
  }
  if (++flow.packets == kPacketsToJudge) [[unlikely]] {
    judge_sides(flow);
  }
}

inline bool FastLane::pass(const Segment& segment, flow::Direction direction, FlowState& flow) {
  const unsigned d = flow::index(direction);
  const ByteSpan payload = segment.payload;
  const unsigned lane = flow.lane[d];
  flow::StreamCursor& cursor = flow.cursors[d];
  if (flow.generation != generation_ || segment.begins_or_ends()) {
    return false;
  }
  if (payload.empty()) {
    // Nothing to put in order; but one far off may announce another sequence space.
    if ((lane & kQuiet) == 0 || !cursor.is_plausible(segment.sequence)) {
      return false;
    }
  } else {
    const auto size = static_cast<std::uint32_t>(payload.size());
    if ((lane & kSkips) == 0 || segment.sequence != cursor.next_sequence() ||
        size > flow.may_skip[d] || may_begin_request(payload)) {
      return false;
    }
    if ((lane & (kFrames | kRaw)) != 0 && !passes_glance(payload, d, flow)) {
      return false;
    }
    flow.may_skip[d] -= size;
    cursor.pass(size);
  }
  note_passed(segment, direction, flow);
  return true;
}

inline bool FastLane::passes_glance(ByteSpan payload, unsigned d, FlowState& flow) const {
  if ((flow.lane[d] & kFrames) != 0 && http::may_be_http2_frame(payload)) [[unlikely]] {
    return false;
  }
  if ((flow.lane[d] & kRaw) != 0) {
    if (may_begin_string(flow.last_raw_byte[d], payload)) {
      return false;
    }
    flow.last_raw_byte[d] = payload.back();
  }
  return true;
}

}  // namespace imds::detect
