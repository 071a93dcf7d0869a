// DNS messages as events: only where a rule listens, each judged once, and a rule told once per
// lookup.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/dns_lookups.h"
#include "fixture.h"
#include "support/evidence_messages.h"
#include "support/packet_builder.h"
#include "support/tcp_session.h"

namespace imds::detect {
namespace {

using support::Bytes;
using support::PacketBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kRules = R"(
title: Named
id: 11111111-1111-4111-8111-111111111111
level: high
logsource: {category: dns}
detection:
  name: {dns.question.name|endswith: '.evil.example'}
  condition: name
---
title: Answered
id: 22222222-2222-4222-8222-222222222222
level: high
logsource: {category: network, service: dns}
detection:
  text: {dns.question.type: TXT, 'dns.answers.data|contains': [IEX, cmd.exe]}
  address: {dns.answers.data|cidr: 203.0.113.0/24}
  code: {dns.type: answer, dns.response_code: NXDOMAIN}
  condition: 1 of them
)";

constexpr unsigned kTxt = 16;
const Bytes kAsked = support::dns_pointer(support::kDnsQuestion);

PacketBuilder udp(const char* from, unsigned from_port, const char* to, unsigned to_port,
                  const Bytes& message) {
  PacketBuilder builder;
  builder.ethernet().ipv4(from, to).udp(from_port, to_port).bytes(message);
  return builder;
}
PacketBuilder query(const Bytes& message) {
  return udp("10.0.0.5", 40000, "10.0.0.3", 53, message);
}
PacketBuilder reply(const Bytes& message) {
  return udp("10.0.0.3", 53, "10.0.0.5", 40000, message);
}
Bytes asked(std::string_view name) {
  return support::dns_message({.question = name, .is_response = false});
}

class DnsTest : public ::testing::Test {
 public:
  explicit DnsTest(std::string_view rules = kRules) : bench_(rules) {}

  DnsTest& give(const PacketBuilder& builder) {
    bench_.loose(builder.build(), [](Inspector& inspector, const PacketContext& packet) {
      if (inspector.may_be_evidence(packet)) {
        inspector.evidence(packet);
      }
    });
    return *this;
  }
  // "0 name 10.0.0.5>10.0.0.3": the rules' indices, the name, client and server.
  std::vector<std::string> told() {
    std::vector<std::string> out;
    for (const event::Finding& finding : bench_.take()) {
      std::string text;
      for (std::size_t i = 0; i < finding.rule_count; ++i) {
        text += std::to_string(finding.rules[i]) + ' ';
      }
      EXPECT_EQ(finding.type, event::EventType::dns);
      out.push_back(text + std::string(finding.dns_name.view()) + ' ' +
                    finding.source.ip.to_string() + '>' + finding.destination.ip.to_string());
    }
    return out;
  }
  std::uint64_t counted(DnsOutcome outcome) const {
    return counters().dns_messages[static_cast<std::size_t>(outcome)].get();
  }
  const EvidenceCounters& counters() const { return bench_.inspector().evidence().counters(); }

