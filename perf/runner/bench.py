"""The project's own programs that are measured: bench-pipeline and imds-tracegen of one build."""
import json
import pathlib
import tempfile

import programs
from programs import Missing

# The order of the tables. A build's generator may know fewer, or others as well.
PROFILES = ["small", "mix", "imix", "http", "imds", "exchanges", "hostile", "elephant", "mix-vlan", "mix-vxlan",
            "flows-10k", "flows-1M", "flows-10M"]
ALIASES = {"vlan", "vxlan"}
TWO_WORKERS = "mix-2-workers"


class Bench:
    def __init__(self, build):
        self.build = pathlib.Path(build)
        self.pipeline = self._program("bench-pipeline")
        self.tracegen = self._program("imds-tracegen")

    def _program(self, name):
        path = self.build / "perf" / name
        if not path.exists():
            raise Missing(f"{path} is not built (ninja -C {self.build} perf/{name})")
        return path

    def profiles(self):
        """Names to measure by default, in the order of the tables."""
        listed = [line.split()[0] for line in
                  programs.run([self.tracegen, "--list"], 30).output.splitlines() if line.strip()]
        flows = any(name.startswith("flows-") for name in listed)
        names = [name for name in PROFILES
                 if name in listed or (flows and name.startswith("flows-"))]
        return names + [name for name in listed if name not in names and name not in ALIASES
                        and not name.startswith("flows-")]

    def write_trace(self, profile, path, packets=None):
        command = [self.tracegen, "--profile", profile, "--out", path]
        done = programs.run(command + (["--packets", packets] if packets else []))
        if done.code != 0:
            raise Missing(f"trace {profile}: {done.last_line()}")

    def measure(self, profile, rounds, packets=None, workers=1, wrapper=(), trace=None,
                timeout=1800, small_pages=False, rules=None):
        """(row, run) of bench-pipeline; `wrapper` is a command to put before it.

        A row whose ground truth is wrong is a row; Missing when there is none.
        """
        with tempfile.TemporaryDirectory(prefix="imds-perf-") as folder:
            out = pathlib.Path(folder) / "row.json"
            command = [*wrapper, self.pipeline, "--rounds", rounds, "--json", out]
            command += ["--trace", trace] if trace else ["--profile", profile]
            if packets:
                command += ["--packets", packets]
            if workers > 1:
                command += ["--workers", workers]
            if rules:
                command += ["--rules", rules]
            if small_pages:
                command.append("--small-pages")
            done = programs.run(command, timeout)
            if done.code not in (0, 1) or not out.exists():
                raise Missing(f"bench-pipeline, {profile}: {done.last_line()}")
            row = json.loads(out.read_text())
        if done.code == 1:
            row["ground_truth_ok"] = False
        return row, done


def tsc_hz(row):
    """Cycles of the time stamp counter in a second, from a row's own figures."""
    return row["mpps"] * 1e6 * row["cycles_per_packet"] / row["workers"]
