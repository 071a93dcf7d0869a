"""Traffic that comes in a tunnel: what alerts, rules and suppressions know of it."""

import ipaddress
import json
import struct

import pytest

import harness
from harness import alerts_of, read_captures

pytestmark = pytest.mark.sanitize

RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"
EXPECTED = harness.CAPTURES / "aws-cli-victim.expected.jsonl"
MIRROR = "192.0.2.201"
COLLECTOR = "192.0.2.202"
VNI = 4711
TUNNEL = {
    "path": "vxlan",
    "depth": 1,
    "id": VNI,
    "source": {"ip": MIRROR},
    "destination": {"ip": COLLECTOR},
}


def vxlan(frame):
    """An Ethernet frame as a traffic mirror sends it on."""
    header = struct.pack("!II", 0x08000000, VNI << 8)
    udp = struct.pack("!HHHH", 49152, 4789, 8 + len(header) + len(frame), 0)
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp) + len(header) + len(frame), 0, 0, 64, 17, 0,
        ipaddress.ip_address(MIRROR).packed, ipaddress.ip_address(COLLECTOR).packed,
    )
    words = struct.unpack("!10H", ip)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    ip = ip[:10] + struct.pack("!H", checksum) + ip[12:]
    ethernet = bytes.fromhex("02c00000000202c0000000010800")
    return ethernet + ip + udp + header + frame


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """The recording of the AWS CLI, every packet of it in a mirror's tunnel."""
    plain = RECORDING.read_bytes()
    assert plain[:4] == b"\xd4\xc3\xb2\xa1", "a little-endian pcap in microseconds"
    out = bytearray(plain[:16] + struct.pack("<I", 65535) + plain[20:24])
    at = 24
    while at < len(plain):
        seconds, micros, kept, length = struct.unpack_from("<IIII", plain, at)
        assert kept == length
        frame = vxlan(plain[at + 16 : at + 16 + kept])
        out += struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame
        at += 16 + kept
    path = tmp_path_factory.mktemp("tunnels") / "mirrored.pcap"
    path.write_bytes(out)
    return path


def without(alert, *names):
    """An alert without event.id, the observer's name and members of `imds`."""
    alert = json.loads(json.dumps(alert))
    alert["event"].pop("id")
    alert.get("observer", {}).pop("hostname", None)
    for name in names:
        alert["imds"].pop(name)
    return alert


def test_alerts_are_those_of_the_plain_traffic_and_tell_the_tunnel(mirrored):
    alerts = alerts_of(read_captures(mirrored))
    assert [alert["imds"]["tunnel"] for alert in alerts] == [TUNNEL] * len(alerts)
    assert [without(alert, "tunnel") for alert in alerts] == harness.json_lines(
        EXPECTED.read_text()
    )


def test_the_same_traffic_inside_and_outside_gives_different_ids(mirrored):
    plain = {alert["event"]["id"] for alert in alerts_of(read_captures(RECORDING))}
    inside = {alert["event"]["id"] for alert in alerts_of(read_captures(mirrored))}
    assert len(plain) == len(inside)
    assert not plain & inside


def test_other_forms_tell_it_too(mirrored):
    eve = read_captures(mirrored, form="eve")
    for line in harness.json_lines(eve.stdout):
        assert line["tunnel"] == {
            "src_ip": MIRROR, "dest_ip": COLLECTOR, "depth": 1, "path": "vxlan", "id": VNI,
        }
    text = read_captures(mirrored, form="text").stdout
    assert " via vxlan %d (%s > %s) (aws-imds-ipv4)" % (VNI, MIRROR, COLLECTOR) in text


@pytest.mark.parametrize(
    "criteria, silent",
    [
        ({"outer": ["192.0.2.201"]}, True),
        ({"outer": ["192.0.2.202/32"]}, True),
        ({"outer": ["198.51.100.0/24", "192.0.2.200/30"]}, True),
        ({"outer": ["198.51.100.0/24"]}, False),
        # Inner and outer are different questions.
        ({"source": ["192.0.2.200/30"]}, False),
        ({"outer": ["10.77.0.0/24"]}, False),
        ({"source": ["10.77.0.0/24", "fd00:77::/64"]}, True),
        ({"source": ["10.77.0.0/24", "fd00:77::/64"], "outer": ["192.0.2.201"]}, True),
        ({"source": ["10.78.0.0/24"], "outer": ["192.0.2.201"]}, False),
    ],
)
def test_suppression_by_inner_or_outer(tmp_path, mirrored, criteria, silent):
    config, _ = harness.live_config(tmp_path, [], suppress=[dict({"name": "quiet"}, **criteria)],
                                    rules={"paths": [str(harness.RULES)]})
    done = read_captures(mirrored, config=config)
    everything = len(harness.json_lines(EXPECTED.read_text()))
    assert len(alerts_of(done)) == (0 if silent else everything)
    # What comes without a tunnel is none of `outer`'s business.
    plain = alerts_of(read_captures(RECORDING, config=config))
    assert len(plain) == (everything if "outer" in criteria or not silent else 0)


def test_check_shows_and_questions_outer_suppressions(tmp_path):
    config, _ = harness.live_config(
        tmp_path, [],
        suppress=[
            {"name": "wide", "outer": ["192.0.2.0/24"]},
            {"name": "narrow", "outer": ["192.0.2.201"], "vlan": [5]},
            {"name": "every", "outer": ["0.0.0.0/0"]},
        ],
    )
    done = harness.run(harness.INSPECTOR, "--check", "--config", config)
    assert done.returncode == 0, done.stderr
    assert "suppress wide: outer 192.0.2.0/24\n" in done.stdout
    assert 'never matches, because "wide" before it covers all of it' in done.stdout
    assert "'every': outer 0.0.0.0/0 is every tunnel over IPv4" in done.stdout


RULE = """
title: Requests in the mirror's tunnel
id: 0c1ad2a5-6a43-4b0c-8b6c-0a5a6a0a5c11
level: low
logsource: {product: imds-inspector}
detection:
  mirrored:
    imds.event: http_request
    %s
  condition: mirrored
"""


@pytest.mark.parametrize(
    "condition, hits",
    [
        ("imds.tunnel|contains: vxlan", True),
        ("imds.tunnel.path: vxlan", True),
        ("imds.tunnel.path: gre/vxlan", False),
        ("vni: 4711", True),
        ("imds.tunnel.id: 4712", False),
        ("imds.tunnel.source.ip|cidr: 192.0.2.200/29", True),
        ("imds.tunnel.destination.ip: 192.0.2.201", False),
        ("imds.tunnel|exists: false", False),
    ],
)
def test_rules_can_ask_for_the_tunnel(tmp_path, mirrored, condition, hits):
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE % condition)
    alerts = alerts_of(read_captures(mirrored, rules=rule))
    requests = {
        alert["@timestamp"] for alert in harness.json_lines(EXPECTED.read_text())
        if alert["imds"]["event"] == "http_request"
    }
    assert len(alerts) >= len(requests) > 0 if hits else alerts == []


def test_a_misspelt_tunnel_is_refused(tmp_path, mirrored):
    rule = tmp_path / "rule.yml"
    rule.write_text(RULE % "imds.tunnel.path: vxlna")
    done = read_captures(mirrored, rules=rule)
    assert done.returncode == 3
    assert "is no path of tunnels" in done.stderr
