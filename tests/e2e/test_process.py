"""The program as a process: signals, pipes, full disks, wrong DPDK arguments, test requests.

The live runs watch a DPDK ring nobody writes to, so they need neither root nor an interface.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import INSPECTOR, run
from test_bad_input import CONFIG, ENVIRONMENT, RUNTIME, USAGE, complaint

pytestmark = pytest.mark.sanitize

SAMPLE = harness.CAPTURES / "sample.pcapng"
RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"
QUIET = [{"name": "quiet", "device": "net_ring0"}]

# A clean stop takes this long at most; a second is generous, a sanitised build is slow.
STOP = 8 if "sanit" in str(harness.BUILD) or "asan" in str(harness.BUILD) else 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def quiet(owned, tmp_path):
    """quiet(**sections): an inspector on a port without traffic, and its configuration's path."""

    def start(**sections):
        sections.setdefault("metrics", {"listen": "127.0.0.1:%d" % free_port()})
        path, config = harness.live_config(tmp_path, QUIET, **sections)
        return owned(harness.Inspector(path, config)), path

    return start


# --- what a crash would leave behind ---


def core_filter(process):
    return int(pathlib.Path("/proc/%d/coredump_filter" % process.pid).read_text(), 16)


def test_core_dumps_hold_no_memory(quiet):
    inspector, _ = quiet()
    assert core_filter(inspector.process) == 0x10


