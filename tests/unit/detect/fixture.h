// Drives an Inspector with packets, without DPDK: decodes them, keeps their flows, and says by a
// short list which addresses are endpoints.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "classify/suppression.h"
#include "detect/inspector.h"
#include "event/fields.h"
#include "flow/key.h"
#include "packet/decode.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "support/tcp_session.h"

namespace imds::detect {

// The bulletin's rule in short: an endpoint as destination, a path, the token header.
inline constexpr std::string_view kBulletin = R"(
title: Metadata
id: 11111111-1111-4111-8111-111111111111
level: medium
logsource: {category: network}
detection:
  ip_dst: {destination.ip: [169.254.169.254, 'fd00:ec2::254']}
  http_path: {url|contains: [/latest/meta-data, /latest/api/token]}
  http_header: {request_headers|contains: X-aws-ec2-metadata-token}
  condition: 1 of ip_* or 1 of http_*
)";

// Nothing indexes it: every head is parsed, every request reported.
inline constexpr std::string_view kEveryRequest = R"(
title: Every request
id: 22222222-2222-4222-8222-222222222222
level: low
logsource: {product: imds-inspector}
detection:
  request: {imds.event: http_request}
  condition: request
)";

// Enough for a few connections: thousands of benches are made.
inline Options few_connections() {
  Options options;
  options.exchanges = 32;
  options.inflaters = 4;
  options.evidence.owners.entries = 64;
  options.evidence.answers.entries = 64;
  options.evidence.dns_streams = 2;
  return options;
}

class Bench {
 public:
  explicit Bench(std::string_view rules = kBulletin, Options options = few_connections(),
                 classify::Options classes = {}, std::size_t ring = 1024)
      : findings_(ring) {
    auto loaded = sigma::load_text(rules, "rules.yml", event::FieldTable());
    if (!loaded) {
      throw std::runtime_error(loaded.error().to_string());
    }
    auto compiled = rules::RuleSet::compile(loaded->rules);
    if (!compiled) {
      throw std::runtime_error(compiled.error().to_string());
    }
    policy_ = std::make_shared<Policy>();
    const std::shared_ptr<Policy>& policy = policy_;
    policy->rules = *compiled;
    policy->number_rules(nullptr);
    classes.endpoints = {{"imds", {*IpPrefix::parse("169.254.169.254/32")}},
                         {"imds6", {*IpPrefix::parse("fd00:ec2::254/128")}}};
    policy->suppressions = classify::SuppressionSet::create(classes).value();
    sources_ = classes.suppressions;
    policy->name_endpoints(classes.endpoints);
    seat_ = PolicySeat::create(policy).value();
    inspector_ = Inspector::create(options, *seat_, findings_).value();
  }

  // What the configuration says of clients and accounts.
  Bench& know(KnownParties known) {
    policy_->clients = std::move(known.clients);
    policy_->accounts = std::move(known.accounts);
    return *this;
  }
  // Frames fed from now on are taken to have come in this tunnel.
  Bench& inside(const Tunnel& tunnel) {
    tunnel_ = tunnel;
    return *this;
  }
  [[nodiscard]] std::uint64_t suppressed(std::size_t index) const {
    return seat_->suppressed(index).get();
  }
  // Whether packets of known flows are offered to the fast lane first, as the worker does.
  Bench& set_lane(bool on) {
    lane_ = on;
    return *this;
  }
  Bench& feed(ByteSpan frame, Timestamp time = {}, bool is_test = false) {
    packet::PacketView view;
    packet::FrameInfo info;
    info.time = time;
    packet::decode(frame, info, view);
    view.tunnel = tunnel_;
    const classify::AddressClass source = class_of(view.source);
    const classify::AddressClass destination = class_of(view.destination);
    const PacketContext context{&view, &source, &destination, 0, is_test};
    flow::Key key;
    const flow::Direction direction = flow::make_key(view, {}, key);
    const std::string name(reinterpret_cast<const char*>(&key), sizeof key);
    const auto known = flows_.find(name);
    const Segment segment{view.payload, view.tcp.sequence, view.tcp.acknowledgment, view.tcp.flags};
    if (lane_ && known != flows_.end() && view.is(packet::IpProtocol::tcp) && !view.truncated &&
        inspector_->lane().pass(segment, direction, known->second)) {
      ++passed_;
    } else if (known != flows_.end() || Inspector::begins_flow(context)) {
      inspector_->packet(context, direction, flows_[name]);
    }
    return *this;
  }
  Bench& feed(const support::TcpSession& session) {
    for (const support::TimedPacket& packet : session.packets()) {
      feed(packet.bytes, packet.time);
    }
    return *this;
  }
  // What is outside of any flow: `act` gets the inspector and the frame's context.
  template <class Act>
  Bench& loose(ByteSpan frame, Act&& act) {
    packet::PacketView view;
    packet::decode(frame, {}, view);
    const classify::AddressClass source = class_of(view.source);
    const classify::AddressClass destination = class_of(view.destination);
    act(*inspector_, PacketContext{&view, &source, &destination, 0, false});
    return *this;
  }
  Bench& end_all() {
    for (auto& [name, flow] : flows_) {
      end(name, flow);
    }
    flows_.clear();
    return *this;
  }
  // As the worker does after each burst.
  Bench& age(Timestamp now) {
    while (FlowState* waiting = inspector_->overdue(now)) {
      for (auto& entry : flows_) {
        const std::string& name = entry.first;
        FlowState& flow = entry.second;
        if (&flow == waiting) {
          with_last_packet(name, flow, [&](const PacketContext& packet) {
            inspector_->give_up_waiting(flow, packet);
          });
        }
      }
    }
    return *this;
  }

