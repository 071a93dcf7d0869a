"""What looks like impersonation and is not, or not yet: with all shipped rules, what alerts, how
gravely, and how it is made quiet."""

import collections
import json

import pytest
import yaml

import claims
import harness
from evasion.scene import ELSEWHERE, IMDS, Pause, Request, Scene, to_bytes, write_pcap
from harness import IMDS4, alerts_of, field, read_captures
from test_exchange import CREDENTIALS, KEY, PATH, START

pytestmark = pytest.mark.sanitize

BULLETIN = ("connection", "medium")
TRIED = ("connection", "low")
ASKED = ("http_request", "medium")
ANSWERED = ("responder", "high")
MAC = "02:65:00:00:00:fe"  # of every scene's server
ATTACK = {"token_issued", "credentials_delivered", "credentials_used"}


def config_with(folder, **more):
    path = folder / "inspector.yaml"
    path.write_text(yaml.safe_dump({"rules": {"paths": [str(harness.RULES)],
                                              "fields": str(harness.FIELDS)}, **more}))
    return path


def told(folder, frames, config=None):
    """How many alerts of each event and level the frames raise."""
    write_pcap(folder / "c.pcap", to_bytes(frames), START)
    alerts = alerts_of(read_captures(folder / "c.pcap", config=config))
    return collections.Counter((field(a, "imds.event"), field(a, "rule.level")) for a in alerts)


def events(counted):
    return {event for event, _ in counted}


def ask(number, target, answer, method="GET", headers=(), to=None):
    """One request and its answer."""
    scene = Scene(number, endpoint=to is None,
                  request=Request(method, target, to or IMDS4, "aws-cli/2.15.0", headers))
    return scene.frames(scene.dialogue(scene.request.head(), answer))


def http(body, status="200 OK", kind="text/html", *more):
    head = "\r\n".join(["HTTP/1.1 " + status, "Content-Type: " + kind,
                        "Content-Length: %d" % len(body), *more])
    return head.encode() + b"\r\n\r\n" + body


def token(number, answer):
    return ask(number, "/latest/api/token", answer, "PUT",
               ("X-aws-ec2-metadata-token-ttl-seconds: 21600",))


# --- Devices that are meant to answer ---

SNOWBALL = {"name": "snowball", "endpoint": ["aws-imds-ipv4"], "responder": [MAC]}


def test_an_allowed_responder_is_quiet_and_another_in_its_place_is_not(tmp_path):
    frames = [claims.arp(2)(MAC)] + token(1, http(b"AQAEAFAKE==", kind="text/plain")) + ask(
        1, PATH, http(CREDENTIALS, kind="application/json"))
    alerts = told(tmp_path, frames)
    assert ("credentials_delivered", "critical") in alerts and ("address_claim", "high") in alerts
    config = config_with(tmp_path, suppress=[SNOWBALL])
    assert told(tmp_path, frames, config) == {}
    impostor = "02:66:00:00:00:66"
    for frame in frames:
        for side in ("src", "dst"):
            if getattr(frame, side) == MAC:
                setattr(frame, side, impostor)
        if frame.haslayer("ARP"):
            frame["ARP"].hwsrc = impostor
    assert told(tmp_path, frames, config) == alerts


# --- OpenStack ---

def openstack():
    """The network's DHCP server gives the route; its router proxies the metadata service."""
    dhcp = claims.dhcp(claims.dhcp_route())(MAC)
    document = json.dumps({"uuid": "d8e02d56", "name": "vm-1", "meta": {"role": "web"}}).encode()
    return [dhcp] + ask(1, "/openstack/latest/meta_data.json",
                        http(document, kind="application/json"))


def test_openstack_alerts_as_a_route_and_an_answer_and_no_more(tmp_path):
    alerts = told(tmp_path, openstack())
    assert alerts[("address_claim", "medium")] == 1
    assert alerts[ANSWERED] == 1
    assert not events(alerts) & ATTACK
    assert not [level for _, level in alerts if level == "critical"]


def test_openstack_can_be_suppressed_by_server_and_router(tmp_path):
    dhcp = {"name": "openstack-dhcp", "responder": [claims.SERVER],
            "rule": ["822d90b9-080c-4627-a0e2-738df916eab6"]}
    alerts = told(tmp_path, openstack(), config_with(tmp_path, suppress=[dhcp]))
    assert events(alerts) == {"connection", "responder", "http_request"}
    both = config_with(tmp_path, suppress=[dhcp, dict(SNOWBALL, name="router")])
    assert told(tmp_path, openstack(), both) == {}
    # Somebody else's route is none of theirs.
    rogue = claims.dhcp(claims.dhcp_route())("02:66:00:00:00:66")
    rogue["IP"].src = "10.66.0.99"
    assert told(tmp_path, [rogue], both) == {("address_claim", "medium"): 1}


