"""imds-inspector --read: captures in, alerts out; no privileges needed."""

import base64
import gzip
import hashlib
import ipaddress
import json
import os
import shutil
import struct
import subprocess

import pytest

import harness
from harness import alerts_of, field, read_captures

pytestmark = pytest.mark.sanitize

SAMPLE = harness.CAPTURES / "sample.pcapng"
RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"


def comparable(alert):
    """An alert without what differs between machines or versions: observer's name and id's hash."""
    alert = json.loads(json.dumps(alert))
    alert["event"].pop("id")
    alert.get("observer", {}).pop("hostname", None)
    return alert


def expected(name):
    return harness.json_lines((harness.CAPTURES / name).read_text())


def test_the_kept_sample_is_what_its_maker_makes(samples):
    assert (samples / "sample.pcapng").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize(
    "capture, expectation",
    [(SAMPLE, "sample.expected.jsonl"), (RECORDING, "aws-cli-victim.expected.jsonl")],
)
def test_exactly_the_alerts_the_capture_was_made_to_raise(capture, expectation):
    found = [comparable(alert) for alert in alerts_of(read_captures(capture))]
    assert found == expected(expectation)


def test_what_each_case_of_the_sample_raises():
    """The expectation file says it in full; this says it so that a person can check it, of the
    bulletin's rule, which alerts once on each."""
    alerts = alerts_of(read_captures(SAMPLE, rules=harness.BULLETIN_RULE))
    by_client = {}
    for alert in alerts:
        event = (alert["imds"]["event"], field(alert, "url.original"))
        by_client.setdefault(alert["source"]["ip"], []).append(event)
    connection = ("connection", None)
    assert by_client == {
        "10.1.0.1": [connection, ("http_request", "/latest/meta-data/")],
        "2001:db8:1::2": [
            connection,
            ("http_request", "/latest/api/token"),
            ("http_request", "/latest/meta-data/iam/security-credentials/"),
        ],
        "10.1.0.3": [connection, ("http_request", "/2021-03-23/meta-data/instance-id")],
        "10.1.0.4": [connection, ("http_request", "/latest/user-data")],
        "10.1.0.5": [connection],
        "10.1.0.6": [connection],
        "10.2.0.1": [
            (
                "http_request",
                "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            )
        ],
        "10.2.0.2": [("http_request", "/latest/meta-data/hostname")],
        "10.2.0.3": [("http_request", "/anything")],
        "10.2.0.4": [("http_request", "/latest/api/token")],
        "10.2.0.5": [
            ("http_request", "/latest/meta-data/local-ipv4"),
            ("http_request", "/latest/meta-data/local-hostname"),
        ],
        "10.2.0.6": [("http_request", "/x/..//latest/%6deta%2Ddata/iam")],
        "10.2.0.7": [
            (
                "http_request",
                "http://user:REDACTED@169.254.169.254/latest/meta-data/?token=REDACTED",
            )
        ],
        "10.2.0.8": [("raw_match", None)],
    }
    tags = {alert["source"]["ip"]: field(alert, "network.vlan.id") for alert in alerts}
    assert tags["10.1.0.1"] is None
    assert tags["10.1.0.3"] in (100, "100")
    disguised = next(a for a in alerts if a["source"]["ip"] == "10.2.0.6")
    assert field(disguised, "url.path") == "/latest/meta-data/iam"


def community_id(alert):
    """Community ID v1 with seed 0, from its specification."""
    ends = sorted(
        (ipaddress.ip_address(end["ip"]).packed, end["port"])
        for end in (alert["source"], alert["destination"])
    )
    protocol = {"tcp": 6, "udp": 17}[alert["network"]["transport"]]
    (low, low_port), (high, high_port) = ends
    flow = b"\0\0" + low + high + bytes([protocol, 0]) + struct.pack("!HH", low_port, high_port)
    return "1:" + base64.b64encode(hashlib.sha1(flow).digest()).decode()


def test_community_ids_are_what_other_tools_compute():
    for capture in (SAMPLE, RECORDING):
        for alert in alerts_of(read_captures(capture)):
            if alert["imds"]["event"] != "address_claim":  # no flow
                assert alert["network"]["community_id"] == community_id(alert)


def test_times_are_those_of_the_capture():
    alerts = alerts_of(read_captures(SAMPLE))
    assert alerts[0]["@timestamp"] == "2025-10-09T08:53:20.000000Z"
    times = [alert["@timestamp"] for alert in alerts]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "name",
    ["cooked.pcap", "cooked2.pcap", "raw-ip.pcap", "loopback.pcap", "ppp.pcap", "wlan.pcap",
     "big-endian.pcap", "nanoseconds.pcap"],
)
def test_every_link_type_and_file_form_gives_the_same_two_alerts(samples, name):
    alerts = alerts_of(read_captures(samples / name, rules=harness.BULLETIN_RULE))
    assert [alert["imds"]["event"] for alert in alerts] == ["connection", "http_request"]
    assert all(alert["source"]["ip"] == "10.4.0.1" for alert in alerts)
    assert all(alert["destination"]["ip"] == harness.IMDS4 for alert in alerts)
    assert field(alerts[1], "user_agent.original") == "sample/1.0"


