// Fragments inside tunnels and tunnels in fragments: found as plain requests are, with the tunnel,
// which is counted once.
#include "fragments.h"

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::PacketBuilder;

const Ends kOuter{"172.16.0.1", "172.16.0.2"};

PacketBuilder in_vxlan(const Bytes& frame) {
  PacketBuilder builder;
  builder.ethernet().ipv4(kOuter.source, kOuter.destination).udp(50000, 4789);
  return builder.tunnel(support::vxlan(42)).bytes(frame);
}
Bytes without_link(const Bytes& frame) {
  constexpr std::ptrdiff_t kLinkAndIp = 34;
  return {frame.begin() + kLinkAndIp, frame.end()};
}
Bytes plain_request(const Ends& ends, unsigned client_port = 40000) {
  return ends.ip().next(6).bytes(segment(ends, kMetadata, client_port)).build();
}

class FragmentsInTunnels : public ::testing::Test {
 protected:
  explicit FragmentsInTunnels(const Options& options = small_options()) : rig(options) {}

  std::vector<event::Finding> run(const std::vector<Bytes>& frames) {
    ListSource source;
    for (const Bytes& frame : frames) {
      source.add(given(frame));
    }
    rig.run(source);
    return rig.take();
  }
  [[nodiscard]] std::uint64_t peeled(TunnelKind kind) {
    return rig.worker().counters().tunnels[static_cast<std::size_t>(kind)].get();
  }
  // What a plain request between `ends` gives, and the tunnel.
  static void expect_plain_in_vxlan(const std::vector<event::Finding>& found, const Ends& ends) {
    Rig plain;
    plain.run(given(plain_request(ends)));
    const auto expected = plain.take();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].type, expected[i].type);
      EXPECT_EQ(found[i].source.ip, expected[i].source.ip);
      EXPECT_EQ(found[i].source.port, expected[i].source.port);
      EXPECT_EQ(found[i].source.mac, expected[i].source.mac);
      EXPECT_EQ(found[i].destination.ip, expected[i].destination.ip);
      EXPECT_EQ(found[i].destination.port, expected[i].destination.port);
      EXPECT_EQ(found[i].endpoint.view(), expected[i].endpoint.view());
      EXPECT_EQ(found[i].method.view(), expected[i].method.view());
      EXPECT_EQ(found[i].target.view(), expected[i].target.view());
      EXPECT_EQ(found[i].visibility, expected[i].visibility);
      EXPECT_EQ(found[i].rule_count, expected[i].rule_count);
      ASSERT_EQ(found[i].tunnel.path.count, 1);
      EXPECT_EQ(found[i].tunnel.path.kinds[0], TunnelKind::vxlan);
      EXPECT_EQ(found[i].tunnel.id, 42u);
      EXPECT_EQ(found[i].tunnel.source.to_string(), kOuter.source);
      EXPECT_EQ(found[i].tunnel.destination.to_string(), kOuter.destination);
      EXPECT_EQ(expected[i].tunnel.path.count, 0);
    }
  }

  Rig rig;
};

TEST_F(FragmentsInTunnels, FragmentsInsideVxlan) {
  for (const Ends& ends : {Ends{}, kToImds6}) {
    std::vector<Bytes> frames;
    for (const Bytes& frame : fragments_of(ends, segment(ends, kMetadata, 40000), 24)) {
      frames.push_back(in_vxlan(frame).build());
    }
    const std::uint64_t before = peeled(TunnelKind::vxlan);
    expect_plain_in_vxlan(run(frames), ends);
    // Each came in the tunnel; the datagram did not come in another.
    EXPECT_EQ(peeled(TunnelKind::vxlan) - before, frames.size());
  }
}

TEST_F(FragmentsInTunnels, VxlanInFragments) {
  for (const Ends& ends : {Ends{}, kToImds6}) {
    const Bytes whole = in_vxlan(plain_request(ends)).build();
    const std::uint64_t before = peeled(TunnelKind::vxlan);
    const unsigned id = ends.is_v6() ? 2 : 1;
    expect_plain_in_vxlan(run(fragments_of(kOuter, without_link(whole), 48, 17, id)), ends);
    EXPECT_EQ(peeled(TunnelKind::vxlan) - before, 1u);
  }
  EXPECT_EQ(rig.worker().counters().datagrams.get(), 2u);
}

