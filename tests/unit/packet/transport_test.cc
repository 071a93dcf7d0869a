#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

PacketBuilder v4() {
  return PacketBuilder().ethernet().ipv4("10.0.0.1", "169.254.169.254");
}
PacketBuilder v6() {
  return PacketBuilder().ethernet().ipv6("fd00::1", "fd00:ec2::254");
}

TEST(Tcp, Fields) {
  const Decoded d = decoded(v4().tcp(40000, 80)
                                .seq(0xfffffff0)
                                .ack(0x80000001)
                                .flags(support::kAck | support::kPsh)
                                .window(1024)
                                .payload("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.is(IpProtocol::tcp));
  EXPECT_EQ(d.view.source_port, 40000);
  EXPECT_EQ(d.view.destination_port, 80);
  EXPECT_EQ(d.view.tcp.sequence, 0xfffffff0u);
  EXPECT_EQ(d.view.tcp.acknowledgment, 0x80000001u);
  EXPECT_TRUE(d.view.tcp.has(kTcpAck | kTcpPsh));
  EXPECT_FALSE(d.view.tcp.has(kTcpSyn));
  EXPECT_EQ(d.view.tcp.window, 1024);
  EXPECT_EQ(d.payload(), "GET / HTTP/1.1\r\n\r\n");
}

TEST(Tcp, OptionsOfEverySizeAreSkipped) {
  for (std::size_t size = 0; size <= 40; size += 4) {
    const Decoded d = decoded(v4().tcp(1, 2).tcp_options(Bytes(size, 1)).payload("data"));
    EXPECT_EQ(d.view.reason, DecodeReason::none) << size;
    EXPECT_EQ(d.view.anomaly, DecodeReason::none) << size;
    EXPECT_EQ(d.payload(), "data") << size;
  }
}

TEST(Tcp, DataOffsetOutOfBounds) {
  for (unsigned words = 0; words < 5; ++words) {
    EXPECT_EQ(decoded(v4().tcp(1, 2).tcp_data_offset(words).payload("data")).view.reason,
              DecodeReason::tcp_data_offset);
  }
  const Decoded beyond = decoded(v4().tcp(1, 2).tcp_data_offset(15).payload("data"));
  EXPECT_EQ(beyond.view.reason, DecodeReason::tcp_data_offset);
  EXPECT_TRUE(beyond.view.is_ip());
  EXPECT_TRUE(beyond.view.payload.empty());
}

TEST(Tcp, GoodOptionsAreNoAnomaly) {
  const std::vector<Bytes> good = {
      {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7},  // a SYN's
      {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2},                                // a segment's
      {0, 0xff, 0xff, 0xff},                                                // end, then anything
      {1, 8, 3, 0},                                                         // just up to the end
      {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2},                                // SACK
  };
  for (const Bytes& options : good) {
    EXPECT_EQ(decoded(v4().tcp(1, 2).tcp_options(options)).view.anomaly, DecodeReason::none);
  }
}

TEST(Tcp, OptionsThatDoNotAddUpAreNotedButTheSegmentStands) {
  const std::vector<Bytes> bad = {
      {8, 0, 0, 0},   // length 0: must not loop
      {8, 1, 0, 0},   // length below its own two bytes
      {1, 8, 4, 0},   // one byte beyond the header
      {8, 10, 0, 0},  // beyond the header
      {1, 1, 1, 8},   // kind without a length
      {2, 4, 1, 1, 3, 9, 0, 0},
  };
  for (const Bytes& options : bad) {
    const Decoded d = decoded(v4().tcp(1, 80).tcp_options(options).payload("GET /"));
    EXPECT_EQ(d.view.reason, DecodeReason::none);
    EXPECT_EQ(d.view.anomaly, DecodeReason::tcp_options);
    EXPECT_EQ(d.payload(), "GET /");
  }
}

TEST(Tcp, SliceInsideTheOptionsStillTellsPortsAndFlags) {
  const Decoded d = decoded(v4().tcp(40000, 80)
                                .flags(support::kSyn)
                                .tcp_options(Bytes(20, 1))
                                .payload("data")
                                .truncate(14 + 20 + 24));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.view.destination_port, 80);
  EXPECT_TRUE(d.view.tcp.has(kTcpSyn));
  EXPECT_TRUE(d.view.payload.empty());
  EXPECT_EQ(d.view.payload_length, 4u);
}

TEST(Udp, LengthBoundsThePayload) {
  EXPECT_EQ(decoded(v4().udp(5, 6).udp_length(8 + 3).payload("abcdef")).payload(), "abc");
  EXPECT_EQ(decoded(v4().udp(5, 6)).view.payload_length, 0u);
}

TEST(Udp, LengthOutOfBounds) {
  for (const unsigned length : {0u, 1u, 7u, 8u + 7}) {
    const Decoded d = decoded(v4().udp(5, 6).udp_length(length).payload("abcdef"));
    EXPECT_EQ(d.view.reason, DecodeReason::udp_length) << length;
    EXPECT_TRUE(d.view.payload.empty());
  }
}

TEST(Udp, LengthZeroOfAnIpv6JumbogramIsTheRest) {
  const Decoded d = decoded(v6().udp(5, 6).udp_length(0).payload("abcdef"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_EQ(d.payload(), "abcdef");
}

TEST(Udp, SlicedDatagram) {
  const Decoded d = decoded(v4().udp(5, 53).payload("0123456789").truncate(14 + 28 + 3));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.truncated);
  EXPECT_EQ(d.payload(), "012");
  EXPECT_EQ(d.view.payload_length, 10u);
}

TEST(Udp, SliceBeyondTheUdpLengthLosesNothing) {
  const Decoded d =
      decoded(v4().udp(5, 53).udp_length(8 + 3).payload("abc-trailer").truncate(14 + 28 + 5));
  EXPECT_FALSE(d.view.truncated);
  EXPECT_EQ(d.payload(), "abc");
  EXPECT_EQ(d.view.payload_length, 3u);
}

TEST(Icmp, TypeCodeAndBody) {
  const Decoded d = decoded(v4().icmp(3, 1, 0x01020304).payload("original"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.is(IpProtocol::icmp));
  EXPECT_EQ(d.view.icmp_type, 3);
  EXPECT_EQ(d.view.icmp_code, 1);
  EXPECT_EQ(d.payload(), std::string("\x01\x02\x03\x04original"));
  EXPECT_EQ(d.view.source_port, 0);
}

TEST(Icmp, Version6) {
  const Decoded d = decoded(v6().icmpv6(136, 0, 0x20000000).payload("target"));
  EXPECT_EQ(d.view.reason, DecodeReason::none);
  EXPECT_TRUE(d.view.is(IpProtocol::icmpv6));
  EXPECT_EQ(d.view.icmp_type, 136);
  EXPECT_EQ(d.view.payload.size(), 10u);
}

TEST(Icmp, TooShort) {
  EXPECT_EQ(decoded(v4().next(1).bytes(Bytes(7, 0))).view.reason, DecodeReason::icmp_truncated);
  EXPECT_EQ(decoded(v6().next(58).bytes(Bytes(3, 0))).view.reason, DecodeReason::icmp_truncated);
}

}  // namespace
}  // namespace imds::packet
