// From packets to findings in the ring, with the shipped rules.
#include <string>

#include <gmock/gmock.h>

#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::TcpSession;
using ::testing::ElementsAre;

TcpSession imds_session() {
  TcpSession session;
  session.handshake()
      .client(kMetadata)
      .server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
      .fin();
  return session;
}

TEST(Findings, OfARequestToTheEndpoint) {
  Rig rig;
  const TcpSession session = imds_session();
  const std::vector<event::Finding> found = rig.run(session).take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].type, event::EventType::connection);
  EXPECT_EQ(found[0].time, session.packets()[0].time);
  const event::Finding& request = found[1];
  EXPECT_EQ(request.type, event::EventType::http_request);
  EXPECT_EQ(request.time, session.packets()[3].time);
  EXPECT_EQ(request.source.ip, *IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(request.source.port, 40000u);
  EXPECT_EQ(request.destination.ip, *IpAddress::parse("169.254.169.254"));
  EXPECT_EQ(request.destination.port, 80u);
  EXPECT_EQ(request.endpoint.view(), "imds4");
  EXPECT_EQ(request.method.view(), "GET");
  EXPECT_EQ(request.path.view(), "/latest/meta-data/iam/info");
  EXPECT_EQ(request.visibility, 0u);
  EXPECT_EQ(request.rule_count, 1u);
  EXPECT_FALSE(request.is_test);
}

TEST(Findings, OverIpv6) {
  TcpSession::Options options;
  options.client_ip = "2001:db8::1";
  options.server_ip = "fd00:ec2::254";
  TcpSession session(options);
  session.handshake().client(kMetadata);
  Rig rig;
  EXPECT_EQ(rig.run(session).events(), (Events{"connection", std::string(kFoundMetadata)}));
}

TEST(Findings, OnAnyPortToAnyAddress) {
  auto options = elsewhere();
  options.server_port = 31337;
  TcpSession session(options);
  session.handshake().client(kMetadata);
  Rig rig;
  EXPECT_EQ(rig.run(session).events(), Events{std::string(kFoundMetadata)});
}

TEST(Findings, NoneInOrdinaryTraffic) {
  TcpSession session(elsewhere());
  session.handshake().client("GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n");
  session.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").fin();
  Rig rig;
  EXPECT_EQ(rig.run(session).events(), Events{});
  EXPECT_EQ(rig.counted().http_heads_passed_over.get(), 1u);
}

TEST(Findings, HoweverTheHeadIsCut) {
  for (std::size_t size = 1; size <= kMetadata.size(); ++size) {
    TcpSession session(elsewhere());
    session.segment_size(size).handshake().client(kMetadata);
    Rig rig;
    ASSERT_EQ(rig.run(session).events(), Events{std::string(kFoundMetadata)})
        << "segments of " << size;
  }
}

// A chain's bytes are put together in a place of their own, for every packet of the burst.
TEST(Findings, InChainedMbufs) {
  for (const std::size_t piece : {1u, 13u, 40u, 60u, 100u}) {
    ListSource source;
    for (unsigned i = 0; i < kBurst; ++i) {
      TcpSession::Options options = elsewhere();
      options.client_port = 40000 + i;
      TcpSession session(options);
      session.handshake().client("GET /latest/meta-data/" + std::to_string(i) +
                                 " HTTP/1.1\r\n\r\n");
      Given packet = given(session.packets().back().bytes);
      packet.segment_bytes = piece;
      source.add(std::move(packet));
    }
    Rig rig;
    const auto found = rig.run(source).take();
    ASSERT_EQ(found.size(), kBurst) << "pieces of " << piece;
    for (unsigned i = 0; i < kBurst; ++i) {
      EXPECT_EQ(found[i].target.view(), "/latest/meta-data/" + std::to_string(i));
      EXPECT_EQ(found[i].source.port, 40000 + i);
    }
  }
}

Bytes jumbogram(std::size_t payload_size) {
  std::string payload(kMetadata);
  payload.resize(payload_size, '.');
  return PacketBuilder()
      .ethernet()
      .ipv6("2001:db8::1", "2001:db8::7")
      .ipv6_payload_length(0)
      .tcp(40000, 80)
      .seq(1)
      .payload(payload)
      .build();
}

