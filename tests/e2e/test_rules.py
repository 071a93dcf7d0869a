"""Every shipped rule, also the optional ones, against captures made for it: what must alert and what
must not."""

import dataclasses
import re

import pytest
import yaml

import claims
import harness
import tls
from evasion.scene import ELSEWHERE, IMDS, Request, Scene, to_bytes, write_pcap
from harness import alerts_of, field, read_captures

OPTIONAL = harness.ROOT / "conf/rules-optional"
START = 1_760_000_000
LEVELS = {"informational", "low", "medium", "high", "critical"}


@dataclasses.dataclass(frozen=True)
class Case:
    """One conversation: a request, or bytes of the client's own, to a server."""

    target: str = "/"
    to: str = ELSEWHERE[4]
    host: str = "www.example.com"
    method: str = "GET"
    headers: tuple = ()
    agent: str = "test/1.0"
    packets: object = None  # of the scene, instead of a plain conversation

    def frames(self, number):
        scene = Scene(number, request=Request(self.method, self.target, self.host, self.agent,
                                              self.headers))
        scene.version = 6 if ":" in self.to else 4
        scene.server[scene.version] = self.to
        made = self.packets(scene) if self.packets else scene.conversation()
        return scene.client[scene.version], to_bytes(scene.frames(made))


@dataclasses.dataclass(frozen=True)
class Message:
    """Single frames (see claims.py), all from a machine of their own, and its MAC address."""

    makers: tuple

    def frames(self, number):
        mac = "02:66:00:00:%02x:%02x" % divmod(number, 256)
        return mac, [(0.0, bytes(make(mac, vlan=2 + number))) for make in self.makers]


def messages(*makers):
    return [Message((make,)) for make in makers]


def contradicting(scene):
    """A request, then another at the same place of the stream."""
    head = scene.request.head()
    other = head.replace(b"GET /", b"PUT /")
    return scene.handshake() + [scene.segment(0, head), scene.segment(0, other)] \
        + scene.ending(len(head))


def http2_from_the_middle(scene):
    """Header blocks that refer to what was said before the capture began."""
    headers = b"\x00\x00\x03\x01\x05\x00\x00\x00\x09\xbe\xbf\xc0"
    data = headers + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x10\x00" + headers.replace(
        b"\x09", b"\x0b")
    return [scene.segment(0, data), scene.answer(0, b"\x00\x00\x00\x04\x01\x00\x00\x00\x00",
                                                 asked=len(data))]


def unanswered(scene):
    return scene.handshake()[:1]


def requests(targets, **more):
    return [Case(target, **more) for target in targets]


def hosts(names, **more):
    return [Case(host=name, **more) for name in names]


ASIA = "ASIAQNZGKIQY56JQ7WML"  # a published example: account 029608264753
OLD = "AKIAIOSFODNN7EXAMPLE"  # encodes no account
ROLE = "/latest/meta-data/iam/security-credentials/role"
DOCUMENT = b'{"accountId":"029608264753","region":"eu-west-1","instanceId":"i-1"}'
OTHERS = "expected_accounts:\n  - account: \"111111111111\"\n"
ELSE = "expected_accounts:\n  - account: \"029608264753\"\n    networks: [192.0.2.0/24]\n"
OURS = "expected_accounts:\n  - account: \"029608264753\"\n    networks: [10.0.0.0/8]\n"


def credentials(key=ASIA, more=""):
    return ('{"AccessKeyId":"%s","SecretAccessKey":"FAKE-S","Token":"FAKE-T",'
            '"Expiration":"2099-01-01T00:00:00Z"%s}' % (key, more)).encode()


def answered(body, status="200 OK", *headers):
    """A conversation in which the server says this."""
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *headers]
    answer = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    return lambda scene: scene.dialogue(scene.request.head(), answer)


def uses(name, body=None):
    """Credentials (or this) are delivered to a client, which connects to a server of that name."""
    return lambda scene: (answered(credentials() if body is None else body)(scene)
                          + tls.connection(scene, name))


def back_to_imds(scene):
    scene.another().server[4] = IMDS[4]
    scene.server_port = 80
    return scene


