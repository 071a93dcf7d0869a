// From parsed heads to events, from events to findings.
#include <algorithm>

#include "detect/inspector.h"
#include "http/target.h"

namespace imds::detect {

namespace {

event::Peer peer(const IpAddress& ip, std::uint16_t port, const MacAddress& mac) {
  return {ip, port, mac};
}

// Which way round, when nothing else told: servers listen on the lower port.
bool source_is_client_by_port(const packet::PacketView& view) {
  return view.source_port >= view.destination_port;
}

// A head cut within its Host line names a host that nobody asked for: without that line.
ByteSpan without_cut_host(ByteSpan head) {
  constexpr std::string_view kHost = "host:";
  std::size_t line = head.size();
  while (line > 0 && head[line - 1] != '\n') {
    --line;
  }
  const ByteSpan last = head.subspan(line);
  if (line == 0 || last.size() < kHost.size()) {
    return head;
  }
  for (std::size_t i = 0; i < kHost.size(); ++i) {
    const std::uint8_t c = last[i];
    const bool upper = c >= 'A' && c <= 'Z';
    if ((upper ? c + ('a' - 'A') : c) != static_cast<std::uint8_t>(kHost[i])) {
      return head;
    }
  }
  return head.first(line);
}

}  // namespace

// Into head_. Where no request must begin, prose that begins like one must not pass for one.
bool Inspector::parse(ByteSpan head, http::LineTrust trust) {
  return http::parse_request_head(head, unfold_buffer_, head_) == http::HeadStatus::ok &&
         http::is_trusted(head_, trust);
}

void Inspector::inspect_parsed_head(const Step& step) {
  const std::string_view host =
      head_.fields.host.data() != nullptr ? head_.fields.host : tunnel_host(step.stream);
  const http::Target target = http::split_target(head_.method, head_.target, host);
  const http::NormalisedTarget normal = http::normalise_target(target, target_buffer_);
  event::Event event = base_event(step, event::EventType::http_request);
  event.ordinal = step.flow.requests++;
  event.http.method = head_.method;
  event.http.target = {target.text, normal.target};
  event.http.path = {target.path, normal.path};
  event.http.query = {target.query, normal.query};
  event.http.domain = {target.host, normal.domain};
  event.http.host = head_.fields.host;
  event.http.user_agent = head_.fields.user_agent;
  event.http.headers = http::write_header_text(head_.fields, headers_buffer_).text;
  event.http.version = head_.version_text;
  judge(step, event);
}

// False: it is no request.
bool Inspector::inspect_partial_head(const Step& step, ByteSpan head, http::LineTrust trust) {
  counters_.http_heads.add();
  counters_.http_heads_parsed.add();
  counters_.http_heads_incomplete.add();
  if (!parse(without_cut_host(head), trust)) {
    counters_.http_heads_unparsable.add();
    return false;
  }
  note_requester(step);
  inspect_parsed_head(step);
  return true;
}

event::Event Inspector::base_event(const Step& step, event::EventType type) const {
  const packet::PacketView& view = *step.packet.view;
  const FlowState& flow = step.flow;
  event::Event event;
  event.type = type;
  event.time = view.time;
  event.is_test = flow.is_test;

  bool from_client = flow.client == flow::index(step.direction);
  if (flow.client == FlowState::kClientUnknown) {
    from_client = source_is_client_by_port(view);
    event.flow.visibility |= event::kDirectionGuessed;
  }
  const event::Peer source = peer(view.source, view.source_port, view.source_mac);
  const event::Peer destination =
      peer(view.destination, view.destination_port, view.destination_mac);
  event.flow.source = from_client ? source : destination;
  event.flow.destination = from_client ? destination : source;

  event.flow.ip_protocol = view.protocol;
  event.flow.vlan_count = view.vlan.count;
  std::copy_n(view.vlan.ids.begin(), view.vlan.count, event.flow.vlans.begin());
  event.flow.ingress_port = step.packet.ingress_port;
  event.flow.tunnel = view.tunnel;
  const bool is_tcp = view.is(packet::IpProtocol::tcp);
  if (is_tcp && !flow.saw_syn) {
    event.flow.visibility |= event::kMidStream;
  }
  if (!from_client && !flow.directions[1 - flow::index(step.direction)].seen) {
    event.flow.visibility |= event::kResponsesOnly;
  }
  if (view.truncated) {
    event.flow.visibility |= event::kCaptureTruncated;
  }
  if (step.stream.cursor.lossy()) {
    event.flow.visibility |= event::kStreamGap;
  }
  if (step.packet.second_reading) {
    event.flow.visibility |= event::kSecondReading;
  }
  if (flow.endpoint < options_.endpoint_names.size()) {
    event.flow.endpoint = options_.endpoint_names[flow.endpoint];
  }
  return event;
}

void Inspector::judge(const Step& step, const event::Event& event) {
  evaluator_.evaluate(event, hits_);
  if (event.type == event::EventType::raw_match) {
    forget_reported_raw_rules(step.flow);
  }
  if (hits_.count == 0) {
    return;
  }
  counters_.findings_produced[static_cast<std::size_t>(event.type)].add();
  const bool source_is_client = event.flow.source.ip == step.packet.view->source;
  const auto suppression =
      suppressions_.match(source_is_client ? *step.packet.source : *step.packet.destination,
                          step.packet.view->vlan, step.flow.endpoint, step.packet.view->tunnel);
  if (suppression) {
    counters_.findings_suppressed.add();
    counters_.suppressed[*suppression].add();
    return;
  }
  queue(event);
}

// A rule alerts on raw_match once per flow.
void Inspector::forget_reported_raw_rules(FlowState& flow) {
  const auto known = flow.raw_rules.begin() + flow.raw_rule_count;
  std::uint16_t kept = 0;
  for (std::uint16_t i = 0; i < hits_.count; ++i) {
    const std::uint16_t rule = hits_.rules[i];
    if (std::find(flow.raw_rules.begin(), known, rule) == known) {
      hits_.rules[kept++] = rule;
    }
  }
  hits_.count = kept;
  for (std::uint16_t i = 0; i < kept && flow.raw_rule_count < kRememberedRawRules; ++i) {
    flow.raw_rules[flow.raw_rule_count++] = hits_.rules[i];
  }
}

void Inspector::queue(const event::Event& event) {
  event::Finding* finding = findings_.reserve();
  if (finding == nullptr && options_.make_room != nullptr &&
      options_.make_room(options_.make_room_context)) {
    finding = findings_.reserve();
  }
  if (finding == nullptr) {
    counters_.findings_lost.add();
    return;
  }
  event::fill(*finding, event);
  finding->worker = options_.worker;
  finding->ruleset_generation = evaluator_.rules().generation();
  finding->rule_count = hits_.count;
  finding->rules = hits_.rules;
  finding->rules_truncated = hits_.overflow > 0;
  counters_.rule_hits_cut.add(hits_.overflow);
  counters_.findings_queued.add();
  findings_.commit();
}

}  // namespace imds::detect
