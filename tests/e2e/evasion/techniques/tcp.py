"""TCP: the request's bytes arrive in other pieces, in another order, or not all of them."""

from scene import OK, Pause, Request
from technique import Technique

LONG = Request(headers=tuple("X-Filler-%d: %s" % (n, "f" * 60) for n in range(30)))


def delivered(arrange):
    """arrange(scene, head) -> the client's packets between handshake and ending."""

    def build(scene):
        head = scene.request.head()
        return scene.handshake() + arrange(scene, head) + scene.ending(len(head))

    return build


def in_pieces(size, order=list, **more):
    return delivered(lambda scene, head: order(scene.segments(head, size, **more)))


def backwards(made):
    return made[::-1]


def swapped(made):
    made = list(made)
    for at in range(0, len(made) - 1, 2):
        made[at], made[at + 1] = made[at + 1], made[at]
    return made


def twice(made):
    return [packet for packet in made for _ in range(2)]


def shuffled(scene, head):
    made = scene.segments(head, 16)
    scene.random.shuffle(made)
    return made


def other_boundaries(scene, head):
    return (scene.segments(head[:90], 30) + scene.segments(head[45:120], 75, offset=45)
            + [scene.segment(10, head[10:])])


def last_missing_piece(scene, head):
    """Everything but the first byte, then the first byte."""
    return scene.segments(head[1:], 40, offset=1) + [scene.segment(0, head[:1])]


def everything_twice(scene):
    return twice(scene.conversation(size=50))


def wrapping(scene):
    scene.isn = 2**32 - 30
    scene.server_isn = 2**32 - 10
    return scene.conversation(size=16)


def wrapping_reversed(scene):
    scene.isn = 2**32 - 30
    head = scene.request.head()
    return scene.handshake() + scene.segments(head, 16)[::-1] + scene.ending(len(head))


def keep_alive(scene, head):
    half = 40
    probe = scene.segment(half - 1, b"\0", flags="A")
    return [scene.segment(0, head[:half]), Pause(60), probe, scene.answer(0, flags="A", asked=half),
            scene.segment(half - 1, flags="A"), scene.segment(half, head[half:])]


def zero_window(scene, head):
    half = 40
    full = scene.answer(0, flags="A", asked=half, window=0)
    probe = scene.segment(half, head[half : half + 1], flags="A")
    return [scene.segment(0, head[:half]), full, probe, full, probe,
            scene.answer(0, flags="A", asked=half, window=8192), scene.segment(half, head[half:])]


def forged(flags, offset=None, from_client=True, **fields):
    """A control segment in the middle of the head that the server would not accept."""

    def arrange(scene, head):
        half = 40
        at = half if offset is None else offset
        if from_client:
            forgery = scene.segment(at, flags=flags, **fields)
        else:
            forgery = scene.answer(at, flags=flags, asked=half, **fields)
        return [scene.segment(0, head[:half]), forgery, scene.segment(half, head[half:])]

    return delivered(arrange)


def simultaneous_open(scene):
    head = scene.request.head()
    return [
        scene.tcp("S", scene.isn, 0),
        scene.tcp("S", scene.server_isn, 0, from_client=False),
        scene.tcp("SA", scene.isn, scene.server_isn + 1),
        scene.tcp("SA", scene.server_isn, scene.isn + 1, from_client=False),
        scene.segment(0, head),
    ] + scene.ending(len(head))


def data_on_syn(cut=None):
    def build(scene):
        head = scene.request.head()
        first = head[:cut]
        packets = [
            scene.tcp("S", scene.isn, 0, first),
            scene.tcp("SA", scene.server_isn, scene.isn + 1 + len(first), from_client=False),
            scene.segment(len(first), flags="A"),
        ]
        if head[len(first):]:
            packets.append(scene.segment(len(first), head[len(first):]))
        return packets + scene.ending(len(head))

    return build


def split_handshake(scene):
    """The server answers a SYN with a SYN of its own, then the client acknowledges that."""
    head = scene.request.head()
    return [
        scene.tcp("S", scene.isn, 0),
        scene.tcp("S", scene.server_isn, 0, from_client=False),
        scene.tcp("SA", scene.isn, scene.server_isn + 1),
        scene.tcp("A", scene.server_isn + 1, scene.isn + 1, from_client=False),
        scene.segment(0, head),
    ] + scene.ending(len(head))


def syn_seen_late(scene):
    """The capture shows the segments before the handshake they follow."""
    packets = scene.conversation()
    return packets[3:4] + packets[:3] + packets[4:]


def mid_stream(scene):
    return scene.conversation()[3:]


def mid_stream_in_pieces(scene):
    return scene.conversation(size=20)[3:]


def one_side(client):
    return lambda scene: [
        packet for packet in scene.conversation(size=60)
        if scene.is_from_client(packet) == client
    ]


BEFORE = b"POST /upload HTTP/1.1\r\nHost: files.example\r\nContent-Length: 3000\r\n\r\n"


def gap_before(scene):
    """Segments of an upload are lost; the request follows it."""
    head = scene.request.head()
    data = BEFORE + b"u" * 3000
    made = scene.segments(data, 1000)
    return (scene.handshake() + made[:1] + made[-1:] + [scene.segment(len(data), head)]
            + scene.ending(len(data) + len(head)))


def gap_inside(scene, head):
    """A segment in the middle of a long head is lost, behind what matters."""
    made = scene.segments(head, 500)
    return made[:1] + made[2:]


def gap_after(scene):
    head = scene.request.head()
    return (scene.handshake() + [scene.segment(0, head), scene.segment(len(head) + 700, b"x" * 90)]
            + scene.ending(len(head) + 790))


