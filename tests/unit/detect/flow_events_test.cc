// Connections, directions, suppression and accounting.
#include <limits>

#include "fixture.h"
#include "support/packet_builder.h"

namespace imds::detect {
namespace {

using support::PacketBuilder;
using support::TcpSession;

TEST(Connection, IsReportedOnceOnTheFirstSyn) {
  TcpSession session;
  session.syn();
  session.packets().push_back(session.packets().front());  // a repeated SYN
  session.syn_ack().client_ack().client_ack();
  Bench bench;
  bench.feed(session);
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].type, event::EventType::connection);
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(findings[0].destination.ip.to_string(), "169.254.169.254");
  EXPECT_EQ(findings[0].destination.port, 80);
  EXPECT_EQ(findings[0].endpoint.view(), "imds");
  EXPECT_EQ(findings[0].visibility, 0);
}

TEST(Connection, OrdinaryDestinationsAreNone) {
  TcpSession session(elsewhere());
  session.handshake().client(kOrdinary).fin();
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

TEST(Connection, AnswerSeenFirstNamesTheEndpointAsDestination) {
  TcpSession session;
  session.syn().syn_ack();
  session.packets().erase(session.packets().begin());
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].destination.ip.to_string(), "169.254.169.254");
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_NE(findings[0].visibility & event::kResponsesOnly, 0);
}

TEST(Connection, MidStreamTouchesTheEndpoint) {
  TcpSession session;
  session.handshake().client(kMetadata);
  session.packets().erase(session.packets().begin(), session.packets().begin() + 3);
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_NE(findings[0].visibility & event::kMidStream, 0);
}

TEST(Connection, FromAnEndpointIsNotToIt) {
  TcpSession::Options options;
  options.client_ip = "169.254.169.254";
  options.server_ip = "10.0.0.1";
  EXPECT_EQ(Bench().feed(TcpSession(options).handshake()).events(), Events{});
}

TEST(Connection, SamePortsAnewAfterTheEndAreAnotherOne) {
  TcpSession first;
  first.handshake().fin();
  TcpSession::Options options;
  options.client_isn = 77777;
  TcpSession second(options);
  second.handshake();
  EXPECT_EQ(Bench().feed(first).feed(second).events(), (Events{"connection", "connection"}));
}

TEST(Connection, SamePortsAnewWithoutAnEndAreAnotherOne) {
  TcpSession first;
  first.syn();
  TcpSession::Options options;
  options.client_isn = 77777;
  TcpSession second(options);
  second.syn();
  EXPECT_EQ(Bench().feed(first).feed(second).events(), (Events{"connection", "connection"}));
}

TEST(Connection, SamePortsAnewInTheMiddleOfAHeadAreAnotherOne) {
  TcpSession first;
  first.handshake().client("GET /first HTTP/1.1\r\nHost: ");
  TcpSession::Options options;
  options.client_isn = 77777;
  TcpSession second(options);
  second.handshake().client("GET /second HTTP/1.1\r\n\r\n");
  EXPECT_EQ(
      Bench().feed(first).feed(second).events(),
      (Events{"connection", "http_request GET /first", "connection", "http_request GET /second"}));
}

TEST(Connection, RepeatedSynAfterDataIsTheSameOne) {
  TcpSession session;
  session.handshake().client("GET /a HTTP/1.1\r\n");
  session.packets().push_back(session.packets().front());
  session.client("\r\n");
  EXPECT_EQ(Bench().feed(session).events(), (Events{"connection", "http_request GET /a"}));
}

// Whoever answers at the endpoint may also open; that hides nothing.
TEST(Connection, SimultaneousOpenIsToTheEndpoint) {
  TcpSession session;
  session.segment(false, 9000, support::kSyn, "").syn();
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].destination.ip.to_string(), "169.254.169.254");
}

TEST(Connection, AStraySynAckHidesNothing) {
  TcpSession session;
  session.segment(true, 1000, support::kSyn | support::kAck, "").syn();
  EXPECT_EQ(Bench().feed(session).events(), Events{"connection"});
}

TEST(Connection, RequestFromAnEndpointWithoutSynIsNotToIt) {
  TcpSession::Options options;
  options.client_ip = "169.254.169.254";
  options.server_ip = "10.0.0.1";
  TcpSession session(options);
  session.client(kMetadata);
  Bench bench;
  bench.feed(session);
  event::Finding request;
  for (const event::Finding& finding : bench.take()) {
    request = finding;
  }
  EXPECT_EQ(request.type, event::EventType::http_request);
  EXPECT_EQ(request.source.ip.to_string(), "169.254.169.254");
}

