"""Link layers and tunnels: the whole conversation travels in each of them, both ways."""

import struct

from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import EoMCW, MPLS
from scapy.contrib.nsh import NSH
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from scene import CLIENT_MAC, OUTER_MACS, SERVER_MAC
from technique import Technique

OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8:ffff::1", "2001:db8:ffff::2")}


# --- Pieces of which wrappings are made: (inner packet, towards the server?) -> outer packet ---


def outer_ip(version=4, **fields):
    def wrap(inner, forth):
        source, destination = OUTER[version] if forth else OUTER[version][::-1]
        return (IP if version == 4 else IPv6)(src=source, dst=destination, **fields) / inner

    return wrap


def outer_udp(port, **fields):
    def wrap(inner, forth):
        return UDP(sport=50000, dport=port, **fields) / inner

    return wrap


def header(make):
    """A header that is the same in both directions."""
    return lambda inner, forth: make() / inner


def frame(macs=(CLIENT_MAC, SERVER_MAC), **fields):
    def wrap(inner, forth):
        source, destination = macs if forth else macs[::-1]
        return Ether(src=source, dst=destination, **fields) / inner

    return wrap


outer_frame = frame(OUTER_MACS)


def stack(*layers):
    """layers from the outermost to the innermost, around the IP packet of the conversation."""

    def wrap(inner, forth):
        for layer in reversed(layers):
            inner = layer(inner, forth)
        return inner

    return wrap


def wrapped(*layers):
    """A technique's build function: the plain conversation, each packet wrapped."""
    wrap = stack(*layers)

    def build(scene):
        return [wrap(packet, scene.is_from_client(packet)) for packet in scene.conversation()]

    return build


def tunnelled(name, summary, layers, path=None, number=None, addresses=OUTER[4], **more):
    """A technique that is nothing but a wrapping, and how the alert tells of it."""
    fields = dict(more.pop("fields", {}))
    if path is not None:
        fields["imds.tunnel.path"] = path
        fields["imds.tunnel.depth"] = len(path.split("/"))
    if number is not None:
        fields["imds.tunnel.id"] = number
    if path is not None and addresses:
        fields["imds.tunnel.source.ip"], fields["imds.tunnel.destination.ip"] = addresses
    return Technique(name, summary, wrapped(*layers), fields=fields, **more)


def tag(number, **fields):
    return header(lambda: Dot1Q(vlan=number, **fields))


def label(number, last=False):
    return header(lambda: MPLS(label=number, s=int(last), ttl=64))


def gre(**fields):
    return header(lambda: GRE(**fields))


def raw(content):
    return header(lambda: Raw(content))


def vxlan(vni, **fields):
    return header(lambda: VXLAN(vni=vni, flags=0x08, **fields))


def vxlan_gpe(vni, next_protocol):
    return raw(struct.pack("!BHBI", 0x0C, 0, next_protocol, vni << 8))


def geneve(vni, **fields):
    return header(lambda: GENEVE(vni=vni, **fields))


def gtp(teid, **fields):
    return header(lambda: GTP_U_Header(teid=teid, gtp_type=255, **fields))


def l2tp3_udp(session, *rest):
    return raw(struct.pack("!HHI", 3, 0, session) + b"".join(rest))


def erspan(version, session, index=7):
    """The header of type II (version 1) or III (version 2) that follows GRE."""
    words = struct.pack("!HH", version << 12 | 100, session)
    if version == 1:
        return words + struct.pack("!I", index)
    return words + struct.pack("!IHH", 0x01020304, 0, 0)


IPV4 = outer_ip(4)
IPV6 = outer_ip(6)
INNER = frame()

VLANS = [
    tunnelled("vlan", "802.1Q tag", [frame(), tag(100)], fields={"network.vlan.id": 100}),
    tunnelled("vlan-priority", "802.1Q tag with id 0: only a priority",
              [frame(), tag(0, prio=5)]),
    tunnelled("qinq", "802.1ad tag around 802.1Q",
              [frame(), header(lambda: Dot1AD(vlan=100)), tag(200)],
              fields={"network.vlan.id": 100, "network.inner.vlan.id": 200}),
    tunnelled("qinq-8100", "802.1Q in 802.1Q", [frame(), tag(100), tag(200)],
              fields={"network.vlan.id": 100, "network.inner.vlan.id": 200}),
    tunnelled("qinq-9100", "QinQ with the old EtherType 0x9100",
              [frame(type=0x9100), tag(100), tag(200)],
              fields={"network.vlan.id": 100, "network.inner.vlan.id": 200}),
    tunnelled("vlan-3-tags", "three tags", [frame(), tag(100), tag(150), tag(200)],
              fields={"network.vlan.id": 100, "network.inner.vlan.id": 200}),
    tunnelled("vlan-4-tags", "four tags",
              [frame(), header(lambda: Dot1AD(vlan=100)), tag(150), tag(160), tag(200)],
              fields={"network.vlan.id": 100, "network.inner.vlan.id": 200}),
    tunnelled("vlan-5-tags", "five tags, one more than is followed",
              [frame(), tag(100), tag(150), tag(160), tag(170), tag(200)], alerts=(),
              counters={"decode_stopped_packets_total{reason=vlan_too_deep}": 8},
              limits="not found; counted"),
    tunnelled("llc-snap", "IP in 802.2 LLC/SNAP instead of an EtherType",
              [lambda inner, forth: Dot3(src=CLIENT_MAC, dst=SERVER_MAC) / inner,
               header(LLC), header(SNAP)]),
]

