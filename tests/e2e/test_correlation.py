"""Correlation rules and Sigma filters, from files to alerts."""

import ipaddress
import re
import struct

import pytest

import harness
from harness import alerts_of, field, read_captures, run

pytestmark = pytest.mark.sanitize

CORRELATIONS = harness.ROOT / "conf/correlations"
CLIENT = "10.8.0.1"
OTHER = "10.8.0.2"


def datagram(source, destination, payload, port=40000):
    """An HTTP request in a UDP datagram, the shortest way to an http_request event."""
    udp = struct.pack("!HHHH", port, 80, 8 + len(payload), 0) + payload
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
        ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed,
    )
    return bytes.fromhex("020000000002020000000001") + b"\x08\x00" + ip + udp


def request(path, source=CLIENT, destination=harness.IMDS4, agent="curl/8"):
    head = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n" % (path, destination, agent)
    return datagram(source, destination, head.encode())


def write_capture(path, packets):
    """packets: (seconds, bytes) in order."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for seconds, frame in packets:
            microseconds = round(seconds * 1_000_000)
            out.write(struct.pack(
                "<IIII", 1_700_000_000 + microseconds // 1_000_000, microseconds % 1_000_000,
                len(frame), len(frame)))
            out.write(frame)
    return path


def base_rule(name, path, more="level: low"):
    return """title: Rule {0}
