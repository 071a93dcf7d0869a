// Turns the packets of flows into events, has the rules judge them, and queues what they hit.
//
// TCP payload runs through a small state machine per direction: probe → head → body → head …, or
// opaque. A head that is complete in one segment is looked at in place; only others are copied.
// Detection has two steps: the prefilter (one literal scan of the raw head, or a structural sign
// of disguise) decides whether a head is parsed and matched exactly. Flows that touch an endpoint,
// or an address a rule names, skip the first step.
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

#include "base/result.h"
#include "base/spsc_ring.h"
#include "classify/suppression.h"
#include "detect/counters.h"
#include "detect/flow_state.h"
#include "detect/tunnel_memory.h"
#include "event/event.h"
#include "event/finding.h"
#include "flow/arena.h"
#include "http/head.h"
#include "packet/view.h"
#include "rules/evaluator.h"

namespace imds::detect {

using FindingRing = SpscRing<event::Finding>;

struct Options {
  std::uint8_t worker = 0;
  std::size_t ports = 1;                    // configured ports, for per-port counters
  std::vector<std::string> endpoint_names;  // by classify's endpoint index
  std::uint32_t head_bytes_max = 65536;     // longer heads are judged by their beginning; ≤ 65536
  std::uint32_t raw_scan_bytes = 4096;      // per direction of streams that are not HTTP; 0: none
  flow::Arena::Options arena;
  // Offline the same thread drains the ring: called when it is full; true if there is room now.
  bool (*make_room)(void* context) = nullptr;
  void* make_room_context = nullptr;
};

// One packet and what classify says of its addresses.
struct PacketContext {
  const packet::PacketView* view = nullptr;
  const classify::AddressClass* source = nullptr;
  const classify::AddressClass* destination = nullptr;
  std::uint16_t ingress_port = 0;
  bool is_test = false;
  // Of a datagram whose fragments contradict each other: the reading in which later bytes win.
  bool second_reading = false;

  // An endpoint, or an address some rule names as destination, on either side.
  [[nodiscard]] bool touches_watched() const {
    return is_watched(*source) || is_watched(*destination);
  }
  // The same, or a source some rule needs: every head of the flow is parsed.
  [[nodiscard]] bool of_interest() const {
    return touches_watched() || source->named_as_source || destination->named_as_source;
  }
  [[nodiscard]] static bool is_watched(const classify::AddressClass& c) {
    return c.is_endpoint() || c.named_as_destination;
  }
};

// On cache lines of its own, as are its counters: workers share none.
class alignas(kCacheLine) Inspector {
 public:
  // `suppressions` and `findings` must outlive the inspector. Errors: environment (no memory for
  // the matcher or the arena).
  [[nodiscard]] static Result<std::unique_ptr<Inspector>> create(
      Options options, std::shared_ptr<const rules::RuleSet> rules,
      const classify::SuppressionSet& suppressions, FindingRing& findings);

  // Whether a packet that belongs to no known flow begins one: TCP with SYN or payload; UDP with
  // payload and ICMP echo requests only to or from watched addresses.
  [[nodiscard]] static bool begins_flow(const PacketContext& packet);

  // The next packet of a flow, in the order received. `state` is fresh for a flow's first packet.
  void packet(const PacketContext& packet, flow::Direction direction, FlowState& state);

  // Bytes that belong to no stream that could be followed (a fragment that could not be kept):
  // scanned as they are for the rules' strings. Remembers nothing, so it may say things twice.
  void scan_loose(const PacketContext& packet, ByteSpan bytes);

  // `packet` is a fragment that says other bytes than one before it. Raises fragment_overlap; the
  // caller sees to it that this happens once per datagram.
  void report_fragment_overlap(const PacketContext& packet);

  // Something went to or came from a watched address that will never be read (a datagram that
  // stayed incomplete): raises `connection` unless `state`, its flow's, has. No payload is read.
  void note_contact(const PacketContext& packet, flow::Direction direction, FlowState& state);

