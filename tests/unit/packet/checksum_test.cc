#include "packet/checksum.h"

#include <gtest/gtest.h>

#include "packet/decode.h"
#include "support/packet_builder.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

DecodeReason wrong(const Bytes& frame, std::uint32_t original = 0) {
  PacketView view;
  FrameInfo info;
  info.original_length = original;
  decode(frame, info, view);
  EXPECT_EQ(view.reason, DecodeReason::none);
  return wrong_checksum(view);
}

PacketBuilder packet(bool v6) {
  PacketBuilder b;
  b.ethernet();
  return v6 ? b.ip("fd00::1", "fd00:ec2::254") : b.ip("10.0.0.1", "169.254.169.254");
}

TEST(Checksum, RightOnesOfAnySize) {
  for (const bool v6 : {false, true}) {
    for (const char* payload : {"a", "ab", "GET / HTTP/1.1\r\n\r\n", "odd"}) {
      EXPECT_EQ(wrong(packet(v6).tcp(1, 2).payload(payload).build()), DecodeReason::none);
      EXPECT_EQ(wrong(packet(v6).udp(1, 2).payload(payload).build()), DecodeReason::none);
    }
    EXPECT_EQ(wrong(packet(v6).tcp(1, 2).build()), DecodeReason::none);
  }
}

TEST(Checksum, WrongOnes) {
  for (const bool v6 : {false, true}) {
    EXPECT_EQ(wrong(packet(v6).tcp(1, 2).bad_checksum().payload("x").build()),
              DecodeReason::tcp_checksum);
    EXPECT_EQ(wrong(packet(v6).udp(1, 2).bad_checksum().payload("x").build()),
              DecodeReason::udp_checksum);
  }
  EXPECT_EQ(wrong(packet(false).bad_checksum().tcp(1, 2).payload("x").build()),
            DecodeReason::ipv4_checksum);
}

TEST(Checksum, AnyFlippedBitOfTheSegmentIsNoticed) {
  const Bytes right = packet(false).udp(1, 2).payload("some payload").build();
  for (std::size_t at = 14 + 20 + 8; at < right.size(); ++at) {
    Bytes flipped = right;
    flipped[at] ^= 0x10;
    EXPECT_EQ(wrong(flipped), DecodeReason::udp_checksum) << at;
  }
}

TEST(Checksum, OfUdpMayBeLeftOutOverIpv4) {
  Bytes frame = packet(false).udp(1, 2).payload("x").build();
  frame[14 + 20 + 6] = frame[14 + 20 + 7] = 0;
  EXPECT_EQ(wrong(frame), DecodeReason::none);
}

TEST(Checksum, OfACutPacketCannotBeTold) {
  Bytes frame = packet(false).tcp(1, 2).bad_checksum().payload("some payload").build();
  const auto size = static_cast<std::uint32_t>(frame.size());
  frame.pop_back();
  EXPECT_EQ(wrong(frame, size), DecodeReason::none);
}

}  // namespace
}  // namespace imds::packet
