#include "evidence/dns_answers.h"

#include <memory>
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
using support::dns_record;
using support::joined;
using support::to_bytes;
using Texts = std::vector<std::string>;

constexpr unsigned kPtr = 12;
constexpr unsigned kMx = 15;
constexpr unsigned kTxt = 16;
constexpr unsigned kSrv = 33;

// Keeps the bytes of the message, so that nothing dangles.
struct Read {
  explicit Read(Bytes message) : bytes(std::move(message)) {
    DnsReader reader(bytes);
    answers->read(reader);
    ok = reader.ok();
    for (const std::string_view text : answers->texts()) {
      texts.emplace_back(text);
    }
  }
  Bytes bytes;
  std::unique_ptr<DnsAnswers> answers = std::make_unique<DnsAnswers>();
  Texts texts;
  bool ok = false;
};

Bytes answer(unsigned type, const Bytes& data, unsigned record_class = 1) {
  return dns_record(support::dns_pointer(support::kDnsQuestion), type, data, record_class);
}

TEST(DnsAnswers, AreAddressesNamesAndTexts) {
  const Read read(dns_message(
      {.answers = {dns_address({0}, "192.0.2.1"), dns_address({0}, "2001:DB8::1"),
                   answer(support::kDnsCname, dns_name("B.Example")),
                   answer(kPtr, dns_name("host.example")),
                   answer(kMx, joined({{0, 10}, dns_name("mail.example")})),
                   answer(kSrv, joined({{0, 1, 0, 2, 0, 80}, dns_name("srv.example")})),
                   answer(kTxt, joined({{4}, to_bytes("IEX "), {5}, to_bytes("(\x00\xff)x")})),
                   answer(10, to_bytes("null"))},
       .authorities = {dns_address({0}, "192.0.2.9")}}));
  EXPECT_TRUE(read.ok);
  EXPECT_FALSE(read.answers->is_cut());
  Texts expected{"192.0.2.1",    "2001:db8::1",  "b.example",
                 "host.example", "mail.example", "srv.example"};
  ASSERT_EQ(read.texts.size(), 7u);
  EXPECT_EQ(read.texts.back().substr(0, 5), "IEX (");
  EXPECT_EQ(Texts(read.texts.begin(), read.texts.end() - 1), expected);
}

TEST(DnsAnswers, OfMessagesThatAskNothingTheFirstOwnerIsKept) {
  const Read read(dns_message({.question = "",
                               .answers = {dns_record(dns_name("Printer.Local"), support::kDnsA,
                                                      support::address_bytes("10.0.0.66"), 0x8001),
                                           dns_address(dns_name("other.local"), "10.0.0.67")}}));
  EXPECT_EQ(read.answers->first_owner(), "printer.local");
  EXPECT_EQ(read.answers->first_type(), support::kDnsA);
  EXPECT_EQ(read.texts, (Texts{"10.0.0.66", "10.0.0.67"}));
  EXPECT_EQ(Read(dns_message({})).answers->first_owner(), "");
}

TEST(DnsAnswers, InFrontOfAFlawAreTold) {
  Bytes message = dns_message({.answers = {dns_address({0}, "192.0.2.1"),
                                           answer(support::kDnsCname, dns_name("b.example"))}});
  message.pop_back();
  const Read cut(message);
  EXPECT_FALSE(cut.ok);
  EXPECT_EQ(cut.texts, Texts{"192.0.2.1"});
  const Read loop(dns_message({.answers = {answer(kMx, {0})}}));
  EXPECT_FALSE(loop.ok);
  EXPECT_TRUE(loop.texts.empty());
  const Read lies(dns_message({.answers = {answer(kTxt, joined({{200}, to_bytes("abc")}))}}));
  EXPECT_TRUE(lies.ok);
  EXPECT_EQ(lies.texts, Texts{"abc"});
}

TEST(DnsAnswers, OtherClassesHaveNone) {
  const Read read(dns_message({.answers = {answer(support::kDnsA, {1, 2}, 3)}}));
  EXPECT_TRUE(read.ok);
  EXPECT_TRUE(read.texts.empty());
}

TEST(DnsAnswers, AreBounded) {
  const Read many(dns_message({.answers = std::vector<Bytes>(100, dns_address({0}, "192.0.2.1"))}));
  EXPECT_EQ(many.texts.size(), kMaxDnsAnswers);
  EXPECT_TRUE(many.answers->is_cut());
  const Bytes text = joined({{255}, Bytes(255, 'x')});
  const Read large(dns_message({.answers = std::vector<Bytes>(40, answer(kTxt, text))}));
  EXPECT_TRUE(large.answers->is_cut());
  std::size_t size = 0;
  for (const std::string& each : large.texts) {
    size += each.size();
  }
  EXPECT_EQ(size, kMaxDnsAnswerBytes);
}

}  // namespace
}  // namespace imds::evidence
