#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

constexpr unsigned kHopByHop = 0;
constexpr unsigned kRouting = 43;
constexpr unsigned kAuthentication = 51;
constexpr unsigned kDestinationOptions = 60;
constexpr unsigned kMobility = 135;

PacketBuilder v4() {
  return PacketBuilder().ethernet().ipv4("10.0.0.1", "169.254.169.254");
}
PacketBuilder v6() {
  return PacketBuilder().ethernet().ipv6("fd00::1", "fd00:ec2::254");
}

TEST(Ipv4, Fields) {
  const Decoded d = decoded(v4().ttl(63).udp(5, 6).payload("data"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.anomaly, DecodeReason::none);
  EXPECT_EQ(d.view.source.to_string(), "10.0.0.1");
  EXPECT_EQ(d.view.destination.to_string(), "169.254.169.254");
  EXPECT_EQ(d.view.ttl, 63);
  EXPECT_TRUE(d.view.is(IpProtocol::udp));
  EXPECT_EQ(d.view.network.size(), 20u + 8 + 4);
  EXPECT_EQ(d.payload(), "data");
  EXPECT_EQ(d.view.payload_length, 4u);
}

TEST(Ipv4, OptionsOfEverySize) {
  for (std::size_t size = 0; size <= 40; size += 4) {
    const Decoded d = decoded(v4().ipv4_options(Bytes(size, 1)).udp(5, 6).payload("data"));
    EXPECT_EQ(d.view.reason, DecodeReason::none) << size;
    EXPECT_EQ(d.payload(), "data") << size;
  }
}

TEST(Ipv4, TotalLengthZeroIsTheRestOfTheFrame) {
  const Decoded d = decoded(v4().ipv4_total_length(0).tcp(5, 6).payload("offloaded"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.payload(), "offloaded");
  EXPECT_FALSE(d.view.truncated);
}

TEST(Ipv4, TotalLengthBeyondTheFrameStillYieldsWhatIsThere) {
  const Decoded d = decoded(v4().tcp(5, 6).payload("0123456789").truncate(14 + 40 + 4));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.anomaly, DecodeReason::ipv4_beyond_frame);
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.payload(), "0123");
  EXPECT_EQ(d.view.payload_length, 10u);
}

TEST(Ipv4, CaptureThatSaysItCutIsNoAnomaly) {
  const Decoded d =
      decoded(v4().tcp(5, 6).payload("0123456789").truncate(14 + 40 + 4), cut_from(14 + 40 + 10));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.anomaly, DecodeReason::none);
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.payload(), "0123");
  EXPECT_EQ(d.view.payload_length, 10u);
}

TEST(Ipv4, CaptureThatOnlyLostPaddingIsWhole) {
  const Decoded d = decoded(v4().udp(5, 6).payload("abc"), cut_from(64));
  EXPECT_FALSE(d.view.truncated);
  EXPECT_EQ(d.payload(), "abc");
  EXPECT_EQ(d.view.payload_length, 3u);
}

TEST(Ipv4, TotalLengthZeroInACutCapture) {
  const Decoded d =
      decoded(v4().ipv4_total_length(0).tcp(5, 6).payload("offloaded"), cut_from(1000));
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.payload(), "offloaded");
  EXPECT_EQ(d.view.payload_length, 1000u - 14 - 40);
}

TEST(Ipv4, BadHeaders) {
  EXPECT_EQ(decoded(v4().ip_version(5).udp(1, 2)).view.reason, DecodeReason::ipv4_version);
  for (unsigned words = 0; words < 5; ++words) {
    EXPECT_EQ(decoded(v4().ipv4_header_words(words).udp(1, 2)).view.reason,
              DecodeReason::ipv4_header_length);
  }
  for (const unsigned length : {1u, 19u}) {
    const Decoded d = decoded(v4().ipv4_total_length(length).udp(1, 2));
    EXPECT_EQ(d.view.reason, DecodeReason::ipv4_total_length);
    EXPECT_FALSE(d.view.is_ip());
  }
  // Options that the total length cuts off.
  EXPECT_EQ(decoded(v4().ipv4_options(Bytes(8, 1)).ipv4_total_length(24).udp(1, 2)).view.reason,
            DecodeReason::ipv4_total_length);
  // Header longer than an offloaded frame.
  EXPECT_EQ(decoded(v4().ipv4_total_length(0).ipv4_header_words(15)).view.reason,
            DecodeReason::ipv4_header_length);
}

