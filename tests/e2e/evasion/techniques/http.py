"""HTTP/1 as servers take it, not as RFCs have it, and HTTP behind other protocols."""

from scene import AGENT, HOST, OK, PATH, Request
from technique import Technique

HEAD = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n" % (PATH, HOST, AGENT)
NO_HOST = ("url.domain", "user_agent.original")


def sent(data, size=1400):
    """The client sends these bytes instead of the plain head."""
    data = data.encode("latin-1") if isinstance(data, str) else data
    return lambda scene: scene.conversation(data, size)


def said(*turns):
    return lambda scene: scene.dialogue(*turns)


def asked(**more):
    return Request(**more)


def written(name, summary, data, **more):
    return Technique(name, summary, sent(data), **more)


FORMS = [
    written("http-bare-lf", "lines end with LF alone", HEAD.replace("\r", "") + "\n"),
    written("http-mixed-line-ends", "some lines end with CR LF, some with LF",
            HEAD.replace("\r", "", 2) + "\r\n"),
    written("http-obs-fold", "a header folded over two lines",
            HEAD.replace("Host: ", "Host:\r\n ") + "\r\n"),
    written("http-obs-fold-tab", "a header folded with a tab",
            HEAD.replace("Host: ", "Host:\r\n\t") + "\r\n"),
    written("http-blank-before-colon", "a blank between a header's name and its colon",
            HEAD.replace("Host:", "Host :") + "\r\n"),
    written("http-no-blank-after-colon", "no blank behind the colon",
            HEAD.replace(": ", ":") + "\r\n"),
    written("http-header-case", "header names in odd case",
            HEAD.replace("Host", "hOsT").replace("User-Agent", "USER-aGENT") + "\r\n"),
    written("http-duplicate-host", "Host twice, with different values",
            HEAD + "Host: www.example\r\n\r\n", differs=("url.domain",)),
    written("http-duplicate-host-first", "Host twice, the harmless one first",
            HEAD.replace("Host", "Host: www.example\r\nHost") + "\r\n", differs=("url.domain",)),
    written("http-empty-header", "a header without a name and a line without a colon",
            HEAD + ": nothing\r\nnonsense\r\n\r\n"),
    written("http-nul", "NUL bytes in a header", HEAD + "X-Nul: a\0b\r\n\r\n"),
    written("http-high-bytes", "bytes above 127 in a header", HEAD + "X-High: \xff\xfe\r\n\r\n"),
    written("http-many-blanks", "several blanks and tabs in the request line",
            HEAD.replace("GET ", "GET  \t").replace(" HTTP", "\t  HTTP") + "\r\n"),
    written("http-trailing-blanks", "blanks behind the version",
            HEAD.replace("HTTP/1.1", "HTTP/1.1  ") + "\r\n"),
    written("http-leading-blank-lines", "empty lines before the request line",
            "\r\n\r\n\n\r\n" + HEAD + "\r\n"),
    written("http-leading-blanks", "blanks before the method", "  " + HEAD + "\r\n"),
    written("http-0.9", "HTTP/0.9", "GET %s\r\n" % PATH, differs=NO_HOST),
    written("http-1.0", "HTTP/1.0 without Host", "GET %s HTTP/1.0\r\n\r\n" % PATH,
            differs=NO_HOST),
    written("http-version-unknown", "a version that does not exist",
            HEAD.replace("HTTP/1.1", "HTTP/1.9") + "\r\n"),
    written("http-version-case", "the version in lower case",
            HEAD.replace("HTTP/1.1", "http/1.1") + "\r\n"),
    written("http-version-garbage", "no version but a word",
            HEAD.replace("HTTP/1.1", "FOO/x.y") + "\r\n",
            differs=("url.original", "url.path")),
    Technique("http-method-unknown", "a method no RFC knows", sent(HEAD.replace(
        "GET", "FETCHIT") + "\r\n"), request=asked(method="FETCHIT")),
    Technique("http-method-case", "the method in lower case", sent(HEAD.replace(
        "GET", "get") + "\r\n"), request=asked(method="get")),
    Technique("http-method-webdav", "a WebDAV method", sent(HEAD.replace(
        "GET", "PROPFIND") + "\r\n"), request=asked(method="PROPFIND")),
    Technique("http-method-symbols", "a method of symbols", sent(HEAD.replace(
        "GET", "!#$%") + "\r\n"), request=asked(method="!#$%")),
    written("http-oversized-header", "a header of 40 KiB",
            HEAD + "X-Filler: " + "f" * 40960 + "\r\n\r\n"),
    written("http-head-beyond-limit", "a head of 100 KiB, longer than is parsed",
            HEAD + "X-Filler: " + "f" * 102400 + "\r\n\r\n",
            counters={"http_head_anomalies_total{anomaly=too_long}": 1},
            limits="headers beyond `inspect.head_bytes_max` are not read; counted"),
    written("http-many-headers", "3000 headers",
            HEAD + "".join("X-%d: y\r\n" % n for n in range(3000)) + "\r\n"),
    written("http-long-query", "a query of 8 KiB behind the path",
            HEAD.replace(PATH, PATH + "?" + "q" * 8192) + "\r\n", differs=("url.original",)),
    written("http-unfinished", "a head that never ends", HEAD),
    Technique("http-token-header", "a harmless path, and the session token header in odd case",
              sent("GET /x HTTP/1.1\r\nHost: a.example\r\nX-AWS-ec2-Metadata-TOKEN: secret\r\n"
                   "\r\n"),
              request=Request(target="/x", host="a.example", agent="",
                              headers=("X-aws-ec2-metadata-token: secret",)),
              differs=("user_agent.original",)),
    Technique("http-token-header-folded", "the session token header with a folded value",
              sent("GET /x HTTP/1.1\r\nHost: a.example\r\nx-aws-ec2-metadata-token :\r\n secret"
                   "\r\n\r\n"),
              request=Request(target="/x", host="a.example", agent="",
                              headers=("X-aws-ec2-metadata-token: secret",)),
              differs=("user_agent.original",)),
]

