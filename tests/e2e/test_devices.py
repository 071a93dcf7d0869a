"""Ports that are DPDK devices: another process over memif, and a device that always has packets."""

import os
import pathlib
import socket
import subprocess
import uuid

import pytest

import harness
from harness import alerts_of, read_captures

RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def here(**more):
    """Sections for a run in the machine's own namespace, beside whatever else runs there."""
    return dict({"metrics": {"listen": "127.0.0.1:%d" % free_port()}}, **more)


class Testpmd:
    """dpdk-testpmd that plays a capture into a memif socket, once told to."""

    __test__ = False  # for pytest: its name only looks like a test's

    def __init__(self, capture, memif_socket):
        self.prefix = "e2e-" + uuid.uuid4().hex[:8]
        self.process = subprocess.Popen(
            [
                "dpdk-testpmd", "--no-huge", "--no-pci", "-m", "256",
                "--file-prefix", self.prefix,
                "--lcores", "0@0,1@%d" % ((os.cpu_count() or 1) - 1),
                "--vdev", "net_pcap0,rx_pcap=%s" % capture,
                "--vdev", "net_memif0,role=client,id=0,socket-abstract=no,socket=%s" % memif_socket,
                "--", "--interactive", "--total-num-mbufs=8192", "--forward-mode=io",
                "--no-flush-rx",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        harness.forget_dpdk(self.prefix)


def test_memif_from_another_dpdk_process(start_inspector, follow, owned, tmp_path):
    path = tmp_path / "memif.sock"
    # The inspector has the server's part: it waits for whoever comes, and a client connects once.
    device = "net_memif0,role=server,id=0,socket-abstract=no,socket=%s" % path
    inspector = start_inspector(None, [{"name": "wire", "device": device}], **here())
    sender = owned(Testpmd(RECORDING, path))
    follower = follow(inspector)

    def connected():
        return inspector.metrics().sum("imds_inspector_port_link_up", port="wire") == 1

    harness.wait_for("the memif connection", connected, 20)
    sender.tell("start")

    expected = [
        (alert["imds"]["event"], alert["source"]["ip"], alert["source"]["port"])
        for alert in alerts_of(read_captures(RECORDING, rules=harness.BULLETIN_RULE))
    ]
    alerts = follower.wait_alerts(len(expected))
    assert [
        (alert["imds"]["event"], alert["source"]["ip"], alert["source"]["port"])
        for alert in alerts
    ] == expected
    assert inspector.stop() == 0


def test_null_device_at_full_speed(start_inspector):
    inspector = start_inspector(
        None, [{"name": "nowhere", "device": "net_null0,size=64"}], **here()
    )
    harness.wait_for(
        "a million packets",
        lambda: inspector.metrics().sum("imds_inspector_worker_packets_total") > 1_000_000,
        30,
    )
    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_alerts_total") == 0
    assert metrics.sum("imds_inspector_port_last_packet_age_seconds") < 5
    assert inspector.stop() == 0
    assert "received" in inspector.stderr.lower()


def telemetry_socket(inspector):
    folder = pathlib.Path("/var/run/dpdk") / inspector.config["eal"]["file_prefix"]
    return folder / "dpdk_telemetry.v2"


@pytest.mark.skipif(os.geteuid() != 0, reason="looks where EAL of root keeps its socket")
def test_what_stands_after_the_dashes_reaches_dpdk(start_inspector):
    ports = [{"name": "nowhere", "device": "net_null0"}]
    plain = start_inspector(None, ports, **here())
    assert telemetry_socket(plain).exists()
    told = start_inspector(None, ports, more=["--", "--no-telemetry"], **here())
    assert not telemetry_socket(told).exists()
    assert plain.stop() == 0 and told.stop() == 0


def test_two_inspectors_side_by_side(start_inspector):
    first = start_inspector(None, [{"name": "a", "device": "net_null0"}], **here())
    second = start_inspector(None, [{"name": "b", "device": "net_null0"}], **here())
    assert first.alive() and second.alive()
    assert first.stop() == 0 and second.stop() == 0


@pytest.mark.parametrize("device", ["net_nosuchdriver0", "net_null0,nosuchoption=1"])
def test_a_device_dpdk_does_not_know(tmp_path, device):
    path, _ = harness.live_config(tmp_path, [{"name": "x", "device": device}], **here())
    done = harness.run(harness.INSPECTOR, "--config", path, timeout=60)
    assert done.returncode == 4, done.stderr
    assert device.split(",", maxsplit=1)[0] in done.stderr
