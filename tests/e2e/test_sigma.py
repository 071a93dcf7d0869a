"""Sigma rules on packets: every modifier finds its request in a capture, and what --check tells."""

import json
import struct

import pytest

import harness
from harness import alerts_of, field, read_captures, run

pytestmark = pytest.mark.sanitize


def ipv4_tcp(source, destination, source_port, payload, sequence):
    """One segment in an Ethernet frame; checksums are left out, as on a card that makes them."""
    tcp = struct.pack("!HHIIBBHHH", source_port, 80, sequence, 1, 0x50, 0x18, 65535, 0, 0) + payload
    address = lambda text: bytes(int(part) for part in text.split("."))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 63, 6, 0, address(source),
                     address(destination))
    return bytes.fromhex("020000000002020000000001") + b"\x08\x00" + ip + tcp


REQUESTS = [
    b"GET /latest/user-data HTTP/1.1\r\nHost: intranet.example\r\nUser-Agent: curl/8.5\r\n\r\n",
    b"GET /proxy?u=MTY5LjI1NC4xNjkuMjU0 HTTP/1.1\r\nHost: app.example\r\n\r\n",
    b"GET /run?cmd=x%20/enc HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n",
    b"PUT /v1/token HTTP/1.1\r\nHost: b.example\r\nX-Token-TTL: 90000\r\nX-Token-Kind: a\r\n\r\n",
    b"GET /plain HTTP/1.1\r\nHost: c.example\r\nReferer: http://c.example/\r\n\r\n",
]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Each request from a client of its own, 10.0.0.1 and up, at 2024-01-01T22:15:00Z."""
    path = tmp_path_factory.mktemp("rules") / "requests.pcap"
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, request in enumerate(REQUESTS):
            frame = ipv4_tcp("10.0.0.%d" % (number + 1), "198.51.100.7", 40000 + number, request, 1000)
            out.write(struct.pack("<IIII", 1704147300, number, len(frame), len(frame)) + frame)
    return path


def rule(selection, number=1, more=""):
    return (
        "title: Rule %d\nid: 00000000-0000-4000-8000-%012d\nlevel: high\n%s"
        "logsource: {category: proxy}\ndetection:\n  sel:\n    %s\n    imds.event: http_request\n"
        "  condition: sel\n" % (number, number, more, selection)
    )


CASES = [
    ("url|re: '^/latest/(user|meta)-data$'", [1]),
    ("url|re|i: 'LATEST/(?!meta)'", [1]),
    ("url|base64offset|contains: '169.254.169.254'", [2]),
    ("url|windash|contains: ' -enc'", [3]),
    ("url.domain|cidr: 169.254.0.0/16", [3]),
    ("http.request.header.x-token-ttl|gt: 21600", [4]),
    ("http.request.header.x-token-kind|exists: true", [4]),
    ("cs(X-Token-Kind): A", [4]),
    ("cs-referrer|fieldref|contains: url.domain", [5]),
    ("request_headers|re|m: '^x-token-ttl: \\d{5}$'", []),
    ("request_headers|re|m|i: '^x-token-ttl: \\d{5}$'", [4]),
    ("'@timestamp|hour': 22", [1, 2, 3, 4, 5]),
    ("'@timestamp|hour|lt': 22", []),
    ("source.ip|endswith: '.0.3'", [3]),
    ("source.ip: '10.0.0.*'", [1, 2, 3, 4, 5]),
    ("destination.ip: 3325256711", [1, 2, 3, 4, 5]),
    ("ip.ttl|lte: 63", [1, 2, 3, 4, 5]),
    ("direction: Outbound", [1, 2, 3, 4, 5]),
    ("network.direction: [inbound, internal, external]", []),
    ("user_agent|exists: false", [2, 3, 4, 5]),
]


@pytest.mark.parametrize("selection, clients", CASES)
def test_a_rule_is_found_on_packets(capture, tmp_path, selection, clients):
    path = tmp_path / "rule.yml"
    path.write_text(rule(selection))
    alerts = alerts_of(read_captures(capture, rules=path))
    assert [alert["source"]["ip"] for alert in alerts] == ["10.0.0.%d" % c for c in clients]


def test_all_rules_together_find_what_each_finds(capture, tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text("---\n".join(rule(text, n + 1) for n, (text, _) in enumerate(CASES)))
    alerts = alerts_of(read_captures(capture, rules=path))
    found = sorted((field(a, "rule.name"), field(a, "source.ip")) for a in alerts)
    expected = sorted(
        ("Rule %d" % (n + 1), "10.0.0.%d" % client)
        for n, (_, clients) in enumerate(CASES)
        for client in clients
    )
    assert found == expected


def test_rules_on_requests_may_compare_answers(tmp_path):
    """As public rules for web servers do: keywords, a method and a status to leave out."""
    path = tmp_path / "rule.yml"
    path.write_text(
        "title: Probe\nid: 00000000-0000-4000-8000-000000000001\nlevel: medium\n"
        "logsource: {category: webserver}\ndetection:\n  select: {cs-method: GET}\n"
        "  keywords: ['=<script>', '=%3Cscript%3E']\n  filter: {sc-status: 404}\n"
        "  condition: select and keywords and not filter\n")
    capture = tmp_path / "answers.pcap"
    frames = []
    for number, (query, status) in enumerate([("=<script>", 200), ("=<script>", 404), ("=x", 200)]):
        client, port = "10.0.0.%d" % (number + 1), 40000 + number
        request = b"GET /?a%s HTTP/1.1\r\nHost: a.example\r\n\r\n" % query.encode()
        frames.append(ipv4_tcp(client, "198.51.100.7", port, request, 1000))
        answer = bytearray(ipv4_tcp("198.51.100.7", client, 80,
                                    b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status, 1))
        answer[36:38] = port.to_bytes(2, "big")
        answer[42:46] = (1000 + len(request)).to_bytes(4, "big")
        frames.append(bytes(answer))
    with open(capture, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, frame in enumerate(frames):
            out.write(struct.pack("<IIII", 1704147300, number, len(frame), len(frame)) + frame)
    alerts = alerts_of(read_captures(capture, rules=path))
    assert [(field(a, "source.ip"), field(a, "imds.event"), field(a, "http.response.status_code"),
             field(a, "url.original")) for a in alerts] == [
        ("10.0.0.1", "http_response", 200, "/?a=<script>")]


def test_a_rule_that_singles_out_no_answer_is_refused(tmp_path):
    path = tmp_path / "rule.yml"
    path.write_text(rule("sc-status: 500").replace("    imds.event: http_request\n", ""))
    done = check("--rules", path)
    assert done.returncode == 3
    assert "every answer on the network would have to be read" in done.stderr


def check(*arguments):
    return run(harness.INSPECTOR, "--check", *arguments)


def test_check_tells_index_and_cost_of_each_rule(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(rule("url|re: '/latest/meta'", 1) + "---\n" + rule("user_agent: null", 2))
    text = check("--rules", path)
    assert text.returncode == 0, text.stderr
    assert "strings '/latest/meta'" in text.stdout
    assert "unindexed, every HTTP head is parsed" in text.stdout
    assert "1 rules unindexed" in text.stdout
    report = json.loads(check("--rules", path, "--format", "json").stdout)
    assert report["valid"] is True and report["refused"] == []
    indexed, unindexed = report["rules"]
    assert indexed["index"]["strings"] == ["/latest/meta"]
    assert indexed["cost"]["heads_parsed"] == 0
    assert unindexed["index"]["indexed"] is False and unindexed["cost"]["evaluate_ns"] > 0
    assert unindexed["line"] > 1
    assert report["cost"]["parses_every_head"] is True and report["cost"]["head_ns"] > 0


def test_check_tells_everything_that_is_wrong(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(
        "---\n".join(
            [
                rule("url|re: 'a('", 1),
                rule("url|contains: /good", 2),
                rule("urll: x", 3),
                rule("url: x", 2),
                rule("url: x", 4).replace("proxy", "process_creation"),
            ]
        )
    )
    (tmp_path / "broken.yml").write_text("title: [\n")
    process = check("--rules", tmp_path, "--format", "json")
    assert process.returncode == 3
    report = json.loads(process.stdout)
    assert report["valid"] is False
    assert [r["title"] for r in report["rules"]] == ["Rule 2"]
    assert len(report["skipped"]) == 1
    messages = [r["message"] for r in report["refused"]]
    assert len(messages) == 4
    for part in ["not a regular expression", "unknown field 'urll'; did you mean", "already taken", "not valid YAML"]:
        assert any(part in message for message in messages), part
    text = check("--rules", tmp_path)
    assert text.returncode == 3 and text.stderr.count("error:") == 4
    assert "1 in force, 0 correlations, 0 filters, 1 skipped, 4 refused" in text.stdout
    # Nothing is half-loaded.
    assert read_captures(harness.CAPTURES / "sample.pcapng", rules=tmp_path).returncode == 3


CORRELATION = """title: Many Targets
id: 00000000-0000-4000-8000-000000000101
level: critical
correlation:
  type: value_count
  rules: [first]
  group-by: [source.ip]
  timespan: 5m
  condition: {field: url.path, gte: 12, lt: 40}
