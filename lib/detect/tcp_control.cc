// What the flags and acknowledgments of TCP say of a flow. Anyone on the path can forge a segment
// that the receiver drops (a wrong sequence number, a short time to live): nothing here ends the
// reading of a stream that goes on.
#include "detect/inspector.h"

namespace imds::detect {

namespace {

// How far ahead of the expected byte an RST is believed (RFC 5961, 3.2, wants the exact byte).
constexpr std::int32_t kResetWindow = 65535;

// The initial sequence number + 1 of what the stream has delivered.
std::uint32_t first_sequence(const flow::StreamCursor& cursor) {
  return cursor.next_sequence() - static_cast<std::uint32_t>(cursor.next_offset());
}

bool is_other_beginning(const flow::StreamCursor& cursor, std::uint32_t first) {
  return cursor.started() && first_sequence(cursor) != first;
}

}  // namespace

// Whether the flow begins anew with this packet. A SYN of another sequence space, on a flow that
// has carried data, has to be confirmed by what comes after it: until then it is only noted.
bool Inspector::goes_elsewhere(const PacketContext& packet, flow::Direction direction,
                               FlowState& flow) {
  const packet::TcpFields& tcp = packet.view->tcp;
  Elsewhere& elsewhere = flow.elsewhere;
  const auto d = static_cast<std::uint8_t>(flow::index(direction));
  if (!tcp.has(packet::kTcpSyn)) {
    return elsewhere.syn && elsewhere.direction == d && tcp.sequence == elsewhere.sequence &&
           !tcp.has(packet::kTcpRst) && flow.cursors[d].next_sequence() != elsewhere.sequence;
  }
  if (tcp.has(packet::kTcpAck)) {
    // The answer to the noted SYN.
    return elsewhere.syn && elsewhere.direction != d && tcp.acknowledgment == elsewhere.sequence;
  }
  // With the same initial sequence number it is a repetition, or, on a flow that is over, a capture
  // that is played again. The end of a flow that still waits for the rest of a head may be forged.
  const bool over = FastLane::is_over(flow);
  const bool other = is_other_beginning(flow.cursors[d], tcp.sequence + 1);
  if (over || (other && !flow.saw_payload)) {
    elsewhere = {};
    return true;
  }
  if (!other && !flow.is_closing()) {
    return false;
  }
  elsewhere = {tcp.sequence + 1, d, true};
  return false;
}

// A segment too far off to be of this window. What is to be read in order stays where it is until
// a second one continues the first: one may be forged, and receivers drop it.
bool Inspector::out_of_window(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  const flow::StreamCursor& cursor = step.cursor();
  const bool syn = view.tcp.has(packet::kTcpSyn);
  const std::uint32_t first = view.tcp.sequence + (syn ? 1 : 0);
  Elsewhere& elsewhere = step.flow.elsewhere;
  const bool far = !cursor.is_plausible(first);
  const bool other_syn = syn && cursor.next_offset() > 0 && is_other_beginning(cursor, first);
  if (!far && !other_syn) {
    return false;
  }
  const auto d = static_cast<std::uint8_t>(step.index());
  const bool confirmed = far && !syn && elsewhere.direction == d && elsewhere.sequence == first;
  if (confirmed || (!syn && !step.stream.needs_order(~0ull))) {
    elsewhere = {};
    return false;
  }
  counters_.segments_out_of_window.add();
  if (!syn || !elsewhere.syn) {
    elsewhere = {first + static_cast<std::uint32_t>(view.payload.size()), d, false};
  }
  expected_ = cursor.next_sequence();
  read_late(step, first, view.payload);
  return true;
}

// Bytes that the receiver acknowledged and no packet showed.
void Inspector::note_unseen(FlowState& flow, std::uint64_t bytes) {
  if (flow.ingress_port < options_.ports && flow.both_seen()) {
    counters_.bytes_unseen[flow.ingress_port].add(bytes);
  }
}

// The FIN's place in the stream is reached. An unfinished head is judged by what there is of it;
// but it stays, because a FIN that the receiver dropped is followed by the rest.
void Inspector::finish(const Step& step) {
  DirectionState& stream = step.stream;
  step.flow.closed |= static_cast<std::uint8_t>(1u << step.index());
  if (stream.phase == Phase::http_head && !stream.end_judged && !stream.head.buffer.empty()) {
    stream.end_judged = true;
    const ByteSpan head = arena_.bytes(stream.head.buffer);
    const http::LineTrust trust = stream.strict ? http::LineTrust::guessed : http::LineTrust::any;
    if (!inspect_partial_head(step, head, trust)) {
      judge_raw(step, head);
    }
  }
  if (stream.phase == Phase::answer_body) {
    note_answer_end(step);
  }
  flush_side(step);
  if (step.flow.hello == step.index() + 1) {
    drop_hello(step.flow);
  }
  if (!stream.is_unfinished()) {
    release(stream);
  }
}

// Within the window the flow is over, unless data goes on: its state stays for a while, unfinished
// heads are judged when it goes.
void Inspector::reset(const Step& step) {
  const flow::StreamCursor& cursor = step.cursor();
  if (cursor.started()) {
    const std::int32_t distance = cursor.distance(step.packet.view->tcp.sequence);
    if (distance < -1 || distance > kResetWindow) {
      counters_.resets_ignored.add();
      return;
    }
  }
  step.flow.closed |= FlowState::kReset;
  if (step.flow.has_unfinished_head()) {
    note_last(step);
  }
}

}  // namespace imds::detect
