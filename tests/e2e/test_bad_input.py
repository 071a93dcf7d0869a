"""Wrong input: one clear message, the documented exit code, nothing silently ignored."""

import re
import shutil
import socket

import pytest

import harness
from harness import INSPECTOR, read_captures, run

pytestmark = pytest.mark.sanitize

RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"

RUNTIME, USAGE, CONFIG, ENVIRONMENT = 1, 2, 3, 4


def complaint(process, code):
    """The message of a failed run: exit code as documented, one line that is an error."""
    assert process.returncode == code, process.stdout + process.stderr
    errors = [line for line in process.stderr.splitlines() if re.search(r"\berror\b", line, re.I)]
    assert len(errors) == 1, "one message, not %d:\n%s" % (len(errors), process.stderr)
    return errors[0]


# --- Captures ---


def test_missing_capture():
    message = complaint(read_captures("/nonexistent/file.pcap"), RUNTIME)
    assert "/nonexistent/file.pcap" in message and "does not exist" in message


def test_wrong_magic(tmp_path):
    path = tmp_path / "notes.pcap"
    path.write_text("These are not packets, only words about them.\n")
    assert str(path) in complaint(read_captures(path), RUNTIME)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.pcap"
    path.touch()
    assert str(path) in complaint(read_captures(path), RUNTIME)


def test_unknown_link_type(samples):
    message = complaint(read_captures(samples / "link-type.pcap"), RUNTIME)
    assert "link-type.pcap" in message and "220" in message


def test_truncated_capture_reports_what_it_read_then_fails(samples):
    done = read_captures(samples / "truncated.pcap", rules=harness.BULLETIN_RULE)
    message = complaint(done, RUNTIME)
    assert "truncated.pcap" in message and "truncated" in message.replace("truncated.pcap", "")
    events = [alert["imds"]["event"] for alert in harness.json_lines(done.stdout)]
    assert events == ["connection", "http_request"]
    assert "7" in done.stderr, "the summary counts the packets before the cut"


def test_a_missing_file_among_good_ones_fails():
    message = complaint(read_captures(RECORDING, "/nonexistent/b.pcap"), RUNTIME)
    assert "/nonexistent/b.pcap" in message


def test_a_bad_file_in_a_folder_does_not_hide_the_others(tmp_path, samples):
    (tmp_path / "a.pcap").write_text("These are not packets.\n")
    shutil.copy(samples / "raw-ip.pcap", tmp_path / "b.pcap")
    done = read_captures(tmp_path, rules=harness.BULLETIN_RULE)
    assert str(tmp_path / "a.pcap") in complaint(done, RUNTIME)
    events = [alert["imds"]["event"] for alert in harness.json_lines(done.stdout)]
    assert events == ["connection", "http_request"]


def test_an_empty_folder(tmp_path):
    assert str(tmp_path) in complaint(read_captures(tmp_path), RUNTIME)


# --- Command line ---


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--reed", "x.pcap"], "--reed"),
        (["--rea", "x.pcap"], "--rea"),
        (["--read"], "--read"),
        (["--read", "x.pcap", "--format", "xml"], "xml"),
        (["x.pcap"], "--read"),
        (["--read", "x.pcap", "--inject-test"], "--inject-test"),
    ],
)
def test_usage(arguments, named):
    assert named in complaint(run(INSPECTOR, *arguments), USAGE)


# --- Configuration ---


@pytest.mark.parametrize(
    "text, position, named",
    [
        ("workers:\n  count: 1\nwrokers: {}\n", "3:1", "wrokers"),
        ("flow:\n  capacity: many\n", "2:13", "many"),
        ("endpoints:\n  - name: a\n    addresses: [169.254.169.254/33]\n", "3:17", "/33"),
        ("endpoints:\n  - {name: a, addresses: [10.0.0.1]}\n"
         "  - {name: a, addresses: [10.0.0.2]}\n", "3:5", "'a'"),
        ("suppress:\n  - name: x\n    source: [10.0.0.0/8, oops]\n", "3:26", "oops"),
        ("suppress:\n  - name: x\n    vlan: [4095]\n", "3:12", "4095"),
        ("metrics:\n  listen: localhost\n", "2:11", "localhost"),
        ("alerts:\n  ring: {records: 5}\n", "2:19", "5"),
        ("workers: {count: 1\n", None, ""),
        ("flow:\n\tcapacity: 1\n", "2:10", "tab"),
    ],
)
def test_configuration(tmp_path, text, position, named):
    path = tmp_path / "inspector.yaml"
    path.write_text(text)
    message = complaint(run(INSPECTOR, "--config", path, "--check"), CONFIG)
    assert named in message
    place = re.search(re.escape(str(path)) + r":(\d+:\d+): ", message)
    assert place, message
    if position is not None:
        assert place[1] == position, message


