#include "event/evidence.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "event/event.h"
#include "event/finding.h"

namespace imds::event {
namespace {

Event claim() {
  Event event;
  event.type = EventType::address_claim;
  event.evidence.claim = ClaimKind::dhcp_route;
  event.evidence.signs = kRelayed | kBroadcast;
  event.evidence.claimed_mac.bytes = {2, 0, 0, 0, 0, 0x66};
  event.evidence.previous_mac.bytes = {2, 0, 0, 0, 0, 0x67};
  event.evidence.prefix = *IpPrefix::parse("169.254.0.0/16");
  event.evidence.gateway = IpAddress::v4(0x0a000042);
  event.dns_name = "a.example";
  return event;
}

Event answer() {
  Event event;
  event.type = EventType::responder;
  event.evidence.answer = Answer::syn_ack;
  event.evidence.hop_distance = 0;
  return event;
}

std::string text(const Event& event, FieldId field) {
  FieldScratch scratch;
  const FieldValue value = value_of(event, field, scratch);
  return value.kind == FieldValue::Kind::absent ? "absent" : std::string(value.text.raw);
}

TEST(Evidence, NamesAreTheirOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kAnswerCount; ++i) {
    EXPECT_TRUE(names.insert(name(static_cast<Answer>(i))).second);
  }
  names.clear();
  for (std::size_t i = 0; i < kClaimKindCount; ++i) {
    EXPECT_TRUE(names.insert(name(static_cast<ClaimKind>(i))).second);
  }
  EXPECT_EQ(name(ClaimKind::dns_metadata_name), "dns_metadata_name");
  EXPECT_EQ(name(Answer::icmp), "icmp");
}

// A rule that asks for one looks for it in the list of all.
TEST(Evidence, NoSignIsPartOfAnother) {
  for (const SignName& a : sign_names()) {
    for (const SignName& b : sign_names()) {
      EXPECT_TRUE(a.bit == b.bit || a.name.find(b.name) == std::string_view::npos) << a.name;
    }
  }
}

TEST(Evidence, AllSignsFitTheScratch) {
  Event event = claim();
  event.evidence.signs = 0xffff;
  const std::string all = text(event, FieldId::imds_claim_signs);
  EXPECT_EQ(static_cast<std::size_t>(std::count(all.begin(), all.end(), ',')) + 1,
            sign_names().size());
}

TEST(Evidence, HopDistanceIsWhatTheNextInitialTtlLacks) {
  EXPECT_EQ(hop_distance(0), std::nullopt);
  EXPECT_EQ(hop_distance(1), 31);
  EXPECT_EQ(hop_distance(32), 0);
  EXPECT_EQ(hop_distance(33), 31);
  EXPECT_EQ(hop_distance(64), 0);
  EXPECT_EQ(hop_distance(126), 2);
  EXPECT_EQ(hop_distance(129), 126);
  EXPECT_EQ(hop_distance(255), 0);
}

TEST(Evidence, FieldsOfAClaim) {
  const Event event = claim();
  EXPECT_EQ(text(event, FieldId::imds_claim_kind), "dhcp_route");
  EXPECT_EQ(text(event, FieldId::imds_claim_prefix), "169.254.0.0/16");
  EXPECT_EQ(text(event, FieldId::imds_claim_mac), "02:00:00:00:00:66");
  EXPECT_EQ(text(event, FieldId::imds_previous_mac), "02:00:00:00:00:67");
  EXPECT_EQ(text(event, FieldId::imds_claim_signs), "broadcast,relayed");
  EXPECT_EQ(text(event, FieldId::dns_question_name), "a.example");
  EXPECT_EQ(text(event, FieldId::imds_answer), "absent");
  EXPECT_EQ(text(event, FieldId::imds_hop_distance), "absent");
  FieldScratch scratch;
  EXPECT_EQ(value_of(event, FieldId::imds_claim_gateway, scratch).address, event.evidence.gateway);
  Event v6 = event;
  v6.evidence.prefix = {*IpAddress::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 128};
  EXPECT_EQ(text(v6, FieldId::imds_claim_prefix), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

TEST(Evidence, FieldsOfAnAnswer) {
  const Event event = answer();
  EXPECT_EQ(text(event, FieldId::imds_answer), "syn_ack");
  FieldScratch scratch;
  const FieldValue hops = value_of(event, FieldId::imds_hop_distance, scratch);
  EXPECT_EQ(hops.kind, FieldValue::Kind::number);
  EXPECT_EQ(hops.number, 0) << "0 is a distance";
  for (const FieldId field :
       {FieldId::imds_claim_kind, FieldId::imds_claim_prefix, FieldId::imds_claim_mac,
        FieldId::imds_previous_mac, FieldId::imds_claim_gateway, FieldId::imds_claim_signs,
        FieldId::dns_question_name}) {
    EXPECT_EQ(text(event, field), "absent") << describe(field).name;
  }
}

TEST(Evidence, FindingsKeepIt) {
  const auto finding = std::make_unique<Finding>();
  for (const Event& event : {claim(), answer()}) {
    fill(*finding, event);
    const Event again = event_of(*finding);
    EXPECT_EQ(again.evidence, event.evidence);
    EXPECT_EQ(again.dns_name, event.dns_name);
  }
  EXPECT_TRUE(is_in_findings(FieldId::imds_claim_kind));
  Event long_name = claim();
  const std::string name(300, 'a');
  long_name.dns_name = name;
  fill(*finding, long_name);
  EXPECT_EQ(finding->dns_name.view(), name.substr(0, 160));
  EXPECT_TRUE(finding->dns_name.truncated);
}

}  // namespace
}  // namespace imds::event
