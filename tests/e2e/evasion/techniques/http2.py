"""HTTP/2 without TLS; frames by python3-hyperframe, header blocks by python3-hpack."""

import hpack
from hyperframe.frame import (
    ContinuationFrame, DataFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame,
    SettingsFrame, WindowUpdateFrame,
)

from scene import AGENT, HOST, PATH
from technique import Technique
from techniques.http import (
    CONNECT, CONNECTED, SOCKS5, SOCKS5_CHOICE, SOCKS5_HELLO, SOCKS5_OK,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = SettingsFrame(0, settings={4: 65535}).serialize()
ACK = SettingsFrame(0, flags=["ACK"]).serialize()
UNKNOWN = b"\x00\x00\x06\xb7\x55\x00\x00\x00\x00grease"  # of a type nobody has defined
BEGIN = PREFACE + SETTINGS


def headers(path=PATH, method="GET", authority=HOST, more=()):
    return [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path),
            ("user-agent", AGENT), ("accept", "*/*"), *more]


HARMLESS = headers("/harmless", authority="www.example")


def block(fields, encoder=None, huffman=True):
    return (encoder or hpack.Encoder()).encode(fields, huffman=huffman)


def request(encoded, stream=1, flags=("END_HEADERS", "END_STREAM"), **fields):
    return HeadersFrame(stream, data=encoded, flags=list(flags), **fields).serialize()


def answer(stream=1):
    encoded = hpack.Encoder().encode([(":status", "200"), ("content-length", "2")])
    return (SETTINGS + ACK
            + HeadersFrame(stream, data=encoded, flags=["END_HEADERS"]).serialize()
            + DataFrame(stream, data=b"ok", flags=["END_STREAM"]).serialize())


def sent(*parts, size=1400):
    """A connection whose client sends the preface and these frames."""
    data = BEGIN + b"".join(parts)
    return lambda scene: (scene.handshake() + scene.segments(data, size)
                          + [scene.answer(0, answer(), asked=len(data)),
                             scene.segment(len(data), flags="FA", answered=len(answer()))])


def frame(encoded, size):
    """HEADERS and as many CONTINUATION frames as pieces of that size need."""
    pieces = [encoded[at : at + size] for at in range(0, len(encoded), size)]
    made = [request(pieces[0], flags=["END_STREAM"])]
    for piece in pieces[1:-1]:
        made.append(ContinuationFrame(1, data=piece).serialize())
    return b"".join(made + [
        ContinuationFrame(1, data=pieces[-1], flags=["END_HEADERS"]).serialize()])


def dynamic_table():
    """The second request names what the first has entered in the table."""
    encoder = hpack.Encoder()
    first = block(headers("/latest/meta-data/"), encoder)
    second = block(headers("/latest/meta-data/"), encoder)
    assert len(second) < 10
    return [request(first), request(second, 3)]


def table_resized():
    encoder = hpack.Encoder()
    first = block(HARMLESS, encoder)
    encoder.header_table_size = 0
    encoder.header_table_size = 100
    return [request(first), request(block(headers(), encoder), 3)]


def reversed_segments(scene):
    data = BEGIN + request(block(headers()))
    return (scene.handshake() + scene.segments(data, 16)[::-1]
            + [scene.answer(0, answer(), asked=len(data))])


def mid_stream(scene):
    """The preface is not in the capture, and the block names the table's entries."""
    encoder = hpack.Encoder()
    before = BEGIN + request(block(headers(), encoder))
    data = b"".join(request(block(headers(), encoder), stream) for stream in (3, 5, 7))
    return [scene.segment(len(before), data, answered=200),
            scene.answer(200, answer(3), asked=len(before) + len(data)),
            scene.segment(len(before) + len(data), ACK + PingFrame(0, opaque_data=b"12345678")
                          .serialize(), answered=200 + len(answer(3)))]


def behind(*turns, first=BEGIN):
    return lambda scene: scene.dialogue(*turns, first + request(block(headers())), answer())


UPGRADE = ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: Upgrade, HTTP2-Settings"
           "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def upgraded(path, host):
    asked = (UPGRADE % (path, host, AGENT)).encode()
    return lambda scene: scene.dialogue(
        asked, UPGRADED + answer(1), BEGIN + request(block(headers()), 3), answer(3))


def h2(name, summary, *parts, size=1400, **more):
    return Technique(name, summary, sent(*parts, size=size), **more)


