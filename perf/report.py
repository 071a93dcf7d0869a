#!/usr/bin/env python3
"""Puts the results of one measurement together.

Reads pipeline.json, bench-*.json and, if it is there, compare.json in FOLDER, compares them with
perf/budgets.json, and writes results.json and results.md there.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PASSES = ["receive", "decode", "classify", "flow", "inspect", "act"]
BEGIN = "<!-- measured: begin (perf/run.sh --update-docs writes what follows) -->"
END = "<!-- measured: end -->"
# Of the micro-benchmarks, those every measurement quotes: (file, name, what it is).
QUOTED = [
    ("packet", "hot/tcp_v4", "decode one Ethernet, IPv4, TCP packet"),
    ("classify", "lookup_v4/not_listed", "classify an address no prefix covers"),
    ("classify", "lookup_v4/listed", "classify an address that is listed"),
    ("flow", "make_key_and_hash", "key and hash of a flow"),
    ("flow", "find_burst/100000", "look up a flow, table of 100,000"),
    ("flow", "find_burst/1000000", "look up a flow, table of 1,000,000"),
    ("rules", "prefilter/others:0", "prefilter scan of a 430-byte head, shipped rule"),
    ("rules", "prefilter/others:1000", "the same with 1,000 rules more"),
    ("alert", "publish", "publish one alert in the ring"),
]


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), "unknown processor")
    return f"{cpu}, {os.cpu_count()} CPUs"


def commit():
    def git(*arguments):
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short=10", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "lib", "perf", "app", "meson.build")
    return name + (" with local changes" if changed else "")


def build_text(build):
    file = build / "meson-info/intro-buildoptions.json"
    if not file.exists():
        return "build of unknown options"
    values = {o["name"]: o["value"] for o in json.loads(file.read_text())}
    return f"{values['buildtype']} build, march={values['march']}"


def benchmarks(folder, room):
    file = folder / f"bench-{room}.json"
    return json.loads(file.read_text())["benchmarks"] if file.exists() else None


def nanoseconds(run):
    if "items_per_second" in run:
        return 1e9 / run["items_per_second"]
    return run["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[run["time_unit"]]


def micro_rows(folder):
    rows = []
    for room, name, text in QUOTED:
        runs = benchmarks(folder, room)
        if runs is None:
            continue
        found = next((run for run in runs if run["name"] == name), None)
        if found is None:
            sys.exit(f"report.py: bench-{room} has no benchmark {name}")
        rows.append({"room": room, "name": name, "what": text, "ns": nanoseconds(found)})
    return rows


def alert_path_row(folder):
    """Findings through the story thread into the ring, of bench-alert."""
    for run in benchmarks(folder, "alert") or []:
        if run["name"].startswith("story"):
            return [{"profile": "alert-path", "alerts_per_s": 1e9 / nanoseconds(run)}]
    return []


def peers_row(folder):
    """Our Gbit/s per core as multiples of the peers', like for like, from perf/compare.sh."""
    file = folder / "compare.json"
    if not file.exists():
        return []
    return [{"profile": "peers", **json.loads(file.read_text()).get("times", {})}]


# Budgets.

def judge(budgets, rows):
    """Budgets with what was reached: `value` and `ok` are None where it was not measured."""
    by_name = {row["profile"]: row for row in rows}
    judged = []
    for budget in budgets:
        value = by_name.get(budget["row"], {}).get(budget["value"])
        if value is not None and "of" in budget:
            base = by_name.get(budget["of"], {}).get(budget["value"])
            value = value / base if base else None
        ok = None
        if value is not None:
            ok = value <= budget["at_most"] if "at_most" in budget else value >= budget["at_least"]
            ok = ok and by_name[budget["row"]].get("ground_truth_ok", True)
        judged.append({**budget, "reached": value, "ok": ok})
    return judged


# Tables.

def number(value, digits=0, missing="–"):
    return missing if value is None else f"{value:,.{digits}f}"


def small_or_large(value):
    """Three figures or so, however large."""
    if value is None:
        return "not measured"
    return number(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *["| " + " | ".join(row) + " |" for row in rows], ""]


def budget_texts(judged):
    """By row: `reached / budget` of each of its budgets."""
    texts = {}
    for budget in judged:
        limit = (f"≤ {budget['at_most']:,}" if "at_most" in budget
                 else f"≥ {budget['at_least']:,}")
        mark = {True: "kept", False: "**missed**", None: "–"}[budget["ok"]]
        texts.setdefault(budget["row"], []).append((budget, limit, mark))
    return texts