TEST(Ipv4, FragmentsKeepAddressesAndBytes) {
  for (const auto& [offset, more] : {std::pair{0u, true}, {1480u, true}, {2960u, false}}) {
    const Decoded d = decoded(v4().ipv4_fragment(offset, more).tcp(1, 80).payload("GET /"));
    EXPECT_EQ(d.view.reason, DecodeReason::ip_fragment);
    EXPECT_TRUE(d.view.is_fragment);
    EXPECT_EQ(d.view.source.to_string(), "10.0.0.1");
    EXPECT_EQ(d.view.destination.to_string(), "169.254.169.254");
    EXPECT_TRUE(d.view.is(IpProtocol::tcp));
    EXPECT_EQ(d.view.source_port, 0);
    EXPECT_EQ(d.view.fragment.offset, offset);
    EXPECT_EQ(d.view.fragment.more, more);
    EXPECT_EQ(d.view.fragment.header_size, 20u);
    EXPECT_EQ(d.view.payload.size(), 20u + 5);
    EXPECT_EQ(d.view.network.size(), 20u + 20 + 5);
  }
  EXPECT_FALSE(decoded(v4().ipv4_fragment(0, false).tcp(1, 80)).view.is_fragment);
}

TEST(Ipv4, AuthenticationHeaderIsPeeled) {
  const Bytes ah = {6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  Bytes inner = PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").tcp(5, 80).payload("x").build();
  inner.erase(inner.begin(), inner.begin() + 20);
  Bytes all = ah;
  all.insert(all.end(), inner.begin(), inner.end());
  const Decoded d = decoded(v4().next(kAuthentication).bytes(all));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.is(IpProtocol::tcp));
  EXPECT_EQ(d.view.destination_port, 80);
  EXPECT_EQ(d.payload(), "x");
}

TEST(Ipv4, Ipv6ExtensionNumbersMeanNothingHere) {
  for (const unsigned protocol : {kHopByHop, kRouting, 44u, kDestinationOptions, kMobility, 58u}) {
    const Decoded d = decoded(v4().next(protocol).bytes(Bytes(64, 0)));
    EXPECT_EQ(d.view.reason, DecodeReason::ip_protocol_not_inspected) << protocol;
    EXPECT_EQ(d.view.protocol, protocol);
  }
}

TEST(Ipv6, Fields) {
  const Decoded d = decoded(v6().ttl(1).tcp(5, 80).payload("data"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.source.to_string(), "fd00::1");
  EXPECT_EQ(d.view.destination.to_string(), "fd00:ec2::254");
  EXPECT_EQ(d.view.ttl, 1);
  EXPECT_TRUE(d.view.is(IpProtocol::tcp));
  EXPECT_EQ(d.payload(), "data");
}

TEST(Ipv6, PayloadLengthBoundsAndZeroIsTheRest) {
  EXPECT_EQ(decoded(v6().udp(1, 2).payload("abc").pad_to(90)).payload(), "abc");
  const Decoded zero = decoded(v6().ipv6_payload_length(0).tcp(1, 2).payload("offloaded"));
  EXPECT_EQ(zero.view.reason, DecodeReason::none);
  EXPECT_EQ(zero.payload(), "offloaded");
  const Decoded beyond = decoded(v6().ipv6_payload_length(520).tcp(1, 2).payload("abc"));
  EXPECT_EQ(beyond.view.reason, DecodeReason::none);
  EXPECT_EQ(beyond.view.anomaly, DecodeReason::ipv6_beyond_frame);
  EXPECT_TRUE(beyond.view.truncated);
  EXPECT_EQ(beyond.payload(), "abc");
  EXPECT_EQ(beyond.view.payload_length, 500u);
}

TEST(Ipv6, JumbogramWithItsOption) {
  const Bytes jumbo = {0xc2, 4, 0, 1, 0x11, 0x70};
  const Decoded d = decoded(v6().ipv6_payload_length(0)
                                .ipv6_extension(kHopByHop, jumbo)
                                .tcp(1, 80)
                                .payload(std::string(70000, 'j')));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.view.payload.size(), 70000u);
}

