#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::kClientMac;
using support::kServerMac;
using support::PacketBuilder;

constexpr std::string_view kZeroMac = "00:00:00:00:00:00";

ArpView parsed(const Decoded& d) {
  ArpView arp;
  EXPECT_EQ(parse_arp(d.view.network, arp), DecodeReason::none);
  return arp;
}

TEST(Arp, ReplyThatClaimsAnAddress) {
  const Decoded d = decoded(PacketBuilder()
                                .ethernet()
                                .arp(2, kClientMac, "169.254.169.254", kServerMac, "10.0.0.9")
                                .pad_to(60));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.ether_type, 0x0806);
  EXPECT_FALSE(d.view.is_ip());
  EXPECT_TRUE(d.view.payload.empty());
  EXPECT_EQ(d.view.network.size(), 28u);
  const ArpView arp = parsed(d);
  EXPECT_TRUE(arp.is_reply());
  EXPECT_FALSE(arp.is_gratuitous());
  EXPECT_EQ(arp.sender_mac.to_string(), kClientMac);
  EXPECT_EQ(arp.sender_ip.to_string(), "169.254.169.254");
  EXPECT_EQ(arp.target_mac.to_string(), kServerMac);
  EXPECT_EQ(arp.target_ip.to_string(), "10.0.0.9");
}

TEST(Arp, ProbeAndGratuitous) {
  const ArpView probe = parsed(decoded(
      PacketBuilder().ethernet().arp(1, kClientMac, "0.0.0.0", kZeroMac, "169.254.169.254")));
  EXPECT_TRUE(probe.is_probe());
  EXPECT_FALSE(probe.is_gratuitous());
  const ArpView announcement = parsed(decoded(PacketBuilder().ethernet().arp(
      1, kClientMac, "169.254.169.254", kZeroMac, "169.254.169.254")));
  EXPECT_TRUE(announcement.is_gratuitous());
  EXPECT_FALSE(announcement.is_probe());
  EXPECT_FALSE(announcement.is_reply());
}

TEST(Arp, InsideVlan) {
  const Decoded d = decoded(
      PacketBuilder().ethernet().vlan(30).arp(1, kClientMac, "10.0.0.1", kZeroMac, "10.0.0.2"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.vlan.ids[0], 30);
  EXPECT_EQ(parsed(d).target_ip.to_string(), "10.0.0.2");
}

TEST(Arp, OtherHardwareOrSizesAreMalformed) {
  const support::Bytes good =
      PacketBuilder().ethernet().arp(1, kClientMac, "10.0.0.1", kZeroMac, "10.0.0.2").build();
  for (const std::size_t at : {15u, 16u, 18u, 19u}) {  // hardware, protocol, address sizes
    support::Bytes bad = good;
    bad[at] ^= 0x10;
    const Decoded d = decoded(bad);
    EXPECT_EQ(d.view.reason, DecodeReason::arp_malformed) << "byte " << at;
    EXPECT_TRUE(d.view.network.empty());
  }
}

}  // namespace
}  // namespace imds::packet
