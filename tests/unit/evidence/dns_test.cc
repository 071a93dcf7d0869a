#include "evidence/dns.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/evidence_messages.h"

namespace imds::evidence {
namespace {

using support::Bytes;
using support::dns_address;
using support::dns_message;
using support::dns_name;
using support::dns_pointer;
using support::dns_record;
using support::joined;
using support::kDnsQuestion;
using Lines = std::vector<std::string>;

Lines records(const Bytes& bytes, bool* ok = nullptr) {
  Lines out;
  DnsReader reader(bytes);
  DnsRecord record;
  while (reader.next(record)) {
    out.push_back(std::string(record.owner) + ' ' +
                  (record.type == DnsRecord::Type::address ? record.address.to_string()
                                                           : "= " + std::string(record.target)));
  }
  if (ok != nullptr) {
    *ok = reader.ok();
  }
  return out;
}

TEST(DnsReader, TellsAddressesAndAliases) {
  const Bytes message = dns_message(
      {.question = "A.Example",
       .answers = {dns_record(dns_pointer(kDnsQuestion), support::kDnsCname, dns_name("b.example")),
                   dns_address(dns_name("b.example"), "169.254.169.254"),
                   dns_record(dns_name("x"), 16, support::to_bytes("\x04text")),
                   dns_address(dns_name("b.example"), "fd00:ec2::254")},
       .authorities = {dns_address(dns_name("ns.example"), "192.0.2.1")},
       .additional = {dns_address(dns_name("glue.example"), "192.0.2.2")}});
  const DnsReader reader(message);
  EXPECT_TRUE(reader.is_response());
  EXPECT_EQ(reader.question(), "a.example");
  bool ok = false;
  EXPECT_EQ(records(message, &ok), (Lines{"a.example = b.example", "b.example 169.254.169.254",
                                          "b.example fd00:ec2::254", "glue.example 192.0.2.2"}));
  EXPECT_TRUE(ok);
}

TEST(DnsReader, TellsTheQuestion) {
  const Bytes query = dns_message({.question = "A.Example", .is_response = false});
  const DnsReader asked(query);
  EXPECT_TRUE(asked.ok());
  EXPECT_FALSE(asked.is_response());
  EXPECT_TRUE(asked.has_question());
  EXPECT_EQ(asked.id(), 0x4242);
  EXPECT_EQ(asked.question_type(), support::kDnsA);
  Bytes refused = dns_message({});
  refused[3] |= 5;
  EXPECT_EQ(DnsReader(refused).response_code(), 5);
  const DnsReader none(dns_message({.question = ""}));
  EXPECT_TRUE(none.ok());
  EXPECT_FALSE(none.has_question());
  const DnsReader cut(ByteSpan(query).first(query.size() - 1));
  EXPECT_FALSE(cut.ok());
  EXPECT_FALSE(cut.has_question());
}

TEST(DnsReader, TakesMulticastDnsAnswers) {
  const Bytes message =
      dns_message({.question = "",
                   .answers = {dns_record(dns_name("instance-data.local"), support::kDnsA,
                                          support::address_bytes("10.0.0.66"), 0x8001)}});
  EXPECT_EQ(records(message), Lines{"instance-data.local 10.0.0.66"});
}

TEST(DnsReader, WritesOddLabelsSafely) {
  Bytes name{5, 'a', '.', 0x1b, '\\', 0xff, 1, 'B', 0};
  EXPECT_EQ(records(dns_message({.answers = {dns_address(name, "10.0.0.1")}})),
            Lines{"a\\046\\027\\092\\255.b 10.0.0.1"});
  EXPECT_EQ(records(dns_message({.answers = {dns_address({0}, "10.0.0.1")}})), Lines{". 10.0.0.1"});
}

TEST(DnsReader, FollowsChainsOfPointersBackwards) {
  // Each name is one label in front of the one before.
  unsigned at = kDnsQuestion;
  Bytes message = dns_message({.question = "example"});
  std::string expected = "example";
  for (unsigned i = 0; i < kMaxPointers; ++i) {
    const Bytes name = joined({{1, 'x'}, dns_pointer(at)});
    at = static_cast<unsigned>(message.size());
    support::append(message, dns_address(name, "10.0.0.1"));
    expected = "x." + expected;
  }
  support::wire::put16(message, 6, kMaxPointers);
  const Lines found = records(message);
  ASSERT_EQ(found.size(), kMaxPointers);
  EXPECT_EQ(found.back(), expected + " 10.0.0.1");
  support::append(message, dns_address(joined({{1, 'x'}, dns_pointer(at)}), "10.0.0.1"));
  support::wire::put16(message, 6, kMaxPointers + 1);
  bool ok = true;
  EXPECT_EQ(records(message, &ok).size(), kMaxPointers) << "one pointer too many";
  EXPECT_FALSE(ok);
}

TEST(DnsReader, RefusesLoopsAndPointersAhead) {
  const Bytes head = dns_message({.question = "example"});
  const auto here = static_cast<unsigned>(head.size());
  for (const Bytes& name :
       {dns_pointer(here), dns_pointer(here + 2), joined({{1, 'a'}, dns_pointer(here)}),
        joined({{1, 'a'}, dns_pointer(here + 2)}), dns_pointer(0x3fff)}) {
    Bytes message = joined({head, dns_address(name, "10.0.0.1")});
    support::wire::put16(message, 6, 1);
    bool ok = true;
    EXPECT_EQ(records(message, &ok), Lines{});
    EXPECT_FALSE(ok);
  }
  // Two that point at each other: the second only leads back, to where the first leads ahead.
  Bytes message = joined({head,
                          {1, 'a'},
                          dns_pointer(here + 14),
                          Bytes(10, 0),
                          {1, 'b'},
                          dns_pointer(here),
                          Bytes(10, 0)});
  support::wire::put16(message, 6, 2);
  EXPECT_EQ(records(message), Lines{});
}

TEST(DnsReader, RefusesNamesThatAreTooLong) {
  std::string longest;
  for (int i = 0; i < 3; ++i) {
    longest += std::string(63, 'a') + '.';
  }
  longest += std::string(61, 'a');  // 3 × 64 + 62 + 1 = 255 bytes
  EXPECT_EQ(records(dns_message({.answers = {dns_address(dns_name(longest), "10.0.0.1")}})),
            Lines{longest + " 10.0.0.1"});
  bool ok = true;
  EXPECT_EQ(
      records(dns_message({.answers = {dns_address(dns_name(longest + 'a'), "10.0.0.1")}}), &ok),
      Lines{});
  EXPECT_FALSE(ok);
}

TEST(DnsReader, ReadsOnlySoManyNames) {
  std::vector<Bytes> answers(kMaxNamesRead + 10,
                             dns_address(dns_pointer(kDnsQuestion), "10.0.0.1"));
  const Lines found = records(dns_message({.question = "a.b", .answers = answers}));
  ASSERT_EQ(found.size(), answers.size());
  EXPECT_EQ(found[kMaxNamesRead - 2], "a.b 10.0.0.1");
  EXPECT_EQ(found[kMaxNamesRead - 1], " 10.0.0.1") << "the question was one of them";
}

TEST(DnsReader, SurvivesEveryTruncationAndLyingCounts) {
  Bytes whole = dns_message(
      {.answers = {dns_record(dns_pointer(kDnsQuestion), support::kDnsCname, dns_name("b.c")),
                   dns_address(dns_name("b.c"), "169.254.169.254")}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    bool ok = true;
    EXPECT_LE(records(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), &ok).size(),
              1u);
    EXPECT_FALSE(ok) << size;
  }
  for (const std::size_t count : {4u, 6u, 8u, 10u}) {
    Bytes lying = whole;
    support::wire::put16(lying, count, 0xffff);
    bool ok = true;
    EXPECT_LE(records(lying, &ok).size(), 2u);
    EXPECT_FALSE(ok) << count;
  }
  Bytes lying = whole;
  support::wire::put16(lying, whole.size() - 6, 5);  // the address's length
  bool ok = true;
  EXPECT_EQ(records(lying, &ok).size(), 1u);
  EXPECT_FALSE(ok);
}

TEST(MayStartDns, QueriesAreStandardOnes) {
  const auto may = [](const Bytes& bytes) { return may_start_dns(bytes, DnsKind::query); };
  EXPECT_TRUE(may(support::with_length(dns_message({.is_response = false}))));
  EXPECT_FALSE(may(support::with_length(dns_message({}))));
  EXPECT_FALSE(may(support::to_bytes("GET / HTTP/1.1")));
  EXPECT_FALSE(may(support::to_bytes("PUT /x HTTP/1.1")));
  EXPECT_FALSE(may(support::to_bytes("\x16\x03\x01 TLS")));
  EXPECT_TRUE(may({0, 12, 1}));
}

TEST(MayStartDns, ResponsesAreNeitherHttpNorQueries) {
  const auto may = [](const Bytes& bytes) { return may_start_dns(bytes, DnsKind::response); };
  EXPECT_TRUE(may(support::with_length(dns_message({}))));
  EXPECT_FALSE(may(support::with_length(dns_message({.is_response = false}))));
  EXPECT_FALSE(may(support::to_bytes("HTTP/1.1 200 OK")));
  EXPECT_FALSE(may(support::to_bytes("GET / HTTP/1.1")));
  EXPECT_FALSE(may({0, 11, 1}));
  EXPECT_TRUE(may({0}));
  EXPECT_TRUE(may({}));
}

}  // namespace
}  // namespace imds::evidence
