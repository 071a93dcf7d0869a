#!/usr/bin/env python3
"""The measuring part of perf/regress.sh, which see."""
import argparse
import json
import pathlib
import sys
import tempfile

import bench as benches
import programs
import samples
from programs import Missing

PROFILES = ["small", "mix", "http", "imds", "hostile"]
INNER_ROUNDS = 3  # of one run; its median is one figure


def arguments(words=None):
    parser = argparse.ArgumentParser(prog="perf/regress.sh")
    parser.add_argument("--tree", required=True, type=pathlib.Path)
    parser.add_argument("--reference", required=True, type=pathlib.Path)
    parser.add_argument("--reference-name", default="the reference")
    parser.add_argument("--profile", action="append")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--threshold", type=float, default=1.05)
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args(words)
    if given.rounds < 2:
        parser.error("--rounds: an interval needs 2 at least")
    if given.packets < 1 or given.threshold <= 0:
        parser.error("--packets and --threshold are above 0")
    return given


def reference_program(build):
    """The reference's bench-pipeline; its tracegen is not needed."""
    path = build / "perf/bench-pipeline"
    if not path.exists():
        raise Missing(f"{path} is not built")
    return path


def figures(program, trace):
    """(cycles per packet, whether everything was found) of one run."""
    with tempfile.TemporaryDirectory(prefix="imds-regress-") as folder:
        out = pathlib.Path(folder) / "row.json"
        run = programs.run([program, "--trace", trace, "--rounds", INNER_ROUNDS, "--json", out])
        if run.code not in (0, 1) or not out.exists():
            raise Missing(f"{program}: {run.last_line()}")
        row = json.loads(out.read_text())
    row = row[0] if isinstance(row, list) else row
    return row["cycles_per_packet"], run.code == 0 and row["ground_truth_ok"]


def compare(tree, reference, trace, rounds):
    """Blocks of (reference, tree, tree, reference), and whether the tree always found everything."""
    blocks, right = [], True
    for _ in range(rounds):
        block = []
        for program in (reference, tree, tree, reference):
            cycles, found = figures(program, trace)
            block.append(cycles)
            right = right and (found or program is reference)
        blocks.append(tuple(block))
    return blocks, right


def verdict(profile, blocks, right, threshold):
    """The row of one profile."""
    ratio, lower, upper = samples.ratio_with_interval(blocks)
    return {"profile": profile, "ratio": ratio, "lower": lower, "upper": upper,
            "threshold": threshold, "regression": lower > threshold, "ground_truth_ok": right,
            "reference_cycles": sorted(c for a, _, _, d in blocks for c in (a, d))[len(blocks)],
            "tree_cycles": sorted(c for _, b, e, _ in blocks for c in (b, e))[len(blocks)],
            "blocks": blocks}


def line(row):
    text = (f"{row['profile']:10} {row['reference_cycles']:7.0f} -> {row['tree_cycles']:7.0f} "
            f"cycles/packet, ratio {row['ratio']:.3f} (95 %: {row['lower']:.3f} to "
            f"{row['upper']:.3f})")
    if row["regression"]:
        text += f"  SLOWER than {row['threshold']} allows"
    if not row["ground_truth_ok"]:
        text += "  WRONG: not exactly its alerts"
    return text


def main():
    given = arguments()
    rows = []
    try:
        tree = benches.Bench(given.tree)
        reference = reference_program(given.reference)
        known = tree.profiles()
        profiles = given.profile or [name for name in PROFILES if name in known]
        print(f"against {given.reference_name}, {given.rounds} blocks", flush=True)
        for profile in profiles:
            with tempfile.TemporaryDirectory(prefix="imds-regress-") as folder:
                trace = pathlib.Path(folder) / f"{profile}.pcap"
                tree.write_trace(profile, trace, given.packets)
                blocks, right = compare(tree.pipeline, reference, trace, given.rounds)
            rows.append(verdict(profile, blocks, right, given.threshold))
            print(line(rows[-1]), flush=True)
    except Missing as error:
        print(f"perf/regress.sh: {error}", file=sys.stderr)
        return 2
    if given.json:
        given.json.write_text(json.dumps({"reference": given.reference_name, "profiles": rows},
                                         indent=2) + "\n")
    return 1 if any(r["regression"] or not r["ground_truth_ok"] for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
