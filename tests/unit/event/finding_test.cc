#include "event/finding.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace imds::event {
namespace {

std::unique_ptr<Finding> stale_finding() {
  auto finding = std::make_unique<Finding>();
  std::memset(static_cast<void*>(finding.get()), 0xa5, sizeof *finding);  // a reused ring slot
  return finding;
}

TEST(Fill, CopiesEverythingAnAlertNeeds) {
  const std::string method = "PUT";
  Event event;
  event.type = EventType::http_request;
  event.time = {1'760'000'000'123'456'789};
  event.ordinal = 3;
  event.is_test = true;
  event.flow.source = {IpAddress::v4(0x0a000007), 40123, {}};
  event.flow.source.mac.bytes = {2, 0, 0, 0, 0, 1};
  event.flow.destination = {*IpAddress::parse("fd00:ec2::254"), 80, {}};
  event.flow.ip_protocol = 6;
  event.flow.vlans = {100, 7};
  event.flow.vlan_count = 2;
  event.flow.visibility = kMidStream;
  event.flow.ingress_port = 4;
  event.flow.tunnel = {
      {{TunnelKind::geneve}, 1}, true, 9, IpAddress::v4(0x0a000001), IpAddress::v4(0x0a000002)};
  event.flow.endpoint = "aws-imds-v6";
  event.http.method = method;
  event.http.target = {"/latest/%61pi/token", "/latest/api/token"};
  event.http.path = {"/latest/%61pi/token", "/latest/api/token"};
  event.http.domain = {"EXAMPLE", "example"};
  event.http.user_agent = "aws-sdk-crt/aws-imds-client";
  event.http.version = "1.1";

  const auto finding = stale_finding();
  fill(*finding, event);
  EXPECT_EQ(finding->time, event.time);
  EXPECT_EQ(finding->type, EventType::http_request);
  EXPECT_EQ(finding->ordinal, 3u);
  EXPECT_TRUE(finding->is_test);
  EXPECT_EQ(finding->source.ip, event.flow.source.ip);
  EXPECT_EQ(finding->source.port, 40123);
  EXPECT_EQ(finding->source.mac, event.flow.source.mac);
  EXPECT_EQ(finding->destination.ip, event.flow.destination.ip);
  EXPECT_EQ(finding->ip_protocol, 6);
  EXPECT_EQ(finding->vlan_count, 2);
  EXPECT_EQ(finding->vlans[1], 7);
  EXPECT_EQ(finding->visibility, kMidStream);
  EXPECT_EQ(finding->ingress_port, 4);
  EXPECT_EQ(finding->tunnel, event.flow.tunnel);
  EXPECT_EQ(finding->endpoint.view(), "aws-imds-v6");
  EXPECT_EQ(finding->method.view(), "PUT");
  EXPECT_EQ(finding->target.view(), "/latest/%61pi/token");
  EXPECT_EQ(finding->path.view(), "/latest/api/token");
  EXPECT_EQ(finding->domain.view(), "example");
  EXPECT_EQ(finding->user_agent.view(), "aws-sdk-crt/aws-imds-client");
  EXPECT_EQ(finding->http_version.view(), "1.1");
}

// Of what an event does not have nothing is read, whatever the slot held before.
TEST(Fill, LeavesNothingOfTheSlotsFormerFinding) {
  for (const EventType type : {EventType::connection, EventType::responder}) {
    Event event;
    event.type = type;
    event.evidence.answer = type == EventType::responder ? Answer::udp : Answer::none;
    const auto finding = stale_finding();
    fill(*finding, event);
    EXPECT_TRUE(finding->endpoint.empty());
    EXPECT_EQ(finding->vlan_count, 0);
    EXPECT_FALSE(finding->is_test);
    EXPECT_FALSE(finding->has_exchange);
    EXPECT_FALSE(finding->has(Part::request));
    EXPECT_FALSE(finding->has(Part::answer));
    EXPECT_FALSE(finding->has(Part::tunnel));
    EXPECT_EQ(finding->has(Part::evidence), type == EventType::responder);
    const Event back = event_of(*finding);
    for (std::size_t i = 0; i < kFieldCount; ++i) {
      FieldScratch here;
      FieldScratch there;
      const auto field = static_cast<FieldId>(i);
      EXPECT_EQ(value_of(back, field, there).kind, value_of(event, field, here).kind)
          << describe(field).name;
    }
    EXPECT_EQ(back.evidence, event.evidence);
    EXPECT_EQ(back.flow.tunnel, event.flow.tunnel);
  }
}

// Cold cache lines: that is what it is for.
TEST(Fill, TouchesNothingOfWhatIsNotThere) {
  Event event;
  event.type = EventType::http_request;
  event.http.method = "GET";
  event.exchange.client_kind = "curl";
  const auto finding = stale_finding();
  fill(*finding, event);
  EXPECT_TRUE(finding->has(Part::request));
  EXPECT_TRUE(finding->has_exchange);
  const auto is_untouched = [](const void* begin, std::size_t size) {
    const std::string bytes(static_cast<const char*>(begin), size);
    return bytes == std::string(size, '\xa5');
  };
  EXPECT_TRUE(is_untouched(&finding->exchange.region,
                           sizeof(FindingExchange) - offsetof(FindingExchange, region)));
  EXPECT_TRUE(is_untouched(&finding->tunnel, sizeof finding->tunnel));
  EXPECT_TRUE(is_untouched(&finding->evidence, sizeof finding->evidence));
  EXPECT_TRUE(is_untouched(&finding->dns_name, sizeof finding->dns_name));
}

Event delivery() {
  Event event;
  event.type = EventType::credentials_delivered;
  event.response.status = 200;
  ExchangeFields& x = event.exchange;
  x.client_kind = "curl";
  x.version = 2;
  x.forwarded = true;
  x.server = "EC2ws";
  x.mime_type = "text/plain";
  x.has_body_bytes = true;
  x.body_bytes = std::uint64_t{1} << 40;
  x.token_length = 56;
  x.token_ttl = 21600;
  x.delivered = Delivered::credentials;
  x.content = ContentKind::json;
  x.access_key_id = "ASIAQNZGKIQY56JQ7WML";
  x.role = "deploy";
  x.region = "eu-central-1";
  x.account = 29608264753;
  x.account_source = AccountSource::key_id;
  x.account_expected = AccountVerdict::wrong_network;
  x.expiration = 1759946400;
  event.flow.visibility = kRequestUnseen | kBodyIncomplete;
  return event;
}

TEST(Fill, ExchangesComeBackAsTheyWere) {
  const Event event = delivery();
  const auto finding = stale_finding();
  fill(*finding, event);
  const Event back = event_of(*finding);
  EXPECT_EQ(back.response.status, 200);
  EXPECT_EQ(back.flow.visibility, event.flow.visibility);
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const auto field = static_cast<FieldId>(i);
    if (!is_in_findings(field)) {
      continue;
    }
    FieldScratch here;
    FieldScratch there;
    const FieldValue expected = value_of(event, field, here);
    const FieldValue found = value_of(back, field, there);
    EXPECT_EQ(found.kind, expected.kind) << describe(field).name;
    EXPECT_EQ(found.text.raw, expected.text.raw) << describe(field).name;
    EXPECT_EQ(found.number, expected.number) << describe(field).name;
  }
}

