"""Evidence capture: the files name what the alerts say they do, hold no secret, and keep to their bounds."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest
import yaml

import harness
from harness import IMDS4, field

SAMPLE = harness.CAPTURES / "sample.pcapng"
RECORDING = harness.CAPTURES / "aws-cli-victim.pcap"
NAME = re.compile(r"imds-\d{8}T\d{6}Z-w\d+-\d{6}\.pcapng")
# What fixtures hand out, beside what bears the mark: a token's own form, and the header's name must
# not save a value.
SECRETS = [harness.SECRET_MARK.encode()]
WRONG = ("ip.checksum.status == bad || tcp.checksum.status == bad || udp.checksum.status == bad || "
         "icmp.checksum.status == bad || icmpv6.checksum.status == bad")
CHECKS = [option for name in ("ip", "tcp", "udp")
          for option in ("-o", name + ".check_checksum:TRUE")]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "evidence"
    made.mkdir(mode=0o700)
    return made


def configured(tmp_path, folder, **capture):
    path = tmp_path / "inspector.yaml"
    path.write_text(yaml.safe_dump({
        "rules": {"paths": [str(harness.RULES)], "fields": str(harness.FIELDS)},
        "evidence": {"capture": {"enabled": True, "directory": str(folder), **capture}},
    }))
    return path


def read(capture, config, *more, form="ecs"):
    return harness.run(harness.INSPECTOR, "--config", config, "--read", capture, "--format", form,
                       *more)


def frames(path):
    """frame number -> set of addresses and ports, as tshark reads the file."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (scripts/install-deps.sh --tests)")
    fields = ["frame.number", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "arp.src.proto_ipv4",
              "arp.dst.proto_ipv4", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]
    options = [part for name in fields for part in ("-e", name)]
    done = harness.run("tshark", "-r", path, *CHECKS, "-T", "fields", "-E", "occurrence=a",
                       "-E", "aggregator=,", "-E", "separator=;", *options)
    assert done.returncode == 0, done.stderr
    out = {}
    for line in done.stdout.splitlines():
        number, *rest = line.split(";")
        out[int(number)] = {value for cell in rest for value in cell.split(",") if value}
    return out


def kept(alerts):
    return [a for a in alerts if field(a, "imds.evidence")]


def check_numbers(alerts, folder):
    """Every packet an alert names is one of its addresses and ports, in the file it names."""
    seen = {}
    for alert in kept(alerts):
        evidence = alert["imds"]["evidence"]
        assert NAME.fullmatch(evidence["file"])
        if evidence["file"] not in seen:
            seen[evidence["file"]] = frames(folder / evidence["file"])
        numbers = evidence["packets"]
        assert numbers == sorted(set(numbers)) and numbers[0] >= 1
        assert evidence.get("packet", numbers[-1]) == numbers[-1]
        is_claim = field(alert, "imds.event") == "address_claim"
        expected = {str(alert[side][key]) for side in ("source", "destination")
                    for key in ("ip", "port") if key in alert[side]}
        for number in numbers:
            assert number in seen[evidence["file"]], "the file has the packet"
            if not is_claim:
                assert expected <= seen[evidence["file"]][number], (alert["imds"], number)
    return seen


