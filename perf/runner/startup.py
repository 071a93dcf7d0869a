"""How long imds-inspector takes to start with the shipped configuration and rules."""
import argparse
import json
import pathlib
import re
import resource
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONFIGURATION = ROOT / "conf" / "inspector.yaml"
GIVE_UP_SECONDS = 60
BULLETIN_RULE = "866049a2-f864-4ac3-8dbf-20bd71e33544"  # conf/rules/aws_imds_metadata_access.yml


def one_packet_capture(path):
    """A SYN to the metadata address: one packet, one alert of the bulletin's rule."""
    ethernet = bytes.fromhex("020000000002" "020000000001" "0800")
    ip = bytes.fromhex("45000028000100004006" "0000" "0a010203" "a9fea9fe")
    tcp = bytes.fromhex("9c400050" "00000001" "00000000" "50022000" "00000000")
    frame = ethernet + ip + tcp
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) +
                     struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def live_configuration(path):
    """The shipped one, but on a device that always has packets, ordinary memory and own names."""
    name = "imds-startup-" + uuid.uuid4().hex[:8]
    text = CONFIGURATION.read_text()
    changes = {
        "ports": "[{name: nowhere, device: net_null0}]",
        "memory": "{hugepages: off}",
        "eal": "{file_prefix: %s}" % name,
        "metrics": "{enabled: false}",
    }
    for key, value in changes.items():
        # A section is its key and the indented, empty or commented lines behind it.
        text = re.sub(r"(?m)^%s:.*\n(?:(?:[ #-].*)?\n)*" % key, "", text)
        text += "%s: %s\n" % (key, value)
    text, found = re.subn(r"(?m)^(\s+name:) /imds-inspector\b", r"\1 /%s" % name, text)
    if found != 1:
        sys.exit("perf/startup.sh: %s does not name its ring as expected" % CONFIGURATION)
    path.write_text(text)
    for beside in ("rules", "fields.yaml", "clients.yaml"):  # the configuration names them relative to itself
        (path.parent / beside).symlink_to(CONFIGURATION.parent / beside)
    return pathlib.Path("/dev/shm") / name


def children_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_seconds(program, capture):
    """From exec to the end of a run that read one packet; whether that gave its alert.

    Other shipped rules may alert on it, too.
    """
    begin = time.monotonic()
    done = subprocess.run([program, "--config", CONFIGURATION, "--read", capture, "--format", "ecs"],
                          capture_output=True, text=True)
    took = time.monotonic() - begin
    rules = [json.loads(line)["rule"]["id"] for line in done.stdout.splitlines()]
    return took, done.returncode == 0 and rules.count(BULLETIN_RULE) == 1, done.stderr


def live_seconds(program, configuration):
    """From exec to the line that says its workers are running."""
    begin = time.monotonic()
    process = subprocess.Popen([program, "--config", configuration], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(GIVE_UP_SECONDS, process.kill)
    killer.start()
    said, took = "", None
    for line in process.stderr:
        said += line
        if "inspecting: " in line:
            took = time.monotonic() - begin
            process.send_signal(signal.SIGINT)
    ended = process.wait()
    killer.cancel()
    return took, took is not None and ended == 0, said


def measure(name, rounds, run):
    times = []
    for _ in range(rounds):
        took, good, said = run()
        if not good:
            print("perf/startup.sh: %s did not start as it should:\n%s" % (name, said),
                  file=sys.stderr)
            return None
        times.append(took)
    middle = statistics.median(times)
    print("%-5s %.3f s (%.3f to %.3f, %d starts)" % (name, middle, min(times), max(times), rounds))
    return middle


def main():
    parser = argparse.ArgumentParser(prog="perf/startup.sh", description=__doc__ + """ Two ways:
        live, from exec to running workers on a device that always has packets; and --read of a
        capture of one packet, from exec to the end. On ordinary memory, so that no hugepage has to
        be zeroed. Exit code 1: it did not start, or missed the alert.""")
    parser.add_argument("--rounds", type=int, default=11, help="starts, of which the median counts")
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "release",
                        help="where the program is; builds nothing")
    parser.add_argument("--json", type=pathlib.Path, help="write the result there")
    given = parser.parse_args()
    program = (given.build_dir / "app" / "inspector" / "imds-inspector").resolve()
    if not program.exists():
        sys.exit("perf/startup.sh: no %s: build it first (ninja -C %s app/inspector/imds-inspector)"
                 % (program, given.build_dir))
    with tempfile.TemporaryDirectory(prefix="imds-startup-") as folder:
        capture = pathlib.Path(folder) / "one.pcap"
        one_packet_capture(capture)
        configuration = pathlib.Path(folder) / "inspector.yaml"
        segment = live_configuration(configuration)
        try:
            live = measure("live", given.rounds, lambda: live_seconds(program, configuration))
        finally:
            segment.unlink(missing_ok=True)
        before = children_cpu_seconds()
        read = measure("read", given.rounds, lambda: read_seconds(program, capture))
        read_cpu = (children_cpu_seconds() - before) / given.rounds
        print("read  %.3f s of processor time; the rest is waiting, for other programs too" %
              read_cpu)
    if given.json and live is not None and read is not None:
        given.json.write_text(json.dumps({"profile": "startup", "start_seconds": round(live, 3),
                                          "read_one_packet_seconds": round(read, 3),
                                          "read_one_packet_cpu_seconds": round(read_cpu, 3),
                                          "starts": given.rounds}) + "\n")
    return 0 if live is not None and read is not None else 1


if __name__ == "__main__":
    sys.exit(main())
