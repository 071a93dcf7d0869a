// From parsed heads to events, from events to findings.
#include <algorithm>

#include "base/text.h"
#include "detect/inspector.h"
#include "detect/request_fields.h"
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
    if (ascii_lower(static_cast<char>(last[i])) != kHost[i]) {
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

void Inspector::inspect_parsed_head(const Step& step, Place place) {
  const std::string_view host =
      head_.fields.host.data() != nullptr ? head_.fields.host : tunnel_host(step.stream);
  event::Event event = request_event(step, head_.method, head_.target, host);
  set_headers(event.http, head_, headers_buffer_);
  add_request_facts(event);
  const bool matched = judge(step, event);
  if (place == Place::stream && !step.packet.second_reading) {
    note_request(step, event, matched);
  }
}

// What a request of any HTTP version says by its method, its target and the host it asks for.
event::Event Inspector::request_event(const Step& step, std::string_view method,
                                      std::string_view target_text, std::string_view host) {
  event::Event event = base_event(step, event::EventType::http_request);
  event.ordinal = step.flow.requests++;
  set_target(event.http, method, target_text, host, target_buffer_);
  return event;
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
  inspect_parsed_head(step, trust == http::LineTrust::versioned ? Place::beside : Place::stream);
  return true;
}

// Whether the packet is the client's, as far as is known.
bool Inspector::is_from_client(const Step& step) {
  return step.flow.client == FlowState::kClientUnknown
             ? source_is_client_by_port(*step.packet.view)
             : step.flow.client == flow::index(step.direction);
}

event::Event Inspector::base_event(const Step& step, event::EventType type) const {
  const packet::PacketView& view = *step.packet.view;
  const FlowState& flow = step.flow;
  event::Event event = packet_event(step.packet, type);
  event.is_test = flow.is_test;

  const bool from_client = is_from_client(step);
  if (flow.client == FlowState::kClientUnknown) {
    event.flow.visibility |= event::kDirectionGuessed;
  }
  const event::Peer source = peer(view.source, view.source_port, view.source_mac);
  const event::Peer destination =
      peer(view.destination, view.destination_port, view.destination_mac);
  event.flow.source = from_client ? source : destination;
  event.flow.destination = from_client ? destination : source;

  const bool is_tcp = view.is(packet::IpProtocol::tcp);
  if (is_tcp && !flow.saw_syn) {
    event.flow.visibility |= event::kMidStream;
  }
  const unsigned server = flow.client == 0 ? 1 : 0;
  const bool is_answered = (flow.has_acknowledged & (1u << server)) != 0;
  if (is_tcp && from_client && is_answered && (flow.seen & (1u << server)) == 0 &&
      flow.client != FlowState::kClientUnknown) {
    event.flow.visibility |= event::kRequestsOnly;
  }
  if (!from_client && (flow.seen & (1u << flow::index(flow::opposite(step.direction)))) == 0) {
    event.flow.visibility |= event::kResponsesOnly;
  }
  if (step.cursor().lossy()) {
    event.flow.visibility |= event::kStreamGap;
  }
  name_endpoint(event, flow.endpoint);
  add_direction(event);
  return event;
}

// Whether any rule hit, even if what it said is suppressed, or needs the answer to tell.
bool Inspector::judge(const Step& step, const event::Event& event) {
  seat_->evaluator().evaluate(event, hits_);
  if (event.type == event::EventType::raw_match) {
    forget_reported_raw_rules(step.flow);
  }
  const packet::PacketView& view = *step.packet.view;
  const bool source_is_client = event.flow.source.ip == view.source;
  const bool wants_answer = hits_.wants_answer;
  judged_ = &step.flow;
  const bool matched =
      settle({source_is_client ? *step.packet.source : *step.packet.destination, view.vlan,
              step.flow.endpoint, view.tunnel, event.flow.destination.ip,
              event.flow.destination.mac, event.http.user_agent, event.time},
             event);
  judged_ = nullptr;
  return matched || wants_answer;
}

// What has hit becomes a finding, unless it is suppressed, and so does what moves a story, unless
// the story knows. Whether any rule hit, even if what it said is suppressed.
bool Inspector::settle(const classify::Subject& subject, const event::Event& event) {
  const bool matched = hits_.count > 0;
  const bool moves_story = event::moves_story(event);
  if (!matched && !moves_story) {
    return false;
  }
  if (!matched && story_knows(subject.endpoint, event)) {
    counters_.story_repeats.add();
    return false;
  }
  counters_.findings_produced[static_cast<std::size_t>(event.type)].add();
  counters_.hits_produced.add(std::uint64_t{hits_.count} + hits_.overflow);
  counters_.rule_hits_cut.add(hits_.overflow);
  const bool suppressed = withhold_suppressed(subject);
  if (hits_.count > 0) {
    queue(event);
  } else if (suppressed || !moves_story || (matched && story_knows(subject.endpoint, event))) {
    counters_.findings_suppressed.add();
  } else if (queue(event)) {
    tell_story(subject.endpoint, event);
  }
  return matched;
}

namespace {

event::Stage stage_of(const event::Event& event) {
  return event::reached_by(event.type, event.evidence.answer, event.exchange.delivered);
}

// Claims name no client: each is part of the stories that begin behind it.
bool is_remembered(std::uint16_t endpoint, event::Stage stage) {
  return endpoint != classify::kNoEndpoint && stage != event::Stage::claimed;
}

}  // namespace

bool Inspector::story_knows(std::uint16_t endpoint, const event::Event& event) const {
  const event::Stage stage = stage_of(event);
  return is_remembered(endpoint, stage) &&
         told_stories_.knows(event.flow.source.ip, endpoint, stage, event.time);
}

void Inspector::tell_story(std::uint16_t endpoint, const event::Event& event) {
  if (const event::Stage stage = stage_of(event); is_remembered(endpoint, stage)) {
    told_stories_.note(event.flow.source.ip, endpoint, stage, event.time);
  }
}

// Whether nobody has to hear of the event: no rule is about its type, and it moves no story. So it
// need not be made.
bool Inspector::is_old_news(const Step& step, event::EventType type, event::Stage stage) {
  if (step.flow.is_test || seat_->evaluator().listens(type)) {
    return false;
  }
  const std::uint16_t endpoint = step.flow.endpoint;
  if (endpoint == classify::kNoEndpoint) {
    return type == event::EventType::http_response;  // of no story
  }
  const packet::PacketView& view = *step.packet.view;
  const IpAddress& client = is_from_client(step) ? view.source : view.destination;
  const bool knows = told_stories_.knows(client, endpoint, stage, view.time);
  counters_.story_repeats.add(knows ? 1 : 0);
  return knows;
}

// What remains in hits_ are the rules that no suppression is about. True: one is about all rules,
// so that the event is not the story's either.
bool Inspector::withhold_suppressed(const classify::Subject& subject) {
  const classify::SuppressionSet& suppressions = seat_->policy().suppressions;
  if (suppressions.empty()) {
    return false;
  }
  const classify::SuppressionBits covering = suppressions.covering(subject);
  if (covering.none()) {
    return false;
  }
  hits_.keep_if([&](std::uint16_t rule) {
    const auto suppression = suppressions.first_for(covering, rule);
    if (suppression) {
      seat_->suppressed(*suppression).add();
      counters_.hits_suppressed.add();
    }
    return !suppression;
  });
  return suppressions.covers_all_rules(covering);
}

// A rule alerts on raw_match once per flow.
void Inspector::forget_reported_raw_rules(FlowState& flow) {
  const std::vector<std::uint16_t>& identities = seat_->policy().rule_identities;
  const auto known = flow.raw_rules.begin() + flow.raw_rule_count;
  hits_.keep_if([&](std::uint16_t rule) {
    return std::find(flow.raw_rules.begin(), known, identities[rule]) == known;
  });
  for (std::uint16_t i = 0; i < hits_.count && flow.raw_rule_count < kRememberedRawRules; ++i) {
    flow.raw_rules[flow.raw_rule_count++] = identities[hits_.rules[i]];
  }
}

// False: it is lost.
bool Inspector::queue(const event::Event& event) {
  event::Finding* finding = findings_.reserve();
  if (finding == nullptr && options_.make_room != nullptr &&
      options_.make_room(options_.make_room_context)) {
    finding = findings_.reserve();
  }
  if (finding == nullptr) {
    counters_.findings_lost.add();
    counters_.hits_lost.add(hits_.count);
    return false;
  }
  event::fill(*finding, event);
  finding->kept = options_.recorder != nullptr ? kept_for(event) : event::KeptPackets{};
  finding->worker = options_.worker;
  finding->ruleset_generation = generation_;
  finding->rule_count = hits_.count;
  finding->rules = hits_.rules;
  if (hits_.any_compared) {
    finding->compared = hits_.compared;
  }
  finding->rules_truncated = hits_.overflow > 0;
  counters_.findings_queued.add();
  counters_.findings_for_story.add(hits_.count == 0 ? 1 : 0);
  counters_.hits_queued.add(hits_.count);
  findings_.commit();
  if (event.type == event::EventType::credentials_delivered && options_.make_room != nullptr) {
    (void)options_.make_room(options_.make_room_context);
  }
  if (const event::Finding* next = findings_.reserve(); next != nullptr) {
    event::prefetch_for_writing(*next);
  }
  return true;
}

}  // namespace imds::detect