def answers(target, body, status="200 OK", method="GET", headers=(), to=IMDS[4]):
    return Case(target, method=method, headers=headers, to=to, host=IMDS[4],
                packets=answered(body, status))


PUT = {"target": "/latest/api/token", "method": "PUT"}
PROXIED = ("X-Forwarded-For: 192.0.2.9",)
TOKEN = ("X-aws-ec2-metadata-token: AQAAAFAKE",)
TTL = ("X-aws-ec2-metadata-token-ttl-seconds: 21600",)
PREFLIGHT = ("Origin: http://a", "Access-Control-Request-Headers: x-aws-ec2-metadata-token")
AT4 = {"to": IMDS[4], "host": IMDS[4]}
AT6 = {"to": IMDS[6], "host": "[fd00:ec2::254]"}

# By the rule's file: what alerts, and what does not.
SHIPPED = {
    "aws_imds_metadata_access.yml": (
        [Case(**AT4), Case(**AT6), Case("/latest/meta-data/"), Case("/a/latest/api/token"),
         Case("/%6catest/meta-data"), Case(headers=TOKEN), Case(headers=PREFLIGHT)],
        [Case(), Case("/latest/metadata"), Case(to="169.254.169.253"), Case(to="fd00:ec2::253"),
         Case("/2021-07-15/meta-data/")],
    ),
    "aws_imds_session_token.yml": (
        [Case("/latest/api/token", method="PUT", headers=TTL, **AT4),
         Case("/latest/meta-data/", headers=TOKEN, **AT6),
         Case(headers=("x-AWS-ec2-Metadata-TOKEN:x",)),
         Case(packets=lambda scene: scene.conversation(
             b"GET / HTTP/1.0\r\nX-aws-ec2-metadata-token: first\r\n\r\n"))],
        [Case(method="OPTIONS", headers=PREFLIGHT), Case("/latest/meta-data/", **AT4),
         Case(headers=("Note: X-aws-ec2-metadata-token",)),
         Case(agent="X-aws-ec2-metadata-token/1"), Case("/?h=X-aws-ec2-metadata-token")],
    ),
    "aws_imds_dated_paths.yml": (
        requests(["/2009-04-04/meta-data/instance-id", "/2021-03-23/meta-data", "/1.0/meta-data/",
                  "/1.0/user-data", "/2021-07-15/user-data", "/proxy/2021-07-15/meta-data/",
                  "/2021-03-23/dynamic/instance-identity/document", "/x/../2021%2D03-23/meta-data/"]),
        requests(["/latest/meta-data/", "/2024-05-06/meta-data.html", "/2024-05-06/meta-database/",
                  "/v1.0/meta-data/", "/202-05-06/meta-data/", "/?x=/2021-07-15/meta-data/"]),
    ),
    "aws_imds_credential_paths.yml": (
        requests(["/latest/meta-data/iam/security-credentials/",
                  "/latest/meta-data/iam/security-credentials-extended/role",
                  "/2021-07-15/meta-data/iam/info", "/latest/dynamic/instance-identity/document",
                  "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
                  "/latest/meta-data/%69am/security%2Dcredentials/role"])
        + [Case("/latest/meta-data/iam/info", **AT6)],
        requests(["/latest/meta-data/instance-id", "/latest/meta-data/iam/", "/latest/dynamic/",
                  "/docs?of=/meta-data/iam/info"], **AT4),
    ),
    "aws_imds_user_data.yml": (
        requests(["/latest/user-data", "/latest/user-data/", "/1.0/user-data", "/latest//user-data",
                  "/2021-07-15/user-data", "/latest/user%2Ddata?x=1"], **AT4),
        requests(["/api/user-data", "/latest/user-data-export", "/latest/meta-data/",
                  "/?p=/latest/user-data", "/latest/users/data"], **AT4),
    ),
    "aws_imds_ssrf.yml": (
        requests(["/latest/meta-data/", "/proxy/latest/user-data", "/latest/api/token",
                  "/fetch?url=http://169.254.169.254/", "/fetch?url=http://[fd00:ec2::254]/x",
                  "/fetch?url=http%3A%2F%2F169.254.169.254%2Flatest%2Fmeta-data%2F",
                  "/fetch?url=http%253A%252F%252Fhost%252Flatest%252Fuser-data"]),
        requests(["/latest/meta-data/", "/latest/user-data?url=http://169.254.169.254/"], **AT4)
        + requests(["/latest/meta-data/"], **AT6)
        + requests(["http://169.254.169.254/latest/meta-data/", "/fetch?url=http://example.com/",
                    "/latest/news", "/fetch?url=http://169.254.169.253/"]),
    ),
    "aws_imds_host_elsewhere.yml": (
        hosts(["169.254.169.254", "169.254.169.254:80", "2852039166", "0xA9FEA9FE", "0xa9.254.0xa9fe",
               "0251.0376.0251.0376", "169.254.43518", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]",
               "[FD00:0EC2:0:0:0:0:0:254]", "169.254.169.254.nip.io", "instance-data",
               "Instance-Data.EC2.Internal."])
        + requests(["http://169.254.169.254/", "http://2852039166/latest/", "http://x@0xa9fea9fe/"]),
        [Case(**AT4), Case(**AT6), Case(to=IMDS[4], host="0xA9FEA9FE")]
        + hosts(["169.254.169.253", "2852039165", "169.254.169.254.example.com", "instance-database"])
        + requests(["/169.254.169.254/", "/?h=169.254.169.254"]),
    ),
    "imds_conflicting_data.yml": (
        [Case(packets=contradicting, **AT4), Case(packets=contradicting, **AT6)],
        [Case(packets=contradicting), Case(**AT4)],
    ),
    "imds_token_issued.yml": (
        [answers(body=b"FAKE-TOKEN", headers=TTL, **PUT),
         answers(body=b"FAKE-TOKEN", headers=TTL, to=IMDS[6], **PUT)],
        [answers(body=b"", status="403 Forbidden", **PUT), Case(method="PUT", target=PUT["target"]),
         answers("/latest/api/token", b"FAKE-TOKEN"), Case(**AT4)],
    ),
    "imds_token_issued_forwarded.yml": (
        [answers(body=b"FAKE-TOKEN", headers=PROXIED, **PUT)],
        [answers(body=b"FAKE-TOKEN", headers=TTL, **PUT),
         answers(body=b"", status="403 Forbidden", headers=PROXIED, **PUT)],
    ),
    "imds_credentials_delivered.yml": (
        [answers(ROLE, credentials()), answers(ROLE, credentials(OLD)),
         answers("/latest/anything", credentials())],
        [answers("/proxy", credentials(), to=ELSEWHERE[4]), answers(ROLE, DOCUMENT),
         answers(ROLE, b"<html>Sign in: AccessKeyId SecretAccessKey Token Expiration</html>"),
         answers(ROLE, b'{"access_token":"x","token_type":"bearer","expires_in":3600}'), Case(**AT4)],
    ),
    "imds_unexpected_account.yml": (
        [answers(ROLE, credentials()), answers(ROLE, credentials(OLD, ',"AccountId":"222222222222"')),
         answers("/latest/dynamic/instance-identity/document", DOCUMENT),
         answers(ROLE, credentials(ASIA, ',"AccountId":"111111111111"'))],
        [answers(ROLE, credentials(OLD, ',"AccountId":"111111111111"')),
         answers(ROLE, credentials(OLD)), Case(**AT4)],
        OTHERS,
    ),
    "imds_account_on_wrong_network.yml": (
        [answers(ROLE, credentials())],
        [answers(ROLE, credentials(OLD)), answers(ROLE, credentials(OLD, ',"AccountId":"222222222222"'))],
        ELSE,
    ),
    "imds_expected_account.yml": (
        [answers(ROLE, credentials())],
        [answers(ROLE, credentials(OLD)), answers(ROLE, credentials(OLD, ',"AccountId":"222222222222"'))],
        OURS,
    ),
    "imds_identity_delivered.yml": (
        [answers("/latest/dynamic/instance-identity/document", DOCUMENT),
         answers("/latest/dynamic/instance-identity/pkcs7", b"MIAGCSqGSIb3"),
         answers("/2021-07-15/meta-data/iam/info",
                 b'{"InstanceProfileArn":"arn:aws:iam::123456789012:instance-profile/web"}')],
        [answers("/latest/dynamic/instance-identity/document", b"", "404 Not Found"),
         answers("/latest/meta-data/iam/info", b"{}"), answers(ROLE, credentials())],
    ),
    "imds_user_data_delivered.yml": (
        [answers("/latest/user-data", b"#!/bin/sh\n# FAKE"), answers("/2021-03-23/user-data", b"x")],
        [answers("/latest/user-data", b"none", "404 Not Found"), answers("/latest/user-data", b""),
         answers("/latest/meta-data/", b"x"), answers("/user-data", b"x", to=ELSEWHERE[4])],
    ),
    "imds_refused.yml": (
        [answers("/latest/meta-data/", b"", "%d No" % status) for status in (400, 401, 403, 405)],
        [answers("/latest/meta-data/", b"", "404 Not Found"), answers("/latest/meta-data/", b"x"),
         answers("/latest/meta-data/", b"", "401 No", to=ELSEWHERE[4])],
    ),
    "imds_http2_mid_stream.yml": (
        [Case(packets=http2_from_the_middle, **AT4), Case(packets=http2_from_the_middle, **AT6)],
        [Case(packets=http2_from_the_middle), Case(**AT4)],
    ),
    "imds_claim_arp.yml": (
        messages(claims.arp(2), claims.arp(2, target=IMDS[4]), claims.arp(1, target=IMDS[4]),
                 claims.arp(1)),
        messages(claims.arp(1, "10.66.0.5", IMDS[4]), claims.arp(2, "169.254.169.253"),
                 claims.arp(1, "0.0.0.0", IMDS[4])),
    ),
    "imds_claim_probe.yml": (
        messages(claims.arp(1, "0.0.0.0", IMDS[4]), claims.solicitation(source="::")),
        messages(claims.arp(1, "0.0.0.0", "169.254.169.253"), claims.solicitation(), claims.arp(2)),
    ),
    "imds_claim_neighbour.yml": (
        messages(claims.neighbour(), claims.neighbour(S=0, O=0),
                 claims.solicitation("2001:db8::1", IMDS[6])),
        messages(claims.neighbour("fd00:ec2::253"), claims.neighbour(hop_limit=64),
                 claims.solicitation()),
    ),
    "imds_claim_router_advertisement.yml": (
        messages(claims.router_advertisement(claims.ra_prefix("fd00:ec2::", 64)),
                 claims.router_advertisement(claims.ra_route("fd00:ec2::", 32)),
                 claims.router_advertisement(claims.ra_route(IMDS[6], 128), lifetime=0)),
        messages(claims.router_advertisement(),
                 claims.router_advertisement(claims.ra_prefix("fd00:ec2::", 64, 0, 0)),
                 claims.router_advertisement(claims.ra_prefix("2001:db8::", 64)),
                 claims.router_advertisement(claims.ra_route("fc00::", 7))),
    ),
    "imds_claim_redirect.yml": (
        messages(claims.redirect4(), claims.redirect6()),
        messages(claims.redirect4("192.0.2.1"), claims.redirect6("2001:db8::1")),
    ),
    "imds_claim_dhcp.yml": (
        messages(claims.dhcp(claims.dhcp_route()), claims.dhcp(claims.dhcp_route(option=249)),
                 claims.dhcp((33, claims.octets(IMDS[4]) + claims.octets("10.66.0.1"))),
                 claims.dhcp((3, claims.octets(IMDS[4]))), claims.dhcp(yours=IMDS[4]),
                 claims.dhcp(claims.dhcp_route(), kind="offer"), claims.dhcpv6(claims.lease6()),
                 claims.dhcpv6(claims.delegation6())),
        messages(claims.dhcp(), claims.dhcp(claims.dhcp_route("0.0.0.0", 0)),
                 claims.dhcp(claims.dhcp_route("160.0.0.0", 5)),
                 claims.dhcp(claims.dhcp_route("10.0.0.0", 8)),
                 claims.dhcp(claims.dhcp_route(), kind="nak"),
                 claims.dhcp(claims.dhcp_route(), op=1), claims.solicit6(),
                 claims.dhcpv6(claims.lease6("2001:db8::1"))),
    ),
    "imds_claim_dns.yml": (
        messages(claims.dns("a.example", ("a.example", "A", IMDS[4])),
                 claims.dns("a.example", ("a.example", "CNAME", "b.example"),
                            ("b.example", "AAAA", IMDS[6])),
                 claims.dns_over_tcp("a.example", ("a.example", "A", IMDS[4]))),
        messages(claims.dns("a.example", ("a.example", "A", "169.254.169.253")),
                 claims.dns(IMDS[4] + ".nip.io"),
                 claims.dns("metadata.goog", ("metadata.goog", "A", "192.0.2.1"))),
    ),
    "imds_claim_dns_metadata_name.yml": (
        messages(claims.dns("metadata.google.internal", ("metadata.google.internal", "A", "192.0.2.1")),
                 claims.dns("Instance-Data", ("instance-data", "A", "192.0.2.1"), port=5355),
                 claims.dns("instance-data.corp.example",
                            ("instance-data.corp.example", "CNAME", "a.example"))),
        messages(claims.dns("metadata.google.internal"),
                 claims.dns("metadata.google.internal", response=0),
                 claims.dns("metadata.google.example", ("metadata.google.example", "A", "192.0.2.1")),
                 claims.dns("a.example", ("a.example", "A", IMDS[4]))),
    ),
    "imds_claim_owner_changed.yml": (
        [Message((claims.arp(2, owner="02:66:99:00:00:01"), claims.arp(2))),
         Message((claims.neighbour(), claims.over_ip(
             claims.IPv6(src=claims.ROUTER, dst=claims.VICTIM[6], hlim=255)
             / claims.ICMPv6ND_NA(tgt=IMDS[6])
             / claims.ICMPv6NDOptDstLLAddr(lladdr="02:66:99:00:00:02"))))],
        [Message((claims.arp(2), claims.arp(2)))] + messages(claims.arp(2)),
    ),
    "imds_stage_attempted.yml": (
        [Case(packets=unanswered, **AT4), Case(packets=unanswered, **AT6)],
        [Case(), Case("/latest/meta-data/"), Case(packets=unanswered)],
    ),
    "imds_stage_answered.yml": (
        messages(claims.answer(), claims.datagram(),
                 claims.answer(server=IMDS[6], client=claims.VICTIM[6])),
        messages(claims.answer("RA"), claims.unreachable(), claims.answer(server="169.254.169.253")),
    ),
    "imds_credentials_used.yml": (
        [Case(ROLE, packets=uses("sts.amazonaws.com"), **AT4),
         Case(ROLE, packets=uses("S3.cn-north-1.amazonaws.com.cn"), **AT6)],
        [Case(ROLE, packets=uses("www.example.com"), **AT4),
         Case(ROLE, packets=uses("amazonaws.com.example.com"), **AT4),
         Case(ROLE, packets=uses(None), **AT4),
         Case(ROLE, packets=uses("sts.amazonaws.com", b"nothing"), **AT4),
         Case(packets=lambda scene: tls.connection(scene, "sts.amazonaws.com")),
         Case(ROLE, packets=lambda scene: tls.connection(scene, "sts.amazonaws.com")
              + answered(credentials())(back_to_imds(scene)), **AT4)],
    ),
}

