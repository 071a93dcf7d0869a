"""Request-targets and hosts that mean something else than they look like."""

from scene import Request
from technique import Technique

PLAIN = Request(target="/latest/meta-data/iam/info")


def path(name, summary, target, **more):
    head = Request(target=target).head()
    return Technique("path-" + name, summary, lambda scene: scene.conversation(head),
                     request=PLAIN, **{"differs": ("url.original",), **more})


def host(name, summary, written, **more):
    head = Request(target=PLAIN.target, host=written).head()
    return Technique("host-" + name, summary, lambda scene: scene.conversation(head),
                     request=PLAIN, **more)


def url(name, summary, written, **more):
    """The host stands in an absolute request-target; the Host header names the proxy."""
    head = Request(target=written, host="proxy.example:3128").head()
    return Technique("url-" + name, summary, lambda scene: scene.conversation(head),
                     request=PLAIN, **{"differs": ("url.original",), **more})


def encoded(text, times):
    for _ in range(times):
        text = "".join("%%%02x" % ord(c) for c in text)
    return text


PATHS = [
    path("encoded-letter", "one letter percent-encoded", "/%6catest/meta-data/iam/info"),
    path("encoded-upper", "upper-case hexadecimal digits", "/latest/m%65ta%2Ddata/i%61m/info"),
    path("encoded-all", "every letter encoded", "/" + encoded("latest/meta-data/iam/info", 1)),
    path("encoded-slash", "slashes encoded", "/latest%2fmeta-data%2Fiam%2finfo"),
    path("encoded-first-slash", "the first slash encoded", "%2flatest/meta-data/iam/info"),
    path("encoded-twice", "encoded twice", "/latest/%256deta-data/iam/info"),
    path("encoded-twice-all", "every letter encoded twice",
         "/" + encoded("latest", 2) + "/" + encoded("meta-data", 2) + "/iam/info"),
    path("encoded-three-times", "encoded three times", "/latest/%25256deta-data/iam/info"),
    path("encoded-percent-u", "%u with four digits", "/latest/%u006deta-data/iam/info"),
    path("encoded-percent-u-slash", "a slash as %u002f", "/latest%u002fmeta-data/iam/info"),
    path("encoded-percent-u-upper", "%U in upper case", "/latest/%U006Deta-data/iam/info",),
    path("encoded-invalid", "an invalid sequence in front",
         "/%zz/../latest/meta-data/iam/info"),
    path("encoded-cut", "a cut sequence behind the path", "/latest/meta-data/iam/info%",
         differs=("url.original", "url.path")),
    path("encoded-overlong", "an overlong UTF-8 slash",
         "/latest%c0%afmeta-data/iam/info", differs=("url.original",)),
    path("encoded-full-width", "full-width letters in UTF-8",
         "/latest/%ef%bd%8deta-data/iam/info"),
    path("double-slash", "two slashes in front", "//latest/meta-data/iam/info"),
    path("many-slashes", "many slashes everywhere", "////latest///meta-data//iam////info"),
    path("dot-segment", "/./ in the path", "/latest/./meta-data/././iam/info"),
    path("dot-dot-segment", "/../ in the path", "/x/../latest/y/z/../../meta-data/iam/info"),
    path("dot-dot-beyond-root", "more /../ than there are segments",
         "/../../../latest/meta-data/iam/info"),
    path("dot-dot-encoded", "encoded dots", "/x/%2e%2e/latest/%2e/meta-data/iam/info"),
    path("dot-dot-encoded-twice", "dots and slashes encoded twice",
         "/x%252f%252e%252e%252flatest/meta-data/iam/info"),
    path("backslash", "backslashes for slashes", "\\latest\\meta-data\\iam\\info"),
    path("backslash-encoded", "encoded backslashes", "/latest%5cmeta-data%5Ciam/info"),
    path("backslash-dots", "dot segments with backslashes", "/x\\..\\latest/meta-data/iam/info"),
    path("parameters", "matrix parameters behind segments",
         "/latest;a=b/meta-data;jsessionid=1/iam/info"),
    path("parameters-dots", "/..;/ as some application servers take it",
         "/x/..;/latest/meta-data/iam/info"),
    path("fragment", "a fragment behind the path", "/latest/meta-data/iam/info#top"),
    path("query", "a query behind the path", "/latest/meta-data/iam/info?a=b"),
    path("query-marks", "several question marks", "/latest/meta-data/iam/info??x"),
    path("upper-case", "the path in upper case", "/LATEST/Meta-Data/IAM/Info",
         differs=("url.original", "url.path")),
    path("nul", "an encoded NUL behind the path", "/latest/meta-data/iam/info%00.html",
         differs=("url.original", "url.path")),
    path("tab", "an encoded tab inside the path", "/latest/%09meta-data/iam/info",
         alerts=(), limits="not found: no known server drops it"),
    path("no-slash", "no slash in front", "latest/meta-data/iam/info",
         differs=("url.original", "url.path")),
    path("everything", "all of it together",
         "/x//%2e%2e\\./%256catest;v=1//%6Deta-data%2f./iam/%u0069nfo#f"),
]

