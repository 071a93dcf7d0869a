"""HTTP behind something that looks like another protocol, and rules' strings in no protocol."""

from scene import OK, PATH, Pause
from technique import Technique
from techniques.http import GET, said

HELLO = (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(32)) + b"\x20"
         + bytes(range(32)) + b"\x00\x02\x13\x01\x01\x00" + b"\x00\x79" + bytes(121))
SSH = b"SSH-2.0-OpenSSH_9.2p1\r\n"
SECRET = b"\x00\x01\x02 fetch http://169.254.169.254%s now \xff\xfe" % PATH.encode()


def split(data, size):
    return lambda scene: (scene.handshake() + scene.segments(data, size)
                          + scene.ending(len(data)))


def raw(name, summary, build, **more):
    return Technique(name, summary, build, **{"alerts": ("raw_match",), **more})


def by_server(scene):
    """The side that listens sends the request."""
    head = scene.request.head()
    return scene.handshake() + [
        scene.answer(0, head), scene.segment(0, OK, answered=len(head)),
        scene.segment(len(OK), flags="FA", answered=len(head)),
    ]


def long_silence(scene):
    """An opaque connection, silent for a long time, then HTTP."""
    return (scene.handshake() + [scene.segment(0, b"\x01\x02\x03\x04"), Pause(250),
                                 scene.segment(4, scene.request.head())]
            + scene.ending(4 + len(scene.request.head())))


TECHNIQUES = [
    Technique("tls-lookalike", "a TLS ClientHello, then HTTP in the clear",
              said([HELLO, GET], OK)),
    Technique("tls-lookalike-answered", "a TLS handshake's look, then HTTP in the clear",
              said(HELLO, b"\x16\x03\x03\x00\x04\x02\x00\x00\x00", GET, OK)),
    Technique("tls-lookalike-record", "TLS records of application data, then HTTP",
              said([HELLO, b"\x17\x03\x03\x00\x10" + bytes(16), GET], OK)),
    Technique("tls-lookalike-far", "100 KiB of TLS records, then HTTP",
              said([HELLO] + [b"\x17\x03\x03\x05\x73" + bytes(1395)] * 75 + [GET], OK)),
    Technique("ssh-lookalike", "an SSH banner, then HTTP", said([SSH, GET], OK)),
    Technique("ssh-lookalike-answered", "SSH banners of both sides, then HTTP",
              said(SSH, SSH, bytes(600), bytes(600), GET, OK)),
    Technique("smtp-lookalike", "an SMTP dialogue, then HTTP",
              said(b"EHLO a.example\r\n", b"250 b.example\r\n", GET, OK)),
    Technique("binary-then-http", "a few unknown bytes, then HTTP in a segment of its own",
              said([b"\x01\x02\x03\x04", GET], OK)),
    Technique("binary-far-then-http", "100 KiB of unknown bytes, then HTTP",
              said([bytes(range(256)) * 400, GET], OK)),
    Technique("binary-silence-then-http", "unknown bytes, four minutes of silence, then HTTP",
              long_silence),
    raw("raw-string", "a rule's string in an unknown protocol", split(SECRET, 1400)),
    raw("raw-string-split", "the string split over segments of 7 bytes", split(SECRET, 7)),
    raw("raw-string-one-byte", "the string in segments of one byte", split(SECRET, 1)),
    raw("raw-string-late", "the string behind 3000 other bytes, split",
        split(bytes(3000) + SECRET, 500)),
    raw("raw-string-same-segment", "unknown bytes and a request in one segment",
        split(b"\x01\x02\x03\x04" + GET, 1400)),
    raw("raw-string-beyond-depth", "the string behind 100 KiB of other bytes, split",
        split(bytes(102400) + SECRET[:40] + SECRET[40:], 1024), alerts=(),
        limits="not found beyond `inspect.raw_scan_bytes`, unless a segment begins with it"),
    Technique("http-from-server", "the listening side sends the request", by_server,
              differs=("source.ip", "source.port", "destination.ip", "destination.port")),
]