  // What rules hit. Findings without hits, which only the story needs, are counted.
  std::vector<event::Finding> take() {
    std::vector<event::Finding> out;
    while (const event::Finding* finding = findings_.front()) {
      if (finding->rule_count > 0) {
        out.push_back(*finding);
      } else {
        told_.emplace_back(event::name(finding->type));
      }
      findings_.pop();
    }
    return out;
  }
  // Events that take() found to be for the story only.
  [[nodiscard]] const std::vector<std::string>& told() const { return told_; }
  // "connection", "http_request GET /x", "raw_match": what was found, in order.
  std::vector<std::string> events() {
    std::vector<std::string> out;
    for (const event::Finding& finding : take()) {
      std::string text(event::name(finding.type));
      if (finding.type == event::EventType::http_request) {
        text += ' ' + std::string(finding.method.view()) + ' ' + std::string(finding.target.view());
      }
      out.push_back(std::move(text));
    }
    return out;
  }

  [[nodiscard]] const Inspector& inspector() const { return *inspector_; }
  [[nodiscard]] const Counters& counters() const { return inspector_->counters(); }
  [[nodiscard]] const flow::Arena& arena() const { return inspector_->arena(); }
  [[nodiscard]] const flow::HeldSegments& held() const { return inspector_->held_segments(); }
  [[nodiscard]] std::uint64_t passed() const { return passed_; }  // by the fast lane
  [[nodiscard]] std::size_t flow_count() const { return flows_.size(); }

 private:
  void end(const std::string& name, FlowState& flow) {
    if (!flow.has_unfinished_head()) {
      inspector_->end_flow(flow);
      return;
    }
    with_last_packet(name, flow, [&](const PacketContext& packet) {
      inspector_->end_flow(flow, packet, flow.last.direction);
    });
  }
  template <class Act>
  void with_last_packet(const std::string& name, const FlowState& flow, Act&& act) {
    flow::Key key;
    std::memcpy(&key, name.data(), sizeof key);
    const packet::PacketView view = inspector_->packet_of(key, flow);
    const classify::AddressClass source = class_of(view.source);
    const classify::AddressClass destination = class_of(view.destination);
    act(PacketContext{&view, &source, &destination, 0, false});
  }
  [[nodiscard]] classify::AddressClass class_of(const IpAddress& address) const {
    classify::AddressClass out;
    if (address == *IpAddress::parse("169.254.169.254")) {
      out.endpoint = 0;
    } else if (address == *IpAddress::parse("fd00:ec2::254")) {
      out.endpoint = 1;
    }
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      for (const IpPrefix& prefix : sources_[s].sources) {
        if (prefix.contains(address)) {
          out.suppressions.set(s);
        }
      }
    }
    return out;
  }

  FindingRing findings_;
  std::shared_ptr<Policy> policy_;
  std::unique_ptr<PolicySeat> seat_;
  std::vector<classify::Suppression> sources_;
  std::unique_ptr<Inspector> inspector_;
  std::map<std::string, FlowState> flows_;
  Tunnel tunnel_;
  bool lane_ = false;
  std::uint64_t passed_ = 0;
  std::vector<std::string> told_;
};

using Events = std::vector<std::string>;

inline support::TcpSession::Options elsewhere() {
  support::TcpSession::Options options;
  options.server_ip = "203.0.113.7";
  return options;
}

inline constexpr std::string_view kMetadata =
    "GET /latest/meta-data/ HTTP/1.1\r\nHost: example.com\r\n\r\n";
inline constexpr std::string_view kOrdinary =
    "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n";

}  // namespace imds::detect
