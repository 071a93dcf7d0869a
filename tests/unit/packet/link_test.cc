#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::kClientMac;
using support::kServerMac;
using support::PacketBuilder;

PacketBuilder& udp_hello(PacketBuilder& b) {
  return b.ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload("hello");
}

std::vector<unsigned> vlans(const PacketView& view) {
  return {view.vlan.ids.begin(), view.vlan.ids.begin() + view.vlan.count};
}

TEST(Ethernet, AddressesTypeAndTime) {
  PacketBuilder b;
  b.ethernet(kClientMac, kServerMac);
  FrameInfo info;
  info.time = Timestamp{42};
  const Decoded d = decoded(udp_hello(b), info);
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.source_mac.to_string(), kClientMac);
  EXPECT_EQ(d.view.destination_mac.to_string(), kServerMac);
  EXPECT_EQ(d.view.ether_type, 0x0800);
  EXPECT_EQ(d.view.time.ns, 42);
  EXPECT_EQ(d.view.vlan.count, 0);
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Ethernet, PaddingIsNotPayload) {
  PacketBuilder b;
  b.ethernet();
  const Decoded d = decoded(udp_hello(b).pad_to(60));
  EXPECT_EQ(d.size, 60u);
  EXPECT_EQ(d.payload(), "hello");
  EXPECT_FALSE(d.view.truncated);
}

TEST(Ethernet, UnknownTypeIsNamedAndKept) {
  const Decoded d = decoded(PacketBuilder().ethernet().next(0x88cc).payload("lldp"));
  EXPECT_EQ(d.view.reason, DecodeReason::ethertype_not_inspected);
  EXPECT_EQ(d.view.ether_type, 0x88cc);
  EXPECT_FALSE(d.view.is_ip());
  EXPECT_TRUE(d.view.payload.empty());
}

TEST(Ethernet, SnapCarriesIp) {
  PacketBuilder b;
  b.ethernet().snap();
  const Decoded d = decoded(udp_hello(b));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Ethernet, OtherLlcIsNotInspected) {
  const Decoded stp =
      decoded(PacketBuilder().ethernet().next(38).bytes({0x42, 0x42, 0x03, 0, 0, 0, 0, 0}));
  EXPECT_EQ(stp.view.reason, DecodeReason::ethertype_not_inspected);
  // A SNAP header whose type is again a length must not be peeled for ever.
  const Decoded nested = decoded(PacketBuilder().ethernet().snap().next(5).snap().next(5).snap());
  EXPECT_EQ(nested.view.reason, DecodeReason::ethertype_not_inspected);
}

TEST(Vlan, StackIsListedOutermostFirst) {
  PacketBuilder b;
  b.ethernet().vlan(100, 0x88a8).vlan(200, 0x9100).vlan(300).vlan(4095);
  const Decoded d = decoded(udp_hello(b));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(vlans(d.view), (std::vector<unsigned>{100, 200, 300, 4095}));
  EXPECT_EQ(d.view.ether_type, 0x0800);
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Vlan, PriorityBitsAreNotPartOfTheId) {
  PacketBuilder b;
  b.ethernet().vlan(7, 0x8100, 7);
  EXPECT_EQ(vlans(decoded(udp_hello(b)).view), (std::vector<unsigned>{7}));
}

TEST(Vlan, PriorityTagBelongsToNoVlan) {
  PacketBuilder b;
  b.ethernet().vlan(0, 0x8100, 5).vlan(12);
  const Decoded d = decoded(udp_hello(b));
  EXPECT_EQ(vlans(d.view), (std::vector<unsigned>{12}));
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Vlan, FiveTagsAreTooDeep) {
  PacketBuilder b;
  b.ethernet().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5);
  const Decoded d = decoded(udp_hello(b));
  EXPECT_EQ(d.view.reason, DecodeReason::vlan_too_deep);
  EXPECT_EQ(vlans(d.view), (std::vector<unsigned>{1, 2, 3, 4}));
}

