#!/usr/bin/env python3
"""The measuring part of perf/run.sh, which see for what is measured."""
import argparse
import json
import pathlib
import sys
import tempfile

import bench as benches
import counters
import programs
import samples
import testpmd
from programs import Missing

PERF = programs.ROOT / "perf"
QUICK_PACKETS = 10_000
# Too large to be quick.
NOT_QUICK = {"flows-1M", "flows-10M"}
# Half a minute each with callgrind: the others are variants of these.
COUNTED = ["small", "mix", "imix", "http", "imds", "hostile", "flows-10k"]


def arguments():
    parser = argparse.ArgumentParser(prog="perf/run.sh")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--portable-build", type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--profile", action="append", default=[])
    given = parser.parse_args()
    if given.rounds < 1 or given.repeats < 1:
        parser.error("one round and one repeat at least")
    return given


class Measurement:
    def __init__(self, given):
        self.given = given
        self.bench = benches.Bench(given.build)
        # Rows and programs that are not here, with what is missing.
        self.missing = {}
        self.rows = {}  # by profile, one per repeat
        self.testpmd = {}  # by profile, seconds per packet
        self.testpmd_null = []

    def everything(self):
        return not self.given.profile

    def note(self, name, reason):
        if name not in self.missing:
            self.missing[name] = str(reason)
            print(f"{name}: not available: {reason}", flush=True)

    # Rows of bench-pipeline, interleaved: one of every profile and baseline, then all again.

    def jobs(self):
        names = self.given.profile or self.bench.profiles()
        if self.given.quick:
            return [(name, name, 1) for name in names
                    if self.given.profile or name not in NOT_QUICK]
        jobs = [(name, "mix" if name == benches.TWO_WORKERS else name,
                 2 if name == benches.TWO_WORKERS else 1) for name in names]
        if self.everything() and "mix" in names:
            jobs.append((benches.TWO_WORKERS, "mix", 2))
        return jobs

    def measure(self):
        jobs = self.jobs()
        with tempfile.TemporaryDirectory(prefix="traces-", dir=self.given.out) as folder:
            for repeat in range(self.given.repeats):
                for name, profile, workers in jobs:
                    if repeat > 0 and name not in self.rows:
                        continue  # it could not be measured before
                    self.one(name, profile, workers)
                    if workers == 1 and name in self.rows and not self.given.no_baselines:
                        self.baseline(profile, pathlib.Path(folder))
                if not self.given.no_baselines:
                    self.null_baseline()

    def one(self, name, profile, workers):
        try:
            row, _ = self.bench.measure(
                profile, self.given.rounds, workers=workers,
                packets=QUICK_PACKETS if self.given.quick else None)
        except Missing as error:
            self.note(name, error)
            return
        row["profile"] = name
        self.rows.setdefault(name, []).append(row)
        print(f"{name:14} {row['mpps']:7.2f} Mpps {row['gbit_per_s']:8.2f} Gbit/s "
              f"{row['cycles_per_packet']:6.0f} cycles/packet, bare "
              f"{row['bare_cycles_per_packet']:.0f}; alerts {row['alerts']} of "
              f"{row['expected_alerts']}{'' if row['ground_truth_ok'] else '  WRONG'}", flush=True)

    def baseline(self, profile, folder):
        if "testpmd" in self.missing:
            return
        trace = folder / f"{profile}.pcap"
        try:
            if not trace.exists():
                self.bench.write_trace(profile, trace, testpmd.MOST_PACKETS)
            seconds = testpmd.seconds_per_packet(*testpmd.pcap_device(trace))
        except Missing as error:
            self.note("testpmd" if "installed" in str(error) else f"testpmd, {profile}", error)
            return
        self.testpmd.setdefault(profile, []).append(seconds)
        print(f"{'':14} {1e-6 / seconds:7.2f} Mpps dpdk-testpmd rxonly, net_pcap", flush=True)

    def null_baseline(self):
        if "testpmd" in self.missing:
            return
        try:
            self.testpmd_null.append(testpmd.seconds_per_packet(*testpmd.null_device(64)))
        except Missing as error:
            self.note("testpmd, net_null", error)

    # What is counted rather than timed: once per profile.

    def count(self):
        try:
            events = counters.hardware_events()
        except Missing as error:
            self.note("cache and TLB misses", error)
            events = {}
        portable = self.given.portable_build
        for name in list(self.rows):
            if name == benches.TWO_WORKERS:
                continue
            row = self.rows[name][0]
            if events:
                row.update(counters.by_perf(self.bench, name, events))
                row["instructions_by"] = "perf stat"
            elif portable is None or (self.everything() and name not in COUNTED):
                continue
            else:
                try:
                    row["instructions_per_packet"] = counters.by_callgrind(
                        benches.Bench(portable), name)
                    row["instructions_by"] = "callgrind"
                    print(f"{name:14} {row['instructions_per_packet']:7.0f} instructions/packet "
                          "(callgrind)", flush=True)
                except Missing as error:
                    self.note("instructions per packet", error)
                    return
        if not events and portable is None:
            self.note("instructions per packet", "no hardware counters, and callgrind needs the "
                      "portable build: give --instructions")

    def finished_rows(self):
        return [self.finish(name, rows) for name, rows in self.rows.items()]

    def finish(self, name, rows):
        """One row of the repeats: the figures of the median one, the spread of all."""
        row = dict(samples.median_row(rows, "cycles_per_packet"))
        row["runs"] = len(rows)
        # Rows of several workers have no spread of their own.
        row["cycles_per_packet_least"] = min(
            r.get("cycles_per_packet_least", r["cycles_per_packet"]) for r in rows)
        row["cycles_per_packet_most"] = max(
            r.get("cycles_per_packet_most", r["cycles_per_packet"]) for r in rows)
        row["ground_truth_ok"] = all(r["ground_truth_ok"] for r in rows)
        row["cycles_above_bare"] = row["cycles_per_packet"] - row["bare_cycles_per_packet"]
        row["ratio_to_bare"] = row["cycles_per_packet"] / row["bare_cycles_per_packet"]
        for key in list(counters.EVENTS) + ["instructions_by"]:
            row[key] = rows[0].get(key)
        hz = benches.tsc_hz(row)
        for kind, seconds in (("pcap", self.testpmd.get(name)), ("null", self.testpmd_null)):
            cycles = sorted(seconds)[len(seconds) // 2] * hz if seconds else None
            row[f"testpmd_{kind}_cycles_per_packet"] = cycles
            row[f"ratio_to_testpmd_{kind}"] = row["cycles_per_packet"] / cycles if cycles else None
        return row

    # Rows that other scripts measure.

    def script(self, name, path):
        """The row perf/PATH writes, or none."""
        script = PERF / path
        if not script.exists():
            self.note(name, f"perf/{path} is not there")
            return []
        with tempfile.TemporaryDirectory(prefix="imds-perf-") as folder:
            out = pathlib.Path(folder) / "row.json"
            try:
                done = programs.run([script, "--json", out, "--build-dir", self.given.build], 900)
            except Missing as error:
                self.note(name, error)
                return []
            if not out.exists():
                self.note(name, done.last_line())
                return []
            rows = json.loads(out.read_text())
        rows = rows if isinstance(rows, list) else [rows]
        for row in rows:
            row.setdefault("profile", name)
            if done.code != 0:
                row["ground_truth_ok"] = False
            print(f"{name:14} " + ", ".join(f"{key} {value}" for key, value in row.items()
                                            if key != "profile"), flush=True)
        return rows


def main():
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    programs.limit_memory_locks()
    try:
        measurement = Measurement(given)
    except Missing as error:
        sys.exit(f"perf/run.sh: {error}")
    measurement.measure()
    others = []
    if not given.quick:
        measurement.count()
    if measurement.everything() and not given.quick:
        others += measurement.script("mix-read", "read.sh")
        others += measurement.script("startup", "startup.sh")
        others += measurement.script("mix-reload", "reload.sh")
        others += measurement.script("mix-rules", "rules.sh")
    rows = measurement.finished_rows()
    (given.out / "pipeline.json").write_text(json.dumps(
        {"pipeline": rows, "others": others, "missing": measurement.missing, "quick": given.quick,
         "complete": measurement.everything() and not given.quick}, indent=2) + "\n")
    wrong = [row["profile"] for row in rows + others if not row.get("ground_truth_ok", True)]
    if wrong:
        print(f"perf/run.sh: did not give exactly its alerts, so its figures do not count: "
              f"{', '.join(wrong)}", file=sys.stderr)
        return 1
    asked = [name for name in given.profile if name not in measurement.rows]
    return 3 if asked or not rows else 0


sys.exit(main())
