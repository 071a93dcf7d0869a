// The short way to decode takes what it takes exactly as decode() does, and leaves the rest alone.
#include "packet/plain.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "decoded.h"
#include "flow/key.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

struct Sample {
  std::string name;
  Bytes bytes;
};

PacketBuilder v4() {
  PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.1", "169.254.169.254");
  return builder;
}
PacketBuilder v6() {
  PacketBuilder builder;
  builder.ethernet().ipv6("fd00:ec2::254", "2001:db8::1");
  return builder;
}
PacketBuilder tagged(std::vector<std::pair<unsigned, unsigned>> tags) {
  PacketBuilder builder;
  builder.ethernet();
  for (const auto& [id, tpid] : tags) {
    builder.vlan(id, tpid, 5);
  }
  return builder.ipv4("10.0.0.9", "10.0.0.1").tcp(80, 40000).seq(7).payload("data");
}
PacketBuilder tcp_with(Bytes options) {
  return v4().tcp(40000, 80).seq(1).tcp_options(std::move(options)).payload("GET / ");
}

std::vector<Sample> accepted() {
  return {
      {"TCP", v4().tcp(40000, 80).seq(0xfffffff0u).ack(77).flags(0x18).payload("x").build()},
      {"bare acknowledgment", v4().tcp(40000, 80).seq(5).ack(6).build()},
      {"SYN", v4().tcp(40000, 80).seq(5).flags(support::kSyn).build()},
      {"every flag", v4().tcp(40000, 80).flags(0xff).payload("x").build()},
      {"padded", v4().tcp(40000, 80).seq(5).ack(6).pad_to(60).build()},
      {"trailer", v4().tcp(40000, 80).payload("abc").pad_to(90).build()},
      {"downwards", tagged({}).build()},
      {"same ports", v4().tcp(80, 80).payload("x").build()},
      {"no don't-fragment", v4().ipv4_fragment(0, false).tcp(1, 2).payload("x").build()},
      {"timestamps", tcp_with({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}).build()},
      {"SACK", tcp_with({1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}).build()},
      {"end of options", tcp_with({0, 9, 9, 9}).build()},
      {"wrong checksum", v4().tcp(40000, 80).bad_checksum().payload("x").build()},
      {"VLAN", tagged({{10, 0x8100}}).build()},
      {"QinQ", tagged({{20, 0x88a8}, {10, 0x8100}}).build()},
      {"old QinQ", tagged({{20, 0x9100}, {10, 0x8100}}).build()},
      {"priority tag", tagged({{0, 0x8100}}).build()},
      {"priority and VLAN", tagged({{0, 0x8100}, {4095, 0x8100}}).build()},
      {"UDP", v4().udp(5000, 53).payload("query").build()},
      {"UDP without payload", v4().udp(5000, 53).build()},
      {"UDP shorter than IP", v4().udp(5000, 53).udp_length(10).payload("query").build()},
      {"UDP port 0", v4().udp(0, 0).payload("x").build()},
      {"IPv6 TCP", v6().tcp(40000, 80).seq(5).payload("x").build()},
      {"IPv6 UDP", v6().udp(5000, 53).payload("x").pad_to(100).build()},
      {"same address", PacketBuilder()
                           .ethernet()
                           .ipv6("2001:db8::1", "2001:db8::1")
                           .tcp(40001, 80)
                           .payload("x")
                           .build()},
  };
}

