// Flows end: by silence, by eviction, by finish(). None of it loses what still matters.
#include <random>
#include <string>

#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::kSyn;
using support::PacketBuilder;
using support::TcpSession;

constexpr std::int64_t kSecond = kNanosPerSecond;

Options with_timeouts() {
  Options options = small_options();
  options.timeouts = {.tcp_opening = 10, .tcp_established = 300, .tcp_closing = 5, .other = 30};
  return options;
}

Given late(support::Bytes bytes, std::int64_t seconds) {
  Given packet = given(std::move(bytes));
  packet.time.ns += seconds * kSecond;
  return packet;
}

Given bystander(std::int64_t seconds) {
  return late(
      PacketBuilder().ethernet().ipv4("10.9.9.9", "10.8.8.8").udp(1, 2).payload("tick").build(),
      seconds);
}

TEST(Ageing, AnIdleFlowIsANewFlow) {
  TcpSession session;
  session.handshake().wait(72 * kSecond).client(kMetadata);
  Rig rig(with_timeouts());
  EXPECT_EQ(rig.run(session).events(),
            (Events{"connection", "connection", std::string(kFoundMetadata)}));
  EXPECT_EQ(rig.flows(), 1u);
}

// SYNs are tried again up to a minute apart.
TEST(Ageing, ARetriedSynIsTheSameConnection) {
  TcpSession session;
  session.syn().wait(64 * kSecond);
  session.segment(true, 1000, support::kSyn, "");
  EXPECT_EQ(Rig(with_timeouts()).run(session).events(), Events{"connection"});
}

// Hours may lie between two packets of one burst: they are no time that a stream behind them
// waited.
TEST(Ageing, AStreamDoesNotWaitBeforeItBegins) {
  TcpSession session;
  session.wait(3600 * kSecond).handshake();
  const std::uint32_t begin = session.client_sequence();
  session.segment(true, begin + 10, support::kPsh | support::kAck, kMetadata.substr(10));
  ListSource burst;
  burst.add(bystander(0));
  burst.add(session);
  Rig rig(with_timeouts());
  rig.run(burst);
  TcpSession rest;
  rest.wait(3601 * kSecond);
  rest.segment(true, begin, support::kPsh | support::kAck, kMetadata.substr(0, 10));
  EXPECT_EQ(rig.run(rest).events(), (Events{"connection", std::string(kFoundMetadata)}));
}

TEST(Ageing, ATalkingFlowIsNot) {
  TcpSession session;
  session.handshake().client("GET / HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    session.wait(299 * kSecond).client_ack();
  }
  session.client(kMetadata);
  Rig rig(with_timeouts());
  EXPECT_EQ(rig.run(session).events(),
            (Events{"connection", "http_request GET /", std::string(kFoundMetadata)}));
}

// A burst from a capture may span hours. A packet is judged at its own time, not at the time of
// the last one beside it.
TEST(Ageing, ByEachPacketsOwnTime) {
  TcpSession session(elsewhere());
  session.segment_size(30).handshake().client(kMetadata);
  ASSERT_GE(session.packets().size(), 5u);
  ListSource first;
  for (std::size_t i = 0; i < 4; ++i) {
    first.add(given(session.packets()[i].bytes));
  }
  ListSource second;
  for (std::size_t i = 4; i < session.packets().size(); ++i) {
    second.add(late(session.packets()[i].bytes, 2));
  }
  second.add(bystander(3600));
  Rig rig(with_timeouts());
  rig.run(first).run(second);
  EXPECT_EQ(rig.events(), Events{std::string(kFoundMetadata)});
}

TEST(Ageing, WithinOneBurst) {
  ListSource source;
  const auto syn = PacketBuilder()
                       .ethernet()
                       .ipv4("10.0.0.1", "169.254.169.254")
                       .tcp(40000, 80)
                       .flags(kSyn)
                       .build();
  source.add(late(syn, 0)).add(late(syn, 1)).add(late(syn, 100));
  Rig rig(with_timeouts());
  EXPECT_EQ(rig.run(source).events(), (Events{"connection", "connection"}));
}

