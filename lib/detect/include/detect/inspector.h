// Turns the packets of flows into events, has the rules judge them, and queues what they hit.
//
// TCP payload runs through a small state machine per direction: probe → head → body → head …, or
// opaque. A head that is complete in one segment is looked at in place; only others are copied.
// Detection has two steps: the prefilter (one literal scan of the raw head, or a structural sign
// of disguise) decides whether a head is parsed and matched exactly. Flows that touch an endpoint,
// or an address a rule names, skip the first step.
//
// Where heads contradict themselves about their bodies no framing is followed: every request line
// in what comes is read as one (phase `hunt`). What a client says to a proxy first (SOCKS, PROXY)
// is passed over.
//
// Answers are read where a request mattered (it hit a rule) or the flow touches an endpoint: heads,
// and bodies for what they deliver. Elsewhere the answering direction is passed over.
//
// Skipped is not blind: while a body is skipped, or a stream is opaque, the first bytes of every
// segment, and of every body, are compared with request methods. Inside a body, what looks like a
// request is inspected beside the announced framing, which goes on: neither a lying length nor an
// honest one hides anything. A head that never ends is judged by what there is of it when its flow
// ends.
//
// Threads: one owner; counters may be read by anyone. After create() nothing allocates, throws,
// locks or logs. Full finding ring: `make_room` is asked, else the finding is lost and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address_set.h"
#include "base/result.h"
#include "base/spsc_ring.h"
#include "detect/counters.h"
#include "detect/dns_lookups.h"
#include "detect/evidence.h"
#include "detect/exchanges.h"
#include "detect/fast_lane.h"
#include "detect/flow_state.h"
#include "detect/http2_connections.h"
#include "detect/packet_context.h"
#include "detect/policy.h"
#include "detect/told_stories.h"
#include "detect/tunnel_memory.h"
#include "event/event.h"
#include "event/finding.h"
#include "evidence/server_name.h"
#include "exhibit/recorder.h"
#include "flow/arena.h"
#include "flow/delivered.h"
#include "flow/held_segments.h"
#include "http/head.h"
#include "http/preamble.h"
#include "packet/view.h"
#include "rules/evaluator.h"

namespace imds::detect {

using FindingRing = SpscRing<event::Finding>;

struct Options {
  std::uint8_t worker = 0;
  std::size_t ports = 1;                 // configured ports, for per-port counters
  std::uint32_t head_bytes_max = 65536;  // longer heads are judged by their beginning; ≤ 65536
  std::uint32_t raw_scan_bytes = 4096;   // per direction of streams that are not HTTP; 0: none
  flow::Arena::Options arena;
  flow::HeldSegments::Options reorder;  // segments that wait for those in front of them
  std::uint32_t history_mib = 8;        // heads just delivered, to compare repetitions with; ≥ 1
  std::size_t http2_bytes = std::size_t{16} << 20;  // for Http2Connections
  EvidenceOptions evidence;
  ToldStories::Options told_stories;
  std::size_t exchanges = 1024;             // requests and answers followed at once, by connection
  std::size_t inflaters = 32;               // compressed bodies read at once
  std::uint32_t body_bytes_max = 2u << 20;  // read of one body, and again decompressed
  // Clients that credentials were delivered to, as the story knows them; must outlive the
  // inspector. None: their connections are not looked at.
  const AddressSet* holders = nullptr;
  // Offline the same thread drains the ring: called when it is full, and when credentials were
  // delivered, so that `holders` is true at the next packet. True if there is room now.
  bool (*make_room)(void* context) = nullptr;
  void* make_room_context = nullptr;
  // Keeps the packets of what alerts; must outlive the inspector. The caller tells it which packet
  // is at hand. nullptr: nothing is kept.
  exhibit::Recorder* recorder = nullptr;
};

// On cache lines of its own, as are its counters: workers share none.
class alignas(kCacheLine) Inspector {
 public:
  // Judges by `seat`, which must stay until take() gives another. `findings` must outlive the
  // inspector. Errors: environment (no memory for the arena).
  [[nodiscard]] static Result<std::unique_ptr<Inspector>> create(Options options, PolicySeat& seat,
                                                                 FindingRing& findings);

  // Judges by this one from the next packet on. What flows remember that depends on rules is
  // derived anew at their next packet; an event that was judged is not judged again.
  void take(PolicySeat& seat);