TEST(Connection, UdpAndEchoRequestsCountOthersDoNot) {
  Bench bench;
  bench.feed(PacketBuilder()
                 .ethernet()
                 .ipv4("10.0.0.1", "169.254.169.254")
                 .udp(4000, 53)
                 .payload("question")
                 .build());
  bench.feed(PacketBuilder().ethernet().ipv4("10.0.0.2", "169.254.169.254").icmp(8, 0).build());
  bench.feed(PacketBuilder().ethernet().ipv4("10.0.0.3", "169.254.169.254").icmp(3, 3).build());
  bench.feed(
      PacketBuilder().ethernet().ipv4("10.0.0.4", "10.0.0.5").udp(1, 2).payload("x").build());
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].ip_protocol, 17);
  EXPECT_EQ(findings[1].ip_protocol, 1);
  EXPECT_EQ(bench.flow_count(), 2u);
}

TEST(Direction, WithoutSynTheRequestTellsTheClient) {
  TcpSession::Options options = elsewhere();
  options.client_port = 80;  // so that the guess by port would be wrong
  options.server_port = 40000;
  TcpSession session(options);
  session.handshake().client(kMetadata);
  session.packets().erase(session.packets().begin(), session.packets().begin() + 3);
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(findings[0].visibility & event::kDirectionGuessed, 0);
}

TEST(Direction, LowerPortIsTheServerWhenNothingTells) {
  TcpSession::Options options = elsewhere();
  options.server_port = 7777;
  TcpSession session(options);
  session.handshake().server("\x01the path /latest/meta-data in a binary protocol");
  session.packets().erase(session.packets().begin(), session.packets().begin() + 3);
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].type, event::EventType::raw_match);
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_NE(findings[0].visibility & event::kDirectionGuessed, 0);
}

TEST(TestTraffic, IsMarked) {
  TcpSession session;
  session.syn();
  Bench bench;
  bench.feed(session.packets()[0].bytes, {}, true);
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].is_test);
}

TEST(Suppression, WithholdsAndCounts) {
  classify::Options classes;
  classes.suppressions.push_back({"lab", {*IpPrefix::parse("10.0.0.0/24")}, {}, {}});
  Bench bench(kBulletin, {}, classes);
  TcpSession session;
  session.handshake().client(kMetadata);
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.suppressed(0), 2u);
  EXPECT_EQ(bench.counters().findings_suppressed.get(), 2u);
}

TEST(Suppression, LooksAtTheClientAlsoInAnswers) {
  classify::Options classes;
  classes.suppressions.push_back({"lab", {*IpPrefix::parse("10.0.0.0/24")}, {}, {}});
  Bench bench(kBulletin, {}, classes);
  TcpSession session;
  session.syn().syn_ack();
  session.packets().erase(session.packets().begin());
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.suppressed(0), 1u);
}

TEST(Suppression, ByVlanOfAnyTag) {
  classify::Options classes;
  classes.suppressions.push_back({"cloud", {}, {{100, 100}}, {}});
  Bench bench(kBulletin, {}, classes);
  TcpSession::Options options;
  options.vlans = {7, 100};
  EXPECT_EQ(bench.feed(TcpSession(options).handshake()).events(), Events{});
  options.vlans = {7, 101};
  EXPECT_EQ(bench.feed(TcpSession(options).handshake()).events(), Events{"connection"});
}

std::uint64_t sum(const std::array<Counter, event::kEventTypeCount>& counters) {
  std::uint64_t total = 0;
  for (const Counter& counter : counters) {
    total += counter.get();
  }
  return total;
}

// Every hit has its place, and so has every finding.
void expect_balance(const Counters& c) {
  EXPECT_EQ(c.hits_produced.get(), c.hits_queued.get() + c.hits_suppressed.get() +
                                       c.hits_lost.get() + c.rule_hits_cut.get());
  EXPECT_EQ(sum(c.findings_produced),
            c.findings_queued.get() + c.findings_suppressed.get() + c.findings_lost.get());
}