TECHNIQUES = [
    h2("http2-prior-knowledge", "HTTP/2 from the first byte, header values in Huffman code",
       request(block(headers()))),
    h2("http2-literal", "header values as they are", request(block(headers(), huffman=False))),
    h2("http2-one-byte", "segments of one byte", request(block(headers())), size=1),
    Technique("http2-reversed", "segments in reverse order", reversed_segments),
    h2("http2-dynamic-table", "a second request that only names entries of the dynamic table",
       *dynamic_table(), alerts=("http_request",) * 2,
       differs=("url.original", "url.path")),
    h2("http2-table-resized", "the dynamic table made smaller in between", *table_resized()),
    h2("http2-never-indexed", "header fields that must not be indexed",
       request(block([hpack.NeverIndexedHeaderTuple(*field) for field in headers()]))),
    h2("http2-continuation", "the header block in CONTINUATION frames of 5 bytes",
       frame(block(headers()), 5)),
    h2("http2-continuation-one-byte", "CONTINUATION frames of one byte",
       frame(block(headers(), huffman=False), 1)),
    h2("http2-padded", "padding and priority in the HEADERS frame",
       request(block(headers()), flags=["END_HEADERS", "END_STREAM", "PADDED", "PRIORITY"],
               pad_length=99, depends_on=0, stream_weight=7)),
    h2("http2-other-frames", "PRIORITY, PING, WINDOW_UPDATE and unknown frames in front",
       PriorityFrame(9, depends_on=0, stream_weight=3).serialize(),
       PingFrame(0, opaque_data=b"12345678").serialize(),
       WindowUpdateFrame(0, window_increment=1000).serialize(),
       UNKNOWN,
       request(block(headers()))),
    h2("http2-later-stream", "the request is the 20th of its connection",
       *[request(block(HARMLESS), stream) for stream in range(1, 40, 2)],
       request(block(headers()), 41)),
    h2("http2-reset", "the stream is reset at once", request(block(headers())),
       RstStreamFrame(1, error_code=8).serialize()),
    h2("http2-after-body", "a request with a body of 40 KiB in front, padded",
       request(block(headers("/upload", "POST", "www.example")), flags=["END_HEADERS"]),
       *[DataFrame(1, data=b"u" * 10000, flags=["PADDED"], pad_length=200).serialize()
         for _ in range(4)],
       DataFrame(1, flags=["END_STREAM"]).serialize(), request(block(headers()), 3)),
    h2("http2-long-block", "a header block of 24 KiB around the path",
       request(block(headers(more=[("x-filler-%d" % n, "f" * 1000) for n in range(12)]),
                     huffman=False), flags=["END_STREAM"]),
       ContinuationFrame(1, data=block([("x-more-%d" % n, "f" * 1000) for n in range(12)],
                                       huffman=False), flags=["END_HEADERS"]).serialize()),
    h2("http2-disguised-path", "a percent-encoded path with dot segments",
       request(block(headers("/x/..//%6catest/%6deta-data/iam/security-credentials/"))),
       differs=("url.original",)),
    h2("http2-token-header", "a harmless path and the token header",
       request(block(headers("/x", authority="www.example",
                             more=[("x-aws-ec2-metadata-token", "secret")]))),
       differs=("url.original", "url.path", "url.domain")),
    h2("http2-put", "PUT for a session token",
       request(block(headers("/latest/api/token", "PUT", more=[
           ("x-aws-ec2-metadata-token-ttl-seconds", "60")]))),
       differs=("http.request.method", "url.original", "url.path"),
       fields={"http.request.method": "PUT", "url.path": "/latest/api/token"}),
    h2("http2-host-header", "Host instead of :authority",
       request(block([f if f[0] != ":authority" else ("host", HOST) for f in headers()]))),
    Technique("http2-upgrade", "h2c upgrade by a harmless request, then the request",
              upgraded("/x", "www.example")),
    Technique("http2-upgrade-request", "h2c upgrade by the request itself, which comes again",
              upgraded(PATH, HOST), alerts=("http_request",) * 2),
    Technique("http2-after-connect", "HTTP/2 in a CONNECT tunnel", behind(CONNECT, CONNECTED)),
    Technique("http2-after-socks", "HTTP/2 behind SOCKS5",
              behind(SOCKS5_HELLO, SOCKS5_CHOICE, SOCKS5, SOCKS5_OK)),
    Technique("http2-mid-stream", "the capture begins inside an HTTP/2 connection", mid_stream,
              alerts=(), counters={"http2_blind_connections_total": 1},
              limits="not readable: the dynamic table is not known; counted"),
    Technique("http2-mid-stream-endpoint", "the same, with the address itself", mid_stream,
              endpoint=True, alerts=(), events=frozenset({"http2_mid_stream"}),
              limits="the request is not readable; the connection and the event are"),
]