std::vector<Sample> declined() {
  const PacketBuilder tcp = v4().tcp(40000, 80).seq(1).payload("data");
  Bytes no_transport = v4().build();
  return {
      {"nothing", {}},
      {"half an Ethernet header", tcp.build().empty() ? Bytes{} : Bytes(13, 0)},
      {"only an Ethernet header", PacketBuilder().ethernet().next(0x0800).build()},
      {"IP header cut", PacketBuilder(tcp).truncate(14 + 27).build()},
      {"TCP header cut", PacketBuilder(tcp).truncate(14 + 39).build()},
      {"one byte short", PacketBuilder(tcp).truncate(14 + 43).build()},
      {"tag cut", tagged({{10, 0x8100}}).truncate(17).build()},
      {"IPv4 options", v4().ipv4_options({7, 4, 4, 0}).tcp(1, 2).payload("x").build()},
      {"IPv4 header too short", v4().ipv4_header_words(4).tcp(1, 2).payload("x").build()},
      {"version 5", v4().ip_version(5).tcp(1, 2).payload("x").build()},
      {"IPv6 in an IPv4 frame", v6().ip_version(4).tcp(1, 2).payload("x").build()},
      {"total length 0", v4().ipv4_total_length(0).tcp(1, 2).payload("x").build()},
      {"total length beyond", v4().ipv4_total_length(42).tcp(1, 2).payload("x").build()},
      {"total length within", v4().ipv4_total_length(39).tcp(1, 2).payload("x").build()},
      {"first fragment", v4().ipv4_fragment(0, true).tcp(1, 2).payload("x").build()},
      {"later fragment", v4().ipv4_fragment(8, false).tcp(1, 2).payload("x").build()},
      {"data offset too small", v4().tcp(1, 2).tcp_data_offset(4).payload("xxxx").build()},
      {"data offset beyond", v4().tcp(1, 2).tcp_data_offset(7).payload("xxxx").build()},
      {"option too long", tcp_with({5, 40, 1, 1}).build()},
      {"option of no length", tcp_with({8, 0, 1, 1}).build()},
      {"three tags", tagged({{1, 0x88a8}, {2, 0x8100}, {3, 0x8100}}).build()},
      {"SNAP", PacketBuilder()
                   .ethernet()
                   .snap()
                   .ipv4("10.0.0.1", "10.0.0.2")
                   .tcp(1, 2)
                   .payload("x")
                   .build()},
      {"ARP", PacketBuilder()
                  .ethernet()
                  .arp(1, support::kClientMac, "10.0.0.1", support::kServerMac, "10.0.0.2")
                  .pad_to(60)
                  .build()},
      {"ICMP", v4().icmp(8, 0).payload("ping").build()},
      {"ICMPv6", v6().icmpv6(128, 0).payload("ping").build()},
      {"ESP", v4().next(50).bytes(Bytes(40, 1)).build()},
      {"GRE", v4().next(47).bytes(Bytes(40, 0)).build()},
      {"IP in IP", v4().ipv4("10.1.0.1", "10.1.0.2").tcp(1, 2).payload("x").build()},
      {"no next header", no_transport},
      {"hop-by-hop options", v6().ipv6_extension(0).tcp(1, 2).payload("x").build()},
      {"destination options", v6().ipv6_extension(60).udp(1, 2).payload("x").build()},
      {"IPv6 fragment", v6().ipv6_fragment(0, true).tcp(1, 2).payload("x").build()},
      {"atomic fragment", v6().ipv6_fragment(0, false).tcp(1, 2).payload("x").build()},
      {"jumbogram", v6().ipv6_payload_length(0).tcp(1, 2).payload("x").build()},
      {"IPv6 length beyond", v6().ipv6_payload_length(22).tcp(1, 2).payload("x").build()},
      {"UDP length too small", v4().udp(1, 2).udp_length(7).payload("x").build()},
      {"UDP length beyond", v4().udp(1, 2).udp_length(10).payload("x").build()},
      {"UDP jumbogram", v6().udp(1, 2).udp_length(0).payload("x").build()},
      {"VXLAN port", v4().udp(50000, 4789).payload("anything").build()},
      {"GTP-U port as source", v4().udp(2152, 50000).payload("anything").build()},
      {"Teredo port", v6().udp(50000, 3544).payload("anything").build()},
      {"MPLS", PacketBuilder().ethernet().next(0x8847).bytes(Bytes(60, 1)).build()},
  };
}

// In a buffer of exactly its size, so that the sanitizer sees any read beyond.
struct Read {
  explicit Read(const Bytes& bytes) : whole(decoded(bytes)) {
    taken = read_plain({whole.frame.get(), whole.size}, {}, plain);
  }
  Decoded whole;
  PlainPacket plain{};
  bool taken = false;
};

IpAddress address(const std::uint8_t* wire, bool is_v6) {
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(wire, is_v6 ? 16 : 4, bytes.begin());
  return {bytes, is_v6 ? AddressFamily::ipv6 : AddressFamily::ipv4};
}

