// Requests and their answers, from packets to events.
#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../evidence/compressed.h"
#include "exchange_fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kDelivered =
    "credentials_delivered 200 GET " + kRolePath +
    " credentials key=ASIAQNZGKIQY56JQ7WML role=deploy account=29608264753 v1";
const std::string kAnswered = "http_response 200 GET " + kRolePath + " v1";

TcpSession talk(std::string_view request, std::string_view answer, std::size_t piece = 1400) {
  TcpSession session;
  session.handshake().client(request).segment_size(piece).server(answer).fin();
  return session;
}

TcpSession elsewhere(std::string_view request, std::string_view answer) {
  TcpSession::Options options;
  options.server_ip = "192.0.2.80";
  TcpSession session(options);
  session.handshake().client(request).server(answer).fin();
  return session;
}

std::string whole(const std::string& body) {
  return " bytes=" + std::to_string(body.size());
}

TEST(Exchange, CredentialsAreReportedWithTheirAccount) {
  Bench bench(kEveryAnswer);
  bench.feed(talk(get(kRolePath), ok(credentials_json())));
  const auto found = bench.take();
  ASSERT_EQ(found.size(), 3u);  // the request, too
  EXPECT_EQ(line_of(found[1]), kAnswered);
  EXPECT_EQ(line_of(found[2]), kDelivered + whole(credentials_json()));
  EXPECT_EQ(found[2].exchange.server.view(), "EC2ws");
  EXPECT_EQ(found[2].exchange.mime_type.view(), "text/plain");
  EXPECT_EQ(found[2].exchange.expiration, 1759946400);
  EXPECT_EQ(found[2].source.port, 40000);  // the client, though the server's packet told it
  EXPECT_EQ(bench.counters().deliveries[1].get(), 1u);
  EXPECT_EQ(bench.inspector().exchanges().counters().open.get(), 1u);
  bench.end_all();
  EXPECT_EQ(bench.inspector().exchanges().counters().open.get(), 0u);
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

// However the target and the host are written: the answer's event says what the request's says.
TEST(Exchange, AnswersTellTheSameTargetAsTheirRequests) {
  struct Case {
    const char* target;
    const char* host;  // nullptr: no such header
  };
  const std::string long_query(300, 'q');
  const std::string long_one = "/latest/?" + long_query;
  for (const Case& c :
       {Case{"/latest/meta-data/", "169.254.169.254"}, Case{"/latest/?", "example.net"},
        Case{"/latest/x?a=b&c=?d", "example.net:8080"}, Case{"/latest//x", "EXAMPLE.net"},
        Case{"/latest/%78?a=%62", "example.net."}, Case{"/latest/x#part", "[fd00:ec2::254]:80"},
        Case{"/latest/../latest/", "0xa9fea9fe"}, Case{"/latest/x", "user@example.net"},
        Case{"/latest/x", nullptr}, Case{"/latest/x?y", ""}, Case{"/latest/x", ":80"},
        Case{"http://example.net/latest/x?y", "other.example.net"},
        Case{long_one.c_str(), "example.net"}}) {
    Bench bench(std::string(kEveryAnswer) + R"(
---
title: A query of an answered request
id: 55555555-5555-4555-8555-555555555555
level: low
logsource: {product: imds-inspector}
detection:
  answer: {imds.event: http_response, url.query|contains: [a=b, y, q]}
  condition: answer
)");
    const std::string host = c.host == nullptr ? "" : "Host: " + std::string(c.host) + "\r\n";
    const std::string request =
        "GET " + std::string(c.target) + " HTTP/1.1\r\n" + host + "User-Agent: curl/8.0\r\n\r\n";
    bench.feed(talk(request, ok("body")));
    const auto found = bench.take();
    ASSERT_EQ(found.size(), 2u) << request;
    ASSERT_EQ(found[1].type, event::EventType::http_response);
    EXPECT_EQ(found[1].method.view(), found[0].method.view()) << request;
    EXPECT_EQ(found[1].target.view(), found[0].target.view()) << request;
    EXPECT_EQ(found[1].path.view(), found[0].path.view()) << request;
    EXPECT_EQ(found[1].domain.view(), found[0].domain.view()) << request;
    EXPECT_EQ(found[1].user_agent.view(), "curl/8.0") << request;
    const std::string_view target(c.target);
    const bool has_query = target.find("?a=") != std::string_view::npos ||
                           target.find("?y") != std::string_view::npos || target == long_one;
    EXPECT_EQ(found[1].rule_count, has_query ? 2u : 1u) << request;
  }
}

TEST(Exchange, AnyFramingAndCodingSaysTheSame) {
  const std::string body = credentials_json();
  const std::string encoded = evidence::compressed(body, evidence::kGzip);
  const std::string deflated = evidence::compressed(body, evidence::kRawDeflate);
  for (const std::string& answer :
       {ok(body), chunked(body, 1), chunked(body, 7), chunked(body, 4000),
        ok(encoded, "Content-Encoding: gzip\r\n"), ok(deflated, "content-encoding: deflate\r\n"),
        "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n" + body, "HTTP/1.1 100 Continue\r\n\r\n" + ok(body),
        "HTTP/1.1 200 OK\nContent-Length: " + std::to_string(body.size()) + "\n\n" + body}) {
    for (const std::size_t piece : {1400, 100, 1}) {
      Bench bench(kEveryAnswer);
      bench.feed(talk(get(kRolePath), answer, piece)).end_all();
      const auto lines = answers(bench);
      ASSERT_EQ(lines.size(), 2u) << answer.substr(0, 60) << piece;
      EXPECT_EQ(lines[0], kAnswered);
      EXPECT_TRUE(lines[1].starts_with(kDelivered)) << lines[1];
      EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
    }
  }
}

// Wherever the bytes are cut, and whether or not the fast lane is there.
TEST(Exchange, CutsChangeNothing) {
  const std::string requests = get("/latest/api/token").replace(0, 3, "PUT") + get(kRolePath);
  const std::string replies = ok("FAKE-TOKEN", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n") +
                              chunked(credentials_json(), 33);
  std::vector<std::string> expected;
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    Bench bench(kEveryAnswer);
    bench.set_lane(round % 2 == 1);
    TcpSession session;
    session.handshake();
    const std::size_t first = 1 + random() % 200;
    const std::size_t second = 1 + random() % 200;
    session.segment_size(first).client(requests).segment_size(second).server(replies).fin();
    bench.feed(session).end_all();
    auto lines = answers(bench);
    // Credentials are told where their object ends: the body's size may not be known yet.
    ASSERT_FALSE(lines.empty());
    lines.back().resize(std::min(lines.back().find(" bytes="), lines.back().size()));
    if (round == 0) {
      expected = lines;
      ASSERT_EQ(lines.size(), 4u);
    }
    ASSERT_EQ(lines, expected) << first << ' ' << second;
  }
}

constexpr std::string_view kProbed = R"(
title: Probed
id: 55555555-5555-4555-8555-555555555555
level: low
logsource: {category: webserver}
detection:
  keywords: ['/etc/passwd']
  agent: {request_headers|contains: 'x-scanner: '}
  missing: {http.response.status_code: 404}
  condition: (keywords or agent) and not missing
)";

