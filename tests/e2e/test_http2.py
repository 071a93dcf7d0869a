"""HTTP/2 of real programs: curl against nghttpd, and curl upgrading from HTTP/1 (h2c)."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading

import pytest

import harness
from harness import alerts_of, field, read_captures

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nghttpd") or not shutil.which("tcpdump"),
    reason="needs root, tcpdump and nghttpd",
)

EVERY_REQUEST = """
title: Every request
id: 5d0c6a52-6f4e-4c7e-9d5b-0a6f1f0b7c11
level: low
logsource: {product: imds-inspector}
detection:
  request: {imds.event: http_request}
  condition: request
"""
TOKEN = "/latest/api/token"
ROLES = "/latest/meta-data/iam/security-credentials/"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def answer(connection):
    """Accepts an upgrade, then says 200 (HPACK: 0x88) without body to every HEADERS frame."""
    with connection, connection.makefile("rb") as stream:
        while stream.readline() not in (b"\r\n", b""):
            pass
        connection.sendall(UPGRADED + frame(4, 0, 0) + frame(1, 5, 1, b"\x88"))
        stream.read(24)
        while header := stream.read(9):
            stream.read(int.from_bytes(header[:3], "big"))
            if header[3] == 1:
                number = int.from_bytes(header[5:9], "big")
                connection.sendall(frame(1, 5, number, b"\x88"))


@pytest.fixture
def namespace():
    name = "imds-h2-%d" % os.getpid()
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        subprocess.run(
            ["ip", "-n", name, "address", "add", "169.254.169.254/32", "dev", "lo"], check=True
        )
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextlib.contextmanager
def running(*command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()  # a shell's background job may have been told to ignore SIGINT
        process.communicate(timeout=15)


@contextlib.contextmanager
def recorded(namespace, capture):
    command = ["ip", "netns", "exec", namespace, "tcpdump", "-i", "lo", "-U", "-w", str(capture)]
    with running(*command, "tcp") as process:
        assert any(b"listening" in line for line in process.stderr)
        yield
        harness.wait_for("a capture", lambda: capture.stat().st_size > 100)


def curl(namespace, *arguments):
    command = ["ip", "netns", "exec", namespace, "curl", "-sS", "-o", "/dev/null", "--max-time", "10"]
    done = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def requests(capture, tmp_path):
    rules = tmp_path / "every.yml"
    rules.write_text(EVERY_REQUEST)
    return [
        (
            field(alert, "http.request.method"),
            field(alert, "url.original"),
            field(alert, "url.domain"),
            field(alert, "user_agent.original"),
        )
        for alert in alerts_of(read_captures(capture, rules=rules))
    ]


def test_prior_knowledge(namespace, tmp_path):
    capture = tmp_path / "prior.pcap"
    server = ["ip", "netns", "exec", namespace, "nghttpd", "--no-tls", "80"]
    url = "http://169.254.169.254"

    def is_listening():
        with socket.socket() as probe:
            return probe.connect_ex(("169.254.169.254", 80)) == 0

    with running(*server):
        harness.wait_for("nghttpd", lambda: harness.in_namespace(namespace, is_listening))
        with recorded(namespace, capture):
            for path in (TOKEN, ROLES, ROLES + "role"):
                curl(namespace, "--http2-prior-knowledge", "-A", "agent", url + path)
    found = requests(capture, tmp_path)
    assert found == [
        ("GET", TOKEN, "169.254.169.254", "agent"),
        ("GET", ROLES, "169.254.169.254", "agent"),
        ("GET", ROLES + "role", "169.254.169.254", "agent"),
    ]


def test_upgrade_from_http1(namespace, tmp_path):
    capture = tmp_path / "upgrade.pcap"

    def listen():
        listener = socket.socket()
        listener.bind(("169.254.169.254", 80))
        listener.listen()
        return listener

    listener = harness.in_namespace(namespace, listen)
    with listener:
        server = threading.Thread(target=lambda: answer(listener.accept()[0]), daemon=True)
        server.start()
        with recorded(namespace, capture):
            url = "http://169.254.169.254"
            curl(namespace, "--http2", "-A", "agent", url + "/harmless", "-o", "/dev/null",
                 url + ROLES)
        server.join(10)
    assert [found[:3] for found in requests(capture, tmp_path)] == [
        ("GET", "/harmless", "169.254.169.254"),
        ("GET", ROLES, "169.254.169.254"),
    ]
