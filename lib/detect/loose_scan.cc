// What is judged outside of any stream: bytes that no flow could take, fragments that contradict
// each other, and contact with a watched address that never became a readable packet.
#include "detect/inspector.h"

namespace imds::detect {

// A flow that lives for one event: nothing is remembered of it.
struct Inspector::Passing {
  FlowState flow;
  flow::Direction direction = flow::Direction::from_lower;

  explicit Passing(const PacketContext& packet) {
    flow.of_interest = packet.of_interest();
    flow.ingress_port = packet.ingress_port;
    flow.is_test = packet.is_test;
    flow.endpoint =
        packet.destination->is_endpoint() ? packet.destination->endpoint : packet.source->endpoint;
  }
};

void Inspector::scan_loose(const PacketContext& packet, ByteSpan bytes) {
  if (raw_scan_bytes_ == 0 || bytes.empty()) {
    return;
  }
  Passing passing(packet);
  const Step step{packet, passing.flow, passing.direction, passing.flow.directions[0]};
  note_direction(step);
  judge_raw(step, bytes);
}

void Inspector::report_fragment_overlap(const PacketContext& packet) {
  Passing passing(packet);
  const Step step{packet, passing.flow, passing.direction, passing.flow.directions[0]};
  note_direction(step);
  judge(step, base_event(step, event::EventType::fragment_overlap));
}

void Inspector::note_contact(const PacketContext& packet, flow::Direction direction,
                             FlowState& state) {
  FastLane::settle(state);  // it counts a packet: the next one looks at the count
  refresh(packet, state);
  note_packet({packet, state, direction, state.directions[flow::index(direction)]});
}

}  // namespace imds::detect