def check_files(folder):
    for path in folder.iterdir():
        assert NAME.fullmatch(path.name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        for secret in SECRETS:
            assert secret not in content, path
        if shutil.which("tshark"):
            bad = harness.run("tshark", "-r", path, *CHECKS, "-Y", WRONG)
            assert bad.returncode == 0 and bad.stdout == "", bad.stdout + bad.stderr
    return list(folder.iterdir())


@pytest.mark.parametrize("capture", [SAMPLE, RECORDING], ids=lambda path: path.stem)
def test_alerts_name_packets_and_no_output_holds_a_secret(tmp_path, folder, capture):
    metrics = tmp_path / "metrics.txt"
    config = configured(tmp_path, folder)
    outputs = []
    for form in ("ecs", "eve", "text"):
        done = read(capture, config, "--log-level", "trace", "--metrics-text", metrics, form=form)
        assert done.returncode == 0, done.stderr
        outputs += [done.stdout, done.stderr, metrics.read_text()]
        if form == "ecs":
            alerts = harness.json_lines(done.stdout)
    for output in outputs:
        assert harness.SECRET_MARK not in output
    assert "imds_evidence_file" in outputs[3] and "kept in imds-" in outputs[6]
    assert kept(alerts), "alerts name packets"
    files = check_numbers(alerts, folder)
    assert len(check_files(folder)) == 3, "three runs, none in another's file"
    requests = [a for a in kept(alerts) if a["imds"]["event"] == "http_request"]
    content = b"".join((folder / name).read_bytes() for name in files)
    assert any(a["url"]["path"].encode() in content for a in requests), "heads can be read"
    assert b"bytes overwritten" in content
    numbers = harness.Metrics(outputs[2])
    written = numbers.sum("imds_inspector_evidence_packets_written_total")
    assert written == sum(len(packets) for packets in files.values())
    assert written == numbers.sum("imds_inspector_evidence_packets_kept_total")
    assert numbers.sum("imds_inspector_evidence_packets_lost_total") == 0
    sizes = sum((folder / name).stat().st_size for name in files)
    assert numbers.sum("imds_inspector_evidence_bytes_written_total") == sizes


def test_the_secrets_were_there(tmp_path):
    """Or the search would prove nothing."""
    for capture in (SAMPLE, RECORDING):
        assert harness.SECRET_MARK.encode() in capture.read_bytes()


def test_alerts_differ_by_their_evidence_only(tmp_path, folder):
    def without(alerts):
        for alert in alerts:
            alert["imds"].pop("evidence", None)
        return alerts

    on = harness.json_lines(read(SAMPLE, configured(tmp_path, folder)).stdout)
    off = harness.json_lines(read(SAMPLE, configured(tmp_path, folder, enabled=False)).stdout)
    assert without(on) == off and off
    assert len(list(folder.iterdir())) == 1


def test_limits_and_rotation(tmp_path, folder):
    config = configured(tmp_path, folder, exchange_packets=3)
    alerts = harness.json_lines(read(RECORDING, config).stdout)
    check_numbers(alerts, folder)
    assert kept(alerts) and len(kept(alerts)) < len(alerts)
    assert all(len(a["imds"]["evidence"]["packets"]) <= 3 for a in kept(alerts))
    check_files(folder)


@pytest.mark.parametrize("wrong, says", [("absent", "mode 0700"), ("open", "others may write")])
def test_a_folder_that_will_not_do_is_refused(tmp_path, folder, wrong, says):
    if wrong == "absent":
        folder.rmdir()
    else:
        folder.chmod(0o777)
    done = read(SAMPLE, configured(tmp_path, folder))
    assert done.returncode == 4
    assert "evidence.capture.directory" in done.stderr and says in done.stderr
    assert done.stdout == ""


def test_a_full_disk_stops_nothing(tmp_path, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    if harness.run("mount", "-t", "tmpfs", "-o", "size=8k,mode=0700", "evidence", folder).returncode:
        pytest.skip("cannot mount here")
    try:
        metrics = tmp_path / "metrics.txt"
        done = read(RECORDING, configured(tmp_path, folder), "--metrics-text", metrics)
        plain = read(RECORDING, configured(tmp_path, folder, enabled=False))
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == len(plain.stdout.splitlines())
        numbers = harness.Metrics(metrics.read_text())
        assert numbers.sum("imds_inspector_evidence_file_errors_total") >= 1
        assert numbers.sum("imds_inspector_evidence_packets_lost_total") >= 1
        assert done.stderr.count("cannot be written") == 1
        for path in folder.iterdir():
            assert harness.run("capinfos", path).returncode == 0 or path.stat().st_size == 0
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.lab
def test_live(lab, start_inspector, follow, folder):
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], log={"level": "trace"},
        rules={"paths": [str(harness.RULES)]},
        evidence={"capture": {"enabled": True, "directory": str(folder)}},
    )
    follower = follow(inspector)
    assert lab.aws_credentials(4)["AccessKeyId"]
    lab.curl_v2("[%s]" % harness.IMDS6)
    lab.curl("http://%s/latest/user-data" % IMDS4)
    follower.wait_alerts(1, where=lambda a: field(a, "imds.delivered") == "user_data")
    alerts = follower.alerts()
    metrics = inspector.metrics()
    ring = pathlib.Path("/dev/shm" + inspector.ring).read_bytes()
    assert inspector.stop() == 0
    assert len(kept(alerts)) == len(alerts)
    check_numbers(alerts, folder)
    check_files(folder)
    outputs = (follower.stdout, follower.stderr, inspector.stdout, inspector.stderr, metrics.text,
               json.dumps(alerts))
    for output in outputs:
        assert harness.SECRET_MARK not in output
    for secret in SECRETS:
        assert secret not in ring
