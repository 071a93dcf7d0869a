// HTTP/2 connections as a whole: from packets to findings.
#include <algorithm>

#include "fixture.h"
#include "support/http2_client.h"

namespace imds::detect {
namespace {

using namespace support;

constexpr std::string_view kPath = "/latest/meta-data/iam/";

// On endpoint flows, whatever happens to HTTP/2.
constexpr std::string_view kEverything = R"(
title: Everything
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {product: imds-inspector}
detection:
  request: {imds.event: [http_request, raw_match, http2_mid_stream]}
  bytes: {imds.raw|contains: latest/meta-data}
  condition: request or bytes
)";

Events requests(std::initializer_list<std::string_view> paths) {
  Events out;
  for (const std::string_view path : paths) {
    out.push_back("http_request GET " + std::string(path));
  }
  return out;
}

std::uint64_t blind_count(const Bench& bench) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kHttp2BlindCount; ++i) {
    sum += bench.inspector().http2_blind(static_cast<Http2Blind>(i));
  }
  return sum;
}
std::uint64_t blind(const Bench& bench, Http2Blind reason) {
  EXPECT_EQ(blind_count(bench), bench.inspector().http2_blind(reason)) << "no other reason";
  return bench.inspector().http2_blind(reason);
}

// A connection with everything a client may send, and what it asks for.
std::string lively_connection() {
  Http2Client client;
  const std::string priority("\x80\0\0\x01\xff", 5);
  const auto get = [&client](std::string_view path) {
    return client.block(Http2Client::request_fields("GET", "metadata", path, {{"x-token", "abc"}}));
  };
  std::string out = Http2Client::preface();
  out += http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2EndStream, 1, get("/one"));
  out += http2_frame(kHttp2Settings, 1, 0, "");
  out += http2_frame(kHttp2Priority, 0, 3, priority);
  out += http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2PriorityFlag | kHttp2Padded, 3,
                     std::string("\x04", 1) + priority + get("/two") + "pppp");
  const std::string block = get("/three");
  out += http2_frame(kHttp2Headers, 0, 5, block.substr(0, 2));
  out += http2_frame(kHttp2Continuation, 0, 5, block.substr(2, 1));
  out += http2_frame(kHttp2Continuation, 0, 5, "");
  out += http2_frame(kHttp2Continuation, kHttp2EndHeaders, 5, block.substr(3));
  out += http2_frame(kHttp2Headers, kHttp2EndHeaders, 7, get("/four"));
  out += http2_frame(kHttp2Data, kHttp2Padded, 5, std::string("\x05", 1) + std::string(40, 'd'));
  out += http2_frame(0xbe, 0xef, 0, "GREASE");
  out += Http2Client::data(5, 0);
  out += http2_frame(kHttp2Data, 0, 7, std::string(90, 'e'));
  out += client.headers(7, {{"trailer", "end"}});
  out += http2_frame(kHttp2PushPromise, kHttp2EndHeaders, 7,
                     std::string("\0\0\0\x02", 4) + get("/never"));
  out += http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2EndStream, 9, get("/five"));
  return out;
}
const Events kLively = requests({"/one", "/two", "/three", "/four", "/five"});

