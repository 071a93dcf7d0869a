// Contradictions, lies and floods.
#include <random>

#include "defragmenter_fixture.h"

namespace imds::flow {
namespace {

using enum FragmentOutcome;

TEST(FragmentOverlap, GivesBothReadings) {
  Bench bench;
  const Wire wire;
  EXPECT_EQ(bench.add(wire(0, true, text("GET /index.html "))).outcome, kept);
  const Step conflict = bench.add(wire(8, true, text("meta-data HTTP/1")));
  EXPECT_EQ(conflict.outcome, conflicting);
  EXPECT_TRUE(conflict.overlap);
  const Step last = bench.add(wire(24, false, text("end")));
  EXPECT_FALSE(last.overlap);
  EXPECT_EQ(payload(last.first), "GET /index.html a HTTP/1end");
  EXPECT_EQ(payload(last.second), "GET /indmeta-data HTTP/1end");
  EXPECT_EQ(bench.counters().conflicting.get(), 1u);
  EXPECT_EQ(bench.counters().second_readings.get(), 1u);
}

TEST(FragmentOverlap, LateContradictionGivesTheOtherReading) {
  Bench bench;
  const Wire wire;
  bench.add(wire(0, true, text("01234567")));
  EXPECT_EQ(payload(bench.add(wire(8, false, text("good"))).first), "01234567good");
  const Step late = bench.add(wire(8, false, text("evil")));
  EXPECT_EQ(late.outcome, conflicting);
  EXPECT_TRUE(late.first.empty());
  EXPECT_EQ(payload(late.second), "01234567evil");
}

TEST(FragmentOverlap, IdentificationUsedAgainIsReadButNoAttack) {
  Bench bench;
  const Wire wire;
  std::string last;
  for (char c = 'a'; c < 'z'; ++c) {
    const Step first = bench.add(wire(0, true, Bytes(8, static_cast<std::uint8_t>(c))));
    const Step second = bench.add(wire(8, false, Bytes(5, static_cast<std::uint8_t>(c))));
    EXPECT_FALSE(first.overlap || second.overlap);
    const std::string whole(13, c);
    EXPECT_TRUE(payload(second.first) == whole || payload(second.second) == whole) << c;
  }
}

TEST(FragmentOverlap, OnEndpointsLateOnesAreReported) {
  Bench bench;
  const Wire wire;
  bench.add(wire(0, true, text("01234567")), true);
  bench.add(wire(8, false, text("good")), true);
  EXPECT_TRUE(bench.add(wire(8, false, text("evil")), true).overlap);
  EXPECT_FALSE(bench.add(wire(8, false, text("EVIL")), true).overlap);
}

TEST(FragmentOverlap, ReadingsPerDatagramAreBounded) {
  Bench bench;
  const Wire wire;
  bench.add(wire(0, true, text("01234567")), true);
  bench.add(wire(1000, true, text("01234567")), true);
  bench.add(wire(8, false, Bytes(4)), true);
  std::size_t readings = 0;
  for (std::uint8_t i = 1; i < 200; ++i) {
    readings += bench.add(wire(8, true, Bytes(4, i)), true).second.empty() ? 0 : 1;
  }
  EXPECT_LE(readings, 40u);
  EXPECT_GE(readings, 8u);
}

TEST(FragmentOverlap, TwoEndsGiveAReadingAtEach) {
  Bench bench;
  const Wire wire;
  bench.add(wire(8, false, text("end")));
  EXPECT_EQ(payload(bench.add(wire(0, true, text("01234567"))).first), "01234567end");
  bench.add(wire(16, true, text("ABCDEFGH")));
  const Step more = bench.add(wire(24, false, text("later")), true);
  EXPECT_TRUE(more.first.empty());
  const Step hole = bench.add(wire(8, true, text("endxxxxx")));
  EXPECT_EQ(payload(hole.first), "01234567endxxxxxABCDEFGHlater");
  EXPECT_EQ(bench.counters().different_ends.get(), 1u);
}

TEST(FragmentOverlap, BogusEndHidesNothing) {
  Bench bench;
  const Wire wire;
  bench.add(wire(4000, false, text("never reached")));
  bench.add(wire(0, true, text("01234567")));
  const Step last = bench.add(wire(8, false, text("end")));
  EXPECT_EQ(payload(last.first), "01234567end");
  EXPECT_TRUE(last.overlap);
}

TEST(FragmentLies, AreRefusedAndCounted) {
  Bench bench({.fragments_per_datagram = 4});
  const Wire wire;
  EXPECT_EQ(bench.add(wire(65528, false, Bytes(200))).outcome, oversized);
  EXPECT_EQ(bench.add(wire(8, true, {})).outcome, empty);
  EXPECT_EQ(bench.add(wire(0, true, text("01234567")), false, 0, kMaxFragmentDepth).outcome,
            too_deep);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(bench.add(wire(8 * i, true, text("01234567"))).outcome, kept);
  }
  EXPECT_EQ(bench.add(wire(32, true, text("01234567"))).outcome, too_many);
  Bytes cut = wire(0, true, text("01234567"));
  cut.resize(cut.size() - 2);
  EXPECT_EQ(bench.add(cut).outcome, truncated);
  for (const FragmentOutcome o : {oversized, empty, too_deep, too_many, truncated}) {
    EXPECT_EQ(bench.count(o), 1u) << name(o);
    EXPECT_TRUE(is_refused(o));
  }
}

TEST(FragmentLies, HeadersLongerThanKeptAreRefused) {
  Bench bench;
  const auto headers = [](std::size_t size) {
    return PacketBuilder()
        .ipv6("2001:db8::1", "2001:db8::2")
        .ipv6_extension(60, Bytes(size))
        .ipv6_fragment(0, true)
        .next(17)
        .bytes(Bytes(8))
        .build();
  };
  EXPECT_EQ(bench.add(headers(900)).outcome, kept);
  EXPECT_EQ(bench.add(headers(1500)).outcome, header_too_long);
}

TEST(FragmentFlood, MemoryIsConstantAndTheRequestIsFound) {
  Bench bench({.memory_bytes = Defragmenter::kLeastMemory});
  const std::size_t before = bench.defragmenter().memory_bytes();
  const Wire request{.destination = "169.254.169.254"};
  bench.add(request(0, true, text("GET /lat")), true);
  std::vector<Bytes> flood;
  for (std::size_t size = 8; size < 1480; size += 31) {
    flood.push_back(Wire{.source = "198.51.100.0"}(0, true, Bytes(size)));
  }
  for (std::uint32_t i = 0; i < 100000; ++i) {
    Bytes& one = flood[i % flood.size()];
    store_be16(&one[4], static_cast<std::uint16_t>(i));
    one[15] = static_cast<std::uint8_t>(i / 65536);
    ASSERT_EQ(bench.add(one).outcome, kept);
    ASSERT_LE(bench.counters().bytes_used.get(), bench.counters().bytes_capacity.get());
  }
  EXPECT_EQ(bench.defragmenter().memory_bytes(), before);
  EXPECT_GT(bench.counters().evicted.get(), 90000u);
  EXPECT_EQ(payload(bench.add(request(8, false, text("est")), true).first), "GET /latest");
  EXPECT_EQ(bench.counters().waiting.get() + bench.counters().evicted.get() +
                bench.counters().completed.get() + bench.counters().timed_out.get(),
            100001u);
}

TEST(FragmentFlood, WhatGivesWayIsHandedOverToBeLookedAt) {
  Bench bench({.memory_bytes = Defragmenter::kLeastMemory});
  for (std::uint32_t i = 0; i < 5000; ++i) {
    bench.add(Wire{.id = i}(0, true, text("01234567")));
  }
  EXPECT_EQ(bench.lost().size(), bench.counters().evicted.get());
  EXPECT_EQ(bench.lost()[0].bytes.substr(0, 8), "01234567");
  EXPECT_EQ(bench.lost()[0].view.source.to_string(), "10.0.0.1");
  EXPECT_EQ(bench.lost()[0].view.protocol, 17);
  EXPECT_EQ(bench.lost()[0].view.source_port, 0x3031);
  EXPECT_FALSE(bench.lost()[0].view.is_fragment);
}

TEST(FragmentFlood, OnTheEndpointEvictsItsOldest) {
  Bench bench({.memory_bytes = Defragmenter::kLeastMemory});
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(bench.add(Wire{.id = i}(8, true, Bytes(8)), true).outcome, kept);
  }
  EXPECT_GT(bench.counters().evicted.get(), 0u);
  // Nothing that matters less may push them out: it is looked at alone.
  const std::uint64_t evicted = bench.counters().evicted.get();
  Bytes large(60000);
  const auto step = bench.add(Wire{.id = 9999, .source = "10.9.9.9"}(0, true, large));
  EXPECT_EQ(step.outcome, no_memory);
  EXPECT_LE(bench.counters().evicted.get(), evicted + 1);
}