PROXIED = Request(target="http://%s%s" % (HOST, PATH))
CONNECT = ("CONNECT %s:80 HTTP/1.1\r\nHost: %s:80\r\n\r\n" % (HOST, HOST)).encode()
CONNECTED = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: p\r\n\r\n"
GET = (HEAD + "\r\n").encode()

SOCKS4 = b"\x04\x01\x00\x50" + bytes([169, 254, 169, 254]) + b"user\0"
SOCKS4A = b"\x04\x01\x00\x50\x00\x00\x00\x01user\0metadata.example\0"
SOCKS4_OK = b"\x00\x5a\x00\x50" + bytes([169, 254, 169, 254])
SOCKS5_HELLO, SOCKS5_CHOICE = b"\x05\x02\x00\x02", b"\x05\x00"
SOCKS5 = b"\x05\x01\x00\x01" + bytes([169, 254, 169, 254]) + b"\x00\x50"
SOCKS5_NAME = b"\x05\x01\x00\x03\x10metadata.example\x00\x50"
SOCKS5_OK = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"

BEHIND = [
    Technique("http-absolute-form", "absolute form, to a proxy",
              sent(HEAD.replace(PATH, "http://%s%s" % (HOST, PATH)) + "\r\n"), request=PROXIED),
    Technique("http-absolute-form-other-host", "absolute form with another Host header",
              sent(HEAD.replace(PATH, "http://%s%s" % (HOST, PATH)).replace(
                  "Host: " + HOST, "Host: www.example") + "\r\n"), request=PROXIED),
    Technique("http-absolute-form-scheme-case", "absolute form with HTTP:// and a port",
              sent(HEAD.replace(PATH, "HTTP://%s:80%s" % (HOST, PATH)) + "\r\n"), request=PROXIED,
              differs=("url.original",)),
    Technique("http-connect", "CONNECT, then HTTP in the tunnel",
              said(CONNECT, CONNECTED, GET, OK)),
    Technique("http-connect-eager", "CONNECT and the request inside it in one segment",
              said(CONNECT + GET, CONNECTED + OK)),
    Technique("http-connect-twice", "CONNECT through two proxies, then HTTP",
              said(CONNECT, CONNECTED, CONNECT, CONNECTED, GET, OK)),
    Technique("socks4", "SOCKS4, then HTTP", said(SOCKS4, SOCKS4_OK, GET, OK)),
    Technique("socks4a", "SOCKS4a, then HTTP", said(SOCKS4A, SOCKS4_OK, GET, OK)),
    Technique("socks5", "SOCKS5, then HTTP",
              said(SOCKS5_HELLO, SOCKS5_CHOICE, SOCKS5, SOCKS5_OK, GET, OK)),
    Technique("socks5-name", "SOCKS5 with a name and a password, then HTTP",
              said(SOCKS5_HELLO, b"\x05\x02", b"\x01\x04user\x04pass", b"\x01\x00",
                   SOCKS5_NAME, SOCKS5_OK, GET, OK)),
    Technique("socks5-eager", "SOCKS5 and the request in one segment",
              said(SOCKS5_HELLO + SOCKS5 + GET, SOCKS5_CHOICE + SOCKS5_OK + OK)),
    Technique("proxy-protocol", "the PROXY protocol's line, then HTTP",
              said(b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 80\r\n" + GET, OK)),
    Technique("proxy-protocol-2", "the PROXY protocol version 2, then HTTP",
              said(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x0a\0\0\1\x0a\0\0\2\x12\x67\0\x50"
                   + GET, OK)),
    Technique("http-over-udp", "a request in a UDP datagram",
              lambda scene: [scene.udp(scene.request.head())], differs=("network.transport",)),
]

TECHNIQUES = FORMS + BEHIND
