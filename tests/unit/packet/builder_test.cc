// The packet builder itself: the other tests trust its lengths, checksums and conversations.
#include <gtest/gtest.h>

#include "decoded.h"
#include "support/tcp_session.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::TcpSession;

// One's complement sum over bytes that include their checksum: all ones if it is right (RFC 1071).
std::uint16_t sum(ByteSpan bytes, std::uint32_t start = 0) {
  std::uint64_t total = start;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    total += i + 1 < bytes.size() ? load_be16(&bytes[i]) : bytes[i] << 8;
  }
  while (total > 0xffff) {
    total = (total & 0xffff) + (total >> 16);
  }
  return static_cast<std::uint16_t>(total);
}

std::uint16_t transport_sum(const PacketView& view, std::size_t ip_header) {
  const ByteSpan segment = view.network.subspan(ip_header);
  const std::uint32_t start = sum({view.source.bytes.data(), 16}) +
                              sum({view.destination.bytes.data(), 16}) + view.protocol +
                              static_cast<std::uint32_t>(segment.size());
  return sum(segment, start);
}

TEST(Builder, Ipv4Checksums) {
  const Decoded tcp = decoded(PacketBuilder()
                                  .ethernet()
                                  .ipv4("10.0.0.1", "169.254.169.254")
                                  .ipv4_options({7, 3, 4})
                                  .tcp(40000, 80)
                                  .tcp_options({2, 4, 5, 0xb4})
                                  .payload("odd"));
  EXPECT_EQ(sum(tcp.view.network.first(24)), 0xffff);
  EXPECT_EQ(transport_sum(tcp.view, 24), 0xffff);
  const Decoded udp =
      decoded(PacketBuilder().ethernet().ipv4("1.2.3.4", "5.6.7.8").udp(1, 2).payload("data"));
  EXPECT_EQ(transport_sum(udp.view, 20), 0xffff);
  const Decoded icmp =
      decoded(PacketBuilder().ethernet().ipv4("1.2.3.4", "5.6.7.8").icmp(8, 0, 9).payload("x"));
  EXPECT_EQ(sum(icmp.view.network.subspan(20)), 0xffff);
}

TEST(Builder, Ipv6Checksums) {
  const auto v6 = [] { return PacketBuilder().ethernet().ipv6("fd00::1", "fd00:ec2::254"); };
  EXPECT_EQ(transport_sum(decoded(v6().tcp(40000, 80).payload("odd")).view, 40), 0xffff);
  EXPECT_EQ(transport_sum(decoded(v6().udp(1, 2).payload("odd")).view, 40), 0xffff);
  EXPECT_EQ(transport_sum(decoded(v6().icmpv6(128, 0).payload("x")).view, 40), 0xffff);
  EXPECT_EQ(
      transport_sum(decoded(v6().ipv6_extension(60, Bytes(6, 0)).udp(1, 2).payload("x")).view, 48),
      0xffff);
}

TEST(Builder, BrokenChecksumIsBroken) {
  const Decoded d = decoded(
      PacketBuilder().ethernet().ipv4("1.2.3.4", "5.6.7.8").tcp(1, 2).bad_checksum().payload("x"));
  EXPECT_EQ(sum(d.view.network.first(20)), 0xffff);
  EXPECT_NE(transport_sum(d.view, 20), 0xffff);
}

TEST(Builder, KnobWithoutItsLayerIsAMistakeOfTheTest) {
  EXPECT_THROW(PacketBuilder().ethernet().flags(1), std::logic_error);
  EXPECT_THROW(PacketBuilder().ethernet().ipv4("fd00::1", "10.0.0.1"), std::logic_error);
  EXPECT_THROW(PacketBuilder().ethernet("02:00", "02:01"), std::logic_error);
}

TEST(Session, BothStreamsAreContinuous) {
  TcpSession::Options options;
  options.vlans = {100, 200};
  options.client_isn = 0xfffffffa;  // wraps within the request
  options.segment_size = 4;
  TcpSession session(options);
  session.handshake().client("GET /latest").server("HTTP/1.1 200 OK").client("more").fin();

  std::string client;
  std::string server;
  std::uint32_t client_next = options.client_isn;
  std::uint32_t server_next = options.server_isn;
  Timestamp last{0};
  for (const support::TimedPacket& p : session.packets()) {
    const Decoded d = decoded(p.bytes);
    ASSERT_EQ(d.view.reason, DecodeReason::none);
    ASSERT_EQ(d.view.vlan.count, 2);
    ASSERT_GT(p.time, last);
    last = p.time;
    const bool from_client = d.view.destination_port == 80;
    std::uint32_t& next = from_client ? client_next : server_next;
    ASSERT_EQ(d.view.tcp.sequence, next);
    if (d.view.tcp.has(kTcpAck)) {
      ASSERT_EQ(d.view.tcp.acknowledgment, from_client ? server_next : client_next);
    }
    next += d.view.payload_length + ((d.view.tcp.has(kTcpSyn) || d.view.tcp.has(kTcpFin)) ? 1 : 0);
    (from_client ? client : server) += d.payload();
  }
  EXPECT_EQ(client, "GET /latestmore");
  EXPECT_EQ(server, "HTTP/1.1 200 OK");
}

TEST(Session, Ipv6AndOwnSegments) {
  TcpSession::Options options;
  options.client_ip = "fd00::1";
  options.server_ip = "fd00:ec2::254";
  TcpSession session(options);
  session.syn().segment(true, 5, support::kAck, "late");
  const Decoded d = decoded(session.packets().back().bytes);
  EXPECT_TRUE(d.view.destination.is_v6());
  EXPECT_EQ(d.view.tcp.sequence, 5u);
  EXPECT_EQ(d.payload(), "late");
}

}  // namespace
}  // namespace imds::packet