// Requests that may fit are no finding; their answers tell.
TEST(Exchange, RulesOfRequestsMayAwaitAnswers) {
  for (const std::size_t piece : {1400, 7}) {
    Bench bench(kProbed);
    TcpSession::Options options;
    options.server_ip = "192.0.2.80";
    TcpSession session(options);
    session.handshake();
    const auto exchange = [&](const std::string& request, const std::string& status) {
      session.segment_size(piece).client(request).server("HTTP/1.1 " + status +
                                                         "\r\nContent-Length: 2\r\n\r\nhi");
    };
    exchange(get("/"), "200 OK");
    exchange(get("/?a=/etc/passwd"), "404 Not Found");
    exchange(get("/?b=/etc/passwd"), "200 OK");
    exchange(get("/c", "X-Scanner: 1\r\n"), "500 Oops");
    exchange(get("/d"), "200 OK");
    session.fin();
    bench.feed(session).end_all();
    std::vector<std::string> lines;
    for (const event::Finding& finding : bench.take()) {
      lines.push_back(line_of(finding));
    }
    EXPECT_THAT(lines,
                ElementsAre("http_response 200 GET /?b=/etc/passwd", "http_response 500 GET /c"))
        << piece;
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

TEST(Exchange, TokensAreToldByLengthAndLife) {
  Bench bench(kEveryAnswer);
  const std::string put =
      get("/latest/api/token", "X-Forwarded-For: 10.0.0.9\r\n").replace(0, 3, "PUT");
  bench.feed(talk(put, ok("FAKE-TOKEN-OF-30-BYTES-0123456",
                          "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n")));
  EXPECT_THAT(answers(bench),
              ElementsAre("http_response 200 PUT /latest/api/token v2 forwarded",
                          "token_issued 200 PUT /latest/api/token token=30 ttl=21600 v2 forwarded"
                          " bytes=30"));
  EXPECT_EQ(bench.counters().tokens_issued.get(), 1u);
}

TEST(Exchange, RefusalsIssueNothing) {
  for (const char* status : {"401 Unauthorized", "403 Forbidden", "405 Not Allowed", "400 Bad"}) {
    Bench bench(kEveryAnswer);
    const std::string put = get("/latest/api/token").replace(0, 3, "PUT");
    bench.feed(talk(put, "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_THAT(answers(bench), ElementsAre("http_response " + std::string(status, 3) +
                                            " PUT /latest/api/token v2"));
    EXPECT_EQ(bench.counters().tokens_issued.get(), 0u);
  }
}

TEST(Exchange, VersionIsThatOfTheRequest) {
  Bench bench(kEveryAnswer);
  bench.feed(talk(get("/latest/meta-data/", "X-aws-ec2-metadata-token: FAKE-T\r\n"), ok("x")));
  EXPECT_THAT(answers(bench), ElementsAre("http_response 200 GET /latest/meta-data/ v2"));
}

TEST(Exchange, OtherDeliveriesAreTold) {
  struct Case {
    std::string target;
    std::string body;
    std::string told;
  };
  for (const Case& c : {
           Case{"/latest/dynamic/instance-identity/document",
                R"({"accountId":"123456789012","region":"eu-west-1","instanceId":"i-1"})",
                "identity_document account=123456789012"},
           Case{"/latest/dynamic/instance-identity/pkcs7", "MIAGCSqGSIb3", "identity_document"},
           Case{"/latest/meta-data/iam/info",
                R"({"InstanceProfileArn":"arn:aws:iam::123456789012:instance-profile/web"})",
                "role_info role=web account=123456789012"},
           Case{"/latest/user-data", "#!/bin/sh\nexport P=FAKE-hunter2\n",
                "user_data shell_script"},
       }) {
    Bench bench(kEveryAnswer);
    bench.feed(talk(get(c.target), ok(c.body)));
    EXPECT_THAT(answers(bench), ElementsAre("http_response 200 GET " + c.target + " v1",
                                            "credentials_delivered 200 GET " + c.target + " " +
                                                c.told + " v1" + whole(c.body)))
        << c.target;
  }
}

// Portals answer so, whatever they are asked; pages quote what documents look like.
TEST(Exchange, PagesAreNeitherTokensNorDeliveries) {
  const std::string page = "\n<!DOCTYPE html><pre>" + credentials_json() + "</pre>";
  for (const std::string& request : {"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n"
                                     "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n" +
                                         std::string(),
                                     get(kRolePath), get("/latest/user-data"),
                                     get("/latest/dynamic/instance-identity/document")}) {
    Bench bench(kEveryAnswer);
    const auto lines = answers(bench.feed(talk(request, ok(page))).end_all());
    ASSERT_EQ(lines.size(), 1u) << request;
    EXPECT_EQ(lines[0].substr(0, 13), "http_response");
    EXPECT_EQ(bench.counters().tokens_issued.get(), 0u);
  }
}

TEST(Exchange, FailuresDeliverNothing) {
  for (const char* target : {"/latest/user-data", "/latest/meta-data/iam/info",
                             "/latest/dynamic/instance-identity/pkcs7"}) {
    Bench bench(kEveryAnswer);
    bench.feed(talk(get(target), "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found"));
    EXPECT_EQ(answers(bench).size(), 1u) << target;
  }
}

TEST(Exchange, AnyBodyOfAMatchedFlowIsSearched) {
  Bench bench(kEveryAnswer);
  bench.feed(elsewhere(get("/proxy?u=/latest/x"), ok(credentials_json())));
  EXPECT_EQ(answers(bench).size(), 2u);
  bench.feed(elsewhere(get("/news").replace(4, 5, "/else"), ok(credentials_json())));
  EXPECT_THAT(answers(bench), IsEmpty());
}

TEST(Exchange, OrdinaryFlowsHoldNothing) {
  Bench bench(kEveryAnswer);
  bench.feed(elsewhere(get("/news"), ok(std::string(5000, 'x'))));
  EXPECT_EQ(bench.counters().answers.get(), 0u);
  EXPECT_EQ(bench.inspector().exchanges().counters().open.get(), 0u);
}

// The request that matters comes when the server's direction is already passed over.
TEST(Exchange, LaterRequestsOfAConnectionAreFollowed) {
  TcpSession::Options options;
  options.server_ip = "192.0.2.80";
  TcpSession session(options);
  session.handshake()
      .client(get("/news"))
      .server(ok("old"))
      .client(get(kRolePath))
      .server(ok(credentials_json()))
      .client(get("/more"))
      .server(ok("new"))
      .fin();
  for (const bool lane : {false, true}) {
    Bench bench(kEveryAnswer);
    bench.set_lane(lane).feed(session).end_all();
    EXPECT_THAT(answers(bench), ElementsAre(kAnswered, kDelivered + whole(credentials_json())));
  }
}

TEST(Exchange, PipelinedAnswersFindTheirRequests) {
  Bench bench(kEveryAnswer);
  std::string requests;
  std::string replies;
  std::vector<std::string> expected;
  for (int i = 0; i < 6; ++i) {
    const std::string target = "/latest/meta-data/x" + std::to_string(i);
    requests += get(target);
    replies += i % 2 == 0 ? ok("body") : chunked("body", 2);
    expected.push_back("http_response 200 GET " + target + " v1");
  }
  bench.feed(talk(requests, replies, 50));
  EXPECT_EQ(answers(bench), expected);
}

TEST(Exchange, HeadAnswersHaveNoBody) {
  Bench bench(kEveryAnswer);
  const std::string head = get("/latest/meta-data/").replace(0, 3, "HEAD");
  bench.feed(talk(head + get(kRolePath),
                  "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + ok(credentials_json())));
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[2].starts_with(kDelivered));
}

TEST(Exchange, MoreRequestsThanAreKeptAreCountedAndStayInStep) {
  Bench bench(kEveryAnswer);
  std::string requests;
  std::string replies;
  for (int i = 0; i < 12; ++i) {
    requests += get("/latest/meta-data/x" + std::to_string(i));
    replies += ok("b");
  }
  TcpSession session;
  session.handshake().client(requests).server(replies);
  session.client(get("/latest/meta-data/last")).server(ok("b")).fin();
  bench.feed(session);
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 13u);
  EXPECT_EQ(lines[7], "http_response 200 GET /latest/meta-data/x7 v1");
  EXPECT_EQ(lines[8], "http_response 200 +request_unseen");
  EXPECT_EQ(lines[12], "http_response 200 GET /latest/meta-data/last v1");
  EXPECT_EQ(bench.counters().requests_unnoted.get(), 4u);
}

TEST(Exchange, ExpectedAccountsAreJudged) {
  struct Case {
    std::vector<IpPrefix> networks;
    std::uint64_t account;
    const char* verdict;
  };
  for (const Case& c :
       {Case{{}, 29608264753, "yes"}, Case{{*IpPrefix::parse("10.0.0.0/8")}, 29608264753, "yes"},
        Case{{*IpPrefix::parse("172.16.0.0/12")}, 29608264753, "wrong_network"},
        Case{{}, 111111111111, "no"}}) {
    Bench bench(kEveryAnswer);
    bench.know({{}, evidence::ExpectedAccounts({{c.account, c.networks}})});
    bench.feed(talk(get(kRolePath), ok(credentials_json())));
    const auto found = bench.take();
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(event::name(found[2].exchange.account_expected), c.verdict);
  }
}

TEST(Exchange, AccountsInDoubtAreNotExpected) {
  std::string body = credentials_json();
  body.insert(1, R"("AccountId":"111111111111",)");
  Bench bench(kEveryAnswer);
  bench.know({{}, evidence::ExpectedAccounts({{29608264753, {}}, {111111111111, {}}})});
  bench.feed(talk(get(kRolePath), ok(body)));
  const auto found = bench.take();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[2].exchange.account_source, event::AccountSource::conflicting);
  EXPECT_EQ(found[2].exchange.account_expected, event::AccountVerdict::no);
}

TEST(Exchange, ClientsAreKnownByTheirUserAgent) {
  Bench bench(kEveryAnswer);
  bench.know({evidence::ClientKinds(std::vector<evidence::ClientPattern>{{"curl/*", "curl"}}), {}});
  bench.feed(talk(get(kRolePath), ok(credentials_json())));
  for (const event::Finding& finding : bench.take()) {
    EXPECT_EQ(finding.exchange.client_kind.view(), "curl") << event::name(finding.type);
  }
}

TEST(Exchange, NoSecretReachesAFinding) {
  Bench bench(kEveryAnswer);
  bench.feed(
      talk(get("/latest/api/token", "X-aws-ec2-metadata-token: FAKE-A\r\n").replace(0, 3, "PUT") +
               get(kRolePath) + get("/latest/user-data"),
           ok("FAKE-TOKEN") + ok(credentials_json()) + ok("#!/bin/sh FAKE-PASSWORD")));
  const auto found = bench.take();
  EXPECT_EQ(found.size(), 9u);
  for (const event::Finding& finding : found) {
    const std::string_view memory(reinterpret_cast<const char*>(&finding), sizeof finding);
    EXPECT_EQ(memory.find("FAKE-"), std::string_view::npos) << line_of(finding);
  }
}

// --- bad input ---

TEST(Exchange, BombsAndUnknownCodingsAreTold) {
  Options options;
  options.body_bytes_max = 100000;
  const std::string bomb = evidence::compressed(std::string(16 << 20, ' '), evidence::kGzip);
  Bench bench(kEveryAnswer, options);
  bench.feed(talk(get("/latest/user-data") + get(kRolePath),
                  ok(bomb, "Content-Encoding: gzip\r\n") + ok(credentials_json())));
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1],
            "credentials_delivered 200 GET /latest/user-data user_data text v1 +body_incomplete");
  EXPECT_TRUE(lines[3].starts_with(kDelivered));  // the next answer is found behind it
  EXPECT_EQ(bench.counters().bodies_lost[0].get(), 1u);
  bench.feed(talk(get(kRolePath), ok("x", "Content-Encoding: br\r\n")));
  EXPECT_EQ(bench.counters().bodies_lost[1].get(), 1u);
}

