#include "exhibit/redaction.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "exhibit/lane.h"
#include "exhibit/message.h"
#include "packet/checksum.h"
#include "support/packet_builder.h"

namespace imds::exhibit {
namespace {

using support::Bytes;
using support::PacketBuilder;

constexpr std::string_view kSecret = "FAKE-SECRET-0123456789";
constexpr std::string_view kHead =
    "GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token: "
    "FAKE-SECRET-0123456789\r\n\r\n";
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{\"SecretAccessKey\":\"FAKE-SECRET-0123456789\"}";

bool holds(const Bytes& bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}

struct Done {
  Bytes bytes;
  Redacted redacted;
  packet::PacketView view;  // of what is left, valid as long as this stands where it is
};

// Redacts and decodes what is left; the frame keeps its length unless it is cut.
void redact_frame(Bytes frame, std::uint8_t flags, Done& done, std::uint16_t link = 1) {
  const std::size_t size = frame.size();
  done.bytes = std::move(frame);
  done.redacted = redact(done.bytes, link, static_cast<std::uint32_t>(size), flags, {});
  EXPECT_EQ(done.bytes.size(), size);
  EXPECT_LE(done.redacted.size, size);
  EXPECT_EQ(done.redacted.is_cut, done.redacted.size < size);
  done.bytes.resize(done.redacted.size);
  packet::FrameInfo info;
  info.link = static_cast<packet::LinkType>(link);
  info.original_length = static_cast<std::uint32_t>(size);
  packet::decode(done.bytes, info, done.view);
  EXPECT_EQ(packet::wrong_checksum(done.view), DecodeReason::none);
}

PacketBuilder tcp(bool v6 = false) {
  PacketBuilder builder;
  builder.ethernet();
  v6 ? builder.ipv6("fd00::1", "fd00:ec2::254") : builder.ipv4("10.0.0.1", "169.254.169.254");
  return builder.tcp(40000, 80).seq(7).flags(support::kAck);
}

TEST(Redaction, KeepsTheHeadAndOverwritesTheToken) {
  for (const bool v6 : {false, true}) {
    Done done;
    redact_frame(tcp(v6).payload(kHead).build(), kMayBeginMessage, done);
    EXPECT_FALSE(holds(done.bytes, kSecret));
    EXPECT_TRUE(holds(done.bytes, "GET /latest/meta-data/ HTTP/1.1"));
    EXPECT_FALSE(done.redacted.is_cut);
    EXPECT_EQ(done.redacted.overwritten, kSecret.size());
    EXPECT_EQ(done.view.payload.size(), kHead.size());
  }
}

TEST(Redaction, OverwritesBodiesWhole) {
  Done done;
  redact_frame(tcp().payload(kAnswer).build(), kMayBeginMessage, done);
  EXPECT_TRUE(holds(done.bytes, "HTTP/1.1 200 OK"));
  EXPECT_FALSE(holds(done.bytes, "SecretAccessKey"));
  EXPECT_FALSE(holds(done.bytes, kSecret));
}

// Wherever a message is split, no part shows the secret, nor a part of it that could be joined.
TEST(Redaction, ASplitSecretShowsInNoSegment) {
  for (const std::string_view whole : {kHead, kAnswer}) {
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
      Done first;
      Done second;
      redact_frame(tcp().payload(whole.substr(0, cut)).build(), kMayBeginMessage, first);
      redact_frame(tcp().payload(whole.substr(cut)).build(), 0, second);
      std::string joined(first.view.payload.begin(), first.view.payload.end());
      joined.append(second.view.payload.begin(), second.view.payload.end());
      ASSERT_EQ(joined.size(), whole.size());
      ASSERT_EQ(joined.find("FAKE"), std::string::npos) << cut;
      ASSERT_EQ(joined.find("0123"), std::string::npos) << cut;
    }
  }
}

// What is not known to begin a message is overwritten, also if it looks like one: a body may.
TEST(Redaction, OverwritesWhateverContinues) {
  for (const std::string_view text :
       {kHead, std::string_view("5\r\nHost:\r\n"), std::string_view("\x1f\x8b\x08 gzip", 8)}) {
    Done done;
    redact_frame(tcp().payload(text).build(), 0, done);
    EXPECT_TRUE(std::all_of(done.view.payload.begin(), done.view.payload.end(),
                            [](std::uint8_t byte) { return byte == kOverwritten; }));
    EXPECT_EQ(done.view.payload.size(), text.size());
  }
}

TEST(Redaction, LeavesAWrongChecksumWrong) {
  Bytes frame = tcp().payload(kAnswer).build();
  frame[14 + 20 + 16] ^= 0x5a;
  (void)redact(frame, 1, static_cast<std::uint32_t>(frame.size()), kMayBeginMessage, {});
  packet::PacketView view;
  packet::decode(frame, {}, view);
  EXPECT_EQ(packet::wrong_checksum(view), DecodeReason::tcp_checksum);
}

TEST(Redaction, ReadsThroughTagsAndExtensionHeaders) {
  Done done;
  redact_frame(PacketBuilder()
                   .ethernet()
                   .vlan(100, 0x88a8)
                   .vlan(200)
                   .ipv6("fd00::1", "fd00:ec2::254")
                   .ipv6_extension(60)
                   .tcp(40000, 80)
                   .payload(kHead)
                   .build(),
               kMayBeginMessage, done);
  EXPECT_FALSE(holds(done.bytes, kSecret));
  EXPECT_TRUE(holds(done.bytes, "Host: 169.254.169.254"));
}

// The inner checksum is put right, and the outer one covers the same sum as before.
TEST(Redaction, ReadsThroughTunnelsAndKeepsBothChecksums) {
  Bytes frame = PacketBuilder()
                    .ethernet()
                    .ipv4("10.0.0.1", "10.0.0.2")
                    .udp(50000, 4789)
                    .tunnel(support::vxlan(42))
                    .ethernet()
                    .ipv4("10.1.0.1", "169.254.169.254")
                    .tcp(40000, 80)
                    .payload(kHead)
                    .build();
  Done done;
  redact_frame(frame, kMayBeginMessage, done);
  EXPECT_FALSE(holds(done.bytes, kSecret));
  EXPECT_TRUE(done.view.tunnel.is_set());
  packet::DecodeOptions outer;
  outer.ports = packet::TunnelPorts{{0, 0}, {0}, {0}, {0}, {0}, {0}, {0}};
  packet::PacketView view;
  packet::decode(done.bytes, {}, outer, view);
  ASSERT_EQ(view.destination_port, 4789);
  EXPECT_EQ(packet::wrong_checksum(view), DecodeReason::none);
}

TEST(Redaction, CutsFragments) {
  Done done;
  redact_frame(PacketBuilder()
                   .ethernet()
                   .ipv4("10.0.0.1", "169.254.169.254")
                   .ipv4_fragment(0, true)
                   .tcp(40000, 80)
                   .payload(kHead)
                   .build(),
               kMayBeginMessage, done);
  EXPECT_TRUE(done.redacted.is_cut);
  EXPECT_EQ(done.bytes.size(), 14u + 20 + 8);
  redact_frame(PacketBuilder()
                   .ethernet()
                   .ipv4("10.0.0.1", "169.254.169.254")
                   .ipv4_fragment(64, false)
                   .payload(kSecret)
                   .build(),
               kMayBeginMessage, done);
  EXPECT_FALSE(holds(done.bytes, "FAKE"));
}

TEST(Redaction, CutsWhatItCannotRead) {
  Done done;
  redact_frame(PacketBuilder()
                   .ethernet()
                   .ipv4("10.0.0.1", "169.254.169.254")
                   .next(132)
                   .payload(kSecret)
                   .build(),
               0, done);
  EXPECT_EQ(done.bytes.size(), 34u);
  redact_frame(PacketBuilder().ethernet().next(0x1234).payload(kSecret).build(), 0, done);
  EXPECT_EQ(done.bytes.size(), 14u);
}

TEST(Redaction, KeepsClaimsAndOverwritesOtherDatagrams) {
  const Bytes dns = PacketBuilder()
                        .ethernet()
                        .ipv4("10.0.0.53", "10.0.0.1")
                        .udp(53, 40000)
                        .payload("a DNS answer")
                        .build();
  Done done;
  redact_frame(dns, kIsClaim | kMayBeginMessage, done);
  EXPECT_EQ(done.bytes, dns);
  redact_frame(dns, kMayBeginMessage, done);
  EXPECT_FALSE(holds(done.bytes, "DNS"));
  redact_frame(PacketBuilder()
                   .ethernet()
                   .ipv4("10.0.0.53", "10.0.0.1")
                   .udp(9999, 40000)
                   .payload(kSecret)
                   .build(),
               kIsClaim, done);
  EXPECT_FALSE(holds(done.bytes, "FAKE"));
}

TEST(Redaction, KeepsArpAndClearsPadding) {
  const Bytes arp =
      PacketBuilder()
          .ethernet()
          .arp(2, "02:00:00:00:00:01", "169.254.169.254", "02:00:00:00:00:02", "10.0.0.1")
          .pad_to(60)
          .build();
  Done done;
  redact_frame(arp, kIsClaim, done);
  EXPECT_EQ(done.bytes, arp);
  Bytes leaking = arp;
  std::copy(kSecret.begin(), kSecret.begin() + 10, leaking.begin() + 44);
  redact_frame(leaking, kIsClaim, done);
  EXPECT_EQ(done.bytes, arp);
}

TEST(Redaction, OverwritesWhatIcmpQuotes) {
  const Bytes quoted =
      PacketBuilder().ipv4("10.0.0.1", "169.254.169.254").tcp(40000, 80).payload(kHead).build();
  Done done;
  redact_frame(PacketBuilder()
                   .ethernet()
                   .ipv4("169.254.169.254", "10.0.0.1")
                   .icmp(3, 3)
                   .bytes(quoted)
                   .build(),
               0, done);
  EXPECT_FALSE(holds(done.bytes, "GET"));
  EXPECT_EQ(done.bytes.size(), 14u + 20 + 8 + quoted.size());
  // Addresses and ports of the quoted packet stay.
  EXPECT_TRUE(std::equal(quoted.begin(), quoted.begin() + 28, done.bytes.begin() + 42));
}

TEST(Redaction, CutsADatagramInATunnelThatHasNoChecksum) {
  Bytes frame = PacketBuilder()
                    .ethernet()
                    .ipv4("10.0.0.1", "10.0.0.2")
                    .udp(50000, 4789)
                    .tunnel(support::vxlan(42))
                    .ethernet()
                    .ipv4("10.1.0.1", "169.254.169.254")
                    .udp(40000, 80)
                    .payload(kSecret)
                    .build();
  const std::size_t checksum = frame.size() - kSecret.size() - 2;
  frame[checksum] = frame[checksum + 1] = 0;
  Done done;
  redact_frame(frame, 0, done);
  EXPECT_TRUE(done.redacted.is_cut);
  EXPECT_FALSE(holds(done.bytes, "FAKE"));
}

TEST(Redaction, SurvivesEveryTruncation) {
  const Bytes whole = tcp().payload(kHead).build();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    Bytes frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const Redacted redacted =
        redact(frame, 1, static_cast<std::uint32_t>(whole.size()), kMayBeginMessage, {});
    ASSERT_LE(redacted.size, size);
    frame.resize(redacted.size);
    ASSERT_FALSE(holds(frame, "FAKE")) << size;
  }
}

}  // namespace
}  // namespace imds::exhibit