def test_gzip_is_unpacked(samples, tmp_path):
    packed = tmp_path / "packed.pcap.gz"
    packed.write_bytes(gzip.compress((samples / "raw-ip.pcap").read_bytes()))
    for path in (packed, tmp_path):
        alerts = alerts_of(read_captures(path, rules=harness.BULLETIN_RULE))
        assert [alert["imds"]["event"] for alert in alerts] == ["connection", "http_request"]


def test_a_head_the_capture_cut_is_judged_by_what_is_there(samples):
    alerts = alerts_of(read_captures(samples / "snapped.pcap", rules=harness.BULLETIN_RULE))
    assert [(alert["imds"]["event"], field(alert, "url.original")) for alert in alerts] == [
        ("connection", None),
        ("http_request", "/latest/meta-data/"),
    ]


def peak_memory_mib(capture_pieces):
    """Of reading a capture that comes through a pipe, piece by piece."""
    keep_nothing_freed = "quarantine_size_mb=1"  # for the sanitised program
    options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), keep_nothing_freed]))
    process = subprocess.Popen(
        [harness.INSPECTOR, "--read", "-"], env={**os.environ, "ASAN_OPTIONS": options},
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    with process.stdin as pipe:
        for piece in capture_pieces:
            pipe.write(piece)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


def test_memory_does_not_grow_with_the_capture():
    header = RECORDING.read_bytes()[:24]
    experimental = bytes(12) + b"\x88\xb5"  # an EtherType nobody inspects
    record = struct.pack("<IIII", 1_700_000_000, 0, 1400, 1400) + experimental + bytes(1386)
    mebibyte = record * ((1 << 20) // len(record) + 1)
    small = peak_memory_mib([header, mebibyte])
    large = peak_memory_mib([header, *[mebibyte] * 256])
    assert large < small + 64


def test_several_files_are_merged_by_time(samples):
    first, second = samples / "evening/1.pcap", samples / "evening/2.pcapng"
    alerts = alerts_of(read_captures(second, first, rules=harness.BULLETIN_RULE))
    assert [(a["source"]["ip"], a["imds"]["event"]) for a in alerts] == [
        ("10.5.0.1", "connection"),
        ("10.5.0.2", "connection"),
        ("10.5.0.1", "http_request"),
        ("10.5.0.2", "http_request"),
    ]


def test_a_folder_is_read_like_its_files(samples):
    folder, files = (
        [comparable(a) for a in alerts_of(read_captures(*paths, rules=harness.BULLETIN_RULE))]
        for paths in ([samples / "evening"],
                      [samples / "evening/1.pcap", samples / "evening/2.pcapng"])
    )
    assert folder == files and len(folder) == 4


def test_standard_input_is_read_as_the_file(samples):
    for capture in (SAMPLE, RECORDING):
        with open(capture, "rb") as stream:
            done = subprocess.run(
                [harness.INSPECTOR, "--read", "-", "--format", "ecs"],
                stdin=stream, capture_output=True, text=True, timeout=60, check=False,
            )
        from_stdin = [alert["event"]["id"] for alert in alerts_of(done)]
        assert from_stdin == [a["event"]["id"] for a in alerts_of(read_captures(capture))]


def test_two_runs_give_the_same_ids_and_every_id_once():
    first = [alert["event"]["id"] for alert in alerts_of(read_captures(SAMPLE))]
    second = [alert["event"]["id"] for alert in alerts_of(read_captures(SAMPLE))]
    assert first == second
    assert len(set(first)) == len(first)


def test_text_is_for_people():
    done = read_captures(RECORDING, form="text")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout, "no colour when the output is no terminal"
    assert harness.IMDS4 in done.stdout and harness.IMDS6 in done.stdout
    assert "/latest/meta-data/iam/security-credentials/lab-impersonator-role" in done.stdout
    assert "aws-cli/2.9.19" in done.stdout


def test_eve_is_suricatas_form():
    done = read_captures(RECORDING, form="eve")
    assert done.returncode == 0, done.stderr
    records = harness.json_lines(done.stdout)
    assert len(records) == len(expected("aws-cli-victim.expected.jsonl"))
    for record in records:
        assert record["event_type"] == "alert"
        assert {"timestamp", "src_ip", "dest_ip", "alert"} <= set(record)
        is_claim = record["alert"]["metadata"]["imds_event"] == ["address_claim"]
        assert "proto" in record or is_claim, "ARP is no protocol of IP"
        assert record["alert"]["signature"]
    requests = [r for r in records if "http" in r]
    assert requests[0]["http"]["http_method"] == "PUT"
    assert requests[0]["http"]["url"] == "/latest/api/token"


def test_the_rule_file_is_what_detects(tmp_path):
    """The bulletin's rule alone finds every request there is; the others say more of some of them, and
    who answered."""
    def found(alerts):
        return {(a["@timestamp"], a["imds"]["event"], a["source"]["ip"],
                 field(a, "url.original")) for a in alerts}

    everything = alerts_of(read_captures(SAMPLE))
    bulletin = alerts_of(read_captures(SAMPLE, rules=harness.BULLETIN_RULE))
    answers = ("responder", "http_response", "token_issued", "credentials_delivered")
    asked = {told for told in found(everything) if told[1] not in answers}
    assert found(bulletin) == asked and len(bulletin) == len(asked)
    rules = tmp_path / "rules"
    shutil.copytree(harness.RULES, rules)
    (rules / harness.BULLETIN_RULE.name).unlink()
    others = alerts_of(read_captures(SAMPLE, rules=rules))
    assert len(others) == len(everything) - len(bulletin)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert alerts_of(read_captures(SAMPLE, rules=nothing)) == []


def test_no_secret_in_any_output(tmp_path):
    """Neither alerts of any form, nor the log at its most talkative, nor the metrics."""
    for capture in (SAMPLE, RECORDING):
        for form in ("ecs", "text", "eve"):
            metrics = tmp_path / "metrics.txt"
            done = read_captures(
                capture, form=form, more=["--log-level", "debug", "--metrics-text", metrics]
            )
            assert done.returncode == 0, done.stderr
            written = done.stdout + done.stderr + metrics.read_text()
            assert harness.SECRET_MARK not in written
            assert "lab-impersonator-role" in written or capture is SAMPLE, "search works"


def test_summary_accounts_for_every_packet(tmp_path):
    metrics = tmp_path / "metrics.txt"
    done = read_captures(SAMPLE, more=["--metrics-text", metrics])
    assert done.returncode == 0, done.stderr
    numbers = harness.Metrics(metrics.read_text())
    packets = len(
        harness.run("tcpdump", "-nr", SAMPLE, "-t", "-q").stdout.splitlines()
    )
    assert numbers.sum("imds_inspector_worker_packets_total") == packets
    assert numbers.sum("imds_inspector_packets_total") == packets
    assert numbers.sum("imds_inspector_packets_total", disposition="malformed") == 1
    assert numbers.sum("imds_inspector_alerts_total") == len(expected("sample.expected.jsonl"))
    assert "%d" % packets in done.stderr.replace(",", "")


def test_metrics_text_passes_promtool(tmp_path):
    metrics = tmp_path / "metrics.txt"
    assert read_captures(SAMPLE, more=["--metrics-text", metrics]).returncode == 0
    done = harness.run("promtool", "check", "metrics", stdin=metrics.read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""


def suppressing(tmp_path, **criteria):
    path, _ = harness.live_config(
        tmp_path, [], suppress=[dict({"name": "quiet"}, **criteria)]
    )
    return path


@pytest.mark.parametrize(
    "criteria, silenced",
    [
        ({"source": ["10.1.0.0/29"]},
         {"10.1.0.1", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"}),
        ({"source": ["2001:db8:1::/64"]}, {"2001:db8:1::2"}),
        ({"vlan": [100]}, {"10.1.0.3"}),
        ({"vlan": ["200-299"]}, {"10.1.0.4"}),
        ({"vlan": [300], "source": ["10.1.0.4"]}, {"10.1.0.4"}),
        ({"vlan": [300], "source": ["10.1.0.5"]}, set()),
    ],
)
def test_suppression_silences_exactly_what_it_names(tmp_path, criteria, silenced):
    everything = {a["source"]["ip"] for a in alerts_of(read_captures(SAMPLE))}
    metrics = tmp_path / "metrics.txt"
    done = read_captures(
        SAMPLE, config=suppressing(tmp_path, **criteria), more=["--metrics-text", metrics]
    )
    assert {a["source"]["ip"] for a in alerts_of(done)} == everything - silenced
    counted = harness.Metrics(metrics.read_text()).sum(
        "imds_inspector_suppressed_total", suppression="quiet"
    )
    assert (counted > 0) == bool(silenced)


def test_informing_options_answer_at_once():
    for option in ("--help", "--version", "--build-info"):
        done = harness.run(harness.INSPECTOR, option, timeout=10)
        assert done.returncode == 0 and done.stdout and not done.stderr
    assert "--read" in harness.run(harness.INSPECTOR, "--help").stdout
    assert "dpdk" in harness.run(harness.INSPECTOR, "--build-info").stdout.lower()


def test_check_accepts_what_is_shipped():
    done = harness.run(
        harness.INSPECTOR, "--check", "--config", harness.ROOT / "conf/inspector.yaml"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AWS" in done.stdout + done.stderr
