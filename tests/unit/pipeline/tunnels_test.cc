// Packets in tunnels through a worker: found, counted by kind, kept apart by virtual network.
#include "fixture.h"

namespace imds::pipeline {
namespace {

using namespace support;

PacketBuilder request_in(PacketBuilder tunnel, const char* text =
                                                   "GET /latest/meta-data/ HTTP/1.1\r\n"
                                                   "Host: x\r\n\r\n") {
  return tunnel.ipv4("10.0.0.1", "169.254.169.254").tcp(40000, 80).payload(text);
}
PacketBuilder outer() {
  return PacketBuilder().ethernet().ipv4("192.0.2.1", "192.0.2.2");
}
PacketBuilder in_vxlan(unsigned vni) {
  return outer().udp(5000, 4789).tunnel(vxlan(vni)).ethernet();
}
std::uint64_t peeled(Rig& rig, TunnelKind kind) {
  return rig.worker().counters().tunnels[static_cast<std::size_t>(kind)].get();
}

TEST(Tunnels, RequestInsideIsFoundAndCounted) {
  Rig rig;
  rig.run(given(request_in(in_vxlan(42).ipv4("172.16.0.1", "172.16.0.2").tunnel(gre())).build()));
  EXPECT_EQ(rig.count(Disposition::inspected), 1u);
  EXPECT_EQ(peeled(rig, TunnelKind::vxlan), 1u);
  EXPECT_EQ(peeled(rig, TunnelKind::gre), 1u);
  EXPECT_EQ(peeled(rig, TunnelKind::geneve), 0u);
  const std::vector<event::Finding> findings = rig.take();
  ASSERT_FALSE(findings.empty());
  for (const event::Finding& finding : findings) {
    EXPECT_EQ(finding.tunnel.path.count, 2);
    EXPECT_EQ(finding.tunnel.source.to_string(), "192.0.2.1");
  }
}

TEST(Tunnels, NoTunnelCountsNone) {
  Rig rig;
  rig.run(given(request_in(PacketBuilder().ethernet()).build()));
  for (const Counter& counter : rig.worker().counters().tunnels) {
    EXPECT_EQ(counter.get(), 0u);
  }
}

TEST(Tunnels, DepthAndPortsAreTheOptions) {
  Options options = small_options();
  options.decode.max_tunnels = 1;
  packet::TunnelPorts ports;
  ports.vxlan = {5555};
  options.decode.ports = ports;
  Rig rig(options);
  rig.run(given(request_in(outer().udp(1, 5555).tunnel(vxlan(1)).ethernet()).build()));
  EXPECT_EQ(rig.count(Disposition::inspected), 1u);
  rig.run(given(request_in(in_vxlan(42)).build()));
  EXPECT_EQ(peeled(rig, TunnelKind::vxlan), 1u);
  rig.run(given(request_in(outer().tunnel(gre()).ipv4("1.1.1.1", "2.2.2.2")).build()));
  EXPECT_EQ(rig.stopped(DecodeReason::tunnel_too_deep), 1u);
  EXPECT_EQ(rig.count(Disposition::malformed), 1u);
}

// The same addresses and ports in two networks are two connections: neither half is a request.
TEST(Tunnels, NetworksAreKeptApart) {
  const auto half = [](unsigned vni, std::uint32_t seq, const char* text) {
    PacketBuilder b = in_vxlan(vni).ipv4("10.0.0.1", "203.0.113.7").tcp(40000, 80).seq(seq);
    return given(b.payload(text).build());
  };
  const char* const first = "GET /latest/meta-data/iam/security-credentials/ HT";
  const char* const second = "TP/1.1\r\nHost: x\r\n\r\n";
  ListSource apart;
  apart.add(half(1, 100, first)).add(half(2, 150, second));
  Rig rig;
  rig.run(apart);
  EXPECT_TRUE(rig.events().empty());
  ListSource together;
  together.add(half(3, 100, first)).add(half(3, 150, second));
  rig.run(together);
  EXPECT_EQ(rig.events().size(), 1u);
}

}  // namespace
}  // namespace imds::pipeline