  // Whether a packet that belongs to no known flow begins one: TCP with SYN or payload; UDP with
  // payload and ICMP echo requests only to or from watched addresses.
  [[nodiscard]] static bool begins_flow(const PacketContext& packet);

  // The next packet of a flow, in the order received. `state` is fresh for a flow's first packet.
  void packet(const PacketContext& packet, flow::Direction direction, FlowState& state);

  // For the next segment of a known flow, before packet(): what it accounts for needs no more.
  [[nodiscard]] FastLane& lane() { return lane_; }

  // Whether the payload of a UDP packet begins like an HTTP request: then datagram(), which reports
  // it once, without a flow. False from there: it is none. Nothing is remembered.
  [[nodiscard]] static bool may_be_request(const packet::PacketView& view);
  [[nodiscard]] bool datagram(const PacketContext& packet);

  // What a packet says of endpoints' addresses without any flow: raises `responder` for an answer
  // from one, `address_claim` for every claim of one. Once for each packet, of a flow or not, that
  // may_be_evidence(). Of datagrams to a DNS port, if a rule listens to DNS, also `dns`, as of any
  // DNS message.
  [[nodiscard]] bool may_be_evidence(const PacketContext& packet) const {
    return packet.source->is_endpoint() || may_be_dns_or_claim(*packet.view);
  }
  [[nodiscard]] bool listens_to_dns() const { return evidence_.listens_to_dns(); }
  void evidence(const PacketContext& packet);

  // Bytes that belong to no stream that could be followed (a fragment that could not be kept):
  // scanned as they are for the rules' strings. Remembers nothing, so it may say things twice.
  void scan_loose(const PacketContext& packet, ByteSpan bytes);

  // `packet` is a fragment that says other bytes than one before it. Raises fragment_overlap; the
  // caller sees to it that this happens once per datagram.
  void report_fragment_overlap(const PacketContext& packet);

  // Something went to or came from a watched address that will never be read (a datagram that
  // stayed incomplete): raises `connection` unless `state`, its flow's, has. No payload is read.
  void note_contact(const PacketContext& packet, flow::Direction direction, FlowState& state);

  // The flow whose segments wait too long for the bytes in front of them, or nullptr: call
  // give_up_waiting() for it, with a packet to stand for its last one, until there is none.
  [[nodiscard]] FlowState* overdue(Timestamp now) const {
    return static_cast<FlowState*>(held_.overdue(now));
  }
  void give_up_waiting(FlowState& state, const PacketContext& packet);

  // Before the flow's entry is reused: gives back buffers, judges one-sidedness.
  void end_flow(FlowState& state);
  // The same when state.has_unfinished_head(): judges those heads by what there is of them, as of
  // `packet` in `direction`: the last one (see packet_of()), or the one that begins another flow.
  void end_flow(FlowState& state, const PacketContext& packet, flow::Direction direction);

  // A packet to stand for the last one of a flow that has an unfinished head, from what the flow's
  // key and state remember. Ports, addresses and time are true, the rest as far as it is kept.
  [[nodiscard]] packet::PacketView packet_of(const flow::Key& key, const FlowState& state) const;

  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const flow::Arena& arena() const { return arena_; }
  [[nodiscard]] const flow::HeldSegments& held_segments() const { return held_; }
  [[nodiscard]] const Http2Connections& http2() const { return http2_; }
  [[nodiscard]] const Exchanges& exchanges() const { return exchanges_; }
  [[nodiscard]] std::uint64_t http2_blind(Http2Blind reason) const;
  [[nodiscard]] const Evidence& evidence() const { return evidence_; }

 private:
  struct Passing;  // loose_scan.cc

  // One packet on its way through the functions below.
  struct Step {
    const PacketContext& packet;
    FlowState& flow;
    flow::Direction direction;
    DirectionState& stream;  // flow.directions[direction], or the other one when the packet ends it
    [[nodiscard]] unsigned index() const { return &stream == &flow.directions[1] ? 1 : 0; }
    [[nodiscard]] flow::StreamCursor& cursor() const { return flow.cursors[index()]; }
  };

  Inspector(Options options, FindingRing& findings);

