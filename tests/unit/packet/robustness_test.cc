// Cut, damaged and random frames: never a read beyond the frame (the sanitizer watches), always a
// sensible reason, never a view that leaves the frame.
#include <random>

#include <gtest/gtest.h>

#include "tunnel_samples.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::kClientMac;
using support::PacketBuilder;

struct Sample {
  std::string name;
  Bytes frame;
  LinkType link = LinkType::ethernet;
  std::size_t end = 0;  // of the IP or ARP packet; the rest is padding
};

Sample sample(const std::string& name, const PacketBuilder& builder,
              LinkType link = LinkType::ethernet) {
  const Bytes frame = builder.build();
  return {name, frame, link, frame.size()};
}

std::vector<Sample> samples() {
  const Bytes syn_options = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
  std::vector<Sample> all;
  const auto v4 = [] { return PacketBuilder().ethernet().ipv4("10.0.0.1", "169.254.169.254"); };
  const auto v6 = [] { return PacketBuilder().ethernet().ipv6("fd00::1", "fd00:ec2::254"); };
  all.push_back(sample("tcp4", v4().tcp(1, 80).payload("GET / HTTP/1.1\r\n\r\n")));
  all.push_back(
      sample("tcp4 options",
             v4().ipv4_options(Bytes(12, 1)).tcp(1, 80).tcp_options(syn_options).payload("data")));
  all.push_back(sample("udp4", v4().udp(1, 53).payload("query")));
  all.push_back(sample("icmp4", v4().icmp(8, 0, 7).payload("ping")));
  all.push_back(sample("tcp6", v6().tcp(1, 80).tcp_options(syn_options).payload("GET /")));
  all.push_back(sample("tcp6 extensions", v6().ipv6_extension(0, Bytes(6, 0))
                                              .ipv6_extension(43, Bytes(22, 0))
                                              .ipv6_extension(51, Bytes(22, 0))
                                              .ipv6_fragment(0, false)
                                              .ipv6_extension(60, Bytes(6, 0))
                                              .tcp(1, 80)
                                              .payload("GET /")));
  all.push_back(sample("icmp6", v6().icmpv6(135, 0).payload("neighbour")));
  all.push_back(sample("vlans", PacketBuilder()
                                    .ethernet()
                                    .vlan(1, 0x88a8)
                                    .vlan(2, 0x9100)
                                    .vlan(3)
                                    .vlan(4)
                                    .ipv4("1.2.3.4", "5.6.7.8")
                                    .udp(1, 2)
                                    .payload("v")));
  all.push_back(sample("arp", PacketBuilder().ethernet().arp(2, kClientMac, "169.254.169.254",
                                                             kClientMac, "10.0.0.1")));
  all.push_back(sample(
      "snap",
      PacketBuilder().ethernet().snap().ipv4("1.2.3.4", "5.6.7.8").udp(1, 2).payload("snap")));
  all.push_back(sample("cooked",
                       PacketBuilder().cooked().ipv4("1.2.3.4", "5.6.7.8").tcp(1, 2).payload("c"),
                       LinkType::linux_sll));
  all.push_back(sample("cooked v2",
                       PacketBuilder().cooked_v2().ipv6("::1", "::2").tcp(1, 2).payload("c"),
                       LinkType::linux_sll2));
  all.push_back(sample("raw", PacketBuilder().ipv4("1.2.3.4", "5.6.7.8").tcp(1, 2).payload("r"),
                       LinkType::raw_ip));
  Sample padded = sample("padded", v4().udp(1, 2).payload("x"));
  padded.frame.resize(60);
  all.push_back(padded);
  for (const TunnelSample& s : tunnel_samples()) {
    all.push_back(sample(s.name, s.packet));
  }
  return all;
}

void expect_within(const Decoded& d, const std::string& what) {
  for (const ByteSpan part : {d.view.network, d.view.payload}) {
    if (!part.empty()) {
      ASSERT_GE(part.data(), d.frame.get()) << what;
      ASSERT_LE(part.data() + part.size(), d.frame.get() + d.size) << what;
    }
  }
  ASSERT_GE(d.view.payload_length, d.view.payload.size()) << what;
  ASSERT_TRUE(d.view.truncated || d.view.payload_length == d.view.payload.size()) << what;
  ASSERT_LT(static_cast<std::size_t>(d.view.reason), kDecodeReasonCount) << what;
  ASSERT_LE(d.view.vlan.count, kMaxVlanTags) << what;
  ASSERT_LE(d.view.tunnel.path.count, DecodeOptions{}.max_tunnels) << what;
}

