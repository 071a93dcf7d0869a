"""Exchanges with an impersonated metadata service, from packets to alerts: tokens, credentials and the
account they belong to, and that no secret of it ever leaves the packet."""

import gzip
import pathlib

import pytest

import harness
from evasion.scene import IMDS, Request, Scene, to_bytes, write_pcap
from harness import IMDS4, IMDS6, VICTIM4, alerts_of, field, read_captures

ACCOUNT = "029608264753"
KEY = "ASIAQNZGKIQY56JQ7WML"
ROLE = "lab-impersonator-role"
PATH = "/latest/meta-data/iam/security-credentials/" + ROLE
CREDENTIALS = (
    '{"Code":"Success","AccessKeyId":"%s","SecretAccessKey":"FAKE-SECRET","Token":"FAKE-SESSION",'
    '"Expiration":"2099-01-01T00:00:00Z"}' % KEY
).encode()
START = 1_760_000_000


def delivered(alerts, what="credentials"):
    return [a for a in alerts if field(a, "imds.delivered") == what]


@pytest.mark.lab
def test_real_clients_are_told_whose_account_they_got(lab, start_inspector, follow):
    # At the most verbose level: nothing of what is delivered may be logged either.
    inspector = start_inspector(
        lab, [harness.port("tap", "tap0")], log={"level": "trace"},
        rules={"paths": [str(harness.RULES)]},
        expected_accounts=[{"account": ACCOUNT, "networks": ["192.0.2.0/24"]}],
    )
    follower = follow(inspector)
    for family in (4, 6):
        assert lab.aws_credentials(family)["AccessKeyId"] == KEY
    lab.curl_v2(IMDS4)
    lab.curl("http://%s/latest/user-data" % IMDS4)
    lab.curl("http://[%s]/latest/dynamic/instance-identity/document" % IMDS6)
    lab.curl("http://%s%s" % (IMDS4, PATH), "-H", "X-aws-ec2-metadata-token: none")
    follower.wait_alerts(1, where=lambda a: field(a, "http.response.status_code") == 401)
    alerts = follower.alerts()

    found = delivered(alerts)
    assert len(found) == 2
    for alert in found:
        assert alert["rule"]["level"] == "high"
        imds = alert["imds"]
        assert (imds["aws_account_id"], imds["access_key_id"], imds["role"]) == (ACCOUNT, KEY, ROLE)
        assert (imds["account_source"], imds["account_expected"]) == ("key_id", "wrong_network")
        assert (imds["client_kind"], imds["version"], imds["server"]) == ("aws-cli", "v2", "EC2ws")
        assert imds["expiration"] == "2099-01-01T00:00:00.000000Z"
        assert "visibility" not in imds
        assert alert["http"]["response"]["status_code"] == 200
        assert alert["url"]["path"].endswith(ROLE)
        assert field(alert, "destination.mac") == harness.IMPOSTOR_MAC
    assert {a["source"]["ip"] for a in found} == {VICTIM4, harness.VICTIM6}

    tokens = [a for a in alerts if a["imds"]["event"] == "token_issued"]
    assert len(tokens) == 3
    assert {field(a, "imds.token.ttl") for a in tokens} == {21600, 60}
    assert all(field(a, "imds.token.length") == 48 for a in tokens)
    assert field(delivered(alerts, "user_data")[0], "imds.content_kind") == "shell_script"
    document = delivered(alerts, "identity_document")[0]
    assert field(document, "imds.aws_account_id") == ACCOUNT
    assert field(document, "imds.region") == "eu-central-1"

    metrics = inspector.metrics()
    assert metrics.sum("imds_inspector_deliveries_total", kind="credentials") == 2
    assert metrics.sum("imds_inspector_tokens_issued_total") == 3
    assert metrics.sum("imds_inspector_answer_bodies_total", result="whole") >= 9
    ring = pathlib.Path("/dev/shm" + inspector.ring).read_bytes()
    assert KEY.encode() in ring
    assert inspector.stop() == 0
    outputs = (follower.stdout, follower.stderr, inspector.stdout, inspector.stderr, metrics.text)
    for output in outputs:
        assert harness.SECRET_MARK not in output
    assert harness.SECRET_MARK.encode() not in ring


def chunked(body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


FORMS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CREDENTIALS) + CREDENTIALS,
    "until close": b"HTTP/1.0 200 OK\r\n\r\n" + CREDENTIALS,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(CREDENTIALS, 7),
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunked(gzip.compress(CREDENTIALS), 11),
    "escaped": b"HTTP/1.0 200 OK\r\n\r\n"
               + CREDENTIALS.replace(b"AccessKeyId", b"\\u0041ccessKeyId"),
}


