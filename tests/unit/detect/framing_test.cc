// Heads that contradict themselves, and what else may stand before or between requests.
#include "fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;

constexpr std::string_view kFound = "http_request GET /latest/meta-data/";
const Events kOnce{std::string(kFound)};

TcpSession begun() {
  TcpSession session(elsewhere());
  session.handshake();
  return session;
}

// All of it, in segments of every size given: the same events, and nothing kept in the end.
void expect_events(const std::string& stream, const Events& events,
                   std::string_view rules = kBulletin) {
  for (const std::size_t size :
       {std::size_t{1400}, std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    auto session = begun();
    session.segment_size(size).client(stream);
    Bench bench(rules);
    bench.feed(session).end_all();
    EXPECT_EQ(bench.events(), events) << "segments of " << size << ": " << stream;
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

const std::string kHidden(kMetadata);
std::string post(std::string_view headers) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n";
}

TEST(FramingConflict, EachReadingOfTheEndIsInspected) {
  for (const char* headers :
       {"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 6\r\nContent-Length: 900\r\n", "Content-Length: 900, 6\r\n",
        "Content-Length: +900\r\n", "Content-Length: 0x384\r\n", "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n", "Content-Length: 9 00\r\n",
        "Content-Length : 900\r\n", "Content-Length:\r\n 900\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding: \x0b"
        "chunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n"}) {
    for (const std::string& body : {kHidden, "0\r\n\r\n" + kHidden, "hello" + kHidden,
                                    "3d\r\n" + kHidden + "\r\n0\r\n\r\n", "x=1&y=" + kHidden}) {
      expect_events(post(headers) + body, kOnce);
    }
  }
}

TEST(FramingConflict, EveryRequestBehindItIsFoundOnce) {
  auto session = begun();
  session.client(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") +
                 "3\r\nabc\r\n0\r\n\r\n" + kHidden + std::string(kOrdinary) + kHidden);
  session.client(kHidden);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(),
            (Events{std::string(kFound), std::string(kFound), std::string(kFound)}));
  EXPECT_EQ(bench.counters().framings_in_doubt.get(), 1u);
}

TEST(FramingConflict, ADecoyDoesNotSwallowTheRequest) {
  expect_events(post("Content-Length: 5, 6\r\n") + "GET /decoy HTTP/1.1\r\nA: b\r\n" + kHidden,
                kOnce);
}

TEST(FramingConflict, AnUnfinishedRequestIsJudgedInTheEnd) {
  expect_events(post("Content-Length: 5, 6\r\n") + "GET /latest/meta-data/ HTTP/1.1\r\nHost: h",
                kOnce);
}

TEST(FramingConflict, StringsOutsideRequestsAreRawMatches) {
  auto session = begun();
  session.client(post("Content-Length: 5, 6\r\n"))
      .client("see /latest/meta-data for it")
      .client_fin();
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

// A thousand request lines in one head are read, but not each to the head's end.
TEST(FramingConflict, NestedHeadsAreBounded) {
  std::string body;
  for (int i = 0; i < 1000; ++i) {
    body += "GET /x HTTP/1.1\r\n";
  }
  auto session = begun();
  session.client(post("Content-Length: 5, 6\r\n") + body + "\r\n" + kHidden);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), kOnce);
  EXPECT_LT(bench.counters().http_heads.get(), 100u);
}

TEST(OddChunks, HideNoRequest) {
  const std::string head = post("Transfer-Encoding: chunked\r\n");
  for (const char* chunk : {"+5\r\nhello\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n",
                            "5_0\r\nhello\r\n", "fffffffffffffffff\r\n", "ffffffff\r\n",
                            "5\nhello\n0\n\n", "5;\nhello", "0;a\rb\r\n\r\n"}) {
    expect_events(head + chunk + kHidden, kOnce);
  }
}