  Bench bench_;
};

TEST_F(DnsTest, QueriesAndAnswersAreOfTheClient) {
  give(query(asked("A.Evil.Example")));
  EXPECT_THAT(told(), ElementsAre("0 a.evil.example 10.0.0.5>10.0.0.3"));
  give(reply(support::dns_message({.question = "b.evil.example"})));
  EXPECT_THAT(told(), ElementsAre("0 b.evil.example 10.0.0.5>10.0.0.3"));
  give(query(asked("evil.example")));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(counted(DnsOutcome::judged), 3u);
}

TEST_F(DnsTest, EachAnswerIsCompared) {
  Bytes text = support::dns_message(
      {.answers = {support::dns_record(kAsked, kTxt, support::to_bytes("\x05plain")),
                   support::dns_record(kAsked, kTxt, support::to_bytes("\x0bpower iex(x"))}});
  EXPECT_THAT(give(reply(text)).told(), IsEmpty()) << "it asks for an address";
  text[12 + support::dns_name("www.example.com").size() + 1] = kTxt;
  EXPECT_EQ(give(reply(text)).told().size(), 1u);
  give(reply(support::dns_message({.question = "x.example",
                                   .answers = {support::dns_address(kAsked, "192.0.2.1"),
                                               support::dns_address(kAsked, "203.0.113.9")}})));
  EXPECT_THAT(told(), ElementsAre("1 x.example 10.0.0.5>10.0.0.3"));
  Bytes unknown = support::dns_message({.question = "y.example"});
  unknown[3] |= 3;
  EXPECT_EQ(give(reply(unknown)).told().size(), 1u);
}

TEST_F(DnsTest, ARuleIsToldOncePerLookup) {
  const Bytes address = support::dns_message(
      {.question = "a.evil.example", .answers = {support::dns_address(kAsked, "203.0.113.9")}});
  give(query(asked("a.evil.example"))).give(query(asked("a.evil.example")));
  give(reply(address)).give(reply(address));
  EXPECT_THAT(told(), ElementsAre("0 a.evil.example 10.0.0.5>10.0.0.3",
                                  "1 a.evil.example 10.0.0.5>10.0.0.3"))
      << "the other rule hits the answer only";
  Bytes another = asked("a.evil.example");
  another[1] ^= 1;
  EXPECT_EQ(give(query(another)).told().size(), 1u) << "another number is another lookup";
  EXPECT_EQ(give(query(asked("b.evil.example"))).told().size(), 1u);
  EXPECT_EQ(give(udp("10.0.0.5", 40001, "10.0.0.3", 53, asked("a.evil.example"))).told().size(),
            1u);
}

TEST_F(DnsTest, MulticastAndLlmnrAreRead) {
  give(udp("10.0.0.5", 5353, "224.0.0.251", 5353, asked("a.evil.example")));
  give(udp("10.0.0.5", 50000, "224.0.0.252", 5355, asked("b.evil.example")));
  give(udp("10.0.0.6", 5353, "224.0.0.251", 5353,
           support::dns_message({.question = "",
                                 .answers = {support::dns_address(
                                     support::dns_name("c.evil.example"), "10.0.0.6")}})));
  EXPECT_THAT(told(), ElementsAre("0 a.evil.example 10.0.0.5>224.0.0.251",
                                  "0 b.evil.example 10.0.0.5>224.0.0.252",
                                  "0 c.evil.example 224.0.0.251>10.0.0.6"));
}

TEST_F(DnsTest, EveryMessageIsCountedOnce) {
  const Bytes whole = asked("a.evil.example");
  give(query(Bytes(whole.begin(), whole.begin() + 11)));
  give(query(Bytes(whole.begin(), whole.end() - 1)));
  give(query(Bytes(whole.begin(), whole.begin() + 12)));
  EXPECT_EQ(counted(DnsOutcome::unreadable), 3u);
  EXPECT_THAT(told(), IsEmpty());
  Bytes cut = support::dns_message(
      {.question = "a.evil.example", .answers = {support::dns_address(kAsked, "192.0.2.1")}});
  cut.pop_back();
  give(reply(cut));
  give(reply(support::dns_message(
      {.answers = std::vector<Bytes>(100, support::dns_address(kAsked, "192.0.2.1"))})));
  EXPECT_EQ(counted(DnsOutcome::judged_in_part), 2u);
  EXPECT_EQ(told().size(), 1u) << "its name could be read";
  give(query(whole));
  EXPECT_EQ(counted(DnsOutcome::judged), 1u);
  std::uint64_t sum = 0;
  for (const Counter& outcome :
       counters().messages[static_cast<std::size_t>(EvidenceSource::dns)]) {
    sum += outcome.get();
  }
  EXPECT_EQ(sum, 6u);
}

TEST_F(DnsTest, HostileNamesAreEscaped) {
  Bytes message = asked("xy.evil.example");
  message[13] = 0x1b;
  message[14] = '.';
  give(query(message));
  EXPECT_THAT(told(), ElementsAre("0 \\027\\046.evil.example 10.0.0.5>10.0.0.3"));
}

TEST_F(DnsTest, OverTcpInBothDirections) {
  for (const std::size_t size : {1400u, 3u}) {
    support::TcpSession::Options options;
    options.server_ip = "10.0.0.3";
    options.server_port = 53;
    options.segment_size = size;
    support::TcpSession session(options);
    const auto text = [](const Bytes& message) {
      const Bytes bytes = support::with_length(message);
      return std::string(bytes.begin(), bytes.end());
    };
    session.handshake()
        .client(text(asked("a.evil.example")) + text(asked("b.example")))
        .server(text(support::dns_message({.question = "a.evil.example"})) +
                text(support::dns_message({.question = "c.evil.example"})));
    Bench bench(kRules);
    bench.set_lane(true).feed(session).end_all();
    std::vector<std::string> names;
    for (const event::Finding& finding : bench.take()) {
      names.emplace_back(finding.dns_name.view());
      EXPECT_EQ(finding.destination.port, 53);
      EXPECT_EQ(finding.destination.ip.to_string(), "10.0.0.3");
    }
    EXPECT_THAT(names, ElementsAre("a.evil.example", "c.evil.example")) << size;
  }
}

class DnsUnheard : public DnsTest {
 protected:
  DnsUnheard() : DnsTest(kEveryRequest) {}
};

TEST_F(DnsUnheard, QueriesAreNotReadAndAnswersNotJudged) {
  give(query(asked("a.evil.example")));
  give(reply(support::dns_message({.question = "a.evil.example"})));
  EXPECT_FALSE(bench_.inspector().listens_to_dns());
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(counted(DnsOutcome::judged), 0u);
  const auto& messages = counters().messages[static_cast<std::size_t>(EvidenceSource::dns)];
  EXPECT_EQ(messages[static_cast<std::size_t>(EvidenceOutcome::request)].get(), 0u);
  EXPECT_EQ(messages[static_cast<std::size_t>(EvidenceOutcome::other)].get(), 1u);
}

rules::RuleHits hits_of(std::initializer_list<std::uint16_t> rules) {
  rules::RuleHits hits;
  hits.clear();
  for (const std::uint16_t rule : rules) {
    hits.rules[hits.count++] = rule;
  }
  return hits;
}

TEST(DnsLookups, ForgetInTime) {
  const std::vector<std::uint16_t> identities{10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  DnsLookups lookups;
  const auto left = [&](std::uint64_t lookup, std::int64_t ns,
                        std::initializer_list<std::uint16_t> rules) {
    rules::RuleHits hits = hits_of(rules);
    lookups.forget_told(lookup, Timestamp{ns}, identities, hits);
    return std::vector<std::uint16_t>(hits.rules.begin(), hits.rules.begin() + hits.count);
  };
  EXPECT_THAT(left(7, 0, {0, 1}), ElementsAre(0, 1));
  EXPECT_THAT(left(7, 1, {1, 2}), ElementsAre(2));
  EXPECT_THAT(left(7, DnsLookups::kRememberedNs, {0}), IsEmpty());
  EXPECT_THAT(left(7, DnsLookups::kRememberedNs + 1, {0}), ElementsAre(0));
  EXPECT_THAT(left(7, 5, {0}), ElementsAre(0)) << "the clock was put back";
  EXPECT_THAT(left(7 + 2048, 6, {0}), ElementsAre(0)) << "another lookup in the same place";
  EXPECT_THAT(left(7, 7, {0}), ElementsAre(0));
  EXPECT_EQ(left(8, 0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).size(), 10u);
  EXPECT_EQ(left(8, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).size(), 3u) << "no room: told again";
  EXPECT_THAT(left(0, 0, {}), IsEmpty());
}

}  // namespace
}  // namespace imds::detect
