// Exchanges of which only a part is seen, and what alerts say of it.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange_fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;
using support::TimedPacket;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kFound =
    "credentials key=ASIAQNZGKIQY56JQ7WML role=deploy account=29608264753 v1";

TcpSession whole_session(std::size_t piece = 1400) {
  TcpSession session;
  session.handshake()
      .client(get(kRolePath))
      .segment_size(piece)
      .server(ok(credentials_json()))
      .fin();
  return session;
}

std::string bytes() {
  return " bytes=" + std::to_string(credentials_json().size());
}

// Packet 3 is the request, 4 and what follows are the answer.
constexpr std::size_t kRequest = 3;

TEST(HalfView, AnswersThatOvertakeTheirRequestWait) {
  for (const std::size_t piece : {1400, 60}) {
    TcpSession session = whole_session(piece);
    auto& packets = session.packets();
    // The request comes behind all of the answer's segments, but the connection's end.
    std::rotate(packets.begin() + kRequest, packets.begin() + kRequest + 1, packets.end() - 3);
    Bench bench(kEveryAnswer);
    bench.feed(session);
    const auto lines = answers(bench);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0], "http_response 200 GET " + kRolePath + " v1");
    EXPECT_EQ(lines[1], "credentials_delivered 200 GET " + kRolePath + " " + kFound + bytes());
    EXPECT_EQ(bench.counters().answers_waited.get(), 1u);
    EXPECT_EQ(bench.counters().answers_waited_in_vain.get(), 0u);
    bench.end_all();
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

TEST(HalfView, OvertakenAnswersOfOrdinaryFlowsAreLetGo) {
  TcpSession::Options options;
  options.server_ip = "192.0.2.80";
  TcpSession session(options);
  session.handshake().client(get("/news")).server(ok("body"));
  std::swap(session.packets()[kRequest], session.packets()[kRequest + 1]);
  Bench bench(kEveryAnswer);
  bench.feed(session);
  EXPECT_THAT(answers(bench), IsEmpty());
  EXPECT_EQ(bench.counters().answers_waited.get(), 1u);
  EXPECT_EQ(bench.inspector().exchanges().counters().open.get(), 0u);
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

TEST(HalfView, OvertakenAnswersOfMatchedFlowsAreRead) {
  TcpSession::Options options;
  options.server_ip = "192.0.2.80";
  TcpSession session(options);
  session.handshake().client(get(kRolePath)).server(ok(credentials_json()));
  std::swap(session.packets()[kRequest], session.packets()[kRequest + 1]);
  Bench bench(kEveryAnswer);
  bench.feed(session);
  EXPECT_EQ(answers(bench).size(), 2u);
}

TEST(HalfView, RequestsThatNeverComeAreWaitedForInVain) {
  TcpSession session;
  session.handshake().client(get(kRolePath)).server(ok(credentials_json())).wait(kNanosPerSecond);
  session.server_ack();
  session.packets().erase(session.packets().begin() + kRequest);
  Bench bench(kEveryAnswer);
  bench.feed(session);
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "http_response 200 +request_unseen");
  EXPECT_EQ(bench.counters().answers_waited_in_vain.get(), 1u);
}

TEST(HalfView, WaitingEndsWithTheFlow) {
  TcpSession session;
  session.handshake().client(get(kRolePath)).server(ok(credentials_json()));
  session.packets().erase(session.packets().begin() + kRequest);
  Bench bench(kEveryAnswer);
  bench.feed(session);
  EXPECT_THAT(answers(bench), IsEmpty());
  bench.end_all();
  EXPECT_EQ(answers(bench).size(), 2u);
  EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
}

std::vector<TimedPacket> side(const TcpSession& session, bool client) {
  std::vector<TimedPacket> out;
  for (const TimedPacket& packet : session.packets()) {
    packet::PacketView view;
    packet::decode(packet.bytes, {}, view);
    if ((view.destination_port == 80) == client) {
      out.push_back(packet);
    }
  }
  return out;
}

