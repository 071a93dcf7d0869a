"""Hostile traffic in quantity. Frames are made from templates: scapy would take minutes."""

import random
import struct

from scene import Scene, to_bytes

ETHERNET = bytes.fromhex("02650000beef" "02650000cafe" "0800")
SERVER = bytes([198, 51, 100, 90])


def ipv4(source, protocol, payload, identification=0, fragment=0x4000):
    """Source is a number; header checksums are left out, as a NIC would fill them in."""
    return ETHERNET + struct.pack(
        "!BBHHHBBHI", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0, source
    ) + SERVER + payload


def tcp(source_port, seq, flags, data=b"", port=80):
    return struct.pack("!HHIIBBHHH", source_port, port, seq & 0xFFFFFFFF, 1, 0x50, flags, 64240,
                       0, 0) + data


SYN, PUSH_ACK, ACK = 0x02, 0x18, 0x10
SOURCES = 0x0B000000  # 11.0.0.0 and up: nobody's client


def syn_flood(count):
    """SYNs of ever new hosts and ports."""
    for n in range(count):
        yield ipv4(SOURCES + n, 6, tcp(1024 + n % 60000, n * 7919, SYN))


def first_fragments(count):
    """First fragments of datagrams of which nothing more ever comes."""
    payload = tcp(40000, 1, PUSH_ACK, b"GET /" + b"f" * 35)
    for n in range(count):
        yield ipv4(SOURCES + n // 65536, 6, payload[:56], n & 0xFFFF, 0x2000)


def last_fragments(count):
    """Fragments near the end of the largest datagram there can be."""
    for n in range(count):
        yield ipv4(SOURCES + n // 65536, 6, bytes(64), n & 0xFFFF, 8000)


def out_of_order(flows, rounds=2):
    """Every flow begins, and goes on behind a hole that is never filled."""
    for n in range(flows):
        yield ipv4(SOURCES + n, 6, tcp(40000, 999, SYN))
    for turn in range(rounds):
        for n in range(flows):
            yield ipv4(SOURCES + n, 6, tcp(40000, 1100 + turn * 200, PUSH_ACK, b"x" * 100))


def one_byte(flows, rounds):
    """Heads that grow by one byte at a time, on many flows in turn."""
    text = b"GET /a-harmless-path HTTP/1.1\r\nHost: www.example\r\n"
    for turn in range(rounds):
        for n in range(flows):
            yield ipv4(SOURCES + n, 6, tcp(40000, 1000 + turn, PUSH_ACK, text[turn : turn + 1]))


def long_heads(flows, length):
    """Heads of that length, all growing together, none ever ending."""
    begin = b"GET /a-harmless-path HTTP/1.1\r\nHost: www.example\r\nX-Filler: "
    for at in range(0, length, 1400):
        data = (begin if at == 0 else b"").ljust(1400, b"f")
        for n in range(flows):
            yield ipv4(SOURCES + n, 6, tcp(40000, 1000 + at, PUSH_ACK, data))


def million_headers(count):
    """One head of that many headers."""
    text = b"GET /a-harmless-path HTTP/1.1\r\n" + b"a:b\r\n" * count + b"\r\n"
    for at in range(0, len(text), 1400):
        yield ipv4(SOURCES, 6, tcp(40000, 1000 + at, PUSH_ACK, text[at : at + 1400]))


def conflicts(flows, rounds):
    """Segments that contradict each other, on many flows."""
    for turn in range(rounds):
        for n in range(flows):
            for letter in (b"a", b"b"):
                yield ipv4(SOURCES + n, 6, tcp(40000, 1100 + turn * 50, PUSH_ACK, letter * 60))


def http2_connections(flows):
    """Header blocks that are announced and never end."""
    begin = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
             + b"\x00\x40\x00\x01\x00\x00\x00\x00\x01")
    for n in range(flows):
        yield ipv4(SOURCES + n, 6, tcp(40000, 999, SYN))
        yield ipv4(SOURCES + n, 6, tcp(40000, 1000, PUSH_ACK, begin + b"\x40\x01a\x10" + b"v" * 900))


def lies(frames, count):
    """Frames with one to three bytes of their headers changed at random."""
    chance = random.Random(1)
    for n in range(count):
        frame = bytearray(frames[n % len(frames)])
        for _ in range(chance.randint(1, 3)):
            frame[chance.randrange(12, min(len(frame), 120))] = chance.randrange(256)
        yield bytes(frame)


def requests(count, size=1400):
    """One after the other: plain requests for metadata, each of its own client."""
    for n in range(count):
        scene = Scene(n + 1)
        yield [frame for _, frame in to_bytes(scene.frames(scene.conversation(size=size)))]


def among(flood, length, wanted):
    """The flood's frames with whole conversations in between, evenly."""
    wanted = list(wanted)
    every = max(1, length // (len(wanted) + 1))
    for n, frame in enumerate(flood):
        yield frame
        if n % every == every - 1 and wanted:
            yield from wanted.pop(0)
    for conversation in wanted:
        yield from conversation
