#include "detect/inspector.h"

#include <algorithm>
#include <new>

#include "http/target.h"

namespace imds::detect {

namespace {

using packet::IpProtocol;

// A head can also be complete in one segment, whose payload may be longer than head_bytes_max.
constexpr std::size_t kLongestHead = 65536;
constexpr std::uint8_t kIcmpEchoRequest = 8;
constexpr std::uint8_t kIcmpv6EchoRequest = 128;

bool is_echo_request(const packet::PacketView& view) {
  return (view.is(IpProtocol::icmp) && view.icmp_type == kIcmpEchoRequest) ||
         (view.is(IpProtocol::icmpv6) && view.icmp_type == kIcmpv6EchoRequest);
}

}  // namespace

Result<std::unique_ptr<Inspector>> Inspector::create(Options options, PolicySeat& seat,
                                                     FindingRing& findings) {
  options.head_bytes_max = std::min<std::uint32_t>(options.head_bytes_max, flow::Arena::kLargest);
  try {
    std::unique_ptr<Inspector> made(new Inspector(std::move(options), findings));
    made->take(seat);
    return made;
  } catch (const std::bad_alloc&) {
    return fail(
        ErrorKind::environment,
        "not enough memory for a worker's buffers: lower inspect.arena_mib or inspect.http2_mib");
  }
}

Inspector::Inspector(Options options, FindingRing& findings)
    : options_(std::move(options)),
      findings_(findings),
      arena_(options_.arena),
      exchanges_(options_.exchanges, options_.inflaters, arena_),
      http2_(options_.http2_bytes),
      counters_(options_.ports),
      evidence_(options_.evidence),
      told_stories_(options_.told_stories),
      lane_(counters_, options_.ports),
      unfold_buffer_(kLongestHead),
      target_buffer_(2 * kLongestHead + http::kNormaliseSlack),
      headers_buffer_(2 * kLongestHead),
      raw_buffer_(kLongestHead + flow::Arena::kLargest),
      overlay_buffer_(kLongestHead + flow::Arena::kLargest),
      answer_buffer_(flow::Arena::kLargest),
      held_(options_.reorder),
      delivered_(std::size_t{std::max(options_.history_mib, 1u)} << 20) {}

void Inspector::take(PolicySeat& seat) {
  const rules::RuleSet& rules = *seat.policy().rules;
  seat_ = &seat;
  told_stories_.clear();
  generation_ = rules.generation();
  parses_every_head_ = rules.parses_every_head();
  notes_headers_ = rules.answers_need_request_headers();
  answer_headers_ = rules.answers_need_response_headers();
  raw_scan_bytes_ = rules.needs_raw_scan() ? options_.raw_scan_bytes : 0;
  raw_overlap_ =
      std::min(std::max<std::size_t>(rules.longest_raw_literal(), 1) - 1, flow::Arena::kLargest);
  lane_.take(rules.raw_starts(), raw_scan_bytes_, generation_);
  evidence_.listen_to_dns(rules.listens_to(event::EventType::dns));
}

// What a flow remembers from before a reload. Rules it has alerted on are kept by their identity,
// and a connection that was reported stays so.
void Inspector::refresh(const PacketContext& packet, FlowState& flow) {
  const auto generation = static_cast<std::uint16_t>(generation_);
  if (flow.generation == generation || flow.packets == 0) [[likely]] {
    return;
  }
  flow.generation = generation;
  flow.of_interest = packet.of_interest();
  flow.endpoint =
      packet.destination->is_endpoint() ? packet.destination->endpoint : packet.source->endpoint;
  for (DirectionState& stream : flow.directions) {
    const bool is_asked =
        stream.raw_skipped == RawSkipped::unasked ||
        (stream.raw_skipped == RawSkipped::bypassed && flow.endpoint != classify::kNoEndpoint);
    if (is_asked && raw_scan_bytes_ > 0) {
      drop_hello(flow);
      stream.raw_skipped = RawSkipped::no;
      stream.raw_done = false;
    }
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
  FastLane::settle(state);
  exchanges_.prefetch(state.exchange);
  refresh(packet, state);
  DirectionState& stream = state.directions[flow::index(direction)];
  if (packet.view->is(IpProtocol::tcp) && goes_elsewhere(packet, direction, state)) {
    const Elsewhere begun = state.elsewhere;
    end_flow(state, packet, direction);
    state = FlowState{};
    if (begun.direction != Elsewhere::kNone) {
      // The SYN of the new connection came before this packet.
      state.saw_syn = true;
      state.client = begun.direction;
      state.client_evidence = ClientEvidence::syn;
      state.seen |= static_cast<std::uint8_t>(1u << begun.direction);
      (void)state.cursors[begun.direction].accept(begun.sequence - 1, true, {});
    }
  }
  const Step step{packet, state, direction, stream};
  if (options_.recorder != nullptr) [[unlikely]] {
    begin_keeping(step);
  }
  note_packet(step);
  if (may_be_request(*packet.view)) {
    note_requester(step);
    (void)inspect_datagram(step);
  }
  if (packet.view->is(IpProtocol::tcp)) {
    tcp_segment(step);
    review_waiting_answers(packet, direction, state);
    if (state.packets >= kPacketsToJudge) {
      lane_.judge_sides(state);
    }
    // Every byte of a DNS server's is read.
    const bool is_dns = is_from_dns_server(step) || packet.view->destination_port == Evidence::kDns;
    if (!is_dns && !keeps(state)) {
      lane_.arm(state, packet.touches_watched());
    }
  }
  if (options_.recorder != nullptr) [[unlikely]] {
    end_keeping(step);
  }
}

// What any packet tells of its flow, whatever it carries.
void Inspector::note_packet(const Step& step) {
  FlowState& flow = step.flow;
  if (flow.packets++ == 0) {
    flow.generation = static_cast<std::uint16_t>(generation_);
    flow.of_interest = step.packet.of_interest();
    flow.ingress_port = step.packet.ingress_port;
    flow.is_test = step.packet.is_test;
  }
  flow.seen |= static_cast<std::uint8_t>(1u << flow::index(step.direction));
  note_direction(step);
  if (!flow.connection_reported && step.packet.touches_watched()) {
    report_connection(step);
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

void Inspector::release(DirectionState& stream) {
  arena_.release(stream.head.buffer);
  arena_.release(stream.side.buffer);
  stream.head.finder.reset();
  stream.side.finder.reset();
}

void Inspector::end_flow(FlowState& state) {
  FastLane::settle(state);
  drop_hello(state);
  lane_.judge_sides(state);
  for (unsigned d = 0; d < 2; ++d) {
    DirectionState& stream = state.directions[d];
    close_hole(state, stream);
    const bool acknowledged = (state.has_acknowledged & (1u << d)) != 0;
    if (acknowledged && state.cursors[d].started()) {
      // Bytes at the stream's end that only the receiver saw. A FIN takes a number, too.
      const std::int32_t unseen = state.cursors[d].distance(state.acknowledged[d]);
      if (unseen > 1 && unseen <= static_cast<std::int32_t>(flow::StreamCursor::kPlausible)) {
        note_unseen(state, static_cast<std::uint64_t>(unseen));
      }
    }
    release(stream);
    held_.release(state.held[d]);
    http2_.close(stream);
  }
  exchanges_.close(state);
  if (options_.recorder != nullptr) [[unlikely]] {
    options_.recorder->close(state.mark);
  }
}

void Inspector::end_flow(FlowState& state, const PacketContext& packet, flow::Direction direction) {
  FastLane::settle(state);
  const exhibit::Recorder::Aside aside(options_.recorder);  // what is at hand is of another flow
  give_up_waiting(state, packet);
  for (DirectionState& stream : state.directions) {
    if (stream.is_unfinished()) {
      counters_.http_heads_abandoned.add(stream.is_unfinished_answer() ? 0 : 1);
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
