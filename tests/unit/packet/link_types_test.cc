// Link layers that only captures have: each leads to the same packet, however it is cut.
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "decoded.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

constexpr std::string_view kRequest = "GET /latest/meta-data/ HTTP/1.1\r\n\r\n";

Bytes ip_packet() {
  return PacketBuilder()
      .ipv4("10.0.0.1", "169.254.169.254")
      .tcp(40000, 80)
      .payload(kRequest)
      .build();
}
Bytes ip6_packet() {
  return PacketBuilder().ipv6("fd00::1", "fd00:ec2::254").tcp(40000, 80).payload(kRequest).build();
}
Bytes ethernet_frame() {
  return PacketBuilder()
      .ethernet()
      .ipv4("10.0.0.1", "169.254.169.254")
      .tcp(40000, 80)
      .payload(kRequest)
      .build();
}

struct Case {
  std::string name;
  LinkType link;
  Bytes header;
  Bytes packet = ip_packet();
};

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes zeros(std::size_t count) {
  return Bytes(count, 0);
}

const Bytes kSnapIpv4 = {0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00};

// Data from a station to the access point: BSSID, station, destination.
Bytes wlan(Bytes after, std::uint8_t type = 0x08, std::uint8_t flags = 0x01) {
  return Bytes{type, flags, 0, 0} + Bytes{2, 0, 0, 0, 0, 9} + Bytes{2, 0, 0, 0, 0, 1} +
         Bytes{2, 0, 0, 0, 0, 2} + zeros(2) + std::move(after);
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      {"null, little endian", LinkType::null, {2, 0, 0, 0}},
      {"null, big endian", LinkType::null, {0, 0, 0, 2}},
      {"null, EtherType", LinkType::null, {0x00, 0x08, 0, 0}},
      {"loop", LinkType::loop, {0, 0, 0, 2}},
      {"enc", LinkType::enc, Bytes{2, 0, 0, 0} + zeros(8)},
      {"pflog", LinkType::pflog, Bytes{61, 2} + zeros(62)},
      {"ipnet", LinkType::ipnet, zeros(24)},
      {"ppp", LinkType::ppp, {0xff, 0x03, 0x00, 0x21}},
      {"ppp, compressed", LinkType::ppp, {0x21}},
      {"ppp, no address", LinkType::ppp, {0x00, 0x21}},
      {"ppp in hdlc", LinkType::ppp_hdlc, {0xff, 0x03, 0x00, 0x21}},
      {"ppp, pppd", LinkType::ppp_pppd, {0x01, 0x03, 0x00, 0x21}},
      {"ppp, direction", LinkType::ppp_with_direction, {0x01, 0xff, 0x03, 0x00, 0x21}},
      {"cisco hdlc", LinkType::cisco_hdlc, {0x0f, 0x00, 0x08, 0x00}},
      {"cisco hdlc, direction", LinkType::cisco_hdlc_with_direction, {1, 0x8f, 0, 0x08, 0x00}},
      {"frame relay", LinkType::frame_relay, {0x18, 0x41, 0x03, 0xcc}},
      {"frame relay, padded", LinkType::frame_relay, {0x18, 0x41, 0x03, 0x00, 0xcc}},
      {"frame relay, long address", LinkType::frame_relay, {0x18, 0x40, 0x40, 0x41, 0x03, 0xcc}},
      {"frame relay, cisco", LinkType::frame_relay, {0x18, 0x41, 0x08, 0x00}},
      {"frame relay, snap",
       LinkType::frame_relay,
       {0x18, 0x41, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0x00}},
      {"frame relay, direction", LinkType::frame_relay_with_direction, {0, 0x18, 0x41, 0x03, 0xcc}},
      {"atm", LinkType::atm_rfc1483, kSnapIpv4},
      {"atm, nlpid", LinkType::atm_rfc1483, {0xfe, 0xfe, 0x03, 0xcc}},
      {"atm, ppp", LinkType::atm_rfc1483, {0xfe, 0xfe, 0x03, 0xcf, 0x00, 0x21}},
      {"atm, clip", LinkType::atm_clip, kSnapIpv4},
      {"atm, clip without llc", LinkType::atm_clip, {}},
      {"sun atm", LinkType::sun_atm, Bytes{0x02, 0, 0, 33} + kSnapIpv4},
      {"token ring", LinkType::token_ring, Bytes{0x10, 0x40} + zeros(12) + kSnapIpv4},
      {"token ring, routed", LinkType::token_ring,
       Bytes{0x10, 0x40} + zeros(6) + Bytes{0x80, 0, 0, 0, 0, 1} + Bytes{0x06, 0, 0, 0, 0, 0} +
           kSnapIpv4},
      {"fddi", LinkType::fddi, Bytes{0x54} + zeros(12) + kSnapIpv4},
      {"ip over fc", LinkType::ip_over_fc, zeros(16) + kSnapIpv4},
      {"ip over 1394", LinkType::ip_over_ieee1394, zeros(16) + Bytes{0x08, 0x00}},
      {"wlan", LinkType::ieee802_11, wlan(kSnapIpv4)},
      {"wlan, qos", LinkType::ieee802_11, wlan(zeros(2) + kSnapIpv4, 0x88)},
      {"wlan, qos and ht control", LinkType::ieee802_11, wlan(zeros(6) + kSnapIpv4, 0x88, 0x81)},
      {"wlan, aggregate", LinkType::ieee802_11, wlan(Bytes{0x80, 0} + zeros(14) + kSnapIpv4, 0x88)},
      {"wlan, four addresses", LinkType::ieee802_11, wlan(zeros(6) + kSnapIpv4, 0x08, 0x03)},
      {"wlan, decrypted", LinkType::ieee802_11, wlan(kSnapIpv4, 0x08, 0x41)},
      {"wlan, llc without snap", LinkType::ieee802_11, wlan({0x06, 0x06, 0x03})},
      {"radiotap", LinkType::radiotap, Bytes{0, 0, 8, 0, 0, 0, 0, 0} + wlan(kSnapIpv4)},
      {"radiotap, padded", LinkType::radiotap,
       Bytes{0, 0, 17, 0, 0x03, 0, 0, 0} + zeros(8) + Bytes{0x20} +
           wlan(zeros(4) + kSnapIpv4, 0x88)},
      {"radiotap, more presence words", LinkType::radiotap,
       Bytes{0, 0, 13, 0, 0x02, 0, 0, 0x80, 0, 0, 0, 0, 0x20} + wlan(zeros(4) + kSnapIpv4, 0x88)},
      {"prism", LinkType::prism, Bytes{0x44, 0, 0, 0} + zeros(140) + wlan(kSnapIpv4)},
      {"prism with avs", LinkType::prism,
       Bytes{0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64} + zeros(56) + wlan(kSnapIpv4)},
      {"avs", LinkType::avs,
       Bytes{0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64} + zeros(56) + wlan(kSnapIpv4)},
      {"ppi", LinkType::ppi, Bytes{0, 0, 12, 0, 105, 0, 0, 0} + zeros(4) + wlan(kSnapIpv4)},
      {"pktap, raw", LinkType::pktap, Bytes{16, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0} + zeros(4)},
      {"nflog", LinkType::nflog, {2, 0, 0,  0, 8, 0, 1, 0, 0,  0, 0, 0,
                                  5, 0, 10, 0, 0, 0, 0, 0, 71, 0, 9, 0}},
      {"nflog, big endian", LinkType::nflog, {2, 0, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, 71, 0, 9}},
      {"erf, ip", LinkType::erf, zeros(8) + Bytes{22} + zeros(7)},
      {"erf, hdlc", LinkType::erf, zeros(8) + Bytes{1} + zeros(7) + Bytes{0x0f, 0, 0x08, 0x00}},
      {"juniper without link layer", LinkType::juniper_ether, {0x4d, 0x47, 0x43, 0x03, 2, 0, 0, 0}},
  };
  const auto ethernet = [&all](std::string name, LinkType link, Bytes header) {
    all.push_back({std::move(name), link, std::move(header), ethernet_frame()});
  };
  ethernet("frame relay, bridged", LinkType::frame_relay,
           {0x18, 0x41, 0x03, 0x00, 0x80, 0x00, 0x80, 0xc2, 0x00, 0x07});
  ethernet("atm, bridged", LinkType::atm_rfc1483,
           {0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0x00, 0x07, 0, 0});
  ethernet("pktap, ethernet", LinkType::pktap, {12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0});
  ethernet("erf, ethernet with an extension", LinkType::erf,
           zeros(8) + Bytes{0x82} + zeros(7) + zeros(8) + zeros(2));
  ethernet("docsis", LinkType::docsis, zeros(6));
  ethernet("docsis, extended", LinkType::docsis, Bytes{0x01, 3} + zeros(7));
  ethernet("juniper", LinkType::juniper_ether, {0x4d, 0x47, 0x43, 0x01});
  ethernet("juniper, extended", LinkType::juniper_ether,
           {0x4d, 0x47, 0x43, 0x81, 0x00, 0x02, 0xee, 0xee});
  ethernet("netanalyzer", LinkType::netanalyzer, zeros(4));
  ethernet("netanalyzer, transparent", LinkType::netanalyzer_transparent, zeros(12));
  ethernet("mpacket", LinkType::ethernet_mpacket, zeros(8));

  for (const std::uint8_t family : {10, 24, 28, 30}) {
    all.push_back({"null, IPv6 as " + std::to_string(family),
                   LinkType::null,
                   {family, 0, 0, 0},
                   ip6_packet()});
  }
  all.push_back({"ppp, IPv6", LinkType::ppp, {0xff, 0x03, 0x00, 0x57}, ip6_packet()});
  all.push_back({"frame relay, IPv6", LinkType::frame_relay, {0x18, 0x41, 3, 0x8e}, ip6_packet()});
  return all;
}