TEST(Http2Stream, EveryRequestIsFound) {
  Bench bench(kEveryRequest);
  TcpSession session(elsewhere());
  session.handshake().client(lively_connection()).fin();
  bench.feed(session).end_all();
  EXPECT_EQ(bench.events(), kLively);
  EXPECT_EQ(bench.counters().http2_prefaces.get(), 1u);
  EXPECT_EQ(bench.counters().http2_header_blocks.get(), 7u) << "trailers and promises, too";
  EXPECT_EQ(bench.counters().http_heads.get(), 5u);
  EXPECT_EQ(bench.counters().http_heads_incomplete.get(), 0u);
  EXPECT_EQ(blind_count(bench), 0u);
  EXPECT_EQ(bench.inspector().http2().counters().bytes_in_use.get(), 0u);
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(Http2Stream, HoweverItIsCut) {
  const std::string text = lively_connection();
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    Bench bench(kEveryRequest);
    TcpSession session(elsewhere());
    session.handshake().client(text.substr(0, cut)).client(text.substr(cut)).fin();
    ASSERT_EQ(bench.feed(session).events(), kLively) << "cut at " << cut;
  }
  for (const std::size_t size : {1u, 2u, 3u, 9u, 10u}) {
    Bench bench(kEveryRequest);
    TcpSession session(elsewhere());
    session.handshake().segment_size(size).client(text).fin();
    ASSERT_EQ(bench.feed(session).events(), kLively) << "segments of " << size;
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

// Field by field what the same request in HTTP/1 gives.
TEST(Http2Stream, FieldsAreThoseOfHttp1) {
  for (const std::string_view path :
       {"/latest/meta-data/", "/%6catest//meta-data/./x?y=%41", "/latest/api/token;a=b"}) {
    for (const std::string_view host : {"169.254.169.254", "2852039166:80", "Example.COM."}) {
      Bench one(kEveryRequest);
      Bench two(kEveryRequest);
      TcpSession first(elsewhere());
      first.handshake().client("GET " + std::string(path) + " HTTP/1.1\r\nHost: " +
                               std::string(host) + "\r\nUser-Agent: curl/8\r\n\r\n");
      Http2Client client;
      TcpSession second(elsewhere());
      second.handshake().client(Http2Client::preface() +
                                client.request("GET", host, path, {{"user-agent", "curl/8"}}));
      const auto a = one.feed(first).take();
      const auto b = two.feed(second).take();
      ASSERT_EQ(a.size(), 1u);
      ASSERT_EQ(b.size(), 1u);
      EXPECT_EQ(a[0].method.view(), b[0].method.view());
      EXPECT_EQ(a[0].target.view(), b[0].target.view());
      EXPECT_EQ(a[0].path.view(), b[0].path.view());
      EXPECT_EQ(a[0].domain.view(), b[0].domain.view());
      EXPECT_EQ(a[0].user_agent.view(), b[0].user_agent.view());
      EXPECT_EQ(a[0].source.ip, b[0].source.ip);
      EXPECT_EQ(a[0].visibility, b[0].visibility);
    }
  }
}

TEST(Http2Stream, RulesMatchCompressedText) {
  constexpr std::string_view kRule = R"(
title: Fields
id: 44444444-4444-4444-8444-444444444444
level: low
logsource: {category: network}
detection:
  all:
    url|startswith: /latest/meta-data
    url.domain: 169.254.169.254
    http.request.method: GET
    http.version: '2'
    http.request.header.host: '169.254.169.254'
    user_agent.original: aws-sdk
    request_headers|contains|all: ["X-aws-ec2-metadata-token: SECRET\n", "host: 169.254.169.254\n"]
  condition: all
)";
  Bench bench(kRule);
  Http2Client client;
  TcpSession session(elsewhere());
  session.handshake().client(
      Http2Client::preface() +
      client.request("GET", "169.254.169.254", kPath,
                     {{"user-agent", "aws-sdk"}, {"x-aws-ec2-metadata-token", "SECRET"}}));
  EXPECT_EQ(bench.feed(session).events(), requests({kPath}));
}

TEST(Http2Stream, ConnectNamesItsTarget) {
  Bench bench(kEveryRequest);
  Http2Client client;
  TcpSession session(elsewhere());
  session.handshake().client(
      Http2Client::preface() +
      client.headers(1, {{":method", "CONNECT"}, {":authority", "169.254.169.254:80"}}));
  const auto found = bench.feed(session).take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].target.view(), "169.254.169.254:80");
  EXPECT_EQ(found[0].domain.view(), "169.254.169.254");
}

