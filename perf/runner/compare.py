#!/usr/bin/env python3
"""The measuring part of perf/compare.sh, which see."""
import argparse
import datetime
import json
import pathlib
import statistics
import sys
import tempfile

import bench as benches
import peers
import programs
from programs import Missing

sys.path.insert(0, str(programs.ROOT / "perf"))
import report  # noqa: E402  # for what it tells of machine, commit and build

START_PACKETS = 100  # of the trace that shows what starting up costs
BY_WORD = {"suricata": peers.Suricata, "snort": peers.Snort, "ndpi": peers.Ndpi,
           "tshark": peers.Tshark}


def arguments():
    parser = argparse.ArgumentParser(prog="perf/compare.sh")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--profile", default="mix")
    parser.add_argument("--packets", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", action="append", choices=sorted(BY_WORD))
    given = parser.parse_args()
    if given.repeats < 1 or (given.packets is not None and given.packets < 1):
        parser.error("--repeats and --packets are numbers from 1 on")
    return given


def once(program, capture):
    """(run, found). Missing when the program fails: its figures would mean nothing."""
    with tempfile.TemporaryDirectory(prefix="imds-peer-") as name:
        folder = pathlib.Path(name)
        run = programs.run(program.command(capture, folder), 1800, cwd=folder)
        if run.code != 0:
            raise Missing(f"{program.name} failed (exit code {run.code}): {run.last_line()}")
        return run, program.found(run, folder)


class Comparison:
    def __init__(self, given, folder):
        self.given = given
        self.bench = benches.Bench(given.build)
        self.capture = folder / "trace.pcap"
        self.bench.write_trace(given.profile, self.capture, given.packets)
        self.short = folder / "short.pcap"
        shorten(self.capture, self.short, START_PACKETS)
        self.truth = json.loads(pathlib.Path(f"{self.capture}.expected.json").read_text())
        self.missing = {}
        self.rows = []

    def programs(self):
        words = self.given.only or BY_WORD
        return [peers.OnlyReading(self.given.build.resolve()),
                peers.Inspector(self.given.build.resolve()),
                *[BY_WORD[word]() for word in words]]

    def read_by_all(self):
        """Everybody reads the file once, then everybody again."""
        measured = {}
        for turn in range(self.given.repeats):
            for program in self.programs():
                if program.name in self.missing or (program.repeats or turn + 1) <= turn:
                    continue
                try:
                    version = program.version()
                    start, _ = once(program, self.short)
                    run, found = once(program, self.capture)
                except Missing as error:
                    self.missing[program.name] = str(error)
                    print(f"{program.name}: not available: {error}", flush=True)
                    continue
                measured.setdefault(program.name, []).append((run, start, found, version))
                print(f"{program.name:24} {run.cpu_seconds:8.2f} s CPU, {run.wall_seconds:8.2f} s",
                      flush=True)
        self.rows = [self.row(name, runs) for name, runs in measured.items()]

    def row(self, name, runs):
        """CPU time of the packets alone: what starting up takes is taken off everybody's."""
        cpu = statistics.median(run.cpu_seconds for run, *_ in runs)
        start = statistics.median(start.cpu_seconds for _, start, *_ in runs)
        wall = statistics.median(run.wall_seconds for run, *_ in runs)
        _, _, found, version = runs[-1]
        wanted = peers.by_kind(self.truth["alerts"])
        row = {"program": name, "version": version, "runs": len(runs), "cpu_seconds": cpu,
               "start_cpu_seconds": start, "wall_seconds": wall,
               "peak_mib": max(run.peak_mib for run, *_ in runs), "found": found,
               "expected": wanted}
        row.update(self.speed(max(cpu - start, 1e-3)))
        if found is not None:
            row["finds_all"] = all((found[kind] or 0) >= wanted[kind] for kind in wanted)
        return row

    def speed(self, seconds):
        return {"gbit_per_s_core": self.truth["bytes"] * 8e-9 / seconds,
                "mpps_core": self.truth["packets"] * 1e-6 / seconds}

    def fastest(self):
        """Each without what getting packets costs it: ours from memory; peers with the time that
        only reading takes given back to them."""
        rows = []
        floor = next((r for r in self.rows if r["program"] == peers.OnlyReading.name), None)
        try:
            row, _ = self.bench.measure(self.given.profile, 7, trace=self.capture)
            rows.append({"program": peers.Inspector.name, "how": "one worker, replayed from memory",
                         "gbit_per_s_core": row["gbit_per_s"], "mpps_core": row["mpps"],
                         "ground_truth_ok": row["ground_truth_ok"]})
        except Missing as error:
            self.missing["imds-inspector from memory"] = str(error)
        for row in self.rows:
            if row["found"] is None or row["program"] == peers.Inspector.name or floor is None:
                continue
            seconds = (row["cpu_seconds"] - row["start_cpu_seconds"]
                       - floor["cpu_seconds"] + floor["start_cpu_seconds"])
            rows.append({"program": row["program"], "how": "reading the file given back",
                         **self.speed(max(seconds, 1e-3))})
        return rows


def shorten(capture, path, packets):
    """The first packets of a pcap file of ours."""
    with open(capture, "rb") as file:
        text = file.read(24)
        for _ in range(packets):
            header = file.read(16)
            if len(header) < 16:
                break
            text += header + file.read(int.from_bytes(header[8:12], "little"))
    path.write_bytes(text)


def ratios(rows):
    """By program, how many times faster ours is; and whether it misses nothing a peer finds."""
    speed = {row["program"]: row["gbit_per_s_core"] for row in rows}
    ours = speed.pop(peers.Inspector.name, None)
    return {name: ours / other for name, other in speed.items()} if ours else {}


def times(fastest):
    names = {peers.Suricata.name: "times_suricata", peers.Snort.name: "times_snort"}
    return {names[name]: ratio for name, ratio in ratios(fastest).items() if name in names}


def found_text(row, kind):
    if row["found"] is None:
        return ""
    count = row["found"][kind]
    return f"{'cannot' if count is None else format(count, ',')} / {row['expected'][kind]:,}"


def markdown(result):
    trace = result["trace"]
    lines = [f"Measured {result['date']} on {result['machine']}, commit {result['commit']}, "
             f"{result['build']}. Trace `{trace['profile']}`: {trace['packets']:,} packets, "
             f"{trace['bytes']:,} bytes, {trace['flows']:,} flows.", "",
             "Every program reads the same file:", ""]
    ours = next((r["gbit_per_s_core"] for r in result["like_for_like"]
                 if r["program"] == peers.Inspector.name), None)
    lines += report.table(
        ["program", "CPU s", "of it to start", "wall s", "Gbit/s per core", "Mpps per core", "ours ×",
         "memory MiB", "connections found", "requests found"],
        [[f"{r['program']} {r['version']}", f"{r['cpu_seconds']:.2f}",
          f"{r['start_cpu_seconds']:.2f}", f"{r['wall_seconds']:.2f}",
          f"{r['gbit_per_s_core']:.2f}", f"{r['mpps_core']:.2f}",
          f"{ours / r['gbit_per_s_core']:.1f}" if ours else "–", f"{r['peak_mib']:,.0f}",
          found_text(r, "connections"), found_text(r, "requests")]
         for r in result["like_for_like"]])
    lines += ["Each without what getting the packets costs it:", ""]
    ours = next((r["gbit_per_s_core"] for r in result["fastest"]
                 if r["program"] == peers.Inspector.name), None)
    lines += report.table(
        ["program", "how", "Gbit/s per core", "Mpps per core", "ours ×"],
        [[r["program"], r["how"], f"{r['gbit_per_s_core']:.2f}", f"{r['mpps_core']:.2f}",
          f"{ours / r['gbit_per_s_core']:.1f}" if ours else "–"] for r in result["fastest"]])
    lines += ["Suricata and Snort on AF_PACKET or DPDK ports, and ours there, need a NIC and a second "
              "machine that sends: perf/pktgen.", ""]
    lines += [f"Not available: {name}: {reason}\n" for name, reason in result["missing"].items()]
    return "\n".join(lines).rstrip() + "\n"


def main():
    given = arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="compare-", dir=given.out) as folder:
            comparison = Comparison(given, pathlib.Path(folder).resolve())
            comparison.read_by_all()
            fastest = comparison.fastest()
    except Missing as error:
        sys.exit(f"perf/compare.sh: {error}")
    result = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": report.machine(), "commit": report.commit(),
        "build": report.build_text(given.build),
        "trace": comparison.truth, "like_for_like": comparison.rows, "fastest": fastest,
        "times_like_for_like": ratios(comparison.rows), "times": times(fastest),
        "missing": comparison.missing,
    }
    text = markdown(result)
    (given.out / "compare.json").write_text(json.dumps(result, indent=2) + "\n")
    (given.out / "compare.md").write_text(text)
    print("\n" + text, end="")
    wrong = [r for r in comparison.rows if r["program"] == peers.Inspector.name
             and r["found"] != r["expected"]]
    wrong += [r for r in fastest if not r.get("ground_truth_ok", True)]
    if wrong:
        print("perf/compare.sh: imds-inspector did not find exactly what is in the trace",
              file=sys.stderr)
        return 1
    return 0


sys.exit(main())
