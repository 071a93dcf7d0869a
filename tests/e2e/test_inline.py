"""An inline pair between two real hosts that have no other path to each other."""

import hashlib

import pytest

import harness
from harness import IMDS4, IMDS6

pytestmark = pytest.mark.lab

BULK_BYTES = 20_000_000


def inline_ports(driver):
    return [
        harness.port("inside", "inA", driver, mode="inline", peer="outside"),
        harness.port("outside", "inB", driver, mode="inline", peer="inside"),
    ]


@pytest.fixture(scope="module")
def inline_lab():
    made = harness.Lab("--inline")
    yield made
    made.close()


def bulk_digest():
    block = bytes(range(256)) * 256
    whole, rest = divmod(BULK_BYTES, len(block))
    digest = hashlib.sha256()
    for _ in range(whole):
        digest.update(block)
    digest.update(block[:rest])
    return digest.hexdigest()


def test_no_path_without_the_inspector(inline_lab):
    done = inline_lab.run("victim", "ping", "-c", "1", "-W", "1", "10.77.0.1")
    assert done.returncode != 0


def test_traffic_passes_unchanged_and_alerts(inline_lab, start_inspector, follow):
    inspector = start_inspector(inline_lab, inline_ports("af_packet"))
    follower = follow(inspector)
    for host in ("10.77.0.1", "fd00:77::1"):
        ping = inline_lab.run("victim", "ping", "-c", "5", "-i", "0.2", "-W", "2", host)
        assert ping.returncode == 0, ping.stdout
        assert " 0% packet loss" in ping.stdout
    assert inline_lab.curl_v2(IMDS4).startswith("i-")
    assert inline_lab.curl_v2("[%s]" % IMDS6).startswith("i-")
    # Both directions: the impersonator's side can open connections too.
    back = inline_lab.run("imds", "ping", "-c", "2", "-i", "0.2", "-W", "2", harness.VICTIM4)
    assert back.returncode == 0, back.stdout

    alerts = follower.wait_alerts(8)
    events = [(a["imds"]["event"], a["source"]["ip"]) for a in alerts]
    for client in (harness.VICTIM4, harness.VICTIM6):
        assert events.count(("connection", client)) == 2
        assert events.count(("http_request", client)) == 2
    assert len(events) == 8

    # Whatever one port received, the other one sent.
    def forwarded():
        metrics = inspector.metrics()
        name = "imds_inspector_port_%s_packets_total"
        return all(
            metrics.sum(name % "received", port=a) == metrics.sum(name % "transmitted", port=b)
            for a, b in (("inside", "outside"), ("outside", "inside"))
        )

    harness.wait_for("every received packet to be forwarded", forwarded)
    assert inspector.metrics().sum("imds_inspector_port_transmit_dropped_packets_total") == 0
    assert inspector.stop() == 0


def test_a_large_transfer_is_intact(inline_lab, start_inspector):
    start_inspector(inline_lab, inline_ports("af_packet"))
    done = inline_lab.run(
        "victim", "bash", "-c",
        "curl -sS --max-time 60 'http://%s/latest/bulk?bytes=%d' | sha256sum"
        % (IMDS4, BULK_BYTES),
        timeout=90,
    )
    assert done.stdout.split()[:1] == [bulk_digest()], done.stderr


def test_unknown_protocols_pass(inline_lab, start_inspector, tmp_path):
    """Frames the decoder cannot read are forwarded all the same, in order, byte for byte."""
    start_inspector(inline_lab, inline_ports("af_packet"))
    script = tmp_path / "frames.py"
    script.write_text(
        "import socket, sys\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))\n"
        "s.bind(('eth0', 0x88b5))\n"
        "if sys.argv[1] == 'send':\n"
        "    for i in range(100):\n"
        "        s.send(bytes.fromhex('ffffffffffff') + bytes.fromhex('02770000000a')\n"
        "               + b'\\x88\\xb5' + bytes([i]) * (46 + i))\n"
        "else:\n"
        "    s.settimeout(10)\n"
        "    open(sys.argv[2], 'w').close()\n"
        "    for i in range(100):\n"
        "        frame = s.recv(2000)\n"
        "        assert frame[14:] == bytes([i]) * (46 + i), (i, frame)\n"
        "    print('all')\n"
    )
    ready = tmp_path / "ready"
    receiver = harness.Program(
        inline_lab.command("imds", "/usr/bin/python3", script, "receive", ready)
    )
    try:
        harness.wait_for("the receiver", ready.exists)
        sent = inline_lab.run("victim", "/usr/bin/python3", script, "send")
        assert sent.returncode == 0, sent.stderr
        assert receiver.wait(15) == 0, receiver.stderr
        assert receiver.stdout == "all"
    finally:
        receiver.close()


def test_af_xdp_pair(inline_lab, start_inspector, follow):
    inspector = start_inspector(inline_lab, inline_ports("af_xdp"))
    follower = follow(inspector)
    assert inline_lab.curl_v2(IMDS4).startswith("i-")
    assert len(follower.wait_alerts(4)) == 4
