// One packet per encapsulation and form of it, all around the same request.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decoded.h"

namespace imds::packet {

inline constexpr std::string_view kRequest = "GET / HTTP/1.1\r\n\r\n";
inline constexpr std::string_view kInnerMac = "02:00:00:00:0a:01";
inline constexpr std::string_view kInnerServerMac = "02:00:00:00:0a:02";

struct TunnelSample {
  std::string name;
  support::PacketBuilder packet;
  std::string path;  // "gre/vxlan"
  std::optional<std::uint32_t> id = {};
  std::uint32_t vni = 0;
  bool has_inner_frame = false;
  bool has_outer_ip = true;
};

inline std::string path_of(const PacketView& view) {
  std::string path;
  for (std::size_t i = 0; i < view.tunnel.path.count; ++i) {
    path += (i == 0 ? "" : "/") + std::string(name(view.tunnel.path.kinds[i]));
  }
  return path;
}

inline support::PacketBuilder outer_frame() {
  return support::PacketBuilder().ethernet();
}
inline support::PacketBuilder outer_v4() {
  return outer_frame().ipv4("192.0.2.1", "192.0.2.2");
}
inline support::PacketBuilder outer_v6() {
  return outer_frame().ipv6("2001:db8::1", "2001:db8::2");
}
inline support::PacketBuilder outer_udp(unsigned port) {
  return outer_v4().udp(50000, port);
}
inline support::PacketBuilder request_v4(support::PacketBuilder b) {
  return b.ipv4("10.1.0.1", "169.254.169.254").tcp(40000, 80).payload(kRequest);
}
inline support::PacketBuilder request_v6(support::PacketBuilder b) {
  return b.ipv6("fd00::1", "fd00:ec2::254").tcp(40000, 80).payload(kRequest);
}
inline support::PacketBuilder framed_request(support::PacketBuilder b) {
  return request_v4(b.ethernet(kInnerMac, kInnerServerMac));
}

inline std::vector<TunnelSample> link_tunnel_samples() {
  using namespace support;
  const auto frame = [] { return outer_frame(); };
  return {
      {"mpls", request_v4(frame().tunnel(mpls({100, 200}))), "mpls", 200, 0, false, false},
      {"mpls ipv6", request_v6(frame().tunnel(mpls({16}))), "mpls", 16, 0, false, false},
      {"mpls explicit null", request_v4(frame().tunnel(mpls({100, 0}))), "mpls", 0, 0, false,
       false},
      {"mpls multicast", request_v4(frame().next(0x8848).tunnel(mpls({100}))), "mpls", 100, 0,
       false, false},
      {"mpls 16 labels", request_v4(frame().tunnel(mpls(std::vector<unsigned>(16, 77)))), "mpls",
       77, 0, false, false},
      {"pseudowire", framed_request(frame().tunnel(mpls({100}))), "mpls/ethernet_pseudowire", 100,
       0, true, false},
      {"pseudowire with control word",
       framed_request(frame().tunnel(mpls({100})).tunnel(control_word(9))),
       "mpls/ethernet_pseudowire", 100, 0, true, false},
      {"pppoe", request_v4(frame().tunnel(pppoe(0x1234))), "pppoe", 0x1234, 0, false, false},
      {"pppoe compressed", request_v6(frame().tunnel(pppoe(7, PppForm::compressed_protocol))),
       "pppoe", 7, 0, false, false},
      {"pppoe mpls", request_v4(frame().tunnel(pppoe(7)).tunnel(mpls({100}))), "pppoe/mpls", 100, 0,
       false, false},
      {"nsh", request_v4(frame().tunnel(nsh(5))), "nsh", {}, 0, false, false},
      {"nsh ipv6 type 2", request_v6(frame().tunnel(nsh(5, Bytes{}))), "nsh", {}, 0, false, false},
      {"nsh ethernet",
       framed_request(frame().tunnel(nsh(5, Bytes(8, 1)))),
       "nsh",
       {},
       0,
       true,
       false},
      {"nsh nsh",
       request_v4(frame().tunnel(nsh(5)).tunnel(nsh(6))),
       "nsh/nsh",
       {},
       0,
       false,
       false},
      {"nsh mpls", request_v4(frame().tunnel(nsh(5)).tunnel(mpls({9}))), "nsh/mpls", 9, 0, false,
       false},
  };
}

inline std::vector<TunnelSample> ip_tunnel_samples() {
  using namespace support;
  GreOptions all_options;
  all_options.key = 77;
  all_options.sequence = 5;
  all_options.checksum = true;
  GreOptions routed;
  routed.routes = {0x08, 0, 0, 4, 10, 0, 0, 9, 0, 0, 0, 0};
  GreOptions wccp;
  wccp.protocol = 0x883e;
  const Bytes redirect = {0, 1, 2, 3};
  const Bytes cookie(8, 0xc5);
  return {
      {"4in4", request_v4(outer_v4()), "ip_in_ip"},
      {"6in4", request_v6(outer_v4()), "ip_in_ip"},
      {"4in6", request_v4(outer_v6()), "ip_in_ip"},
      {"6in6", request_v6(outer_v6().ipv6_extension(60, Bytes(6, 0))), "ip_in_ip"},
      {"gre", request_v4(outer_v4().tunnel(gre())), "gre"},
      {"gre ipv6 over ipv6", request_v6(outer_v6().tunnel(gre())), "gre"},
      {"gre options", request_v4(outer_v4().tunnel(gre(all_options))), "gre", 77},
      {"gre routes", request_v4(outer_v4().tunnel(gre(routed))), "gre"},
      {"gre ethernet", framed_request(outer_v4().tunnel(gre())), "gre", {}, 0, true},
      {"gre mpls", request_v4(outer_v4().tunnel(gre()).tunnel(mpls({3000}))), "gre/mpls", 3000},
      {"gre nsh", request_v4(outer_v4().tunnel(gre()).tunnel(nsh(1))), "gre/nsh"},
      {"gre ppp", request_v4(outer_v4().tunnel(gre()).tunnel(ppp())), "gre"},
      {"wccp", request_v4(outer_v4().tunnel(gre(wccp))), "gre"},
      {"wccp redirect", request_v4(outer_v4().tunnel(gre(wccp)).tunnel(raw_header(redirect))),
       "gre"},
      {"pptp", request_v4(outer_v4().tunnel(pptp(11)).tunnel(ppp())), "gre", 11},
      {"pptp compressed",
       request_v4(outer_v4().tunnel(pptp(11, true)).tunnel(ppp(PppForm::compressed_protocol))),
       "gre", 11},
      {"nvgre", framed_request(outer_v4().tunnel(nvgre(5001))), "nvgre", 5001, 5001, true},
      {"erspan 1", framed_request(outer_v4().tunnel(erspan(1))), "erspan", {}, 0, true},
      {"erspan 2", framed_request(outer_v4().tunnel(erspan(2, 1023))), "erspan", 1023, 0, true},
      {"erspan 3", framed_request(outer_v6().tunnel(erspan(3, 5))), "erspan", 5, 0, true},
      {"erspan 3 subheader", framed_request(outer_v4().tunnel(erspan(3, 5, true))), "erspan", 5, 0,
       true},
      {"ether_ip", framed_request(outer_v4().tunnel(ether_ip())), "ether_ip", {}, 0, true},
      {"mpls in ip", request_v4(outer_v4().tunnel(mpls({500}))), "mpls", 500},
      {"l2tpv3", framed_request(outer_v4().tunnel(l2tp_v3(0xabcd0001))), "l2tp_v3", 0xabcd0001, 0,
       true},
      {"l2tpv3 cookie 4", framed_request(outer_v4().tunnel(l2tp_v3(1, Bytes(4, 0xc5)))), "l2tp_v3",
       1, 0, true},
      {"l2tpv3 cookie 8", framed_request(outer_v6().tunnel(l2tp_v3(1, cookie))), "l2tp_v3", 1, 0,
       true},
      {"l2tpv3 cookie and sublayer", framed_request(outer_v4().tunnel(l2tp_v3(1, Bytes(12, 0)))),
       "l2tp_v3", 1, 0, true},
      {"l2tpv3 ppp", request_v4(outer_v4().tunnel(l2tp_v3(1, cookie)).tunnel(ppp())), "l2tp_v3", 1},
      {"l2tpv3 hdlc",
       request_v4(outer_v4().tunnel(l2tp_v3(1, cookie)).tunnel(raw_header({0x0f, 0, 0x08, 0}))),
       "l2tp_v3", 1},
  };
}

inline std::vector<TunnelSample> udp_tunnel_samples() {
  using namespace support;
  constexpr unsigned kGroupPolicy = 0x88480123;
  L2tpOptions l2tp_all;
  l2tp_all.length = true;
  l2tp_all.sequence = true;
  l2tp_all.offset = 6;
  L2tpOptions l2tp_plain;
  l2tp_plain.form = PppForm::plain;
  GtpOptions gtp_all;
  gtp_all.sequence = true;
  gtp_all.extensions = {Bytes{1, 2}, Bytes{1, 2, 3, 4, 5, 6}};
  GtpOptions gtp_sequence;
  gtp_sequence.sequence = true;
  return {
      {"vxlan", framed_request(outer_udp(4789).tunnel(vxlan(42))), "vxlan", 42, 42, true},
      {"vxlan 8472", framed_request(outer_udp(8472).tunnel(vxlan(0xffffff))), "vxlan", 0xffffff,
       0xffffff, true},
      {"vxlan ipv6", framed_request(outer_v6().udp(1, 4789).tunnel(vxlan(42))), "vxlan", 42, 42,
       true},
      {"vxlan from its port", framed_request(outer_v4().udp(4789, 50000).tunnel(vxlan(42))),
       "vxlan", 42, 42, true},
      {"vxlan group policy", framed_request(outer_udp(4789).tunnel(vxlan(42, kGroupPolicy))),
       "vxlan", 42, 42, true},
      {"vxlan reserved bits", framed_request(outer_udp(4789).tunnel(vxlan(42, 0x7f123456))),
       "vxlan", 42, 42, true},
      {"gpe ipv4", request_v4(outer_udp(4790).tunnel(vxlan_gpe(43))), "vxlan_gpe", 43, 43},
      {"gpe ipv6", request_v6(outer_udp(4790).tunnel(vxlan_gpe(43))), "vxlan_gpe", 43, 43},
      {"gpe ethernet", framed_request(outer_udp(4790).tunnel(vxlan_gpe(43))), "vxlan_gpe", 43, 43,
       true},
      {"gpe nsh", request_v4(outer_udp(4790).tunnel(vxlan_gpe(43)).tunnel(nsh(5))), "vxlan_gpe/nsh",
       43, 43},
      {"gpe mpls", request_v4(outer_udp(4790).tunnel(vxlan_gpe(43)).tunnel(mpls({8}))),
       "vxlan_gpe/mpls", 8, 43},
      {"gpe on the port of vxlan", request_v4(outer_udp(4789).tunnel(vxlan_gpe(43))), "vxlan_gpe",
       43, 43},
      {"geneve", framed_request(outer_udp(6081).tunnel(geneve(44))), "geneve", 44, 44, true},
      {"geneve options", request_v4(outer_udp(6081).tunnel(geneve(44, Bytes(252, 1)))), "geneve",
       44, 44},
      {"geneve ipv6", request_v6(outer_udp(6081).tunnel(geneve(44, Bytes(8, 1)))), "geneve", 44,
       44},
      {"teredo", request_v6(outer_udp(3544).tunnel(teredo())), "teredo"},
      {"teredo indications", request_v6(outer_udp(3544).tunnel(teredo(true, true))), "teredo"},
      {"teredo origin", request_v6(outer_v4().udp(3544, 1).tunnel(teredo(false, true))), "teredo"},
      {"gtp_u", request_v4(outer_udp(2152).tunnel(gtp_u(0xdeadbeef))), "gtp_u", 0xdeadbeef},
      {"gtp_u ipv6", request_v6(outer_udp(2152).tunnel(gtp_u(1, gtp_sequence))), "gtp_u", 1},
      {"gtp_u extensions", request_v4(outer_udp(2152).tunnel(gtp_u(1, gtp_all))), "gtp_u", 1},
      {"gtp_u ethernet", framed_request(outer_udp(2152).tunnel(gtp_u(1))), "gtp_u", 1, 0, true},
      {"l2tpv2", request_v4(outer_udp(1701).tunnel(l2tp_v2(3, 9))), "l2tp_v2", 9},
      {"l2tpv2 without address", request_v4(outer_udp(1701).tunnel(l2tp_v2(3, 9, l2tp_plain))),
       "l2tp_v2", 9},
      {"l2tpv2 options", request_v6(outer_udp(1701).tunnel(l2tp_v2(3, 9, l2tp_all))), "l2tp_v2", 9},
      {"l2tpv3 udp", framed_request(outer_udp(1701).tunnel(l2tp_v3(9, Bytes(4, 0xc5), true))),
       "l2tp_v3", 9, 0, true},
      {"mpls udp", request_v4(outer_udp(6635).tunnel(mpls({600, 601}))), "mpls", 601},
      {"pseudowire udp", framed_request(outer_udp(6635).tunnel(mpls({600})).tunnel(control_word())),
       "mpls/ethernet_pseudowire", 600, 0, true},
      {"gre in vxlan",
       request_v4(outer_udp(4789)
                      .tunnel(vxlan(42))
                      .ethernet(kInnerMac, kInnerServerMac)
                      .ipv4("172.16.0.1", "172.16.0.2")
                      .tunnel(gre())),
       "vxlan/gre", 42, 42, true},
  };
}

inline std::vector<TunnelSample> tunnel_samples() {
  std::vector<TunnelSample> all = link_tunnel_samples();
  for (auto* more : {&ip_tunnel_samples, &udp_tunnel_samples}) {
    for (TunnelSample& s : more()) {
      all.push_back(std::move(s));
    }
  }
  return all;
}

}  // namespace imds::packet
