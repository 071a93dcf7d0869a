"""Tunnels in tunnels, and tunnels whose packets are fragmented outside or inside."""

from scapy.layers.inet import IP, fragment
from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6

from scene import Request
from technique import Technique
from techniques.link_tunnels import (
    INNER, IPV4, IPV6, OUTER, geneve, gre, gtp, label, outer_frame, outer_udp, raw,
    stack, tag, tunnelled, vxlan, vxlan_gpe,
)

NESTED = [
    tunnelled("vxlan-in-gre", "VXLAN in GRE",
              [outer_frame, IPV4, gre(), IPV4, outer_udp(4789), vxlan(5000), INNER],
              "gre/vxlan", 5000),
    tunnelled("gtp-u-in-ipip", "GTP-U in IPv4 in IPv4",
              [outer_frame, IPV4, IPV4, outer_udp(2152), gtp(0x77)], "ip_in_ip/gtp_u", 0x77),
    tunnelled("nsh-in-vxlan-gpe", "NSH in VXLAN-GPE",
              [outer_frame, IPV4, outer_udp(4790), vxlan_gpe(6000, 4),
               raw(b"\x0f\xc6\x01\x03\x00\x00\x2a\xff" + bytes(16)), INNER], "vxlan_gpe/nsh"),
    tunnelled("tunnels-3-deep", "GENEVE in IPv4 in an MPLS label",
              [outer_frame, label(900, True), IPV4, IPV4, outer_udp(6081),
               geneve(7000, proto=0x6558), INNER, tag(300)],
              "mpls/ip_in_ip/geneve", 7000),
    tunnelled("tunnels-4-deep", "GRE in GRE in GRE in VXLAN",
              [outer_frame, IPV4, outer_udp(4789), vxlan(5000), INNER, IPV4, gre(), IPV4, gre(),
               IPV4, gre(key_present=1, key=99)], "vxlan/gre/gre/gre", 99),
    tunnelled("tunnels-too-deep", "eight times IPv4 in IPv4, more than is followed",
              [outer_frame] + [IPV4] * 8, alerts=(),
              counters={"decode_stopped_packets_total{reason=tunnel_too_deep}": 8},
              limits="not found beyond `tunnels.max_depth`; counted"),
]


def fragmented_outside(size, *layers):
    """Every packet's outermost IP packet in fragments of so many bytes."""
    wrap = stack(*layers)

    def build(scene):
        frames = []
        for number, packet in enumerate(scene.conversation()):
            forth = scene.is_from_client(packet)
            outer = wrap(packet, forth)
            if isinstance(outer, IP):
                outer.id = scene.number % 4096 * 16 + number
                pieces = fragment(outer.__class__(bytes(outer)), size)
            else:
                base = outer.copy()
                inner = base.payload
                base.remove_payload()
                whole = base / IPv6ExtHdrFragment(id=scene.number * 16 + number) / inner
                pieces = fragment6(whole, size)
            frames += [outer_frame(piece, forth) for piece in pieces]
        return frames

    return build


def fragmented_inside(size, *layers):
    wrap = stack(*layers)

    def build(scene):
        frames = []
        for number, packet in enumerate(scene.conversation()):
            forth = scene.is_from_client(packet)
            packet.id = 100 + number
            pieces = fragment(IP(bytes(packet)), size)
            frames += [wrap(piece, forth) for piece in pieces]
        return frames

    return build


def fields(path, number, addresses):
    return {
        "imds.tunnel.path": path,
        "imds.tunnel.id": number,
        "imds.tunnel.source.ip": addresses[0],
        "imds.tunnel.destination.ip": addresses[1],
    }


LONG = Request(headers=("X-Filler: " + "a" * 1300,))
VXLAN4 = [IPV4, outer_udp(4789), vxlan(5000), INNER]
VXLAN6 = [IPV6, outer_udp(4789), vxlan(5000), INNER]

def fragmented_inside_and_outside(scene):
    frames = []
    for number, packet in enumerate(scene.conversation()):
        forth = scene.is_from_client(packet)
        packet.id = 100 + number
        for inner in fragment(IP(bytes(packet)), 64):
            outer = IPV4(inner, forth)
            outer.id = scene.random.randrange(65536)
            frames += [outer_frame(p, forth) for p in fragment(IP(bytes(outer)), 24)]
    return frames


FRAGMENTED = [
    Technique("vxlan-outer-fragments", "VXLAN in fragments of the outer IPv4 packet",
              fragmented_outside(64, *VXLAN4), fields=fields("vxlan", 5000, OUTER[4])),
    Technique("vxlan-outer-fragments-ipv6", "VXLAN in fragments of the outer IPv6 packet",
              fragmented_outside(1280, *VXLAN6), request=LONG,
              fields=fields("vxlan", 5000, OUTER[6])),
    Technique("gre-outer-fragments", "GRE in tiny fragments of the outer packet",
              fragmented_outside(8, IPV4, gre(key_present=1, key=8)),
              fields=fields("gre", 8, OUTER[4])),
    Technique("vxlan-inner-fragments", "fragments of the inner packet, each in VXLAN",
              fragmented_inside(48, outer_frame, *VXLAN4), fields=fields("vxlan", 5000, OUTER[4])),
    Technique("ipip-inner-and-outer-fragments", "fragments of the inner packet in fragments",
              fragmented_inside_and_outside, fields={"imds.tunnel.path": "ip_in_ip"}),
]

TECHNIQUES = NESTED + FRAGMENTED
