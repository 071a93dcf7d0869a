"""The stage after the delivery: a client that was given credentials connects to AWS."""

import pathlib

import pytest
import yaml

import harness
import tls
from evasion.scene import ELSEWHERE, IMDS, Pause, Request, Scene, to_bytes, write_pcap
from harness import alerts_of, field, read_captures
from test_exchange import ACCOUNT, FORMS, KEY, PATH, ROLE, START

STS = "sts.amazonaws.com"
CONNECT = b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n"


def victim(number=1, version=4):
    scene = Scene(number, endpoint=True, request=Request(target=PATH, agent="aws-cli/2.15.0"))
    scene.version = version
    return scene


def delivery(scene, server=None):
    scene.another().server[scene.version] = server or IMDS[scene.version]
    scene.server_port = 80
    return scene.dialogue(scene.request.head(), FORMS["plain"])


def used(folder, *packets, more=(), config=None, rules=None):
    """The alerts about use that the packets raise, and all that was printed."""
    capture = folder / "used.pcap"
    write_pcap(capture, to_bytes(Scene(1).frames([p for part in packets for p in part])), START)
    done = read_captures(capture, more=more, config=config, rules=rules)
    assert harness.SECRET_MARK not in done.stdout + done.stderr
    return [a for a in alerts_of(done) if field(a, "imds.event") == "credentials_used"], done


def names(folder, *packets, **more):
    return [field(a, "tls.client.server_name") for a in used(folder, *packets, **more)[0]]


@pytest.mark.sanitize
@pytest.mark.parametrize("version", [4, 6])
def test_use_is_told_with_the_account(tmp_path, version):
    scene = victim(version=version)
    found, done = used(tmp_path, delivery(scene), [Pause(2)], tls.connection(scene, STS))
    assert len(found) == 1
    alert = found[0]
    assert alert["rule"]["name"] == "AWS Contacted With Credentials Of An Instance Metadata Service"
    assert alert["rule"]["level"] == "critical"
    assert alert["source"]["ip"] == scene.client[version]
    assert alert["destination"]["ip"] == ELSEWHERE[version]
    assert alert["destination"]["port"] == 443
    assert field(alert, "tls.client.server_name") == STS and "url" not in alert
    imds = alert["imds"]
    assert imds["endpoint"] == "aws-imds-ipv%d" % version
    assert (imds["aws_account_id"], imds["access_key_id"], imds["role"]) == (ACCOUNT, KEY, ROLE)
    assert imds["client_kind"] == "aws-cli" and "delivered" not in imds
    assert imds["stage"] == "used" and " credentials+0.0" in imds["timeline"]
    assert imds["timeline"].split()[-1].startswith("used+2.")
    # The same capture, the same alerts.
    assert read_captures(tmp_path / "used.pcap").stdout == done.stdout


def test_every_form_tells_it(tmp_path):
    scene = victim()
    used(tmp_path, delivery(scene), tls.connection(scene, STS))
    capture = tmp_path / "used.pcap"
    text = read_captures(capture, form="text").stdout
    assert "\n    TLS to sts.amazonaws.com\n" in text and " used+0." in text
    assert "account %s  key %s" % (ACCOUNT, KEY) in text.split("TLS to")[1]
    eve = [e for e in harness.json_lines(read_captures(capture, form="eve").stdout)
           if e["alert"]["metadata"]["imds_event"] == ["credentials_used"]]
    assert eve[0]["tls"] == {"sni": STS} and eve[0]["app_proto"] == "tls"
    assert eve[0]["alert"]["metadata"]["imds_stage"] == ["used"]


# Within one burst of packets, however many lie in between: a capture is read in its order.
@pytest.mark.sanitize
@pytest.mark.parametrize("between", [0, 1, 7, 40, 63, 64, 200])
def test_what_follows_at_once_is_found(tmp_path, between):
    scene, other = victim(), Scene(2)
    handshake = tls.connection(scene, STS)
    noise = [other.another().handshake()[0] for _ in range(between)]
    # The connection was opened before, and its first bytes follow the delivery.
    assert names(tmp_path, handshake[:3], delivery(scene), noise, handshake[3:]) == [STS]


@pytest.mark.parametrize("size", [50, 100, 300])
def test_a_hello_in_pieces(tmp_path, size):
    scene = victim()
    assert names(tmp_path, delivery(scene), tls.connection(scene, STS, size)) == [STS]


def test_through_a_proxy(tmp_path):
    scene = victim()
    assert names(tmp_path, delivery(scene), tls.connection(scene, STS, first=CONNECT)) == [STS]


def test_each_story_alerts_once_and_rules_can_ask_for_more(tmp_path):
    scene = victim()
    several = [p for name in (STS, "s3.eu-west-1.amazonaws.com", "ec2.eu-west-1.api.aws")
               for p in tls.connection(scene, name)]
    again = [Pause(700)] + delivery(scene) + tls.connection(scene, "kms.amazonaws.com.cn")
    assert names(tmp_path, delivery(scene), several, again) == [STS, "kms.amazonaws.com.cn"]
    rule = tmp_path / "every.yml"
    rule.write_text("""title: Every use
id: 66666666-6666-4666-8666-666666666666
level: high
logsource: {product: imds-inspector}
detection:
  use: {imds.event: credentials_used, 'tls_sni|startswith': [sts., s3.]}
  condition: use
""")
    assert names(tmp_path, delivery(scene), several, rules=rule) == [
        STS, "s3.eu-west-1.amazonaws.com"]


