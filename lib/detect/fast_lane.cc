#include "detect/fast_lane.h"

#include <algorithm>

namespace imds::detect {

// A body's last byte is left to the whole way: what follows it is something else.
FastLane::Allowance FastLane::allowance(const FlowState& flow, unsigned d) const {
  const DirectionState& stream = flow.directions[d];
  if (stream.side_active) {
    return {};
  }
  if (stream.phase == Phase::http_body && !stream.body.ambiguous()) {
    const std::uint64_t left = stream.body.skippable();
    return {left > 0 ? left - 1 : 0, kSkips};
  }
  const bool awaits_answer = flow.exchange != FlowState::kNoExchange && flow.client != d;
  const bool is_hello = flow.hello == d + 1;
  if (stream.phase != Phase::opaque || awaits_answer || is_hello) {
    return {};
  }
  const std::uint8_t bits = stream.strict && !flow.http2 ? kSkips | kFrames : kSkips;
  if (stream.raw_done) {
    return {kMostSkipped, bits};
  }
  const bool in_between = stream.raw_scanned > 0 && stream.head.buffer.empty() &&
                          flow.last_raw_byte[d] != FlowState::kNoByte;
  if (in_between && stream.raw_scanned < raw_scan_bytes_) {
    return {raw_scan_bytes_ - stream.raw_scanned - 1, static_cast<std::uint8_t>(bits | kRaw)};
  }
  return {};
}

// Each of these does what Inspector::packet() would: that way and this one are compared by
// tests/unit/pipeline/fast_lane_test.cc. An armed lane says that nothing is held, reset, awaited
// elsewhere, or to be reported.
bool FastLane::pass_control(const Segment& segment, flow::Direction direction, FlowState& flow) {
  constexpr std::uint8_t kFinAck = packet::kTcpFin | packet::kTcpAck;
  constexpr std::uint8_t kSynAck = packet::kTcpSyn | packet::kTcpAck;
  if (!segment.payload.empty() || flow.generation != generation_ || flow.of_interest) {
    return false;
  }
  switch (segment.flags & (Segment::kBeginsOrEnds | packet::kTcpAck)) {
    case kSynAck:
      return answer(segment, direction, flow);
    case kFinAck:
      return end(segment, direction, flow);
    default:
      return false;
  }
}

bool FastLane::answer(const Segment& segment, flow::Direction direction, FlowState& flow) {
  const unsigned d = flow::index(direction);
  const bool is_opening = flow.client_evidence == ClientEvidence::syn && flow.client == 1 - d;
  if ((flow.lane[1 - d] & kQuiet) == 0 || !is_opening || flow.cursors[d].started()) {
    return false;
  }
  flow.seen |= static_cast<std::uint8_t>(1u << d);
  note_passed(segment, direction, flow);
  (void)flow.cursors[d].accept(segment.sequence, true, {});
  flow.lane[d] |= kQuiet;
  return true;
}

bool FastLane::end(const Segment& segment, flow::Direction direction, FlowState& flow) {
  const unsigned d = flow::index(direction);
  const DirectionState& stream = flow.directions[d];
  const bool has_nothing = stream.head.buffer.empty() && stream.side.buffer.empty() &&
                           !stream.side_active &&
                           (stream.phase == Phase::probe || stream.phase == Phase::http_body ||
                            stream.phase == Phase::opaque);
  if ((flow.lane[d] & kQuiet) == 0 || !has_nothing ||
      segment.sequence != flow.cursors[d].next_sequence()) {
    return false;
  }
  flow.closed |= static_cast<std::uint8_t>(1u << d);
  note_passed(segment, direction, flow);
  return true;
}

void FastLane::begin(const Segment& segment, flow::Direction direction, std::uint16_t ingress_port,
                     FlowState& flow) const {
  const unsigned d = flow::index(direction);
  flow.packets = 1;
  flow.generation = generation_;
  flow.ingress_port = ingress_port;
  flow.seen = static_cast<std::uint8_t>(1u << d);
  flow.saw_syn = true;
  flow.client = static_cast<std::uint8_t>(d);
  flow.client_evidence = ClientEvidence::syn;
  (void)flow.cursors[d].accept(segment.sequence, true, {});
  flow.lane[d] = kQuiet;
}

void FastLane::judge_sides(FlowState& flow) {
  if (flow.judged || !flow.saw_payload || flow.ingress_port >= ports_) {
    return;
  }
  flow.judged = true;
  counters_.flows_judged[flow.ingress_port].add();
  if (!flow.both_seen()) {
    counters_.flows_one_sided[flow.ingress_port].add();
  }
}

void FastLane::arm(FlowState& flow, bool watched) const {
  const bool to_report = watched && !flow.connection_reported;
  const bool over = (flow.closed & FlowState::kReset) != 0;
  if (to_report || over || flow.holds_segments() || flow.elsewhere.direction != Elsewhere::kNone) {
    return;
  }
  for (unsigned d = 0; d < flow.directions.size(); ++d) {
    if (!flow.cursors[d].started()) {
      continue;
    }
    flow.lane[d] |= kQuiet;
    const Allowance allowed = allowance(flow, d);
    if (allowed.bytes > 0) {
      flow.lane[d] |= allowed.bits;
      flow.may_skip[d] =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(allowed.bytes, kMostSkipped));
      flow.armed[d] = flow.may_skip[d];
    }
  }
}

void FastLane::settle(FlowState& flow) {
  for (unsigned d = 0; d < flow.directions.size(); ++d) {
    if ((flow.lane[d] & kSkips) == 0 || flow.armed[d] == flow.may_skip[d]) {
      continue;
    }
    DirectionState& stream = flow.directions[d];
    const std::uint32_t passed = flow.armed[d] - flow.may_skip[d];
    if (stream.phase == Phase::http_body) {
      stream.body.skip(passed);
    } else if (!stream.raw_done) {
      stream.raw_scanned += passed;
    }
  }
  flow.lane = {};
}

}  // namespace imds::detect
