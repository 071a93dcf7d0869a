"""The claims and the victims of an impersonation as real programs make them: on the wire of a lab,
watched live, and read again from what tcpdump recorded there."""

import collections
import os
import pathlib
import signal

import pytest

import harness
from harness import IMDS4, IMDS6, IMPOSTOR_MAC, VICTIM4, VICTIM6, VICTIM_MAC, alerts_of, field

pytestmark = pytest.mark.lab

PYTHON = "/usr/bin/python3"
ROUTER4 = "10.77.0.1"
RULE = """
title: All that is about the story
id: 77777777-7777-4777-8777-777777777777
level: medium
logsource: {product: imds-inspector}
detection:
  story:
    imds.event: [responder, address_claim, token_issued, credentials_delivered]
  condition: story
"""


def facts(alert):
    """What live and recorded alerts have in common; not the time, which two programs stamped."""
    return tuple(field(alert, path) for path in (
        "imds.event", "imds.claim.kind", "imds.claim.prefix", "imds.claim.mac", "imds.answer",
        "source.ip", "source.mac", "destination.ip", "destination.mac", "dns.question.name",
        "imds.client_kind", "imds.aws_account_id", "imds.stage"))


class Watch:
    """A lab whose tap is inspected and recorded."""

    def __init__(self, folder):
        self.folder = folder
        self.rule = folder / "story.yml"
        self.rule.write_text(RULE)
        self.capture = folder / "tap.pcap"
        self._owned = []
        self.lab = self._own(harness.Lab())
        path, config = harness.live_config(folder, [harness.port("tap", "tap0")],
                                           rules={"paths": [str(self.rule)]})
        self.inspector = self._own(harness.Inspector(path, config, self.lab.namespace("sensor")))
        self.follower = self._own(harness.Follower(self.inspector.ring))
        harness.wait_for("attached reader", lambda: "following" in self.follower.stderr)
        self.recorder = self._own(harness.Program(self.lab.command(
            "sensor", "tcpdump", "-i", "tap0", "-U", "--immediate-mode", "-w", self.capture)))
        harness.wait_for("tcpdump", lambda: "listening on" in self.recorder.stderr)
        self._taken = 0

    def _own(self, thing):
        self._owned.append(thing)
        return thing

    def close(self):
        for thing in reversed(self._owned):
            thing.close()

    def run(self, role, *words):
        done = self.lab.run(role, *words, timeout=20)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, role, *words, ready):
        """A server in the lab; it is ready when it says so on standard error."""
        server = harness.Program(self.lab.command(role, *words))
        try:
            harness.wait_for(words[0], lambda: ready in server.stderr + server.stdout)
        except BaseException:
            server.close()
            raise AssertionError(server.stdout + server.stderr) from None
        return server

    def new(self, count, where):
        """Waits for `count` more alerts like that; all that came since the last call."""
        fresh = lambda: self.follower.alerts()[self._taken :]
        harness.wait_for("alerts", lambda: sum(map(where, fresh())) >= count, 10)
        alerts = fresh()
        self._taken += len(alerts)
        return alerts

    def claims(self, *kinds):
        """The next claims, once each kind has come; all of the impersonator's making."""
        found = {}

        def complete():
            for alert in self.follower.alerts()[self._taken :]:
                found.setdefault(field(alert, "imds.claim.kind"), alert)
            return set(kinds) <= set(found)

        harness.wait_for("claims " + ", ".join(kinds), complete, 10)
        self._taken = len(self.follower.alerts())
        for kind in kinds:
            assert field(found[kind], "source.mac") == IMPOSTOR_MAC, kind
        return [found[kind] for kind in kinds]

    def forget_neighbours(self):
        for role in ("victim", "imds"):
            self.run(role, "ip", "neigh", "flush", "all")


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    made = Watch(tmp_path_factory.mktemp("real"))
    yield made
    made.close()


def dnsmasq(watch, *options, ready="started"):
    return watch.start("imds", "dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground",
                       "--log-facility=-", "--user=root", "--pid-file=", "--bind-interfaces",
                       "--interface=eth0", "--except-interface=lo", "--no-hosts", "--no-resolv",
                       "--dhcp-leasefile=%s" % (watch.folder / "leases"), *options, ready=ready)


# --- The address is taken ---

