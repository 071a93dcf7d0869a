"""TCP segments that overlap with different bytes: a decoy for the sensor, the rest for the
server, or the other way round. Both readings are inspected."""

from scapy.layers.inet import TCP

from scene import decoy
from technique import Technique

CONFLICT = frozenset({"tcp_overlap_conflict"})


def scenario(arrange):
    """arrange(scene, head, decoy) -> the client's packets."""

    def build(scene):
        head = scene.request.head()
        return scene.handshake() + arrange(scene, head, decoy(head)) + scene.ending(len(head))

    return build


def whole_decoy_first(scene, head, other):
    return [scene.segment(0, other), scene.segment(0, head)]


def whole_decoy_last(scene, head, other):
    return [scene.segment(0, head), scene.segment(0, other)]


def middle_decoy_first(scene, head, other):
    return [scene.segment(0, head[:5]), scene.segment(5, other[5:60]), scene.segment(5, head[5:60]),
            scene.segment(60, head[60:])]


def middle_decoy_last(scene, head, other):
    return [scene.segment(0, head[:5]), scene.segment(5, head[5:60]), scene.segment(5, other[5:60]),
            scene.segment(60, head[60:])]


def partial_decoy_first(scene, head, other):
    return [scene.segment(0, other[:40]), scene.segment(4, head[4:])]


def partial_decoy_last(scene, head, other):
    return [scene.segment(0, head[:60]), scene.segment(20, other[20:80]),
            scene.segment(60, head[60:])]


def early_decoy_first(scene, head, other):
    """Both readings of a range wait for the bytes before it."""
    return [scene.segment(20, other[20:70]), scene.segment(20, head[20:70]),
            scene.segment(0, head[:20]), scene.segment(70, head[70:])]


def early_decoy_last(scene, head, other):
    return [scene.segment(20, head[20:70]), scene.segment(20, other[20:70]),
            scene.segment(0, head[:20]), scene.segment(70, head[70:])]


def byte_by_byte(scene, head, other):
    """Every byte of the path comes twice, the harmless one first."""
    packets = [scene.segment(0, head[:5])]
    for at in range(5, 50):
        packets += [scene.segment(at, other[at : at + 1]), scene.segment(at, head[at : at + 1])]
    return packets + [scene.segment(50, head[50:])]


def with_decoy(**fields):
    """The decoy is one the server ignores, for a reason the sensor may not see."""

    def arrange(scene, head, other):
        return [scene.segment(0, head[:5]), scene.segment(5, other[5:60], **fields),
                scene.segment(5, head[5:60]), scene.segment(60, head[60:])]

    return scenario(arrange)


def bad_checksum(scene, head, other):
    forgery = scene.segment(5, other[5:60])
    right = forgery.__class__(bytes(forgery))[TCP].chksum
    forgery[TCP].chksum = right ^ 0x5555
    return [scene.segment(0, head[:5]), forgery, scene.segment(5, head[5:60]),
            scene.segment(60, head[60:])]


def conflict(name, summary, arrange, **more):
    build = arrange if arrange.__name__ == "build" else scenario(arrange)
    return Technique(name, summary, build, **{"events": CONFLICT, "readings": True, **more})


TECHNIQUES = [
    conflict("tcp-decoy-first", "a harmless request, then the real one at the same place",
             whole_decoy_first),
    conflict("tcp-decoy-last", "the real request, then a harmless one at the same place",
             whole_decoy_last),
    conflict("tcp-middle-decoy-first", "a harmless middle segment before the real one",
             middle_decoy_first),
    conflict("tcp-middle-decoy-last", "a harmless middle segment after the real one",
             middle_decoy_last),
    conflict("tcp-partial-decoy-first", "a partial overlap, harmless bytes first",
             partial_decoy_first),
    conflict("tcp-partial-decoy-last", "a partial overlap, harmless bytes last",
             partial_decoy_last),
    conflict("tcp-early-decoy-first", "conflicting segments ahead of a hole, harmless first",
             early_decoy_first),
    conflict("tcp-early-decoy-last", "conflicting segments ahead of a hole, harmless last",
             early_decoy_last),
    conflict("tcp-byte-decoys", "a harmless byte before every byte of the path", byte_by_byte),
    conflict("tcp-decoy-low-ttl", "a decoy that dies before the server (TTL 1)",
             with_decoy(ip={"ttl": 1})),
    conflict("tcp-decoy-old-timestamp", "a decoy with a TCP timestamp of the past (PAWS)",
             with_decoy(options=[("Timestamp", (1, 0))])),
    conflict("tcp-decoy-no-ack", "a decoy without the ACK flag", with_decoy(flags="P")),
    conflict("tcp-decoy-md5", "a decoy with an unexpected MD5 signature option",
             with_decoy(options=[(19, b"\x55" * 16)])),
    conflict("tcp-decoy-checksum", "a decoy with a wrong checksum, checksums not verified",
             bad_checksum),
    conflict("tcp-decoy-checksum-verified", "the same with inspect.verify_checksums",
             bad_checksum, events=frozenset(),
             config={"inspect": {"verify_checksums": True}}),
    conflict("tcp-decoy-endpoint", "a harmless request first, to the address itself",
             whole_decoy_first, endpoint=True),
]