TEST(Exchange, LyingLengthsDoNotHideCredentials) {
  const std::string body = credentials_json();
  // Far too long: told when the object ends, not when the flow does.
  Bench longer(kEveryAnswer);
  TcpSession session;
  session.handshake()
      .client(get(kRolePath))
      .server("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + body);
  longer.feed(session);
  EXPECT_THAT(answers(longer), ElementsAre(kAnswered, kDelivered));
  longer.end_all();
  EXPECT_EQ(longer.counters().bodies_lost[4].get(), 1u);
  // Two framings, and one that is none.
  for (const char* framing :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: x\r\n"}) {
    Bench bench(kEveryAnswer);
    const bool is_chunked = std::string_view(framing).find("chunked") != std::string_view::npos;
    const std::string sent = is_chunked ? chunked(body, 50).substr(47) : body;
    bench.feed(talk(get(kRolePath), "HTTP/1.1 200 OK\r\n" + std::string(framing) + "\r\n" + sent));
    bench.end_all();
    const auto lines = answers(bench);
    ASSERT_EQ(lines.size(), 2u) << framing;
    EXPECT_TRUE(lines[1].starts_with(kDelivered)) << lines[1];
  }
}

TEST(Exchange, BrokenChunksAreReadOn) {
  Bench bench(kEveryAnswer);
  bench.feed(talk(get(kRolePath), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" +
                                      credentials_json()));
  bench.end_all();
  EXPECT_THAT(answers(bench), ElementsAre(kAnswered, kDelivered + " +body_incomplete"));
}

TEST(Exchange, OrdinaryAnswersWithSimilarWordsAreNone) {
  for (
      const char* body :
      {R"({"access_token":"x","token_type":"bearer"})",
       R"({"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","Status":"Active"})",
       "<html><title>Sign in to the guest network</title> AccessKeyId SecretAccessKey Token</html>",
       R"({"Credentials":{"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c","Expiration":"d"}})"}) {
    Bench bench(kEveryAnswer);
    bench.feed(talk(get(kRolePath), ok(body)));
    EXPECT_THAT(answers(bench), ElementsAre(kAnswered)) << body;
  }
}

TEST(Exchange, ExchangesBeyondTheLimitAreGivenUpAndCounted) {
  Options options;
  options.exchanges = 2;
  Bench bench(kEveryAnswer, options);
  std::vector<TcpSession> sessions;
  for (unsigned i = 0; i < 5; ++i) {
    TcpSession::Options o;
    o.client_port = 40000 + i;
    TcpSession session(o);
    session.handshake().client(get(kRolePath));
    bench.feed(session);
    sessions.push_back(session);
  }
  EXPECT_EQ(bench.inspector().exchanges().counters().evicted.get(), 3u);
  // Their answers are read all the same, for themselves.
  const std::size_t before = sessions[0].packets().size();
  sessions[0].server(ok(credentials_json()));
  for (std::size_t i = before; i < sessions[0].packets().size(); ++i) {
    bench.feed(sessions[0].packets()[i].bytes, sessions[0].packets()[i].time);
  }
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "http_response 200 +request_unseen");
  EXPECT_EQ(lines[1].find("credentials key=ASIAQNZGKIQY56JQ7WML") != std::string::npos, true);
  bench.end_all();
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

}  // namespace
}  // namespace imds::detect