TEST(Ageing, SweepsIdleFlows) {
  ListSource source;
  for (unsigned i = 0; i < 500; ++i) {
    source.add(given(tcp_data("\x01", 10000 + i).build()));
  }
  Rig rig(with_timeouts());
  rig.run(source);
  EXPECT_EQ(rig.flows(), 500u);
  ListSource ticks(0, 1);
  for (int i = 0; i < 100; ++i) {
    ticks.add(bystander(301));
  }
  rig.run(ticks);
  EXPECT_EQ(rig.flows(), 0u);
  EXPECT_EQ(rig.worker().flows().counters().expired.get(), 500u);
}

TEST(Ageing, TimestampsThatRunBackwardsAgeNothing) {
  ListSource source;
  source.add(late(tcp_data("\x01").build(), 0));
  for (int i = 0; i < 1000; ++i) {
    source.add(bystander(-100'000 * i));
  }
  Rig rig(with_timeouts());
  rig.run(source);
  EXPECT_EQ(rig.flows(), 1u);
}

TEST(Finish, EndsEveryFlowAndGivesBackItsMemory) {
  ListSource source;
  for (unsigned i = 0; i < 40; ++i) {
    source.add(given(tcp_data("GET /never-finished HTTP/1.1\r\nHost: ", 10000 + i).build()));
  }
  Rig rig;
  rig.run(source);
  EXPECT_EQ(rig.flows(), 40u);
  EXPECT_GT(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
  rig.worker().finish();
  EXPECT_EQ(rig.flows(), 0u);
  EXPECT_EQ(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
  EXPECT_EQ(rig.counted().http_heads_abandoned.get(), 40u);
  // And goes on, if more comes.
  EXPECT_EQ(rig.run(given(tcp_data(kMetadata).build())).events(),
            Events{std::string(kFoundMetadata)});
}

Given flood_packet(std::mt19937& random, bool with_payload) {
  const auto byte = [&random] { return std::to_string(random() % 254 + 1); };
  PacketBuilder builder;
  builder.ethernet().ipv4("11." + byte() + "." + byte() + "." + byte(), "203.0.113.7");
  builder.tcp(random() % 60000 + 1024, 80).seq(random());
  if (with_payload) {
    builder.payload("\x01junk");
  } else {
    builder.flags(kSyn);
  }
  return given(builder.build());
}

class Flood : public ::testing::TestWithParam<bool> {};

// A table of 256 flows, a flood of 20,000, and a request to the endpoint in the middle of it whose
// head comes in pieces with thousands of flood packets between them.
TEST_P(Flood, TheTableStaysBoundedAndTheRequestIsFound) {
  Options options = small_options();
  options.flows.flows = 256;
  Rig rig(options);
  std::mt19937 random(7);
  TcpSession session;
  session.segment_size(20).handshake().client(kMetadata);
  ListSource source;
  for (const support::TimedPacket& packet : session.packets()) {
    source.add(given(packet.bytes));
    for (int i = 0; i < 3000; ++i) {
      source.add(flood_packet(random, GetParam()));
    }
  }
  EXPECT_EQ(rig.run(source).events(), (Events{"connection", std::string(kFoundMetadata)}));
  EXPECT_LE(rig.flows(), 256u);
  const flow::TableCounters& table = rig.worker().flows().counters();
  EXPECT_EQ(table.inserted.get(), table.live.get() + table.evicted_idle.get() +
                                      table.evicted_opaque.get() + table.evicted_active.get() +
                                      table.expired.get() + table.erased.get());
  rig.worker().finish();
  EXPECT_EQ(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
}

INSTANTIATE_TEST_SUITE_P(OfSynsAndOfPayload, Flood, ::testing::Bool());

// More unfinished heads than the arena has room for: what does not fit is judged as far as it came.
TEST(Arena, ExhaustedByUnfinishedHeads) {
  Options options = small_options();
  options.inspector.arena.blocks = {4, 1, 1, 1};
  Rig rig(options);
  ListSource source;
  for (unsigned i = 0; i < 20; ++i) {
    source.add(given(tcp_data("GET /latest/meta-data/ HTTP/1.1\r\nHost: ", 10000 + i).build()));
  }
  rig.run(source);
  // And neither is there any for method and target of each request, which its answer would need.
  EXPECT_EQ(rig.counted().arena_exhausted.get(), 13u * (1u + 2u));
  EXPECT_EQ(rig.take().size(), 13u);
  rig.worker().finish();
  EXPECT_EQ(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
}

}  // namespace
}  // namespace imds::pipeline
