#include "detect/inspector.h"

#include <algorithm>
#include <new>

#include "http/target.h"

namespace imds::detect {

namespace {

using packet::IpProtocol;

// A head can also be complete in one segment, whose payload may be longer than head_bytes_max.
constexpr std::size_t kLongestHead = 65536;
// Packets after which a flow seen in one direction only is taken to stay so.
constexpr std::uint32_t kPacketsToJudge = 16;
constexpr std::uint8_t kIcmpEchoRequest = 8;
constexpr std::uint8_t kIcmpv6EchoRequest = 128;

bool is_echo_request(const packet::PacketView& view) {
  return (view.is(IpProtocol::icmp) && view.icmp_type == kIcmpEchoRequest) ||
         (view.is(IpProtocol::icmpv6) && view.icmp_type == kIcmpv6EchoRequest);
}

// A connection request that is not a repetition of the one this flow began with.
bool begins_anew(const packet::PacketView& view, const FlowState& flow,
                 const DirectionState& stream) {
  if (!view.is(IpProtocol::tcp) || !view.tcp.has(packet::kTcpSyn) ||
      view.tcp.has(packet::kTcpAck)) {
    return false;
  }
  // The first byte of payload had the initial sequence number + 1.
  const flow::StreamCursor& cursor = stream.cursor;
  const auto first = cursor.next_sequence() - static_cast<std::uint32_t>(cursor.next_offset());
  const bool other_sequence =
      cursor.started() && (!cursor.saw_beginning() || first != view.tcp.sequence + 1);
  return flow.is_closing() || other_sequence;
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::create(Options options,
                                                     std::shared_ptr<const rules::RuleSet> rules,
                                                     const classify::SuppressionSet& suppressions,
                                                     FindingRing& findings) {
  auto evaluator = rules::Evaluator::create(std::move(rules));
  if (!evaluator) {
    return pass_on(evaluator);
  }
  options.head_bytes_max = std::min<std::uint32_t>(options.head_bytes_max, flow::Arena::kLargest);
  try {
    return std::unique_ptr<Inspector>(
        new Inspector(std::move(options), std::move(*evaluator), suppressions, findings));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::environment,
                "not enough memory for a worker's buffers: lower inspect.arena_mib");
  }
}

Inspector::Inspector(Options options, rules::Evaluator evaluator,
                     const classify::SuppressionSet& suppressions, FindingRing& findings)
    : options_(std::move(options)),
      evaluator_(std::move(evaluator)),
      suppressions_(suppressions),
      findings_(findings),
      arena_(options_.arena),
      counters_(suppressions.size(), options_.ports),
      parses_every_head_(evaluator_.rules().parses_every_head()),
      raw_overlap_(evaluator_.rules().longest_raw_literal() > 0
                       ? evaluator_.rules().longest_raw_literal() - 1
                       : 0),
      unfold_buffer_(kLongestHead),
      target_buffer_(2 * kLongestHead + http::kNormaliseSlack),
      headers_buffer_(2 * kLongestHead),
      raw_buffer_(kLongestHead + flow::Arena::kLargest) {
  raw_overlap_ = std::min(raw_overlap_, flow::Arena::kLargest);
  if (!evaluator_.rules().needs_raw_scan()) {
    options_.raw_scan_bytes = 0;
  }
}

bool Inspector::begins_flow(const PacketContext& packet) {
  const packet::PacketView& view = *packet.view;
  if (view.is(IpProtocol::tcp)) {
    return view.tcp.has(packet::kTcpSyn) || !view.payload.empty();
  }
  if (!packet.touches_watched()) {
    return false;
  }
  return (view.is(IpProtocol::udp) && view.payload_length > 0) || is_echo_request(view);
}

void Inspector::packet(const PacketContext& packet, flow::Direction direction, FlowState& state) {
  if (begins_anew(*packet.view, state, state.directions[flow::index(direction)])) {
    end_flow(state);
    state = FlowState{};
  }
  const Step step{packet, state, direction, state.directions[flow::index(direction)]};
  if (state.packets++ == 0) {
    state.of_interest = packet.of_interest();
    state.ingress_port = packet.ingress_port;
    state.is_test = packet.is_test;
  }
  step.stream.seen = true;
  note_direction(step);
  if (!state.connection_reported && packet.touches_watched()) {
    report_connection(step);
  }
  if (packet.view->is(IpProtocol::tcp)) {
    tcp_segment(step);
    if (state.packets >= kPacketsToJudge) {
      judge_sides(state);
    }
  }
}

void Inspector::note_direction(const Step& step) const {
  const packet::PacketView& view = *step.packet.view;
  FlowState& flow = step.flow;
  if (view.is(IpProtocol::tcp) && view.tcp.has(packet::kTcpSyn) && !flow.saw_syn) {
    flow.saw_syn = true;
    const bool from_server = view.tcp.has(packet::kTcpAck);
    flow.client = static_cast<std::uint8_t>(
        flow::index(from_server ? flow::opposite(step.direction) : step.direction));
  }
  const bool to_watched = PacketContext::is_watched(*step.packet.destination);
  const bool from_watched = PacketContext::is_watched(*step.packet.source);
  if (flow.client == FlowState::kClientUnknown && to_watched != from_watched) {
    flow.client = static_cast<std::uint8_t>(
        flow::index(to_watched ? step.direction : flow::opposite(step.direction)));
  }
}

void Inspector::report_connection(const Step& step) {
  step.flow.connection_reported = true;
  const classify::AddressClass& source = *step.packet.source;
  const classify::AddressClass& destination = *step.packet.destination;
  step.flow.endpoint = destination.is_endpoint() ? destination.endpoint : source.endpoint;
  const bool from_client = step.flow.client == flow::index(step.direction) ||
                           step.flow.client == FlowState::kClientUnknown;
  if (PacketContext::is_watched(from_client ? destination : source)) {
    judge(step, base_event(step, event::EventType::connection));
  }
}

void Inspector::tcp_segment(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  if (view.tcp.has(packet::kTcpRst)) {
    close_streams(step);
    return;
  }
  const flow::Accepted accepted =
      step.stream.cursor.accept(view.tcp.sequence, view.tcp.has(packet::kTcpSyn), view.payload);
  counters_.stream_retransmitted_bytes.add(accepted.old.size());
  if (accepted.lossy()) {
    after_gap(step, accepted.kind == flow::Accepted::Kind::gap, accepted.gap);
  }
  if (!accepted.bytes.empty()) {
    if (!step.flow.saw_payload || step.stream.cursor.next_offset() == accepted.bytes.size()) {
      // The first bytes of a direction: without its SYN they may be anything's middle.
      step.stream.strict = !step.stream.cursor.saw_beginning();
    }
    step.flow.saw_payload = true;
    consume(step, accepted.bytes);
  }
  if (view.tcp.has(packet::kTcpFin)) {
    close_streams(step);
  }
}

// Bytes of the stream are missing: a length-framed body may span the hole, anything else begins
// anew after it.
void Inspector::after_gap(const Step& step, bool countable, std::uint64_t missing) {
  counters_.stream_gaps.add();
  counters_.stream_gap_bytes.add(missing);
  DirectionState& stream = step.stream;
  if (stream.side_active) {
    flush(step, stream.side);
    stream.side_active = false;
  }
  switch (stream.phase) {
    case Phase::http_body:
      if (!countable || !stream.body.pass_gap(missing)) {
        restart_probe(stream, true);
      }
      break;
    case Phase::http_head:
      flush(step, stream.head);
      restart_probe(stream, true);
      break;
    case Phase::probe:
      arena_.release(stream.head.buffer);
      restart_probe(stream, true);
      break;
    case Phase::opaque:
      break;
  }
}

// FIN ends one direction, RST both. What stands of an unfinished head is judged.
void Inspector::close_streams(const Step& step) {
  const bool reset = step.packet.view->tcp.has(packet::kTcpRst);
  for (unsigned d = 0; d < 2; ++d) {
    if (!reset && d != flow::index(step.direction)) {
      continue;
    }
    DirectionState& stream = step.flow.directions[d];
    const Step side{step.packet, step.flow, step.direction, stream};
    if (stream.phase == Phase::http_head) {
      flush(side, stream.head);
    }
    if (stream.side_active) {
      flush(side, stream.side);
    }
    release(stream);
    step.flow.closed |= static_cast<std::uint8_t>(1u << d);
  }
}

void Inspector::release(DirectionState& stream) {
  arena_.release(stream.head.buffer);
  arena_.release(stream.side.buffer);
  stream.head.finder.reset();
  stream.side.finder.reset();
  stream.side_active = false;
  if (stream.phase == Phase::http_head) {
    stream.phase = Phase::probe;
  }
}

void Inspector::judge_sides(FlowState& state) {
  if (state.judged || !state.saw_payload || state.ingress_port >= options_.ports) {
    return;
  }
  state.judged = true;
  counters_.flows_judged[state.ingress_port].add();
  if (!state.directions[0].seen || !state.directions[1].seen) {
    counters_.flows_one_sided[state.ingress_port].add();
  }
}

void Inspector::end_flow(FlowState& state) {
  judge_sides(state);
  for (DirectionState& stream : state.directions) {
    if (stream.phase == Phase::http_head && !stream.head.buffer.empty()) {
      counters_.http_heads_abandoned.add();
    }
    release(stream);
  }
}

}  // namespace imds::detect
