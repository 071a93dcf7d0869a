#!/usr/bin/env python3
"""Processor time of reading a capture: read.py TRACE BUILD-FOLDER ROUNDS [JSON-FILE].

Runs `imds-inspector --read TRACE` and `read-with-libpcap TRACE` in turn, beside them `read-bare
TRACE` and the inspector on a capture of a few packets, which tell what reading and starting take.
Checks the alerts against TRACE.expected.json; perf/read.sh says what is measured.
"""
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

FEW_PACKETS = pathlib.Path(__file__).resolve().parent.parent / "tests/captures/sample.pcapng"


def run(command, output):
    """Processor seconds and peak memory in MiB of a process whose output goes to a file."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"read.py: {command[0]} failed: {errors.decode(errors='replace').strip()}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


# The rules the traces' ground truth is about (perf/traces/rule_ids.h); others say more of the same.
GROUND_TRUTH_RULES = {"866049a2-f864-4ac3-8dbf-20bd71e33544",
                      "5f00de47-b907-442f-bc2d-773454ebe843"}


def alerts_in(file):
    """Of a file of ECS lines: alerts of these rules by event and by rule, and all there are."""
    events, rules, every = collections.Counter(), collections.Counter(), 0
    file.seek(0)
    for line in file:
        alert = json.loads(line)
        every += 1
        if alert["rule"]["id"] not in GROUND_TRUTH_RULES:
            continue
        events[alert["imds"]["event"]] += 1
        rules[alert["rule"]["id"]] += 1
    return events, rules, every


def main(trace, build, rounds, json_file=None):
    inspector = [build / "app/inspector/imds-inspector", "--read", trace, "--format"]
    libpcap = [build / "perf/read-with-libpcap", trace]
    has_libpcap = libpcap[0].exists()
    if not has_libpcap:
        print("read.py: read-with-libpcap is not built (libpcap-dev is missing when the build is set "
              "up): no ratio", file=sys.stderr)
    expected = json.loads(pathlib.Path(f"{trace}.expected.json").read_text())
    with tempfile.TemporaryFile(dir=trace.parent) as found:
        run([*inspector, "ecs"], found)  # also brings the trace into memory
        events, rules, every = alerts_in(found)
    correct = events == expected["alerts"] and rules == expected.get("alerts_by_rule", rules)
    bare = [build / "perf/read-bare", trace]
    ours, theirs, bares, starts, memory = [], [], [], [], 0
    counts = set()
    for _ in range(rounds):
        with tempfile.TemporaryFile(dir=trace.parent) as found:
            seconds, mib = run([*inspector, "text"], found)
            ours.append(seconds)
            memory = max(memory, mib)
            found.seek(0)
            counts.add(sum(not line.startswith(b" ") for line in found))  # indented: its details
        bares.append(run(bare, subprocess.DEVNULL)[0])
        starts.append(run([*inspector[:2], FEW_PACKETS], subprocess.DEVNULL)[0])
        if has_libpcap:
            theirs.append(run(libpcap, subprocess.DEVNULL)[0])
    wanted = sum(expected["alerts"].values())
    seconds = statistics.median(ours)
    result = {
        "profile": f"{expected['profile']}-read",
        "packets": expected["packets"],
        "rounds": rounds,
        "gbit_per_s": expected["bytes"] * 8 / seconds / 1e9,
        "mpps": expected["packets"] / seconds / 1e6,
        "cpu_seconds": seconds,
        "cpu_seconds_least": min(ours),
        "cpu_seconds_most": max(ours),
        "libpcap_cpu_seconds": statistics.median(theirs) if theirs else None,
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs)) if theirs else None,
        "bare_cpu_seconds": statistics.median(bares),
        "start_cpu_seconds": statistics.median(starts),
        "memory_mib": round(memory, 1),
        "alerts": sum(events.values()),
        "expected_alerts": wanted,
        "ground_truth_ok": correct and counts == {every},
    }
    against = f", {result['ratio']:.2f} times only reading with libpcap" if theirs else ""
    print(f"{result['profile']}: {result['gbit_per_s']:.1f} Gbit/s per CPU "
          f"({seconds:.3f} s{against}; start {result['start_cpu_seconds']:.3f} s, start and bare "
          f"reading {result['bare_cpu_seconds']:.3f} s), {result['alerts']} of {wanted} alerts, "
          f"{memory:.0f} MiB at most")
    if json_file:
        pathlib.Path(json_file).write_text(json.dumps(result, indent=2) + "\n")
    if not result["ground_truth_ok"]:
        sys.exit("read.py: the alerts are not those of the trace; the figures do not count")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