TEST(CaptureLinkTypes, LeadToThePacket) {
  for (const Case& c : cases()) {
    const Decoded d = decoded(c.header + c.packet, link(c.link));
    EXPECT_EQ(d.view.reason, DecodeReason::none) << c.name;
    EXPECT_EQ(d.view.anomaly, DecodeReason::none) << c.name;
    EXPECT_EQ(d.view.destination_port, 80) << c.name;
    EXPECT_EQ(d.payload(), kRequest) << c.name;
  }
}

TEST(CaptureLinkTypes, EveryCutIsTheCaptures) {
  for (const Case& c : cases()) {
    const Bytes whole = c.header + c.packet;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string what = c.name + " cut to " + std::to_string(size);
      FrameInfo info = cut_from(whole.size());
      info.link = c.link;
      const Decoded d =
          decoded(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), info);
      ASSERT_TRUE(d.view.truncated) << what;
      // A header too short to tell what it is may pass for another.
      ASSERT_FALSE(describe(d.view.reason).malformed)
          << what << ": " << describe(d.view.reason).name;
      if (d.view.reason == DecodeReason::none) {
        ASSERT_EQ(d.payload(), kRequest.substr(0, d.view.payload.size())) << what;
        ASSERT_EQ(d.view.payload_length, kRequest.size()) << what;
      }
    }
  }
}