TEST(Chunks, ExtensionsAndTrailersArePassed) {
  expect_events(post("Transfer-Encoding: chunked\r\n") +
                    "5;a=\"b\"\r\nhello\r\n0\r\nT: GET /\r\n\r\n" + kHidden,
                kOnce);
}

TEST(Heads, OfEveryOddShape) {
  const std::string rest = "Host: h\r\n\r\n";
  for (const char* line :
       {"GET /latest/meta-data/ HTTP/1.0\r\n", "GET /latest/meta-data/ HTTP/1.2\r\n",
        "GET /latest/meta-data/ HTTP/2.0\r\n", "GET /latest/meta-data/ http/1.1\r\n",
        "GET\t/latest/meta-data/\tHTTP/1.1\r\n", "GET   /latest/meta-data/   HTTP/1.1\r\n",
        "  GET /latest/meta-data/ HTTP/1.1\r\n", "\r\n\r\n\nGET /latest/meta-data/ HTTP/1.1\r\n",
        "GET /latest/meta-data/ HTTP/1.1\n", "GET /latest/meta-data/ HTTP/1.1\r\r\n"}) {
    expect_events(std::string(line) + rest, kOnce);
  }
  expect_events(std::string(100000, '\n') + kHidden, kOnce);
  std::string blank_lines;
  for (int i = 0; i < 1000; ++i) {
    blank_lines += "\r\n";
  }
  expect_events(blank_lines + kHidden, kOnce);
  expect_events("GET /latest/meta-data/ HTTP/1.1\rHost: h\r\r", kOnce);
  expect_events("GET /a HTTP/1.1\rHost: h\r\r" + kHidden, kOnce);
  expect_events("GET /latest/meta-data/", kOnce);
  expect_events("GET /latest/meta-data/\r\n", kOnce);
  expect_events("get /latest/meta-data/ HTTP/1.1\r\n\r\n",
                Events{"http_request get /latest/meta-data/"});
}

TEST(Heads, AMillionHeaders) {
  auto session = begun();
  std::string head = "GET /latest/meta-data/ HTTP/1.1\r\n";
  for (int i = 0; i < 1'000'000; ++i) {
    head += "a:b\r\n";
  }
  session.client(head);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), kOnce);
  EXPECT_EQ(bench.counters().head_too_long.get(), 1u);
}

TEST(Direction, AnswersDoNotDerailIt) {
  auto session = begun();
  session.client("PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  session.server("HTTP/1.1 100 Continue\r\n\r\n").server("HTTP/1.1 204 No\r\n\r\n");
  session.client("hello").client(kHidden);
  session.server("HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n");
  session.client("HEAD /latest/meta-data/ HTTP/1.1\r\n\r\n" + kHidden);
  session.client("GET /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + kHidden);
  EXPECT_EQ(Bench().feed(session).events(),
            (Events{std::string(kFound), "http_request HEAD /latest/meta-data/",
                    std::string(kFound), std::string(kFound)}));
}

TEST(Tunnel, ConnectThenARequestMuchLater) {
  auto session = begun();
  session.client("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n");
  session.server("HTTP/1.1 200 OK\r\n\r\n").wait(60'000'000'000).client(kHidden);
  EXPECT_EQ(Bench().feed(session).events(), kOnce);
}

TEST(Tunnel, WebSocketEndsHttpButNotTheQuickLook) {
  auto session = begun();
  session.client("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  session.client("\x82\x84\x01\x02\x03\x04xyzw").client(kHidden);
  EXPECT_EQ(Bench().feed(session).events(), kOnce);
}

std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) {
    out += static_cast<char>(b);
  }
  return out;
}
const std::string kSocks4 = raw({4, 1, 0, 80, 169, 254, 169, 254, 'm', 'e', 0});
const std::string kSocks4a = raw({4, 1, 0, 80, 0, 0, 0, 1, 0, 'h', '.', 'x', 0});
const std::string kSocks5 = raw({5, 1, 0}) + raw({5, 1, 0, 1, 169, 254, 169, 254, 0, 80});
const std::string kSocks5Login = raw({5, 2, 0, 2}) + raw({1, 1, 'u', 2, 'p', 'w'}) +
                                 raw({5, 1, 0, 3, 10}) + "2852039166" + raw({0, 80});

TEST(Preambles, AreFollowedByRequests) {
  for (const std::string& preamble :
       {kSocks4, kSocks4a, kSocks5, kSocks5Login,
        std::string("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"),
        std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16) + "123456789012"}) {
    expect_events(preamble + kHidden, kOnce);
    expect_events("CONNECT h:1080 HTTP/1.1\r\n\r\n" + preamble + kHidden, kOnce);
  }
  auto session = begun();
  session.client(kSocks4.substr(0, 3)).client(kSocks4.substr(3) + kHidden + std::string(900, ' '));
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), kOnce);
  EXPECT_EQ(bench.counters().proxy_preambles.get(), 1u);
}

