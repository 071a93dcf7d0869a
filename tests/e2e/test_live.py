"""Live ports in the lab: real clients, real kernel interfaces, both address families."""

import json
import re
import signal
import socket
import time

import pytest

import harness
from harness import IMDS4, IMDS6, VICTIM4, VICTIM6, field

pytestmark = pytest.mark.lab


def need(driver):
    if driver == "af_xdp":
        try:
            socket.socket(44, socket.SOCK_RAW).close()
        except OSError:
            pytest.skip("this kernel has no AF_XDP")


def expected_alerts(requests):
    """What must alert for the requests the impersonator saw: each request, and each connection
    once, as (event, client, client port, method, target, user agent)."""
    found = []
    connections = set()
    for request in requests:
        client = (request["client"], request["client_port"])
        if client not in connections:
            connections.add(client)
            found.append(("connection", *client, None, None, None))
        found.append(
            ("http_request", *client, request["method"], request["target"],
             request["headers"].get("User-Agent"))
        )
    return sorted(found, key=str)


def seen_alerts(alerts):
    return sorted(
        (
            (
                field(alert, "imds.event"),
                field(alert, "source.ip"),
                field(alert, "source.port"),
                field(alert, "http.request.method"),
                field(alert, "url.original"),
                field(alert, "user_agent.original"),
            )
            for alert in alerts
        ),
        key=str,
    )


def attack(lab):
    """The AWS CLI over both families, then curl over both; returns what the impersonator saw."""
    lab.new_requests()
    for family in (4, 6):
        assert lab.aws_credentials(family)["AccessKeyId"] == "ASIAQNZGKIQY56JQ7WML"
    assert lab.curl_v2(IMDS4).startswith("i-")
    assert lab.curl_v2("[%s]" % IMDS6).startswith("i-")
    requests = lab.new_requests()
    assert len(requests) >= 10
    return requests


def check_fields(alerts, interface):
    for alert in alerts:
        six = ":" in alert["source"]["ip"]
        assert alert["source"]["ip"] == (VICTIM6 if six else VICTIM4)
        assert alert["destination"]["ip"] == (IMDS6 if six else IMDS4)
        assert alert["destination"]["port"] == 80
        mac = field(alert, "source.mac").replace("-", ":").lower()
        assert mac == harness.VICTIM_MAC
        mac = field(alert, "destination.mac").replace("-", ":").lower()
        assert mac == harness.IMPOSTOR_MAC
        assert alert["network"]["transport"] == "tcp"
        assert alert["network"]["community_id"].startswith("1:")
        assert "vlan" not in alert["network"]
        assert alert["event"]["kind"] == "alert"
        assert alert["event"]["action"] == alert["imds"]["event"]
        assert 1 <= alert["event"]["severity"] <= 5
        assert alert["rule"]["name"] and alert["rule"]["id"] and alert["rule"]["level"]
        assert alert["observer"]["hostname"] == "sensor.example"
        assert field(alert, "observer.ingress.interface.name") == interface
        assert alert["imds"]["endpoint"]
        assert "test" not in json.dumps(alert["imds"]).lower()
        age = time.time() - time.mktime(
            time.strptime(alert["@timestamp"][:19], "%Y-%m-%dT%H:%M:%S")
        ) + time.timezone
        assert -5 < age < 120, "a live alert bears the present time"


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_real_clients_over_both_families(lab, start_inspector, follow, driver):
    need(driver)
    inspector = start_inspector(lab, [harness.port("tap", "tap0", driver)])
    follower = follow(inspector)
    requests = attack(lab)
    expected = expected_alerts(requests)
    alerts = follower.wait_alerts(len(expected))
    assert seen_alerts(alerts) == expected
    check_fields(alerts, "tap")
    assert harness.SECRET_MARK not in follower.stdout + inspector.stderr + inspector.stdout

    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_alerts_total") == len(expected)
    assert metrics.sum("imds_inspector_ring_published_alerts_total") == len(expected)
    assert metrics.sum("imds_inspector_http_heads_total") >= len(requests)
    assert metrics.sum("imds_inspector_findings_lost_total") == 0
    assert harness.SECRET_MARK not in metrics.text
    for address in (VICTIM4, VICTIM6, IMDS4, IMDS6):
        assert address not in metrics.text, "no label carries an address"

    # Port, worker and disposition counters agree with each other and with the kernel's.
    received = metrics.sum("imds_inspector_port_received_packets_total", port="tap")
    assert received >= 2 * len(requests)
    assert metrics.sum("imds_inspector_packets_total") == received
    assert inspector.stop() == 0