def port_again(scene):
    """Client and server use the same ports for a second connection."""
    first = scene.dialogue(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n", OK)
    scene.isn += 7_000_000
    scene.server_isn += 9_000_000
    return first + [Pause(1)] + scene.conversation()


def port_again_after_reset(scene):
    first = scene.handshake() + [scene.segment(0, b"\x00\x01binary"), scene.segment(8, flags="R")]
    scene.isn += 7_000_000
    return first + scene.conversation()


def urgent_flag(scene, head):
    return [scene.segment(0, head, flags="PAU", urgptr=len(head))]


def urgent_byte(scene):
    """A byte of urgent data in the path, which a server with plain sockets does not read."""
    head = scene.request.head()
    at = head.index(b"meta-data") + 4
    sent = head[:at] + b"X" + head[at:]
    return (scene.handshake() + [scene.segment(0, sent, flags="PAU", urgptr=at + 1)]
            + scene.ending(len(sent)))


def unknown_options(scene):
    options = [("NOP", None), ("Timestamp", (1, 0)), (253, b"\x12\x34"), ("EOL", None)]
    packets = scene.handshake()
    packets += scene.segments(scene.request.head(), 40, options=options)
    return packets + scene.ending(len(scene.request.head()))


def unusual_port(scene):
    scene.server_port = 31337
    return scene.conversation()


TECHNIQUES = [
    Technique("tcp-one-byte", "segments of one byte", in_pieces(1)),
    Technique("tcp-one-byte-reversed", "segments of one byte, last first",
              in_pieces(1, backwards)),
    Technique("tcp-out-of-order", "neighbouring segments swapped", in_pieces(20, swapped)),
    Technique("tcp-reversed", "segments in reverse order", in_pieces(20, backwards)),
    Technique("tcp-shuffled", "segments in a random order", delivered(shuffled)),
    Technique("tcp-first-byte-last", "the first byte comes last", delivered(last_missing_piece)),
    Technique("tcp-long-head-reversed", "a head of 2 KiB in reverse order",
              in_pieces(100, backwards), request=LONG),
    Technique("tcp-slow", "nine seconds between segments",
              delivered(lambda scene, head: [
                  part for segment in scene.segments(head, 10) for part in (segment, Pause(9))])),
    Technique("tcp-duplicated", "every segment twice", in_pieces(20, twice)),
    Technique("tcp-retransmitted", "retransmissions with other boundaries",
              delivered(other_boundaries)),
    Technique("tcp-span-duplicates", "a SPAN session that copies every packet twice",
              everything_twice),
    Technique("tcp-wrap", "sequence numbers that pass 2^32 in the head", wrapping),
    Technique("tcp-wrap-reversed", "the same in reverse order", wrapping_reversed),
    Technique("tcp-keep-alive", "keep-alive probes with a garbage byte inside the head",
              delivered(keep_alive), tolerated=frozenset({"tcp_overlap_conflict"}), readings=True),
    Technique("tcp-zero-window", "a closed window and probes of one byte", delivered(zero_window)),
    Technique("tcp-rst-forged", "RST of the client inside the head, with a wrong number",
              forged("R", offset=500000)),
    Technique("tcp-rst-in-window", "RST of the client inside the head, then it goes on",
              forged("R")),
    Technique("tcp-rst-server", "RST of the server inside the head, then the client goes on",
              forged("R", offset=0, from_client=False)),
    Technique("tcp-syn-forged", "another SYN inside the head", forged("S", offset=700000)),
    Technique("tcp-fin-forged", "FIN with a number beyond the window inside the head",
              forged("FA", offset=900000)),
    Technique("tcp-fin-in-window", "FIN inside the head, then it goes on", forged("FA"),
              readings=True),
    Technique("tcp-simultaneous-open", "simultaneous open", simultaneous_open),
    Technique("tcp-split-handshake", "split handshake", split_handshake),
    Technique("tcp-data-on-syn", "the request in the SYN (TCP Fast Open)", data_on_syn()),
    Technique("tcp-half-on-syn", "half of the request in the SYN", data_on_syn(40)),
    Technique("tcp-handshake-late", "the request is seen before the handshake", syn_seen_late),
    Technique("tcp-mid-stream", "the capture begins after the handshake", mid_stream,
              fields={"imds.visibility": ["mid_stream", "requests_only"]}),
    Technique("tcp-mid-stream-pieces", "the same, with the head in many segments",
              mid_stream_in_pieces, fields={"imds.visibility": ["mid_stream", "requests_only"]}),
    Technique("tcp-client-only", "only the client's packets are seen", one_side(True)),
    Technique("tcp-server-only", "only the server's packets are seen, of the address itself",
              one_side(False), endpoint=True, alerts=(),
              limits="the request itself is not found: it is not in the capture"),
    Technique("tcp-gap-before", "segments before the request are lost", gap_before),
    Technique("tcp-gap-inside", "a segment of the head is lost, behind the path",
              delivered(gap_inside), request=LONG),
    Technique("tcp-gap-after", "segments after the request are lost", gap_after),
    Technique("tcp-port-again", "the same ports again after FIN", port_again),
    Technique("tcp-port-again-reset", "the same ports again after RST of another protocol",
              port_again_after_reset),
    Technique("tcp-urgent-flag", "URG on the request's segment", delivered(urgent_flag)),
    Technique("tcp-urgent-byte", "a byte of urgent data inside the path", urgent_byte,
              alerts=(), limits="not found: the byte is read as part of the path"),
    Technique("tcp-options", "unknown and padded TCP options", unknown_options),
    Technique("tcp-port-unusual", "an unusual port", unusual_port, differs=("destination.port",)),
    Technique("tcp-port-unusual-endpoint", "an unusual port of the address itself", unusual_port,
              endpoint=True, differs=("destination.port",)),
]
