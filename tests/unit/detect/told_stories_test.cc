// What is told to the story once, and when it is told again.
#include "detect/told_stories.h"

#include <limits>

#include <gtest/gtest.h>

#include "exchange_fixture.h"

namespace imds::detect {
namespace {

using event::Stage;
using support::TcpSession;

constexpr std::int64_t kSecond = kNanosPerSecond;

IpAddress client(std::uint32_t number) {
  return IpAddress::v4(0x0a000000 + number);
}

TEST(ToldStories, AStageIsKnownOnceItIsTold) {
  ToldStories told({});
  EXPECT_FALSE(told.knows(client(1), 0, Stage::answered, {kSecond}));
  told.note(client(1), 0, Stage::answered, {kSecond});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {kSecond}));
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {2 * kSecond - 1}));
  EXPECT_FALSE(told.knows(client(1), 0, Stage::attempted, {kSecond}));  // each for itself
  EXPECT_FALSE(told.knows(client(1), 0, Stage::token, {kSecond}));
  EXPECT_FALSE(told.knows(client(1), 1, Stage::answered, {kSecond}));  // of another endpoint
  EXPECT_FALSE(told.knows(client(2), 0, Stage::answered, {kSecond}));
  IpAddress v6 = client(1);
  v6.family = AddressFamily::ipv6;  // the same bytes
  EXPECT_FALSE(told.knows(v6, 0, Stage::answered, {kSecond}));
}

TEST(ToldStories, AfterAWhileItIsToldAnew) {
  ToldStories told({});
  told.note(client(1), 0, Stage::attempted, {0});
  told.note(client(1), 0, Stage::answered, {kSecond / 2});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {kSecond - 1}));
  // A second after the first that was told, so that the story goes on for the first again.
  EXPECT_FALSE(told.knows(client(1), 0, Stage::attempted, {kSecond}));
  EXPECT_FALSE(told.knows(client(1), 0, Stage::answered, {kSecond}));
  told.note(client(1), 0, Stage::answered, {kSecond});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {2 * kSecond - 1}));
  EXPECT_FALSE(told.knows(client(1), 0, Stage::attempted, {kSecond}));
}

// Each stage keeps its earliest time: what happened before it was told is news.
TEST(ToldStories, WhatHappenedEarlierIsTold) {
  ToldStories told({});
  told.note(client(1), 0, Stage::attempted, {1000});
  told.note(client(1), 0, Stage::answered, {2000});
  EXPECT_FALSE(told.knows(client(1), 0, Stage::answered, {1999}));
  EXPECT_FALSE(told.knows(client(1), 0, Stage::attempted, {999}));
  told.note(client(1), 0, Stage::answered, {1500});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {1999}));
  told.note(client(1), 0, Stage::answered, {3000});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {1500}));
}

TEST(ToldStories, AnyTimesAreHarmless) {
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t a : {kFirst, std::int64_t{-1}, std::int64_t{0}, kLast}) {
    ToldStories told({16, kLast, {}});  // no longer than 4 s all the same
    told.note(client(1), 0, Stage::answered, {a});
    for (const std::int64_t b : {kFirst, std::int64_t{-1}, std::int64_t{0}, kLast}) {
      const bool near = a == b || (a == -1 && b == 0);
      EXPECT_EQ(told.knows(client(1), 0, Stage::answered, {b}), near) << a << ' ' << b;
    }
  }
}

TEST(ToldStories, WithoutRoomThingsAreToldAgain) {
  ToldStories told({16, kSecond, {1, 2}});
  EXPECT_EQ(told.capacity(), 16u);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    told.note(client(i), 0, Stage::answered, {0});
    EXPECT_TRUE(told.knows(client(i), 0, Stage::answered, {0}));
  }
  int known = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    known += told.knows(client(i), 0, Stage::answered, {0}) ? 1 : 0;
  }
  EXPECT_GT(known, 8);
  EXPECT_LE(known, 16);
}

TEST(ToldStories, WithoutASecretTheyAreSpreadToo) {
  ToldStories told({1024, kSecond, {}});
  for (std::uint32_t i = 0; i < 256; ++i) {
    told.note(client(i), 0, Stage::answered, {0});
  }
  int known = 0;
  for (std::uint32_t i = 0; i < 256; ++i) {
    known += told.knows(client(i), 0, Stage::answered, {0}) ? 1 : 0;
  }
  EXPECT_GT(known, 180);
}