TEST(Http2Stream, UpgradedFromHttp1) {
  for (const bool accepted : {true, false}) {
    Bench bench(kEveryRequest);
    Http2Client client;
    TcpSession session(elsewhere());
    session.handshake().client(
        "GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n");
    if (accepted) {
      session.server(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
          http2_frame(kHttp2Settings, 0, 0, ""));
      session.client(Http2Client::preface() + client.request("GET", "a", "/second"));
    } else {
      session.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      session.client("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    EXPECT_EQ(bench.feed(session).events(), requests({"/first", "/second"}));
    EXPECT_EQ(bench.counters().http2_prefaces.get(), accepted ? 1u : 0u);
    EXPECT_EQ(blind_count(bench), 0u);
  }
}

TEST(Http2Stream, InsideATunnel) {
  Bench bench(kEveryRequest);
  Http2Client client;
  TcpSession session(elsewhere());
  session.handshake()
      .client("CONNECT 10.9.9.9:80 HTTP/1.1\r\nHost: 10.9.9.9:80\r\n\r\n")
      .server("HTTP/1.1 200 OK\r\n\r\n")
      .client(Http2Client::preface() + client.request("GET", "a", "/inside"));
  EXPECT_EQ(bench.feed(session).events(),
            (Events{"http_request CONNECT 10.9.9.9:80", "http_request GET /inside"}));
}

TEST(Http2Stream, ARequestThatOnlyLooksLikeThePrefaceIsHttp1) {
  Bench bench(kEveryRequest);
  TcpSession session(elsewhere());
  session.handshake().client("PRI * HTTP/2.0\r\nHost: a\r\n\r\n" + std::string(kMetadata));
  bench.feed(session);
  EXPECT_EQ(bench.counters().http2_prefaces.get(), 0u);
  EXPECT_EQ(bench.events().back(), "http_request GET /latest/meta-data/");
}

TEST(Http2Stream, LostBytesOfABodyDoNoHarm) {
  Bench bench(kEveryRequest);
  Http2Client client;
  TcpSession session(elsewhere());
  const std::string body = Http2Client::data(1, 16384, false);
  session.handshake().client(Http2Client::preface() +
                             client.request("GET", "a", "/one", {}, false));
  session.client(body.substr(0, 1000)).client_gap(12000).client(body.substr(13000));
  session.client(client.request("GET", "a", "/two"));
  EXPECT_EQ(bench.feed(session).events(), requests({"/one", "/two"}));
  EXPECT_EQ(blind_count(bench), 0u);
}

TEST(Http2Stream, LostBytesElsewhereMakeItBlind) {
  // In the middle of a frame header, of a header block, and a whole frame.
  for (const std::size_t kept : {4u, 12u, 0u}) {
    Bench bench(kEverything);
    Http2Client client;
    TcpSession session;  // to an endpoint
    session.handshake().client(Http2Client::preface() + client.request("GET", "a", "/one"));
    const std::string lost = client.request("GET", "a", "/two");
    session.client(lost.substr(0, kept)).client_gap(static_cast<unsigned>(lost.size() - kept));
    session.client(client.request("GET", "a", "/three"));
    session.client("plain latest/meta-data");
    Events expected = requests({"/one"});
    bench.feed(session).end_all();  // waited for in vain
    const Events found = bench.events();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front(), expected.front());
    EXPECT_EQ(std::count(found.begin(), found.end(), "http2_mid_stream"), 1);
    EXPECT_EQ(found.back(), "raw_match");
    EXPECT_EQ(std::count(found.begin(), found.end(), "http_request GET /three"), 0);
    EXPECT_EQ(blind(bench, Http2Blind::gap), 1u);
    bench.end_all();
    EXPECT_EQ(bench.inspector().http2().counters().bytes_in_use.get(), 0u);
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

TEST(Http2Stream, SegmentsInAnyOrder) {
  const std::string text = lively_connection();
  Bench bench(kEveryRequest);
  TcpSession session(elsewhere());
  session.handshake().segment_size(20).client(text);
  std::reverse(session.packets().begin() + 4, session.packets().end());
  EXPECT_EQ(bench.feed(session).events(), kLively);
  EXPECT_EQ(blind_count(bench), 0u);
}

TEST(Http2Stream, OtherBytesSentAgainMakeItBlind) {
  Bench bench(kEverything);
  Http2Client client;
  TcpSession session;
  session.handshake().client(Http2Client::preface());
  const std::uint32_t sequence = session.client_sequence();
  const std::string request = client.request("GET", "a", "/one");
  std::string other = request;
  other.back() ^= 1;
  session.client(request).segment(true, sequence, kAck, request);
  EXPECT_EQ(bench.feed(session).events(), requests({"/one"}));
  EXPECT_EQ(blind_count(bench), 0u);
  session.packets().clear();
  session.segment(true, sequence, kAck, other);
  EXPECT_EQ(bench.feed(session).events(), Events{"http2_mid_stream"});
  EXPECT_EQ(blind(bench, Http2Blind::conflict), 1u);
}

TEST(Http2Stream, BlindIsNotDeaf) {
  Bench bench;
  Http2Client client;
  TcpSession session(elsewhere());
  session.handshake().client(Http2Client::preface() + client.request("GET", "a", "/one"));
  session.client_gap(50);
  session.client(kMetadata);
  // A new connection over the same stream is followed again.
  Http2Client again;
  session.client_gap(10).client(Http2Client::preface() + again.request("GET", "a", kPath));
  bench.feed(session).end_all();
  EXPECT_EQ(bench.events(), (Events{"http_request GET /latest/meta-data/",
                                    "http_request GET " + std::string(kPath)}));
}

TEST(Http2Stream, AnUnfinishedBlockIsJudgedAtTheEnd) {
  Http2Client client;
  const std::string request = client.request("GET", "169.254.169.254", kPath, {{"x", "y"}});
  const std::string text = Http2Client::preface() + request.substr(0, request.size() - 2);
  for (const int ending : {0, 1, 2}) {
    Bench bench(kEveryRequest);
    TcpSession session(elsewhere());
    session.handshake().client(text);
    if (ending == 0) {
      session.client_fin();
    } else if (ending == 1) {
      session.client_rst();
    }
    bench.feed(session).end_all();
    EXPECT_EQ(bench.events(), requests({kPath}));
    EXPECT_EQ(bench.counters().http_heads_incomplete.get(), 1u);
    EXPECT_EQ(blind_count(bench), 0u);
    EXPECT_EQ(bench.inspector().http2().counters().bytes_in_use.get(), 0u);
  }
}

TEST(Http2Stream, FaultsMakeItBlindByReason) {
  struct Case {
    std::string bytes;
    Http2Blind reason;
  };
  for (const Case& c :
       {Case{http2_frame(kHttp2Continuation, kHttp2EndHeaders, 1, "x"),
             Http2Blind::malformed_frame},
        Case{http2_frame(kHttp2Headers, kHttp2EndHeaders, 3, "\xff\xff\xff\xff\xff\xff"),
             Http2Blind::compression},
        Case{http2_frame(kHttp2Headers, kHttp2EndHeaders, 3, "\x3f\xff\xff\x7f\x82"),
             Http2Blind::table_size},
        Case{http2_frame(kHttp2Headers, kHttp2EndHeaders, 3, std::string(3000, '\x82')),
             Http2Blind::block_too_large}}) {
    Options options;
    options.head_bytes_max = 2048;
    Bench bench(kEverything, options);
    Http2Client client;
    TcpSession session;
    session.handshake().client(Http2Client::preface() + client.request("GET", "a", "/one"));
    session.client(c.bytes).client(c.bytes);
    session.client(client.request("GET", "a", "/two"));
    const Events found = bench.feed(session).events();
    EXPECT_EQ(blind(bench, c.reason), 1u) << name(c.reason);
    EXPECT_EQ(std::count(found.begin(), found.end(), "http2_mid_stream"), 1) << name(c.reason);
    EXPECT_EQ(bench.inspector().http2().counters().open.get(), 0u);
  }
}

TEST(Http2Stream, ABombIsBoundedAndTheConnectionGoesOn) {
  Bench bench(kEveryRequest);
  Http2Client client;
  TcpSession session(elsewhere());
  session.handshake().client(
      Http2Client::preface() +
      client.request("GET", "a", "/one", {{"bomb", std::string(3000, 'b')}}));
  // Each octet names the newest entry of the table, 3 KiB: 157 MiB in all.
  const std::string bomb(55000, '\xbe');
  for (std::size_t at = 0; at < bomb.size(); at += 16000) {
    const bool last = at + 16000 >= bomb.size();
    session.client(http2_frame(at == 0 ? kHttp2Headers : kHttp2Continuation,
                               last ? kHttp2EndHeaders : 0, 3, bomb.substr(at, 16000)));
  }
  session.client(client.headers(5, Http2Client::request_fields("GET", "a", kPath)));
  EXPECT_EQ(bench.feed(session).events(), requests({"/one", kPath}));
  EXPECT_EQ(bench.counters().http2_blocks_cut.get(), 1u);
  EXPECT_EQ(blind_count(bench), 0u);
}

TEST(Http2Stream, LargerTablesAreFollowed) {
  Bench bench(kEveryRequest);
  Http2Client client(65536);
  TcpSession session(elsewhere());
  session.handshake().client(Http2Client::preface());
  client.change_table(0);
  session.client(client.request("GET", "a", "/one"));
  client.change_table(65536);
  for (int i = 0; i < 60; ++i) {
    session.client(client.request("GET", "a", "/" + std::to_string(i % 30),
                                  {{"x-" + std::to_string(i % 30), std::string(500, 'v')}}));
  }
  const Events found = bench.feed(session).events();
  ASSERT_EQ(found.size(), 61u);
  EXPECT_EQ(found.back(), "http_request GET /29");
  EXPECT_EQ(blind_count(bench), 0u);
}

TEST(Http2Stream, MetMidStreamItIsCountedAndReportedOnEndpointFlows) {
  for (const bool endpoint : {true, false}) {
    for (const bool server_first : {true, false}) {
      Bench bench(kEverything);
      Http2Client client;
      TcpSession session(endpoint ? TcpSession::Options() : elsewhere());
      (void)client.request("GET", "a", "/unseen");
      if (server_first) {
        session.server(http2_frame(kHttp2Headers, kHttp2EndHeaders, 1, "\x88"));
      }
      session.client(client.request("GET", "169.254.169.254", kPath));
      session.client(client.request("GET", "169.254.169.254", kPath));
      session.server(Http2Client::data(1, 100));
      const Events found = bench.feed(session).events();
      EXPECT_EQ(blind(bench, Http2Blind::mid_stream), 1u);
      EXPECT_EQ(found, endpoint ? Events{"http2_mid_stream"} : Events{});
      EXPECT_EQ(bench.counters().http2_prefaces.get(), 0u);
    }
  }
}

TEST(Http2Stream, MetMidStreamUncompressedTextIsStillFound) {
  Bench bench(kEverything);
  TcpSession session(elsewhere());
  // Literal, without Huffman: ":path: /latest/meta-data".
  session.client(http2_frame(kHttp2Headers, kHttp2EndHeaders, 5,
                             std::string("\x82\x04\x11") + "/latest/meta-data"));
  EXPECT_EQ(bench.feed(session).events(), Events{"raw_match"});
  EXPECT_EQ(blind(bench, Http2Blind::mid_stream), 1u);
}

TEST(Http2Stream, ALostPrefaceIsMidStream) {
  Bench bench(kEverything);
  Http2Client client;
  TcpSession session;
  session.handshake().client_gap(60).client(client.request("GET", "a", kPath));
  bench.feed(session).end_all();
  EXPECT_EQ(bench.events(), Events{"http2_mid_stream"});
  EXPECT_EQ(blind(bench, Http2Blind::mid_stream), 1u);
}

TEST(Http2Stream, AServersFramesAreNoMidStream) {
  Bench bench(kEverything);
  Http2Client client;
  TcpSession session;
  session.handshake();
  session.server(http2_frame(kHttp2Settings, 0, 0, "") + http2_frame(kHttp2Settings, 1, 0, ""));
  session.client(Http2Client::preface() + client.request("GET", "a", "/one"));
  session.server_gap(100).server(Http2Client::data(1, 40) + "latest/meta-data");
  EXPECT_EQ(bench.feed(session).events(), requests({"/one"}));
  EXPECT_EQ(blind_count(bench), 0u);
}

TEST(Http2Stream, ManyConnectionsFitIntoFixedMemory) {
  Options options;
  options.http2_bytes = 1u << 20;
  Bench bench(kEveryRequest, options, {}, 4096);
  const auto& http2 = bench.inspector().http2();
  constexpr unsigned kConnections = 2000;
  std::vector<Http2Client> clients(kConnections);
  std::vector<TcpSession> sessions;
  for (unsigned i = 0; i < kConnections; ++i) {
    TcpSession::Options o = elsewhere();
    o.client_port = 1024 + i;
    sessions.emplace_back(o);
    sessions[i].handshake().client(Http2Client::preface() + clients[i].request("GET", "a", "/one"));
    bench.feed(sessions[i]);
    sessions[i].packets().clear();
    EXPECT_LE(http2.counters().bytes_in_use.get(), http2.counters().bytes_capacity.get());
  }
  EXPECT_EQ(bench.events().size(), kConnections) << "each newcomer is read";
  EXPECT_LE(http2.counters().bytes_capacity.get(), options.http2_bytes);
  const std::uint64_t evicted = http2.counters().evicted.get();
  EXPECT_EQ(http2.counters().open.get() + evicted, kConnections);
  EXPECT_GT(http2.counters().open.get(), 100u);
  EXPECT_EQ(blind(bench, Http2Blind::evicted), evicted);
  // Those used last are still followed, the first ones are not.
  sessions.front().client(clients.front().request("GET", "a", "/two"));
  sessions.back().client(clients.back().request("GET", "a", "/two"));
  bench.feed(sessions.front()).feed(sessions.back());
  EXPECT_EQ(bench.events(), requests({"/two"}));
  EXPECT_EQ(blind(bench, Http2Blind::evicted), evicted) << "counted once";
  bench.end_all();
  EXPECT_EQ(http2.counters().open.get(), 0u);
  EXPECT_EQ(http2.counters().bytes_in_use.get(), 0u);
}

TEST(Http2Stream, AnEndpointsConnectionIsNotGivenUpForOthers) {
  Options options;
  options.http2_bytes = 1u << 20;
  Bench bench(kEveryRequest, options);
  Http2Client client;
  TcpSession endpoint;
  endpoint.handshake().client(Http2Client::preface() + client.request("GET", "a", "/one"));
  bench.feed(endpoint);
  endpoint.packets().clear();
  for (unsigned i = 0; i < 1000; ++i) {
    TcpSession::Options o = elsewhere();
    o.client_port = 1024 + i;
    Http2Client other;
    TcpSession session(o);
    session.handshake().client(Http2Client::preface() + other.request("GET", "a", "/other"));
    bench.feed(session);
  }
  (void)bench.take();
  endpoint.client(client.request("GET", "a", "/two"));
  EXPECT_EQ(bench.feed(endpoint).events(), requests({"/two"}));
}

TEST(Http2Stream, SplitBlocksWithoutArenaAreJudgedByWhatIsThere) {
  Options options;
  options.arena.blocks = {0, 0, 0, 0};
  Bench bench(kEveryRequest, options);
  Http2Client client;
  const std::string request = client.request("GET", "a", kPath, {{"x", "y"}});
  TcpSession session(elsewhere());
  session.handshake().client(Http2Client::preface());
  session.client(request.substr(0, request.size() - 2)).client(request.substr(request.size() - 2));
  EXPECT_EQ(bench.feed(session).events(), requests({kPath}));
  EXPECT_EQ(blind(bench, Http2Blind::memory), 1u);
}

}  // namespace
}  // namespace imds::detect
