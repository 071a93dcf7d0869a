#!/usr/bin/env python3
"""Puts the results of one measurement together: report.py FOLDER BUILD-FOLDER [JSON-FILE].

Reads pipeline-*.json and bench-*.json in FOLDER and writes results.json and results.md there.
"""
import datetime
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
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
    cpu = next(line.split(":", 1)[1].strip()
               for line in open("/proc/cpuinfo") if line.startswith("model name"))
    return f"{cpu}, {len(list(pathlib.Path('/sys/devices/system/cpu').glob('cpu[0-9]*')))} CPUs"


def commit():
    def git(*arguments):
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short=10", "HEAD") or "unknown"
    return name + (" with local changes" if git("status", "--porcelain", "lib", "perf") else "")


def micro_rows(folder):
    rows = []
    for room, name, text in QUOTED:
        file = folder / f"bench-{room}.json"
        if not file.exists():
            continue
        for run in json.loads(file.read_text())["benchmarks"]:
            if run["name"] == name:
                ns = run["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[run["time_unit"]]
                if "items_per_second" in run:
                    ns = 1e9 / run["items_per_second"]
                rows.append({"room": room, "name": name, "what": text, "ns": ns})
                break
        else:
            sys.exit(f"report.py: bench-{room} has no benchmark {name}")
    return rows


def markdown(result):
    lines = [f"Measured {result['date']} on {result['machine']}, commit {result['commit']}, "
             f"{result['build']}.", ""]
    lines += ["| profile | bytes/packet | flows | Mpps | Gbit/s | cycles/packet (least–most) | bare | "
              "alerts / expected |", "|---|---|---|---|---|---|---|---|"]
    for r in result["pipeline"]:
        lines.append(
            f"| `{r['profile']}` | {r['bytes_per_packet']:.0f} | {r['flows']:,} | {r['mpps']:.2f} | "
            f"{r['gbit_per_s']:.1f} | {r['cycles_per_packet']:.0f} "
            f"({r['cycles_per_packet_least']:.0f}–{r['cycles_per_packet_most']:.0f}) | "
            f"{r['bare_cycles_per_packet']:.0f} | {r['alerts']:,} / {r['expected_alerts']:,}"
            + ("" if r["ground_truth_ok"] else " **wrong**") + " |")
    if result["micro"]:
        lines += ["", "| step | ns |", "|---|---|"]
        lines += [f"| {r['what']} | {r['ns']:.1f} |" for r in result["micro"]]
    return "\n".join(lines) + "\n"


def build_text(build):
    options = json.loads((build / "meson-info/intro-buildoptions.json").read_text())
    values = {o["name"]: o["value"] for o in options}
    return f"{values['buildtype']} build, march={values['march']}"


def main():
    folder, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    pipeline = [json.loads(f.read_text()) for f in
                sorted(folder.glob("pipeline-*.json"), key=lambda f: f.stat().st_mtime_ns)]
    result = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(), "commit": commit(), "build": build_text(build),
        "pipeline": pipeline, "micro": micro_rows(folder),
    }
    (folder / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (folder / "results.md").write_text(markdown(result))
    if len(sys.argv) > 3:
        pathlib.Path(sys.argv[3]).write_text(json.dumps(pipeline, indent=2) + "\n")
    print("\n" + markdown(result), end="")


main()