MORE = {
    "neighbours/aws_ecs_credentials.yml": (
        [Case(to="169.254.170.2"), Case("/v2/credentials/0f6e2c5c-9b1d-4e1a-8f46-2f7a54c1f6a0")],
        [Case(to="169.254.170.3"), Case("/v2/credential/x"), Case(**AT4)],
    ),
    "neighbours/aws_eks_pod_identity.yml": (
        [Case("/v1/credentials", to="169.254.170.23"), Case("/v1/credentials", to="fd00:ec2::23")],
        [Case("/v1/credentials"), Case(to="169.254.170.2"), Case(**AT6)],
    ),
    "other-clouds/azure_imds.yml": (
        [Case("/metadata/instance?api-version=2021-02-01", headers=("Metadata: true",), **AT4),
         Case("/metadata/identity/oauth2/token", headers=("metadata:True",))],
        [Case("/metadata/instance", **AT4), Case("/", headers=("Metadata: true",)),
         Case("/metadata/instance", headers=("Metadata: false",)),
         Case("/metadata/instance", headers=("X-Metadata: true",))],
    ),
    "other-clouds/gcp_metadata.yml": (
        [Case("/computeMetadata/v1/", **AT4), Case(headers=("Metadata-Flavor: Google",)),
         Case(host="metadata.google.internal"), Case(host="METADATA.goog.")],
        [Case(headers=("Metadata-Flavor: Vanilla",)), Case("/docs/computeMetadata/v1/"),
         Case(host="metadata.google.internal.example"), Case(**AT4)],
    ),
    "other-clouds/digitalocean_metadata.yml": (
        [Case("/metadata/v1.json", **AT4), Case("/metadata/v1/id", **AT4)],
        [Case("/metadata/v1/id"), Case("/metadata/", **AT4)],
    ),
    "other-clouds/openstack_metadata.yml": (
        [Case("/openstack/latest/meta_data.json", **AT4), Case("/openstack/2018-08-27/user_data"),
         Case(to="fe80::a9fe:a9fe")],
        [Case("/openstack/", **AT4), Case("/docs/openstack/newest/x"), Case(to="fe80::a9fe:a9ff")],
    ),
    "other-clouds/alibaba_metadata.yml": (
        [Case(to="100.100.100.200"), Case(headers=("X-aliyun-ecs-metadata-token: x",))],
        [Case(to="100.100.100.201"), Case(headers=("X-aliyun-token: x",)), Case(**AT4)],
    ),
    "other-clouds/oracle_metadata.yml": (
        [Case("/opc/v2/instance/", **AT4), Case("/opc/v1/vnics/"), Case(to="fd00:c1::a9fe:a9fe")],
        [Case("/opc/", **AT4), Case("/x/opc/v2/"), Case(to="fd00:c1::a9fe:a9ff")],
    ),
    "other-clouds/scaleway_metadata.yml": (
        [Case("/conf", to="169.254.42.42")],
        [Case("/conf"), Case(to="169.254.42.43"), Case(**AT4)],
    ),
}