void expect_same(const PlainPacket& plain, const PacketView& view) {
  EXPECT_EQ(view.reason, DecodeReason::none);
  EXPECT_EQ(view.anomaly, DecodeReason::none);
  EXPECT_FALSE(view.truncated);
  EXPECT_FALSE(view.is_fragment);
  EXPECT_EQ(view.tunnel.path.count, 0);
  EXPECT_EQ(plain.is_v6, view.source.is_v6());
  EXPECT_EQ(address(plain.source, plain.is_v6), view.source);
  EXPECT_EQ(address(plain.destination, plain.is_v6), view.destination);
  EXPECT_EQ(static_cast<std::uint8_t>(plain.protocol), view.protocol);
  EXPECT_EQ(plain.source_port(), view.source_port);
  EXPECT_EQ(plain.destination_port(), view.destination_port);
  EXPECT_EQ(plain.payload, view.payload.data());
  EXPECT_EQ(plain.payload_size, view.payload.size());
  EXPECT_EQ(plain.payload_size, view.payload_length);
  if (plain.protocol == IpProtocol::tcp) {
    EXPECT_EQ(plain.sequence, view.tcp.sequence);
    EXPECT_EQ(plain.acknowledgment, view.tcp.acknowledgment);
    EXPECT_EQ(plain.tcp_flags, view.tcp.flags);
  }
  EXPECT_EQ(plain.vlan(), view.vlan);
  for (const bool vlan : {true, false}) {
    flow::Key short_key;
    flow::Key whole_key;
    std::memset(static_cast<void*>(&short_key), 0xa5, sizeof short_key);  // all of it is written
    const flow::Direction direction = flow::make_key(view, {vlan, true}, whole_key);
    EXPECT_EQ(flow::make_key(plain, {vlan, true}, short_key), direction);
    EXPECT_EQ(short_key, whole_key);
  }
  if (!plain.is_v6 && plain.vlan_count == 0) {
    const flow::HashSecret secret = flow::HashSecret::from_seed(5);
    flow::Key key;
    flow::PeersV4 peers;
    (void)flow::make_key_v4(plain, key, peers);
    EXPECT_EQ(flow::hash_v4(peers, key.kind, secret), flow::hash(key, secret));
  }
}

// Field by field, over a view that was something else before.
void expect_widened(const Read& read) {
  const PacketView& whole = read.whole.view;
  PacketView wide = decoded(tagged({{20, 0x88a8}, {10, 0x8100}}).build()).view;
  widen(read.plain, {read.whole.frame.get(), read.whole.size}, whole.time, wide);
  EXPECT_EQ(wide.reason, whole.reason);
  EXPECT_EQ(wide.anomaly, whole.anomaly);
  EXPECT_EQ(wide.truncated, whole.truncated);
  EXPECT_EQ(wide.time, whole.time);
  EXPECT_EQ(wide.source_mac, whole.source_mac);
  EXPECT_EQ(wide.destination_mac, whole.destination_mac);
  EXPECT_EQ(wide.vlan, whole.vlan);
  EXPECT_EQ(wide.ether_type, whole.ether_type);
  EXPECT_EQ(wide.source, whole.source);
  EXPECT_EQ(wide.destination, whole.destination);
  EXPECT_EQ(wide.protocol, whole.protocol);
  EXPECT_EQ(wide.ttl, whole.ttl);
  EXPECT_EQ(wide.is_fragment, whole.is_fragment);
  EXPECT_EQ(wide.network.data(), whole.network.data());
  EXPECT_EQ(wide.network.size(), whole.network.size());
  EXPECT_EQ(wide.tunnel, whole.tunnel);
  EXPECT_EQ(wide.vni, whole.vni);
  EXPECT_EQ(wide.source_port, whole.source_port);
  EXPECT_EQ(wide.destination_port, whole.destination_port);
  EXPECT_EQ(wide.tcp.sequence, whole.tcp.sequence);
  EXPECT_EQ(wide.tcp.acknowledgment, whole.tcp.acknowledgment);
  EXPECT_EQ(wide.tcp.window, whole.tcp.window);
  EXPECT_EQ(wide.tcp.flags, whole.tcp.flags);
  EXPECT_EQ(wide.payload.data(), whole.payload.data());
  EXPECT_EQ(wide.payload.size(), whole.payload.size());
  EXPECT_EQ(wide.payload_length, whole.payload_length);
}

bool takes_straight(ByteSpan frame, PlainPacket& packet) {
  return read_tcp_in_ipv4(frame, packet) || read_tcp_in_ipv6(frame, packet);
}

// What a straight line takes it takes as read_plain() does.
void expect_straight(const Read& read) {
  PlainPacket straight{};
  if (!takes_straight({read.whole.frame.get(), read.whole.size}, straight)) {
    return;
  }
  ASSERT_TRUE(read.taken);
  EXPECT_EQ(straight.vlan_count, 0);
  expect_same(straight, read.whole.view);
}

