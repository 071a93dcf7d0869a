"""Suppression, on-premises networks and throttling: what is withheld, and that all of it is counted."""

import collections
import re

import pytest

import harness
from evasion.scene import IMDS, Pause, Request, Scene, to_bytes, write_pcap
from harness import alerts_of, field, read_captures

SAMPLE = harness.CAPTURES / "sample.pcapng"
BULLETIN = "866049a2-f864-4ac3-8dbf-20bd71e33544"
START = 1_760_000_000
# Each connection and each request of a scan is one alert.
ALONE = {"paths": [str(harness.BULLETIN_RULE)]}


def configured(tmp_path, **sections):
    """All shipped rules, and throttling as by default."""
    sections = {"rules": {"paths": [str(harness.RULES)]}, "alerts": {"throttle": {}}, **sections}
    return harness.live_config(tmp_path, [], **sections)[0]


def read(tmp_path, capture=SAMPLE, more=(), **sections):
    """(alerts, metrics, standard error) of a run whose counts must add up."""
    text = tmp_path / "metrics.txt"
    done = read_captures(capture, config=configured(tmp_path, **sections),
                         more=["--metrics-text", text, *more])
    alerts, metrics = alerts_of(done), harness.Metrics(text.read_text())
    check_accounts(alerts, metrics, done.stderr)
    return alerts, metrics, done.stderr


def check_accounts(alerts, metrics, summary):
    """Every rule that hit an event is an alert, or counted as what became of it."""
    def of(outcome):
        return metrics.sum("imds_inspector_rule_hits_total", outcome=outcome)

    delivered = metrics.sum("imds_inspector_alerts_total")
    throttled = metrics.sum("imds_inspector_alerts_throttled_total")
    suppressed = of("suppressed")
    rejected = metrics.sum("imds_inspector_story_rejected_rule_hits_total")
    assert delivered == len(alerts)
    assert of("queued") == delivered + throttled + rejected
    assert of("lost") == of("cut") == 0
    if "imds_inspector_suppressed_total{" in metrics.text:
        assert suppressed == metrics.sum("imds_inspector_suppressed_total")
    by_story = " + rejected by the story %d" % rejected if rejected else ""
    assert "rule hits %d = alerts %d + throttled %d%s + suppressed %d + lost 0\n" % (
        of("queued") + suppressed, delivered, throttled, by_story, suppressed) in summary
    ids = [a["event"]["id"] for a in alerts]
    assert len(set(ids)) == len(ids)


def keys(alerts):
    return collections.Counter(
        (a["@timestamp"], a["rule"]["id"], a["source"]["ip"], a["imds"]["event"]) for a in alerts)


@pytest.fixture(scope="module")
def everything():
    return alerts_of(read_captures(SAMPLE))


def mac(last):
    return "02:00:00:00:00:%02x" % last


@pytest.mark.parametrize("criteria, withheld", [
    ({"destination": ["203.0.113.0/24"]}, lambda a: a["destination"]["ip"] == "203.0.113.7"),
    ({"destination": ["fd00:ec2::254"]}, lambda a: a["destination"]["ip"] == IMDS[6]),
    ({"rule": [BULLETIN]}, lambda a: a["rule"]["id"] == BULLETIN),
    ({"tag": ["attack.T1190"]}, lambda a: "Another" in a["rule"]["name"]),
    ({"tag": ["attack.t1190"], "source": ["10.2.0.1"]},
     lambda a: "Another" in a["rule"]["name"] and a["source"]["ip"] == "10.2.0.1"),
    ({"user_agent": ["SAMPLE/*"]},
     lambda a: (field(a, "user_agent.original") or "").startswith("sample/")),
    ({"responder": [mac(2)]}, lambda a: a["destination"]["mac"] == mac(2)),
    ({"responder": ["10.8.0.0/16"]}, lambda a: a["destination"]["ip"].startswith("10.8.")),
    ({"vlan": [100], "until": "2025-10-09"}, lambda a: field(a, "network.vlan.id") == 100),
    ({"vlan": [100], "until": "2025-10-08"}, lambda a: False),
    ({"vlan": [100], "from": "2025-10-10"}, lambda a: False),
    ({"vlan": [100], "daily": ["08:00-09:00"]}, lambda a: field(a, "network.vlan.id") == 100),
    ({"vlan": [100], "daily": ["09:00-08:00"]}, lambda a: False),
])
@pytest.mark.sanitize
def test_exactly_what_it_names_is_withheld(tmp_path, everything, criteria, withheld):
    _, before, _ = read(tmp_path)
    alerts, metrics, _ = read(tmp_path, suppress=[dict({"name": "quiet"}, **criteria)])
    assert keys(alerts) == keys(a for a in everything if not withheld(a))
    count = metrics.sum("imds_inspector_suppressed_total", suppression="quiet")
    # Hits that only the story could have told to be none are withheld like the others.
    rejected = "imds_inspector_story_rejected_rule_hits_total"
    assert count == len(everything) - len(alerts) + before.sum(rejected) - metrics.sum(rejected)
    if not any(key in criteria for key in ("from", "until", "daily")):
        assert count > 0