TEST(ToldStories, NewNumbersOfEndpointsForgetAll) {
  ToldStories told({});
  told.note(client(1), 0, Stage::answered, {0});
  told.clear();
  EXPECT_FALSE(told.knows(client(1), 0, Stage::answered, {0}));
  told.note(client(1), 0, Stage::answered, {0});
  EXPECT_TRUE(told.knows(client(1), 0, Stage::answered, {0}));
}

// --- In the inspector ------------------------------------------------------------------------

TcpSession two_requests(std::uint16_t port, std::int64_t at) {
  TcpSession::Options options;
  options.client_port = port;
  options.start = Timestamp{at};
  TcpSession session(options);
  session.handshake();
  for (int i = 0; i < 2; ++i) {
    session.client(get("/latest/meta-data/instance-id")).server(ok("i-0123456789abcdef0"));
  }
  session.fin();
  return session;
}

std::vector<std::string> told_of(Bench& bench) {
  (void)bench.take();
  return bench.told();
}

TEST(StoryRepeats, AreNotQueued) {
  Bench bench;  // its rule is about connections and requests
  bench.feed(two_requests(40000, 0));
  EXPECT_EQ(told_of(bench), (std::vector<std::string>{"http_response"}));
  EXPECT_EQ(bench.counters().story_repeats.get(), 1u);
  EXPECT_EQ(bench.counters().answers.get(), 2u);
  bench.feed(two_requests(40001, kSecond / 2));
  EXPECT_EQ(told_of(bench).size(), 1u);
  EXPECT_EQ(bench.counters().story_repeats.get(), 3u);
  bench.feed(two_requests(40002, 2 * kSecond));
  EXPECT_EQ(told_of(bench).size(), 2u);
  EXPECT_EQ(bench.counters().story_repeats.get(), 4u);
  EXPECT_EQ(bench.counters().findings_for_story.get(), 2u);
}

TEST(StoryRepeats, EveryStageIsToldOnce) {
  Bench bench(kEveryRequest);
  TcpSession session;
  session.handshake();
  for (int i = 0; i < 2; ++i) {
    session.client("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n\r\n").server(ok("TOKEN"));
    session.client(get(kRolePath)).server(ok(credentials_json()));
  }
  bench.feed(session);
  EXPECT_EQ(told_of(bench), (std::vector<std::string>{"connection", "http_response", "token_issued",
                                                      "credentials_delivered"}));
  EXPECT_EQ(bench.counters().tokens_issued.get(), 2u);
  EXPECT_EQ(bench.counters().deliveries[1].get(), 2u);
  EXPECT_EQ(bench.counters().story_repeats.get(), 3u + 1u + 1u);
}

TEST(StoryRepeats, WhatRulesAreAboutIsAlwaysTold) {
  Bench bench(kEveryAnswer);
  bench.feed(two_requests(40000, 0)).feed(two_requests(40001, 0));
  EXPECT_EQ(answers(bench).size(), 4u);
}

TEST(StoryRepeats, WhatWasLostIsNotTold) {
  Bench bench(kEveryRequest, few_connections(), {}, 1);
  bench.feed(two_requests(40000, 0));  // its connection fills the ring
  EXPECT_EQ(told_of(bench), (std::vector<std::string>{"connection"}));
  bench.feed(two_requests(40001, 0));
  EXPECT_EQ(bench.counters().story_repeats.get(), 1u);  // the connection only
}

// Of a token nobody expected the proof that the server is one is the story's, wherever it is.
TEST(StoryRepeats, WithoutAnEndpointThereIsNothingToRemember) {
  Bench bench;
  TcpSession session(elsewhere());
  session.handshake();
  for (int i = 0; i < 2; ++i) {
    session.client("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n\r\n").server(ok("TOKEN"));
  }
  bench.feed(session);
  EXPECT_EQ(told_of(bench), (std::vector<std::string>{"token_issued", "token_issued"}));
  EXPECT_EQ(bench.counters().story_repeats.get(), 0u);
}

}  // namespace
}  // namespace imds::detect