def pipeline_table(rows, judged):
    texts = budget_texts(judged)
    lines = []
    for r in rows:
        budgets = "; ".join(f"{limit} {budget['what']}: {small_or_large(budget['reached'])}, {mark}"
                            for budget, limit, mark in texts.get(r["profile"], []))
        lines.append([
            f"`{r['profile']}`", number(r["bytes_per_packet"]), number(r["flows"]),
            number(r["mpps"], 2), number(r["gbit_per_s"], 1),
            f"{number(r['cycles_per_packet'])} ({number(r['cycles_per_packet_least'])}–"
            f"{number(r['cycles_per_packet_most'])})",
            number(r["bare_cycles_per_packet"]), number(r["ratio_to_bare"], 1),
            f"{number(r['alerts'])} / {number(r['expected_alerts'])}"
            + ("" if r["ground_truth_ok"] else " **wrong**"), budgets or "–"])
    return table(["profile", "bytes/packet", "flows", "Mpps", "Gbit/s",
                  "cycles/packet (least–most)", "bare loop", "× bare", "alerts / expected",
                  "budget / reached"], lines)


def pass_table(rows):
    rows = [r for r in rows if r.get("passes")]
    if not rows:
        return []
    return table(["cycles/packet of", *PASSES],
                 [[f"`{r['profile']}`", *[number(r["passes"].get(p)) for p in PASSES]]
                  for r in rows])


def baseline_table(rows):
    lines = []
    for r in rows:
        def beside(kind, row=r):
            cycles = row.get(f"testpmd_{kind}_cycles_per_packet")
            return "–" if cycles is None else (
                f"{number(cycles)} ({number(row[f'ratio_to_testpmd_{kind}'], 2)})")
        misses = [number(r.get(f"{kind}_misses_per_packet"), 2) for kind in ("l1", "llc", "tlb")]
        lines.append([f"`{r['profile']}`", beside("pcap"), beside("null"),
                      number(r.get("instructions_per_packet")), *misses,
                      number(r.get("memory_mib")), str(r.get("pages", "–"))])
    return table(["profile", "testpmd net_pcap, cycles (ours ×)",
                  "testpmd net_null, cycles (ours ×)", "instructions/packet", "L1 misses",
                  "LLC misses", "TLB misses", "memory MiB", "pages"], lines)


def budget_table(judged):
    lines = []
    for texts in budget_texts(judged).values():
        for budget, limit, mark in texts:
            lines.append([f"`{budget['row']}`", budget["what"], limit,
                          small_or_large(budget["reached"]), mark])
    return table(["row", "budget", "must", "reached", "kept"], lines)


def other_lines(rows):
    """Rows of other scripts, whatever they measure."""
    def text(value):
        return f"{value:,.3g}" if isinstance(value, float) and value < 1000 else str(value)
    return [[f"`{row['profile']}`", ", ".join(f"{key} {text(value)}" for key, value in row.items()
                                              if key != "profile")] for row in rows]


def markdown(result):
    lines = ["A quick run: the times mean nothing.", ""] if result["quick"] else []
    lines += [f"Measured {result['date']} on {result['machine']}, commit {result['commit']}, "
             f"{result['build']}, by `{result['command']}`.", ""]
    lines += pipeline_table(result["pipeline"], result["budgets"])
    lines += pass_table(result["pipeline"])
    if not result["quick"]:
        lines += baseline_table(result["pipeline"])
    if result["others"]:
        lines += table(["row", "measured"], other_lines(result["others"]))
    if result["budgets"]:
        lines += budget_table(result["budgets"])
    if result["micro"]:
        lines += table(["step", "ns"], [[r["what"], f"{r['ns']:.1f}"] for r in result["micro"]])
    lines += [f"Not available: {name}: {reason}" + "\n"
              for name, reason in result["missing"].items()]
    return "\n".join(lines).rstrip() + "\n"


def update_docs(path, text):
    """Puts `text` between the two markers of a document."""
    old = path.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        sys.exit(f"report.py: {path} has not the two lines\n{BEGIN}\n{END}\nonce, in this order")
    path.write_text(old[:old.index(BEGIN)] + BEGIN + "\n\n" + text + "\n" + old[old.index(END):])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--command", default="perf/run.sh")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--update-docs", type=pathlib.Path)
    given = parser.parse_args()
    measured = json.loads((given.folder / "pipeline.json").read_text())
    others = measured["others"] + alert_path_row(given.folder) + peers_row(given.folder)
    budgets = json.loads((ROOT / "perf/budgets.json").read_text())
    if not measured["complete"]:
        names = {row["profile"] for row in measured["pipeline"]}
        budgets = [] if measured["quick"] else [b for b in budgets if b["row"] in names]
    result = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(), "commit": commit(), "build": build_text(given.build),
        "command": given.command.strip(), "quick": measured["quick"],
        "pipeline": measured["pipeline"], "others": others,
        "budgets": judge(budgets, measured["pipeline"] + others),
        "micro": micro_rows(given.folder), "missing": measured["missing"],
    }
    text = markdown(result)
    (given.folder / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (given.folder / "results.md").write_text(text)
    if given.json:
        given.json.write_text(json.dumps(measured["pipeline"], indent=2) + "\n")
    if given.update_docs:
        update_docs(given.update_docs, text)
    print("\n" + text, end="")


if __name__ == "__main__":
    main()