def test_the_first_that_holds_counts(tmp_path, everything):
    _, metrics, _ = read(tmp_path, suppress=[
        {"name": "bulletin", "rule": [BULLETIN]},
        {"name": "client", "source": ["10.1.0.0/16"]},
    ])
    of_bulletin = sum(a["rule"]["id"] == BULLETIN for a in everything)
    others = sum(a["rule"]["id"] != BULLETIN and a["source"]["ip"].startswith("10.1.")
                 for a in everything)
    assert metrics.sum("imds_inspector_suppressed_total", suppression="bulletin") == of_bulletin
    # And what the story might still have rejected.
    assert metrics.sum("imds_inspector_suppressed_total", suppression="client") >= others > 0


def test_on_premises_only(tmp_path, everything):
    alerts, metrics, _ = read(tmp_path, on_premises=["10.1.0.0/16", "2001:db8:1::/48"])
    inside = [a for a in everything
              if a["source"]["ip"].startswith(("10.1.", "2001:db8:1:"))]
    assert keys(alerts) == keys(inside) and 0 < len(inside) < len(everything)
    assert metrics.sum("imds_inspector_suppressed_total", suppression="outside-on-premises") == \
        len(everything) - len(inside)


def check_output(tmp_path, **sections):
    done = harness.run(harness.INSPECTOR, "--check", "--config", configured(tmp_path, **sections))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("criteria, why", [
    ({"vlan": [1], "until": "2020-01-31"}, "it ended at 2020-02-01T00:00:00.000000Z"),
    ({"rule": ["00000000-0000-4000-8000-000000000000"]}, "no rule in force has its id"),
    ({"tag": ["attack.t9999"]}, "no rule in force has its tag"),
    ({"source": ["10.0.0.0/8"], "destination": ["fd00::/8"]},
     "its sources and destinations are of different address families"),
    ({"endpoint": ["aws-imds-ipv4"], "destination": ["192.0.2.0/24"]},
     "no address of its endpoints is among its destinations"),
    ({"user_agent": ["x"], "source": ["10.0.0.0/8"], "rule":
      ["5f00de47-b907-442f-bc2d-773454ebe843"]},
     "its rules alert on no request, and nothing else has a user agent"),
    ({"source": ["10.1.0.0/16"], "vlan": [7]}, '"wide" before it covers all of it'),
])
def test_check_and_the_log_tell_what_never_matches(tmp_path, criteria, why):
    sections = {"suppress": [{"name": "wide", "source": ["10.1.0.0/16"]},
                             dict({"name": "quiet"}, **criteria)]}
    said = check_output(tmp_path, **sections)
    assert "  warning: never matches, because %s\n" % why in said
    assert said.count("never matches") == 1
    done = read_captures(SAMPLE, config=configured(tmp_path, **sections))
    assert 'suppression "quiet" never matches, because ' + why in done.stderr


def test_check_shows_them_all(tmp_path):
    said = check_output(
        tmp_path, on_premises=["10.0.0.0/8", "fd00::/8"],
        suppress=[{"name": "one", "source": ["10.1.0.0/16"], "responder": ["02-00-00-00-00-01"]}],
        alerts={"throttle": {"policies": [{"name": "few", "count": 2}]}})
    for line in ("suppress one: source 10.1.0.0/16 responder 02:00:00:00:00:01\n",
                 "suppress outside-on-premises: source in none of 10.0.0.0/8, fd00::/8\n",
                 "throttle few: limit 2 in 3600 s by source\n"):
        assert line in said