def test_core_dumps_are_the_users_choice():
    command = 'echo 0x37 > /proc/self/coredump_filter; exec "$0" --read -'
    process = subprocess.Popen(["bash", "-c", command, str(INSPECTOR)], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stdin.write(SAMPLE.read_bytes()[:200])
    process.stdin.flush()
    harness.wait_for("the inspector to begin",
                     lambda: pathlib.Path("/proc/%d/comm" % process.pid).read_text().strip()
                     == INSPECTOR.name)
    assert core_filter(process) == 0x37
    process.kill()
    process.communicate()


# --- --read and its ends ---


def start_reading(*more, **options):
    return subprocess.Popen(
        [str(INSPECTOR), "--read", "-", "--format", "ecs", *more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_is_followed_until_a_signal(number):
    """As with `tcpdump -w - | imds-inspector --read -`: alerts at once, a summary at the end."""
    expected = harness.json_lines(RECORDING.with_suffix(".expected.jsonl").read_text())
    process = start_reading()
    try:
        process.stdin.write(RECORDING.read_bytes())
        process.stdin.flush()
        alerts = [process.stdout.readline() for _ in expected]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out == b""
    assert len(harness.json_lines(b"".join(alerts).decode())) == len(expected)
    assert b"received " in err and b"error" not in err


def test_a_signal_before_the_first_byte_is_no_error():
    process = start_reading()
    try:
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out == b"" and b"error" not in err


def test_a_closed_pipe_is_a_failure_with_a_message():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([str(INSPECTOR), "--read", str(SAMPLE)], stdout=closed,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == RUNTIME
    assert "cannot write alerts to standard output: Broken pipe" in done.stderr
    assert "received " in done.stderr, "with its summary"


@pytest.mark.parametrize("arguments", [["--read", SAMPLE], ["--help"], ["--check"]])
def test_a_full_disk_is_a_failure_with_a_message(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(INSPECTOR), *map(str, arguments)], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == RUNTIME
    assert "standard output: No space left on device" in done.stderr


def test_closed_standard_streams_are_not_mistaken_for_files(tmp_path):
    metrics = tmp_path / "metrics"
    done = run("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', INSPECTOR, "--read", SAMPLE,
               "--metrics-text", metrics)
    assert done.returncode == 0
    assert metrics.read_text().startswith("# HELP")


def test_metrics_that_cannot_be_written_are_a_failure(tmp_path):
    done = run(INSPECTOR, "--read", RECORDING, "--metrics-text", tmp_path / "no/folder")
    assert "no/folder" in complaint(done, RUNTIME)


def unprivileged(*arguments):
    """Runs as nobody, without any capability, in an empty environment."""
    if os.geteuid() != 0:
        return run(*arguments)
    return run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
               "env", "-i", "PATH=/usr/bin:/bin", *arguments)


def readable_by_all(folder):
    """Copies of what a run needs, where nobody may read them."""
    folder.chmod(0o755)
    for part in folder.parents:
        if part.stat().st_uid == os.geteuid() and str(part).startswith("/tmp/"):
            part.chmod(part.stat().st_mode | 0o055)
    capture = folder / "sample.pcapng"
    capture.write_bytes(SAMPLE.read_bytes())
    program = folder / "imds-inspector"
    program.write_bytes(INSPECTOR.read_bytes())
    program.chmod(0o755)
    rules = folder / "rule.yml"
    rules.write_bytes(harness.BULLETIN_RULE.read_bytes())
    fields = folder / "fields.yaml"
    fields.write_bytes(harness.FIELDS.read_bytes())
    (folder / "clients.yaml").write_bytes(harness.FIELDS.with_name("clients.yaml").read_bytes())
    path, _ = harness.live_config(folder, QUIET, rules={"paths": [str(rules)],
                                                        "fields": str(fields)})
    return program, path, capture


def test_reading_needs_no_privilege(tmp_path):
    program, path, capture = readable_by_all(tmp_path)
    done = unprivileged(program, "--config", path, "--read", capture, "--format", "ecs")
    assert done.returncode == 0, done.stderr
    assert done.stdout == run(INSPECTOR, "--config", path, "--read", SAMPLE,
                              "--format", "ecs").stdout


def test_unreadable_capture(tmp_path):
    program, path, capture = readable_by_all(tmp_path)
    capture.chmod(0)
    message = complaint(unprivileged(program, "--config", path, "--read", capture), RUNTIME)
    assert str(capture) in message and "permission denied" in message


def test_live_without_privilege_says_what_to_do(tmp_path):
    program, path, _ = readable_by_all(tmp_path)
    message = complaint(unprivileged(program, "--config", path, "--interface", "lo"), ENVIRONMENT)
    assert "CAP_NET_RAW" in message


# --- Live: start, stop ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_takes_no_time(quiet, number):
    inspector, _ = quiet()
    begin = time.monotonic()
    assert inspector.stop(number) == 0, inspector.stderr
    assert time.monotonic() - begin < STOP
    assert "received 0 = " in inspector.stderr


def test_a_stop_while_starting_is_clean(tmp_path, owned):
    path, config = harness.live_config(tmp_path, QUIET, metrics={"enabled": False})
    for delay in (0.05, 0.2, 0.4):
        process = owned(harness.Program([INSPECTOR, "--config", path]))
        time.sleep(delay)
        process.kill(signal.SIGTERM)
        # Before the signals are caught nothing has begun that would need an end.
        assert process.wait() in (0, -signal.SIGTERM), process.stderr
        assert "error" not in process.stderr
    pathlib.Path("/dev/shm" + config["alerts"]["ring"]["name"]).unlink(missing_ok=True)


# Minutes of work for the matcher, most of them in one database.
SLOW_RULE = (
    "title: Slow\nid: 00000000-0000-4000-8000-000000000077\nlevel: low\n"
    "logsource: {category: proxy}\ndetection:\n  sel:\n    url|contains:\n%s"
    "  condition: sel\n" % "".join("    - /some-longer-path/%d/%d\n" % (n * 7919, n)
                                   for n in range(120_000)))


def thread_count(process):
    return len(os.listdir("/proc/%d/task" % process.process.pid))


def test_a_stop_while_rules_are_compiled_at_the_start_takes_no_time(tmp_path, owned):
    slow = tmp_path / "slow.yml"
    slow.write_text(SLOW_RULE)
    path, config = harness.live_config(tmp_path, QUIET, metrics={"enabled": False},
                                       rules={"paths": [str(slow)]})
    for arguments in (["--config", path], ["--config", path, "--read", SAMPLE]):
        process = owned(harness.Program([INSPECTOR, *arguments]))
        # The matcher works in a thread of its own; there is no other yet.
        harness.wait_for("the matcher to work", lambda: thread_count(process) == 2, 60, 0.02)
        time.sleep(0.2)
        assert thread_count(process) == 2, "the rules are not slow enough"
        begin = time.monotonic()
        assert process.stop() == 0, process.stderr
        assert time.monotonic() - begin < STOP
        assert "error" not in process.stderr
    assert not pathlib.Path("/dev/shm" + config["alerts"]["ring"]["name"]).exists()


def test_a_stop_while_rules_are_compiled_for_a_reload_takes_no_time(owned, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rule.yml").write_text(harness.BULLETIN_RULE.read_text())
    path, config = harness.live_config(
        tmp_path, QUIET, metrics={"listen": "127.0.0.1:%d" % free_port()},
        rules={"paths": [str(rules)]})
    inspector = owned(harness.Inspector(path, config))
    before = thread_count(inspector)
    (rules / "slow.yml").write_text(SLOW_RULE)
    inspector.kill(signal.SIGHUP)
    harness.wait_for("the matcher to work", lambda: thread_count(inspector) > before, 60, 0.02)
    begin = time.monotonic()
    assert inspector.stop() == 0, inspector.stderr
    assert time.monotonic() - begin < STOP + 1
    assert "received 0 = " in inspector.stderr


def test_idle_clients_of_the_metrics_do_not_keep_it_from_stopping(quiet):
    inspector, _ = quiet()
    idle = [socket.create_connection(("127.0.0.1", inspector.metrics_port)) for _ in range(8)]
    try:
        begin = time.monotonic()
        assert inspector.stop() == 0
        assert time.monotonic() - begin < STOP + 3
    finally:
        for connection in idle:
            connection.close()


# --- Live: names that are taken ---


def test_a_second_one_under_the_same_dpdk_prefix(quiet, tmp_path):
    first, _ = quiet()
    path, _ = harness.live_config(
        tmp_path, QUIET, eal=first.config["eal"], metrics={"enabled": False})
    message = complaint(run(INSPECTOR, "--config", path), ENVIRONMENT)
    assert first.config["eal"]["file_prefix"] in message and "already runs" in message


def test_a_second_one_on_the_same_ring(quiet, tmp_path):
    first, _ = quiet()
    path, _ = harness.live_config(
        tmp_path, QUIET, alerts=first.config["alerts"], metrics={"enabled": False})
    message = complaint(run(INSPECTOR, "--config", path), ENVIRONMENT)
    assert first.ring in message and "another inspector" in message


# --- Live: arguments ---


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--ring", "no-slash"], "no-slash"),
        (["--ring", "/a/b"], "/a/b"),
        (["--interface", "lo", "--interface", "lo"], "twice"),
        (["--interface", "lo,iface=x"], "lo,iface=x"),
        (["--workers", "0"], "--workers 0"),
        (["--workers", "4000"], "--workers 4000"),
        (["--metrics-listen", "127.0.0.1"], "127.0.0.1:39254"),
        (["--log-level", "loud"], "loud"),
    ],
)
def test_overrides_are_checked_before_anything_starts(tmp_path, arguments, named):
    path, _ = harness.live_config(tmp_path, QUIET)
    done = run(INSPECTOR, "--config", path, *arguments)
    assert named in complaint(done, USAGE)
    assert "memory" not in done.stderr


@pytest.mark.parametrize("argument", ["--no-such-option", "--socket-mem=1,2"])
def test_arguments_dpdk_refuses(tmp_path, argument):
    path, _ = harness.live_config(tmp_path, QUIET)
    done = run(INSPECTOR, "--config", path, "--", argument)
    message = complaint(done, ENVIRONMENT)
    assert "DPDK refuses its arguments" in message and "after --" in message
    assert done.stdout == "", "DPDK's list of options is not what was asked for"


def test_cpus_that_are_not_there(tmp_path):
    path, _ = harness.live_config(tmp_path, QUIET, workers={"cores": [1023], "count": 1})
    assert "CPU 1023" in complaint(run(INSPECTOR, "--config", path), ENVIRONMENT)


def test_more_workers_than_cpus_run_and_are_warned_about(quiet):
    cpus = len(os.sched_getaffinity(0))
    inspector, _ = quiet(workers={"count": cpus + 1})
    assert "%d workers share %d CPU(s)" % (cpus + 1, cpus) in inspector.stderr
    assert inspector.stop() == 0


def test_without_rules_nothing_alerts_and_that_is_said(quiet, tmp_path):
    (tmp_path / "rules").mkdir()
    rules = {"paths": [str(tmp_path / "rules")], "fields": str(harness.FIELDS)}
    inspector, path = quiet(rules=rules)
    assert "nothing will alert" in inspector.stderr
    done = run(INSPECTOR, "--config", path, "--read", SAMPLE)
    assert done.returncode == 0 and done.stdout == ""
    assert "nothing will alert" in done.stderr and "alerts    0" in done.stderr


def test_hugepages_are_used_where_there_are_enough(quiet):
    """Reserves some for the test, where it may."""
    control = pathlib.Path("/proc/sys/vm/nr_hugepages")
    if os.geteuid() != 0 or int(control.read_text()) != 0:
        pytest.skip("needs root and a machine without hugepages of its own")
    try:
        control.write_text("200")
        if int(control.read_text()) < 200:
            pytest.skip("the machine cannot spare 400 MiB in one piece")
        for wanted in ("auto", "required"):
            inspector, _ = quiet(memory={"hugepages": wanted})
            assert "on hugepages" in inspector.stderr, wanted
            assert inspector.stop() == 0
    finally:
        control.write_text("0")


# --- --inject-test ---


def alerts_in(ring):
    done = run(harness.ALERTS, "list", "--ring", ring, "--format", "ecs")
    assert done.returncode == 0, done.stderr
    return harness.json_lines(done.stdout)


@pytest.mark.parametrize("endpoints, client", [
    (None, "192.0.2.1"),
    ([{"name": "six", "addresses": ["fd00:ec2::254/128"]}], "2001:db8::1"),
])
def test_inject_into_a_running_one(quiet, endpoints, client):
    inspector, path = quiet(**({"endpoints": endpoints} if endpoints else {}))
    done = run(INSPECTOR, "--config", path, "--inject-test")
    assert done.returncode == 0, done.stderr
    assert "2 alert(s) reached the ring" in done.stdout
    found = alerts_in(inspector.ring)
    assert [harness.field(a, "imds.event") for a in found] == ["connection", "http_request"]
    assert all(harness.field(a, "imds.test") is True for a in found)
    assert {harness.field(a, "source.ip") for a in found} == {client}
    assert inspector.stop() == 0


def test_inject_while_starting(owned, tmp_path):
    listen = {"listen": "127.0.0.1:%d" % free_port()}
    path, config = harness.live_config(tmp_path, QUIET, metrics=listen)
    inspector = owned(harness.Inspector(path, config, more=["--inject-test"]))
    harness.wait_for("the test", lambda: "reached the ring" in inspector.stderr)
    assert len(alerts_in(inspector.ring)) == 2
    assert inspector.stop() == 0


def test_inject_that_is_suppressed_fails_and_says_why(quiet):
    suppress = [{"name": "documentation", "source": ["192.0.2.0/24"]}]
    inspector, path = quiet(suppress=suppress)
    message = complaint(run(INSPECTOR, "--config", path, "--inject-test"), RUNTIME)
    assert "suppressed" in message
    assert inspector.stop() == 0
    assert "delivered 0 + suppressed 2" in inspector.stderr


def test_inject_without_any_endpoint(quiet):
    inspector, path = quiet(endpoints=[])
    assert "no endpoint" in complaint(run(INSPECTOR, "--config", path, "--inject-test"), CONFIG)
    assert inspector.stop() == 0
    assert "endpoints is empty" in complaint(
        run(INSPECTOR, "--config", path, "--inject-test"), CONFIG)


def test_stopping_while_a_test_waits(quiet, owned):
    suppress = [{"name": "documentation", "source": ["192.0.2.0/24"]}]
    inspector, path = quiet(suppress=suppress)
    asking = owned(harness.Program([INSPECTOR, "--config", path, "--inject-test"]))
    metrics = inspector.metrics
    harness.wait_for("the test", lambda: metrics().sum("imds_inspector_suppressed_total") == 2)
    begin = time.monotonic()
    assert inspector.stop() == 0, inspector.stderr
    assert time.monotonic() - begin < STOP
    assert asking.wait() == RUNTIME
    assert "stopped while the test was under way" in asking.stderr
