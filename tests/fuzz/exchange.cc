// The follower of requests and answers: cutting, repeating and losing segments never harms it, a
// stream that is only cut says the same as one that is whole, and no secret reaches a finding.
//
// Input: choices for the answers (status, framing, coding, body), then for each segment its size
// and whether it is lost or comes late.
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "detect/inspector.h"
#include "event/fields.h"
#include "fuzz.h"
#include "sigma/load.h"

namespace {

using namespace imds;

constexpr std::string_view kRules = R"(
title: Every answer
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {product: imds-inspector}
detection:
  answer: {imds.event: [http_response, token_issued, credentials_delivered]}
  condition: answer
)";
constexpr std::string_view kSecret = "FAKE-secret";
constexpr std::uint32_t kIsn = 0xfffffe00;  // numbers wrap

// What the server says. Honest answers are as long as they say, and expected to have a body: of
// others it depends on the segments where the next one is found.
struct Script {
  std::string requests;
  std::string answers;
  bool is_honest = true;
};

std::string body_of(fuzz::Input& input) {
  const std::string credentials =
      "{\"AccessKeyId\":\"ASIAQNZGKIQY56JQ7WML\",\"SecretAccessKey\":\"" + std::string(kSecret) +
      "\",\"Token\":\"" + std::string(kSecret) + "\",\"Expiration\":\"2025-10-08T18:00:00Z\"}";
  switch (input.byte() % 4) {
    case 0:
      return std::string(input.byte(), ' ') + credentials;
    case 1:
      return std::string(kSecret);
    case 2:
      return "{\"x\":" + credentials;
    default:
      return credentials;
  }
}

void add_answer(fuzz::Input& input, bool is_last, Script& script) {
  constexpr std::array<std::string_view, 5> kStatus = {"200 OK", "401 No", "206 Part", "204 No",
                                                       "100 Go"};
  constexpr std::array<std::string_view, 5> kMore = {
      "", "Server: EC2ws\r\n", "Content-Encoding: gzip\r\n",
      "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n", "Content-Type: a\r\n b\r\n"};
  const std::string body = body_of(input);
  const std::size_t status = input.byte() % kStatus.size();
  script.is_honest = script.is_honest && status < 3;
  std::string& out = script.answers;
  out += "HTTP/1.1 " + std::string(kStatus[status]) + "\r\n";
  out += kMore[input.byte() % kMore.size()];
  switch (input.byte() % 4) {
    case 0:
      out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      break;
    case 1:
      script.is_honest = false;
      out += "Content-Length: " + std::to_string(input.byte()) + "\r\n\r\n" + body;
      break;
    case 2: {
      std::array<char, 8> size{};
      std::snprintf(size.data(), size.size(), "%zx", body.size());
      out += "Transfer-Encoding: chunked\r\n\r\n";
      out.append(size.data()).append("\r\n").append(body).append("\r\n0\r\n\r\n");
      break;
    }
    default:
      script.is_honest = script.is_honest && is_last;
      out += "\r\n" + body;
      break;
  }
}

Script make_script(fuzz::Input& input) {
  constexpr std::array<std::string_view, 4> kRequests = {
      "GET /latest/meta-data/iam/security-credentials/r HTTP/1.1\r\n\r\n",
      "PUT /latest/api/token HTTP/1.1\r\n\r\n", "GET /latest/user-data HTTP/1.1\r\n\r\n",
      "HEAD /latest/meta-data/ HTTP/1.1\r\n\r\n"};
  Script script;
  for (std::size_t n = input.between(1, 10); n > 0; --n) {
    const std::size_t request = input.byte() % kRequests.size();
    script.requests += kRequests[request];
    script.is_honest = script.is_honest && request < 3;
    add_answer(input, n == 1, script);
  }
  return script;
}

class Rig {
 public:
  Rig() : findings_(256) {
    const auto loaded = sigma::load_text(kRules, "rules.yml", event::FieldTable()).value();
    auto policy = std::make_shared<detect::Policy>();
    policy->rules = rules::RuleSet::compile(loaded.rules).value();
    policy->number_rules(nullptr);
    policy->suppressions = classify::SuppressionSet::create({}).value();
    policy->endpoint_names = {"imds"};
    seat_ = detect::PolicySeat::create(policy).value();
    detect::Options options;
    options.arena.blocks = {64, 16, 8, 4};
    options.exchanges = 4;
    options.told_stories.repeat_after_ns = 0;  // every run is told whole
    options.inflaters = 1;
    options.body_bytes_max = 4096;
    inspector_ = detect::Inspector::create(options, *seat_, findings_).value();
  }

