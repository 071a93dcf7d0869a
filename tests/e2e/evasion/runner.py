"""Runs the inspector over the captures of many techniques at once and sorts out what it said."""

import collections
import json
import re

import harness
import technique as techniques
from scene import PcapFile, write_pcap

# The events that tell of an evasion, each wanted by a rule that names nothing else.
EVENTS = ("tcp_overlap_conflict", "fragment_overlap", "http2_mid_stream")
EVENT_RULE = """title: Evasion seen
id: 5f4a3d1e-6d59-4f8b-9b55-0f1c2a7d9e10
logsource: {product: imds-inspector}
detection:
  selection: {imds.event: [%s]}
  condition: selection
level: low
"""
BULLETIN = "866049a2-f864-4ac3-8dbf-20bd71e33544"

START = 1_760_000_000
APART = 1000  # seconds between the captures of two techniques


class Outcome:
    """What a run said of one technique. Counters and summary are those of the whole run, which
    has this technique alone if the technique names counters."""

    def __init__(self, process, alerts, metrics, packets):
        self.process = process
        self.alerts = alerts
        self.metrics = metrics
        self.packets = packets

    def by_bulletin(self):
        return [a for a in self.alerts if harness.field(a, "rule.id") == BULLETIN
                and a["imds"]["event"] in ("connection", "http_request", "raw_match")]

    def evasion_events(self):
        return {a["imds"]["event"] for a in self.alerts
                if harness.field(a, "rule.id") != BULLETIN}


def check_accounts(process, metrics, packets):
    """Every packet of the captures is counted once, by every count there is."""
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-4000:]
    line = re.search(r"received (\d+) = (.*)", process.stderr)
    assert line, process.stderr
    parts = [int(number) for number in re.findall(r" (\d+)(?: \+|$)", line[2])]
    assert int(line[1]) == packets == sum(parts), line[0]
    assert metrics.sum("imds_inspector_worker_packets_total") == packets
    assert metrics.sum("imds_inspector_packets_total") == packets
    findings = re.search(r"produced (\d+) = delivered (\d+) \+ suppressed (\d+) \+ lost (\d+)",
                         process.stderr)
    assert findings, process.stderr
    produced, delivered, suppressed, lost = map(int, findings.groups())
    assert produced == delivered + suppressed and lost == 0, findings[0]


def read(folder, captures, config=None, timeout=110, start=()):
    """(process, metrics) of the inspector over captures, with a configuration of its own."""
    rule = folder / "evasion_events.yml"
    rule.write_text(EVENT_RULE % ", ".join(EVENTS))
    rules = [str(harness.BULLETIN_RULE), str(rule)]
    sections = {"rules": {"paths": rules if EVENTS else rules[:1]}, **(config or {})}
    path, _ = harness.live_config(folder, [], **sections)
    text = folder / (path.stem + ".metrics")
    process = harness.read_captures(
        *captures, config=path, more=["--metrics-text", text, *start], timeout=timeout
    )
    return process, harness.Metrics(text.read_text() if text.exists() else "")


class Runs:
    """Reads each group of techniques with the same configuration in one process, on demand."""

    def __init__(self, folder):
        self.folder = folder
        self.all = techniques.load()
        self.numbers = {name: 1 + at for at, name in enumerate(self.all)}
        self._frames = {}  # scapy is slow: each capture is made once
        self._outcomes = {"plain": {}, "evasive": {}}
        self._client = {}
        for name, number in self.numbers.items():
            for address in self.all[name].scene(number).client.values():
                self._client[address] = name

    def plain(self, technique):
        return self._of("plain", technique)

    def evasive(self, technique):
        return self._of("evasive", technique)

    def frames(self, kind, technique):
        key = (kind, technique.name)
        if key not in self._frames:
            number = self.numbers[technique.name]
            make = technique.plain_frames if kind == "plain" else technique.frames
            self._frames[key] = make(number)
        return self._frames[key]

    def capture(self, kind, technique):
        """Writes a technique's capture; (path, number of packets)."""
        path = self.folder / kind / (technique.name + ".pcap")
        path.parent.mkdir(exist_ok=True)
        start = START + APART * self.numbers[technique.name]
        return path, write_pcap(path, self.frames(kind, technique), start)

    def group(self, kind, technique):
        if kind == "plain":
            return ""
        alone = [technique.name] if technique.counters else []
        return json.dumps([technique.config, alone], sort_keys=True)

    def members(self, kind, technique):
        group = self.group(kind, technique)
        return [other for other in self.all.values() if self.group(kind, other) == group]

    def by_technique(self, alerts):
        sorted_out = collections.defaultdict(list)
        for alert in alerts:
            for end in ("source", "destination"):
                name = self._client.get(harness.field(alert, end + ".ip"))
                if name is not None:
                    sorted_out[name].append(alert)
                    break
            else:
                raise AssertionError("an alert about nobody: %s" % alert)
        return sorted_out

    def run(self, kind, members):
        written = [self.capture(kind, member) for member in members]
        config = members[0].config if kind == "evasive" else {}
        return self.outcomes(members, [path for path, _ in written],
                             sum(number for _, number in written), config)

    def run_mixed(self, members):
        """All captures begin at the same time, in one file."""
        timed = []
        for member in members:
            time = 0.0
            for pause, frame in self.frames("evasive", member):
                time += pause + 0.001
                timed.append((time, frame))
        timed.sort(key=lambda entry: entry[0])  # stable: each technique's order stays
        path, now = self.folder / "mixed.pcap", 0.0
        with PcapFile(path, START) as capture:
            for time, frame in timed:
                capture.add(frame, pause=time - now, step=0)
                now = time
        return self.outcomes(members, [path], len(timed))

    def outcomes(self, members, captures, packets, config=None):
        process, metrics = read(self.folder, captures, config)
        alerts = harness.json_lines(process.stdout) if process.returncode == 0 else []
        sorted_out = self.by_technique(alerts)
        return {
            member.name: Outcome(process, sorted_out[member.name], metrics, packets)
            for member in members
        }

    def _of(self, kind, technique):
        known = self._outcomes[kind]
        if technique.name not in known:
            made = self.run(kind, self.members(kind, technique))
            if any(outcome.process.returncode != 0 for outcome in made.values()) and len(made) > 1:
                # Whoever ended the process shall be the one whose test fails.
                for member in self.members(kind, technique):
                    made.update(self.run(kind, [member]))
            known.update(made)
        return known[technique.name]