  // inspector.cc: what concerns the flow as a whole.
  void refresh(const PacketContext& packet, FlowState& flow);
  void note_packet(const Step& step);
  static void note_direction(const Step& step);
  static void note_requester(const Step& step);
  void report_connection(const Step& step);

  // tcp_stream.cc: segments to a stream in order.
  using Segment = flow::HeldSegments::Segment;
  void tcp_segment(const Step& step);
  void begin_stream(const Step& step, bool syn, std::uint32_t sequence);
  void place(const Step& step, const Segment& segment);
  void hold(const Step& step, const Segment& segment);
  void read(const Step& step, const Segment& segment);
  void deliver(const Step& step, std::uint32_t sequence, ByteSpan bytes);
  void drain(const Step& step, bool pass_holes);
  void review_holes(const Step& step);
  void pass_hole(const Step& step, std::uint32_t bytes);
  void close_hole(FlowState& flow, DirectionState& stream);
  [[nodiscard]] std::size_t fill_hole(DirectionState& stream, const Segment& segment);
  void after_gap(const Step& step, bool countable, std::uint64_t missing);
  void judge_unfinished(const Step& step);
  void note_last(const Step& step);

  // tcp_control.cc: what flags and acknowledgments say.
  [[nodiscard]] bool goes_elsewhere(const PacketContext& packet, flow::Direction direction,
                                    FlowState& flow);
  [[nodiscard]] bool out_of_window(const Step& step);
  void note_unseen(FlowState& flow, std::uint64_t bytes);
  void finish(const Step& step);
  void reset(const Step& step);

  // tcp_overlap.cc: bytes that were sent again.
  void remember(const Step& step, ByteSpan head);
  void check_overlap(const Step& step, std::uint32_t sequence, ByteSpan old, bool late);
  void conflict(const Step& step, std::uint32_t begin, ByteSpan delivered, std::uint32_t sequence,
                ByteSpan bytes);
  void read_late(const Step& step, std::uint32_t sequence, ByteSpan bytes);
  void read_again(const Step& step, ByteSpan bytes, ByteSpan delivered, bool goes_on);
  void release(DirectionState& stream);