id: 00000000-0000-4000-8000-0000000000{1:02x}
name: {0}
{3}
logsource: {{category: network}}
detection: {{s: {{'url|contains': {2}}}, condition: s}}
---
""".format(name, sum(map(ord, name)) % 256, path, more)


BASES = base_rule("first", "/first") + base_rule("second", "/second") + base_rule("third", "/third")


def correlation(section, more="level: high"):
    return "title: Together\nid: 00000000-0000-4000-8000-000000001000\n%s\ncorrelation: {%s}\n" % (
        more, section)


def rules_file(tmp_path, text):
    path = tmp_path / "rules.yml"
    path.write_text(text)
    return path


def titles(tmp_path, rules, packets, more=()):
    """Titles and times of the alerts that the packets raise."""
    capture = write_capture(tmp_path / "c.pcap", packets)
    alerts = alerts_of(read_captures(capture, rules=rules_file(tmp_path, rules), more=more))
    return [
        (alert["rule"]["name"],
         re.search(r"T\d\d:(\d\d):(\d\d)", alert["@timestamp"]).groups())
        for alert in alerts
    ]


def names(tmp_path, rules, packets):
    return [name for name, _ in titles(tmp_path, rules, packets)]


def enumeration(paths, step=20.0, source=CLIENT):
    return [(i * step, request("/latest/meta-data/%d" % i, source)) for i in range(paths)]


def test_the_shipped_enumeration(tmp_path):
    rules = CORRELATIONS / "imds_enumeration.yml"
    enough = write_capture(tmp_path / "enough.pcap", enumeration(12))
    first = read_captures(enough, rules=rules)
    alerts = alerts_of(first)
    assert len(alerts) == 1
    alert = alerts[0]
    assert alert["rule"] == {
        "id": "51b1a0de-6a6e-4a51-8f0e-3d8f1c2f9a47",
        "name": "Metadata Service Enumerated",
        "level": "high",
    }
    assert alert["event"]["action"] == alert["imds"]["event"] == "correlation"
    assert alert["event"]["severity"] == 4
    assert alert["source"] == {"ip": CLIENT}
    assert alert["destination"] == {"ip": harness.IMDS4}
    assert field(alert, "imds.endpoint") == "aws-imds-ipv4"
    assert "url" not in alert and "network" not in alert
    assert "rule hits 12 + correlations 1 = alerts 1 + throttled 0 + only correlated 12 +" in first.stderr
    # The same capture, the same ids.
    assert read_captures(enough, rules=rules).stdout == first.stdout
    # Too few, too slow, or two clients.
    for packets in (
        enumeration(11),
        enumeration(12, step=30.0),
        sorted(enumeration(6) + enumeration(11, source=OTHER)),
    ):
        capture = write_capture(tmp_path / "few.pcap", packets)
        assert alerts_of(read_captures(capture, rules=rules)) == []


def test_every_form_shows_a_correlation(tmp_path):
    capture = write_capture(tmp_path / "c.pcap", enumeration(12))
    rules = CORRELATIONS / "imds_enumeration.yml"
    text = read_captures(capture, form="text", rules=rules).stdout
    assert "HIGH" in text and "Metadata Service Enumerated" in text and CLIENT in text
    eve = harness.json_lines(read_captures(capture, form="eve", rules=rules).stdout)
    assert [e["alert"]["signature"] for e in eve] == ["Metadata Service Enumerated"]
    assert eve[0]["src_ip"] == CLIENT and "src_port" not in eve[0]


def test_the_shipped_story_loads():
    done = run(harness.INSPECTOR, "--check", "--rules", CORRELATIONS)
    assert done.returncode == 0, done.stderr
    assert "2 correlations, 0 filters" in done.stdout
    assert (
        "temporal_ordered: one after another 'Metadata Service Address Claimed', "
        "'Metadata Service Address Answered', 'Metadata Service Token Issued', "
        "'Metadata Service Credentials Delivered', within 600 s, for the same client"
    ) in done.stdout


ORDERED = "type: temporal_ordered, rules: [first, second], group-by: [source.ip], timespan: 10s"


def test_order_and_edges(tmp_path):
    rules = BASES + correlation(ORDERED)
    first, second = request("/first"), request("/second")
    assert names(tmp_path, rules, [(0, first), (10, second)]) == ["Together"]
    assert names(tmp_path, rules, [(0, first), (10.000001, second)]) == []
    assert names(tmp_path, rules, [(0, second), (1, first)]) == []
    assert names(tmp_path, rules, [(0, first), (1, request("/second", OTHER))]) == []
    # Once per timespan.
    many = [(i, frame) for i in range(12) for frame in (first, second)]
    assert titles(tmp_path, rules, many) == [
        ("Together", ("13", "20")), ("Together", ("13", "31"))]


def test_what_stands_behind_a_correlation_alerts_only_on_request(tmp_path):
    packets = [(0, request("/first")), (1, request("/second")), (2, request("/third"))]
    assert names(tmp_path, BASES + correlation(ORDERED), packets) == ["Together", "Rule third"]
    assert names(tmp_path, BASES + correlation(ORDERED, "level: high\ngenerate: true"), packets) == [
        "Rule first", "Rule second", "Together", "Rule third"]


def test_a_correlation_of_correlations(tmp_path):
    rules = (
        base_rule("first", "/first", "") + base_rule("second", "/second", "")
        + "title: Many\nname: many\ncorrelation: {type: event_count, rules: [first], "
        "group-by: [source.ip], timespan: 10s, condition: {gte: 3}}\n---\n"
        + correlation("type: temporal_ordered, rules: [many, second], group-by: [source.ip], "
                      "timespan: 1m")
    )
    first, second = request("/first"), request("/second")
    assert names(tmp_path, rules, [(0, first), (1, first), (2, second)]) == []
    assert names(tmp_path, rules, [(0, first), (1, first), (2, first), (30, second)]) == [
        "Together"]


def test_a_count_with_an_upper_bound_is_judged_at_the_end_of_its_window(tmp_path):
    rules = BASES + correlation(
        "type: event_count, rules: [first], group-by: [source.ip], timespan: 10s, "
        "condition: {gte: 2, lt: 4}")
    first = request("/first")
    assert names(tmp_path, rules, [(i, first) for i in range(3)]) == ["Together"]  # the file's end
    assert names(tmp_path, rules, [(i, first) for i in range(4)]) == []
    later = (20, request("/third", OTHER))
    assert names(tmp_path, rules, [(0, first), (1, first), later]) == ["Together", "Rule third"]


FILTER = """---
title: Known scanner
logsource: {{category: network}}
filter: {{rules: [first], selection: {{'user_agent.original|startswith': known}}, condition: {}}}
"""


@pytest.mark.parametrize("condition", ["selection", "not selection"])
def test_filters_withhold_and_count(tmp_path, condition):
    rules = BASES + FILTER.format(condition)
    packets = [
        (0, request("/first", agent="known/1")),
        (1, request("/first", agent="unknown/1")),
        (2, request("/second", agent="known/1")),
    ]
    metrics = tmp_path / "metrics.txt"
    found = [n for n, _ in titles(tmp_path, rules, packets, ["--metrics-text", metrics])]
    assert found == ["Rule first", "Rule second"]
    counted = harness.Metrics(metrics.read_text())
    assert counted.sum("imds_inspector_filtered_rule_hits_total", filter="Known scanner") == 1
    checked = run(harness.INSPECTOR, "--check", "--rules", tmp_path / "rules.yml")
    assert "filter 'Known scanner'" in checked.stdout
    form = "all but what" if condition.startswith("not") else "what"
    assert "withholds %s its condition describes of 'Rule first'" % form in checked.stdout


def test_correlations_do_not_see_what_a_filter_withholds(tmp_path):
    rules = BASES + correlation(ORDERED) + FILTER.format("selection")
    second = request("/second")
    assert names(tmp_path, rules, [(0, request("/first", agent="known")), (1, second)]) == []
    assert names(tmp_path, rules, [(0, request("/first")), (1, second)]) == ["Together"]


def test_metrics_of_correlations(tmp_path):
    metrics = tmp_path / "metrics.txt"
    rules = BASES + correlation(ORDERED)
    titles(tmp_path, rules, [(0, request("/first")), (1, request("/second"))],
           ["--metrics-text", metrics])
    counted = harness.Metrics(metrics.read_text())
    labels = {"rule": "Together", "rule_id": "00000000-0000-4000-8000-000000001000"}
    assert counted.sum("imds_inspector_correlation_events_total", **labels) == 2
    assert counted.sum("imds_inspector_correlation_groups", **labels) == 1
    assert counted.sum("imds_inspector_correlation_groups_evicted_total", **labels) == 0
    assert counted.sum("imds_inspector_alerts_total", **labels) == 1
    assert counted.sum("imds_inspector_correlated_rule_hits_total") == 2


@pytest.mark.parametrize(
    "text, line, named",
    [
        (correlation("type: temporal, rules: [first, forth], timespan: 1m"), 25, "forth"),
        (correlation("type: temporal, rules: [first, 00000000-0000-4000-8000-000000001000], "
                     "timespan: 1m"), 25, "circle"),
        (correlation("type: temporal, rules: [first], timespan: 1 minute"), 25, "timespan"),
        (correlation("type: temporal, rules: [first], timespan: 1m, group-by: [sorce.ip]"), 25,
         "source.ip"),
        (FILTER.format("selectoin")[4:], 24, "selectoin"),
        (FILTER.format("selection")[4:].replace("[first]", "[fist]"), 24, "first"),
    ],
)
def test_errors_have_their_place(tmp_path, text, line, named):
    rules = rules_file(tmp_path, BASES + text)
    done = run(harness.INSPECTOR, "--check", "--rules", rules)
    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(re.escape("%s:%d:" % (rules, line)) + r"\d+: ", done.stderr), done.stderr
    assert named in done.stderr