ALL = [(harness.RULES / name, cases) for name, cases in SHIPPED.items()]
ALL += [(OPTIONAL / name, cases) for name, cases in MORE.items()]
by_rule = pytest.mark.parametrize("path, cases", ALL, ids=[path.stem for path, _ in ALL])


def capture(path, cases, first):
    """Writes the cases into one file; returns them by their client's address."""
    clients, frames = {}, []
    for number, case in enumerate(cases, first):
        client, made = case.frames(number)
        clients[client] = case
        frames += made
    write_pcap(path, frames, START)
    return clients


@pytest.mark.sanitize
@by_rule
def test_what_must_alert_and_what_must_not(tmp_path, path, cases):
    must, must_not = (capture(tmp_path / name, some, first)
                      for name, some, first in zip(("yes.pcap", "no.pcap"), cases, (1, 1001)))
    config = None
    if len(cases) > 2:  # what the rule needs of the configuration
        config = tmp_path / "inspector.yaml"
        config.write_text("rules: {fields: %s}\n%s" % (harness.FIELDS, cases[2]))
    done = read_captures(tmp_path / "yes.pcap", tmp_path / "no.pcap", rules=path, config=config)
    alerts = alerts_of(done)
    assert "FAKE-" not in done.stdout + done.stderr
    rule = yaml.safe_load(path.read_text())
    assert {field(a, "rule.id") for a in alerts} == ({rule["id"]} if must else set())
    assert {field(a, "rule.level") for a in alerts} == ({rule["level"]} if must else set())
    found = {field(a, "source.ip") for a in alerts} | {field(a, side + ".mac") for a in alerts
                                                       for side in ("source", "destination")}
    assert [case for client, case in must.items() if client not in found] == []
    assert [case for client, case in must_not.items() if client in found] == []