TEST(Fill, WithoutAnExchangeThereIsNone) {
  const auto finding = stale_finding();
  fill(*finding, Event());
  EXPECT_FALSE(finding->has_exchange);
  EXPECT_EQ(event_of(*finding).response.status, 0);
}

TEST(Fill, LeavesRulesAndWorkerToTheCaller) {
  const auto finding = stale_finding();
  finding->worker = 2;
  finding->rule_count = 1;
  finding->rules[0] = 17;
  finding->rules_truncated = true;
  finding->ruleset_generation = 9;
  fill(*finding, Event());
  EXPECT_EQ(finding->worker, 2);
  EXPECT_EQ(finding->rule_count, 1);
  EXPECT_EQ(finding->rules[0], 17);
  EXPECT_TRUE(finding->rules_truncated);
  EXPECT_EQ(finding->ruleset_generation, 9u);
}

TEST(Fill, LongTextKeepsItsBeginningAndSaysSo) {
  const std::string target = "/" + std::string(5000, 'a');
  Event event;
  event.type = EventType::http_request;
  event.http.target = {target, target};
  const auto finding = stale_finding();
  fill(*finding, event);
  EXPECT_TRUE(finding->target.truncated);
  EXPECT_EQ(finding->target.view(), target.substr(0, 1024));
}

TEST(Fill, RawBytesAreNotCopied) {
  // They are whatever the stream held, secrets included.
  Event event;
  event.type = EventType::raw_match;
  event.raw = "X-aws-ec2-metadata-token: SECRET";
  const auto finding = std::make_unique<Finding>();
  fill(*finding, event);
  std::string bytes(sizeof *finding, '\0');
  std::memcpy(bytes.data(), finding.get(), sizeof *finding);
  EXPECT_EQ(bytes.find("SECRET"), std::string::npos);
}

}  // namespace
}  // namespace imds::event
