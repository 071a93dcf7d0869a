// Every reason a packet can end with, each reached by a packet.
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::kClientMac;
using support::PacketBuilder;

struct Case {
  DecodeReason expected;
  Bytes frame;
  FrameInfo info;
};

PacketBuilder ethernet() {
  return PacketBuilder().ethernet();
}
PacketBuilder v4() {
  return ethernet().ipv4("10.0.0.1", "10.0.0.2");
}
PacketBuilder v6() {
  return ethernet().ipv6("fd00::1", "fd00::2");
}
PacketBuilder nested_v4(unsigned packets) {
  PacketBuilder b = ethernet();
  for (unsigned i = 0; i < packets; ++i) {
    b.ipv4("10.0.0.1", "10.0.0.2");
  }
  return b;
}
PacketBuilder many_extensions() {
  PacketBuilder b = v6();
  for (unsigned i = 0; i <= kMaxIpv6Extensions; ++i) {
    b.ipv6_extension(60, Bytes(6, 0));
  }
  return b;
}
PacketBuilder arp() {
  return ethernet().arp(1, kClientMac, "10.0.0.1", kClientMac, "10.0.0.2");
}
Bytes arp_for_token_ring() {
  Bytes frame = arp().build();
  frame[15] = 6;
  return frame;
}

Bytes protected_wlan() {
  Bytes frame(40, 0);
  frame[0] = 0x08;  // data
  frame[1] = 0x41;  // to the access point, protected
  return frame;
}

std::vector<Case> cases() {
  using R = DecodeReason;
  return {
      {R::none, v4().tcp(1, 2).build(), {}},
      {R::ethernet_truncated, Bytes(13, 0), {}},
      {R::vlan_truncated, ethernet().next(0x8100).bytes({0, 1, 8}).build(), {}},
      {R::vlan_too_deep, ethernet().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5).build(), {}},
      {R::link_type_unsupported, v4().tcp(1, 2).build(), link(static_cast<LinkType>(147))},
      {R::cooked_truncated, Bytes(15, 0), link(LinkType::linux_sll)},
      {R::cooked_truncated, Bytes(19, 0), link(LinkType::linux_sll2)},
      {R::ethertype_not_inspected, ethernet().next(0x88cc).bytes(Bytes(46, 0)).build(), {}},
      {R::arp_truncated, arp().truncate(14 + 27).build(), {}},
      {R::arp_malformed, arp_for_token_ring(), {}},
      {R::ipv4_truncated, ethernet().next(0x0800).bytes(Bytes(19, 0x45)).build(), {}},
      {R::ipv4_version, v4().ip_version(7).tcp(1, 2).build(), {}},
      {R::ipv4_header_length, v4().ipv4_header_words(4).tcp(1, 2).build(), {}},
      {R::ipv4_total_length, v4().ipv4_total_length(19).tcp(1, 2).build(), {}},
      {R::ipv6_truncated, ethernet().next(0x86dd).bytes(Bytes(39, 0x60)).build(), {}},
      {R::ipv6_version, v6().ip_version(7).tcp(1, 2).build(), {}},
      {R::ipv6_payload_length,
       v6().ipv6_payload_length(7).ipv6_extension(0, Bytes(6, 0)).tcp(1, 2).build(),
       {}},
      {R::ipv6_extension_truncated, v6().ipv6_extension(0, Bytes(6, 0), 200).tcp(1, 2).build(), {}},
      {R::ipv6_extension_too_deep, many_extensions().tcp(1, 2).build(), {}},
      {R::ip_fragment, v4().ipv4_fragment(8, false).tcp(1, 2).build(), {}},
      {R::ip_protocol_not_inspected, v4().next(50).bytes(Bytes(32, 0)).build(), {}},
      {R::tcp_truncated, v4().next(6).bytes(Bytes(19, 0)).build(), {}},
      {R::tcp_data_offset, v4().tcp(1, 2).tcp_data_offset(4).build(), {}},
      {R::udp_truncated, v4().next(17).bytes(Bytes(7, 0)).build(), {}},
      {R::udp_length, v4().udp(1, 2).udp_length(7).build(), {}},
      {R::icmp_truncated, v4().next(1).bytes(Bytes(7, 0)).build(), {}},
      {R::capture_truncated, v4().tcp(1, 2).truncate(14 + 39).build(), cut_from(54)},
      {R::ipv4_beyond_frame, v4().ipv4_total_length(1500).tcp(1, 2).build(), {}},
      {R::ipv6_beyond_frame, v6().ipv6_payload_length(1500).tcp(1, 2).build(), {}},
      {R::link_truncated, Bytes(23, 0x08), link(LinkType::ieee802_11)},
      {R::wlan_protected, protected_wlan(), link(LinkType::ieee802_11)},
      {R::tcp_options, v4().tcp(1, 2).tcp_options({8, 0, 0, 0}).build(), {}},
      {R::tunnel_truncated, v4().next(47).bytes({0, 0, 8}).build(), {}},
      {R::tunnel_malformed, v4().next(47).bytes({0, 7, 8, 0}).build(), {}},
      {R::tunnel_too_deep, nested_v4(10).tcp(1, 2).build(), {}},
      {R::tunnel_protocol_not_inspected, v4().next(47).bytes({0, 0, 0x20, 0}).build(), {}},
      {R::mpls_too_deep, ethernet().next(0x8847).bytes(Bytes(80, 0)).build(), {}},
  };
}

TEST(Reasons, EachPacketEndsWithItsReason) {
  for (const Case& c : cases()) {
    const Decoded d = decoded(c.frame, c.info);
    const DecodeReason told = d.view.anomaly != DecodeReason::none ? d.view.anomaly : d.view.reason;
    EXPECT_EQ(told, c.expected) << describe(c.expected).name;
    if (d.view.reason != DecodeReason::none) {
      EXPECT_EQ(d.view.payload.empty(), !d.view.is_fragment) << describe(c.expected).name;
      EXPECT_EQ(d.view.payload_length, d.view.payload.size()) << describe(c.expected).name;
    }
  }
}

TEST(Reasons, TheTableAboveLeavesNoneOut) {
  // Told by others than the decoder: by who linearises a packet of many segments, before it, and
  // by wrong_checksum(), after it (checksum_test.cc).
  std::set<DecodeReason> reached = {DecodeReason::segments_too_many, DecodeReason::ipv4_checksum,
                                    DecodeReason::tcp_checksum, DecodeReason::udp_checksum};
  for (const Case& c : cases()) {
    reached.insert(c.expected);
  }
  for (std::size_t i = 0; i < kDecodeReasonCount; ++i) {
    const auto reason = static_cast<DecodeReason>(i);
    EXPECT_EQ(reached.count(reason), 1u) << describe(reason).name;
  }
}

}  // namespace
}  // namespace imds::packet