  // http_stream.cc: the state machine of one direction.
  void consume(const Step& step, ByteSpan segment);
  [[nodiscard]] std::size_t consume_ordinary_head(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_probe(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_head(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_body(const Step& step, ByteSpan bytes);
  [[nodiscard]] bool consume_side(const Step& step, ByteSpan bytes, std::size_t body_size);
  [[nodiscard]] ByteSpan pass_preamble(const Step& step, const http::Preamble& preamble,
                                       ByteSpan bytes);
  [[nodiscard]] std::string_view tunnel_host(const DirectionState& stream);
  void forget_tunnel(DirectionState& stream);
  [[nodiscard]] bool needs_judging(const Step& step, ByteSpan head, bool disguised,
                                   const http::BodyPlan& body);
  void head_complete(const Step& step, ByteSpan head);
  void follow_body(const Step& step, ByteSpan head, const http::BodyPlan& plan);
  void take_as_raw(const Step& step, ByteSpan head);
  void end_partial_head(const Step& step, ByteSpan head);
  void flush(const Step& step);
  void flush_side(const Step& step);
  void restart_probe(DirectionState& stream, bool strict);
  void become_opaque(const Step& step, ByteSpan bytes);
  [[nodiscard]] bool keep(const Step& step, HeadCollector& collector, ByteSpan bytes);
  [[nodiscard]] std::uint64_t arena_share(const Step& step) const;
  [[nodiscard]] ByteSpan joined(const HeadCollector& collector, ByteSpan bytes,
                                std::size_t most = flow::Arena::kLargest);

  // http2_stream.cc: one direction of an HTTP/2 connection.
  void begin_http2(const Step& step);
  [[nodiscard]] ByteSpan consume_http2(const Step& step, ByteSpan bytes);
  [[nodiscard]] bool take_http2_piece(const Step& step, Http2Connection& connection,
                                      const http::Http2Piece& piece);
  http::Http2Inflated judge_http2_block(const Step& step, Http2Connection& connection,
                                        ByteSpan bytes, bool whole);
  void inspect_http2_request(const Step& step, const http::Http2HeaderBlock& block);
  void end_http2_block(const Step& step);
  void pass_http2_gap(const Step& step, bool countable, std::uint64_t missing);
  void end_http2_stream(const Step& step);
  void blind_http2(const Step& step, Http2Blind reason);
  void note_http2_mid_stream(const Step& step);
  void report_http2_blind(const Step& step);

  // http_answer.cc: the state machine of the answering direction.
  [[nodiscard]] static bool follows_answers(const Step& step);
  [[nodiscard]] static bool is_request_under_way(const Step& step);
  [[nodiscard]] bool begin_answer(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan hold_answer(const Step& step, ByteSpan bytes);
  void review_waiting_answers(const PacketContext& packet, flow::Direction direction,
                              FlowState& flow);
  void release_answer(const Step& step);
  [[nodiscard]] ByteSpan consume_first_of_answer(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_answer_head(const Step& step, ByteSpan bytes);
  void read_answer_head(const Step& step, ByteSpan head, bool whole);
  void take_answer_head(const Step& step, bool whole);
  void begin_exchange_answer(Exchange& exchange);
  void begin_unseen_answer(const Step& step);
  void read_answer_body(const Step& step, Exchange& exchange, evidence::Coding coding, bool whole);
  void skip_answer_body(const Step& step);
  [[nodiscard]] ByteSpan consume_answer_body(const Step& step, ByteSpan bytes);
  void pass_answer_gap(const Step& step, bool countable, std::uint64_t missing);
  void note_answer_end(const Step& step);
  void end_answer(const Step& step);

  // exchange_events.cc: requests noted for their answers, and what is told of those.
  void add_request_facts(event::Event& event);
  void note_request(const Step& step, const event::Event& event, bool matched);
  void note_passed_request(const Step& step, std::string_view method);
  using NotedTexts = std::array<std::string_view, 5>;
  void note_texts(const Step& step, RequestNote& note, NotedTexts texts);
  [[nodiscard]] bool note_together(const Step& step, RequestNote& note, const NotedTexts& texts);
  [[nodiscard]] bool keep_text(const Step& step, RequestNote& note, std::string_view text);
  void add_note(const Step& step, RequestNote& note);
  [[nodiscard]] std::string_view note_text(const RequestNote& note, std::size_t index) const;
  [[nodiscard]] event::Event answer_event(const Step& step, const Exchange& exchange,
                                          event::EventType type);
  void tell_response(const Step& step, const Exchange& exchange);
  void finish_answer(const Step& step, Exchange& exchange);
  void tell_delivery(const Step& step, Exchange& exchange);
  void tell_token(const Step& step, Exchange& exchange);
  static void add_body_facts(event::Event& event, const Answer& answer);

  // hunt.cc: streams whose framing is in doubt.
  void begin_hunt(const Step& step, ByteSpan behind);
  void hunt(const Step& step, ByteSpan segment);
  bool hunt_in(const Step& step, ByteSpan text, bool is_all);
  void take_hunted_as_raw(const Step& step, ByteSpan bytes);
  void flush_hunt(const Step& step);

  // datagram.cc: HTTP over UDP.
  [[nodiscard]] bool inspect_datagram(const Step& step);

  // report_evidence.cc: answers and claims to events.
  [[nodiscard]] event::Event packet_event(const PacketContext& packet, event::EventType type) const;
  void name_endpoint(event::Event& event, std::uint16_t endpoint) const;
  void add_direction(event::Event& event) const;
  void report_answer(const PacketContext& packet);
  void report_claim(const PacketContext& packet, const Claim& claim);
  void report_dns(const PacketContext& packet, const DnsTold& told);
  [[nodiscard]] bool may_be_dns_or_claim(const packet::PacketView& view) const {
    return Evidence::may_claim(view) ||
           (evidence_.listens_to_dns() && view.is(packet::IpProtocol::udp) &&
            Evidence::is_dns_port(view.destination_port));
  }
  [[nodiscard]] const classify::AddressClass& class_of(const IpAddress& address) const;
  void note_dns_bytes(const Step& step, std::uint32_t sequence, ByteSpan bytes);
  [[nodiscard]] static bool is_from_dns_server(const Step& step);
  [[nodiscard]] bool carries_dns(const Step& step) const;
  [[nodiscard]] bool needs_order(const Step& step, std::uint64_t to) const;

  // hello.cc: TLS connections of clients that hold delivered credentials.
  [[nodiscard]] bool may_be_hello(const DirectionState& stream) const {
    return options_.holders != nullptr && !options_.holders->empty() && stream.raw_scanned == 0;
  }
  void begin_hello(const Step& step, ByteSpan bytes);
  void continue_hello(const Step& step, ByteSpan bytes);
  void drop_hello(FlowState& flow);
  void judge_hello(const Step& step, const evidence::ServerName& found);

  // raw_scan.cc: streams that are not HTTP.
  void scan_raw(const Step& step, ByteSpan bytes);
  void judge_raw(const Step& step, ByteSpan bytes);

  // judge.cc: events to findings.
  [[nodiscard]] bool parse(ByteSpan head, http::LineTrust trust);
  // Whether a request is of the stream itself, and so awaits an answer in its turn, or was found
  // beside it.
  enum class Place : std::uint8_t { stream, beside };
  void inspect_parsed_head(const Step& step, Place place);
  [[nodiscard]] event::Event request_event(const Step& step, std::string_view method,
                                           std::string_view target_text, std::string_view host);
  [[nodiscard]] bool inspect_partial_head(const Step& step, ByteSpan head, http::LineTrust trust);
  [[nodiscard]] static bool is_from_client(const Step& step);
  [[nodiscard]] event::Event base_event(const Step& step, event::EventType type) const;
  bool judge(const Step& step, const event::Event& event);
  bool settle(const classify::Subject& subject, const event::Event& event);
  [[nodiscard]] bool story_knows(std::uint16_t endpoint, const event::Event& event) const;
  void tell_story(std::uint16_t endpoint, const event::Event& event);
  [[nodiscard]] bool is_old_news(const Step& step, event::EventType type, event::Stage stage);
  [[nodiscard]] bool withhold_suppressed(const classify::Subject& subject);
  void forget_reported_raw_rules(FlowState& flow);
  bool queue(const event::Event& event);

  // keep_packets.cc: what alerts is kept as evidence. Only with a recorder.
  void begin_keeping(const Step& step);
  void end_keeping(const Step& step);
  [[nodiscard]] event::KeptPackets kept_for(const event::Event& event);
  [[nodiscard]] bool keeps(const FlowState& flow) const {
    return options_.recorder != nullptr && options_.recorder->keeps(flow.mark);
  }

  Options options_;
  FindingRing& findings_;
  flow::Arena arena_;
  Exchanges exchanges_;
  TunnelMemory tunnels_;
  Http2Connections http2_;
  Counters counters_;
  Evidence evidence_;
  DnsLookups lookups_;
  ToldStories told_stories_;
  FastLane lane_;

  // The policy in force, and what follows from it.
  PolicySeat* seat_ = nullptr;
  std::uint32_t generation_ = 0;
  bool parses_every_head_ = false;
  bool notes_headers_ = false;        // of requests, for their answers
  bool answer_headers_ = false;       // some rule compares those of answers
  std::uint32_t raw_scan_bytes_ = 0;  // 0: no rule asks for it
  std::size_t raw_overlap_ = 0;       // bytes of one piece that are scanned again with the next

  // Working memory of one head or one raw piece, taken once. raw_buffer_ joins kept bytes to new
  // ones.
  http::RequestHead head_;
  http::ResponseHead answer_head_;
  rules::RuleHits hits_;
  evidence::Asked asked_ = evidence::Asked::other;  // by the request at hand
  FlowState* judged_ = nullptr;  // the flow whose event is being judged; none: it has none
  std::vector<char> unfold_buffer_;
  std::vector<char> target_buffer_;
  std::vector<char> headers_buffer_;
  std::vector<std::uint8_t> raw_buffer_;
  std::vector<std::uint8_t> overlay_buffer_;
  std::vector<std::uint8_t> answer_buffer_;  // what has waited for a request
  bool waits_no_more_ = false;               // while it is read

  flow::HeldSegments held_;
  flow::Delivered delivered_;
  // The segment being read: where it lies in its stream, where the head begins that it continues,
  // and whether it is in delivered_ already.
  ByteSpan segment_;
  std::uint32_t segment_sequence_ = 0;
  std::uint32_t head_sequence_ = 0;
  bool remembered_ = false;
  std::uint32_t expected_ = 0;  // before the segment at hand: the end of what was delivered
};

}  // namespace imds::detect
