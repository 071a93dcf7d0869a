#include "event/dns.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "event/event.h"

namespace imds::event {
namespace {

std::string text(const Event& event, FieldId field) {
  FieldScratch scratch;
  const FieldValue value = value_of(event, field, scratch);
  return value.kind == FieldValue::Kind::absent ? "absent" : std::string(value.text.raw);
}

TEST(DnsWords, KnownOnesHaveNamesOthersNumbers) {
  std::array<char, kMaxDnsWord> room;
  EXPECT_EQ(dns_type_name(1, room), "A");
  EXPECT_EQ(dns_type_name(10, room), "NULL");
  EXPECT_EQ(dns_type_name(16, room), "TXT");
  EXPECT_EQ(dns_type_name(28, room), "AAAA");
  EXPECT_EQ(dns_type_name(257, room), "CAA");
  EXPECT_EQ(dns_type_name(0, room), "TYPE0");
  EXPECT_EQ(dns_type_name(65535, room), "TYPE65535");
  EXPECT_EQ(dns_response_name(0, room), "NOERROR");
  EXPECT_EQ(dns_response_name(3, room), "NXDOMAIN");
  EXPECT_EQ(dns_response_name(15, room), "RCODE15");
}

TEST(DnsEvent, HasItsFields) {
  Event event;
  event.type = EventType::dns;
  event.dns_name = "a.example";
  event.dns.question_type = 16;
  event.dns.response_code = 3;
  EXPECT_EQ(text(event, FieldId::imds_event), "dns");
  EXPECT_EQ(text(event, FieldId::dns_question_name), "a.example");
  EXPECT_EQ(text(event, FieldId::dns_question_type), "TXT");
  EXPECT_EQ(text(event, FieldId::dns_type), "query");
  EXPECT_EQ(text(event, FieldId::dns_response_code), "absent") << "a query has none";
  event.dns.is_answer = true;
  EXPECT_EQ(text(event, FieldId::dns_type), "answer");
  EXPECT_EQ(text(event, FieldId::dns_response_code), "NXDOMAIN");
  event.dns.question_type.reset();
  EXPECT_EQ(text(event, FieldId::dns_question_type), "absent");
}

TEST(DnsEvent, OtherEventsHaveNone) {
  const Event event;
  EXPECT_EQ(text(event, FieldId::dns_type), "absent");
  EXPECT_EQ(text(event, FieldId::dns_response_code), "absent");
  Event dns;
  dns.type = EventType::dns;
  dns.flow.endpoint = "imds";
  EXPECT_FALSE(moves_story(dns));
}

}  // namespace
}  // namespace imds::event
