// What is skipped is not blind: lying lengths, fake protocols, strings in unknown ones.
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

TEST(LyingLength, HidesNoRequest) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\nbody");
  session.client(kMetadata);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  EXPECT_EQ(bench.counters().segments_reprobed.get(), 1u);
}

TEST(LyingLength, HidesNoRequestCutIntoSegments) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n");
  session.segment_size(16).client(kMetadata);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{std::string(kFound)});
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(LyingLength, HidesNoPipelinedRequests) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n");
  session.client(std::string(kOrdinary) + std::string(kMetadata) + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), (Events{std::string(kFound), std::string(kFound)}));
}

TEST(LyingLength, HidesNoRequestInTheSameSegment) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n" +
                 std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(LyingLength, HidesNoRequestBehindADecoyInTheSameSegment) {
  const std::string decoy =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kOrdinary.size()) +
      "\r\n\r\n" + std::string(kOrdinary);
  auto session = begun();
  session.client(decoy + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n" +
                 std::string(kMetadata) + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), (Events{std::string(kFound), std::string(kFound)}));
}

// The request under way when the body ends is the side's to the end.
TEST(LyingLength, HiddenRequestGoesOnAfterTheBodyAndTheSegment) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n" +
                 std::string(kMetadata.substr(0, 40)));
  session.client(std::string(kMetadata.substr(40)) + std::string(kOrdinary));
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(LyingLength, EndingInsideTheHiddenRequest) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  session.client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

// The body really is one and only begins like a request: its framing goes on.
TEST(HonestLength, GoesOnBesideTheOtherReading) {
  const std::string body = "GET the news\r\n" + std::string(500, 'n');
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n");
  session.client(body + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(HonestLength, RequestAfterItIsReportedOnce) {
  const std::string body = std::string(kOrdinary);
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n");
  session.client(body + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(LyingChunk, HidesNoRequest) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n");
  session.client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(FakeProtocol, TlsRecordThenRequest) {
  auto session = begun();
  session.client(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  session.client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(FakeProtocol, SshBannerThenRequest) {
  auto session = begun();
  session.client("SSH-2.0-OpenSSH_9.2\r\n").client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

TEST(FakeProtocol, AfterAMegabyteOfNoise) {
  auto session = begun();
  for (int i = 0; i < 800; ++i) {
    session.client(std::string(1400, '\x80'));
  }
  session.client(kMetadata);
  EXPECT_EQ(Bench().feed(session).events(), Events{std::string(kFound)});
}

// Not a request, but a string of a rule in an unknown protocol.
TEST(Opaque, ProseAtASegmentsBeginningIsNoRequest) {
  auto session = begun();
  session.client("\x01\x02\x03").client("GET /latest/meta-data is how the page begins");
  session.client_fin();
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

TEST(Opaque, WhatBeginsLikeARequestAndIsNoneIsScannedRaw) {
  TcpSession mid_stream(elsewhere());
  mid_stream.client("GET /latest/meta-data/ was here\r\n\r\n");
  EXPECT_EQ(Bench().feed(mid_stream).events(), Events{"raw_match"});
  TcpSession cut(elsewhere());
  cut.client("GET /late").client("st/meta-data/ was here\r\n\r\n");
  Bench bench;
  EXPECT_EQ(bench.feed(cut).events(), Events{"raw_match"});
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(Opaque, MidStreamARequestNeedsNoVersionIfItIsNoProse) {
  TcpSession mid_stream(elsewhere());
  mid_stream.client("GET /latest/meta-data/\r\n\r\n");
  EXPECT_EQ(Bench().feed(mid_stream).events(), Events{std::string(kFound)});
}

TEST(Opaque, AnyUpperCaseMethodBeginsARequest) {
  for (const char* method : {"PROPPATCH", "MKCOL", "REPORT", "SEARCH", "NOTIFY", "SUBSCRIBE",
                             "M-SEARCH", "BCOPY", "CCM_POST", "RPC_OUT_DATA", "SSTP_DUPLEX_POST"}) {
    auto session = begun();
    session.client("\x01\x02\x03\x04");
    session.client(std::string(method) + " /latest/meta-data/ HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(Bench().feed(session).events(),
              Events{"http_request " + std::string(method) + " /latest/meta-data/"});
  }
}

TEST(Opaque, AClientThatAnswersSpeaksAnUnknownProtocol) {
  auto session = begun();
  session.client("HTTP/1.1 200 OK\r\n\r\n" + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

TEST(Response, CutAtEveryPlaceIsNotScannedRaw) {
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\n\r\n/latest/meta-data";
  for (std::size_t cut = 1; cut < 12; ++cut) {
    auto session = begun();
    session.client(kOrdinary).server(kAnswer.substr(0, cut)).server(kAnswer.substr(cut));
    EXPECT_EQ(Bench().feed(session).events(), Events{}) << "cut at " << cut;
  }
}

TEST(Response, QuotingAPathIsNoAlert) {
  auto session = begun();
  session.client(kOrdinary);
  session.server(
      "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nRead http://169.254.169.254/latest/"
      "meta-data from inside EC2");
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

TEST(RawMatch, InAnUnknownProtocol) {
  auto session = begun();
  session.client("\x01QUERY /latest/meta-data\n");
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

TEST(RawMatch, CutAtEveryPlace) {
  const std::string text = "\x01....../latest/meta-data........";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    auto session = begun();
    session.client(text.substr(0, cut)).client(text.substr(cut));
    EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"}) << "cut at " << cut;
  }
}

TEST(RawMatch, OncePerFlow) {
  auto session = begun();
  session.client("\x01 /latest/meta-data").client(" /latest/meta-data").client("/latest/api/token");
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

TEST(RawMatch, OnlyToTheConfiguredDepth) {
  Options options;
  options.raw_scan_bytes = 100;
  auto session = begun();
  session.client(std::string(200, '\x01')).client("/latest/meta-data");
  Bench bench(kBulletin, options);
  EXPECT_EQ(bench.feed(session).events(), Events{});
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(RawMatch, DeepestConfigurableDepthEnds) {
  Options options;
  options.raw_scan_bytes = 65536;
  auto session = begun();
  session.segment_size(1024).client(std::string(65536, '\x01')).client("/latest/meta-data");
  Bench bench(kBulletin, options);
  EXPECT_EQ(bench.feed(session).events(), Events{});
}

TEST(RawMatch, NotAcrossAGap) {
  auto session = begun();
  session.client("\x01 /latest/me").client_gap(100).client("ta-data");
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

TEST(RawMatch, FlowsOfAnEndpointAreNeverBypassed) {
  TcpSession session;
  session.handshake().client(std::string("\x16\x03\x01\x02\x00", 5) + "/latest/meta-data");
  EXPECT_EQ(Bench().feed(session).events(), (Events{"connection", "raw_match"}));
}

TEST(Http2, PrefaceIsCountedWhereverItIsCut) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (std::size_t cut = 1; cut < kPreface.size(); ++cut) {
    auto session = begun();
    session.client(kPreface.substr(0, cut)).client(kPreface.substr(cut));
    Bench bench(kEveryRequest);
    EXPECT_EQ(bench.feed(session).events(), Events{}) << "cut at " << cut;
    EXPECT_EQ(bench.counters().http2_prefaces.get(), 1u) << "cut at " << cut;
  }
}

TEST(Http2, PrefaceIsCounted) {
  auto session = begun();
  session.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{});
  EXPECT_EQ(bench.counters().http2_prefaces.get(), 1u);
}

}  // namespace
}  // namespace imds::detect
