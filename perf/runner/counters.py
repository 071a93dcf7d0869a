"""Instructions and cache misses per packet, where something can count them.

Two runs of different numbers of rounds: what is more in the longer one belongs to the packets, and
what making the trace and starting up cost drops out.
"""
import re
import shutil
import tempfile

import programs
from programs import Missing

FEW_PACKETS = 20_000  # callgrind is some fifty times slower
# The plain loop. The one that times each pass calls it too: entered in turn, the second toggles
# the first off again.
COLLECT = ["--toggle-collect=imds::bench::BenchWorker::inspect*",
           "--toggle-collect=imds::bench::BenchWorker::measure_passes*"]
EVENTS = {
    "instructions_per_packet": "instructions:u",
    "l1_misses_per_packet": "L1-dcache-load-misses:u",
    "llc_misses_per_packet": "LLC-load-misses:u",
    "tlb_misses_per_packet": "dTLB-load-misses:u",
}


def perf_stat_counts(text):
    """Counts by event out of `perf stat -x,`; events without hardware are left out."""
    counts = {}
    for line in text.splitlines():
        parts = line.split(",")
        if len(parts) > 2 and re.fullmatch(r"\d+", parts[0]):
            counts[parts[2]] = int(parts[0])
    return counts


def hardware_events(perf="perf"):
    """Of EVENTS those this machine counts. Missing, with the reason, when it counts none."""
    if shutil.which(perf) is None:
        raise Missing("perf is not installed (Debian package linux-perf)")
    done = programs.run([perf, "stat", "-x,", "-e", ",".join(EVENTS.values()), "--", "true"], 30)
    counts = perf_stat_counts(done.output)
    known = {key: event for key, event in EVENTS.items() if event in counts}
    if not known:
        words = "not supported" if "not supported" in done.output else done.last_line()
        raise Missing(f"`perf stat` says \"{words}\": no hardware counters")
    return known


def by_perf(bench, profile, events, perf="perf"):
    """Per packet of worker and bare loop together, which both run in every round."""
    wrapper = [perf, "stat", "-x,", "-e", ",".join(events.values()), "--"]
    rounds = (2, 12)
    runs = [bench.measure(profile, n, wrapper=wrapper) for n in rounds]
    packets = runs[0][0]["packets"] * (rounds[1] - rounds[0])
    less, more = (perf_stat_counts(run.output) for _, run in runs)
    return {key: max(0.0, (more[event] - less[event]) / packets)
            for key, event in events.items() if event in less and event in more}


def collected(text):
    """Instructions callgrind counted."""
    found = re.search(r"Collected\s*:\s*(\d+)", text)
    if not found:
        raise Missing("callgrind counted nothing: " + text.strip()[-200:])
    return int(found.group(1))


def by_callgrind(bench, profile):
    """Instructions of the worker alone, per packet, from a small trace."""
    if shutil.which("valgrind") is None:
        raise Missing("valgrind is not installed (Debian package valgrind)")
    counts = []
    with tempfile.TemporaryDirectory(prefix="imds-callgrind-") as folder:
        for rounds in (1, 2):
            wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                       *COLLECT]
            row, run = bench.measure(profile, rounds, packets=FEW_PACKETS, wrapper=wrapper,
                                     timeout=300, small_pages=True)
            counts.append(collected(run.output))
    return (counts[1] - counts[0]) / row["packets"]
