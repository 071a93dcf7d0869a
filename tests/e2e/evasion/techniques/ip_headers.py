"""What may stand between an IP header and TCP, and packets larger than usual."""

import itertools

from scapy.layers.inet import IP, IPOption_NOP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.inet6 import (
    IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN,
)
from scapy.layers.ipsec import AH
from scapy.packet import Raw

from technique import Technique

EXTENSIONS = {
    "hop": lambda: IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]),
    "destination": lambda: IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]),
    "routing": lambda: IPv6ExtHdrRouting(type=0, segleft=0, addresses=["2001:db8::9"]),
    "atomic": lambda: IPv6ExtHdrFragment(id=7),
}


def between(packet, *headers):
    """The packet with headers inserted between IP and what it carries."""
    base, inner = packet.copy(), packet.payload.copy()
    # A copied checksum field that is still unset is computed over the outermost addresses.
    base.remove_payload()
    if "nh" in base.fields:
        del base.nh
    for header in headers:
        base = base / header()
    return base / inner


def extended(*headers):
    return lambda scene: [between(packet, *headers) for packet in scene.conversation()]


def every_order(scene):
    """One connection for each order of four extension headers."""
    packets = []
    for order in itertools.permutations(EXTENSIONS.values()):
        packets += [between(packet, *order) for packet in scene.another().conversation()]
    return packets


def authenticated(scene):
    """AH: authenticated, not encrypted. Built by hand around the finished TCP bytes."""
    made = []
    for packet in scene.conversation():
        packet = packet.__class__(bytes(packet))
        inner = bytes(packet.payload)
        packet.remove_payload()
        following = 6
        header = bytes(AH(nh=following, spi=1, seq=1, icv=b"\x11" * 12, payloadlen=4))
        for computed in ("chksum", "len", "plen"):
            if computed in packet.fields:
                delattr(packet, computed)
        if "proto" in packet.fields:
            packet.proto = 51
        else:
            packet.nh = 51
        made.append(packet / Raw(header + inner))
    return made


def options(*choices):
    def build(scene):
        packets = scene.conversation()
        for packet in packets:
            packet.options = [choice() for choice in choices]
            del packet.ihl
        return packets

    return build


def jumbo(length, version=4):
    """A segment of so many bytes whose last ones are the request, behind another's body."""

    def build(scene):
        head = scene.request.head()
        fixed = b"POST /upload HTTP/1.1\r\nHost: files.example\r\nContent-Length: %d\r\n\r\n"
        body = length - len(fixed) + 2 - len(str(length)) - len(head)
        data = fixed % body + b"b" * body + head
        return scene.handshake() + [scene.segment(0, data)] + scene.ending(len(data))

    return build


def no_length(scene):
    """Length fields of 0, as a capture on a sender with segmentation offload shows them."""
    made = []
    for packet in scene.handshake():
        made.append(packet)
    segment = scene.segment(0, scene.request.head())
    if scene.version == 4:
        segment = IP(bytes(segment))  # with its checksums
        segment.len = 0
        del segment.chksum
    else:
        segment = segment.__class__(bytes(segment))
        segment.plen = 0
    return made + [segment] + scene.ending(len(scene.request.head()))


def v6(name, summary, *headers, **more):
    return Technique(name, summary, extended(*(EXTENSIONS[h] for h in headers)), version=6, **more)


TECHNIQUES = [
    v6("ipv6", "IPv6 without anything between"),
    v6("ipv6-hop-by-hop", "IPv6 hop-by-hop options", "hop"),
    v6("ipv6-destination-options", "IPv6 destination options, twice", "destination", "destination"),
    v6("ipv6-routing", "IPv6 routing header", "routing"),
    v6("ipv6-atomic-fragment", "IPv6 fragment header on a whole packet", "atomic"),
    v6("ipv6-8-extensions", "eight IPv6 destination options headers", *["destination"] * 8),
    Technique("ipv6-extensions-every-order",
              "hop-by-hop, destination, routing and atomic fragment headers in all 24 orders",
              every_order, version=6, alerts=("http_request",) * 24, differs=("source.port",)),
    v6("ipv6-extensions-too-many", "70 IPv6 extension headers, more than are followed",
       *["destination"] * 70, alerts=(),
       counters={"decode_stopped_packets_total{reason=ipv6_extension_too_deep}": 8},
       limits="not found; counted"),
    Technique("ipv4-authentication-header", "AH in IPv4", authenticated),
    Technique("ipv6-authentication-header", "AH in IPv6", authenticated, version=6),
    Technique("ipv4-options", "IPv4 options: record route, padding, router alert",
              options(IPOption_RR, IPOption_NOP, IPOption_Router_Alert)),
    Technique("jumbo-9000", "the request at the end of a frame of 9000 bytes", jumbo(8900)),
    Technique("jumbo-64k", "the request at the end of a packet of 64 KiB, as offloads make them",
              jumbo(65000)),
    Technique("jumbo-64k-ipv6", "the same over IPv6", jumbo(65000), version=6),
    Technique("ipv4-length-zero", "IPv4 total length 0 (segmentation offload)", no_length),
    Technique("ipv6-length-zero", "IPv6 payload length 0 (segmentation offload)", no_length,
              version=6),
]

