// HTTP over UDP: one datagram is one request, as in SSDP. No flow is needed to read it.
#include "detect/inspector.h"
#include "http/head_end.h"
#include "http/probe.h"
#include "http/sketch.h"

namespace imds::detect {

bool Inspector::may_be_request(const packet::PacketView& view) {
  return view.is(packet::IpProtocol::udp) && view.reason == DecodeReason::none &&
         http::may_start_http(http::first8(view.payload)) &&
         http::starts_like_request(view.payload) == http::Probe::yes;
}

bool Inspector::datagram(const PacketContext& packet) {
  FlowState flow;
  flow.of_interest = packet.of_interest();
  flow.ingress_port = packet.ingress_port;
  flow.is_test = packet.is_test;
  const Step step{packet, flow, flow::Direction::from_lower, flow.directions[0]};
  note_requester(step);
  return inspect_datagram(step);
}

// The payload up to an empty line, or all of it. False: no request that names its version.
bool Inspector::inspect_datagram(const Step& step) {
  http::HeadEndFinder finder;
  const ByteSpan payload = step.packet.view->payload;
  const ByteSpan head = payload.first(finder.feed(payload, options_.head_bytes_max).consumed);
  const http::RequestSketch sketch = http::sketch_request(head);
  if (!sketch.valid) {
    return false;
  }
  const bool needs_parsing = step.flow.of_interest || parses_every_head_ || sketch.disguise != 0 ||
                             seat_->evaluator().prefilter(head);
  if (needs_parsing && !parse(head, http::LineTrust::versioned)) {
    return false;
  }
  counters_.http_datagrams.add();
  if (needs_parsing) {
    inspect_parsed_head(step, Place::beside);
  }
  return true;
}

}  // namespace imds::detect