TEST(Suppression, OfOneRuleLeavesTheOthers) {
  classify::Options classes;
  classes.suppressions.push_back({"bulletin", {}, {}, {}});
  classes.suppressions[0].by_rule = true;
  classes.suppressions[0].rules = {0};
  Bench bench(std::string(kBulletin) + "---" + std::string(kEveryRequest), {}, classes);
  TcpSession session;
  session.handshake().client(kMetadata);
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].type, event::EventType::http_request);
  ASSERT_EQ(findings[0].rule_count, 1);
  EXPECT_EQ(findings[0].rules[0], 1);
  const Counters& c = bench.counters();
  EXPECT_EQ(bench.suppressed(0), 2u);
  EXPECT_EQ(c.hits_produced.get(), 3u);
  EXPECT_EQ(c.hits_suppressed.get(), 2u);
  // The connection, which nothing else hit: the story is told of it all the same.
  EXPECT_EQ(bench.told(), Events{"connection"});
  EXPECT_EQ(c.findings_for_story.get(), 1u);
  EXPECT_EQ(c.findings_suppressed.get(), 0u);
  expect_balance(c);
}

constexpr std::string_view kElsewhereOnly = R"(
title: Elsewhere
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {category: network}
detection:
  there: {destination.ip: 203.0.113.7}
  condition: there
)";

TEST(ForTheStory, ConnectionsToEndpointsAreToldThatNoRuleHits) {
  Bench bench(kElsewhereOnly);
  TcpSession session;
  session.handshake().client(kMetadata).client(kMetadata);
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.told(), Events{"connection"});
  const Counters& c = bench.counters();
  EXPECT_EQ(c.findings_for_story.get(), 1u);
  EXPECT_EQ(c.findings_queued.get(), 1u);
  EXPECT_EQ(c.hits_produced.get(), 0u);
  EXPECT_EQ(c.hits_queued.get(), 0u);
  expect_balance(c);
}

TEST(ForTheStory, OtherFlowsAreNot) {
  Bench bench(kEveryRequest);
  TcpSession session(elsewhere());
  session.handshake().client(kMetadata);
  EXPECT_EQ(bench.feed(session).take().size(), 1u);
  EXPECT_EQ(bench.told(), Events{});
}

TEST(ForTheStory, NorAreTestRequests) {
  Bench bench(kElsewhereOnly);
  TcpSession session;
  session.handshake();
  for (const support::TimedPacket& packet : session.packets()) {
    bench.feed(packet.bytes, packet.time, true);
  }
  EXPECT_EQ(bench.events(), Events{});
  EXPECT_EQ(bench.told(), Events{});
}

// What is suppressed whatever rule it hits is expected, and no story.
TEST(ForTheStory, ASuppressionOfAllRulesIsOneOfTheStory) {
  classify::Options classes;
  classes.suppressions.push_back({"lab", {*IpPrefix::parse("10.0.0.0/24")}, {}, {}});
  Bench bench(kElsewhereOnly, {}, classes);
  TcpSession session;
  session.handshake();
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.told(), Events{});
  EXPECT_EQ(bench.suppressed(0), 0u);  // no hit was
  EXPECT_EQ(bench.counters().findings_suppressed.get(), 1u);
  expect_balance(bench.counters());
}

constexpr std::string_view kStage = R"(
title: Answered
id: 44444444-4444-4444-8444-444444444444
level: high
logsource: {category: network}
detection:
  stage: {imds.stage: answered}
  path: {url|contains: meta-data}
  condition: stage and not path
)";

// A finding carries how the rule's other comparisons came out, also past a suppressed rule.
TEST(ForTheStory, CandidatesTravelWithWhatWasCompared) {
  classify::Options classes;
  classes.suppressions.push_back({"bulletin", {}, {}, {}});
  classes.suppressions[0].by_rule = true;
  classes.suppressions[0].rules = {0};
  Bench bench(std::string(kBulletin) + "---" + std::string(kStage), {}, classes);
  TcpSession session;
  session.handshake().client(kMetadata).client(kOrdinary);
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 2u);  // the path alone forbids the first request
  for (const event::Finding& finding : findings) {
    ASSERT_EQ(finding.rule_count, 1);
    EXPECT_EQ(finding.rules[0], 1);
    EXPECT_EQ(finding.compared[0], 0u);
  }
  EXPECT_EQ(findings[0].type, event::EventType::connection);
  EXPECT_EQ(findings[1].target.view(), "/index.html");
}

