// What events, findings and suppressions know of the tunnel a packet came in.
#include "fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;

Tunnel vxlan(std::uint32_t vni = 42) {
  return {{{TunnelKind::vxlan}, 1},
          true,
          vni,
          *IpAddress::parse("10.99.0.1"),
          *IpAddress::parse("10.99.0.2")};
}

TEST(Tunnels, OfThePacketAreInEveryFinding) {
  Bench bench;
  bench.inside(vxlan()).feed(TcpSession().handshake().client(kMetadata));
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].tunnel, vxlan());
  EXPECT_EQ(findings[1].tunnel, vxlan());
  EXPECT_EQ(findings[1].source.ip.to_string(), "10.0.0.1");
}

TEST(Tunnels, OuterAddressesAreNotTurnedRoundForAnswers) {
  TcpSession session;
  session.syn().syn_ack();
  session.packets().erase(session.packets().begin());
  Bench bench;
  const auto findings = bench.inside(vxlan()).feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(findings[0].tunnel, vxlan());
}

TEST(Tunnels, AreKeptForAHeadThatNeverEnds) {
  Bench bench;
  bench.inside(vxlan(1)).feed(TcpSession(elsewhere()).handshake());
  TcpSession session(elsewhere());
  session.handshake().client("GET /latest/meta-data/ HTTP/1.1\r\nHost: a");
  bench.inside(vxlan(2)).feed(session).end_all();
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].tunnel, vxlan(2));
}

TEST(Tunnels, OuterAddressesCanBeSuppressedInnerOnesStay) {
  classify::Options classes;
  classes.suppressions = {{"mirror", {}, {}, {}, {*IpPrefix::parse("10.99.0.0/30")}}};
  Bench bench(kBulletin, {}, classes);
  bench.inside(vxlan()).feed(TcpSession().handshake().client(kMetadata));
  EXPECT_EQ(bench.events(), Events{});
  EXPECT_EQ(bench.suppressed(0), 2u);

  Bench plain(kBulletin, {}, classes);
  plain.feed(TcpSession().handshake().client(kMetadata));
  EXPECT_EQ(plain.events(), (Events{"connection", "http_request GET /latest/meta-data/"}));

  Tunnel other = vxlan();
  other.source = *IpAddress::parse("10.99.0.8");
  other.destination = *IpAddress::parse("10.99.0.9");
  Bench elsewhere_tunnelled(kBulletin, {}, classes);
  elsewhere_tunnelled.inside(other).feed(TcpSession().handshake().client(kMetadata));
  EXPECT_EQ(elsewhere_tunnelled.events().size(), 2u);
}

TEST(TunnelMemory, TakesOneSlotForAFlowThatStaysInItsTunnel) {
  TunnelMemory memory;
  const auto first = memory.note(vxlan(), TunnelMemory::kNone);
  ASSERT_NE(first, TunnelMemory::kNone);
  EXPECT_EQ(memory.note(vxlan(), first), first);
  EXPECT_EQ(*memory.find(first), vxlan());
  const auto moved = memory.note(vxlan(7), first);
  EXPECT_NE(moved, first);
  EXPECT_EQ(*memory.find(moved), vxlan(7));
  EXPECT_EQ(memory.note({}, moved), TunnelMemory::kNone);
  EXPECT_EQ(memory.find(TunnelMemory::kNone), nullptr);
}

TEST(TunnelMemory, WhatIsPushedOutIsForgottenNeverMistaken) {
  TunnelMemory memory;
  const auto idle = memory.note(vxlan(1), TunnelMemory::kNone);
  auto active = memory.note(vxlan(2), TunnelMemory::kNone);
  for (std::uint32_t vni = 0; vni < 3 * TunnelMemory::kCapacity; ++vni) {
    (void)memory.note(vxlan(1000 + vni), TunnelMemory::kNone);
    active = memory.note(vxlan(2), active);
  }
  EXPECT_EQ(memory.find(idle), nullptr);
  ASSERT_NE(memory.find(active), nullptr);
  EXPECT_EQ(*memory.find(active), vxlan(2));
}

}  // namespace
}  // namespace imds::detect