TEST(CaptureLinkTypes, AHeaderThatEndsEarlyIsTheSenders) {
  for (const Case& c : cases()) {
    for (std::size_t size = 0; size < c.header.size(); ++size) {
      const Bytes cut(c.header.begin(), c.header.begin() + static_cast<long>(size));
      const Decoded d = decoded(cut, link(c.link));
      ASSERT_NE(d.view.reason, DecodeReason::none) << c.name << " cut to " << size;
      ASSERT_NE(d.view.reason, DecodeReason::capture_truncated) << c.name << " cut to " << size;
    }
  }
}

TEST(CaptureLinkTypes, DamagedHeadersStayInsideTheFrame) {
  std::mt19937 random(105);
  const std::vector<Case> all = cases();
  for (int round = 0; round < 40000; ++round) {
    const Case& c = all[random() % all.size()];
    Bytes frame = c.header + c.packet;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      const std::size_t reach = random() % 4 == 0 ? frame.size() : c.header.size() + 8;
      frame[random() % reach] = static_cast<std::uint8_t>(random());
    }
    frame.resize(random() % 2 == 0 ? frame.size() : random() % (frame.size() + 1));
    const Decoded d = decoded(frame, link(c.link));
    if (!d.view.payload.empty()) {
      ASSERT_GE(d.view.payload.data(), d.frame.get()) << c.name;
      ASSERT_LE(d.view.payload.data() + d.view.payload.size(), d.frame.get() + d.size) << c.name;
    }
  }
}

TEST(CaptureLinkTypes, StationsAreTheMacsOfAWlanFrame) {
  const Decoded d = decoded(wlan(kSnapIpv4) + ip_packet(), link(LinkType::ieee802_11));
  EXPECT_EQ(d.view.source_mac.to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(d.view.destination_mac.to_string(), "02:00:00:00:00:02");
}

TEST(CaptureLinkTypes, WhatCarriesNoReadableIpIsToldApart) {
  const struct {
    const char* name;
    LinkType link;
    Bytes frame;
    DecodeReason reason;
  } table[] = {
      {"encrypted", LinkType::ieee802_11, wlan(zeros(40), 0x08, 0x41),
       DecodeReason::wlan_protected},
      {"beacon", LinkType::ieee802_11, wlan(zeros(40), 0x80, 0),
       DecodeReason::ethertype_not_inspected},
      {"null data", LinkType::ieee802_11, wlan({}, 0x48), DecodeReason::ethertype_not_inspected},
      {"lcp",
       LinkType::ppp,
       {0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4},
       DecodeReason::ethertype_not_inspected},
      {"ppi of ppi",
       LinkType::ppi,
       {0, 0, 8, 0, 192, 0, 0, 0, 0, 0, 8, 0, 192, 0, 0, 0},
       DecodeReason::link_type_unsupported},
      {"nflog without payload",
       LinkType::nflog,
       {2, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0},
       DecodeReason::ethertype_not_inspected},
      {"nflog with a length of 0",
       LinkType::nflog,
       {2, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0},
       DecodeReason::ethertype_not_inspected},
  };
  for (const auto& c : table) {
    EXPECT_EQ(decoded(c.frame, link(c.link)).view.reason, c.reason) << c.name;
  }
}

}  // namespace
}  // namespace imds::packet