def test_what_is_no_use(tmp_path):
    scene, other = victim(), victim(2)
    before = tls.connection(scene, STS)
    assert names(tmp_path, before, delivery(scene)) == []
    assert names(tmp_path, delivery(scene), tls.connection(other, STS)) == []
    assert names(tmp_path, delivery(scene), tls.connection(scene, "www.example.com")) == []
    assert names(tmp_path, delivery(scene), tls.connection(scene, STS + ".example.com")) == []
    assert names(tmp_path, delivery(scene), tls.connection(scene, None)) == []
    assert names(tmp_path, delivery(scene), [Pause(601)], tls.connection(scene, STS)) == []
    assert names(tmp_path, tls.connection(scene, STS)) == []


def config_with(folder, **more):
    path = folder / "inspector.yaml"
    path.write_text(yaml.safe_dump({"rules": {"paths": [str(harness.RULES)],
                                              "fields": str(harness.FIELDS)}, **more}))
    return path


def test_expected_accounts_and_suppressed_answers_are_no_prey(tmp_path):
    scene = victim()
    packets = delivery(scene) + tls.connection(scene, STS)
    expected = config_with(tmp_path, expected_accounts=[{"account": ACCOUNT}])
    assert names(tmp_path, packets, config=expected) == []
    elsewhere = config_with(tmp_path, expected_accounts=[{"account": ACCOUNT,
                                                          "networks": ["192.0.2.0/24"]}])
    assert names(tmp_path, packets, config=elsewhere) == [STS]
    suppressed = config_with(tmp_path, suppress=[{"name": "snowball",
                                                  "responder": ["02:65:00:00:00:fe"]}])
    assert names(tmp_path, packets, config=suppressed) == []


def test_the_window_is_that_of_the_story(tmp_path):
    scene = victim()
    packets = delivery(scene) + [Pause(20)] + tls.connection(scene, STS)
    assert names(tmp_path, packets, config=config_with(tmp_path, alerts={"story_window": 10})) == []
    assert names(tmp_path, packets, config=config_with(tmp_path, alerts={"story_window": 30})) == [STS]


def test_what_is_looked_at_is_counted(tmp_path):
    scene = victim()
    metrics = tmp_path / "metrics.txt"
    used(tmp_path, tls.connection(scene, STS), delivery(scene), tls.connection(scene, STS),
         tls.connection(scene, "www.example.com"), tls.connection(scene, None),
         more=["--metrics-text", metrics])
    counted = harness.Metrics(metrics.read_text())
    outcomes = {o: counted.sum("imds_inspector_client_hellos_total", outcome=o)
                for o in ("aws", "other", "nameless", "unread")}
    assert outcomes == {"aws": 1, "other": 1, "nameless": 1, "unread": 0}
    assert counted.sum("imds_inspector_credential_holders") == 1
    assert counted.sum("imds_inspector_credential_holders_evicted_total") == 0


CALLED = """
import socket, sys
server = socket.create_server(("10.77.0.1", 443))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    connection.close()
"""


@pytest.mark.lab
@pytest.mark.parametrize("workers", [1, 2])
def test_the_aws_cli_is_seen_to_use_what_it_was_given(lab, owned, start_inspector, follow, workers):
    """The CLI is given credentials and calls STS at once; the server there only listens."""
    hosts = pathlib.Path("/etc/netns", lab.namespace("victim"), "hosts")
    hosts.parent.mkdir(parents=True, exist_ok=True)
    hosts.write_text("127.0.0.1 localhost\n10.77.0.1 sts.eu-central-1.amazonaws.com\n")
    try:
        server = owned(harness.Program(lab.command("imds", "/usr/bin/python3", "-c", CALLED)))
        harness.wait_for("a server", lambda: "ready" in server.stdout)
        inspector = start_inspector(lab, [harness.port("tap", "tap0")], workers={"count": workers},
                                    rules={"paths": [str(harness.RULES)]})
        follower = follow(inspector)
        done = lab.run("victim", "env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent",
                       "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
                       "AWS_MAX_ATTEMPTS=1", "AWS_STS_REGIONAL_ENDPOINTS=regional",
                       "/usr/bin/aws", "--region", "eu-central-1", "sts", "get-caller-identity")
        assert done.returncode != 0  # nobody is there
        found = follower.wait_alerts(
            1, where=lambda a: field(a, "imds.event") == "credentials_used")
    finally:
        hosts.unlink()
        hosts.parent.rmdir()
    assert len(found) == 1
    assert field(found[0], "tls.client.server_name") == "sts.eu-central-1.amazonaws.com"
    assert field(found[0], "imds.aws_account_id") == ACCOUNT
    assert field(found[0], "imds.stage") == "used"
    assert inspector.stop() == 0
