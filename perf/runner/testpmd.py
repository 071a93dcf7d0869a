"""dpdk-testpmd as a baseline: packets received and thrown away (rxonly) from a software device.

The cost is the CPU time of the one thread that polls, as the scheduler counts it, not the wall: a
busy machine then disturbs less.
"""
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from programs import Missing, free_huge_pages_mib, free_memory_mib

BURST = 64
# More packets would only take longer to load: these are far more than caches hold.
MOST_PACKETS = 100_000
SECONDS = 2.0
START_LIMIT = 60.0
MBUF_BYTES = 3200  # data room of 2176, headers, and what the allocator wastes


def pcap_packets(path):
    """Number of packets of a pcap file of ours (microseconds or nanoseconds, this byte order)."""
    count = 0
    with open(path, "rb") as file:
        if file.read(24)[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            raise ValueError(f"{path} is no little-endian pcap file")
        while header := file.read(16):
            if len(header) < 16:
                raise ValueError(f"{path} ends within a packet")
            file.seek(struct.unpack_from("<I", header, 8)[0], 1)
            count += 1
    return count


def pcap_device(path):
    return f"net_pcap0,rx_pcap={path},infinite_rx=1", pcap_packets(path)


def null_device(frame_bytes):
    return f"net_null0,size={frame_bytes}", 0


def seconds_per_packet(device, held_packets):
    """CPU seconds of the polling thread per packet of `device`, which keeps `held_packets` mbufs."""
    program = shutil.which("dpdk-testpmd")
    if program is None:
        raise Missing("dpdk-testpmd is not installed (Debian package dpdk)")
    if len(os.sched_getaffinity(0)) < 2:
        raise Missing("dpdk-testpmd needs two CPUs, one to poll and one to answer")
    mbufs = held_packets + 8192
    memory = mbufs * MBUF_BYTES // (1 << 20) + 256
    huge = free_huge_pages_mib() >= memory
    if not huge and free_memory_mib() < 2 * memory:
        raise Missing(f"dpdk-testpmd needs {memory} MiB of memory for this trace")
    pages = ["--in-memory", "--single-file-segments"] if huge else ["--no-huge", "--no-shconf"]
    first, second = sorted(os.sched_getaffinity(0))[:2]
    command = [
        program, *pages, "--no-pci", "--no-telemetry", "-m", str(memory),
        "--lcores", f"0@{first},1@{second}", "--vdev", device, "--log-level", "*:error",
        "--", "--forward-mode=rxonly", "--auto-start", "--no-flush-rx", f"--burst={BURST}",
        f"--total-num-mbufs={mbufs}", "--nb-cores=1", "--stats-period=1"]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT)
        try:
            return _observe(child, log)
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def received(text):
    """Packets received up to each print of the statistics."""
    return [int(number) for number in re.findall(r"RX-packets:\s*(\d+)", text)]


def _observe(child, log):
    """Two prints of the statistics, and the thread's CPU time at each."""
    samples = []
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        log.seek(0)
        text = log.read().decode(errors="replace")
        if child.poll() is not None:
            raise Missing("dpdk-testpmd ended: " + (text.strip().splitlines() or ["no output"])[-1])
        prints = received(text)
        # The first print comes before the thread polls.
        if prints and prints[-1] > 0 and (not samples or prints[-1] != samples[-1][0]):
            samples.append((prints[-1], _polling_seconds(child.pid)))
            packets, seconds = (samples[-1][i] - samples[0][i] for i in (0, 1))
            if len(samples) > 1 and seconds >= SECONDS * 0.5:
                return seconds / packets
        time.sleep(0.002)
    raise Missing(f"dpdk-testpmd printed no statistics within {START_LIMIT:.0f} s")


def _polling_seconds(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name in ("rte-worker-1", "lcore-worker-1", "dpdk-worker1"):
            return int((task / "schedstat").read_text().split()[0]) * 1e-9
    raise Missing("dpdk-testpmd has no polling thread of a known name")