TEST(PlainTest, AgreesWithTheWholeWayOnWhatItTakes) {
  for (const Sample& sample : accepted()) {
    SCOPED_TRACE(sample.name);
    const Read read(sample.bytes);
    ASSERT_TRUE(read.taken);
    expect_same(read.plain, read.whole.view);
    expect_widened(read);
    expect_straight(read);
  }
}

TEST(PlainTest, TheStraightLinesTakeOrdinaryTcpOnly) {
  const Bytes timestamps{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
  PlainPacket packet;
  EXPECT_TRUE(read_tcp_in_ipv4(v4().tcp(1, 2).payload("x").build(), packet));
  EXPECT_TRUE(read_tcp_in_ipv4(tcp_with(timestamps).build(), packet));
  EXPECT_TRUE(read_tcp_in_ipv6(v6().tcp(1, 2).payload("x").build(), packet));
  EXPECT_TRUE(read_tcp_in_ipv6(v6().tcp(1, 2).tcp_options(timestamps).build(), packet));
  EXPECT_FALSE(read_tcp_in_ipv4(v6().tcp(1, 2).payload("x").build(), packet));
  EXPECT_FALSE(read_tcp_in_ipv6(v4().tcp(1, 2).payload("x").build(), packet));
  EXPECT_FALSE(takes_straight(v4().udp(1, 2).payload(std::string(40, 'x')).build(), packet));
  EXPECT_FALSE(takes_straight(v6().udp(1, 2).payload(std::string(40, 'x')).build(), packet));
  EXPECT_FALSE(takes_straight(tagged({{10, 0x8100}}).build(), packet));
  EXPECT_FALSE(takes_straight(v6().ip_version(4).tcp(1, 2).payload("x").build(), packet));
  EXPECT_FALSE(takes_straight(v6().tcp(1, 2).tcp_data_offset(4).payload("xxxx").build(), packet));
  for (const Sample& sample : declined()) {
    EXPECT_FALSE(takes_straight(sample.bytes, packet)) << sample.name;
  }
}

// In buffers of exactly their size, so that the sanitizer sees any read beyond.
TEST(PlainTest, TheStraightLinesReadNothingBeyond) {
  for (const Sample& sample : accepted()) {
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      const std::vector<std::uint8_t> cut(sample.bytes.begin(),
                                          sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      PlainPacket straight{};
      if (takes_straight(cut, straight)) {
        ASSERT_LE(straight.payload + straight.payload_size, cut.data() + cut.size()) << sample.name;
      }
    }
  }
}

TEST(PlainTest, LeavesEverythingElse) {
  for (const Sample& sample : declined()) {
    EXPECT_FALSE(Read(sample.bytes).taken) << sample.name;
  }
}

// A packet of before is no part of the next one's tags.
TEST(PlainTest, ForgetsTheTagsOfThePacketBefore) {
  const Bytes with = tagged({{20, 0x88a8}, {10, 0x8100}}).build();
  const Bytes without = tagged({}).build();
  PlainPacket packet;
  ASSERT_TRUE(read_plain(with, {}, packet));
  EXPECT_EQ(packet.vlan_count, 2);
  ASSERT_TRUE(read_plain(without, {}, packet));
  EXPECT_EQ(packet.vlan_count, 0);
}

// Which ports announce tunnels is configured.
TEST(PlainTest, TunnelPortsAreTheConfiguredOnes) {
  TunnelPorts ports;
  ports.vxlan = {5000};
  const TunnelPortTable table(ports);
  PlainPacket packet;
  EXPECT_FALSE(read_plain(v4().udp(1, 5000).payload("x").build(), table, packet));
  EXPECT_TRUE(read_plain(v4().udp(1, 4789).payload("x").build(), table, packet));
  EXPECT_TRUE(read_plain(v4().tcp(1, 5000).payload("x").build(), table, packet)) << "UDP only";
}

// Every cut of every sample: never a read beyond, and never anything decode() would take otherwise.
TEST(PlainTest, CutFramesAreDeclinedOrAgree) {
  for (const auto& samples : {accepted(), declined()}) {
    for (const Sample& sample : samples) {
      SCOPED_TRACE(sample.name);
      for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
        const Read read(
            Bytes(sample.bytes.begin(), sample.bytes.begin() + static_cast<std::ptrdiff_t>(size)));
        expect_straight(read);
        if (read.taken) {
          expect_same(read.plain, read.whole.view);
          expect_widened(read);
        }
      }
    }
  }
}

}  // namespace
}  // namespace imds::packet
