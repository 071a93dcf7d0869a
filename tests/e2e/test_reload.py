"""Rules, endpoints and suppressions change under a running inspector."""

import json
import shutil
import signal
import socket
import threading
import time

import pytest

import harness
from harness import IMDS4, field
from test_live import attack, expected_alerts, seen_alerts

NEVER = """title: Never seen
id: 5c7a6f0e-58a3-4f3c-9c3e-0d1a2b3c4d5e
level: low
logsource: {category: network}
detection:
  it: {url|contains: /never-asked-for}
  condition: it
"""
EVERY_REQUEST = """title: Every request
id: 0f4a5b6c-7d8e-4f90-a1b2-c3d4e5f60718
level: informational
logsource: {product: imds-inspector}
detection:
  it: {imds.event: http_request}
  condition: it
"""


@pytest.fixture
def rules(tmp_path):
    """A copy of the rules that give one alert for each event; a test may change it."""
    folder = tmp_path / "rules"
    folder.mkdir()
    for rule in harness.ONE_ALERT_RULES:
        shutil.copy(rule, folder)
    return folder


def reload(inspector, path):
    return harness.run(harness.INSPECTOR, "--config", path, "--reload")


def telemetry(inspector):
    """A connection to DPDK's telemetry socket, its greeting read."""
    prefix = inspector.config["eal"]["file_prefix"]
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(60)
    connection.connect("/var/run/dpdk/%s/dpdk_telemetry.v2" % prefix)
    connection.recv(16384)
    return connection


def ask_reload(connection):
    connection.send(b"/imds/reload")
    return json.loads(connection.recv(16384))["/imds/reload"]


@pytest.fixture
def running(owned, tmp_path, rules):
    """running(**sections): an inspector on a port without packets, and its configuration's path."""

    def start(**sections):
        ports = [{"name": "quiet", "device": "net_ring0"}]
        sections.setdefault("rules", {"paths": [str(rules)]})
        path, config = harness.live_config(tmp_path, ports, **sections)
        return owned(harness.Inspector(path, config)), path

    return start


@pytest.mark.lab
def test_nothing_is_lost_or_doubled_while_rules_are_exchanged(
        lab, start_inspector, follow, rules):
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], rules={"paths": [str(rules)]})
    follower = follow(inspector)
    over = threading.Event()
    answers = []

    def keep_reloading():
        with telemetry(inspector) as connection:
            extra = rules / "aaa_first.yml"  # moves the index of every other rule
            while not over.is_set():
                extra.write_text(NEVER)
                answers.append(ask_reload(connection))
                extra.unlink()
                answers.append(ask_reload(connection))

    reloading = threading.Thread(target=keep_reloading)
    reloading.start()
    try:
        requests = attack(lab)
    finally:
        over.set()
        reloading.join()
    expected = expected_alerts(requests)
    alerts = follower.wait_alerts(len(expected))
    assert seen_alerts(alerts) == expected
    assert {alert["rule"]["name"] for alert in alerts}.isdisjoint({"Never seen"})
    assert all("failed" not in answer for answer in answers), answers
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_reloads_total", result="success") == len(answers) > 10
    assert metrics.sum("imds_inspector_ruleset_generation") == len(answers) + 1
    assert metrics.sum("imds_inspector_ruleset_generations_held") == 0
    assert metrics.sum("imds_inspector_alerts_total") == len(expected)
    assert 0 < metrics.sum("imds_inspector_worker_reload_pause_max_seconds") < 1
    inspector.kill(signal.SIGTERM)
    assert inspector.wait() == 0, inspector.stderr  # every packet and finding is accounted for


@pytest.mark.lab
def test_a_new_rule_and_a_new_suppression_are_in_force_at_once(
        lab, start_inspector, follow, rules):
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], rules={"paths": [str(rules)]})
    follower = follow(inspector)
    (rules / "every.yml").write_text(EVERY_REQUEST)
    with telemetry(inspector) as connection:
        assert "failed" not in ask_reload(connection)
        lab.curl_v2(IMDS4)
        mine = follower.wait_alerts(
            2, where=lambda alert: field(alert, "rule.name") == "Every request")
        assert len(mine) == 2
        shutil.rmtree(rules)
        rules.mkdir()
        (rules / "never.yml").write_text(NEVER)
        assert "failed" not in ask_reload(connection)
        before = len(follower.alerts())
        lab.curl_v2(IMDS4)
        time.sleep(1)
        assert len(follower.alerts()) == before


