// Segments to streams in order. Where order matters (beginnings and heads) a segment that came
// early waits for the bytes in front of it; what is skipped is passed in any order.
#include <algorithm>

#include "detect/inspector.h"

namespace imds::detect {

namespace {

// How long a hole that the receiver has acknowledged is waited for: the taps of two directions
// drain unevenly, so the acknowledgment may be seen before the bytes.
constexpr std::int64_t kAcknowledgedGraceNs = 100'000'000;
constexpr std::uint32_t kAcknowledgedGracePackets = 16;
// How long any other hole is, after the last progress: without the peer in sight nobody tells what
// it received; with it, its acknowledgment is still to come.
constexpr std::int64_t kPatienceNs = kNanosPerSecond;
constexpr std::int64_t kPatienceBothSeenNs = 10 * kNanosPerSecond;

std::uint32_t size32(ByteSpan bytes) {
  return static_cast<std::uint32_t>(bytes.size());
}

}  // namespace

void Inspector::tcp_segment(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  const packet::TcpFields& tcp = view.tcp;
  constexpr std::uint8_t kSpecial = packet::kTcpSyn | packet::kTcpFin | packet::kTcpRst;
  if (tcp.has(packet::kTcpAck)) {
    lane_.note_acknowledgment(tcp.acknowledgment, step.direction, step.flow);
  }
  flow::StreamCursor& cursor = step.cursor();
  if ((tcp.flags & kSpecial) == 0 && !step.flow.holds_segments() && !view.truncated &&
      tcp.sequence == cursor.next_sequence() && cursor.started()) {
    if (!view.payload.empty()) {
      deliver(step, tcp.sequence, cursor.accept(tcp.sequence, false, view.payload).bytes);
    }
    return;
  }
  if (tcp.has(packet::kTcpRst)) {
    reset(step);
    return;
  }
  const bool syn = tcp.has(packet::kTcpSyn);
  if (cursor.started() && out_of_window(step)) {
    return;
  }
  const Segment segment{tcp.sequence + (syn ? 1 : 0), tcp.has(packet::kTcpFin), view.payload};
  begin_stream(step, syn, segment.sequence);
  place(step, segment);
  if (view.truncated && view.payload_length > view.payload.size() &&
      cursor.next_sequence() == segment.end()) {
    // What the capture cut away will not come.
    const std::uint32_t cut = view.payload_length - size32(view.payload);
    cursor.pass(cut);
    cursor.mark_lossy();
    after_gap(step, true, cut);
  }
  if (step.flow.holds_segments()) {
    drain(step, false);
    review_holes(step);
  }
}

void Inspector::begin_stream(const Step& step, bool syn, std::uint32_t sequence) {
  flow::StreamCursor& cursor = step.cursor();
  if (syn) {
    (void)cursor.accept(sequence - 1, true, {});
    if (cursor.restarted()) {
      restart_probe(step.stream, false);
    }
  }
}

void Inspector::place(const Step& step, const Segment& segment) {
  flow::StreamCursor& cursor = step.cursor();
  const bool nothing = segment.bytes.empty() && !segment.fin;
  if (nothing || (!cursor.started() && segment.bytes.empty())) {
    if (segment.fin) {
      finish(step);
    }
    return;
  }
  const std::int32_t distance = cursor.started() ? cursor.distance(segment.sequence) : 0;
  if (distance <= 0 || distance > static_cast<std::int32_t>(flow::StreamCursor::kPlausible)) {
    read(step, segment);
    return;
  }
  const auto ahead = static_cast<std::uint32_t>(distance);
  const bool ordered = needs_order(step, std::uint64_t{ahead} + segment.bytes.size());
  if (!ordered && step.flow.held[step.index()] == 0) {
    pass_hole(step, ahead);
    read(step, segment);
  } else if (step.packet.view->truncated) {
    // Snapped captures: what comes next leaves a hole in any case.
    drain(step, true);
    read(step, segment);
  } else {
    hold(step, segment);
  }
}

void Inspector::hold(const Step& step, const Segment& segment) {
  const std::uint64_t all = held_.memory().bytes_capacity.get();
  const std::uint64_t share = step.flow.of_interest ? all : all - all / 8;
  switch (held_.hold(step.flow.held[step.index()], segment, step.packet.view->time, share,
                     &step.flow)) {
    case flow::HeldSegments::Result::held:
      counters_.segments_held.add();
      note_last(step);
      return;
    case flow::HeldSegments::Result::repeated:
      counters_.stream_retransmitted_bytes.add(segment.bytes.size());
      return;
    case flow::HeldSegments::Result::stream_full:
    case flow::HeldSegments::Result::store_full:
      break;
  }
  // Never blind: the strings of the rules are looked for in what cannot wait, and the stream goes
  // on from here, as after a loss.
  counters_.holds_refused.add();
  judge_raw(step, segment.bytes);
  drain(step, true);
  read(step, segment);
}

// Any segment at its turn: old bytes are compared, a hole before it is a gap, new bytes go on.
void Inspector::read(const Step& step, const Segment& segment) {
  flow::StreamCursor& cursor = step.cursor();
  const bool before_all =
      cursor.started() && !cursor.saw_beginning() && cursor.distance(segment.end()) < 0 &&
      static_cast<std::uint64_t>(-std::int64_t{cursor.distance(segment.sequence)}) >
          cursor.next_offset();
  expected_ = cursor.next_sequence();
  const flow::Accepted accepted = cursor.accept(segment.sequence, false, segment.bytes);
  if (!accepted.old.empty()) {
    const std::size_t late = fill_hole(step.stream, segment);
    counters_.stream_late_bytes.add(late);
    counters_.stream_retransmitted_bytes.add(accepted.old.size() -
                                             std::min(late, accepted.old.size()));
    if (accepted.kind != flow::Accepted::Kind::keep_alive ||
        (step.flow.has_acknowledged & (1u << step.index())) != 0) {
      check_overlap(step, segment.sequence, accepted.old, late > 0 || before_all);
    }
  }
  if (accepted.lossy()) {
    const unsigned d = step.index();
    const auto acknowledged =
        static_cast<std::int32_t>(step.flow.acknowledged[d] - segment.sequence);
    if ((step.flow.has_acknowledged & (1u << d)) != 0 && acknowledged >= 0) {
      note_unseen(step.flow, accepted.gap);
    }
    after_gap(step, accepted.kind == flow::Accepted::Kind::gap, accepted.gap);
  }
  if (!accepted.bytes.empty()) {
    step.stream.strict = step.stream.strict || accepted.lossy();
    deliver(step, segment.sequence + size32(accepted.old), accepted.bytes);
  }
  if (segment.fin && cursor.next_sequence() == segment.end()) {
    finish(step);
  }
}

void Inspector::deliver(const Step& step, std::uint32_t sequence, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (!step.flow.saw_payload || step.cursor().next_offset() == bytes.size()) {
    // The first bytes of a direction: without its SYN they may be anything's middle.
    stream.strict = !step.cursor().saw_beginning() || step.cursor().lossy();
  }
  step.flow.saw_payload = true;
  step.flow.closed &= static_cast<std::uint8_t>(~FlowState::kReset);
  stream.end_judged = false;
  if (carries_dns(step)) [[unlikely]] {
    note_dns_bytes(step, sequence, bytes);
  }
  const Phase before = stream.phase;
  const bool collecting = before == Phase::probe || before == Phase::http_head;
  segment_ = bytes;
  segment_sequence_ = sequence;
  head_sequence_ =
      sequence - (collecting ? static_cast<std::uint32_t>(stream.head.buffer.size()) : 0);
  remembered_ = false;
  consume(step, bytes);
  if (!remembered_ && before == Phase::probe && stream.phase == Phase::opaque && !stream.raw_done) {
    remember(step, bytes);
  }
  segment_ = {};
  if (stream.is_unfinished()) {
    note_last(step);
  }
}

void Inspector::note_last(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  step.flow.last = {view.time,
                    view.vlan,
                    view.source_mac,
                    view.destination_mac,
                    step.direction,
                    view.truncated,
                    tunnels_.note(view.tunnel, step.flow.last.tunnel)};
}

// The held segments whose turn has come; with `pass_holes` all of them.
void Inspector::drain(const Step& step, bool pass_holes) {
  flow::HeldSegments::Handle& held = step.flow.held[step.index()];
  bool filled = false;
  while (held != 0) {
    const Segment first = held_.front(held);
    const std::int32_t distance = step.cursor().distance(first.sequence);
    if (distance > 0) {
      const std::uint64_t to = static_cast<std::uint64_t>(distance) + first.bytes.size();
      if (!needs_order(step, to)) {
        pass_hole(step, static_cast<std::uint32_t>(distance));
      } else if (pass_holes) {
        counters_.holes_given_up.add();
      } else {
        break;
      }
    }
    filled = true;
    read(step, first);
    held_.pop(held);
  }
  if (filled && !pass_holes) {
    counters_.holes_filled.add();
  }
  if (filled && held != 0) {
    held_.progress(held, step.packet.view->time);
  }
}

// Whether what the flow's streams wait for may still come.
void Inspector::review_holes(const Step& step) {
  const std::int64_t now = step.packet.view->time.ns;
  for (unsigned d = 0; d < 2; ++d) {
    const flow::HeldSegments::Handle held = step.flow.held[d];
    if (held == 0) {
      continue;
    }
    const Step waiting{step.packet, step.flow, step.direction, step.flow.directions[d]};
    const bool known = (step.flow.has_acknowledged & (1u << d)) != 0;
    const auto beyond =
        static_cast<std::int32_t>(step.flow.acknowledged[d] - held_.front(held).sequence);
    if (known && beyond >= 0) {
      const auto acknowledged = held_.acknowledged(held, step.packet.view->time);
      if (acknowledged.ns >= kAcknowledgedGraceNs ||
          acknowledged.times > kAcknowledgedGracePackets) {
        drain(waiting, true);
      }
      continue;
    }
    const std::int64_t patience = step.flow.both_seen() ? kPatienceBothSeenNs : kPatienceNs;
    const std::int64_t waited = now - held_.waiting_since(held).ns;
    if (waited > patience || waited < -patience) {
      drain(waiting, true);
    }
  }
}

void Inspector::give_up_waiting(FlowState& state, const PacketContext& packet) {
  refresh(packet, state);
  for (unsigned d = 0; d < 2; ++d) {
    if (state.held[d] != 0) {
      drain({packet, state, state.last.direction, state.directions[d]}, true);
    }
  }
}

// A hole in what is skipped: it may be filled later, or never.
void Inspector::pass_hole(const Step& step, std::uint32_t bytes) {
  DirectionState& stream = step.stream;
  close_hole(step.flow, stream);
  stream.hole_begin = step.cursor().next_sequence();
  stream.hole_end = stream.hole_begin + bytes;
  if (stream.phase == Phase::http_body) {
    (void)stream.body.pass_gap(bytes);
  } else if (stream.phase == Phase::http2) {
    pass_http2_gap(step, true, bytes);
  }
  step.cursor().pass(bytes);
}

// What of the passed hole is still missing is lost.
void Inspector::close_hole(FlowState& flow, DirectionState& stream) {
  const std::uint32_t missing = stream.hole_end - stream.hole_begin;
  if (missing == 0) {
    return;
  }
  const unsigned d = &stream == &flow.directions[1] ? 1 : 0;
  counters_.stream_gaps.add();
  counters_.stream_gap_bytes.add(missing);
  flow.cursors[d].mark_lossy();
  const auto beyond = static_cast<std::int32_t>(flow.acknowledged[d] - stream.hole_end);
  if ((flow.has_acknowledged & (1u << d)) != 0 && beyond >= 0) {
    note_unseen(flow, missing);
  }
  stream.hole_begin = stream.hole_end;
}

// How many bytes of `segment` lie in the passed hole. A segment in the hole's middle leaves the
// part before it.
std::size_t Inspector::fill_hole(DirectionState& stream, const Segment& segment) {
  const auto size = static_cast<std::int64_t>(stream.hole_end - stream.hole_begin);
  if (size == 0) {
    return 0;
  }
  const std::int64_t at = static_cast<std::int32_t>(segment.sequence - stream.hole_begin);
  const std::int64_t begin = std::clamp<std::int64_t>(at, 0, size);
  const std::int64_t end =
      std::clamp<std::int64_t>(at + static_cast<std::int64_t>(segment.bytes.size()), 0, size);
  if (begin == 0) {
    stream.hole_begin += static_cast<std::uint32_t>(end);
  } else if (begin < end) {
    stream.hole_end = stream.hole_begin + static_cast<std::uint32_t>(begin);
  }
  return static_cast<std::size_t>(end - begin);
}

// Bytes of the stream are missing: a length-framed body may span the hole, anything else begins
// anew after it.
void Inspector::after_gap(const Step& step, bool countable, std::uint64_t missing) {
  counters_.stream_gaps.add();
  counters_.stream_gap_bytes.add(missing);
  DirectionState& stream = step.stream;
  flush_side(step);
  switch (stream.phase) {
    case Phase::http_body:
      if (!countable || !stream.body.pass_gap(missing)) {
        restart_probe(stream, true);
      }
      break;
    case Phase::http_head:
      flush(step);
      break;
    case Phase::probe:
      restart_probe(stream, true);
      break;
    case Phase::http2:
      pass_http2_gap(step, countable, missing);
      break;
    case Phase::answer_waits:
    case Phase::answer_head:
    case Phase::answer_body:
      pass_answer_gap(step, countable, missing);
      break;
    case Phase::hunt:
    case Phase::opaque:
      drop_hello(step.flow);
      // The raw scan's overlap: what follows does not continue it.
      arena_.release(stream.head.buffer);
      step.flow.last_raw_byte[step.index()] = FlowState::kNoByte;
      break;
  }
}

void Inspector::judge_unfinished(const Step& step) {
  if (step.stream.phase == Phase::http_head && !step.stream.end_judged) {
    flush(step);
  } else if (step.stream.phase == Phase::http2) {
    end_http2_stream(step);
  } else if (step.stream.is_unfinished_answer()) {
    end_answer(step);
  }
  flush_side(step);
}

}  // namespace imds::detect
