// Datagrams come out as they were cut, whatever order and however often their fragments come.
#include <algorithm>
#include <numeric>
#include <random>

#include "defragmenter_fixture.h"

namespace imds::flow {
namespace {

using enum FragmentOutcome;

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(),
                [&] { return static_cast<std::uint8_t>(random() & 0xff); });
  return bytes;
}

TEST(Defragmenter, EveryOrderOfFourFragments) {
  const Bytes whole = text("0123456701234567ABCDEFGHabc");
  for (const Family family : {Family::v4, Family::v6}) {
    const std::size_t header_size = family == Family::v4 ? 20 : 40;
    std::vector<std::size_t> order = {0, 1, 2, 3};
    Bench bench;
    std::uint32_t id = 0;
    do {
      Wire wire{.family = family, .id = ++id};
      const std::vector<Piece> pieces = cut(whole, 8);
      for (std::size_t i = 0; i < order.size(); ++i) {
        const Piece& piece = pieces[order[i]];
        const Step step = bench.add(wire(piece.offset, piece.more, piece.bytes));
        EXPECT_EQ(step.outcome, kept);
        EXPECT_EQ(payload(step.first, header_size), i == 3 ? text(whole) : "");
        EXPECT_TRUE(step.second.empty());
      }
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(bench.counters().completed.get(), 24u);
    EXPECT_EQ(bench.counters().waiting.get(), 0u);
    EXPECT_EQ(bench.counters().bytes_used.get(), 0u);
  }
}

TEST(Defragmenter, RandomCutsShufflesAndDuplicates) {
  std::mt19937 random(1);
  Bench bench;
  for (std::uint32_t round = 0; round < 300; ++round) {
    const Wire wire{.family = round % 2 == 0 ? Family::v4 : Family::v6, .id = round};
    const std::size_t size = 9 + random() % (round % 10 == 0 ? 65000 : 3000);
    const Bytes whole = random_bytes(random, size);
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < size;) {
      const std::size_t end =
          std::min(at + 8 * (1 + random() % std::max<std::size_t>(size / 40, 8)),
                   at == 0 ? size - 1 : size) /
          (at == 0 ? 8 : 1) * (at == 0 ? 8 : 1);
      const std::size_t stop = std::max(end, at + 8 > size ? size : at + 8);
      pieces.push_back({static_cast<unsigned>(at), stop < size,
                        Bytes(whole.begin() + static_cast<std::ptrdiff_t>(at),
                              whole.begin() + static_cast<std::ptrdiff_t>(stop))});
      at = stop;
    }
    const std::size_t distinct = pieces.size();
    for (std::size_t i = 0; i < distinct; i += 3) {
      pieces.push_back(pieces[i]);
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    std::size_t readings = 0;
    for (const Piece& piece : pieces) {
      const Step step = bench.add(wire(piece.offset, piece.more, piece.bytes));
      EXPECT_TRUE(step.outcome == kept || step.outcome == duplicate);
      EXPECT_TRUE(step.second.empty());
      if (!step.first.empty()) {
        ++readings;
        EXPECT_EQ(payload(step.first, wire.family == Family::v4 ? 20 : 40), text(whole));
      }
    }
    EXPECT_EQ(readings, 1u) << "round " << round;
  }
  EXPECT_EQ(bench.counters().conflicting.get(), 0u);
}

TEST(Defragmenter, OverlapsThatAgreeAreNoConflict) {
  Bench bench;
  const Wire wire;
  EXPECT_EQ(bench.add(wire(0, true, text("0123456789abcdef"))).outcome, kept);
  EXPECT_EQ(bench.add(wire(8, true, text("89abcdefGHIJKLMN"))).outcome, kept);
  EXPECT_EQ(bench.add(wire(8, true, text("89abcdef"))).outcome, duplicate);
  const Step last = bench.add(wire(16, false, text("GHIJKLMNend")));
  EXPECT_EQ(payload(last.first), "0123456789abcdefGHIJKLMNend");
  EXPECT_FALSE(last.overlap);
  EXPECT_EQ(bench.counters().conflicting.get(), 0u);
}

TEST(Defragmenter, HeaderIsTheFirstFragmentsMadeWhole) {
  Bench bench;
  Wire with_options{.ipv4_options = Bytes{0x94, 4, 0, 0}};
  const Wire without;
  bench.add(without(8, false, text("end")));
  const Step step = bench.add(with_options(0, true, text("01234567")));
  ASSERT_EQ(step.first.size(), 24u + 11u);
  EXPECT_EQ(step.first[0], 0x46);
  EXPECT_EQ(load_be16(&step.first[2]), step.first.size());
  EXPECT_EQ(load_be16(&step.first[6]), 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 24; i += 2) {
    sum += load_be16(&step.first[i]);
  }
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
  EXPECT_EQ(payload(step.first, 24), "01234567end");
}

TEST(Defragmenter, Ipv6HeadersBeforeTheFragmentHeaderStay) {
  Bench bench;
  const Wire wire{.family = Family::v6, .hop_by_hop = true};
  bench.add(wire(0, true, text("01234567")));
  const Step step = bench.add(wire(8, false, text("end")));
  ASSERT_EQ(step.first.size(), 48u + 11u);
  EXPECT_EQ(load_be16(&step.first[4]), 8u + 11u);
  EXPECT_EQ(step.first[6], 0);    // hop-by-hop
  EXPECT_EQ(step.first[40], 17);  // which now names UDP
  EXPECT_EQ(payload(step.first, 48), "01234567end");
}

TEST(Defragmenter, Ipv6NextHeaderIsNoPartOfTheName) {
  Bench bench;
  bench.add(Wire{.family = Family::v6, .protocol = 99}(8, false, text("end")));
  const Step step = bench.add(Wire{.family = Family::v6, .protocol = 6}(0, true, text("01234567")));
  ASSERT_FALSE(step.first.empty());
  EXPECT_EQ(step.first[6], 6);
}

TEST(Defragmenter, StrangersDoNotMix) {
  const std::vector<Wire> others = {Wire{.id = 8}, Wire{.source = "10.0.0.9"},
                                    Wire{.destination = "10.0.0.9"}, Wire{.protocol = 6}};
  for (const Wire& other : others) {
    Bench bench;
    bench.add(Wire{}(0, true, text("01234567")));
    EXPECT_TRUE(bench.add(other(8, false, text("end"))).first.empty());
    EXPECT_EQ(bench.counters().waiting.get(), 2u);
  }
  Bench bench;
  const auto ethernet = packet::LinkType::ethernet;
  bench.add(Wire{.vlan = 5}(0, true, text("01234567")), false, 0, 0, ethernet);
  EXPECT_TRUE(
      bench.add(Wire{.vlan = 6}(8, false, text("end")), false, 0, 0, ethernet).first.empty());
  EXPECT_FALSE(
      bench.add(Wire{.vlan = 5}(8, false, text("end")), false, 0, 0, ethernet).first.empty());
}

// IPv6 allows fragments in fragments; the two may use one identification.
TEST(Defragmenter, FragmentsInsideTheirOwnDatagram) {
  Bench bench;
  const Wire wire;
  bench.add(wire(0, true, text("01234567")));
  EXPECT_FALSE(bench.add(wire(8, false, text("outer"))).first.empty());
  EXPECT_TRUE(bench.add(wire(0, true, text("abcdefgh")), false, 0, 1).first.empty());
  EXPECT_EQ(payload(bench.add(wire(8, false, text("inner")), false, 0, 0).first), "abcdefghinner");
  EXPECT_EQ(bench.counters().conflicting.get(), 0u);
}

TEST(FragmentKey, TellsNetworksApart) {
  packet::PacketView view;
  packet::FrameInfo info;
  info.link = packet::LinkType::raw_ip;
  const Bytes wire = Wire{}(0, true, text("01234567"));
  packet::decode(wire, info, view);
  const Key plain = make_fragment_key(view);
  view.vni = 5;
  const Key network = make_fragment_key(view);
  EXPECT_FALSE(plain == network);
  view.vni = 0;
  view.tunnel.has_id = true;
  view.tunnel.id = 9;
  view.tunnel.path.count = 1;
  view.tunnel.path.kinds[0] = TunnelKind::gre;
  EXPECT_FALSE(make_fragment_key(view) == plain);
  view.tunnel.path.kinds[0] = TunnelKind::mpls;  // labels may differ per packet
  EXPECT_TRUE(make_fragment_key(view) == plain);
}

TEST(Defragmenter, DuplicatesOfACompleteDatagramStartNoOther) {
  Bench bench;
  const Wire wire;
  bench.add(wire(0, true, text("01234567")));
  EXPECT_FALSE(bench.add(wire(8, false, text("end"))).first.empty());
  EXPECT_EQ(bench.add(wire(8, false, text("end"))).outcome, duplicate);
  EXPECT_EQ(bench.add(wire(0, true, text("01234567"))).outcome, duplicate);
  bench.defragmenter().clear();
  EXPECT_TRUE(bench.lost().empty());
  EXPECT_EQ(bench.counters().timed_out.get(), 0u);
}

TEST(Defragmenter, TimeIsUpAfterTheFirstFragmentSeen) {
  Bench bench({.timeout = 30});
  const Wire wire;
  bench.add(wire(0, true, text("01234567")), false, 100);
  bench.add(wire(16, true, text("01234567")), false, 125);
  bench.defragmenter().expire(130, 100);
  EXPECT_EQ(bench.counters().waiting.get(), 1u);
  bench.defragmenter().expire(131, 100);
  EXPECT_EQ(bench.counters().waiting.get(), 0u);
  EXPECT_EQ(bench.counters().timed_out.get(), 1u);
  EXPECT_EQ(bench.counters().bytes_used.get(), 0u);
  ASSERT_EQ(bench.lost().size(), 1u);
  EXPECT_EQ(bench.lost()[0].bytes, std::string("01234567\0"
                                               "01234567\0",
                                               18));
  // Not yet swept, but over all the same.
  bench.add(wire(0, true, text("abcdefgh")), false, 200);
  EXPECT_TRUE(bench.add(wire(8, false, text("end")), false, 240).first.empty());
  EXPECT_EQ(bench.counters().timed_out.get(), 2u);
}

TEST(Defragmenter, LargestDatagramIsReadWholly) {
  std::mt19937 random(3);
  const Bytes whole = random_bytes(random, 65515);
  Bench bench;
  Step last{};
  for (const Piece& piece : cut(whole, 1480)) {
    last = bench.add(Wire{}(piece.offset, piece.more, piece.bytes));
  }
  EXPECT_EQ(load_be16(&last.first[2]), 65535);
  EXPECT_EQ(payload(last.first), text(whole));
  EXPECT_EQ(bench.counters().oversized.get(), 0u);
}

TEST(Defragmenter, LongerThanItsLengthFieldIsReadAndCounted) {
  std::mt19937 random(3);
  const Bytes whole = random_bytes(random, 65530);
  Bench bench;
  Step last{};
  for (const Piece& piece : cut(whole, 1480)) {
    last = bench.add(Wire{}(piece.offset, piece.more, piece.bytes));
  }
  EXPECT_EQ(load_be16(&last.first[2]), 0);
  EXPECT_EQ(payload(last.first), text(whole));
  EXPECT_EQ(bench.counters().oversized.get(), 1u);
}

}  // namespace
}  // namespace imds::flow