TEST(Vlan, PriorityTagsCountAgainstTheDepth) {
  PacketBuilder b;
  b.ethernet().vlan(0).vlan(0).vlan(0).vlan(0).vlan(0);
  EXPECT_EQ(decoded(udp_hello(b)).view.reason, DecodeReason::vlan_too_deep);
}

TEST(Vlan, TagTheNicStrippedIsTheOutermost) {
  PacketBuilder b;
  b.ethernet().vlan(200);
  FrameInfo info;
  info.stripped_vlan = 100;
  EXPECT_EQ(vlans(decoded(udp_hello(b), info).view), (std::vector<unsigned>{100, 200}));
  b = PacketBuilder();
  b.ethernet().vlan(1).vlan(2).vlan(3).vlan(4);
  EXPECT_EQ(decoded(udp_hello(b), info).view.reason, DecodeReason::vlan_too_deep);
}

TEST(Cooked, VersionOne) {
  PacketBuilder b;
  b.cooked(kServerMac);
  const Decoded d = decoded(udp_hello(b), link(LinkType::linux_sll));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.source_mac.to_string(), kServerMac);
  EXPECT_TRUE(d.view.destination_mac.is_zero());
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Cooked, VersionTwo) {
  PacketBuilder b;
  b.cooked_v2(kServerMac).vlan(9);
  const Decoded d = decoded(udp_hello(b), link(LinkType::linux_sll2));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.source_mac.to_string(), kServerMac);
  EXPECT_EQ(vlans(d.view), (std::vector<unsigned>{9}));
  EXPECT_EQ(d.payload(), "hello");
}

TEST(Cooked, AddressThatIsNoMacIsNotShownAsOne) {
  PacketBuilder b;
  b.cooked(kServerMac);
  support::Bytes v1 = udp_hello(b).build();
  v1[5] = 4;
  EXPECT_TRUE(decoded(v1, link(LinkType::linux_sll)).view.source_mac.is_zero());
  b = PacketBuilder();
  b.cooked_v2(kServerMac);
  support::Bytes v2 = udp_hello(b).build();
  v2[11] = 8;
  EXPECT_TRUE(decoded(v2, link(LinkType::linux_sll2)).view.source_mac.is_zero());
}

TEST(RawIp, VersionFieldDecides) {
  PacketBuilder v4;
  EXPECT_EQ(decoded(udp_hello(v4), link(LinkType::raw_ip)).payload(), "hello");
  EXPECT_EQ(decoded(udp_hello(v4), link(LinkType::raw_ipv4)).view.ether_type, 0x0800);
  const Decoded v6 = decoded(PacketBuilder().ipv6("fd00::1", "fd00::2").udp(1, 2).payload("six"),
                             link(LinkType::raw_ip));
  EXPECT_EQ(v6.payload(), "six");
  EXPECT_EQ(v6.view.ether_type, 0x86dd);
  EXPECT_EQ(decoded(support::Bytes{}, link(LinkType::raw_ip)).view.reason,
            DecodeReason::ipv4_truncated);
  EXPECT_EQ(decoded(support::Bytes(40, 0x55), link(LinkType::raw_ip)).view.reason,
            DecodeReason::ipv4_version);
}

TEST(LinkTypes, UnknownNumberOfACaptureFile) {
  PacketBuilder b;
  b.ethernet();
  EXPECT_EQ(decoded(udp_hello(b), link(static_cast<LinkType>(147))).view.reason,
            DecodeReason::link_type_unsupported);
}

TEST(Decode, OverwritesWhatTheViewHeldBefore) {
  PacketBuilder b;
  b.ethernet().vlan(5);
  Decoded d = decoded(udp_hello(b));
  const support::Bytes lldp = PacketBuilder().ethernet().next(0x88cc).build();
  decode(lldp, {}, d.view);
  EXPECT_EQ(d.view.vlan.count, 0);
  EXPECT_FALSE(d.view.is_ip());
  EXPECT_EQ(d.view.source_port, 0);
  EXPECT_TRUE(d.view.network.empty());
  EXPECT_TRUE(d.view.payload.empty());
  EXPECT_EQ(d.view.payload_length, 0u);
}

}  // namespace
}  // namespace imds::packet
