"""What every technique is told with: one client, one server, a request, and the packets of a TCP
connection between them, made with scapy, so that an encoder of others' making checks the decoder.

A Scene belongs to one technique. Its client addresses are its own, so that captures of many
techniques can be read by one process and every alert still be traced to its technique.
"""

import dataclasses
import ipaddress
import logging
import random
import struct

logging.getLogger("scapy").setLevel(logging.ERROR)  # it warns of interfaces it does not need

from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402

IMDS = {4: "169.254.169.254", 6: "fd00:ec2::254"}
ELSEWHERE = {4: "198.51.100.80", 6: "2001:db8:80::80"}

CLIENT_MAC = "02:65:00:00:00:0a"
SERVER_MAC = "02:65:00:00:00:fe"
OUTER_MACS = ("06:65:00:00:00:01", "06:65:00:00:00:02")

CLIENT_ISN = 1000
SERVER_ISN = 500000

PATH = "/latest/meta-data/iam/security-credentials/"
HOST = "169.254.169.254"
AGENT = "aws-cli/2.15.0"

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclasses.dataclass(frozen=True)
class Request:
    """An HTTP request for instance metadata."""

    method: str = "GET"
    target: str = PATH
    host: str = HOST
    agent: str = AGENT
    headers: tuple = ()
    version: str = "HTTP/1.1"

    def head(self, *more):
        lines = ["%s %s %s" % (self.method, self.target, self.version), "Host: " + self.host]
        lines += ["User-Agent: " + self.agent, "Accept: */*", *self.headers, *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


DEFAULT = Request()
# Something nobody minds, of the same length as the request it is to stand in for.
def decoy(head=None):
    head = DEFAULT.head() if head is None else head
    line, rest = head.split(b"\r\n", 1)
    method, target, version = line.split(b" ")
    harmless = b"/" + b"a" * (len(target) - 1)
    return b" ".join([method, harmless, version]) + b"\r\n" + rest


@dataclasses.dataclass(frozen=True)
class Pause:
    """Among the frames of a capture: so many seconds pass."""

    seconds: float


class Scene:
    def __init__(self, number, endpoint=False, request=DEFAULT):
        self.number = number
        self.request = request
        self.client = {
            4: str(ipaddress.ip_address("10.100.0.0") + number),
            6: str(ipaddress.ip_address("2001:db8:100::") + number),
        }
        self.server = dict(IMDS if endpoint else ELSEWHERE)
        self.port = 40000
        self.server_port = 80
        self.isn = CLIENT_ISN
        self.server_isn = SERVER_ISN
        self.version = 4
        self.random = random.Random(number)

    # --- IP packets of one TCP connection ---

    def ip(self, from_client=True, version=None, **fields):
        version = version or self.version
        ends = (self.client[version], self.server[version])
        source, destination = ends if from_client else ends[::-1]
        return (IP if version == 4 else IPv6)(src=source, dst=destination, **fields)

    def tcp(self, flags, seq, ack, data=b"", from_client=True, ip=None, **fields):
        ports = (self.port, self.server_port)
        source, destination = ports if from_client else ports[::-1]
        header = TCP(
            sport=source, dport=destination, flags=flags, seq=seq % 2**32, ack=ack % 2**32,
            **{"window": 64240, **fields},
        )
        packet = self.ip(from_client, **(ip or {})) / header
        return packet / Raw(data) if data else packet

    def handshake(self):
        return [
            self.tcp("S", self.isn, 0, options=[("MSS", 1460)]),
            self.tcp("SA", self.server_isn, self.isn + 1, from_client=False,
                     options=[("MSS", 1460)]),
            self.tcp("A", self.isn + 1, self.server_isn + 1),
        ]

    def segment(self, offset, data=b"", flags="PA", answered=0, **fields):
        """Data of the client at an offset of its stream."""
        return self.tcp(flags, self.isn + 1 + offset, self.server_isn + 1 + answered, data, **fields)

    def answer(self, offset, data=b"", flags="PA", asked=0, **fields):
        """Data of the server at an offset of its stream, after `asked` bytes of the client's."""
        return self.tcp(
            flags, self.server_isn + 1 + offset, self.isn + 1 + asked, data,
            from_client=False, **fields,
        )

    def segments(self, data, size, offset=0, **fields):
        return [
            self.segment(offset + at, data[at : at + size], **fields)
            for at in range(0, len(data), size)
        ]

    def ending(self, sent, answered=len(OK)):
        """The server's answer to all the client sent, and the end of the connection."""
        return [
            self.answer(0, OK[:answered], asked=sent),
            self.segment(sent, flags="FA", answered=answered),
            self.answer(answered, flags="FA", asked=sent + 1),
            self.segment(sent + 1, flags="A", answered=answered + 1),
        ]

    def conversation(self, data=None, size=1400):
        """The whole of a plain connection."""
        data = self.request.head() if data is None else data
        return self.handshake() + self.segments(data, size) + self.ending(len(data))

    def dialogue(self, *turns):
        """Turns of client and server in alternation, the client first; a list is several
        segments, bytes are one."""
        packets = self.handshake()
        said = [0, 0]
        for number, turn in enumerate(turns):
            for data in turn if isinstance(turn, (list, tuple)) else [turn]:
                side = number % 2
                for at in range(0, len(data), 1400):
                    piece = data[at : at + 1400]
                    if side == 0:
                        packets.append(self.segment(said[0], piece, answered=said[1]))
                    else:
                        packets.append(self.answer(said[1], piece, asked=said[0]))
                    said[side] += len(piece)
        packets.append(self.segment(said[0], flags="FA", answered=said[1]))
        packets.append(self.answer(said[1], flags="FA", asked=said[0] + 1))
        return packets

    def another(self):
        """The same two hosts, another connection."""
        self.port += 1
        self.isn += 100000
        return self

    # --- Frames ---

    def is_from_client(self, packet):
        return packet.src in self.client.values()

    def ether(self, packet, from_client=None, macs=(CLIENT_MAC, SERVER_MAC), **fields):
        if from_client is None:
            from_client = self.is_from_client(packet)
        source, destination = macs if from_client else macs[::-1]
        return Ether(src=source, dst=destination, **fields) / packet

    def frames(self, packets):
        """IP packets in Ethernet; what is a frame, bytes or a pause already stays."""
        return [
            self.ether(packet) if isinstance(packet, (IP, IPv6)) else packet for packet in packets
        ]

    def udp(self, data, from_client=True, server_port=80, ip=None):
        ports = (self.port, server_port)
        source, destination = ports if from_client else ports[::-1]
        return self.ip(from_client, **(ip or {})) / UDP(sport=source, dport=destination) / Raw(data)


def to_bytes(frames):
    """Frames as (pause before it in seconds, bytes)."""
    pause, made = 0.0, []
    for frame in frames:
        if isinstance(frame, Pause):
            pause += frame.seconds
        else:
            made.append((pause, frame if isinstance(frame, bytes) else bytes(frame)))
            pause = 0.0
    return made


NANOSECONDS = 1_000_000_000
MILLISECOND = 1_000_000


class PcapFile:
    """A capture file of Ethernet frames, written as it comes."""

    def __init__(self, path, start):
        self.time = start * NANOSECONDS
        self.packets = 0
        self._file = open(path, "wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))

    def add(self, frame, pause=0.0, original_length=None, step=MILLISECOND):
        self.time += int(pause * NANOSECONDS) + step
        seconds, rest = divmod(self.time, NANOSECONDS)
        length = len(frame) if original_length is None else original_length
        self._file.write(struct.pack("<IIII", seconds, rest, len(frame), length))
        self._file.write(frame)
        self.packets += 1

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_pcap(path, frames, start):
    """Writes (pause, bytes) pairs; returns how many."""
    with PcapFile(path, start) as capture:
        for pause, frame in frames:
            capture.add(frame, pause)
        return capture.packets