NUMBERS = [
    ("decimal", "one decimal number", "2852039166"),
    ("hex", "one hexadecimal number", "0xA9FEA9FE"),
    ("octal", "one octal number", "025177524776"),
    ("dotted-octal", "octal octets", "0251.0376.0251.0376"),
    ("dotted-octal-padded", "octal octets with more zeros", "0000251.00376.000251.0376"),
    ("dotted-hex", "hexadecimal octets", "0xa9.0xfe.0xa9.0xfe"),
    ("mixed", "octets in different bases", "169.0xfe.0251.254"),
    ("two-parts", "two parts", "169.16689662"),
    ("three-parts", "three parts", "169.254.43518"),
    ("three-parts-mixed", "three parts in different bases", "0xa9.0376.43518"),
    ("overflowing-octets", "octets beyond 255", "425.510.425.510"),
    ("overflowing-number", "a number beyond 32 bits", "7147006462"),
    ("trailing-dot", "a dot behind", "169.254.169.254."),
    ("port", "a port", "169.254.169.254:80"),
    ("encoded", "percent-encoded digits", "%31%36%39.254.169.254"),
    ("mapped-ipv6", "an IPv4-mapped IPv6 address", "[::ffff:a9fe:a9fe]"),
    ("mapped-ipv6-dotted", "the same with dots", "[::ffff:169.254.169.254]"),
    ("mapped-ipv6-long", "the same written out", "[0:0:0:0:0:ffff:a9fe:a9fe]"),
    ("mapped-ipv6-port", "the same with a port", "[::FFFF:A9FE:A9FE]:80"),
    ("compatible-ipv6", "an IPv4-compatible IPv6 address", "[::a9fe:a9fe]"),
    ("nat64", "the NAT64 prefix", "[64:ff9b::a9fe:a9fe]"),
    ("nip-io", "a nip.io name", "169.254.169.254.nip.io"),
    ("nip-io-prefix", "a nip.io name with words in front", "www.example.169.254.169.254.nip.io"),
    ("nip-io-dashes", "a nip.io name with dashes", "app-169-254-169-254.nip.io"),
    ("nip-io-hex", "a nip.io name in hexadecimal", "a9fea9fe.nip.io"),
    ("nip-io-case", "a nip.io name in capitals, with a dot behind", "169.254.169.254.NIP.IO."),
    ("sslip-io", "an sslip.io name", "169-254-169-254.sslip.io"),
    ("xip-io", "an xip.io name", "169.254.169.254.xip.io"),
]

HOSTS = [host(name, text + ", in Host", written) for name, text, written in NUMBERS]
URLS = [
    url(name, text + ", in an absolute target", "http://%s/latest/meta-data/iam/info" % written)
    for name, text, written in NUMBERS
] + [
    url("userinfo", "a user in front of the host",
        "http://www.example@169.254.169.254/latest/meta-data/iam/info"),
    url("userinfo-password", "a user and a password",
        "http://www.example:80@169.254.169.254/latest/meta-data/iam/info"),
    url("userinfo-twice", "two signs @",
        "http://a@www.example@169.254.169.254/latest/meta-data/iam/info"),
    url("userinfo-encoded", "an encoded slash in the user",
        "http://www.example%2f@169.254.169.254/latest/meta-data/iam/info"),
    url("scheme-case", "the scheme in capitals",
        "HTTP://169.254.169.254/latest/meta-data/iam/info"),
    url("scheme-backslashes", "backslashes behind the scheme",
        "http:\\\\169.254.169.254\\latest\\meta-data\\iam\\info"),
    url("scheme-many-slashes", "many slashes behind the scheme",
        "http:////169.254.169.254/latest/meta-data/iam/info"),
    url("scheme-missing", "no scheme", "//169.254.169.254/latest/meta-data/iam/info",
        differs=("url.original", "url.path", "url.domain")),
    url("fragment", "a fragment behind", "http://169.254.169.254/latest/meta-data/iam/info#a@b"),
]

TECHNIQUES = PATHS + HOSTS + URLS