@pytest.mark.lab
def test_suppression_by_rule_and_throttling_go_on(lab, start_inspector, follow, rules):
    """Both know rules by id, whatever their index is after a reload."""
    (rules / "every.yml").write_text(EVERY_REQUEST)
    quiet = {"name": "quiet", "rule": ["0f4a5b6c-7d8e-4f90-a1b2-c3d4e5f60718"]}
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], rules={"paths": [str(rules)]}, suppress=[quiet],
        alerts={"throttle": {"policies": [{"name": "once", "count": 1}]}})
    follower = follow(inspector)

    def counted(kind, **labels):
        return inspector.metrics().sum("imds_inspector_" + kind, **labels)

    lab.curl_v2(IMDS4)
    harness.wait_for("both requests", lambda: counted("suppressed_total", suppression="quiet") == 2)
    harness.wait_for(
        "the story to take all",
        lambda: counted("alerts_total") + counted("alerts_throttled_total")
        == counted("rule_hits_total", outcome="queued") > 0)
    alerts = counted("alerts_total")
    throttled = counted("alerts_throttled_total")
    (rules / "aaa_first.yml").write_text(NEVER)  # moves the index of every other rule
    with telemetry(inspector) as connection:
        assert "failed" not in ask_reload(connection)
    lab.curl_v2(IMDS4)
    harness.wait_for("both again", lambda: counted("suppressed_total", suppression="quiet") == 4)
    harness.wait_for(
        "the repeats", lambda: counted("alerts_throttled_total") == alerts + 2 * throttled)
    assert counted("alerts_total") == alerts
    assert len(follower.wait_alerts(int(alerts))) == alerts


def test_sighup_reloads(running, rules):
    inspector, _ = running()
    (rules / "never.yml").write_text(NEVER)
    before = inspector.metrics()
    inspector.kill(signal.SIGHUP)
    harness.wait_for(
        "the reload",
        lambda: inspector.metrics().sum("imds_inspector_reloads_total", result="success") == 1)
    after = inspector.metrics()
    assert after.sum("imds_inspector_ruleset_generation") == 2
    assert after.sum("imds_inspector_ruleset_rules") == (
        before.sum("imds_inspector_ruleset_rules") + 1)
    success = "imds_inspector_reload_last_success_time_seconds"
    assert after.sum(success) > before.sum(success)
    assert inspector.alive()


def test_a_bad_rule_keeps_the_former_ones_and_says_why(running, rules):
    inspector, path = running()
    before = inspector.metrics()
    bad = rules / ("bad_%s.yml" % ("x" * 100))  # the message is longer than a telemetry string
    rule = EVERY_REQUEST.replace("Every request", '"Every \u00e9"')
    bad.write_text(rule.replace("0f4a", "nonsense"))
    done = reload(inspector, path)
    assert done.returncode == 3, done.stderr
    assert "%s:2:5: 'id' must be a UUID" % bad in done.stderr
    told = "the former rules stay in force: %s:2:5: " % bad
    harness.wait_for("the log", lambda: told in inspector.stderr)
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_reload_success") == 0
    assert metrics.sum("imds_inspector_reloads_total", result="failure") == 1
    for same in ("ruleset_rules", "ruleset_generation", "reload_last_success_time_seconds"):
        assert metrics.sum("imds_inspector_" + same) == before.sum("imds_inspector_" + same)
    bad.unlink()
    done = reload(inspector, path)
    assert done.returncode == 0, done.stderr
    assert "generation 2" in done.stdout
    assert inspector.metrics().sum("imds_inspector_reload_success") == 1


def test_a_bad_configuration_keeps_the_former_one(running):
    inspector, path = running()
    good = path.read_text()
    path.write_text(good + "suppress: [{name: x}]\n")
    with telemetry(inspector) as connection:
        answer = ask_reload(connection)
    assert answer["kind"] == "config" and str(path) in "".join(answer["failed"])
    assert inspector.metrics().sum("imds_inspector_reload_success") == 0


def test_what_needs_a_restart_is_listed(running):
    inspector, path = running()
    text = path.read_text()
    assert "capacity: 8192" in text
    path.write_text(text.replace("capacity: 8192", "capacity: 4096").replace(
        "arena_mib: 4", "arena_mib: 5"))
    assert reload(inspector, path).returncode == 0
    told = "reload: flow, inspect: changed in"
    harness.wait_for("the log", lambda: told in inspector.stderr)


def test_reload_without_a_running_inspector(tmp_path):
    path, _ = harness.live_config(tmp_path, [])
    done = harness.run(harness.INSPECTOR, "--config", path, "--reload")
    assert done.returncode == 1
    assert "no inspector runs" in done.stderr


def resident_kib(inspector):
    with open("/proc/%d/status" % inspector.process.pid) as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_memory_after_a_thousand_reloads_is_that_after_ten(running, rules):
    inspector, _ = running(log={"level": "error"})
    extra = rules / "extra.yml"
    addresses = EVERY_REQUEST.replace("imds.event: http_request", "dst_ip|cidr: 198.51.100.0/24")
    tolerance_kib = 8 * 1024
    with telemetry(inspector) as connection:
        for count in range(1, 1001):
            # Every third changes addresses, too, so that other tables are made.
            extra.write_text(addresses if count // 3 % 2 else NEVER)
            answer = ask_reload(connection)
            assert "failed" not in answer, answer
            if count == 10:
                settled = resident_kib(inspector)
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_ruleset_generation") == 1001
    assert metrics.sum("imds_inspector_ruleset_generations_held") == 0
    assert resident_kib(inspector) < settled + tolerance_kib