// The fragments of a packet inside, each in a tunnel packet that is itself cut.
TEST_F(FragmentsInTunnels, FragmentsInsideVxlanInFragments) {
  std::vector<Bytes> frames;
  unsigned id = 100;
  const auto inner = fragments_of({}, segment({}, kMetadata, 40000), 40);
  for (const Bytes& frame : inner) {
    for (const Bytes& part :
         fragments_of(kOuter, without_link(in_vxlan(frame).build()), 32, 17, ++id)) {
      frames.push_back(part);
    }
  }
  expect_plain_in_vxlan(run(frames), {});
  EXPECT_EQ(peeled(TunnelKind::vxlan), inner.size());
  EXPECT_EQ(rig.count(Disposition::fragment), frames.size());
  EXPECT_EQ(rig.worker().counters().datagrams.get(), 1u);
}

// The same fragments in two virtual networks are two datagrams.
TEST_F(FragmentsInTunnels, NetworksAreKeptApart) {
  const auto in_network = [](unsigned vni, const Bytes& frame) {
    PacketBuilder builder;
    builder.ethernet().ipv4(kOuter.source, kOuter.destination).udp(50000, 4789);
    return builder.tunnel(support::vxlan(vni)).bytes(frame).build();
  };
  const auto parts = fragments_of({}, segment({}, kMetadata, 40000), 64);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(run({in_network(1, parts[0]), in_network(2, parts[1])}).empty());
  EXPECT_EQ(rig.worker().defragmenter().counters().waiting.get(), 2u);
  EXPECT_EQ(run({in_network(1, parts[1])}).size(), 2u);
}

// Of both readings of an outer datagram the tunnel is counted once.
TEST_F(FragmentsInTunnels, SecondReadingOfATunnelIsReadAndNotCounted) {
  std::string harmless(kMetadata);
  harmless.replace(4, 9, "/index/of");
  const auto outer_payload = [](std::string_view text) {
    const Ends ends{"10.0.0.1", "203.0.113.7"};
    return without_link(
        in_vxlan(ends.ip().next(6).bytes(segment(ends, text, 40000)).build()).build());
  };
  const auto a = fragments_of(kOuter, outer_payload(harmless), 64, 17);
  const auto b = fragments_of(kOuter, outer_payload(kMetadata), 64, 17);
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < a.size(); ++i) {
    frames.insert(frames.end(), {a[i], b[i]});
  }
  std::size_t requests = 0;
  for (const event::Finding& finding : run(frames)) {
    if (finding.type == event::EventType::http_request) {
      ++requests;
      EXPECT_EQ(finding.target.view(), "/latest/meta-data/iam/info");
      EXPECT_NE(finding.visibility & event::kSecondReading, 0);
      EXPECT_EQ(finding.tunnel.id, 42u);
    }
  }
  EXPECT_EQ(requests, 1u);
  EXPECT_EQ(peeled(TunnelKind::vxlan), 1u);
}

Options one_tunnel_on_port_5555() {
  Options options = small_options();
  options.decode.max_tunnels = 1;
  packet::TunnelPorts ports;
  ports.vxlan = {5555};
  options.decode.ports = ports;
  return options;
}

class FragmentsInTunnelsAsConfigured : public FragmentsInTunnels {
 protected:
  FragmentsInTunnelsAsConfigured() : FragmentsInTunnels(one_tunnel_on_port_5555()) {}

  static std::vector<Bytes> cut(unsigned port, const Bytes& frame, unsigned id) {
    PacketBuilder builder;
    builder.ethernet().ipv4(kOuter.source, kOuter.destination).udp(50000, port);
    builder.tunnel(support::vxlan(42)).bytes(frame);
    return fragments_of(kOuter, without_link(builder.build()), 48, 17, id);
  }
};

TEST_F(FragmentsInTunnelsAsConfigured, PortsAndDepthHoldInsideDatagrams) {
  EXPECT_TRUE(run(cut(4789, plain_request({}), 1)).empty());
  EXPECT_EQ(peeled(TunnelKind::vxlan), 0u);
  expect_plain_in_vxlan(run(cut(5555, plain_request({}), 2)), {});
  EXPECT_EQ(peeled(TunnelKind::vxlan), 1u);
  // Its second encapsulation is one too many, and counted.
  const Bytes deep = PacketBuilder()
                         .ethernet()
                         .ipv4("1.1.1.1", "2.2.2.2")
                         .tunnel(support::gre())
                         .ipv4("10.0.0.9", "169.254.169.254")
                         .tcp(40000, 80)
                         .payload(kMetadata)
                         .build();
  EXPECT_TRUE(run(cut(5555, deep, 3)).empty());
  EXPECT_EQ(peeled(TunnelKind::vxlan), 2u);
  EXPECT_EQ(peeled(TunnelKind::gre), 0u);
  EXPECT_EQ(rig.stopped(DecodeReason::tunnel_too_deep), 1u);
}

}  // namespace
}  // namespace imds::pipeline