TEST(HalfView, ResponsesOnly) {
  Bench bench(kEveryAnswer);
  for (const TimedPacket& packet : side(whole_session(), false)) {
    bench.feed(packet.bytes, packet.time);
  }
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "http_response 200 +responses_only +request_unseen");
  EXPECT_EQ(lines[1],
            "credentials_delivered 200 credentials key=ASIAQNZGKIQY56JQ7WML account=29608264753" +
                bytes() + " +responses_only +request_unseen");
}

TEST(HalfView, TokensOfResponsesOnly) {
  TcpSession session;
  session.handshake().client("x").server(
      ok("FAKE-TOKEN", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"));
  Bench bench(kEveryAnswer);
  for (const TimedPacket& packet : side(session, false)) {
    bench.feed(packet.bytes, packet.time);
  }
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1],
            "token_issued 200 token=10 ttl=60 v2 bytes=10 +responses_only +request_unseen");
}

TEST(HalfView, RequestsOnly) {
  Bench bench(kEveryAnswer);
  for (const TimedPacket& packet : side(whole_session(), true)) {
    bench.feed(packet.bytes, packet.time);
  }
  const auto found = bench.take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].visibility, event::kRequestsOnly);
}

TEST(HalfView, MidStream) {
  const TcpSession session = whole_session(100);
  const auto& packets = session.packets();
  Bench bench(kEveryAnswer);
  // The capture begins inside the body.
  for (std::size_t i = kRequest + 2; i < packets.size(); ++i) {
    bench.feed(packets[i].bytes, packets[i].time);
  }
  bench.end_all();
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].starts_with("credentials_delivered credentials key=ASIAQNZGKIQY56JQ7WML"))
      << lines[0];
  EXPECT_NE(lines[0].find("+mid_stream"), std::string::npos);
  EXPECT_NE(lines[0].find("+request_unseen +body_incomplete"), std::string::npos);
}

TEST(HalfView, HolesInTheBodyAreTold) {
  const std::string body = "{" + std::string(3000, ' ') + credentials_json().substr(1);
  TcpSession session;
  session.handshake().client(get(kRolePath)).segment_size(1000).server(ok(body)).fin();
  session.packets().erase(session.packets().begin() + kRequest + 2);
  Bench bench(kEveryAnswer);
  bench.feed(session).end_all();
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "credentials_delivered 200 GET " + kRolePath + " " + kFound +
                          " +stream_gap +body_incomplete");
  EXPECT_EQ(bench.counters().bodies_lost[3].get(), 1u);
}

TEST(HalfView, WhatIsCutOffAfterTheKeyIdIsToldAtTheEnd) {
  TcpSession session;
  const std::string answer = ok(credentials_json());
  session.handshake()
      .client(get(kRolePath))
      .server(answer.substr(0, answer.find("\"Expiration\"")));
  Bench bench(kEveryAnswer);
  bench.feed(session);
  EXPECT_EQ(answers(bench).size(), 1u);
  bench.end_all();
  EXPECT_THAT(answers(bench), ElementsAre("credentials_delivered 200 GET " + kRolePath + " " +
                                          kFound + " +body_incomplete"));
}

TEST(HalfView, ForgedEndsDoNotHideTheRest) {
  const std::string body = credentials_json();
  TcpSession session;
  session.handshake().client(get(kRolePath)).server("HTTP/1.0 200 OK\r\n\r\n" + body.substr(0, 40));
  session.segment(false, session.server_sequence(), support::kFin | support::kAck, {});
  session.server(body.substr(40));
  Bench bench(kEveryAnswer);
  bench.feed(session).end_all();
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[1].starts_with("credentials_delivered 200 GET " + kRolePath)) << lines[1];
}

TEST(HalfView, HeadsCutByAHoleStillTell) {
  TcpSession session;
  const std::string answer = ok(credentials_json());
  session.handshake().client(get(kRolePath)).segment_size(20).server(answer.substr(0, 60));
  session.server_gap(20).segment_size(1400).server(answer.substr(80)).fin();
  Bench bench(kEveryAnswer);
  bench.feed(session).end_all();
  const auto lines = answers(bench);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].substr(0, 17), "http_response 200");
  EXPECT_NE(lines[1].find(kFound), std::string::npos) << lines[1];
  EXPECT_EQ(bench.counters().answers_incomplete.get(), 1u);
}

}  // namespace
}  // namespace imds::detect
