// What is no tunnel stays what it is; what is one and broken says so.
#include <gtest/gtest.h>

#include "tunnel_samples.h"

namespace imds::packet {
namespace {

using namespace support;

Bytes dns_query(std::uint16_t id) {
  Bytes query;
  wire::append16(query, id);
  wire::append16(query, 0x0100);
  for (const unsigned count : {1u, 0u, 0u, 0u}) {
    wire::append16(query, count);
  }
  const Bytes question = {7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
  query.insert(query.end(), question.begin(), question.end());
  return query;
}

void expect_plain_udp(const Decoded& d, const Bytes& payload, const std::string& what) {
  EXPECT_EQ(d.view.reason, DecodeReason::none) << what;
  EXPECT_EQ(d.view.anomaly, DecodeReason::none) << what;
  EXPECT_EQ(d.view.tunnel.path.count, 0) << what;
  EXPECT_TRUE(d.view.is(IpProtocol::udp)) << what;
  EXPECT_EQ(d.payload(),
            std::string_view(reinterpret_cast<const char*>(payload.data()), payload.size()))
      << what;
}

constexpr unsigned kTunnelPorts[] = {4789, 8472, 4790, 6081, 3544, 2152, 1701, 6635};

TEST(PlainUdp, QueryFromTheTunnelsPort) {
  for (const unsigned port : kTunnelPorts) {
    for (unsigned id = 0; id < 0x10000; id += 0x101) {
      const Bytes query = dns_query(static_cast<std::uint16_t>(id));
      const Decoded d = decoded(outer_v4().udp(port, 53).bytes(query));
      expect_plain_udp(d, query, std::to_string(port) + " id " + std::to_string(id));
      EXPECT_EQ(d.view.source_port, port);
      EXPECT_EQ(d.view.destination_port, 53);
    }
  }
}

TEST(PlainUdp, TextAndShortPayloads) {
  for (const unsigned port : kTunnelPorts) {
    for (std::size_t size = 0; size <= kRequest.size(); ++size) {
      const Bytes text = to_bytes(kRequest.substr(0, size));
      expect_plain_udp(decoded(outer_udp(port).bytes(text)), text, std::to_string(port));
    }
  }
}

TEST(PlainUdp, TunnelOnAnotherPort) {
  const Decoded d = decoded(framed_request(outer_udp(4788).tunnel(vxlan(42))));
  EXPECT_EQ(d.view.tunnel.path.count, 0);
  EXPECT_EQ(d.view.destination_port, 4788);
}

Bytes inside(const PacketBuilder& packet) {
  const Bytes frame = packet.build();
  return {frame.begin() + 14 + 20 + 8, frame.end()};
}

TEST(PlainUdp, HeadersThatCannotBe) {
  GtpOptions echo;
  echo.message_type = 1;
  GtpOptions extension;
  extension.extensions = {Bytes{1, 2}};
  const Bytes request = to_bytes("request or not");
  const auto v4 = [] { return PacketBuilder().ethernet().ipv4("192.0.2.1", "192.0.2.2"); };
  const Bytes vxlan_without_vni = inside(framed_request(v4().udp(1, 2).tunnel(vxlan(42, 0))));
  Bytes gpe_version = inside(request_v4(v4().udp(1, 2).tunnel(vxlan_gpe(42))));
  gpe_version[0] |= 0x10;
  Bytes gpe_unknown = inside(request_v4(v4().udp(1, 2).tunnel(vxlan_gpe(42))));
  gpe_unknown[3] = 9;
  Bytes geneve_version = inside(framed_request(v4().udp(1, 2).tunnel(geneve(42))));
  geneve_version[0] |= 0x40;
  Bytes geneve_options = inside(v4().udp(1, 2).tunnel(geneve(42)).bytes(request));
  geneve_options[0] = 0x3f;
  Bytes geneve_protocol = inside(framed_request(v4().udp(1, 2).tunnel(geneve(42))));
  geneve_protocol[2] = 0x12;
  Bytes teredo_v4 = inside(request_v4(v4().udp(1, 2).tunnel(teredo())));
  Bytes teredo_length = inside(request_v6(v4().udp(1, 2).tunnel(teredo())));
  teredo_length[4] = 0x7f;
  const Bytes gtp_echo = inside(request_v4(v4().udp(1, 2).tunnel(gtp_u(1, echo))));
  Bytes gtp_version = inside(request_v4(v4().udp(1, 2).tunnel(gtp_u(1))));
  gtp_version[0] = 0x50;
  Bytes gtp_length = inside(v4().udp(1, 2).tunnel(gtp_u(1)).bytes(request));
  gtp_length[2] = 0x7f;
  Bytes gtp_extension = inside(request_v4(v4().udp(1, 2).tunnel(gtp_u(1, extension))));
  gtp_extension[12] = 0;
  Bytes l2tp_control = inside(request_v4(v4().udp(1, 2).tunnel(l2tp_v2(1, 2))));
  l2tp_control[0] |= 0xc8;
  Bytes l2tp_version = inside(request_v4(v4().udp(1, 2).tunnel(l2tp_v2(1, 2))));
  l2tp_version[1] = 4;
  Bytes l2tp_offset = inside(request_v4(v4().udp(1, 2).tunnel(l2tp_v2(1, 2, {false, false, 4}))));
  l2tp_offset[6] = 0x7f;
  const Bytes l2tp_v3_text = inside(v4().udp(1, 2).tunnel(l2tp_v3(7, {}, true)).bytes(request));
  const Bytes mpls_text = inside(v4().udp(1, 2).tunnel(mpls({5})).bytes(request));
  const Bytes mpls_endless(200, 0x44);
  const std::pair<unsigned, Bytes> cases[] = {
      {4789, vxlan_without_vni}, {4790, gpe_version},    {4790, gpe_unknown},
      {6081, geneve_version},    {6081, geneve_options}, {6081, geneve_protocol},
      {3544, teredo_v4},         {3544, teredo_length},  {2152, gtp_echo},
      {2152, gtp_version},       {2152, gtp_length},     {2152, gtp_extension},
      {1701, l2tp_control},      {1701, l2tp_version},   {1701, l2tp_offset},
      {1701, l2tp_v3_text},      {6635, mpls_text},      {6635, mpls_endless},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto& [port, payload] = cases[i];
    expect_plain_udp(decoded(outer_udp(port).bytes(payload)), payload,
                     "case " + std::to_string(i) + " on port " + std::to_string(port));
  }
}

// Receivers go by the UDP length, so a wrong inner one must not hide a request.
TEST(RedundantLengths, DoNotHideARequest) {
  L2tpOptions with_length;
  with_length.length = true;
  for (const std::uint16_t length : {0, 1, 60000}) {
    Bytes gtp = request_v4(outer_udp(2152).tunnel(gtp_u(1))).build();
    store_be16(&gtp[14 + 20 + 8 + 2], length);
    EXPECT_EQ(decoded(gtp).payload(), kRequest) << length;
    Bytes l2tp = request_v4(outer_udp(1701).tunnel(l2tp_v2(1, 2, with_length))).build();
    store_be16(&l2tp[14 + 20 + 8 + 2], length);
    EXPECT_EQ(decoded(l2tp).payload(), kRequest) << length;
  }
  Bytes pppoe_frame = request_v4(outer_frame().tunnel(pppoe(1))).build();
  store_be16(&pppoe_frame[14 + 4], 60000);
  EXPECT_EQ(decoded(pppoe_frame).payload(), kRequest);
}

TEST(Ports, FromOptionsAndOnEitherEnd) {
  TunnelPorts ports;
  ports.vxlan = {0, 0, 0, 5555};
  ports.geneve = {};
  DecodeOptions options;
  options.ports = ports;
  const auto path = [&](PacketBuilder b) { return path_of(decoded(b, {}, options).view); };
  EXPECT_EQ(path(framed_request(outer_udp(5555).tunnel(vxlan(1)))), "vxlan");
  EXPECT_EQ(path(framed_request(outer_v4().udp(5555, 9).tunnel(vxlan(1)))), "vxlan");
  EXPECT_EQ(path(framed_request(outer_udp(4789).tunnel(vxlan(1)))), "");
  EXPECT_EQ(path(framed_request(outer_udp(6081).tunnel(geneve(1)))), "");
  EXPECT_EQ(path(framed_request(outer_udp(0).tunnel(vxlan(1)))), "");
}

TEST(Ports, OnePortOfEachEnd) {
  // The destination's tunnel is tried first, then the source's.
  const auto path = [](PacketBuilder b) { return path_of(decoded(b).view); };
  EXPECT_EQ(path(framed_request(outer_v4().udp(2152, 4789).tunnel(vxlan(1)))), "vxlan");
  EXPECT_EQ(path(request_v4(outer_v4().udp(2152, 4789).tunnel(gtp_u(1)))), "gtp_u");
}

TEST(Ports, AllPlacesAndNone) {
  TunnelPorts none{{}, {}, {}, {}, {}, {}, {}};
  TunnelPorts full{{1, 2, 3, 4},     {5, 6, 7, 8},     {9, 10, 11, 12}, {13, 14, 15, 16},
                   {17, 18, 19, 20}, {21, 22, 23, 24}, {25, 26, 27, 28}};
  const TunnelPortTable empty(none);
  const TunnelPortTable all(full);
  EXPECT_FALSE(empty.names(0, 0));
  EXPECT_FALSE(all.names(0, 29));
  for (std::uint16_t port = 1; port <= 28; ++port) {
    EXPECT_FALSE(empty.names(port, port));
    EXPECT_TRUE(all.names(port, 40000)) << port;
    EXPECT_TRUE(all.names(40000, port)) << port;
    EXPECT_NE(all.kind_of(port), TunnelKind::none) << port;
  }
  EXPECT_EQ(all.kind_of(4), TunnelKind::vxlan);
  EXPECT_EQ(all.kind_of(28), TunnelKind::mpls);
  EXPECT_EQ(all.kind_of(29), TunnelKind::none);
}

struct Broken {
  const char* name;
  PacketBuilder packet;
  DecodeReason reason;
};

std::vector<Broken> broken_tunnels() {
  using R = DecodeReason;
  GreOptions cdp;
  cdp.protocol = 0x2000;
  GreOptions endless;
  for (int i = 0; i < 20; ++i) {
    wire::append32(endless.routes, 0x08000000);
  }
  const auto gre_bytes = [](Bytes header) { return outer_v4().next(47).bytes(std::move(header)); };
  const auto pppoe_bytes = [](Bytes b) { return outer_frame().next(0x8864).bytes(std::move(b)); };
  const auto nsh_bytes = [](Bytes b) { return outer_frame().next(0x894f).bytes(std::move(b)); };
  const std::vector<unsigned> labels(17, 5);
  Bytes erspan_with_version_7 = {0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x70, 0, 0, 0, 0, 0, 0, 0};
  return {
      {"gre ends", gre_bytes({0, 0, 8}), R::tunnel_truncated},
      {"gre key ends", gre_bytes({0x20, 0, 8, 0, 0, 0, 0}), R::tunnel_truncated},
      {"gre version", gre_bytes({0, 2, 8, 0, 0, 0, 0, 0}), R::tunnel_malformed},
      {"gre routes", outer_v4().tunnel(gre(endless)).bytes(Bytes(40, 0)), R::tunnel_malformed},
      {"gre route ends", gre_bytes({0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 200}), R::tunnel_truncated},
      {"gre cdp", outer_v4().tunnel(gre(cdp)).bytes(Bytes(20, 1)),
       R::tunnel_protocol_not_inspected},
      {"gre with broken ip", outer_v4().tunnel(gre()).ipv4("1.1.1.1", "2.2.2.2").ip_version(9),
       R::ipv4_version},
      {"gre with a short frame", gre_bytes({0, 0, 0x65, 0x58, 1, 2, 3}), R::ethernet_truncated},
      {"pptp acknowledgment", gre_bytes({0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1}),
       R::tunnel_protocol_not_inspected},
      {"erspan ends", gre_bytes({0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0}), R::tunnel_truncated},
      {"erspan version", gre_bytes(erspan_with_version_7), R::tunnel_malformed},
      {"etherip version", outer_v4().next(97).bytes(Bytes(40, 0x55)), R::tunnel_malformed},
      {"etherip ends", outer_v4().next(97).bytes({0x30}), R::tunnel_truncated},
      {"l2tpv3 control", outer_v4().next(115).bytes(Bytes(40, 0)),
       R::tunnel_protocol_not_inspected},
      {"l2tpv3 ends", outer_v4().next(115).bytes({0, 0, 1}), R::tunnel_truncated},
      {"mpls ends", outer_frame().next(0x8847).bytes({0, 0, 0x51}), R::tunnel_truncated},
      {"mpls without a bottom", outer_frame().next(0x8847).bytes({0, 0, 0x50, 64}),
       R::tunnel_truncated},
      {"mpls and nothing", outer_frame().tunnel(mpls({5})), R::tunnel_truncated},
      {"mpls too deep", request_v4(outer_frame().tunnel(mpls(labels))), R::mpls_too_deep},
      {"mpls channel", outer_frame().tunnel(mpls({13})).bytes(Bytes(40, 0x10)),
       R::tunnel_protocol_not_inspected},
      {"pppoe ends", pppoe_bytes({0x11, 0, 0, 1, 0}), R::tunnel_truncated},
      {"pppoe version", pppoe_bytes({0x21, 0, 0, 1, 0, 2, 0, 0x21}), R::tunnel_malformed},
      {"pppoe code", pppoe_bytes({0x11, 9, 0, 1, 0, 2, 0, 0x21}), R::tunnel_malformed},
      {"pppoe too short", pppoe_bytes({0x11, 0, 0, 1, 0, 1, 0, 0x21}), R::tunnel_truncated},
      {"pppoe link control", pppoe_bytes({0x11, 0, 0, 1, 0, 4, 0xc0, 0x21, 1, 1}),
       R::tunnel_protocol_not_inspected},
      {"pppoe discovery", outer_frame().next(0x8863).bytes(Bytes(20, 1)),
       R::ethertype_not_inspected},
      {"nsh ends", nsh_bytes({0x0f, 0xc2, 2, 1, 0, 0, 0}), R::tunnel_truncated},
      {"nsh context ends", nsh_bytes({0x0f, 0xc6, 1, 1, 0, 0, 0, 0}), R::tunnel_truncated},
      {"nsh version", nsh_bytes({0x4f, 0xc2, 2, 1, 0, 0, 0, 0}), R::tunnel_malformed},
      {"nsh length", nsh_bytes({0x0f, 0xc1, 2, 1, 0, 0, 0, 0}), R::tunnel_malformed},
      {"nsh type 1 length", nsh_bytes({0x0f, 0xc2, 1, 1, 0, 0, 0, 0}), R::tunnel_malformed},
      {"nsh experiment", nsh_bytes({0x0f, 0xc2, 2, 254, 0, 0, 0, 0}),
       R::tunnel_protocol_not_inspected},
      {"vxlan and nothing", outer_udp(4789).tunnel(vxlan(5)), R::ethernet_truncated},
      {"vxlan with broken ip",
       outer_udp(4789).tunnel(vxlan(5)).ethernet().ipv4("1.1.1.1", "2.2.2.2").ip_version(9),
       R::ipv4_version},
      {"geneve with a short frame", outer_udp(6081).tunnel(geneve(5)).next(0x6558).bytes({1, 2}),
       R::ethernet_truncated},
      {"gtp_u ppp", outer_udp(2152).tunnel(gtp_u(5)).bytes(Bytes(30, 0xff)),
       R::tunnel_protocol_not_inspected},
      {"l2tpv2 link control", outer_udp(1701).tunnel(l2tp_v2(5, 6)).bytes(Bytes(30, 1)),
       R::tunnel_protocol_not_inspected},
      {"ip in ip and nothing", outer_v4().next(4), R::ipv4_truncated},
  };
}

TEST(BrokenTunnels, SayWhy) {
  for (const Broken& broken : broken_tunnels()) {
    const Decoded d = decoded(broken.packet);
    EXPECT_EQ(d.view.reason, broken.reason) << broken.name;
    EXPECT_TRUE(d.view.payload.empty()) << broken.name;
  }
}

// A MAC that begins like IP, or like a control word.
TEST(Pseudowire, IsToldByWhatIsInside) {
  for (const std::string_view mac :
       {"45:00:00:28:00:01", "60:00:00:00:00:28", "00:00:00:00:00:01", "10:20:30:40:50:60"}) {
    for (const bool has_control_word : {false, true}) {
      PacketBuilder b = outer_frame().tunnel(mpls({100}));
      if (has_control_word) {
        b.tunnel(control_word(3));
      }
      const Decoded d = decoded(request_v4(b.ethernet(kInnerMac, mac).vlan(7)));
      EXPECT_EQ(path_of(d.view), "mpls/ethernet_pseudowire") << mac;
      EXPECT_EQ(d.view.destination_mac.to_string(), mac);
      EXPECT_EQ(d.payload(), kRequest) << mac;
    }
  }
}

}  // namespace
}  // namespace imds::packet
