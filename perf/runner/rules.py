#!/usr/bin/env python3
"""What many rules cost: packets of ordinary traffic with the shipped rules, and with 1,000 and 5,000
more; how long those take to compile, and how much memory they need."""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import bench as benches
import programs
import rule_sets
import samples
from programs import Missing

SHIPPED = programs.ROOT / "conf/rules"
COUNTS = (1_000, 5_000)


def rules_folder(parent, count):
    """The shipped rules, and `count` more."""
    folder = parent / str(count)
    shutil.copytree(SHIPPED, folder / "shipped")
    (folder / "generated").mkdir()
    rule_sets.write_rules(folder / "generated", count)
    return folder


def compiled(inspector, folder):
    """What `--check` tells of compiling, nothing cached, and the memory of the whole program."""
    configuration = folder.parent / "inspector.yaml"
    configuration.write_text("rules:\n  fields: %s\n  compile_timeout: 600\n"
                             % (programs.ROOT / "conf/fields.yaml"))
    done = programs.run([inspector, "--check", "--format", "json", "--config", configuration, "--rules", folder])
    if done.code != 0:
        raise Missing(f"imds-inspector --check: {done.last_line()}")
    report = json.loads(done.output)
    return report, {"rules": len(report["rules"]), "compile_ms": report["compiled"]["milliseconds"],
                    "database_mib": round(report["compiled"]["bytes"] / 2**20, 1),
                    "peak_memory_mib": round(done.peak_mib),
                    "prefilter_ns": report["cost"]["prefilter_ns"],
                    "heads_parsed": report["cost"]["heads_parsed"]}


def measure(given):
    bench = benches.Bench(given.build_dir)
    inspector = given.build_dir / "app/inspector/imds-inspector"
    if not inspector.exists():
        raise Missing(f"no {inspector}: build it first")
    with tempfile.TemporaryDirectory(prefix="imds-rules-") as name:
        folders = {count: rules_folder(pathlib.Path(name), count) for count in (0, *COUNTS)}
        about = {count: compiled(inspector, folder)[1] for count, folder in folders.items()}
        rows = {count: [] for count in folders}
        for _ in range(given.repeats):  # in turns, so that a busy machine is busy for all
            for count, folder in folders.items():
                row, _ = bench.measure("mix", given.rounds, packets=given.packets, rules=folder)
                rows[count].append(row)
                print("%5d rules more: %.0f cycles/packet" % (count, row["cycles_per_packet"]), flush=True)
    return [finish(count, rows[count], rows[0], about[count]) for count in COUNTS]


def finish(count, rows, shipped, about):
    cycles = samples.median_row(rows, "cycles_per_packet")["cycles_per_packet"]
    base = samples.median_row(shipped, "cycles_per_packet")["cycles_per_packet"]
    return {"profile": f"mix-rules-{count}", "cycles_per_packet": round(cycles, 1),
            "times_shipped": round(cycles / base, 3), **about,
            "ground_truth_ok": all(row["ground_truth_ok"] for row in [*rows, *shipped])}


def main():
    parser = argparse.ArgumentParser(prog="perf/rules.sh", description=__doc__ + """ Needs bench-pipeline and
        imds-inspector. Exit code 1: the traffic did not give exactly its alerts.""")
    parser.add_argument("--build-dir", type=pathlib.Path, default=programs.ROOT / "build/release",
                        help="where the programs are; builds nothing")
    parser.add_argument("--rounds", type=int, default=5, help="of the traffic in each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each set of rules; the median counts")
    parser.add_argument("--packets", type=int, help="about how many; default: the profile's own")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there")
    parser.add_argument("--write", type=pathlib.Path, metavar="FOLDER",
                        help="only write the rules that are measured into FOLDER")
    given = parser.parse_args()
    if given.write:
        given.write.mkdir(parents=True, exist_ok=True)
        rule_sets.write_rules(given.write, max(COUNTS))
        return 0
    try:
        rows = measure(given)
    except Missing as error:
        sys.exit(f"perf/rules.sh: {error}")
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["ground_truth_ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
