// Who answered and who claimed, in records and in all forms of alerts.
#include <cstring>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "alert/format.h"
#include "samples.h"

namespace imds::alert {
namespace {

using nlohmann::json;

event::Finding claim() {
  event::Finding f{};
  f.time = Timestamp{1'759'924'800'123'456'789};
  f.type = event::EventType::address_claim;
  f.source.mac = MacAddress{{0x02, 0, 0x5e, 0x10, 0, 0x66}};
  f.source.ip = *IpAddress::parse("169.254.169.254");
  f.destination.ip = *IpAddress::parse("10.1.2.3");
  f.endpoint.assign("aws-imds-v4");
  f.evidence.claim = event::ClaimKind::arp_reply;
  f.evidence.prefix = *IpPrefix::parse("169.254.169.254/32");
  f.evidence.claimed_mac = MacAddress{{0x02, 0, 0x5e, 0x10, 0, 0x67}};
  f.evidence.previous_mac = MacAddress{{0x02, 0, 0x5e, 0x10, 0, 0x68}};
  f.evidence.signs = event::kMacMismatch | event::kOwnerChanged;
  return f;
}

event::Finding answer() {
  event::Finding f = sample_finding();
  f.type = event::EventType::responder;
  f.method.clear();
  f.target.clear();
  f.path.clear();
  f.domain.clear();
  f.user_agent.clear();
  f.evidence.answer = event::Answer::syn_ack;
  f.evidence.ttl = 61;
  f.evidence.hop_distance = 3;
  return f;
}

TEST(EvidenceRecord, CarriesAClaim) {
  event::Finding f = claim();
  f.evidence.gateway = *IpAddress::parse("fe80::1");
  f.dns_name.assign("a.example");
  const imds_alert_record r = record_of(f);
  EXPECT_TRUE(is_valid(r));
  EXPECT_EQ(r.evidence.claim, IMDS_ALERT_CLAIM_ARP_REPLY);
  EXPECT_EQ(r.evidence.answer, IMDS_ALERT_ANSWER_NONE);
  EXPECT_EQ(r.evidence.has_hops, 0);
  EXPECT_EQ(address_of(r.evidence.prefix).to_string(), "169.254.169.254");
  EXPECT_EQ(r.evidence.prefix_length, 32);
  EXPECT_EQ(address_of(r.evidence.gateway).to_string(), "fe80::1");
  EXPECT_EQ(r.evidence.signs, IMDS_ALERT_SIGN_MAC_MISMATCH | IMDS_ALERT_SIGN_OWNER_CHANGED);
  EXPECT_EQ(MacAddress::wire(r.evidence.claimed_mac), f.evidence.claimed_mac);
  EXPECT_EQ(MacAddress::wire(r.evidence.previous_mac), f.evidence.previous_mac);
  EXPECT_EQ(view(r.evidence.dns_name), "a.example");
}

TEST(EvidenceRecord, LeavesNothingForTheNext) {
  RecordMaker maker;
  event::Finding f = claim();
  f.dns_name.assign("a.example");
  maker.take(f, {});
  (void)maker.make(sample_rule());
  maker.take(answer(), {});
  imds_alert_record r = maker.make(sample_rule()).record;
  EXPECT_EQ(r.evidence.claim, 0);
  EXPECT_EQ(r.evidence.dns_name.length, 0);
  maker.take(sample_finding(), {});
  r = maker.make(sample_rule()).record;
  const imds_alert_evidence nothing{};
  EXPECT_EQ(std::memcmp(&r.evidence, &nothing, sizeof nothing), 0);
}

// Ids are for good: what had one before there was evidence keeps it.
TEST(EvidenceRecord, ClaimsOfOnePacketHaveIdsOfTheirOwn) {
  event::Finding f = claim();
  const std::string first = id_text(record_of(f));
  f.evidence.prefix = *IpPrefix::parse("169.254.0.0/16");
  const std::string second = id_text(record_of(f));
  f.evidence.claim = event::ClaimKind::dhcp_route;
  const std::string third = id_text(record_of(f));
  f.evidence.claimed_mac = {};
  const std::string fourth = id_text(record_of(f));
  EXPECT_NE(first, second);
  EXPECT_NE(second, third);
  EXPECT_NE(third, fourth);
}

TEST(EvidenceRecord, RefusesWhatIsOutOfRange) {
  const auto is_refused = [](auto&& change) {
    imds_alert_record r = record_of(claim());
    change(r.evidence);
    return !is_valid(r);
  };
  EXPECT_FALSE(is_refused([](imds_alert_evidence&) {}));
  EXPECT_TRUE(is_refused([](imds_alert_evidence& e) { e.has_hops = 2; }));
  EXPECT_TRUE(is_refused([](imds_alert_evidence& e) { e.prefix.family = 5; }));
  EXPECT_TRUE(is_refused([](imds_alert_evidence& e) { e.gateway.family = 5; }));
  EXPECT_TRUE(is_refused([](imds_alert_evidence& e) { e.prefix_length = 129; }));
  EXPECT_TRUE(is_refused([](imds_alert_evidence& e) { e.dns_name.length = 161; }));
}

TEST(EvidenceForms, ClaimInJson) {
  const json imds = json::parse(to_ecs_json(record_of(claim())))["imds"];
  EXPECT_EQ(imds, json({{"event", "address_claim"},
                        {"endpoint", "aws-imds-v4"},
                        {"previous_mac", "02:00:5e:10:00:68"},
                        {"claim",
                         {{"kind", "arp_reply"},
                          {"prefix", "169.254.169.254/32"},
                          {"mac", "02:00:5e:10:00:67"},
                          {"signs", {"mac_mismatch", "owner_changed"}}}}}));
}

TEST(EvidenceForms, AnswerInJson) {
  const json imds = json::parse(to_ecs_json(record_of(answer())))["imds"];
  EXPECT_EQ(imds, json({{"event", "responder"},
                        {"endpoint", "aws-imds-v4"},
                        {"answer", "syn_ack"},
                        {"ttl", 61},
                        {"hop_distance", 3},
                        {"routed", true}}));
}

TEST(EvidenceForms, Eve) {
  event::Finding f = claim();
  f.dns_name.assign("a\xff.example");
  const json metadata = json::parse(to_eve_json(record_of(f)))["alert"]["metadata"];
  EXPECT_EQ(metadata["imds_claim_kind"], json({"arp_reply"}));
  EXPECT_EQ(metadata["imds_claim_prefix"], json({"169.254.169.254/32"}));
  EXPECT_EQ(metadata["imds_claim_signs"], json({"mac_mismatch", "owner_changed"}));
  EXPECT_EQ(metadata["dns_question_name"], json({"a\xef\xbf\xbd.example"}));
  EXPECT_EQ(json::parse(to_eve_json(record_of(answer())))["alert"]["metadata"]["imds_hop_distance"],
            json({"3"}));
}

TEST(EvidenceForms, Text) {
  EXPECT_NE(
      to_text(record_of(claim()), false)
          .find("\n    arp_reply 169.254.169.254/32 at 02:00:5e:10:00:67 by 02:00:5e:10:00:66 "
                "mac_mismatch owner_changed  before 02:00:5e:10:00:68"),
      std::string::npos);
  EXPECT_NE(to_text(record_of(answer()), false)
                .find("\n    answer syn_ack from 02:00:5e:10:00:02 ttl 61, 3 hops away"),
            std::string::npos);
  event::Finding f = claim();
  f.dns_name.assign("\x1b[2J");
  EXPECT_NE(to_text(record_of(f), false).find("\"\\x1b[2J\""), std::string::npos);
}

TEST(EvidenceForms, DnsHasTheNameAskedFor) {
  event::Finding f = answer();
  f.type = event::EventType::dns;
  f.evidence = {};
  f.method.assign("");
  f.target.assign("");
  f.path.assign("");
  f.domain.assign("");
  f.user_agent.assign("");
  f.http_version.assign("");
  f.dns_name.assign("a\x1b.example");
  const imds_alert_record r = record_of(f);
  EXPECT_EQ(json::parse(to_ecs_json(r))["dns"]["question"]["name"], "a\x1b.example");
  EXPECT_EQ(json::parse(to_ecs_json(r))["event"]["action"], "dns");
  EXPECT_EQ(json::parse(to_eve_json(r))["app_proto"], "dns");
  EXPECT_NE(to_text(r, false).find("\n    name \"a\\x1b.example\""), std::string::npos);
}

// A newer writer may know more kinds than this reader.
TEST(EvidenceForms, UnknownCodesAreNumbers) {
  imds_alert_record r = record_of(claim());
  r.evidence.claim = 200;
  EXPECT_EQ(json::parse(to_ecs_json(r))["imds"]["claim"]["kind"], "200");
}

}  // namespace
}  // namespace imds::alert
