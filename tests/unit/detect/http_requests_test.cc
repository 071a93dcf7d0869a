// HTTP requests, wherever they stand in a stream.
#include "fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;

constexpr std::string_view kFound = "http_request GET /latest/meta-data/";

TcpSession begun() {
  TcpSession session(elsewhere());
  session.handshake();
  return session;
}

std::string post(std::string_view framing, std::string_view body) {
  return "POST /form HTTP/1.1\r\nHost: example.com\r\n" + std::string(framing) + "\r\n" +
         std::string(body);
}

TEST(Request, OnAnyPortToAnyHost) {
  TcpSession::Options options = elsewhere();
  options.server_port = 31337;
  Bench bench;
  const auto findings = bench
                            .feed(TcpSession(options).handshake().client(
                                "PUT /latest/api/token HTTP/1.1\r\nHost: a.example\r\n"
                                "User-Agent: probe/1\r\n\r\n"))
                            .take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].method.view(), "PUT");
  EXPECT_EQ(findings[0].target.view(), "/latest/api/token");
  EXPECT_EQ(findings[0].domain.view(), "a.example");
  EXPECT_EQ(findings[0].user_agent.view(), "probe/1");
  EXPECT_EQ(findings[0].http_version.view(), "1.1");
  EXPECT_TRUE(findings[0].endpoint.empty());
}

TEST(Request, ByHeaderOnly) {
  auto session = begun();
  session.client("GET /x HTTP/1.1\r\nx-AWS-ec2-metadata-TOKEN: secret\r\n\r\n");
  EXPECT_EQ(Bench().feed(session).events(), Events{"http_request GET /x"});
}

TEST(Request, OrdinaryOnesAreNotParsed) {
  auto session = begun();
  session.client(kOrdinary).client(kOrdinary);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.counters().http_heads.get(), 2u);
  EXPECT_EQ(bench.counters().http_heads_passed_over.get(), 2u);
}

TEST(Request, EveryOneToAnEndpointIsParsed) {
  TcpSession session;
  session.handshake().client(kOrdinary);
  EXPECT_EQ(Bench().feed(session).events(), (Events{"connection", "http_request GET /index.html"}));
}

TEST(Request, UnindexedRuleSeesEveryRequest) {
  auto session = begun();
  session.client(kOrdinary).client(kMetadata);
  EXPECT_EQ(Bench(kEveryRequest).feed(session).events(),
            (Events{"http_request GET /index.html", std::string(kFound)}));
}

TEST(Request, DisguisedIsNormalised) {
  auto session = begun();
  session.client("GET /x/..//latest/%6deta-data/ HTTP/1.1\r\nHost: h\r\n\r\n");
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].path.view(), "/latest/meta-data/");
  EXPECT_EQ(findings[0].target.view(), "/x/..//latest/%6deta-data/");
}

TEST(Request, CutIntoSegmentsAtEveryPlace) {
  for (std::size_t cut = 1; cut < kMetadata.size(); ++cut) {
    auto session = begun();
    session.client(kMetadata.substr(0, cut)).client(kMetadata.substr(cut));
    Bench bench;
    EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)}) << "cut at " << cut;
    bench.end_all();  // what was noted for the answer as well
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u) << "cut at " << cut;
  }
}

TEST(Request, ByteByByte) {
  auto session = begun();
  session.segment_size(1).client(kMetadata).client(kOrdinary).client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), (Events{std::string(kFound), std::string(kFound)}));
}

TEST(Request, PipelinedInOneSegment) {
  auto session = begun();
  session.client(std::string(kOrdinary) + std::string(kMetadata) + std::string(kMetadata));
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].ordinal, 0u);
  EXPECT_EQ(findings[1].ordinal, 1u);
}

TEST(Request, PipelinedCutAtEveryPlace) {
  const std::string three =
      std::string(kMetadata) + post("Content-Length: 5\r\n", "hello") + std::string(kMetadata);
  for (std::size_t cut = 1; cut < three.size(); ++cut) {
    auto session = begun();
    session.client(three.substr(0, cut)).client(three.substr(cut));
    EXPECT_EQ(Bench().feed(session).events(), (Events{std::string(kFound), std::string(kFound)}))
        << "cut at " << cut;
  }
}