constexpr std::string_view kToTheAddress = R"(
title: By name
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {product: imds-inspector}
detection:
  request: {url.domain: 169.254.169.254}
  condition: request
)";

TEST(Preambles, TheSocksTargetStandsForAMissingHost) {
  const Events found{"http_request GET /x"};
  for (const std::string& preamble : {kSocks4, kSocks5, kSocks5Login}) {
    expect_events(preamble + "GET /x HTTP/1.0\r\n\r\n", found, kToTheAddress);
    expect_events(preamble + "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", {}, kToTheAddress);
  }
  expect_events(kSocks4a + "GET /x HTTP/1.0\r\n\r\n", {}, kToTheAddress);
}

support::Bytes datagram(std::string_view payload, unsigned port = 1900) {
  return support::PacketBuilder()
      .ethernet()
      .ipv4("10.0.0.1", "203.0.113.7")
      .udp(50000, port)
      .payload(payload)
      .build();
}
bool reads(Bench& bench, std::string_view payload) {
  bool read = false;
  bench.loose(datagram(payload), [&](Inspector& inspector, const PacketContext& context) {
    read = Inspector::may_be_request(*context.view) && inspector.datagram(context);
  });
  return read;
}

TEST(Datagram, IsOneRequest) {
  Bench bench;
  EXPECT_TRUE(reads(bench, kMetadata));
  EXPECT_TRUE(reads(bench, "GET /%6catest/meta-data/ HTTP/1.1\r\nHost: h"));
  EXPECT_TRUE(reads(bench, kOrdinary));
  EXPECT_TRUE(reads(bench, "M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n"));
  EXPECT_EQ(bench.counters().http_datagrams.get(), 4u);
  EXPECT_EQ(bench.events(), (Events{std::string(kFound), "http_request GET /%6catest/meta-data/"}));
  Bench all(kEveryRequest);
  EXPECT_TRUE(reads(all, "NOTIFY * HTTP/1.1\r\n\r\n"));
  const auto findings = all.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].type, event::EventType::http_request);
}

TEST(Datagram, OtherPayloadIsNone) {
  Bench bench;
  for (const char* payload : {"", "GET", "GET /latest/meta-data/\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                              "\x80\x01\x02", "GET /latest/meta-data in prose\n", "BITS ABC"}) {
    EXPECT_FALSE(reads(bench, payload)) << payload;
  }
  EXPECT_EQ(bench.events(), Events{});
}

TEST(Datagram, ToAnEndpointIsReadOnItsFlow) {
  Bench bench;
  bench.feed(support::PacketBuilder()
                 .ethernet()
                 .ipv4("10.0.0.1", "169.254.169.254")
                 .udp(50000, 80)
                 .payload(kMetadata)
                 .build());
  EXPECT_EQ(bench.events(), (Events{"connection", std::string(kFound)}));
}

}  // namespace
}  // namespace imds::detect
