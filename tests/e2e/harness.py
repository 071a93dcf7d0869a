"""Parts the end-to-end tests share: the lab, the inspector and its readers as processes.

Every process a test starts is ended by the object that started it, by its process id. Names of
namespaces, rings and DPDK file prefixes are made unique, so that several runs can share a machine.
"""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("IMDS_BUILD", ROOT / "build/release")).resolve()
INSPECTOR = BUILD / "app/inspector/imds-inspector"
ALERTS = BUILD / "app/alerts/imds-alerts"
MAKE_SAMPLE = BUILD / "tests/captures/make-sample"
# The sanitised build has none; traces are the same whatever build makes them.
TRACEGEN = next(
    (
        path
        for path in (BUILD / "perf/imds-tracegen", ROOT / "build/release/perf/imds-tracegen")
        if path.exists()
    ),
    BUILD / "perf/imds-tracegen",
)
CAPTURES = ROOT / "tests/captures"
RULES = ROOT / "conf/rules"
FIELDS = ROOT / "conf/fields.yaml"
BULLETIN_RULE = RULES / "aws_imds_metadata_access.yml"
# Each finds what no other does, so that one event is one alert. The rest of the shipped rules says
# more of the same events; test_rules.py is about them.
ONE_ALERT_RULES = [BULLETIN_RULE, RULES / "imds_conflicting_data.yml",
                   RULES / "imds_http2_mid_stream.yml"]

IMDS4 = "169.254.169.254"
IMDS6 = "fd00:ec2::254"
VICTIM4 = "10.77.0.10"
VICTIM6 = "fd00:77::10"
VICTIM_MAC = "02:77:00:00:00:0a"
IMPOSTOR_MAC = "02:77:00:00:00:fe"

# What the lab's impersonator and the sample hand out in secret; all of it must stay secret.
SECRET_MARK = "FAKE-"

METRICS_PORT = 39254
START_SECONDS = 30
STOP_SECONDS = 30


def run(*arguments, stdin=None, timeout=60, env=None, cwd=None):
    """Runs a program to its end; output as text, or what could be decoded of it."""
    return subprocess.run(
        [str(a) for a in arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=timeout,
        env=env,
        cwd=cwd,
        check=False,
        **({} if isinstance(stdin, bytes) else {"text": True, "errors": "replace"}),
    )


def read_captures(*captures, form="ecs", rules=None, more=(), config=None, timeout=120):
    """`imds-inspector --read …` over captures; returns the finished process."""
    arguments = [INSPECTOR]
    if config is not None:
        arguments += ["--config", config]
    for capture in captures:
        arguments += ["--read", capture]
    if rules is not None:
        arguments += ["--rules", rules]
    return run(*arguments, "--format", form, *more, timeout=timeout)


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line]


def alerts_of(process):
    """The alerts of a `--read … --format ecs` process, which must have ended well."""
    assert process.returncode == 0, process.stderr
    return json_lines(process.stdout)


def field(alert, path, default=None):
    """field(alert, "source.ip"): a nested member of an alert."""
    for name in path.split("."):
        if not isinstance(alert, dict) or name not in alert:
            return default
        alert = alert[name]
    return alert