TEST(FragmentFuzz, RandomFragmentsKeepTheBooks) {
  std::mt19937 random(5);
  Bench bench({.memory_bytes = Defragmenter::kLeastMemory, .timeout = 5});
  const std::size_t rounds = 30000;
  Seconds now = 0;
  for (std::size_t i = 0; i < rounds; ++i) {
    const Wire wire{.family = random() % 2 == 0 ? Family::v4 : Family::v6,
                    .id = static_cast<std::uint32_t>(random() % 50)};
    const auto offset = static_cast<unsigned>(8 * (random() % (random() % 20 == 0 ? 8191 : 20)));
    Bytes bytes(random() % (random() % 10 == 0 ? 1400 : 40));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(random() % 200 == 0 ? 1 : 0);
    }
    now += random() % 500 == 0 ? 1 : 0;
    bench.add(wire(offset, offset == 0 || random() % 4 != 0, bytes), random() % 3 == 0, now,
              static_cast<unsigned>(random() % 5));
    if (random() % 100 == 0) {
      bench.defragmenter().expire(now, 32);
    }
  }
  std::uint64_t sum = 0;
  for (const Counter& counter : bench.counters().fragments) {
    sum += counter.get();
  }
  EXPECT_EQ(sum, rounds);
  bench.defragmenter().clear();
  EXPECT_EQ(bench.counters().bytes_used.get(), 0u);
  EXPECT_EQ(bench.counters().waiting.get(), 0u);
  EXPECT_GT(bench.counters().completed.get(), 100u);
  EXPECT_GT(bench.counters().second_readings.get(), 50u);
}

}  // namespace
}  // namespace imds::flow
