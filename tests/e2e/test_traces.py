"""imds-tracegen: what it writes, and that the inspector finds exactly what it says is there."""

import collections
import hashlib
import json
import resource
import shutil

import pytest
import yaml

import harness
from harness import alerts_of, field, read_captures, run

TRACEGEN = harness.TRACEGEN

PROFILES = ["mix", "mix-vlan", "mix-vxlan", "imix", "small", "http", "imds", "hostile", "elephant",
            "flows-300", "flows-20k"]

# The bulletin's and the one for conflicting data (perf/traces/rule_ids.h).
GROUND_TRUTH_RULES = {"866049a2-f864-4ac3-8dbf-20bd71e33544",
                      "5f00de47-b907-442f-bc2d-773454ebe843"}

ANSWERS = {"responder", "http_response", "token_issued", "credentials_delivered"}
HOST_RULE = yaml.safe_load((harness.RULES / "aws_imds_host_elsewhere.yml").read_text())["id"]

pytestmark = pytest.mark.skipif(
    not TRACEGEN.exists(), reason="no %s: build it with the benchmarks" % TRACEGEN
)


def make(folder, profile, packets=8000, seed=1, name="trace.pcap"):
    """Writes a trace; returns its path and what is expected of it."""
    path = folder / name
    done = run(TRACEGEN, "--profile", profile, "--packets", packets, "--seed", seed, "--out", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and done.stderr == ""
    return path, json.loads((folder / (name + ".expected.json")).read_text())


@pytest.mark.sanitize
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_inspector_alerts_exactly_the_ground_truth(tmp_path, profile, seed):
    path, expected = make(tmp_path, profile, seed=seed)
    every = alerts_of(read_captures(path))
    alerts = [a for a in every if field(a, "rule.id") in GROUND_TRUTH_RULES]
    assert collections.Counter(field(a, "imds.event") for a in alerts) == expected["alerts"]
    assert collections.Counter(field(a, "rule.id") for a in alerts) == expected["alerts_by_rule"]
    assert alerts

    # The other shipped rules say more of what these find, and alert on nothing else; but decoys
    # name the service as their host, which there is a rule for.
    def where(alert):
        return alert["@timestamp"], alert["imds"]["event"], alert["network"]["community_id"]

    decoys = {where(a) for a in every if field(a, "rule.id") == HOST_RULE}
    answers = {where(a) for a in every if field(a, "imds.event") in ANSWERS}
    assert {where(a) for a in every} - decoys - answers == {where(a) for a in alerts} - decoys
    assert profile == "hostile" or decoys <= {where(a) for a in alerts}
    # And who is answered has asked.
    assert {flow for _, _, flow in answers} <= {flow for _, _, flow in map(where, alerts)}


def test_the_expectation_says_what_the_trace_is(tmp_path):
    path, expected = make(tmp_path, "mix", seed=9)
    assert expected["profile"] == "mix" and expected["seed"] == 9
    assert expected["packets"] >= 8000
    assert path.stat().st_size == 24 + 16 * expected["packets"] + expected["bytes"]
    assert expected["flows"] > expected["concurrent_flows"] > 100
    assert "rewrite" not in expected
    _, flows = make(tmp_path, "flows-20k", name="flows.pcap")
    assert flows["rewrite"]["clients"] == "10.0.0.0/8"
    assert flows["rewrite"]["step"] > 0 and flows["rewrite"]["loops_to_fill"] > 1
    assert 20000 <= flows["concurrent_flows"] <= 20100


def test_standard_output_is_the_same_as_a_file(tmp_path):
    path, _ = make(tmp_path, "imds", packets=500)
    expected = tmp_path / "expected.json"
    done = run(TRACEGEN, "--profile", "imds", "--packets", 500, "--out", "-",
               "--expected", expected, stdin=b"")
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert json.loads(expected.read_text())["profile"] == "imds"


def test_the_list_names_what_can_be_made(tmp_path):
    done = run(TRACEGEN, "--list")
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    for name in ("mix", "imix", "small", "http", "imds", "hostile", "elephant", "mix-vlan",
                 "mix-vxlan", "flows-10k", "flows-1M", "flows-10M"):
        assert name in names
    make(tmp_path, "vlan", packets=100)
    make(tmp_path, "vxlan", packets=100)
    documented = (harness.ROOT / "docs/traces.md").read_text()
    assert [name for name in names if "`%s`" % name not in documented] == []


@pytest.mark.parametrize("arguments, words", [
    ([], "--profile and --out are needed"),
    (["--profile", "mix"], "--profile and --out are needed"),
    (["--profile", "traffic", "--out", "x"], "no profile is called traffic"),
    (["--profile", "flows-0", "--out", "x"], "no profile is called flows-0"),
    (["--profile", "mix", "--out", "x", "--packets", "0"], "--packets"),
    (["--profile", "mix", "--out", "x", "--packets", "many"], "--packets"),
    (["--profile", "mix", "--out", "x", "--format", "cap"], "--format"),
    (["--unknown"], "unknown"),
])
def test_usage_errors(tmp_path, arguments, words):
    done = run(TRACEGEN, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.startswith("imds-tracegen: ")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said(tmp_path):
    for out, reason in (("/dev/full", "No space left"), (tmp_path / "no/x", "No such file"),
                        (tmp_path, "Is a directory")):
        done = run(TRACEGEN, "--profile", "imds", "--packets", 100, "--out", out,
                   "--expected", tmp_path / "expected.json")
        assert done.returncode == 1
        assert str(out) in done.stderr and reason in done.stderr
    done = run(TRACEGEN, "--profile", "imds", "--packets", 100, "--out", tmp_path / "x.pcap",
               "--expected", tmp_path / "no/x.json")
    assert done.returncode == 1 and str(tmp_path / "no/x.json") in done.stderr
    assert not (tmp_path / "x.pcap").exists()


def test_a_file_cut_short_is_removed(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    path = tmp_path / "trace.pcap"
    done = harness.subprocess.run(
        [TRACEGEN, "--profile", "imds", "--packets", "1000", "--out", path],
        capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit,
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert not path.exists() and not (tmp_path / "trace.pcap.expected.json").exists()


def test_tshark_finds_nothing_wrong(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (scripts/install-deps.sh --tests)")
    wrong = ["_ws.malformed", "ip.checksum.status == 0", "tcp.checksum.status == 0",
             "udp.checksum.status == 0", "_ws.short",
             # The small frames of imix repeat acknowledgements.
             "(tcp.analysis.flags && !tcp.analysis.duplicate_ack)"]
    checks = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"]
    options = [word for check in checks for word in ("-o", check + ":TRUE")]
    for profile in ("mix", "mix-vlan", "mix-vxlan", "imix", "http", "imds"):
        path, expected = make(tmp_path, profile, packets=4000)
        # By itself tshark may take a client's port for that of some other protocol. Datagrams of
        # imix are too short for it, as it does not know how long their connection ids are.
        decode = ["-d", "udp.port==443,%s" % ("data" if profile == "imix" else "quic")]
        seen = run("tshark", "-r", path, *options, "-T", "fields", "-e", "frame.number")
        assert len(seen.stdout.split()) == expected["packets"]
        bad = run("tshark", "-r", path, *options, *decode, "-Y", " || ".join(wrong))
        assert bad.stdout == "", profile