MPLS_PPP = [
    tunnelled("mpls", "one MPLS label", [outer_frame, label(1000, True)], "mpls", 1000, None),
    tunnelled("mpls-4-labels", "four MPLS labels",
              [outer_frame, label(1000), label(1001), label(1002), label(1003, True)],
              "mpls", 1003, None),
    tunnelled("mpls-17-labels", "17 MPLS labels, one more than is followed",
              [outer_frame] + [label(1000 + n) for n in range(16)] + [label(1016, True)],
              alerts=(), counters={"decode_stopped_packets_total{reason=mpls_too_deep}": 8},
              limits="not found; counted"),
    tunnelled("mpls-over-udp", "an MPLS label in UDP",
              [outer_frame, IPV4, outer_udp(6635), label(1000, True)], "mpls", 1000),
    tunnelled("mpls-ipv6", "IPv6 behind MPLS labels",
              [outer_frame, label(1000), label(1001, True)], "mpls", 1001, None, version=6),
    tunnelled("mpls-in-vlan", "an MPLS label behind a VLAN tag",
              [outer_frame, tag(100), label(1000, True)], "mpls", 1000, None,
              fields={"network.vlan.id": 100}),
    tunnelled("eompls", "Ethernet over MPLS without control word",
              [outer_frame, label(1000, True), INNER], "mpls/ethernet_pseudowire", 1000, None),
    tunnelled("eompls-control-word", "Ethernet over MPLS with control word",
              [outer_frame, label(1000, True), header(EoMCW), INNER],
              "mpls/ethernet_pseudowire", 1000, None),
    tunnelled("eompls-vlan", "a tagged frame over MPLS with control word",
              [outer_frame, label(16, True), header(EoMCW), INNER, tag(300)],
              "mpls/ethernet_pseudowire", 16, None),
    tunnelled("eompls-mac-like-ipv4",
              "Ethernet over MPLS whose first MAC address begins like an IPv4 header",
              [outer_frame, label(1000, True),
               frame(("46:65:00:00:00:0a", "46:65:00:00:00:fe"))],
              "mpls/ethernet_pseudowire", 1000, None),
    tunnelled("pppoe", "PPPoE session",
              [outer_frame, header(lambda: PPPoE(sessionid=7)), header(lambda: PPP(proto=0x21))],
              "pppoe", 7, None),
    tunnelled("pppoe-ipv6", "IPv6 in PPPoE",
              [outer_frame, header(lambda: PPPoE(sessionid=7)), header(lambda: PPP(proto=0x57))],
              "pppoe", 7, None, version=6),
    tunnelled("pppoe-vlan", "PPPoE behind a VLAN tag",
              [outer_frame, tag(100), header(lambda: PPPoE(sessionid=7)),
               header(lambda: PPP(proto=0x21))],
              "pppoe", 7, None, fields={"network.vlan.id": 100}),
]