def scan(path, requests, clients=1, pauses=()):
    """A scanner: so many requests of each client, one connection each, to the service. Its answers are
    not seen: who gives them would alert, too."""
    frames = []
    for number in range(requests):
        if number in pauses:
            frames.append(Pause(3600))
        for client in range(1, clients + 1):
            scene = Scene(client, endpoint=True, request=Request(target="/latest/meta-data/"))
            scene.port = 10000 + number
            frames += scene.frames(filter(scene.is_from_client, scene.conversation()))
    write_pcap(path, to_bytes(frames), START)
    return path


def test_a_scanner_yields_a_few_alerts_and_all_are_counted(tmp_path):
    capture = scan(tmp_path / "scan.pcap", 300, clients=2)
    alerts, metrics, _ = read(tmp_path, capture, more=["--throttle"], rules=ALONE)
    by_client = collections.Counter(a["source"]["ip"] for a in alerts)
    assert sorted(by_client.values()) == [20, 20]
    assert metrics.sum("imds_inspector_alerts_throttled_total", rule_id=BULLETIN) == 2 * 600 - 40
    assert metrics.sum("imds_inspector_throttled_total", policy="repeats") == 2 * 600 - 40
    assert metrics.sum("imds_inspector_throttle_entries") == 2
    # Without it, captures are read for all there is.
    alerts, metrics, _ = read(tmp_path, capture, rules=ALONE)
    assert len(alerts) == 2 * 600
    assert all(field(a, "imds.suppressed_repeats") is None for a in alerts)
    assert metrics.sum("imds_inspector_throttle_capacity_entries") == 0


def test_the_next_alert_says_how_many_there_were(tmp_path):
    capture = scan(tmp_path / "scan.pcap", 30, pauses=(20,))
    alerts, _, _ = read(tmp_path, capture, more=["--throttle"], rules=ALONE)
    assert [field(a, "imds.suppressed_repeats", 0) for a in alerts] == [0] * 20 + [20] + [0] * 19
    done = read_captures(capture, form="text", more=["--throttle"])
    assert done.stdout.count("(20 more since the last)") == 1


@pytest.mark.parametrize("policy, expected", [
    ({"type": "limit", "count": 3}, 2 * 3),
    ({"type": "threshold", "count": 10}, 2 * 4),
    ({"type": "both", "count": 10}, 2),
    ({"type": "none"}, 2 * 40),
    ({"type": "limit", "count": 3, "track": "rule"}, 3),
    ({"type": "limit", "count": 3, "track": "destination"}, 3),
    ({"type": "limit", "count": 3, "track": "both"}, 2 * 3),
    ({"type": "limit", "count": 1, "track": "flow"}, 2 * 20),
    ({"type": "limit", "count": 1, "level": ["high"]}, 2 * 40),
    ({"type": "limit", "count": 1, "tag": ["attack.t1552.005"]}, 2),
])
def test_every_kind_of_policy(tmp_path, policy, expected):
    # 20 connections and 20 requests of each of two clients.
    capture = scan(tmp_path / "scan.pcap", 20, clients=2)
    alerts, _, summary = read(tmp_path, capture, more=["--throttle"], rules=ALONE,
                              alerts={"throttle": {"policies": [dict({"name": "p"}, **policy)]}})
    assert len(alerts) == expected
    assert re.search(r"throttled %d " % (2 * 40 - expected), summary)


def test_what_finds_no_room_alerts_again(tmp_path):
    capture = scan(tmp_path / "scan.pcap", 4, clients=300)
    alerts, metrics, _ = read(
        tmp_path, capture, more=["--throttle"], rules=ALONE,
        alerts={"throttle": {"entries": 64, "policies": [{"name": "one", "count": 1}]}})
    assert metrics.sum("imds_inspector_throttle_entries") == 64
    evicted = metrics.sum("imds_inspector_throttle_evicted_entries_total")
    # Whoever is forgotten alerts again; nobody is silenced who has not alerted.
    assert len(alerts) == 64 + evicted
    assert {a["source"]["ip"] for a in alerts} == {
        a["source"]["ip"] for a in alerts_of(read_captures(capture))}
    told = sum(field(a, "imds.suppressed_repeats", 0) for a in alerts)
    untold = metrics.sum("imds_inspector_throttle_untold_alerts_total")
    assert told + untold <= metrics.sum("imds_inspector_alerts_throttled_total")


def test_throttle_is_no_option_of_live_mode():
    done = harness.run(harness.INSPECTOR, "--throttle", "--interface", "lo")
    assert done.returncode == 2 and "--throttle needs --read" in done.stderr