TEST(Robustness, SamplesAreWholeToBeginWith) {
  for (const Sample& s : samples()) {
    const Decoded d = decoded(s.frame, link(s.link));
    EXPECT_EQ(d.view.reason, DecodeReason::none) << s.name;
    EXPECT_EQ(d.view.anomaly, DecodeReason::none) << s.name;
    EXPECT_FALSE(d.view.truncated) << s.name;
  }
}

// A capture that cut the packet is never blamed on the sender.
TEST(Robustness, EveryCutByACapture) {
  for (const Sample& s : samples()) {
    const Decoded whole = decoded(s.frame, link(s.link));
    for (std::size_t size = 0; size < s.frame.size(); ++size) {
      const std::string what = std::string(s.name) + " cut to " + std::to_string(size);
      FrameInfo info = cut_from(s.frame.size());
      info.link = s.link;
      const Decoded d =
          decoded(Bytes(s.frame.begin(), s.frame.begin() + static_cast<long>(size)), info);
      expect_within(d, what);
      ASSERT_TRUE(d.view.reason == DecodeReason::none ||
                  d.view.reason == DecodeReason::capture_truncated ||
                  // Too short to tell that the frame is SNAP.
                  d.view.reason == DecodeReason::ethertype_not_inspected)
          << what << ": " << describe(d.view.reason).name;
      ASSERT_EQ(d.view.anomaly, DecodeReason::none) << what;
      ASSERT_EQ(d.view.truncated, size < s.end) << what;
      if (d.view.reason == DecodeReason::none && d.view.is_ip()) {
        ASSERT_EQ(d.view.payload_length, whole.view.payload_length) << what;
        ASSERT_EQ(d.payload(), whole.payload().substr(0, d.view.payload.size())) << what;
        ASSERT_EQ(d.view.destination_port, whole.view.destination_port) << what;
      }
    }
  }
}

// On a live port nobody says that a frame was cut; the IP length does, from where it can be read.
TEST(Robustness, EveryCutThatNobodyTold) {
  for (const Sample& s : samples()) {
    for (std::size_t size = 0; size < s.end; ++size) {
      const std::string what = std::string(s.name) + " cut to " + std::to_string(size);
      const Decoded d =
          decoded(Bytes(s.frame.begin(), s.frame.begin() + static_cast<long>(size)), link(s.link));
      expect_within(d, what);
      if (d.view.reason == DecodeReason::none) {
        ASSERT_TRUE(d.view.anomaly == DecodeReason::ipv4_beyond_frame ||
                    d.view.anomaly == DecodeReason::ipv6_beyond_frame)
            << what;
        ASSERT_TRUE(d.view.truncated) << what;
      }
    }
  }
}

TEST(Robustness, DamagedFrames) {
  std::mt19937 random(20251008);
  const std::vector<Sample> all = samples();
  for (int round = 0; round < 20000; ++round) {
    const Sample& s = all[random() % all.size()];
    Bytes frame = s.frame;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    }
    frame.resize(random() % (frame.size() + 1));
    FrameInfo info = link(s.link);
    info.original_length = random() % 2 == 0 ? 0 : static_cast<std::uint32_t>(random() % 2000);
    info.stripped_vlan = random() % 4 == 0 ? static_cast<int>(random() % 4096) : -1;
    expect_within(decoded(frame, info), std::string(s.name) + " round " + std::to_string(round));
  }
}

TEST(Robustness, RandomFrames) {
  std::mt19937 random(254);
  constexpr LinkType kLinks[] = {LinkType::ethernet, LinkType::linux_sll, LinkType::linux_sll2,
                                 LinkType::raw_ip};
  constexpr std::uint16_t kTypes[] = {0x0800, 0x86dd, 0x0806, 0x8100,
                                      0x88a8, 0x8847, 0x8864, 0x894f};
  for (int round = 0; round < 20000; ++round) {
    Bytes frame(random() % 128);
    for (std::uint8_t& byte : frame) {
      byte = static_cast<std::uint8_t>(random());
    }
    if (frame.size() > 14) {  // so that the layers above the link are reached
      store_be16(&frame[12], kTypes[random() % std::size(kTypes)]);
    }
    expect_within(decoded(frame, link(kLinks[random() % std::size(kLinks)])),
                  "round " + std::to_string(round));
  }
}

}  // namespace
}  // namespace imds::packet