"""
FILTER = """title: Lab
id: 00000000-0000-4000-8000-000000000102
logsource: {category: proxy}
filter:
  rules: [first]
  lab: {source.ip|cidr: 10.20.0.0/16}
  condition: not lab
"""


def test_check_tells_correlations_filters_and_what_compiling_took(tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text("---\n".join(
        [rule("url|contains: /first", 1, "name: first\n"), CORRELATION, FILTER, rule("url|re: '/second/[0-9]+'", 2)]))
    cache = tmp_path / "cache"
    configuration = tmp_path / "inspector.yaml"
    configuration.write_text("rules:\n  paths: [%s]\n  fields: %s\n  cache: %s\n"
                             % (rules, harness.ROOT / "conf/fields.yaml", cache))

    def report():
        process = check("--config", configuration, "--format", "json")
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    first = report()
    assert [r["alerts"] for r in first["rules"]] == [False, True]
    (correlation,) = first["correlations"]
    assert correlation["group_capacity"] > 1
    del correlation["group_capacity"]
    assert correlation == {
        "id": "00000000-0000-4000-8000-000000000101", "title": "Many Targets", "level": "critical",
        "file": str(rules), "line": correlation["line"], "type": "value_count",
        "rules": ["00000000-0000-4000-8000-000000000001"], "group_by": ["source.ip"],
        "values_of": ["url.path"], "timespan_seconds": 300, "threshold": {"least": 12, "most": 39},
        "judged_at_end_of_window": True, "alerts": True}
    assert first["filters"] == [{
        "id": "00000000-0000-4000-8000-000000000102", "title": "Lab", "file": str(rules),
        "line": first["filters"][0]["line"], "rules": ["00000000-0000-4000-8000-000000000001"],
        "condition": "remains"}]
    assert 1 < correlation["line"] < first["filters"][0]["line"]
    compiled = first["compiled"]
    assert compiled["databases_compiled"] > 0 and compiled["databases_from_cache"] == 0
    assert compiled["cache_notes"] == [] and compiled["milliseconds"] >= 0
    assert compiled["head_prefilter"]["strings"] == 1 + 1 and compiled["exact"]["regular_expressions"] == 1
    parts = ("head_prefilter", "raw_prefilter", "exact")
    assert compiled["bytes"] == sum(compiled[part]["bytes"] for part in parts) > 0

    again = report()["compiled"]
    assert again["databases_compiled"] == 0
    assert again["databases_from_cache"] == compiled["databases_compiled"]
    assert again["bytes"] == compiled["bytes"]

    for kept in cache.iterdir():
        kept.write_bytes(b"damaged")
    damaged = report()["compiled"]
    assert damaged["databases_compiled"] == compiled["databases_compiled"]
    assert len(damaged["cache_notes"]) == compiled["databases_compiled"]
    assert all("damaged" in note for note in damaged["cache_notes"])


def test_formats_belong_to_their_modes():
    assert check("--format", "ecs").returncode == 2
    assert read_captures(harness.CAPTURES / "sample.pcapng", form="json").returncode == 2