TEST(Request, AfterABodyOfAnnouncedLength) {
  auto session = begun();
  session.client(post("Content-Length: 3000\r\n", std::string(3000, 'b')) + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(Request, AfterAChunkedBody) {
  auto session = begun();
  session.segment_size(7).client(
      post("Transfer-Encoding: chunked\r\n", "5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n"));
  session.client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(Request, AfterConnectAndAfterUpgrade) {
  auto connect = begun();
  connect.client("CONNECT 203.0.113.9:80 HTTP/1.1\r\nHost: 203.0.113.9:80\r\n\r\n");
  connect.server("HTTP/1.1 200 OK\r\n\r\n").client(kMetadata);
  EXPECT_EQ(Bench().feed(connect).events(), Events{std::string(kFound)});
  auto upgrade = begun();
  upgrade.client("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  upgrade.client(kMetadata);
  EXPECT_EQ(Bench().feed(upgrade).events(), Events{std::string(kFound)});
}

TEST(Request, Simple09) {
  auto session = begun();
  session.client("GET /latest/meta-data/\r\n");
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(Request, AbsoluteFormToAProxy) {
  auto session = begun();
  session.client(
      "GET http://user:pw@169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n");
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].domain.view(), "169.254.169.254");
  EXPECT_EQ(findings[0].path.view(), "/latest/meta-data/");
}

TEST(Request, RetransmittedIsReportedOnce) {
  auto session = begun();
  session.client(kMetadata);
  session.packets().push_back(session.packets().back());
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_EQ(bench.counters().stream_retransmitted_bytes.get(), kMetadata.size());
}

TEST(Request, AfterAGapInABody) {
  auto session = begun();
  session.client(post("Content-Length: 5000\r\n", std::string(1000, 'b')));
  session.client_gap(2000).client(std::string(2000, 'b') + std::string(kMetadata));
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_EQ(bench.counters().stream_gap_bytes.get(), 0u) << "may still be filled";
  bench.end_all();
  EXPECT_EQ(bench.counters().stream_gap_bytes.get(), 2000u);
}

TEST(Request, AfterAGapInAHead) {
  auto session = begun();
  session.client("GET /other HTTP/1.1\r\nHost: ").client_gap(30).client(kMetadata);
  EXPECT_EQ(Bench().feed(session).end_all().events(), Events{std::string(kFound)});
}

TEST(Request, BeforeAGapIsJudgedByWhatWasSeen) {
  auto session = begun();
  session.client(kMetadata.substr(0, kMetadata.size() - 4)).client_gap(500).client("rest");
  EXPECT_EQ(Bench().feed(session).end_all().events(), Events{std::string(kFound)});
}

TEST(Request, UnfinishedIsJudgedAtTheEnd) {
  const std::string_view unfinished = kMetadata.substr(0, kMetadata.size() - 2);
  EXPECT_EQ(Bench().feed(begun().client(unfinished).client_fin()).events(),
            Events{std::string(kFound)});
  EXPECT_EQ(Bench().feed(begun().client(unfinished).client_rst()).end_all().events(),
            Events{std::string(kFound)});
  EXPECT_EQ(Bench().feed(begun().client(unfinished).server_rst()).end_all().events(),
            Events{std::string(kFound)});
}

// What the capture's snap length, a loss, or a client without manners leaves of a request.
TEST(Request, CutInItsFirstLineIsJudgedWhereTheStreamBegan) {
  constexpr std::string_view kCut = "GET /latest/meta-data/iam/info";
  const Events expected{"http_request GET /latest/meta-data/iam/info"};
  EXPECT_EQ(Bench().feed(begun().client(kCut).client_fin()).events(), expected);
  EXPECT_EQ(Bench().feed(begun().client(kCut).client_gap(90).client("x")).end_all().events(),
            expected);
}

TEST(Request, CutInItsHostNamesNone) {
  auto session = begun();
  session.client("GET /latest/meta-data/ HTTP/1.1\r\nA: b\r\nHOST: 169.254.16").client_fin();
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].domain.empty());
}

TEST(Request, NeverEndedIsJudgedWhenItsFlowEnds) {
  auto session = begun();
  session.client("GET /latest/meta-data/ HTTP/1.1\r\nHost: h\r\nX-Slow: 1\r\n");
  session.server("HTTP/1.1 200 OK\r\n\r\n");
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{});
  bench.end_all();
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].target.view(), "/latest/meta-data/");
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(findings[0].source.port, 40000);
  EXPECT_EQ(findings[0].source.mac.to_string(), support::kClientMac);
  EXPECT_EQ(findings[0].destination.ip.to_string(), "203.0.113.7");
  EXPECT_EQ(findings[0].destination.mac.to_string(), support::kServerMac);
  EXPECT_EQ(findings[0].time, session.packets()[3].time);
  EXPECT_EQ(findings[0].visibility, 0);
  EXPECT_EQ(bench.counters().http_heads_abandoned.get(), 1u);
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(Request, NeverEndedInABodyIsJudgedWhenItsFlowEnds) {
  auto session = begun();
  session.client(post("Content-Length: 100000\r\n", ""));
  session.client("GET /latest/meta-data/ HTTP/1.1\r\nHost: h\r\n");
  Bench bench;
  bench.feed(session).end_all();
  EXPECT_EQ(bench.events(), Events{std::string(kFound)});
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(Request, NeverEndedIsJudgedWhenItsPortsAreUsedAnew) {
  auto session = begun();
  session.client("GET /latest/meta-data/ HTTP/1.1\r\nHost: h\r\n");
  TcpSession::Options options = elsewhere();
  options.client_isn = 0x70000000;
  Bench bench;
  EXPECT_EQ(bench.feed(session).feed(TcpSession(options).handshake()).events(),
            Events{std::string(kFound)});
}

TEST(Request, OnPortsUsedAnewWithoutAnEndInBetween) {
  auto first = begun();
  first.client(post("Content-Length: 1000000000\r\n", "b"));
  TcpSession::Options options = elsewhere();
  options.client_isn = 0x70000000;
  TcpSession second(options);
  second.handshake().client(kMetadata.substr(0, 1)).client(kMetadata.substr(1));
  Bench bench;
  EXPECT_EQ(bench.feed(first).feed(second).events(), Events{std::string(kFound)});
}

TEST(Request, WithoutArenaButWholeIsJudgedWhole) {
  Options options;
  options.arena.blocks = {1, 0, 0, 0};
  Bench bench(kBulletin, options);
  const std::string head = "GET /latest/meta-data/" + std::string(1200, 'a') + " HTTP/1.1\r\n\r\n";
  auto session = begun();
  session.client(head.substr(0, 10)).client(head.substr(10)).client(kMetadata);
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].target.view().size(), 1024u);
  EXPECT_EQ(findings[1].target.view(), "/latest/meta-data/");
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

