// What clients do with delivered credentials: their TLS connections to AWS, by the name that the
// ClientHello asks for. Only clients that the story has named (Options::holders) are looked at, and
// only the first bytes of a connection, or of a proxy's tunnel, that begin like a ClientHello.
#include "detect/inspector.h"
#include "evidence/server_name.h"

namespace imds::detect {

namespace {

// A hello with keys of post-quantum groups has less than 2 KiB.
constexpr std::size_t kLongestHello = 8192;

// Who sent the stream's bytes: of segments that waited, the last packet may have gone the other
// way.
const IpAddress& sender(const PacketContext& packet, bool is_packets_own) {
  return is_packets_own ? packet.view->source : packet.view->destination;
}

}  // namespace

// `bytes` are the first of a stream that turned out to be TLS.
void Inspector::begin_hello(const Step& step, ByteSpan bytes) {
  const bool is_packets_own = step.index() == flow::index(step.direction);
  if (!options_.holders->contains(sender(step.packet, is_packets_own))) {
    return;
  }
  const evidence::ServerName found = evidence::read_server_name(bytes);
  if (found.status == evidence::ServerName::Status::need_more && bytes.size() <= kLongestHello &&
      keep(step, step.stream.head, bytes)) {
    step.flow.hello = step.index() == 0 ? 1 : 2;
    return;
  }
  judge_hello(step, found);
}

// More of it, in order.
void Inspector::continue_hello(const Step& step, ByteSpan bytes) {
  flow::HeadBuffer& kept = step.stream.head.buffer;
  if (step.flow.hello != step.index() + 1) {
    return;  // the other side's
  }
  if (kept.empty() || kept.size() + bytes.size() > kLongestHello ||
      !keep(step, step.stream.head, bytes)) {
    drop_hello(step.flow);
    return;
  }
  const evidence::ServerName found = evidence::read_server_name(arena_.bytes(kept));
  if (found.status == evidence::ServerName::Status::need_more) {
    return;
  }
  step.flow.hello = 0;
  arena_.release(kept);
  judge_hello(step, found);
}

// What is missing will not be seen.
void Inspector::drop_hello(FlowState& flow) {
  if (flow.hello == 0) {
    return;
  }
  DirectionState& stream = flow.directions[flow.hello - 1u];
  flow.hello = 0;
  if (stream.phase == Phase::opaque) {
    arena_.release(stream.head.buffer);
  }
  counters_.hellos[static_cast<std::size_t>(HelloOutcome::unread)].add();
}

void Inspector::judge_hello(const Step& step, const evidence::ServerName& found) {
  using Status = evidence::ServerName::Status;
  const bool is_found = found.status == Status::found;
  const bool is_aws = is_found && evidence::is_aws_service(found.name.view());
  const HelloOutcome outcome = is_aws                         ? HelloOutcome::aws
                               : is_found                     ? HelloOutcome::other
                               : found.status == Status::none ? HelloOutcome::nameless
                                                              : HelloOutcome::unread;
  counters_.hellos[static_cast<std::size_t>(outcome)].add();
  if (!is_aws) {
    return;
  }
  note_requester(step);
  event::Event event = base_event(step, event::EventType::credentials_used);
  event.server_name = found.name.view();
  judge(step, event);
}

}  // namespace imds::detect