@by_rule
def test_the_rule_says_what_an_analyst_needs(path, cases):
    rule = yaml.safe_load(path.read_text())
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        rule["id"])
    assert rule["level"] in LEVELS and rule["status"] in {"stable", "experimental"}
    assert "attack.t1552.005" in rule["tags"]
    assert rule["references"] and rule["falsepositives"] and len(rule["description"]) > 80


def test_every_rule_has_its_captures_and_an_id_of_its_own():
    shipped = {path.name for path in harness.RULES.rglob("*.yml")}
    optional = {str(path.relative_to(OPTIONAL)) for path in OPTIONAL.rglob("*.yml")}
    assert shipped == set(SHIPPED) and optional == set(MORE)
    ids = [yaml.safe_load(path.read_text())["id"] for path, _ in ALL]
    assert len(set(ids)) == len(ids)


def test_the_sets_load_together_without_a_warning():
    for rules in ([harness.RULES], [OPTIONAL / "neighbours"], [OPTIONAL / "other-clouds"]):
        options = [word for path in rules for word in ("--rules", path)]
        done = harness.run(harness.INSPECTOR, "--check", *options)
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stdout and ", 0 skipped" in done.stdout, done.stdout


def test_the_optional_sets_are_not_loaded_by_default():
    done = harness.run(harness.INSPECTOR, "--check")
    assert "rules: %d in force" % len(SHIPPED) in done.stdout