def conversation(number, answer, piece):
    scene = Scene(number, endpoint=True, request=Request(target=PATH, agent="aws-cli/2.15.0"))
    pieces = [answer[at : at + piece] for at in range(0, len(answer), piece)]
    return scene, scene.frames(scene.dialogue(scene.request.head(), pieces))


@pytest.mark.sanitize
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [1400, 10])
def test_every_form_of_an_answer_says_the_same(tmp_path, form, piece):
    scene, frames = conversation(1, FORMS[form], piece)
    write_pcap(tmp_path / "a.pcap", to_bytes(frames), START)
    done = read_captures(tmp_path / "a.pcap")
    found = delivered(alerts_of(done))
    assert len(found) == 1
    assert field(found[0], "imds.aws_account_id") == ACCOUNT
    assert field(found[0], "imds.client_kind") == "aws-cli"
    assert field(found[0], "rule.level") == "critical"
    assert found[0]["source"]["ip"] == scene.client[4]
    assert "visibility" not in found[0]["imds"]
    assert "FAKE-" not in done.stdout + done.stderr


def half(frames, wanted):
    return [frame for frame in frames if (frame.dst == "02:65:00:00:00:fe") == wanted]


@pytest.mark.sanitize
def test_half_a_view_is_told(tmp_path):
    _, frames = conversation(1, FORMS["plain"], 100)
    write_pcap(tmp_path / "answers.pcap", to_bytes(half(frames, False)), START)
    found = delivered(alerts_of(read_captures(tmp_path / "answers.pcap")))
    assert len(found) == 1
    assert field(found[0], "imds.visibility") == ["responses_only", "request_unseen"]
    assert field(found[0], "imds.aws_account_id") == ACCOUNT
    assert field(found[0], "destination.ip") == IMDS[4]

    write_pcap(tmp_path / "requests.pcap", to_bytes(half(frames, True)), START)
    alerts = alerts_of(read_captures(tmp_path / "requests.pcap"))
    asked = [a for a in alerts if a["imds"]["event"] == "http_request"]
    assert asked and all(field(a, "imds.visibility") == ["requests_only"] for a in asked)

    body = b" " * 200 + b"\n" + CREDENTIALS
    _, frames = conversation(1, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, 100)
    lossy = [frame for number, frame in enumerate(frames) if number != 5]  # nothing but blanks
    write_pcap(tmp_path / "lossy.pcap", to_bytes(lossy), START)
    words = field(delivered(alerts_of(read_captures(tmp_path / "lossy.pcap")))[0], "imds.visibility")
    assert {"stream_gap", "body_incomplete"} <= set(words)


@pytest.mark.parametrize("text, message", [
    ("clients:\n- kind: a\n", "clients.yaml:2:3: clients[0]: a kind of client needs user_agent"),
    ("clients:\n- kind: 'a b'\n  user_agent: [x]\n", "clients.yaml:2:9: clients[0].kind: expected"),
    ("client: []\n", "clients.yaml:1:1: expected a list of kinds under 'clients'"),
    ("[]\n", "expected a list of kinds under 'clients'"),
])
def test_a_wrong_table_of_clients_is_refused(tmp_path, text, message):
    clients = tmp_path / "clients.yaml"
    clients.write_text(text)
    config = tmp_path / "inspector.yaml"
    config.write_text("rules: {paths: [%s], fields: %s, clients: clients.yaml}\n"
                      % (harness.RULES, harness.FIELDS))
    done = harness.run(harness.INSPECTOR, "--check", "--config", config)
    assert done.returncode == 3
    assert message in done.stderr


@pytest.mark.parametrize("text, message", [
    ("- account: 12345\n", "expected_accounts[0].account: expected an AWS account id of 12 digits"),
    ("- networks: [10.0.0.0/8]\n", "an expected account needs an account"),
    ("- account: '123456789012'\n- account: '123456789012'\n", "this account is listed before"),
    ("- account: '123456789012'\n  networks: [x]\n", "expected_accounts[0].networks[0]"),
])
def test_wrong_accounts_are_refused(tmp_path, text, message):
    config = tmp_path / "inspector.yaml"
    config.write_text("rules: {paths: [%s], fields: %s}\nexpected_accounts:\n%s"
                      % (harness.RULES, harness.FIELDS, text))
    done = harness.run(harness.INSPECTOR, "--check", "--config", config)
    assert done.returncode == 3
    assert message in done.stderr
