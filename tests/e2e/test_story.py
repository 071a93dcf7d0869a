"""How far a client's story has come: in alerts, in rules, in what is counted."""

import json

import pytest
import yaml

import harness
from harness import alerts_of, field, read_captures, run
from test_correlation import OTHER, correlation, request, write_capture

pytestmark = pytest.mark.sanitize

ELSEWHERE = "198.51.100.20"
RULES = """title: Any
id: 11111111-1111-4111-8111-111111111111
level: medium
logsource: {product: imds-inspector}
detection: {s: {imds.event: http_request}, condition: s}
---
title: Tried With Curl
id: 22222222-2222-4222-8222-222222222222
name: tried
level: high
logsource: {category: network}
detection:
  stage: {imds.stage: attempted}
  curl: {'request_headers|contains': curl}
  condition: stage and curl
---
title: Got A Token
id: 33333333-3333-4333-8333-333333333333
level: critical
logsource: {category: network}
detection: {s: {'imds.timeline|contains': token+}, condition: s}
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


def told(alerts):
    return [(a["rule"]["name"], field(a, "imds.stage"), field(a, "imds.timeline")) for a in alerts]


def test_every_alert_about_an_endpoint_tells_its_story(tmp_path, rules):
    capture = write_capture(tmp_path / "c.pcap", [
        (0, request("/a")), (1.5, request("/b")), (2, request("/c", destination=ELSEWHERE)),
        (3, request("/d", source=OTHER, agent="wget")), (700, request("/e", agent="wget")),
    ])
    done = read_captures(capture, rules=rules)
    first = ("attempted", "attempted+0.000s")
    assert told(alerts_of(done)) == [
        ("Any", *first), ("Tried With Curl", *first), ("Any", *first), ("Tried With Curl", *first),
        ("Any", None, None), ("Any", *first), ("Any", *first),
    ]
    # The rule about tokens was a candidate for every event of the endpoint.
    assert "rejected by the story" in done.stderr
    assert "for the story only" not in done.stderr  # its connections are candidates, too


def test_what_is_only_for_the_story_is_counted(tmp_path):
    only = tmp_path / "only.yml"
    only.write_text(RULES.partition("---")[0])
    capture = write_capture(tmp_path / "c.pcap", [(0, request("/a")), (1, request("/b"))])
    metrics = tmp_path / "metrics.txt"
    done = read_captures(capture, rules=only, more=["--metrics-text", metrics])
    assert len(alerts_of(done)) == 2
    counted = harness.Metrics(metrics.read_text())
    stories = counted.sum("imds_inspector_story_findings_total")
    assert stories > 0 and ", %d for the story only" % stories in done.stderr
    assert "rule hits 2 = alerts 2" in done.stderr
    assert counted.sum("imds_inspector_stories") == 1
    assert counted.sum("imds_inspector_story_capacity") > 1000
    assert counted.sum("imds_inspector_stories_evicted_total") == 0


def test_what_the_story_rejects_is_counted(tmp_path, rules):
    capture = write_capture(tmp_path / "c.pcap", [(0, request("/a"))])
    metrics = tmp_path / "metrics.txt"
    done = read_captures(capture, rules=rules, more=["--metrics-text", metrics])
    counted = harness.Metrics(metrics.read_text())
    rejected = counted.sum("imds_inspector_story_rejected_rule_hits_total")
    hits = counted.sum("imds_inspector_rule_hits_total", outcome="queued")
    assert rejected > 0 and hits == rejected + len(alerts_of(done))


def test_every_form_tells_it(tmp_path, rules):
    capture = write_capture(tmp_path / "c.pcap", [(0, request("/a", agent="wget"))])
    assert read_captures(capture, form="text", rules=rules).stdout.endswith(
        "\n    story attempted+0.000s\n")
    eve = harness.json_lines(read_captures(capture, form="eve", rules=rules).stdout)
    assert eve[0]["alert"]["metadata"]["imds_stage"] == ["attempted"]
    assert eve[0]["alert"]["metadata"]["imds_timeline"] == ["attempted+0.000s"]


def test_check_says_where_a_rule_is_judged(tmp_path, rules):
    done = run(harness.INSPECTOR, "--check", "--rules", rules)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("judged in the story") == 2
    assert done.stdout.count("unindexed, every HTTP head") == 1  # the rule about every request
    report = json.loads(
        run(harness.INSPECTOR, "--check", "--rules", rules, "--format", "json").stdout)
    assert [r.get("judged_in_story") for r in report["rules"]] == [None, True, True]


def test_what_cannot_be_judged_is_refused(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(RULES.replace("{imds.stage: attempted}", "{'imds.stage|fieldref': url}"))
    done = run(harness.INSPECTOR, "--check", "--rules", path)
    assert done.returncode == 3
    assert "rules.yml:13:" in done.stdout + done.stderr
    assert "cannot be compared with another field" in done.stdout + done.stderr
    path.write_text(RULES.replace("imds.stage: attempted", "imds.stage: attempt"))
    done = run(harness.INSPECTOR, "--check", "--rules", path)
    assert done.returncode == 3 and "no value of imds.stage" in done.stdout + done.stderr


def test_correlations_count_what_holds(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(RULES + "---\n" + correlation(
        "type: event_count, rules: [tried], group-by: [source.ip], timespan: 1m, "
        "condition: {gte: 2}"))
    packets = [(0, request("/a")), (1, request("/b", agent="wget")), (2, request("/c"))]
    capture = write_capture(tmp_path / "c.pcap", packets)
    alerts = alerts_of(read_captures(capture, rules=path))
    together = [a for a in alerts if a["rule"]["name"] == "Together"]
    assert told(together) == [("Together", "attempted", "attempted+0.000s")]
    capture = write_capture(tmp_path / "few.pcap", packets[:2])
    assert "Together" not in {a["rule"]["name"] for a in alerts_of(read_captures(capture, rules=path))}


def test_the_window_is_configured(tmp_path, rules):
    config = tmp_path / "inspector.yaml"
    config.write_text(yaml.safe_dump({
        "rules": {"paths": [str(rules)], "fields": str(harness.FIELDS)},
        "alerts": {"story_window": 5, "story_mib": 1}}))
    capture = write_capture(tmp_path / "c.pcap", [
        (0, request("/a")), (5, request("/b")), (11, request("/c", source=OTHER))])
    metrics = tmp_path / "metrics.txt"
    alerts_of(read_captures(capture, config=config, more=["--metrics-text", metrics]))
    assert harness.Metrics(metrics.read_text()).sum("imds_inspector_stories") == 1
    config.write_text(config.read_text().replace("story_window: 5", "story_window: 0"))
    assert read_captures(capture, config=config).returncode == 3