GRES = [
    tunnelled("gre", "GRE", [outer_frame, IPV4, gre()], "gre"),
    tunnelled("gre-key", "GRE with key", [outer_frame, IPV4, gre(key_present=1, key=42)],
              "gre", 42),
    tunnelled("gre-sequence", "GRE with sequence number",
              [outer_frame, IPV4, gre(seqnum_present=1, sequence_number=9)], "gre"),
    tunnelled("gre-checksum", "GRE with checksum", [outer_frame, IPV4, gre(chksum_present=1)],
              "gre"),
    tunnelled("gre-everything", "GRE with checksum, key and sequence number",
              [outer_frame, IPV4,
               gre(chksum_present=1, key_present=1, key=43, seqnum_present=1, sequence_number=1)],
              "gre", 43),
    tunnelled("gre-ipv6", "IPv6 in GRE", [outer_frame, IPV4, gre(proto=0x86DD)], "gre", version=6),
    tunnelled("gre-over-ipv6", "GRE over IPv6", [outer_frame, outer_ip(6, nh=47), gre()], "gre",
              addresses=OUTER[6]),
    tunnelled("gre-ethernet", "Ethernet in GRE", [outer_frame, IPV4, gre(proto=0x6558), INNER],
              "gre"),
    tunnelled("gre-mpls", "MPLS in GRE",
              [outer_frame, IPV4, gre(proto=0x8847), label(77, True)], "gre/mpls", 77),
    tunnelled("nvgre", "NVGRE",
              [outer_frame, IPV4, gre(proto=0x6558, key_present=1, key=5001 << 8 | 3), INNER],
              "nvgre", 5001),
    tunnelled("erspan-1", "ERSPAN type I", [outer_frame, IPV4, gre(proto=0x88BE), INNER], "erspan"),
    tunnelled("erspan-2", "ERSPAN type II",
              [outer_frame, IPV4, gre(proto=0x88BE, seqnum_present=1, sequence_number=5),
               raw(erspan(1, 17)), INNER], "erspan", 17),
    tunnelled("erspan-3", "ERSPAN type III",
              [outer_frame, IPV4, gre(proto=0x22EB, seqnum_present=1, sequence_number=5),
               raw(erspan(2, 18)), INNER], "erspan", 18),
    tunnelled("erspan-3-platform", "ERSPAN type III with a platform-specific subheader",
              [outer_frame, IPV4, gre(proto=0x22EB, seqnum_present=1, sequence_number=5),
               raw(erspan(2, 19)[:-1] + b"\x01" + bytes(8)), INNER], "erspan", 19),
]

OVERLAYS = [
    tunnelled("vxlan", "VXLAN", [outer_frame, IPV4, outer_udp(4789), vxlan(5000), INNER],
              "vxlan", 5000),
    tunnelled("vxlan-port-8472", "VXLAN on the port Linux used first",
              [outer_frame, IPV4, outer_udp(8472), vxlan(5000), INNER], "vxlan", 5000),
    tunnelled("vxlan-configured-port", "VXLAN on a port of the configuration",
              [outer_frame, IPV4, outer_udp(14789), vxlan(5000), INNER], "vxlan", 5000,
              config={"tunnels": {"ports": {"vxlan": [4789, 14789]}}}),
    tunnelled("vxlan-vlan", "a tagged frame in VXLAN",
              [outer_frame, IPV4, outer_udp(4789), vxlan(5000), INNER, tag(300)], "vxlan", 5000),
    tunnelled("vxlan-over-ipv6", "VXLAN over IPv6",
              [outer_frame, IPV6, outer_udp(4789), vxlan(5000), INNER], "vxlan", 5000, OUTER[6]),
    tunnelled("vxlan-no-checksum", "VXLAN without UDP checksum",
              [outer_frame, IPV4, outer_udp(4789, chksum=0), vxlan(5000), INNER], "vxlan", 5000),
    tunnelled("vxlan-gpe-ipv4", "VXLAN-GPE with IPv4",
              [outer_frame, IPV4, outer_udp(4790), vxlan_gpe(6000, 1)], "vxlan_gpe", 6000),
    tunnelled("vxlan-gpe-ipv6", "VXLAN-GPE with IPv6",
              [outer_frame, IPV4, outer_udp(4790), vxlan_gpe(6000, 2)], "vxlan_gpe", 6000,
              version=6),
    tunnelled("vxlan-gpe-ethernet", "VXLAN-GPE with Ethernet",
              [outer_frame, IPV4, outer_udp(4790), vxlan_gpe(6000, 3), INNER], "vxlan_gpe", 6000),
    tunnelled("geneve", "GENEVE",
              [outer_frame, IPV4, outer_udp(6081), geneve(7000, proto=0x6558), INNER],
              "geneve", 7000),
    tunnelled("geneve-options", "GENEVE with options",
              [outer_frame, IPV4, outer_udp(6081),
               geneve(7000, proto=0x6558, options=[
                   GeneveOptions(classid=0x102, type=0x80, data=b"\1\2\3\4"),
                   GeneveOptions(classid=0x103, type=1, data=bytes(12))]), INNER],
              "geneve", 7000),
    tunnelled("geneve-ip", "GENEVE with IP instead of Ethernet",
              [outer_frame, IPV4, outer_udp(6081), geneve(7000, proto=0x0800)], "geneve", 7000),
    tunnelled("gtp-u", "GTP-U", [outer_frame, IPV4, outer_udp(2152), gtp(0xABCD)],
              "gtp_u", 0xABCD),
    tunnelled("gtp-u-sequence", "GTP-U with sequence number",
              [outer_frame, IPV4, outer_udp(2152), gtp(0xABCD, S=1, seq=3)], "gtp_u", 0xABCD),
    tunnelled("gtp-u-extension", "GTP-U with an extension header",
              [outer_frame, IPV4, outer_udp(2152), gtp(0xABCD, E=1, next_ex=0x85),
               header(lambda: GTPPDUSessionContainer(type=0, QFI=9))], "gtp_u", 0xABCD),
    tunnelled("gtp-u-ipv6", "IPv6 in GTP-U", [outer_frame, IPV4, outer_udp(2152), gtp(0xABCD)],
              "gtp_u", 0xABCD, version=6),
    tunnelled("l2tp-2", "L2TP version 2 with PPP",
              [outer_frame, IPV4, outer_udp(1701), raw(struct.pack("!HHH", 2, 5, 6)),
               raw(b"\xff\x03\x00\x21")], "l2tp_v2"),
    tunnelled("l2tp-3-udp", "L2TPv3 over UDP with Ethernet",
              [outer_frame, IPV4, outer_udp(1701), l2tp3_udp(0x1234), INNER], "l2tp_v3", 0x1234),
    tunnelled("l2tp-3-udp-sublayer", "L2TPv3 over UDP with the default sublayer",
              [outer_frame, IPV4, outer_udp(1701), l2tp3_udp(0x1234, bytes(4)), INNER],
              "l2tp_v3", 0x1234),
    tunnelled("l2tp-3-udp-cookie", "L2TPv3 over UDP with a cookie",
              [outer_frame, IPV4, outer_udp(1701),
               l2tp3_udp(0x1234, b"\xde\xad\xbe\xef\xca\xfe\xf0\x0d"), INNER],
              "l2tp_v3", 0x1234),
    tunnelled("l2tp-3-ip", "L2TPv3 over IP",
              [outer_frame, outer_ip(4, proto=115), raw(struct.pack("!I", 0x1235)), INNER],
              "l2tp_v3", 0x1235),
    tunnelled("nsh", "NSH with Ethernet",
              [frame(OUTER_MACS, type=0x894F),
               header(lambda: NSH(spi=42, si=255, mdtype=1, nextproto=3)), INNER], "nsh",
              addresses=None),
    tunnelled("nsh-ip", "NSH with IP and no metadata",
              [frame(OUTER_MACS, type=0x894F),
               header(lambda: NSH(spi=42, si=255, mdtype=2, length=2, nextproto=1))], "nsh",
              addresses=None),
]