def test_received_equals_the_kernels_count_and_the_tap_never_transmits(lab, start_inspector):
    inspector = start_inspector(lab, [harness.port("tap", "tap0")])
    before = inspector.metrics().sum("imds_inspector_port_received_packets_total")
    rx_before, tx_before = lab.link_counters("sensor", "tap0")
    attack(lab)
    rx, tx = lab.link_counters("sensor", "tap0")

    def caught_up():
        now = inspector.metrics().sum("imds_inspector_port_received_packets_total")
        return now - before >= rx - rx_before

    harness.wait_for("the inspector to have received everything", caught_up)
    inspector.stop()
    assert lab.link_counters("sensor", "tap0")[1] == tx == tx_before == 0


def test_each_direction_on_its_own_tap(owned, start_inspector, follow):
    split = owned(harness.Lab("--split"))
    inspector = start_inspector(
        split, [harness.port("east", "tap0"), harness.port("west", "tap1")]
    )
    follower = follow(inspector)
    expected = expected_alerts(attack(split))
    assert seen_alerts(follower.wait_alerts(len(expected))) == expected
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_port_received_packets_total", port="east") > 0
    assert metrics.sum("imds_inspector_port_received_packets_total", port="west") > 0


def test_clients_that_fall_back_to_version_1(owned, start_inspector, follow):
    old = owned(harness.Lab("--imds-mode", "v1"))
    inspector = start_inspector(old, [harness.port("tap", "tap0")])
    follower = follow(inspector)
    assert old.aws_credentials()["AccessKeyId"]
    requests = old.new_requests()
    assert [r["status"] for r in requests] == [403, 200, 200]
    expected = expected_alerts(requests)
    assert seen_alerts(follower.wait_alerts(len(expected))) == expected


def test_two_workers_share_the_load_of_a_port(lab, start_inspector, follow):
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], workers={"count": 2}
    )
    follower = follow(inspector)
    expected = expected_alerts(attack(lab))
    assert seen_alerts(follower.wait_alerts(len(expected))) == expected
    assert inspector.metrics().labels("imds_inspector_worker_packets_total", "worker") == {
        "0", "1",
    }


def test_a_receive_core_spreads_a_port_over_two_workers(lab, start_inspector, follow):
    inspector = start_inspector(
        lab,
        [harness.port("tap", "tap0", distribute="on")],
        workers={"count": 2, "rss": "5tuple"},
    )
    follower = follow(inspector)
    # curl only: three polling threads leave two CPUs little time, and the AWS CLI waits for 1 s.
    lab.new_requests()
    assert lab.curl_v2(IMDS4).startswith("i-")
    assert lab.curl_v2("[%s]" % IMDS6).startswith("i-")
    expected = expected_alerts(lab.new_requests())
    assert len(expected) >= 4
    assert seen_alerts(follower.wait_alerts(len(expected))) == expected

    def both_workers_have_packets():
        lab.curl_v2(IMDS4)
        metrics = inspector.metrics()
        return all(
            metrics.sum("imds_inspector_worker_packets_total", worker=worker) > 0
            for worker in ("0", "1")
        )

    harness.wait_for("packets at both workers", both_workers_have_packets)
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_port_rss_queues") == 1
    assert metrics.sum("imds_inspector_port_rss_symmetric") == 1
    assert metrics.sum("imds_inspector_port_distribution_dropped_packets_total") == 0
    assert metrics.sum("imds_inspector_port_receive_core_run_seconds_total") > 0
    assert inspector.stop() == 0
    spread = re.search(
        r"spread +port tap: received (\d+) = given to workers (\d+) \+ ring full 0",
        inspector.stderr,
    )
    received = re.search(r"packets +received (\d+)", inspector.stderr)
    assert spread and spread[1] == spread[2] == received[1]


