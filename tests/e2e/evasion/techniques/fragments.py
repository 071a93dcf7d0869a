"""IP fragments: the segment that carries the request is cut below TCP."""

from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN,
)
from scapy.layers.l2 import Dot1Q
from scapy.packet import Raw

from scene import Pause, decoy
from technique import Technique


def datagram(scene, data=None):
    """The bytes of the TCP segment that carries the request, with a right checksum."""
    packet = scene.segment(0, scene.request.head() if data is None else data)
    return bytes(packet.__class__(bytes(packet)).payload)


def piece(scene, whole, start, end, identification=None, more=None, before=(), protocol=6):
    """One fragment: bytes start to end of a datagram; offsets are multiples of 8."""
    assert start % 8 == 0
    identification = 4711 if identification is None else identification
    more = end < len(whole) if more is None else more
    data = Raw(whole[start:end])
    ip = scene.ip()
    if scene.version == 4:
        return IP(src=ip.src, dst=ip.dst, id=identification, flags="MF" if more else 0,
                  frag=start // 8, proto=protocol, options=list(before)) / data
    packet = IPv6(src=ip.src, dst=ip.dst)
    for header in before:
        packet = packet / header
    return packet / IPv6ExtHdrFragment(
        id=identification, offset=start // 8, m=int(more), nh=protocol) / data


def pieces(scene, whole, size, **more):
    return [
        piece(scene, whole, at, min(at + size, len(whole)), **more)
        for at in range(0, len(whole), size)
    ]


def cut(size, order=list, data=None, **more):
    """The request's datagram in fragments of so many bytes, in an order of its own."""

    def build(scene):
        made = pieces(scene, datagram(scene, data), size, **more)
        return scene.handshake() + order(made) + scene.ending(len(scene.request.head()))

    return build


def backwards(made):
    return made[::-1]


def last_first(made):
    return made[-1:] + made[:-1]


def twice(made):
    return [packet for packet in made for _ in range(2)]


def shuffled(scene):
    made = pieces(scene, datagram(scene), 24)
    scene.random.shuffle(made)
    return scene.handshake() + made + scene.ending(len(scene.request.head()))


def everything(scene):
    """Also the handshake and the answer travel in fragments."""
    frames = []
    for number, packet in enumerate(scene.conversation()):
        whole = bytes(packet.__class__(bytes(packet)).payload)
        for part in pieces(scene, whole, 8, identification=number):
            if not scene.is_from_client(packet):
                part.src, part.dst = part.dst, part.src
            frames.append(part)
    return frames


def overlapping(parts):
    """parts: (which, start, end) with which of "real" and "decoy"; None: to the end."""

    def build(scene):
        texts = {"real": datagram(scene), "decoy": datagram(scene, decoy(scene.request.head()))}
        length = len(texts["real"])
        made = []
        for which, start, end in parts:
            end = length if end is None else end
            made.append(piece(scene, texts[which], start, end))
        return scene.handshake() + made + scene.ending(len(scene.request.head()))

    return build


def late(pause):
    def build(scene):
        made = pieces(scene, datagram(scene), 32)
        return scene.handshake() + made[:1] + [Pause(pause)] + made[1:]

    return build


def late_then_again(scene):
    """A datagram that stayed incomplete is forgotten when its number is used again."""
    whole = datagram(scene, decoy(scene.request.head()))
    made = pieces(scene, whole, 32)[:1] + [Pause(120)]
    return scene.handshake() + made + pieces(scene, datagram(scene), 32) + scene.ending(
        len(scene.request.head()))


def interleaved(scene):
    """Two connections whose fragments have the same addresses and number, in two VLANs."""
    frames = []
    for packet in scene.conversation()[:3]:
        frames += [scene.ether(Dot1Q(vlan=vlan) / packet, scene.is_from_client(packet))
                   for vlan in (100, 200)]
    texts = [datagram(scene), datagram(scene, scene.request.head().replace(b"/2.15", b"/2.16"))]
    cuts = [pieces(scene, text, 32) for text in texts]
    for pair in zip(*cuts):
        for vlan, part in zip((100, 200), pair):
            frames.append(scene.ether(Dot1Q(vlan=vlan) / part, True))
    return frames


def other_protocol(scene):
    """A UDP datagram with the same addresses and number in between."""
    made = pieces(scene, datagram(scene), 32)
    other = pieces(scene, bytes(200), 32, protocol=17)
    mixed = [packet for pair in zip(other, made) for packet in pair] + made[len(other):]
    return scene.handshake() + mixed + scene.ending(len(scene.request.head()))


def two_requests(scene):
    """The same number for the datagrams of two connections, one after the other."""
    packets = []
    for _ in range(2):
        scene.another()
        packets += scene.handshake() + pieces(scene, datagram(scene), 32)
        packets += scene.ending(len(scene.request.head()))
    return packets


def wrong_next_header(scene):
    """RFC 8200: the next header of other fragments than the first is ignored."""
    made = pieces(scene, datagram(scene), 32)
    for part in made[1:]:
        part[IPv6ExtHdrFragment].nh = 17
    return scene.handshake() + made + scene.ending(len(scene.request.head()))


def options_in_fragments(scene):
    """A destination options header inside the fragmentable part."""
    whole = b"\x06\x00\x01\x04\x00\x00\x00\x00" + datagram(scene)
    made = pieces(scene, whole, 32, protocol=60)
    return scene.handshake() + made + scene.ending(len(scene.request.head()))


def lost_last(scene):
    return scene.handshake() + pieces(scene, datagram(scene), 32)[:-1]


def both_versions(name, summary, build, **more):
    return [
        Technique("ipv4-" + name, summary + ", IPv4", build, **more),
        Technique("ipv6-" + name, summary + ", IPv6", build, version=6, **more),
    ]


CONFLICT = frozenset({"fragment_overlap"})
# The readings of a datagram are segments that contradict each other in turn.
CONTRADICTING = {
    "events": CONFLICT,
    "tolerated": frozenset({"tcp_overlap_conflict"}),
    "readings": True,
}

TECHNIQUES = [
    *both_versions("fragments", "fragments in order", cut(48)),
    *both_versions("fragments-reversed", "fragments in reverse order", cut(48, backwards)),
    *both_versions("fragments-shuffled", "fragments in a random order", shuffled),
    *both_versions("fragments-last-first", "the last fragment first", cut(48, last_first)),
    *both_versions("fragments-tiny", "fragments of 8 bytes: even the TCP header is cut", cut(8)),
    *both_versions("fragments-tiny-reversed", "fragments of 8 bytes, last first",
                   cut(8, backwards)),
    *both_versions("fragments-duplicated", "every fragment twice", cut(48, twice)),
    *both_versions("fragments-everything", "handshake, request and answer in tiny fragments",
                   everything),
    *both_versions("fragments-overlap-equal", "overlapping fragments with equal bytes",
                   overlapping([("real", 0, 48), ("real", 24, 72), ("real", 56, None)]),
                   tolerated=CONFLICT),
    *both_versions("fragments-decoy-first", "overlapping fragments, harmless bytes first",
                   overlapping([("real", 0, 24), ("decoy", 24, 80), ("real", 24, 80),
                                ("real", 80, None)]), **CONTRADICTING),
    *both_versions("fragments-decoy-last", "overlapping fragments, harmless bytes last",
                   overlapping([("real", 0, 24), ("real", 24, 80), ("decoy", 24, 80),
                                ("real", 80, None)]), **CONTRADICTING),
    *both_versions("fragments-decoy-partial", "fragments that overlap in part, harmless first",
                   overlapping([("decoy", 0, 56), ("real", 32, 96), ("real", 0, 32),
                                ("real", 96, None)]), **CONTRADICTING),
    *both_versions("fragments-decoy-whole", "a whole harmless set before the last real fragment",
                   overlapping([("decoy", 0, 48), ("decoy", 48, 96), ("real", 0, 48),
                                ("real", 48, 96), ("real", 96, None)]), **CONTRADICTING),
    *both_versions("fragments-late", "more than the timeout between fragments", late(120),
                   alerts=(), counters={"fragment_datagrams_total{result=timed_out}": 1},
                   limits="not found, as no host would put them together; counted"),
    *both_versions("fragments-late-then-again",
                   "an incomplete datagram, and later a whole one with its number",
                   late_then_again),
    *both_versions("fragments-incomplete", "the last fragment never comes", lost_last,
                   alerts=("raw_match",),
                   counters={"fragment_datagrams_total{result=timed_out}": 1},
                   limits="only the rules' strings are looked for in what was there"),
    *both_versions("fragments-two-vlans",
                   "two datagrams with the same number in different VLANs, interleaved",
                   interleaved, alerts=("http_request",) * 2, differs=("user_agent.original",)),
    Technique("ipv4-fragments-two-protocols",
              "fragments of TCP and UDP with the same number, interleaved", other_protocol),
    *both_versions("fragments-number-again", "the same number for two datagrams in succession",
                   two_requests, alerts=("http_request",) * 2, differs=("source.port",)),
    Technique("ipv4-fragments-options", "IPv4 options in every fragment",
              cut(48, before=(IPOption_Router_Alert(),))),
    Technique("ipv6-fragments-extensions", "IPv6 options in front of the fragment header",
              cut(48, before=(IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]),
                              IPv6ExtHdrDestOpt())), version=6),
    Technique("ipv6-fragments-options-inside", "IPv6 options inside the fragmented part",
              options_in_fragments, version=6),
    Technique("ipv6-fragments-next-header", "another next header in all fragments but the first",
              wrong_next_header, version=6),
]