IN_IP = [
    tunnelled("ipip", "IPv4 in IPv4", [outer_frame, IPV4], "ip_in_ip"),
    tunnelled("6in4", "IPv6 in IPv4", [outer_frame, IPV4], "ip_in_ip", version=6),
    tunnelled("6rd", "IPv6 in IPv4, as a provider's 6rd relay sends it",
              [outer_frame,
               lambda inner, forth: IP(src="192.0.2.1" if forth else "192.0.2.2",
                                       dst="192.0.2.2" if forth else "192.0.2.1",
                                       flags="DF", tos=0xB8) / inner],
              "ip_in_ip", version=6),
    tunnelled("4in6", "IPv4 in IPv6", [outer_frame, IPV6], "ip_in_ip", addresses=OUTER[6]),
    tunnelled("4in6-limit-option", "IPv4 in IPv6 behind a tunnel encapsulation limit option",
              [outer_frame, IPV6, header(IPv6ExtHdrDestOpt)], "ip_in_ip", addresses=OUTER[6]),
    tunnelled("etherip", "EtherIP",
              [outer_frame, outer_ip(4, proto=97), raw(b"\x30\x00"), INNER], "ether_ip"),
    tunnelled("6in6", "IPv6 in IPv6", [outer_frame, IPV6], "ip_in_ip", addresses=OUTER[6],
              version=6),
    tunnelled("teredo", "Teredo", [outer_frame, IPV4, outer_udp(3544)], "teredo", version=6),
    tunnelled("teredo-origin", "Teredo with an origin indication",
              [outer_frame, IPV4, outer_udp(3544),
               raw(b"\x00\x00" + struct.pack("!HI", 0x63BF, 0x3FFFFDFE))], "teredo", version=6),
    tunnelled("teredo-authentication", "Teredo with authentication and origin indication",
              [outer_frame, IPV4, outer_udp(3544),
               raw(b"\x00\x01\x00\x00" + bytes(8) + b"\x00"
                   + b"\x00\x00" + struct.pack("!HI", 0x63BF, 0x3FFFFDFE))],
              "teredo", version=6),
]

TECHNIQUES = VLANS + MPLS_PPP + GRES + OVERLAYS + IN_IP
