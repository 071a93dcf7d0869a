// An elephant flow takes its share of a worker and no more, and is seen in the worker's numbers.
#include "pipeline/largest_flow.h"

#include <map>

#include "fixture.h"

namespace imds::pipeline {
namespace {

constexpr std::uint16_t kSmallBurst = 20;
constexpr unsigned kBursts = 400;
constexpr Timestamp kStart{1'760'000'000 * kNanosPerSecond};
// Of the packets: an interval holds 200 bursts.
constexpr std::int64_t kGapNs = LargestFlow::kIntervalNs / (200 * kSmallBurst);

Given at(support::PacketBuilder builder, unsigned number) {
  Given packet = given(builder.build());
  packet.time = Timestamp{kStart.ns + number * kGapNs};
  return packet;
}

support::PacketBuilder udp(unsigned client_port) {
  support::PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.1", "203.0.113.7").udp(client_port, 443).payload("abcdefghij");
  return builder;
}

double ratio(Rig& rig) {
  return static_cast<double>(rig.worker().largest_flow().share()) / LargestFlow::kWhole;
}

// Nineteen of twenty packets belong to one flow; each of the others is the request of a flow of its
// own, and is found in the very burst it came in.
TEST(Elephant, StarvesNobodyAndIsSeen) {
  constexpr unsigned kElephant = 50000;
  const std::string payload(100, '\x7f');
  Rig rig;
  ListSource source(0, kSmallBurst);
  for (unsigned i = 0; i < kBursts * kSmallBurst; ++i) {
    const unsigned burst = i / kSmallBurst;
    if (i % kSmallBurst == burst % kSmallBurst) {
      source.add(at(tcp_data(kMetadata, 1024 + burst), i));
    } else {
      source.add(at(tcp_data(payload, kElephant).seq(1 + i * 100), i));
    }
  }
  port::Source* const sources[] = {&source};
  for (unsigned burst = 0; burst < kBursts; ++burst) {
    ASSERT_EQ(rig.worker().poll(sources), kSmallBurst);
    ASSERT_EQ(rig.events(), Events{std::string(kFoundMetadata)}) << "burst " << burst;
  }
  EXPECT_EQ(rig.disposed(), kBursts * kSmallBurst);
  EXPECT_NEAR(ratio(rig), 0.95, 0.05);
}

TEST(Elephant, IsSeenInDatagramsWithoutFlow) {
  Rig rig;
  ListSource source(0, kSmallBurst);
  for (unsigned i = 0; i < kBursts * kSmallBurst; ++i) {
    source.add(at(i % 2 == 0 ? udp(50000) : udp(1024 + i), i));
  }
  rig.run(source);
  EXPECT_NEAR(ratio(rig), 0.5, 0.12);
}

TEST(Elephant, IsNotSeenInAFairMix) {
  Rig rig;
  ListSource source(0, kSmallBurst);
  for (unsigned i = 0; i < kBursts * kSmallBurst; ++i) {
    const unsigned flow = i * 7919 % 64;
    source.add(at(tcp_data("x", 1024 + flow).seq(1 + i), i));
  }
  rig.run(source);
  EXPECT_LT(ratio(rig), 0.1);
}

TEST(LargestFlow, PicksEveryPacketOfABurstAlike) {
  LargestFlow largest;
  std::map<unsigned, unsigned> picked;
  for (unsigned i = 0; i < 64000; ++i) {
    ++picked[largest.pick(64)];
  }
  EXPECT_EQ(picked.size(), 64u);
  for (const auto& [packet, times] : picked) {
    EXPECT_LT(packet, 64u);
    EXPECT_NEAR(times, 1000, 200) << packet;
  }
  EXPECT_EQ(largest.pick(1), 0);
}

TEST(LargestFlow, NeverTellsMoreThanTheFlowHasNorMuchLess) {
  LargestFlow largest;
  largest.tick(kStart);
  // A quarter of the packets, among flows that come once each.
  for (std::uint64_t i = 0; i < 4000; ++i) {
    largest.sample(i % 4 == 0 ? 1 : 1000 + i, 64);
  }
  largest.tick({kStart.ns + LargestFlow::kIntervalNs});
  EXPECT_LE(largest.share(), LargestFlow::kWhole / 4);
  EXPECT_GE(largest.share(), LargestFlow::kWhole / 4 - LargestFlow::kWhole / LargestFlow::kSlots);
}

TEST(LargestFlow, CountsWhatIsNoFlowAsPackets) {
  LargestFlow largest;
  largest.tick(kStart);
  for (unsigned i = 0; i < 200; ++i) {
    largest.sample(1, 1);
    largest.sample_without_flow(3);
  }
  largest.tick({kStart.ns + LargestFlow::kIntervalNs});
  EXPECT_EQ(largest.share(), LargestFlow::kWhole / 4);
}

TEST(LargestFlow, TellsOnlyOfTheLastInterval) {
  LargestFlow largest;
  Timestamp now = kStart;
  const auto interval = [&](unsigned samples) {
    for (unsigned i = 0; i < samples; ++i) {
      largest.sample(1, 64);
    }
    now.ns += LargestFlow::kIntervalNs;
    largest.tick(now);
    return largest.share();
  };
  largest.tick(now);
  EXPECT_EQ(interval(LargestFlow::kFewestSamples), LargestFlow::kWhole);
  largest.tick({now.ns + LargestFlow::kIntervalNs - 1});
  EXPECT_EQ(largest.share(), LargestFlow::kWhole) << "the next interval is not over";
  EXPECT_EQ(interval(LargestFlow::kFewestSamples - 1), 0u) << "too few to tell";
  EXPECT_EQ(interval(500), LargestFlow::kWhole);
  EXPECT_EQ(interval(0), 0u) << "nothing came";
}

TEST(LargestFlow, GoesOnAfterTheClockWasSetBack) {
  LargestFlow largest;
  largest.tick(kStart);
  largest.tick({kStart.ns - 3600 * kNanosPerSecond});
  for (unsigned i = 0; i < LargestFlow::kFewestSamples; ++i) {
    largest.sample(1, 64);
  }
  largest.tick({kStart.ns - 3600 * kNanosPerSecond + LargestFlow::kIntervalNs});
  EXPECT_EQ(largest.share(), LargestFlow::kWhole);
}

}  // namespace
}  // namespace imds::pipeline