// 64 KiB of the shortest requests: bounded, and each one counted.
TEST(Request, ThousandsInOneSegment) {
  std::string many;
  while (many.size() + 9 < 60000) {
    many += "GET / HTTP/1.1\n\n";
  }
  auto session = begun();
  session.segment_size(65000).client(many + std::string(kMetadata));
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_GT(bench.counters().http_heads_passed_over.get(), 3000u);
}

TEST(Request, TooLongIsJudgedByItsBeginning) {
  Options options;
  options.head_bytes_max = 2048;
  Bench bench(kBulletin, options);
  auto session = begun();
  session.client("GET /latest/meta-data/ HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n\r\n");
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_EQ(bench.counters().head_too_long.get(), 1u);
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(Request, WithoutArenaIsJudgedByWhatIsThere) {
  Options options;
  options.arena.blocks = {1, 0, 0, 0};
  Bench bench(kBulletin, options);
  TcpSession::Options other = elsewhere();
  other.client_port = 40001;
  TcpSession holder(other);
  holder.handshake().client("GET /holding HTTP/1.1\r\n");
  bench.feed(holder);
  auto session = begun();
  session.client(kMetadata.substr(0, 40)).client(kMetadata.substr(40));
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_GE(bench.counters().arena_exhausted.get(), 1u);
}

TEST(Request, InProseIsNone) {
  auto session = begun();
  session.client("GET ready for /latest stuff\r\n\r\nand more\r\n\r\n");
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

}  // namespace
}  // namespace imds::detect