# --- Tools that look whether they run in a cloud ---

def test_probes_that_nobody_answers_are_low(tmp_path):
    frames = []
    for number, version in ((1, 4), (2, 6), (3, 4)):
        scene = Scene(number, endpoint=True)
        scene.version = version
        syn = scene.handshake()[:1]
        frames += scene.frames(syn + [Pause(1)] + syn + [Pause(2)] + syn)  # tried again
        frames += [claims.arp(1, scene.client[4], IMDS[4], to=claims.EVERYBODY)(MAC)]
    # The bulletin's rule is about any connection; of those that grade, the lowest.
    assert told(tmp_path, frames) == {TRIED: 3, BULLETIN: 3}


def test_probes_that_a_firewall_refuses_are_low(tmp_path):
    scene = Scene(1, endpoint=True)
    syn = scene.handshake()[0]
    reset = scene.tcp("RA", 0, scene.isn + 1, from_client=False)
    assert told(tmp_path, scene.frames([syn, reset]) + [claims.unreachable()(MAC)]) == {
        TRIED: 1, BULLETIN: 1}


# --- Captive portals and proxies that answer for every address ---

LOGIN = b"\r\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>token</body></html>"
REDIRECT = http(b"<html>moved</html>", "302 Found", "text/html", "Location: http://portal.example/")


@pytest.mark.parametrize("answer", [REDIRECT, http(LOGIN), http(LOGIN, kind="text/plain"),
                                    http(b"", "204 No Content")], ids=["302", "200", "plain", "204"])
def test_a_captive_portal_answers_and_delivers_nothing(tmp_path, answer):
    frames = token(1, answer)
    for path in (PATH, PATH.rpartition("/")[0] + "/", "/latest/user-data",
                 "/latest/dynamic/instance-identity/document"):
        frames += ask(1, path, answer)
    alerts = told(tmp_path, frames)
    assert alerts[ANSWERED] == 1
    assert not events(alerts) & ATTACK
    assert alerts[("http_response", "high")] == 0
    assert not [level for _, level in alerts if level == "critical"]


# --- JSON and pages that only look like credentials ---

PARTS = [
    b'{"AccessKeyId":"%s"}' % KEY.encode(),
    b'{"AccessKeyId":"%s","SecretAccessKey":"FAKE-S"}' % KEY.encode(),
    b'{"AccessKeyId":"%s","Token":"FAKE-T","Expiration":"2099-01-01T00:00:00Z"}' % KEY.encode(),
    b'{"AccessKeyId":"","SecretAccessKey":"","Token":"","Expiration":""}',
    b'[{"AccessKeyId":"%s"},{"SecretAccessKey":"FAKE-S"},{"Token":"FAKE-T"},'
    b'{"Expiration":"2099-01-01T00:00:00Z"}]' % KEY.encode(),
    b'{"AccessKeyMetadata":[{"AccessKeyId":"%s","Status":"Active"}]}' % KEY.encode(),
    b'{"message":"AccessKeyId SecretAccessKey Token Expiration"}',
]


@pytest.mark.parametrize("body", PARTS)
def test_parts_of_credentials_are_none(tmp_path, body):
    frames = ask(1, "/latest/meta-data/x", http(body, kind="application/json"), to=ELSEWHERE[4])
    assert events(told(tmp_path, frames)) == {"http_request"}


def test_pages_that_quote_credentials_deliver_none(tmp_path):
    page = b"<!DOCTYPE html>\n<html><body><pre>\n" + CREDENTIALS + b"\n</pre></body></html>"
    frames = ask(1, "/guide/latest/meta-data/iam/security-credentials.html", http(page),
                 to=ELSEWHERE[4])
    assert events(told(tmp_path, frames)) == {"http_request"}


# --- Browsers ---

def test_a_preflight_that_names_the_header_is_no_token(tmp_path):
    preflight = ("Origin: http://app.example", "Access-Control-Request-Method: PUT",
                 "Access-Control-Request-Headers: x-aws-ec2-metadata-token-ttl-seconds")
    allowed = http(b"", "204 No Content", "text/plain",
                   "Access-Control-Allow-Headers: x-aws-ec2-metadata-token-ttl-seconds")
    frames = ask(1, "/api", allowed, "OPTIONS", preflight, to=ELSEWHERE[4])
    # The bulletin's rule, which looks for the header's name anywhere in the headers; no other.
    assert told(tmp_path, frames) == {ASKED: 1}