  // One segment; `answered`: bytes of the other side that it acknowledges.
  void send(bool from_client, std::size_t offset, std::string_view bytes, std::size_t answered,
            std::uint8_t flags = packet::kTcpAck) {
    packet::PacketView view;
    view.time.ns = ++now_ * 1'000'000;
    view.source = from_client ? client_ : server_;
    view.destination = from_client ? server_ : client_;
    view.source_port = from_client ? 40000 : 80;
    view.destination_port = from_client ? 80 : 40000;
    view.protocol = static_cast<std::uint8_t>(packet::IpProtocol::tcp);
    view.tcp.sequence =
        kIsn + (flags & packet::kTcpSyn ? 0 : 1) + static_cast<std::uint32_t>(offset);
    view.tcp.acknowledgment = kIsn + 1 + static_cast<std::uint32_t>(answered);
    view.tcp.flags = flags;
    view.payload = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
    view.payload_length = static_cast<std::uint32_t>(bytes.size());
    classify::AddressClass endpoint;
    endpoint.endpoint = 0;
    const classify::AddressClass nobody;
    const detect::PacketContext context{&view, from_client ? &nobody : &endpoint,
                                        from_client ? &endpoint : &nobody, 0, false};
    last_ = view;
    flow::Key key;
    inspector_->packet(context, flow::make_key(view, {}, key), flow_);
  }

  // Ends the flow; what was told, in order.
  std::vector<std::string> end() {
    classify::AddressClass endpoint;
    endpoint.endpoint = 0;
    const classify::AddressClass nobody;
    const bool from_client = last_.source == client_;
    const detect::PacketContext context{&last_, from_client ? &nobody : &endpoint,
                                        from_client ? &endpoint : &nobody, 0, false};
    flow::Key key;
    inspector_->end_flow(flow_, context, flow::make_key(last_, {}, key));
    flow_ = {};
    std::vector<std::string> told;
    while (const event::Finding* finding = findings_.front()) {
      const std::string_view memory(reinterpret_cast<const char*>(finding), sizeof *finding);
      fuzz::require(memory.find(kSecret) == std::string_view::npos, "no secret is told");
      const event::Event event = event::event_of(*finding);
      told.push_back(
          std::string(event::name(event.type)) + ' ' + std::to_string(event.response.status) + ' ' +
          std::string(event.http.path.raw) + ' ' + std::string(event.exchange.access_key_id));
      std::memset(static_cast<void*>(const_cast<event::Finding*>(finding)), 0, sizeof *finding);
      findings_.pop();
    }
    fuzz::require(inspector_->arena().counters().bytes_in_use.get() == 0, "memory is given back");
    fuzz::require(inspector_->exchanges().counters().open.get() == 0, "exchanges are closed");
    return told;
  }

 private:
  IpAddress client_ = *IpAddress::parse("10.0.0.1");
  IpAddress server_ = *IpAddress::parse("169.254.169.254");
  std::int64_t now_ = 0;
  detect::FindingRing findings_;
  std::unique_ptr<detect::PolicySeat> seat_;
  std::unique_ptr<detect::Inspector> inspector_;
  detect::FlowState flow_;
  packet::PacketView last_;
};

void begin(Rig& rig, std::string_view requests) {
  rig.send(true, 0, {}, 0, packet::kTcpSyn);
  rig.send(false, 0, {}, 0, packet::kTcpSyn | packet::kTcpAck);
  rig.send(true, 0, requests, 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Rig rig;
  fuzz::Input input(data, size);
  const Script script = make_script(input);
  const std::string& requests = script.requests;
  const std::string& answers = script.answers;
  begin(rig, requests);
  rig.send(false, 0, answers, requests.size());
  const std::vector<std::string> whole = rig.end();

  const bool disorder = input.byte() % 2 == 1;
  begin(rig, requests);
  for (std::size_t at = 0; at < answers.size();) {
    const std::size_t length = std::min(input.between(1, 300), answers.size() - at);
    const std::uint8_t treatment = disorder ? input.byte() % 8 : 7;
    if (treatment != 0) {
      rig.send(false, at, std::string_view(answers).substr(at, length), requests.size());
    }
    if (treatment == 1 && at > 20) {
      rig.send(false, at - 20, std::string_view(answers).substr(at - 20, 20), requests.size());
    }
    at += length;
  }
  const std::vector<std::string> cut = rig.end();
  fuzz::require(disorder || !script.is_honest || cut == whole, "cutting changes nothing");

  // The answers come first.
  rig.send(true, 0, {}, 0, packet::kTcpSyn);
  rig.send(false, 0, {}, 0, packet::kTcpSyn | packet::kTcpAck);
  rig.send(false, 0, answers, requests.size());
  rig.send(true, 0, requests, answers.size());
  fuzz::require(rig.end() == whole, "an answer that comes early waits for its request");
  return 0;
}
