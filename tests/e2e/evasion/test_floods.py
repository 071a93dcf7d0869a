"""Floods: memory stays within what is configured, counts add up, requests are still found."""

import os
import subprocess
import sys

import pytest

import floods
import harness
import runner
import technique as techniques
from scene import PcapFile

MIB = 1 << 20
REQUESTS = 20

FLOW_BYTES = 512  # of one flow in table and indices, rounded up
CAPS = {
    "flow": {"capacity": 131072},
    "inspect": {"arena_mib": 8, "reorder_mib": 8, "history_mib": 2, "http2_mib": 4},
    "fragments": {"memory_mib": 4},
    "alerts": {"ring": {"name": "/imds-evasion-flood", "records": 64},
               "finding_ring_records": 1024},
}


def configured_bytes(caps):
    """What the configuration allows the stores to grow to, as bytes."""
    mebibytes = sum(caps["inspect"].values()) + caps["fragments"]["memory_mib"]
    return (
        caps["flow"]["capacity"] * FLOW_BYTES
        + mebibytes * MIB
        + caps["alerts"]["finding_ring_records"] * 3 * 1024 * 2
        + caps["alerts"]["ring"]["records"] * 4096
    )


# Program, libraries, DPDK and one burst's buffers, whatever is configured.
FIXED_BYTES = 160 * MIB

# Runs a program and writes the largest resident size it reached, in KiB, to a file. A small
# process of its own: a child's figure is never below that of the process it was forked from.
MEASURE = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
open(sys.argv[1], "w").write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(folder, capture, caps):
    """(process, metrics, peak in bytes) of the inspector over a capture."""
    sections = {"rules": {"paths": [str(harness.BULLETIN_RULE)]}, **caps}
    path, _ = harness.live_config(folder, [], **sections)
    text, peak = folder / "metrics.txt", folder / "peak.txt"
    process = subprocess.run(
        ["/usr/bin/python3", "-S", "-c", MEASURE, str(peak), str(harness.INSPECTOR), "--config",
         str(path), "--read", str(capture), "--format", "ecs", "--metrics-text", str(text)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110, check=False,
    )
    assert process.returncode == 0, process.stderr
    return process, harness.Metrics(text.read_text()), int(peak.read_text()) * 1024


def flood(folder, name, frames, caps=None, wanted=REQUESTS):
    caps = CAPS if caps is None else caps
    capture = folder / (name + ".pcap")
    with PcapFile(capture, runner.START) as file:
        for frame in frames:
            file.add(frame, step=1000)
        packets = file.packets
    process, metrics, peak = measured(folder, capture, caps)
    os.unlink(capture)
    runner.check_accounts(process, metrics, packets)
    found = {alert["source"]["ip"] for alert in harness.json_lines(process.stdout)
             if alert["imds"]["event"] == "http_request"}
    clients = {"10.100.0.%d" % n for n in range(1, REQUESTS + 1)}
    assert len(found & clients) == wanted, "%d of %d requests found" % (len(found), wanted)
    bound = FIXED_BYTES + configured_bytes(caps)
    print("flood %-16s %8d packets, peak %4d MiB of %d MiB" % (
        name, packets, peak // MIB, bound // MIB), file=sys.__stderr__)
    assert peak < bound, "%d MiB, allowed are %d" % (peak // MIB, bound // MIB)
    return metrics


def test_nothing_special(tmp_path):
    """The measure itself: twenty requests and no flood."""
    flood(tmp_path, "none", floods.among([], 0, floods.requests(REQUESTS)))


@pytest.mark.parametrize(
    "name, make, length",
    [
        ("syn", floods.syn_flood(300000), 300000),
        ("first-fragments", floods.first_fragments(150000), 150000),
        ("last-fragments", floods.last_fragments(150000), 150000),
        ("out-of-order", floods.out_of_order(100000), 300000),
        ("one-byte", floods.one_byte(20000, 12), 240000),
        ("long-heads", floods.long_heads(400, 65000), 18800),
        ("million-headers", floods.million_headers(1000000), 3572),
        ("conflicts", floods.conflicts(20000, 3), 120000),
        ("http2", floods.http2_connections(50000), 100000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_flood(tmp_path, name, make, length):
    flood(tmp_path, name, floods.among(make, length, floods.requests(REQUESTS)))


def test_requests_in_pieces_among_one_byte_segments(tmp_path):
    """Not only whole heads are found while others grow byte by byte."""
    flood(tmp_path, "pieces", floods.among(
        floods.one_byte(2000, 20), 40000, floods.requests(REQUESTS, size=9)))


def all_frames():
    """The frames of all techniques, but those of twice the usual size."""
    frames = []
    for number, technique in enumerate(techniques.load().values(), 1000):
        frames += [frame for _, frame in technique.frames(number) if len(frame) < 2000]
    return frames


@pytest.mark.sanitize
def test_lengths_that_lie(tmp_path):
    """Every technique's frames with bytes of their headers changed."""
    count = 30000
    frames = all_frames()
    capture = tmp_path / "lies.pcap"
    with PcapFile(capture, runner.START) as file:
        for frame in floods.among(floods.lies(frames, count), count, floods.requests(REQUESTS)):
            file.add(frame, step=1000)
        packets = file.packets
    process, metrics = runner.read(tmp_path, [capture])
    runner.check_accounts(process, metrics, packets)
    found = {alert["source"]["ip"] for alert in harness.json_lines(process.stdout)}
    assert {"10.100.0.%d" % n for n in range(1, REQUESTS + 1)} <= found


PACKET_LAYERS = {"link_tunnels", "tunnels_nested", "ip_headers", "fragments"}


def cuts():
    """(frame, lengths to cut it to): headers at every byte, HTTP's bytes in the longest frame."""
    for number, technique in enumerate(techniques.load().values(), 1):
        frames = [frame for _, frame in technique.frames(number) if len(frame) < 2000]
        if not frames:
            continue
        longest = max(frames, key=len)
        if technique.layer in PACKET_LAYERS:
            for frame in frames[:2]:
                yield frame, range(len(frame))
            yield longest, range(40, len(longest), 3)
        else:
            yield longest, range(54, min(len(longest), 400), 2)


@pytest.mark.sanitize
def test_every_truncation(tmp_path):
    """Frames cut at each of their bytes, first as a capture with a small snapshot length, then
    as frames that were short on the wire."""
    with PcapFile(tmp_path / "cut.pcap", runner.START) as snapped, \
            PcapFile(tmp_path / "short.pcap", runner.START) as short:
        for frame, lengths in cuts():
            for length in lengths:
                snapped.add(frame[:length], original_length=len(frame), step=1000)
                short.add(frame[:length], step=1000)
        packets = snapped.packets
    for name in ("cut.pcap", "short.pcap"):
        process, metrics = runner.read(tmp_path, [tmp_path / name])
        runner.check_accounts(process, metrics, packets)
