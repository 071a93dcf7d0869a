"""Where one HTTP/1 message ends and the next begins, told wrongly or told twice."""

from scene import OK, Pause
from technique import Technique
from techniques.http import GET, said, sent

OTHER = b"GET /other HTTP/1.1\r\nHost: www.example\r\n\r\n"


def post(*headers, target="/upload"):
    lines = ["POST %s HTTP/1.1" % target, "Host: www.example", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data, extension=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


LAST = b"0\r\n\r\n"


def framed(name, summary, data, **more):
    return Technique(name, summary, sent(data), **more)


PIPELINES = [
    framed("http-pipelined", "three requests in one segment, the second asks for metadata",
           OTHER + GET + OTHER),
    Technique("http-pipelined-pieces", "the same in segments of 7 bytes",
              sent(OTHER + GET + OTHER, 7)),
    framed("http-body-then-request", "a body and the next request in one segment",
           post("Content-Length: 5") + b"hello" + GET),
    Technique("http-body-then-request-pieces", "the same in segments of 11 bytes",
              sent(post("Content-Length: 5") + b"hello" + GET, 11)),
    framed("http-chunks-then-request", "chunks, then a request",
           post("Transfer-Encoding: chunked") + chunk(b"hello") + chunk(b"world" * 9) + LAST
           + GET),
    Technique("http-chunks-then-request-pieces", "the same in segments of 3 bytes",
              sent(post("Transfer-Encoding: chunked") + chunk(b"hello") + LAST + GET, 3)),
    framed("http-chunk-extensions", "chunk extensions and trailers, then a request",
           post("Transfer-Encoding: chunked") + chunk(b"hello", b';a="b;c"; d') + b"0;x=y\r\n"
           b"Trailer: t\r\n\r\n" + GET),
    framed("http-chunk-extension-lf", "a bare LF inside a chunk extension, then a request",
           post("Transfer-Encoding: chunked") + b"2;a\n\r\nhi\r\n" + LAST + GET),
    framed("http-chunk-size-padded", "a chunk size with leading zeros and blanks",
           post("Transfer-Encoding: chunked") + b"000000000000000000005 \r\nhello\r\n" + LAST
           + GET),
    Technique("http-chunk-size-overflow", "a chunk size beyond 64 bits, then a request",
              said([post("Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n", GET])),
    framed("http-get-with-body", "a GET with a body, then a request",
           b"GET /a HTTP/1.1\r\nHost: www.example\r\nContent-Length: 3\r\n\r\nabc" + GET),
]

HIDDEN = GET
CONFLICTS = [
    framed("http-cl-te", "Content-Length covers a request that Transfer-Encoding ends before",
           post("Content-Length: %d" % (len(LAST) + len(HIDDEN)), "Transfer-Encoding: chunked")
           + LAST + HIDDEN),
    framed("http-te-cl", "a chunk covers a request that Content-Length ends before",
           post("Content-Length: 4", "Transfer-Encoding: chunked")
           + b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + LAST),
    *[
        framed("http-te-te-%s" % name, "Transfer-Encoding in disguise: " + text,
               post("Content-Length: %d" % (len(LAST) + len(HIDDEN)), header) + LAST + HIDDEN)
        for name, text, header in [
            ("xchunked", "`xchunked`", "Transfer-Encoding: xchunked"),
            ("blank", "a blank before the colon", "Transfer-Encoding : chunked"),
            ("tab", "a tab before the value", "Transfer-Encoding:\tchunked"),
            ("vertical-tab", "a vertical tab before the value", "Transfer-Encoding: \x0bchunked"),
            ("case", "odd case", "tRANSFER-eNCODING: cHUNKED"),
            ("twice", "given twice", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
            ("list", "in a list", "Transfer-Encoding: gzip, chunked"),
            ("quoted", "in quotes", 'Transfer-Encoding: "chunked"'),
            ("folded", "folded", "Transfer-Encoding:\r\n chunked"),
            ("smuggled-lf", "behind a bare LF", "X: y\nTransfer-Encoding: chunked"),
            ("leading-blank", "in a line that begins with a blank", " Transfer-Encoding: chunked"),
        ]
    ],
    framed("http-cl-cl", "two Content-Lengths, the longer one first",
           post("Content-Length: %d" % (5 + len(HIDDEN)), "Content-Length: 5") + b"hello" + HIDDEN),
    framed("http-cl-cl-reversed", "two Content-Lengths, the shorter one first",
           post("Content-Length: 5", "Content-Length: %d" % (5 + len(HIDDEN))) + b"hello" + HIDDEN),
    framed("http-cl-list", "a list of Content-Lengths",
           post("Content-Length: %d, 5" % (5 + len(HIDDEN))) + b"hello" + HIDDEN),
    framed("http-cl-sign", "a Content-Length with a sign",
           post("Content-Length: +5") + b"hello" + HIDDEN),
    framed("http-cl-hex", "a hexadecimal Content-Length",
           post("Content-Length: 0x5") + b"hello" + HIDDEN),
    framed("http-cl-negative", "a negative Content-Length",
           post("Content-Length: -1") + HIDDEN),
    framed("http-cl-zero-length", "Content-Length of 0 with a request behind",
           post("Content-Length: 0") + HIDDEN),
    Technique("http-cl-huge", "Content-Length: 10^12, then a request in a segment of its own",
              said([post("Content-Length: 1000000000000"), b"b" * 3000, GET])),
    Technique("http-cl-overflow", "a Content-Length beyond 64 bits, then a request",
              said([post("Content-Length: 99999999999999999999999"), GET])),
]

UPLOAD = (b"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: aws-cli/2.15.0"
          b"\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n")
TOKEN = dict(
    differs=("http.request.method", "url.original", "url.path"),
    fields={"http.request.method": "PUT", "url.path": "/latest/api/token"},
)
UPGRADE = (b"GET /chat HTTP/1.1\r\nHost: www.example\r\nConnection: Upgrade\r\nUpgrade: websocket"
           b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
UPGRADED = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def answered(head, answer):
    """A first request, an answer with odd framing, then the request for metadata."""
    return said(head, answer, GET, OK)


def slow(scene):
    packets, at = scene.handshake(), 0
    for line in GET.splitlines(keepends=True):
        packets += [scene.segment(at, line), Pause(25)]
        at += len(line)
    return packets + scene.ending(at)


ANSWERS = [
    Technique("http-100-continue", "Expect: 100-continue, and the body after the interim answer",
              said(UPLOAD + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n",
                   b"HTTP/1.1 100 Continue\r\n\r\n", b"body", OK), **TOKEN),
    Technique("http-100-continue-then-request",
              "Expect: 100-continue refused; the request follows instead of the body",
              said(post("Content-Length: 4000", "Expect: 100-continue"),
                   b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", GET, OK)),
    Technique("http-early-answer", "an answer before the end of the body, then a request",
              said([post("Content-Length: 3000"), b"b" * 1000],
                   b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
                   [b"b" * 2000, GET], OK)),
    Technique("http-head-answer", "the answer to HEAD announces a body it does not have",
              answered(OTHER.replace(b"GET", b"HEAD"), b"HTTP/1.1 200 OK\r\n"
                       b"Content-Length: 5000\r\n\r\n")),
    Technique("http-204", "an answer without content that announces some",
              answered(OTHER, b"HTTP/1.1 204 No Content\r\nContent-Length: 5000\r\n\r\n")),
    Technique("http-304", "an answer 304 that announces content",
              answered(OTHER, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n")),
    Technique("http-103", "interim answers 102 and 103 before the answer",
              answered(OTHER, b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                       b"Link: </a>\r\n\r\n" + OK)),
    Technique("http-answer-until-close", "an answer without length, then a request all the same",
              answered(OTHER, b"HTTP/1.0 200 OK\r\n\r\nsome text")),
    Technique("websocket-then-http", "a WebSocket upgrade, then HTTP",
              said(UPGRADE, UPGRADED, GET, OK)),
    Technique("websocket-refused-then-http", "a refused WebSocket upgrade, then HTTP",
              said(UPGRADE, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", GET, OK)),
    Technique("websocket-frames-then-http", "WebSocket frames in between",
              said(UPGRADE, UPGRADED, b"\x81\x85abcd\x09\x07\x0f\x08\x0e", b"\x81\x02hi", GET)),
    Technique("http-upgrade-unknown", "an upgrade to an unknown protocol, then HTTP",
              said(UPGRADE.replace(b"websocket", b"foo/1"), UPGRADED.replace(b"websocket",
                                                                            b"foo/1"), GET)),
    Technique("http-slow", "25 seconds between the lines of the head",
              slow),
]

TECHNIQUES = PIPELINES + CONFLICTS + ANSWERS
