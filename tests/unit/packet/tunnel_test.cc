// Each encapsulation peeled to the request inside; nesting and its bound; what tunnels do to the
// other fields of a view.
#include <gtest/gtest.h>

#include "tunnel_samples.h"

namespace imds::packet {
namespace {

using namespace support;

class EachTunnel : public testing::TestWithParam<TunnelSample> {};

TEST_P(EachTunnel, IsPeeledToTheRequest) {
  const TunnelSample& sample = GetParam();
  const Decoded d = decoded(sample.packet);
  const PacketView& view = d.view;
  EXPECT_EQ(view.reason, DecodeReason::none);
  EXPECT_EQ(view.anomaly, DecodeReason::none);
  EXPECT_FALSE(view.truncated);
  EXPECT_EQ(path_of(view), sample.path);
  EXPECT_EQ(view.tunnel.has_id, sample.id.has_value());
  EXPECT_EQ(view.tunnel.id, sample.id.value_or(0));
  EXPECT_EQ(view.vni, sample.vni);
  EXPECT_EQ(d.payload(), kRequest);
  EXPECT_EQ(view.payload_length, kRequest.size());
  EXPECT_TRUE(view.is(IpProtocol::tcp));
  EXPECT_EQ(view.source_port, 40000);
  EXPECT_EQ(view.destination_port, 80);
  const bool v6 = view.source.is_v6();
  EXPECT_EQ(view.source.to_string(), v6 ? "fd00::1" : "10.1.0.1");
  EXPECT_EQ(view.destination.to_string(), v6 ? "fd00:ec2::254" : "169.254.169.254");
  EXPECT_EQ(view.network.size(), (v6 ? 40 : 20) + 20 + kRequest.size());
  EXPECT_EQ(view.ether_type, v6 ? 0x86dd : 0x0800);
  EXPECT_EQ(view.source_mac.to_string(), sample.has_inner_frame ? kInnerMac : kClientMac);
  EXPECT_EQ(view.tunnel.source.is_set(), sample.has_outer_ip);
  if (sample.has_outer_ip) {
    const bool outer_v6 = view.tunnel.source.is_v6();
    EXPECT_EQ(view.tunnel.source.to_string(), outer_v6 ? "2001:db8::1" : "192.0.2.1");
    EXPECT_EQ(view.tunnel.destination.to_string(), outer_v6 ? "2001:db8::2" : "192.0.2.2");
  }
}

std::string test_name(const testing::TestParamInfo<TunnelSample>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Link, EachTunnel, testing::ValuesIn(link_tunnel_samples()), test_name);
INSTANTIATE_TEST_SUITE_P(Ip, EachTunnel, testing::ValuesIn(ip_tunnel_samples()), test_name);
INSTANTIATE_TEST_SUITE_P(Udp, EachTunnel, testing::ValuesIn(udp_tunnel_samples()), test_name);

PacketBuilder nested(unsigned depth) {
  PacketBuilder b = outer_v4();
  for (unsigned i = 1; i < depth; ++i) {
    b.ipv4("172.16.0.1", "172.16.0." + std::to_string(i));
  }
  return request_v4(b);
}

DecodeOptions depth(unsigned most) {
  DecodeOptions options;
  options.max_tunnels = static_cast<std::uint8_t>(most);
  return options;
}

TEST(TunnelDepth, UpToTheLimit) {
  for (unsigned most = 1; most <= kMaxTunnels; ++most) {
    const Decoded whole = decoded(nested(most), {}, depth(most));
    EXPECT_EQ(whole.view.reason, DecodeReason::none);
    EXPECT_EQ(whole.view.tunnel.path.count, most);
    EXPECT_EQ(whole.payload(), kRequest);

    const Decoded over = decoded(nested(most + 1), {}, depth(most));
    EXPECT_EQ(over.view.reason, DecodeReason::tunnel_too_deep);
    EXPECT_EQ(over.view.tunnel.path.count, most);
    EXPECT_TRUE(over.view.payload.empty());
    EXPECT_EQ(over.view.tunnel.source.to_string(), "192.0.2.1");
  }
}

TEST(TunnelDepth, NeverMoreThanAPathHolds) {
  const Decoded d = decoded(nested(kMaxTunnels + 1), {}, depth(255));
  EXPECT_EQ(d.view.reason, DecodeReason::tunnel_too_deep);
  EXPECT_EQ(d.view.tunnel.path.count, kMaxTunnels);
}

TEST(TunnelDepth, ZeroPeelsNothing) {
  const Decoded d = decoded(nested(1), {}, depth(0));
  EXPECT_EQ(d.view.reason, DecodeReason::tunnel_too_deep);
  EXPECT_EQ(d.view.source.to_string(), "192.0.2.1");
  EXPECT_FALSE(d.view.tunnel.source.is_set());
}

TEST(TunnelVlans, OfAllFramesOutermostFirst) {
  PacketBuilder b = outer_frame().vlan(1).vlan(2).ipv4("192.0.2.1", "192.0.2.2").udp(1, 4789);
  b.tunnel(vxlan(1)).ethernet(kInnerMac).vlan(3);
  const Decoded d = decoded(request_v4(b));
  ASSERT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.vlan.count, 3);
  EXPECT_EQ(d.view.vlan.ids, (std::array<std::uint16_t, kMaxVlanTags>{1, 2, 3}));
}

// Four per frame; the list keeps the outermost.
TEST(TunnelVlans, EachFrameHasItsOwnDepth) {
  const auto frame = [](unsigned inner_tags) {
    PacketBuilder b = outer_frame().vlan(1).vlan(2).vlan(3);
    b.ipv4("192.0.2.1", "192.0.2.2").udp(1, 4789).tunnel(vxlan(1)).ethernet(kInnerMac);
    for (unsigned i = 0; i < inner_tags; ++i) {
      b.vlan(10 + i);
    }
    return request_v4(b);
  };
  const Decoded whole = decoded(frame(4));
  EXPECT_EQ(whole.view.reason, DecodeReason::none);
  EXPECT_EQ(whole.payload(), kRequest);
  EXPECT_EQ(whole.view.vlan.ids, (std::array<std::uint16_t, kMaxVlanTags>{1, 2, 3, 10}));
  EXPECT_EQ(decoded(frame(5)).view.reason, DecodeReason::vlan_too_deep);
}

TEST(TunnelFields, OuterPacketLeavesNoTrace) {
  // What is inside has neither addresses nor ports.
  PacketBuilder b = outer_udp(4789).tunnel(vxlan(42)).ethernet(kInnerMac).next(0x88cc);
  const Decoded lldp = decoded(b.bytes(Bytes(46, 1)));
  EXPECT_EQ(lldp.view.reason, DecodeReason::ethertype_not_inspected);
  EXPECT_EQ(path_of(lldp.view), "vxlan");
  EXPECT_FALSE(lldp.view.is_ip());
  EXPECT_EQ(lldp.view.destination_port, 0);
  EXPECT_EQ(lldp.view.protocol, 0);
  EXPECT_TRUE(lldp.view.network.empty());
}

TEST(TunnelFields, ArpInside) {
  PacketBuilder b = outer_udp(4789).tunnel(vxlan(42)).ethernet(kInnerMac);
  const Decoded d = decoded(b.arp(2, kInnerMac, "169.254.169.254", kClientMac, "10.0.0.1"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  ArpView arp;
  ASSERT_EQ(parse_arp(d.view.network, arp), DecodeReason::none);
  EXPECT_EQ(arp.sender_ip.to_string(), "169.254.169.254");
}

// An ICMP error quotes the packet it is about; nobody is to take that for a packet on its way.
TEST(TunnelFields, QuotedPacketIsNoTunnel) {
  PacketBuilder quoted = PacketBuilder().ipv4("192.0.2.2", "192.0.2.1").udp(1, 4789);
  const Bytes bytes = framed_request(quoted.tunnel(vxlan(1))).build();
  const Decoded d = decoded(outer_v4().icmp(3, 1).bytes(bytes));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.is(IpProtocol::icmp));
  EXPECT_EQ(d.view.tunnel.path.count, 0);
}

TEST(TunnelFragments, OuterFragmentGoesOnWhenWhole) {
  PacketBuilder whole_builder = PacketBuilder().ipv4("192.0.2.1", "192.0.2.2").udp(1, 4789);
  const Bytes whole = framed_request(whole_builder.tunnel(vxlan(42))).build();
  const Bytes first_part(whole.begin() + 20, whole.begin() + 44);
  const Decoded fragment = decoded(outer_frame()
                                       .vlan(9)
                                       .tunnel(mpls({100}))
                                       .ipv4("192.0.2.1", "192.0.2.2")
                                       .ipv4_fragment(0, true)
                                       .next(17)
                                       .bytes(first_part));
  EXPECT_EQ(fragment.view.reason, DecodeReason::ip_fragment);
  EXPECT_EQ(path_of(fragment.view), "mpls");

  PacketView view;
  decode_datagram(whole, fragment.view, {}, view);
  EXPECT_EQ(view.reason, DecodeReason::none);
  EXPECT_EQ(path_of(view), "mpls/vxlan");
  EXPECT_EQ(view.tunnel.source.to_string(), "192.0.2.1");
  EXPECT_EQ(view.vlan.count, 1);
  EXPECT_EQ(view.source.to_string(), "10.1.0.1");

  decode_datagram(whole, fragment.view, depth(1), view);
  EXPECT_EQ(view.reason, DecodeReason::tunnel_too_deep);
}

TEST(TunnelFragments, InnerFragmentKeepsItsTunnel) {
  PacketBuilder b = outer_udp(4789).tunnel(vxlan(42)).ethernet(kInnerMac);
  const Decoded d = decoded(
      b.ipv4("10.1.0.1", "10.1.0.2").ip_id(7).ipv4_fragment(16, false).next(6).bytes(Bytes(9, 5)));
  EXPECT_EQ(d.view.reason, DecodeReason::ip_fragment);
  EXPECT_TRUE(d.view.is_fragment);
  EXPECT_EQ(d.view.fragment.offset, 16);
  EXPECT_EQ(d.view.payload.size(), 9u);
  EXPECT_EQ(d.view.vni, 42u);
  EXPECT_EQ(d.view.tunnel.source.to_string(), "192.0.2.1");
}

// The snap length falls into the request: the headers say how much there was.
TEST(TunnelTruncation, InsideTheInnerPacket) {
  for (const TunnelSample& sample : tunnel_samples()) {
    const Bytes whole = sample.packet.build();
    const Bytes cut(whole.begin(), whole.end() - 5);
    for (const FrameInfo& info : {cut_from(whole.size()), FrameInfo{}}) {
      const Decoded d = decoded(cut, info);
      EXPECT_EQ(d.view.reason, DecodeReason::none) << sample.name;
      EXPECT_TRUE(d.view.truncated) << sample.name;
      EXPECT_EQ(d.view.payload_length, kRequest.size()) << sample.name;
      EXPECT_EQ(d.payload(), kRequest.substr(0, kRequest.size() - 5)) << sample.name;
    }
  }
}

// The inner packet ends before the tunnel does: what follows it is nobody's payload.
TEST(TunnelTruncation, CutBehindTheInnerPacketLosesNothing) {
  PacketBuilder b = outer_udp(4789).tunnel(vxlan(42)).ethernet(kInnerMac);
  const Bytes whole = request_v4(b).bytes(Bytes(30, 0)).build();  // counted by the outer headers
  Bytes bytes = whole;
  const std::size_t inner_ip = 14 + 20 + 8 + 8 + 14;
  store_be16(&bytes[inner_ip + 2], static_cast<std::uint16_t>(40 + kRequest.size()));
  bytes.resize(bytes.size() - 10);
  const Decoded d = decoded(bytes, cut_from(whole.size()));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_FALSE(d.view.truncated);
  EXPECT_EQ(d.payload(), kRequest);
}

TEST(TunnelLengths, InnerPacketBeyondTheTunnel) {
  PacketBuilder b = outer_v4().ipv4("10.1.0.1", "169.254.169.254").ipv4_total_length(1400);
  const Decoded d = decoded(b.tcp(40000, 80).payload(kRequest));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.anomaly, DecodeReason::ipv4_beyond_frame);
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.payload(), kRequest);
  EXPECT_EQ(d.view.payload_length, 1400u - 40u);
}

}  // namespace
}  // namespace imds::packet