TEST(Ipv6, ExtensionHeadersInAnyOrder) {
  std::vector<unsigned> order = {
      kHopByHop, kRouting, kAuthentication, kDestinationOptions, kMobility, 139, 140};
  std::sort(order.begin(), order.end());
  do {
    PacketBuilder b = v6();
    for (const unsigned type : order) {
      b.ipv6_extension(type, Bytes(type == kAuthentication ? 14 : 6 + 8 * (type % 3), 0));
    }
    const Decoded d = decoded(b.tcp(1, 80).payload("found"));
    ASSERT_EQ(d.view.reason, DecodeReason::none);
    ASSERT_EQ(d.payload(), "found");
    ASSERT_EQ(d.view.destination_port, 80);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Ipv6, ExtensionHeadersUpToTheLimit) {
  for (const unsigned count : {kMaxIpv6Extensions, kMaxIpv6Extensions + 1}) {
    PacketBuilder b = v6();
    for (unsigned i = 0; i < count; ++i) {
      b.ipv6_extension(kDestinationOptions, Bytes(6, 0));
    }
    EXPECT_EQ(decoded(b.tcp(1, 80)).view.reason, count > kMaxIpv6Extensions
                                                     ? DecodeReason::ipv6_extension_too_deep
                                                     : DecodeReason::none);
  }
}

TEST(Ipv6, ExtensionThatClaimsMoreThanThePacket) {
  const Decoded at_end =
      decoded(v6().ipv6_extension(kDestinationOptions, Bytes(6, 0), 9).tcp(1, 2));
  EXPECT_EQ(at_end.view.reason, DecodeReason::ipv6_extension_truncated);
  EXPECT_TRUE(at_end.view.is_ip());
  // The frame goes on where the IP packet has ended: its payload length is what lies.
  const Decoded lying = decoded(
      v6().ipv6_payload_length(12).ipv6_extension(kDestinationOptions, Bytes(14, 0)).tcp(1, 2));
  EXPECT_EQ(lying.view.reason, DecodeReason::ipv6_payload_length);
}

TEST(Ipv6, Fragments) {
  for (const auto& [offset, more] : {std::pair{0u, true}, {1448u, true}, {2896u, false}}) {
    const Decoded d = decoded(v6().ipv6_extension(kDestinationOptions, Bytes(6, 0))
                                  .ipv6_fragment(offset, more)
                                  .udp(1, 2)
                                  .payload("x"));
    EXPECT_EQ(d.view.reason, DecodeReason::ip_fragment);
    EXPECT_TRUE(d.view.is_fragment);
    EXPECT_TRUE(d.view.is(IpProtocol::udp));
    EXPECT_EQ(d.view.source_port, 0);
    EXPECT_EQ(d.view.network.size(), 40u + 8 + 8 + 8 + 1);
  }
}

TEST(Ipv6, AtomicFragmentIsAWholePacket) {
  const Decoded d = decoded(v6().ipv6_fragment(0, false).udp(1, 2).payload("x"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_FALSE(d.view.is_fragment);
  EXPECT_EQ(d.payload(), "x");
  // The two reserved bits say nothing (RFC 8200 4.5).
  const Decoded reserved =
      decoded(v6().ipv6_extension(44, {0, 6, 0, 0, 0, 1}).udp(1, 2).payload("x"));
  EXPECT_EQ(reserved.view.reason, DecodeReason::none);
}

TEST(Ipv6, BadVersionAndUnknownProtocols) {
  EXPECT_EQ(decoded(v6().ip_version(4).udp(1, 2)).view.reason, DecodeReason::ipv6_version);
  for (const unsigned protocol : {50u, 59u, 1u, 132u}) {  // ESP, none, ICMP, SCTP
    const Decoded d = decoded(v6().next(protocol).bytes(Bytes(40, 0)));
    EXPECT_EQ(d.view.reason, DecodeReason::ip_protocol_not_inspected) << protocol;
    EXPECT_TRUE(d.view.is_ip());
    EXPECT_EQ(d.view.protocol, protocol);
  }
}

}  // namespace
}  // namespace imds::packet