GUIDE = harness.ROOT / "docs/writing-rules.md"
EXAMPLES = re.findall(r"```yaml\n(title: .*?)```", GUIDE.read_text(), re.DOTALL)
# By the example's title: what it finds, and what it does not.
TAUGHT = {
    "Curl Asks For Instance Metadata": (
        [Case("/latest/meta-data/", agent="curl/8.8.0")],
        [Case("/latest/meta-data/", agent="wget"), Case(agent="curl/8.8.0")]),
    "Metadata Service Reached From Outside The Build Network": (
        [Case(**AT4), Case(**AT6)], [Case("/latest/meta-data/")]),
    "Instance Role Credentials Asked For By A Dated Path": (
        [Case("/2021-07-15/meta-data/iam/security-credentials/x")],
        [Case("/latest/meta-data/iam/security-credentials/x")]),
    "Session Token That Lives Six Hours": (
        [Case("/latest/api/token", method="PUT", headers=TTL)],
        [Case("/latest/api/token", headers=TTL),
         Case(method="PUT", headers=("X-aws-ec2-metadata-token-ttl-seconds: 60",)),
         Case(method="PUT", headers=("A: X-aws-ec2-metadata-token-ttl-seconds: 21600",))]),
    "Request Hidden By Contradicting Data": (
        [Case("/latest/x", packets=contradicting)], [Case("/latest/x")]),
    "Role Credentials Asked For Without A Session Token": (
        [Case("/latest/meta-data/iam/security-credentials/role", **AT4)],
        [Case("/latest/meta-data/iam/security-credentials/role"), Case("/latest/meta-data/", **AT4)]),
    "Metadata Address In A Parameter": (
        [Case("/f?u=http%3A%2F%2F169%2E254.169.254")],
        [Case("/f?u=http%3A%2F%2F169%2E254.169.254", **AT4), Case("/169.254.169.254")]),
}


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.splitlines()[0][7:])
def test_the_guides_examples_do_what_it_says(tmp_path, text):
    rule = tmp_path / "example.yml"
    rule.write_text(text)
    done = harness.run(harness.INSPECTOR, "--check", "--rules", rule)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stdout and "unindexed," not in done.stdout, done.stdout
    yes, no = TAUGHT[yaml.safe_load(text)["title"]]
    must = capture(tmp_path / "yes.pcap", yes, 1)
    capture(tmp_path / "no.pcap", no, 1001)
    found = alerts_of(read_captures(tmp_path / "yes.pcap", rules=rule))
    assert {a["source"]["ip"] for a in found} == set(must)
    assert alerts_of(read_captures(tmp_path / "no.pcap", rules=rule)) == []


def test_the_guide_lists_what_is_shipped():
    text = GUIDE.read_text()
    for name, (path, _) in zip(SHIPPED, ALL):
        assert "| `%s` | %s |" % (name, yaml.safe_load(path.read_text())["level"]) in text
    assert len(EXAMPLES) == len(TAUGHT) and "conf/rules-optional/" in text
