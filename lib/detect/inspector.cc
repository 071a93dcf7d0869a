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

// A connection request that is not a repetition of the one this direction began with.
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
  DirectionState& stream = state.directions[flow::index(direction)];
  if (begins_anew(*packet.view, state, stream)) {
    end_flow(state, packet, direction);
    state = FlowState{};
  }
  const Step step{packet, state, direction, stream};
  if (state.packets++ == 0) {
    state.of_interest = packet.of_interest();
    state.ingress_port = packet.ingress_port;
    state.is_test = packet.is_test;
  }
  stream.seen = true;
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

void Inspector::note_direction(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  FlowState& flow = step.flow;
  const bool to_watched = PacketContext::is_watched(*step.packet.destination);
  const bool from_watched = PacketContext::is_watched(*step.packet.source);
  const auto note = [&flow](flow::Direction client, ClientEvidence evidence) {
    flow.client = static_cast<std::uint8_t>(flow::index(client));
    flow.client_evidence = evidence;
  };
  if (view.is(IpProtocol::tcp) && view.tcp.has(packet::kTcpSyn)) {
    flow.saw_syn = true;
    // When both sides send one (simultaneous open), the endpoint is the server all the same.
    const bool opens_to_endpoint = to_watched && !from_watched;
    if (view.tcp.has(packet::kTcpAck)) {
      if (flow.client_evidence < ClientEvidence::syn_ack) {
        note(flow::opposite(step.direction), ClientEvidence::syn_ack);
      }
    } else if (flow.client_evidence < ClientEvidence::syn || opens_to_endpoint) {
      note(step.direction, ClientEvidence::syn);
    }
  }
  if (flow.client_evidence == ClientEvidence::none && to_watched != from_watched) {
    note(to_watched ? step.direction : flow::opposite(step.direction), ClientEvidence::endpoint);
  }
}

// A request head was read in this stream.
void Inspector::note_requester(const Step& step) {
  if (step.flow.client_evidence < ClientEvidence::head) {
    const bool second = &step.stream == &step.flow.directions[1];
    step.flow.client = second ? 1 : 0;
    step.flow.client_evidence = ClientEvidence::head;
  }
}

void Inspector::report_connection(const Step& step) {
  const classify::AddressClass& source = *step.packet.source;
  const classify::AddressClass& destination = *step.packet.destination;
  step.flow.endpoint = destination.is_endpoint() ? destination.endpoint : source.endpoint;
  const bool from_client = step.flow.client == flow::index(step.direction) ||
                           step.flow.client == FlowState::kClientUnknown;
  if (PacketContext::is_watched(from_client ? destination : source)) {
    step.flow.connection_reported = true;
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
      step.stream.strict = !step.stream.cursor.saw_beginning() || accepted.lossy();
    }
    step.flow.saw_payload = true;
    consume(step, accepted.bytes);
    if (step.stream.is_unfinished()) {
      step.flow.last = {view.time,
                        view.vlan,
                        view.source_mac,
                        view.destination_mac,
                        step.direction,
                        view.truncated,
                        tunnels_.note(view.tunnel, step.flow.last.tunnel)};
    }
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
    case Phase::opaque:
      arena_.release(stream.head.buffer);  // the raw scan's overlap: what follows does not
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
    judge_unfinished({step.packet, step.flow, step.direction, stream});
    release(stream);
    step.flow.closed |= static_cast<std::uint8_t>(1u << d);
  }
}

void Inspector::judge_unfinished(const Step& step) {
  if (step.stream.phase == Phase::http_head) {
    flush(step);
  }
  flush_side(step);
}

void Inspector::release(DirectionState& stream) {
  arena_.release(stream.head.buffer);
  arena_.release(stream.side.buffer);
  stream.head.finder.reset();
  stream.side.finder.reset();
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
    release(stream);
  }
}

void Inspector::end_flow(FlowState& state, const PacketContext& packet, flow::Direction direction) {
  for (DirectionState& stream : state.directions) {
    if (stream.is_unfinished()) {
      counters_.http_heads_abandoned.add();
      judge_unfinished({packet, state, direction, stream});
    }
  }
  end_flow(state);
}

packet::PacketView Inspector::packet_of(const flow::Key& key, const FlowState& state) const {
  const bool from_lower = state.last.direction == flow::Direction::from_lower;
  packet::PacketView view;
  view.time = state.last.time;
  view.vlan = state.last.vlan;
  view.source_mac = state.last.source_mac;
  view.destination_mac = state.last.destination_mac;
  view.source = from_lower ? key.lower() : key.higher();
  view.destination = from_lower ? key.higher() : key.lower();
  view.source_port = from_lower ? key.lower_port : key.higher_port;
  view.destination_port = from_lower ? key.higher_port : key.lower_port;
  view.protocol = key.protocol();
  view.truncated = state.last.truncated;
  if (const Tunnel* tunnel = tunnels_.find(state.last.tunnel)) {
    view.tunnel = *tunnel;
  }
  return view;
}

}  // namespace imds::detect