def test_an_address_on_an_interface(watch):
    watch.forget_neighbours()
    watch.lab.curl_v2(IMDS4)
    claim, = watch.claims("arp_reply")
    assert field(claim, "imds.claim.prefix") == IMDS4 + "/32"
    assert field(claim, "imds.claim.mac") == IMPOSTOR_MAC
    assert field(claim, "destination.mac") == VICTIM_MAC
    watch.lab.curl_v2("[%s]" % IMDS6)
    claim, = watch.claims("nd_advertisement")
    assert field(claim, "imds.claim.mac") == IMPOSTOR_MAC
    told = lambda: [a for a in watch.follower.alerts() if field(a, "imds.event") == "responder"]
    harness.wait_for("both answers", lambda: len(told()) >= 2)
    answers = told()
    assert [field(a, "source.ip") for a in answers] == [VICTIM4, VICTIM6]
    for answer in answers:
        assert field(answer, "imds.answer") == "syn_ack"
        assert field(answer, "destination.mac") == IMPOSTOR_MAC
        assert field(answer, "imds.hop_distance") == 0


def test_gratuitous_arp(watch):
    arping = ["arping", "-c", "1", "-I", "eth0", "-s", IMDS4]
    watch.lab.run("imds", *arping, "-A", IMDS4, timeout=20)
    watch.lab.run("imds", *arping, "-U", IMDS4, timeout=20)
    for claim in watch.claims("arp_gratuitous", "arp_announcement"):
        assert "broadcast" in field(claim, "imds.claim.signs")


def test_proxy_arp(watch):
    """A router that has a route to the address answers for it."""
    take = [("ip", "addr", "del", IMDS4 + "/32", "dev", "eth0"),
            ("ip", "link", "add", "far0", "type", "veth", "peer", "name", "far1"),
            ("ip", "link", "set", "far0", "up"), ("ip", "link", "set", "far1", "up"),
            ("ip", "route", "add", IMDS4 + "/32", "dev", "far0"),
            ("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.proxy_arp=1",
             "net.ipv4.neigh.eth0.proxy_delay=0")]
    give_back = [("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv4.conf.eth0.proxy_arp=0"),
                 ("ip", "link", "del", "far0"),
                 ("ip", "addr", "add", IMDS4 + "/32", "dev", "eth0")]
    for words in take:
        watch.run("imds", *words)
    try:
        watch.forget_neighbours()
        watch.lab.run("victim", "curl", "-sS", "--max-time", "1", "http://%s/" % IMDS4)
        claim, = watch.claims("arp_reply")
        assert field(claim, "imds.claim.mac") == IMPOSTOR_MAC
    finally:
        for words in give_back:
            watch.run("imds", *words)
        watch.forget_neighbours()


# --- The way there is given ---

DHCP = ("--port=0", "--dhcp-range=10.77.0.100,10.77.0.120,255.255.255.0,2m", "--dhcp-authoritative", "--no-ping",
        "--dhcp-option=121,%s/32,%s" % (IMDS4, ROUTER4))


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_a_route_by_dhcp(watch, client):
    """dnsmasq gives it to a client that asks for it; what the client does with it does not matter."""
    words = {
        "udhcpc": ["udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", "/bin/true", "-O", "staticroutes"],
        "dhclient": ["dhclient", "-d", "-1", "-sf", "/bin/true", "-cf", watch.folder / "dhclient.conf",
                     "-lf", watch.folder / "dhclient.leases", "-pf", watch.folder / "dhclient.pid",
                     "eth0"],
    }[client]
    (watch.folder / "dhclient.conf").write_text(
        "option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;\n"
        "request subnet-mask, routers, rfc3442-classless-static-routes;\ntimeout 10;\n")
    server = dnsmasq(watch, *DHCP, ready="DHCP, IP range")
    asking = harness.Program(watch.lab.command("victim", *words))
    try:
        claim, = watch.claims("dhcp_route")
    finally:
        asking.close()
        server.close()
    assert field(claim, "imds.claim.prefix") == IMDS4 + "/32"
    assert field(claim, "imds.claim.gateway") == ROUTER4
    assert field(claim, "source.ip") == ROUTER4 and field(claim, "destination.mac") == VICTIM_MAC