# --- Suppression ---


def test_vlan_suppression(owned, start_inspector, follow):
    tagged = owned(harness.Lab("--vlan", "100"))
    inspector = start_inspector(tagged, [harness.port("tap", "tap0")])
    follower = follow(inspector)
    expected = expected_alerts(attack(tagged))
    alerts = follower.wait_alerts(len(expected))
    assert seen_alerts(alerts) == expected
    assert {str(field(alert, "network.vlan.id")) for alert in alerts} == {"100"}
    assert "100" in inspector.metrics().labels("imds_inspector_vlan_seen", "vlan")
    inspector.stop()

    quiet = start_inspector(
        tagged,
        [harness.port("tap", "tap0")],
        suppress=[{"name": "cloud-vlan", "vlan": [100]}],
    )
    silence = follow(quiet)
    attack(tagged)

    def suppressed():
        return quiet.metrics().sum(
            "imds_inspector_suppressed_total", suppression="cloud-vlan"
        ) >= len(expected)

    harness.wait_for("as many suppressed findings as there were alerts", suppressed)
    assert silence.alerts() == []
    assert quiet.metrics().sum("imds_inspector_alerts_total") == 0


def test_source_suppression_of_one_family(lab, start_inspector, follow):
    inspector = start_inspector(
        lab,
        [harness.port("tap", "tap0")],
        suppress=[{"name": "cloud-subnet", "source": ["10.77.0.0/24"]}],
    )
    follower = follow(inspector)
    requests = attack(lab)
    expected = expected_alerts([r for r in requests if ":" in r["client"]])
    assert seen_alerts(follower.wait_alerts(len(expected))) == expected
    suppressed = inspector.metrics().sum(
        "imds_inspector_suppressed_total", suppression="cloud-subnet"
    )
    assert suppressed == len(expected_alerts([r for r in requests if ":" not in r["client"]]))


# --- Start, test, stop ---


def summary_numbers(text):
    """The numbers of the final summary, thousands separators or not."""
    return [int(n.replace(",", "")) for n in re.findall(r"\b\d[\d,]*\b", text)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_with_a_summary_that_adds_up(lab, start_inspector, number):
    inspector = start_inspector(lab, [harness.port("tap", "tap0")])
    attack(lab)
    time.sleep(0.5)
    before = inspector.metrics()
    assert inspector.stop(number) == 0
    received = int(before.sum("imds_inspector_port_received_packets_total"))
    dispositions = before.sum("imds_inspector_packets_total")
    assert received == dispositions
    summary = [line for line in inspector.stderr.splitlines() if "received" in line.lower()]
    assert summary, inspector.stderr
    assert any(received in summary_numbers(line) for line in summary), inspector.stderr


def test_injected_test_goes_all_the_way(lab, start_inspector, follow, tmp_path):
    path, config = harness.live_config(tmp_path, [harness.port("tap", "tap0")])
    inspector = harness.Inspector(path, config, lab.namespace("sensor"))
    try:
        follower = follow(inspector)
        done = lab.run("sensor", harness.INSPECTOR, "--config", path, "--inject-test")
        assert done.returncode == 0, done.stdout + done.stderr
        alerts = follower.wait_alerts(1)
        assert all("test" in json.dumps(alert).lower() for alert in alerts)
        assert lab.link_counters("sensor", "tap0")[1] == 0, "nothing was put on the wire"
    finally:
        inspector.close()


def test_second_inspector_with_the_same_names_is_refused(lab, tmp_path):
    path, config = harness.live_config(tmp_path, [harness.port("tap", "tap0")])
    inspector = harness.Inspector(path, config, lab.namespace("sensor"))
    try:
        second = lab.run("sensor", harness.INSPECTOR, "--config", path, timeout=60)
        assert second.returncode == 4, second.stderr
        assert "Success" not in second.stderr
        assert inspector.alive()
    finally:
        inspector.close()