TEST(Findings, PacketsBeyondTheLongestAreInspectedUpToThere) {
  Rig rig;
  const auto found = rig.run(given(jumbogram(100'000))).take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].target.view(), "/latest/meta-data/iam/info");
  EXPECT_NE(found[0].visibility & event::kCaptureTruncated, 0);
}

TEST(Findings, TheLongestPacketIsWhole) {
  constexpr std::size_t kHeaders = 14 + 40 + 20;
  Rig rig;
  const auto found = rig.run(given(jumbogram(kLongestPacket - kHeaders))).take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].visibility & event::kCaptureTruncated, 0);
}

// One slot's longest packet must not spill into the next slot's.
TEST(Findings, ABurstOfLongPackets) {
  ListSource source(0, kBurst);
  for (int i = 0; i < 64; ++i) {
    Given packet = given(jumbogram(70'000));
    packet.bytes[14 + 40 + 1] = static_cast<std::uint8_t>(i);  // its source port
    source.add(std::move(packet));
  }
  Rig rig;
  EXPECT_EQ(rig.run(source).take().size(), 64u);
}

// A receiver drops it, and so does the inspector if asked to.
TEST(Findings, WrongChecksumsAreMalformedIfVerified) {
  for (const bool verify : {false, true}) {
    Options options = small_options();
    options.verify_checksums = verify;
    Rig rig(options);
    const Given packet = given(PacketBuilder()
                                   .ethernet()
                                   .ipv4("10.0.0.1", "169.254.169.254")
                                   .tcp(40000, 80)
                                   .bad_checksum()
                                   .payload(kMetadata)
                                   .build());
    EXPECT_EQ(rig.run(packet).take().empty(), verify);
    EXPECT_EQ(rig.stopped(DecodeReason::tcp_checksum), verify ? 1u : 0u);
    EXPECT_EQ(rig.count(Disposition::malformed), verify ? 1u : 0u);
  }
}

TEST(Findings, CutByTheSnapLength) {
  TcpSession session;
  session.handshake().client(kMetadata);
  Given packet = given(session.packets().back().bytes);
  packet.original_length = static_cast<std::uint32_t>(packet.bytes.size());
  packet.bytes.erase(packet.bytes.end() - 10, packet.bytes.end());
  Rig rig;
  const auto found = rig.run(packet).take();
  ASSERT_EQ(found.size(), 2u);  // the head's end is missing: judged by what there is
  EXPECT_EQ(found[0].type, event::EventType::connection);
  EXPECT_NE(found[0].visibility & event::kCaptureTruncated, 0);
  EXPECT_EQ(found[1].type, event::EventType::http_request);
  EXPECT_NE(found[1].visibility & event::kCaptureTruncated, 0);
}

TEST(Findings, VlanStrippedByTheNic) {
  Rig rig;
  ListSource source;
  const TcpSession session = imds_session();
  for (const support::TimedPacket& sent : session.packets()) {
    Given packet = given(sent.bytes);
    packet.stripped_vlan = 0x2064;  // priority 1, id 100
    source.add(std::move(packet));
  }
  const auto found = rig.run(source).take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].vlan_count, 1u);
  EXPECT_EQ(found[1].vlans[0], 100u);
  const auto seen = rig.worker().vlans().snapshot();
  EXPECT_TRUE(seen.ids[100]);
  EXPECT_EQ(seen.ids.count(), 1u);
  EXPECT_FALSE(seen.untagged);
}

// A port that strips and one that does not deliver the two directions of one flow.
TEST(Findings, StrippedAndStandingTagsAreOneFlow) {
  TcpSession::Options options;
  options.vlans = {100};
  TcpSession tagged(options);
  tagged.handshake().client(kMetadata);
  TcpSession bare;
  bare.handshake().client(kMetadata);
  ListSource source;
  for (std::size_t i = 0; i < tagged.packets().size(); ++i) {
    Given packet = given(i % 2 == 0 ? tagged.packets()[i].bytes : bare.packets()[i].bytes);
    if (i % 2 != 0) {
      packet.stripped_vlan = 100;
    }
    source.add(std::move(packet));
  }
  Rig rig;
  EXPECT_EQ(rig.run(source).events(), (Events{"connection", std::string(kFoundMetadata)}));
  EXPECT_EQ(rig.flows(), 1u);
}

TEST(Findings, CarryTheirPort) {
  ListSource left(0);
  ListSource right(1);
  const TcpSession session = imds_session();
  for (const support::TimedPacket& sent : session.packets()) {
    right.add(given(sent.bytes));
  }
  port::Source* const sources[] = {&left, &right};
  Rig rig;
  rig.worker().poll(sources);
  const auto found = rig.take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].ingress_port, 1u);
}

TEST(Findings, OfTheInspectorsOwnTestAreMarked) {
  ListSource source;
  const TcpSession session = imds_session();
  for (const support::TimedPacket& sent : session.packets()) {
    Given packet = given(sent.bytes);
    packet.is_test = true;
    source.add(std::move(packet));
  }
  Rig rig;
  const auto found = rig.run(source).take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(found[0].is_test);
  EXPECT_TRUE(found[1].is_test);
  // The slots' next packets are not.
  TcpSession::Options options;
  options.client_port = 40001;
  TcpSession real(options);
  real.handshake();
  const auto next = rig.run(real).take();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_FALSE(next[0].is_test);
}

TEST(Findings, AFullRingIsACountedLoss) {
  Rig rig(small_options(), 2);
  for (unsigned port = 40000; port < 40010; ++port) {
    TcpSession::Options options;
    options.client_port = port;
    TcpSession session(options);
    rig.run(session.handshake());
  }
  EXPECT_EQ(rig.take().size(), 1u);  // and the first answer, which only the story needs
  EXPECT_EQ(rig.counted().findings_lost.get(), 9u);
  EXPECT_EQ(rig.counted().findings_queued.get(), 2u);
}

TEST(Findings, InUdpAndPingsToTheEndpoint) {
  const auto to_endpoint = [] {
    return PacketBuilder().ethernet().ipv4("10.0.0.1", "169.254.169.254");
  };
  Rig rig;
  ListSource source;
  source.add(given(to_endpoint().udp(5000, 80).payload("x").build()));
  source.add(given(to_endpoint().udp(5000, 80).payload("y").build()));
  source.add(given(to_endpoint().icmp(8, 0).build()));
  EXPECT_EQ(rig.run(source).events(), (Events{"connection", "connection"}));
}

}  // namespace
}  // namespace imds::pipeline
