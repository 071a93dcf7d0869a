// Which packets are kept as evidence: from a flow's first alert on all of them, and before it those
// of flows that may yet alert.
#include "detect/inspector.h"

namespace imds::detect {

// Where a message may begin is known before the packet is read: at the next byte of a stream that
// was followed from its beginning without a loss, when the last message is over. Anything else is
// overwritten whole in evidence.
void Inspector::begin_keeping(const Step& step) {
  const packet::PacketView& view = *step.packet.view;
  if (view.is(packet::IpProtocol::udp)) {
    options_.recorder->may_begin_message();
    return;
  }
  const flow::StreamCursor& cursor = step.cursor();
  const bool is_next = cursor.started() && cursor.saw_beginning() && !cursor.lossy() &&
                       view.tcp.sequence == cursor.next_sequence();
  if (is_next && step.stream.phase == Phase::probe && step.stream.head.buffer.empty() &&
      !step.packet.second_reading) {
    options_.recorder->may_begin_message();
  }
}

void Inspector::end_keeping(const Step& step) {
  const FlowState& flow = step.flow;
  const bool may_alert = flow.of_interest || flow.exchange != FlowState::kNoExchange ||
                         flow.has_unfinished_head() ||
                         !step.stream.head.buffer.empty();  // a line that is not all there yet
  options_.recorder->after(step.flow.mark, may_alert);
}

// Of a finding that no rule hit, which makes no alert: nothing.
event::KeptPackets Inspector::kept_for(const event::Event& event) {
  if (hits_.count == 0 || event.is_test) {
    return {};
  }
  // A flow that lives for one event has no packets before or after it.
  exhibit::Mark* const mark = judged_ != nullptr && judged_->packets > 0 ? &judged_->mark : nullptr;
  return options_.recorder->tell(mark, event.type == event::EventType::address_claim);
}

}  // namespace imds::detect