TEST(Suppression, ByUserAgentOnRequestsOnly) {
  classify::Options classes;
  classes.suppressions.push_back({"scanner", {}, {}, {}});
  classes.suppressions[0].user_agents = {"Nuclei*"};
  Bench bench(kBulletin, {}, classes);
  TcpSession session;
  session.handshake()
      .client("GET /latest/meta-data/ HTTP/1.1\r\nHost: a\r\nUser-Agent: nuclei/3\r\n\r\n")
      .client("GET /latest/meta-data/ HTTP/1.1\r\nHost: a\r\nUser-Agent: curl\r\n\r\n");
  EXPECT_EQ(bench.feed(session).events(),
            (Events{"connection", "http_request GET /latest/meta-data/"}));
  EXPECT_EQ(bench.suppressed(0), 1u);
  expect_balance(bench.counters());
}

// In both directions the server's MAC is the responder's.
TEST(Suppression, ByTheRespondersMac) {
  classify::Options classes;
  classes.suppressions.push_back({"emulator", {}, {}, {}});
  const std::uint8_t bytes[6] = {2, 0, 0, 0, 0, 0x53};
  classes.suppressions[0].responder_macs = {MacAddress::wire(bytes)};
  TcpSession::Options options;
  options.server_mac = "02:00:00:00:00:53";
  for (const bool answer_first : {false, true}) {
    Bench bench(kBulletin, {}, classes);
    TcpSession session(options);
    session.handshake().client(kMetadata);
    if (answer_first) {
      session.packets().erase(session.packets().begin());
    }
    EXPECT_EQ(bench.feed(session).events(), Events{});
    EXPECT_EQ(bench.suppressed(0), 2u);
  }
  options.server_mac = "02:00:00:00:00:54";
  Bench other(kBulletin, {}, classes);
  EXPECT_EQ(other.feed(TcpSession(options).handshake()).events(), Events{"connection"});
}

TEST(Suppression, ByDestinationAndTime) {
  classify::Options classes;
  classes.suppressions.push_back({"here", {}, {}, {}});
  classes.suppressions[0].destinations = {*IpPrefix::parse("169.254.0.0/16")};
  TcpSession session;
  session.handshake();
  Bench now(kBulletin, {}, classes);
  EXPECT_EQ(now.feed(session).events(), Events{});
  classes.suppressions[0].from = Timestamp{std::numeric_limits<std::int64_t>::max() - 1};
  Bench later(kBulletin, {}, classes);
  EXPECT_EQ(later.feed(session).events(), Events{"connection"});
}

TEST(FindingRing, FullIsACountedLoss) {
  Bench bench(kBulletin, {}, {}, 2);
  TcpSession session;
  session.handshake();
  for (int i = 0; i < 10; ++i) {
    session.client(kMetadata);
  }
  bench.feed(session);
  const Counters& c = bench.counters();
  EXPECT_EQ(sum(c.findings_produced), 11u);
  EXPECT_EQ(c.hits_lost.get(), 9u);
  expect_balance(c);
  EXPECT_EQ(c.findings_queued.get(), 2u);
  EXPECT_EQ(c.findings_lost.get(), 9u);
  EXPECT_EQ(bench.take().size(), 2u);
}

TEST(FindingRing, OfflineMakesRoomInstead) {
  struct Count {
    int asked = 0;
  } count;
  Options options;
  options.make_room = [](void* context) {
    ++static_cast<Count*>(context)->asked;
    return false;
  };
  options.make_room_context = &count;
  Bench bench(kBulletin, options, {}, 1);
  TcpSession session;
  session.handshake().client(kMetadata);
  bench.feed(session);
  EXPECT_EQ(count.asked, 1);
  EXPECT_EQ(bench.counters().findings_lost.get(), 1u);
}

TEST(OneSided, CountsFlowsWithPayloadOnly) {
  Bench bench;
  TcpSession unanswered(elsewhere());
  unanswered.syn();
  TcpSession::Options options = elsewhere();
  options.client_port = 40001;
  TcpSession both(options);
  both.handshake().client(kOrdinary).server("HTTP/1.1 204 No Content\r\n\r\n").fin();
  options.client_port = 40002;
  TcpSession half(options);
  half.client(kOrdinary).client(kOrdinary);
  bench.feed(unanswered).feed(both).feed(half).end_all();
  EXPECT_EQ(bench.counters().flows_judged[0].get(), 2u);
  EXPECT_EQ(bench.counters().flows_one_sided[0].get(), 1u);
}

TEST(OneSided, LongFlowsAreJudgedBeforeTheyEnd) {
  Bench bench;
  TcpSession half(elsewhere());
  for (int i = 0; i < 20; ++i) {
    half.client(kOrdinary);
  }
  bench.feed(half);
  EXPECT_EQ(bench.counters().flows_one_sided[0].get(), 1u);
}

}  // namespace
}  // namespace imds::detect