def test_missing_configuration():
    message = complaint(run(INSPECTOR, "--config", "/nonexistent.yaml", "--check"), CONFIG)
    assert "/nonexistent.yaml" in message and "No such file" in message


# --- Rules ---

RULE = """title: A rule
id: 11111111-2222-4333-8444-555555555555
level: high
logsource:
  category: network
detection:
  selection:
    %s
  condition: %s
"""


@pytest.mark.parametrize(
    "text, position, named",
    [
        (RULE % ("no_such_field: 1", "selection"), "8:5", "no_such_field"),
        (RULE % ("url|sounds_like: x", "selection"), "8:5", "sounds_like"),
        (RULE % ("dst_ip: 169.254.169.300", "selection"), "8:13", "169.254.169.300"),
        (RULE % ("url|contains: /latest", "selectoin"), "9:14", "selectoin"),
        (RULE % ("url|contains: /latest", "1 of nothing_*"), "9:14", "nothing_*"),
        ("title: [unclosed\n", None, ""),
        ("title: no detection\nlogsource: {category: network}\n", None, "detection"),
    ],
)
def test_rules(tmp_path, text, position, named):
    path = tmp_path / "rule.yml"
    path.write_text(text)
    for arguments in (["--read", RECORDING], ["--check"]):
        message = complaint(run(INSPECTOR, "--rules", path, *arguments), CONFIG)
        assert named in message
        place = re.search(re.escape(str(path)) + r":(\d+:\d+): ", message)
        assert place, message
        if position is not None:
            assert place[1].startswith(position.split(":", maxsplit=1)[0] + ":"), message


def test_missing_rules():
    message = complaint(read_captures(RECORDING, rules="/nonexistent/rules"), CONFIG)
    assert "/nonexistent/rules" in message


def test_hostile_text_in_a_message_cannot_steer_the_terminal(tmp_path):
    path = tmp_path / "rule.yml"
    path.write_text(RULE % ('"fie\\e[2Jld": 1', "selection"))
    assert "\x1b" not in complaint(run(INSPECTOR, "--rules", path, "--check"), CONFIG)


# --- Environment ---


def null_port():
    return [{"name": "nowhere", "device": "net_null0"}]


def start_failing(tmp_path, ports, **sections):
    path, _ = harness.live_config(tmp_path, ports, **sections)
    return complaint(run(INSPECTOR, "--config", path, timeout=60), ENVIRONMENT)


def test_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        message = start_failing(tmp_path, null_port(), metrics={"listen": address})
    assert address in message and "use" in message


def test_absent_interface(tmp_path):
    message = start_failing(tmp_path, [harness.port("tap", "nosuchif0")])
    assert "nosuchif0" in message


def test_absent_device(tmp_path):
    message = start_failing(
        tmp_path, [{"name": "nic", "device": "0000:ff:1f.7"}], memory={"hugepages": "off"}
    )
    assert "0000:ff:1f.7" in message or "hugepage" in message.lower()


def test_no_hugepages(tmp_path):
    free = 0
    for entry in harness.pathlib.Path("/sys/kernel/mm/hugepages").glob("hugepages-*"):
        free += int((entry / "free_hugepages").read_text())
    if free:
        pytest.skip("this machine has %d free hugepages" % free)
    message = start_failing(tmp_path, null_port(), memory={"hugepages": "required"})
    assert "hugepages" in message.lower() and "/sys/kernel/mm/hugepages" in message


def test_nothing_to_inspect(tmp_path):
    path, _ = harness.live_config(tmp_path, [])
    done = run(INSPECTOR, "--config", path, timeout=60)
    assert done.returncode in (USAGE, CONFIG), done.stderr
    assert "port" in done.stderr