def test_a_route_and_a_prefix_by_radvd(watch):
    conf = watch.folder / "radvd.conf"
    conf.write_text("""interface eth0 {
  AdvSendAdvert on;
  MinRtrAdvInterval 3;
  MaxRtrAdvInterval 4;
  prefix fd00:ec2::/32 { AdvAutonomous off; };
  route %s/128 { AdvRouteLifetime 60; };
};
""" % IMDS6)
    watch.run("imds", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    router = harness.Program(watch.lab.command(
        "imds", "radvd", "-n", "-C", conf, "-p", watch.folder / "radvd.pid", "-m", "stderr"))
    try:
        prefix, route = watch.claims("ra_prefix", "ra_route")
    finally:
        router.close()
        watch.run("imds", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
    assert field(prefix, "imds.claim.prefix") == "fd00:ec2::/32"
    assert field(route, "imds.claim.prefix") == IMDS6 + "/128"
    assert field(route, "imds.claim.gateway") == field(route, "source.ip")


def test_names_by_dnsmasq(watch):
    """The victim's own resolver asks."""
    resolver = pathlib.Path("/etc/netns", watch.lab.namespace("victim"), "resolv.conf")
    resolver.parent.mkdir(parents=True, exist_ok=True)
    resolver.write_text("nameserver %s\noptions timeout:1 attempts:1\n" % ROUTER4)
    server = dnsmasq(watch, "--port=53", "--address=/instance-data.ec2.internal/" + IMDS4,
                     "--address=/instance-data/" + ROUTER4)
    try:
        for name in ("instance-data.ec2.internal", "instance-data"):
            watch.run("victim", PYTHON, "-c",
                      "import socket; socket.getaddrinfo('%s.', 80, socket.AF_INET)" % name)
        to_address, to_other = watch.claims("dns_address", "dns_metadata_name")
    finally:
        server.close()
        resolver.unlink()
        resolver.parent.rmdir()
    assert field(to_address, "dns.question.name") == "instance-data.ec2.internal"
    assert field(to_address, "imds.claim.prefix") == IMDS4 + "/32"
    assert field(to_other, "dns.question.name") == "instance-data"
    assert field(to_other, "imds.claim.prefix") == ROUTER4 + "/32"


# --- Victims ---

CLOUD_INIT = """
from cloudinit import helpers
from cloudinit.sources import DataSourceEc2 as ec2
source = ec2.DataSourceEc2({}, None, helpers.Paths({"cloud_dir": "%(dir)s", "run_dir": "%(dir)s"}))
source.ds_cfg = {"max_wait": 5, "timeout": 2, "retries": 0}
source._cloud_name = ec2.CloudNames.AWS  # what a machine's DMI says on EC2
print(sorted(source.crawl_metadata()))
"""


def is_delivery(alert):
    return field(alert, "imds.event") == "credentials_delivered"


def test_curl_botocore_and_the_cli_are_told_apart(watch):
    watch.lab.curl("http://%s/latest/meta-data/iam/security-credentials/lab-impersonator-role" % IMDS4)
    watch.run("victim", "env", "-i", "HOME=/nonexistent", PYTHON, "-c",
              "import botocore.session; print(botocore.session.Session().get_credentials().method)")
    assert watch.lab.aws_credentials(4)["AccessKeyId"]
    found = [a for a in watch.new(3, is_delivery) if is_delivery(a)]
    assert [field(a, "imds.client_kind") for a in found] == ["curl", "botocore", "aws-cli"]
    assert all(field(a, "imds.aws_account_id") == "029608264753" for a in found)
    assert all(field(a, "imds.stage") == "credentials" for a in found)


def test_cloud_init_takes_its_metadata(watch):
    if watch.lab.run("victim", PYTHON, "-c", "import cloudinit").returncode != 0:
        pytest.skip("cloud-init is not installed")
    said = watch.run("victim", "env", "PYTHONWARNINGS=ignore", PYTHON, "-c",
                     CLOUD_INIT % {"dir": watch.folder})
    assert "meta-data" in said and "user-data" in said
    alerts = watch.new(1, lambda a: field(a, "imds.delivered") == "user_data")
    # It names itself where it asks for the token, and its HTTP library elsewhere.
    kinds = {field(a, "imds.event"): field(a, "imds.client_kind") for a in alerts}
    assert kinds["token_issued"] == "cloud-init"
    assert kinds["credentials_delivered"] == "python"


# --- Last: what was recorded says the same ---

def test_the_recording_says_the_same(watch):
    watch.forget_neighbours()
    watch.lab.curl("http://%s/latest/meta-data/" % IMDS4)
    watch.new(1, lambda a: field(a, "imds.claim.kind") == "arp_reply")
    assert watch.recorder.stop(signal.SIGINT) == 0
    live = collections.Counter(map(facts, watch.follower.alerts()))
    read = alerts_of(harness.read_captures(watch.capture, rules=watch.rule))
    assert collections.Counter(map(facts, read)) == live
    assert len(live) >= 3 and os.path.getsize(watch.capture) > 1000
    assert watch.inspector.stop() == 0
