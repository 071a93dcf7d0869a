"""Sigma rules in numbers, as large public collections have them: paths of known attacks, user agents
of tools, names of bad hosts, addresses, some headers, keywords and regular expressions.

The same number always gives the same rules. None of them hits a trace of perf/traces: only what
looking for them costs is wanted. Like in the collections, many name what ordinary heads hold too
(".php?", "GET", "Mozilla/5.0 ("), beside something that they do not.
"""
import random
import uuid

RULES_PER_FILE = 200
_ONSETS = ["b", "br", "c", "cr", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n",
           "p", "pr", "qu", "r", "s", "sk", "st", "t", "tr", "v", "w", "x", "z"]
_NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "oo", "ou", "y"]
_CODAS = ["", "", "b", "ck", "d", "ft", "g", "l", "lt", "m", "n", "nd", "r", "rk", "s", "st", "t", "x"]
_FOLDERS = ["/wp-content/plugins/", "/cgi-bin/", "/admin/", "/api/v2/", "/owa/auth/", "/ecp/",
            "/remote/", "/vpns/portal/", "/solr/", "/manager/html/", "/actuator/", "/struts2/"]
_SUFFIXES = [".php", ".aspx", ".jsp", ".cgi", ".exe", ".ps1", ".dll", ".zip", ".hta", ".sh"]
_TOP_LEVEL = [".top", ".xyz", ".club", ".info", ".biz", ".ru", ".cn", ".icu", ".online", ".stream"]
_BROWSERS = ["Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; %s)",
             "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:29.0) Gecko/20100101 %s/29.0",
             "Mozilla/5.0 (compatible; %s/2.1; +http://%s.example/bot)", "%s", "%s/1.0"]


class _Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self, syllables=None):
        some = self.random.choice
        count = syllables or self.random.randint(1, 3)
        return "".join(some(_ONSETS) + some(_NUCLEI) + some(_CODAS) for _ in range(count))

    def path(self):
        some = self.random.choice
        return some(_FOLDERS) + self.word() + some(["/", "-", "_", ""]) + self.word() + some(_SUFFIXES)

    def host(self):
        some = self.random.choice
        return self.word() + some(["", "-", "."]) + self.word() + some(_TOP_LEVEL)

    def agent(self):
        shape = self.random.choice(_BROWSERS)
        return shape % tuple(self.word(2) for _ in range(shape.count("%s")))

    def address(self):
        # Not those of the traces, but a tenth are near their servers' (198.51.0.0/18).
        first = self.random.choice([5, 31, 45, 89, 103, 141, 176, 185, 193, 198])
        second = 51 if first == 198 else self.random.randint(1, 254)
        return "%d.%d.%d.%d" % (first, second, self.random.randint(64, 254), self.random.randint(1, 254))

    def network(self):
        return self.address().rsplit(".", 1)[0] + ".0/24"

    def several(self, make, least, most):
        return [make() for _ in range(self.random.randint(least, most))]


def _quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _values(texts):
    return "".join("\n      - " + _quoted(text) for text in texts)


# Each gives a detection.

def _paths(w):
    return "  selection:\n    c-uri|contains:%s\n  condition: selection\n" % _values(w.several(w.path, 1, 5))


def _path_and_method(w):
    return ("  selection:\n    cs-method: %s\n    c-uri|contains|all:\n      - '.php?'\n      - %s\n"
            "  condition: selection\n" % (w.random.choice(["GET", "POST", "PUT"]), _quoted("=" + w.word() + "%00")))


def _agents(w):
    modifier = w.random.choice(["", "|contains", "|startswith", "|endswith"])
    return "  selection:\n    c-useragent%s:%s\n  condition: selection\n" % (
        modifier, _values(w.several(w.agent, 1, 6)))


def _hosts(w):
    modifier = w.random.choice(["", "|endswith", "|contains"])
    return "  selection:\n    cs-host%s:%s\n  condition: selection\n" % (
        modifier, _values(w.several(w.host, 2, 20)))


def _host_and_filter(w):
    return ("  selection_uri:\n    c-uri|endswith:%s\n  selection_host:\n    cs-host|endswith:%s\n"
            "  filter_main_local:\n    dst_ip|cidr:\n      - 10.0.0.0/8\n      - 192.168.0.0/16\n"
            "  filter_main_known:\n    c-useragent|contains: %s\n"
            "  condition: all of selection_* and not 1 of filter_main_*\n"
            % (_values(w.random.sample(_SUFFIXES, 3)), _values(w.several(w.host, 2, 8)), _quoted(w.word(3))))


def _addresses(w):
    return "  selection:\n    dst_ip:%s\n  condition: selection\n" % _values(w.several(w.address, 1, 12))


def _networks(w):
    return ("  selection:\n    dst_ip|cidr:%s\n    dst_port:\n      - 443\n      - %d\n  condition: selection\n"
            % (_values(w.several(w.network, 1, 4)), w.random.randint(1024, 65535)))


def _header(w):
    field, value = w.random.choice([("cs-cookie|contains", w.word(2) + "="), ("cs-referer|contains", w.host()),
                                    ("request_headers|contains", "X-" + w.word().title() + ": ")])
    return "  selection:\n    %s: %s\n    cs-method: GET\n  condition: selection\n" % (field, _quoted(value))


def _keywords(w):
    return "  keywords:%s\n  filter:\n    cs-method: HEAD\n  condition: keywords and not filter\n" % (
        _values(w.several(lambda: w.random.choice(["${", "=cmd+", "../", "%24%7b"]) + w.word(), 3, 12)
                ).replace("\n      ", "\n    "))


def _expression(w):
    pattern = w.random.choice([
        r"/%s/[0-9a-f]{8,32}\.(?:php|jsp|aspx)\?id=\d+", r"(?i)\/%s\/\w+\.(zip|rar|7z)$",
        r"^/%s(?:/[a-z]{2,8}){2,4}/?$", r"%s=[A-Za-z0-9+/]{40,}={0,2}(?:&|$)"]) % w.word(3)
    return "  selection:\n    c-uri|re: %s\n  condition: selection\n" % _quoted(pattern).replace("\\\\", "\\")


# How many of a hundred.
_SHAPES = ([_paths] * 30 + [_path_and_method] * 10 + [_agents] * 14 + [_hosts] * 12 + [_host_and_filter] * 8
           + [_addresses] * 8 + [_networks] * 4 + [_header] * 5 + [_keywords] * 4 + [_expression] * 5)
_FIREWALL = (_addresses, _networks)


def rule(number):
    writer = _Writer(number)
    shape = _SHAPES[number % len(_SHAPES)]
    return ("title: %s %s\nid: %s\nstatus: test\ndescription: Generated\nlevel: %s\n"
            "logsource:\n  category: %s\ndetection:\n%s"
            % (writer.word().title(), writer.word().title(), uuid.UUID(int=(0x1A55 << 112) + number),
               writer.random.choice(["low", "medium", "high"]),
               "firewall" if shape in _FIREWALL else writer.random.choice(["proxy", "webserver"]), shape(writer)))


def write_rules(folder, count):
    """`count` rules in files of the folder, which is there already."""
    for begin in range(0, count, RULES_PER_FILE):
        numbers = range(begin, min(begin + RULES_PER_FILE, count))
        (folder / f"generated-{begin:05}.yml").write_text("---\n".join(rule(n) for n in numbers))
