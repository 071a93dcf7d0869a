"""The programs that are compared: how each is started on a capture, and what it found.

`found` is {"connections": n, "requests": n}: connections to a metadata address, and HTTP requests that
ask for metadata. A program that cannot look for one of them has None there.
"""
import json
import pathlib
import re
import shutil

import programs
from programs import Missing

CONFIG = programs.ROOT / "perf/peers"
ADDRESS = "(ip.dst == 169.254.169.254 || ipv6.dst == fd00:ec2::254)"


class Program:
    name = ""
    program = ""
    package = ""
    repeats = None  # None: as many as asked for

    def path(self):
        found = shutil.which(self.program)
        if found is None:
            raise Missing(f"{self.program} is not installed ({self.package})")
        return found

    def version(self):
        return ""

    def command(self, capture, folder):
        raise NotImplementedError

    def found(self, run, folder):
        raise NotImplementedError


def built(build, name):
    path = build / name
    if not path.exists():
        raise Missing(f"{path} is not built (ninja -C {build} {name})")
    return path


def first_match(pattern, text):
    found = re.search(pattern, text)
    return found.group(1) if found else ""


class OnlyReading(Program):
    """The floor: libpcap reads every packet, and nobody looks at it."""
    name = "only reading (libpcap)"

    def __init__(self, build):
        self.build = pathlib.Path(build)

    def path(self):
        return built(self.build, "perf/read-with-libpcap")

    def command(self, capture, folder):
        return [self.path(), capture]

    def found(self, run, folder):
        return None


BULLETIN_RULE = "866049a2-f864-4ac3-8dbf-20bd71e33544"


class Inspector(Program):
    name = "imds-inspector"

    def __init__(self, build):
        self.build = pathlib.Path(build)

    def path(self):
        return built(self.build, "app/inspector/imds-inspector")

    def version(self):
        return programs.run([self.path(), "--version"]).last_line().split()[-1]

    def command(self, capture, folder):
        config = programs.ROOT / "conf/inspector.yaml"
        return [self.path(), "--config", config, "--read", capture, "--format", "ecs"]

    def found(self, run, folder):
        counts = {}
        for line in run.output.splitlines():
            alert = json.loads(line) if line.startswith("{") else None
            # Other rules say more of the same requests.
            if alert and alert["rule"]["id"] == BULLETIN_RULE:
                event = alert["event"]["action"]
                counts[event] = counts.get(event, 0) + 1
        return by_kind(counts)


def by_kind(events):
    """Connections and requests out of counts by event name; other events go by themselves."""
    return {"connections": events.get("connection", 0), "requests": events.get("http_request", 0)}


class Suricata(Program):
    name = "Suricata"
    program = "suricata"
    package = "apt-get install -t bookworm-backports suricata"

    def version(self):
        return first_match(r"version (\S+)", programs.run([self.path(), "-V"]).output)

    def command(self, capture, folder):
        return [self.path(), "-c", CONFIG / "suricata.yaml", "-S", CONFIG / "suricata.rules",
                "--runmode", "single", "-k", "none", "-l", folder, "-r", capture]

    def found(self, run, folder):
        connections, requests = 0, set()
        for line in (folder / "eve.json").read_text().splitlines():
            record = json.loads(line)
            if record.get("event_type") != "alert":
                continue
            if record["alert"]["signature_id"] == 1:
                connections += 1
            elif record["alert"]["signature_id"] > 2:
                # Several rules may name one request.
                requests.add((record["flow_id"], record.get("tx_id")))
        return {"connections": connections, "requests": len(requests)}


class Snort(Program):
    name = "Snort 3"
    program = "snort"
    package = "Debian has no package; build it from snort.org's sources"

    def version(self):
        return first_match(r"Version (\S+)", programs.run([self.path(), "-V"]).output)

    def path(self):
        path = super().path()
        if not re.search(r"Version 3\.", programs.run([path, "-V"]).output):
            raise Missing(f"{path} is not Snort 3")
        return path

    def command(self, capture, folder):
        return [self.path(), "-q", "-c", CONFIG / "snort.lua", "-R", CONFIG / "snort.rules",
                "-l", folder, "-z", "1", "-r", capture]

    def found(self, run, folder):
        connections, requests = 0, set()
        file = folder / "alert_json.txt"
        for line in file.read_text().splitlines() if file.exists() else []:
            record = json.loads(line)
            if record["sid"] == 1:
                connections += 1
            else:
                requests.add((record["src_ap"], record["dst_ap"], record["pkt_num"]))
        return {"connections": connections, "requests": len(requests)}


class Ndpi(Program):
    name = "ndpiReader"
    program = "ndpiReader"
    package = "apt-get install libndpi-bin"

    def version(self):
        return first_match(r"nDPI (\S+)", programs.run([self.path(), "-h"]).output)

    def command(self, capture, folder):
        return [self.path(), "-p", CONFIG / "ndpi.protos", "-i", capture]

    def found(self, run, folder):
        flows = first_match(r"\bIMDS\s+packets:.*flows:\s*(\d+)", run.output)
        return {"connections": int(flows or 0), "requests": None}


class Tshark(Program):
    name = "tshark"
    program = "tshark"
    package = "apt-get install tshark"
    repeats = 1  # minutes each time

    def version(self):
        return first_match(r"TShark[^0-9]*([0-9.]+)", programs.run([self.path(), "-v"]).output)

    def command(self, capture, folder):
        wanted = (
            f"(tcp.flags.syn == 1 && tcp.flags.ack == 0 && {ADDRESS}) || (http.request && ({ADDRESS}"
            ' || lower(http.request.uri) contains "/latest/meta-data"'
            ' || lower(http.request.uri) contains "/latest/api/token"'
            ' || lower(http.request.line) contains "x-aws-ec2-metadata-token"))')
        return [self.path(), "-n", "-r", capture, "--enable-heuristic", "http_tcp", "-Y", wanted,
                "-T", "fields", "-E", "separator=|", "-e", "tcp.flags.syn", "-e",
                "http.request.method"]

    def found(self, run, folder):
        lines = [line.split("|") for line in run.output.splitlines() if line.count("|") == 1]
        return {"connections": sum(method == "" for _, method in lines),
                "requests": sum(len(method.split(",")) for _, method in lines if method)}