  // Before the flow's entry is reused: gives back buffers, judges one-sidedness.
  void end_flow(FlowState& state);
  // The same when state.has_unfinished_head(): judges those heads by what there is of them, as of
  // `packet` in `direction`: the last one (see packet_of()), or the one that begins another flow.
  void end_flow(FlowState& state, const PacketContext& packet, flow::Direction direction);

  // A packet to stand for the last one of a flow that has an unfinished head, from what the flow's
  // key and state remember. Ports, addresses and time are true, the rest as far as it is kept.
  [[nodiscard]] packet::PacketView packet_of(const flow::Key& key, const FlowState& state) const;

  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const rules::EvaluatorCounters& rule_counters() const {
    return evaluator_.counters();
  }
  [[nodiscard]] const flow::Arena& arena() const { return arena_; }

 private:
  struct Passing;  // loose_scan.cc

  // One packet on its way through the functions below.
  struct Step {
    const PacketContext& packet;
    FlowState& flow;
    flow::Direction direction;
    DirectionState& stream;  // flow.directions[direction]
  };

  Inspector(Options options, rules::Evaluator evaluator,
            const classify::SuppressionSet& suppressions, FindingRing& findings);

  // inspector.cc: what concerns the flow as a whole.
  static void note_direction(const Step& step);
  static void note_requester(const Step& step);
  void report_connection(const Step& step);
  void judge_sides(FlowState& state);
  void tcp_segment(const Step& step);
  void after_gap(const Step& step, bool countable, std::uint64_t missing);
  void close_streams(const Step& step);
  void judge_unfinished(const Step& step);
  void release(DirectionState& stream);

  // http_stream.cc: the state machine of one direction.
  void consume(const Step& step, ByteSpan segment);
  [[nodiscard]] ByteSpan consume_probe(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_head(const Step& step, ByteSpan bytes);
  [[nodiscard]] ByteSpan consume_body(const Step& step, ByteSpan bytes);
  [[nodiscard]] bool consume_side(const Step& step, ByteSpan bytes, std::size_t body_size);
  void head_complete(const Step& step, ByteSpan head);
  void take_as_raw(const Step& step, ByteSpan head);
  void end_partial_head(const Step& step, ByteSpan head);
  void flush(const Step& step);
  void flush_side(const Step& step);
  void restart_probe(DirectionState& stream, bool strict);
  void become_opaque(const Step& step, ByteSpan bytes);
  [[nodiscard]] bool keep(const Step& step, HeadCollector& collector, ByteSpan bytes);
  [[nodiscard]] std::uint64_t arena_share(const Step& step) const;
  [[nodiscard]] ByteSpan joined(const HeadCollector& collector, ByteSpan bytes);

  // raw_scan.cc: streams that are not HTTP.
  void scan_raw(const Step& step, ByteSpan bytes);
  void judge_raw(const Step& step, ByteSpan bytes);

  // judge.cc: events to findings.
  [[nodiscard]] bool parse(ByteSpan head, bool strict);
  void inspect_parsed_head(const Step& step);
  [[nodiscard]] bool inspect_partial_head(const Step& step, ByteSpan head, bool strict);
  [[nodiscard]] event::Event base_event(const Step& step, event::EventType type) const;
  void judge(const Step& step, const event::Event& event);
  void forget_reported_raw_rules(FlowState& flow);
  void queue(const event::Event& event);

  Options options_;
  rules::Evaluator evaluator_;
  const classify::SuppressionSet& suppressions_;
  FindingRing& findings_;
  flow::Arena arena_;
  TunnelMemory tunnels_;
  Counters counters_;
  bool parses_every_head_;
  std::size_t raw_overlap_;  // bytes of one piece that are scanned again with the next

  // Working memory of one head or one raw piece, taken once. raw_buffer_ joins kept bytes to new
  // ones.
  http::RequestHead head_;
  rules::RuleHits hits_;
  std::vector<char> unfold_buffer_;
  std::vector<char> target_buffer_;
  std::vector<char> headers_buffer_;
  std::vector<std::uint8_t> raw_buffer_;
};

}  // namespace imds::detect
