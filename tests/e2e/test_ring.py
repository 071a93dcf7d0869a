"""The alert ring between processes: deaths, restarts, overruns, several readers."""

import os
import re
import signal

import pytest

import harness
from harness import IMDS4

pytestmark = pytest.mark.lab


def ask(lab, times=1):
    for _ in range(times):
        lab.curl("http://%s/latest/meta-data/" % IMDS4)


def test_killed_reader_harms_nobody(lab, start_inspector, follow):
    inspector = start_inspector(lab, [harness.port("tap", "tap0")])
    victim, survivor = follow(inspector), follow(inspector)
    ask(lab)
    victim.wait_alerts(2)
    victim.stop(signal.SIGKILL)
    ask(lab)
    alerts = survivor.wait_alerts(4)
    assert len(alerts) == 4
    late = follow(inspector)
    ask(lab)
    late.wait_alerts(2)
    assert inspector.alive()


def test_killed_writer_is_noticed_and_its_successor_followed(lab, owned, tmp_path, follow):
    path, config = harness.live_config(tmp_path, [harness.port("tap", "tap0")])
    first = owned(harness.Inspector(path, config, lab.namespace("sensor")))
    follower = follow(first)
    ask(lab)
    before = follower.wait_alerts(2)
    first.kill(signal.SIGKILL)
    first.wait()
    assert os.path.exists("/dev/shm" + first.ring), "the alerts outlive the inspector"
    listed = harness.run(harness.ALERTS, "list", "--ring", first.ring, "--format", "ecs")
    assert listed.returncode == 0, listed.stderr
    assert [a["event"]["id"] for a in harness.json_lines(listed.stdout)] == [
        a["event"]["id"] for a in before
    ]

    second = owned(harness.Inspector(path, config, lab.namespace("sensor")))
    ask(lab)
    after = follower.wait_alerts(4)
    assert len(after) == 4
    assert len({alert["event"]["id"] for alert in after}) == 4
    assert re.search(r"restart|new writer|another writer", follower.stderr), follower.stderr
    assert second.alive()


def test_overrun_is_counted_exactly(lab, start_inspector):
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], alerts={
            "ring": {"name": "/imds-e2e-small-%d" % os.getpid(), "records": 64}}
    )
    ask(lab, 50)  # 100 alerts in a ring of 64

    def published():
        return inspector.metrics().sum("imds_inspector_ring_published_alerts_total") == 100

    harness.wait_for("100 alerts", published)
    listed = harness.run(harness.ALERTS, "list", "--ring", inspector.ring, "--format", "ecs")
    assert len(harness.json_lines(listed.stdout)) == 64
    stats = harness.run(harness.ALERTS, "stats", "--ring", inspector.ring)
    assert stats.returncode == 0, stats.stderr
    numbers = re.findall(r"\d+", stats.stdout)
    assert "100" in numbers and "64" in numbers, stats.stdout


def test_reading_a_ring_that_is_not_there():
    done = harness.run(harness.ALERTS, "list", "--ring", "/imds-e2e-none")
    assert done.returncode == 4
    assert "/imds-e2e-none" in done.stderr


def test_default_ring_is_the_same_on_both_sides():
    """What the shipped configuration writes, imds-alerts reads without being told."""
    shipped = harness.yaml.safe_load((harness.ROOT / "conf/inspector.yaml").read_text())
    name = shipped["alerts"]["ring"]["name"]
    assert name in harness.run(harness.ALERTS, "--help").stdout