def wait_for(what, condition, seconds=15.0, interval=0.1):
    """Calls condition() until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, "waited %g s in vain for %s" % (seconds, what)
        time.sleep(interval)


# --- Network namespaces ---

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def in_namespace(namespace, function):
    """Calls function() in a thread that has entered the namespace (None: the one we are in)."""
    if namespace is None:
        return function()
    outcome = {}

    def body():
        try:
            with open("/run/netns/" + namespace, "rb") as handle:
                if _libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns " + namespace)
            outcome["value"] = function()
        except BaseException as error:  # handed on to the caller's thread
            outcome["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def http_get(port, path, namespace=None, timeout=5):
    """(status, body) of a GET to 127.0.0.1."""

    def fetch():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return in_namespace(namespace, fetch)


class Lab:
    """scripts/lab.sh as an object; see there for the forms."""

    SCRIPT = ROOT / "scripts/lab.sh"

    def __init__(self, *options):
        self.name = "e2e" + uuid.uuid4().hex[:6]
        done = run(self.SCRIPT, "--name", self.name, "up", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        self._log = pathlib.Path("/run/imds-lab", self.name, "requests.jsonl")
        self._read = 0

    def close(self):
        helpers = [path.read_text().strip() for path in self._log.parent.glob("*.pid")]
        done = run(self.SCRIPT, "--name", self.name, "down")
        assert done.returncode == 0, done.stderr
        left = [pid for pid in helpers if os.path.exists("/proc/" + pid)]
        assert not left, "the lab left processes behind: %s" % left

    def namespace(self, role):
        return self.name + "-" + role

    def command(self, role, *arguments):
        return ["ip", "netns", "exec", self.namespace(role)] + [str(a) for a in arguments]

    def run(self, role, *arguments, **options):
        return run(*self.command(role, *arguments), **options)

    def new_requests(self):
        """What the impersonator was asked since the last call: the truth to compare with."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        new, self._read = lines[self._read :], len(lines)
        return [json.loads(line) for line in new]

    def curl(self, url, *options):
        done = self.run("victim", "curl", "-sS", "--max-time", "10", *options, url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def curl_v2(self, host):
        """Token, then a leaf with it, as a careful client does."""
        token = self.curl(
            "http://%s/latest/api/token" % host,
            "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60",
        )
        return self.curl(
            "http://%s/latest/meta-data/instance-id" % host,
            "-H", "X-aws-ec2-metadata-token: " + token,
        )

    def aws_credentials(self, family=4):
        """The real AWS CLI asks for credentials, with nowhere else to find any."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv6" if family == 6 else "ipv4",
        }
        words = ["%s=%s" % item for item in environment.items()]
        done = self.run(
            "victim", "env", "-i", *words, "/usr/bin/aws", "configure", "export-credentials"
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def link_counters(self, role, interface):
        """(packets received, packets sent) as the kernel counts them."""
        done = self.run(role, "ip", "-j", "-s", "link", "show", interface)
        numbers = json.loads(done.stdout)[0]["stats64"]
        return numbers["rx"]["packets"], numbers["tx"]["packets"]


# --- Metrics ---

_SAMPLE = re.compile(r'^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """A parsed exposition; sum() adds the samples whose labels fit."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            match = None if line.startswith("#") else _SAMPLE.match(line)
            if match:
                labels = dict(_LABEL.findall(match["labels"] or ""))
                self.samples.append((match["name"], labels, float(match["value"])))

    def sum(self, name, **labels):
        found = [
            value
            for sample, its, value in self.samples
            if sample == name and all(its.get(k) == v for k, v in labels.items())
        ]
        assert found or any(s[0] == name for s in self.samples) or not labels, (
            "no metric " + name
        )
        return sum(found)

    def labels(self, name, label):
        return {its.get(label) for sample, its, _ in self.samples if sample == name}


# --- Programs ---


class Program:
    """A process whose output is collected line by line and who is ended with its owner."""

    def __init__(self, arguments, env=None):
        self.process = subprocess.Popen(
            [str(a) for a in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=env,
        )
        self.lines = {"stdout": [], "stderr": []}
        self._readers = []
        for name in self.lines:
            reader = threading.Thread(target=self._collect, args=(name,), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _collect(self, name):
        for line in getattr(self.process, name):
            self.lines[name].append(line.rstrip("\n"))

    @property
    def stdout(self):
        return "\n".join(self.lines["stdout"])

    @property
    def stderr(self):
        return "\n".join(self.lines["stderr"])

    def alive(self):
        return self.process.poll() is None

    def kill(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return code

    def stop(self, number=signal.SIGTERM, seconds=STOP_SECONDS):
        if self.alive():
            self.kill(number)
        return self.wait(seconds)

    def close(self):
        if self.alive():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(seconds=10)
        if self.alive():
            self.process.kill()
            self.wait()


def port(name, interface, driver="af_packet", **more):
    return dict({"name": name, "interface": interface, "driver": driver}, **more)


_configured = []


def forget_dpdk(file_prefix):
    """Removes the folder that EAL leaves behind."""
    for runtime in ("/var/run/dpdk", "/tmp/dpdk"):
        shutil.rmtree(os.path.join(runtime, file_prefix), ignore_errors=True)


def forget_all():
    """Removes what inspectors leave, by design (the ring) or by EAL's habit, for every
    configuration made here."""
    for config in _configured:
        with contextlib.suppress(OSError):
            os.unlink("/dev/shm" + config["alerts"]["ring"]["name"])
        forget_dpdk(config["eal"]["file_prefix"])
    _configured.clear()


def live_config(folder, ports, **sections):
    """Writes a configuration for a live run on ordinary memory; returns its path and its dict.

    Every name that other processes on the machine could share is made unique. Each event gives one
    alert, and none is withheld as a repeat.
    """
    unique = uuid.uuid4().hex[:8]
    config = {
        "observer": {"hostname": "sensor.example"},
        "ports": ports,
        "workers": {"count": 1},
        "memory": {"hugepages": "off"},
        "eal": {"file_prefix": "e2e-" + unique},
        "rules": {"paths": [str(rule) for rule in ONE_ALERT_RULES], "fields": str(FIELDS)},
        "flow": {"capacity": 8192},
        "inspect": {"arena_mib": 4},
        "alerts": {
            "ring": {"name": "/imds-e2e-" + unique, "records": 4096},
            "throttle": {"enabled": False},
        },
        "metrics": {"listen": "127.0.0.1:%d" % METRICS_PORT},
        "log": {"level": "info"},
    }
    for section, value in sections.items():
        if isinstance(value, dict) and isinstance(config.get(section), dict):
            config[section] = dict(config[section], **value)
        else:
            config[section] = value
    path = pathlib.Path(folder) / ("inspector-%s.yaml" % unique)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    _configured.append(config)
    return path, config


class Inspector(Program):
    """The inspector on live ports. Ready when its workers' loops are counted as running."""

    def __init__(self, config_path, config, namespace=None, more=()):
        self.namespace = namespace
        self.config = config
        self.ring = config["alerts"]["ring"]["name"]
        self.metrics_port = int(config["metrics"]["listen"].rpartition(":")[2])
        enter = ["ip", "netns", "exec", namespace] if namespace else []
        super().__init__(enter + [INSPECTOR, "--config", config_path, *more])
        try:
            wait_for("the inspector to start", self._running, START_SECONDS)
        except BaseException:
            self.close()
            raise

    def _running(self):
        assert self.alive(), "the inspector ended: " + self.stdout + self.stderr
        try:
            status, body = http_get(self.metrics_port, "/metrics", self.namespace)
        except (OSError, http.client.HTTPException):
            return False
        # The server listens a moment before it knows the page.
        return status == 200 and Metrics(body).sum("imds_inspector_worker_run_seconds_total") > 0

    def metrics(self):
        status, body = http_get(self.metrics_port, "/metrics", self.namespace)
        assert status == 200
        return Metrics(body)


class Follower(Program):
    """imds-alerts follow; alerts are complete JSON lines."""

    def __init__(self, ring, *more):
        super().__init__([ALERTS, "follow", "--ring", ring, "--format", "ecs", *more])

    def alerts(self):
        return [json.loads(line) for line in list(self.lines["stdout"])]

    def wait_alerts(self, count, seconds=15, where=lambda alert: True):
        """Waits for so many alerts, then a moment longer for any that should not be there."""

        def enough():
            return len([a for a in self.alerts() if where(a)]) >= count

        try:
            wait_for("%d alerts" % count, enough, seconds)
        except AssertionError as error:
            raise AssertionError("%s, got %d:\n%s\n%s" % (
                error, len(self.alerts()), self.stdout, self.stderr)) from None
        time.sleep(0.5)
        return [a for a in self.alerts() if where(a)]
