"""Who answers from a metadata service's address, and who claims it: from the packet to the alert."""

import pytest
import yaml

import claims
import harness
from evasion.scene import IMDS, write_pcap
from harness import alerts_of, field, read_captures

START = 1_760_000_000
MAC = "02:66:00:00:00:01"
OTHER_MAC = "02:66:00:00:00:02"
VLAN = 66

ANY_EVIDENCE = """
title: Evidence
id: 44444444-4444-4444-8444-444444444444
status: test
level: medium
logsource: {product: imds-inspector}
detection:
  evidence: {imds.event: [responder, address_claim]}
  condition: evidence
"""


@pytest.fixture
def any_evidence(tmp_path):
    rule = tmp_path / "evidence.yml"
    rule.write_text(ANY_EVIDENCE)
    return rule


def capture(path, *frames):
    write_pcap(path, [(0.0, bytes(frame)) for frame in frames], START)
    return path


def claims_in(alerts):
    return [(field(a, "imds.claim.kind"), field(a, "imds.claim.prefix")) for a in alerts]


AT4, AT6 = IMDS[4] + "/32", IMDS[6] + "/128"
OWN_MAC = {"imds.claim.mac": MAC}

# By name: the frame, and what the alert says of the claim.
ONE_CLAIM = {
    "arp_reply": (claims.arp(2), AT4, OWN_MAC),
    "arp_gratuitous": (claims.arp(2, target=IMDS[4], to=claims.EVERYBODY), AT4,
                       {**OWN_MAC, "imds.claim.signs": ["broadcast"]}),
    "arp_announcement": (claims.arp(1, target=IMDS[4], to=claims.EVERYBODY), AT4, OWN_MAC),
    "arp_probe": (claims.arp(1, "0.0.0.0", IMDS[4], to=claims.EVERYBODY), AT4, OWN_MAC),
    "arp_sender": (claims.arp(1), AT4, OWN_MAC),
    "nd_advertisement": (claims.neighbour(), AT6,
                         {**OWN_MAC, "imds.claim.signs": ["solicited", "override"]}),
    "nd_probe": (claims.solicitation(source="::"), AT6, OWN_MAC),
    "nd_sender": (claims.solicitation("2001:db8::1", IMDS[6]), AT6, OWN_MAC),
    "ra_prefix": (claims.router_advertisement(claims.ra_prefix("fd00:ec2::", 64)), "fd00:ec2::/64",
                  {"imds.claim.signs": ["broadcast", "on_link", "autonomous"],
                   "source.ip": claims.ROUTER}),
    "ra_route": (claims.router_advertisement(claims.ra_route(IMDS[6], 128)), AT6,
                 {"imds.claim.gateway": claims.ROUTER}),
    "icmp_redirect": (claims.redirect4(), AT4, {"imds.claim.gateway": claims.NEXT_HOP,
                                                "destination.ip": claims.VICTIM[4]}),
    "icmpv6_redirect": (claims.redirect6(), AT6, {**OWN_MAC, "imds.claim.gateway": "fe80::42"}),
    "dhcp_route": (claims.dhcp(claims.dhcp_route()), AT4,
                   {"imds.claim.gateway": claims.NEXT_HOP, "source.ip": claims.SERVER,
                    "destination.ip": claims.VICTIM[4], "destination.mac": claims.VICTIM_MAC}),
    "dhcp_route_249": (claims.dhcp(claims.dhcp_route("169.254.0.0", 16, 249)), "169.254.0.0/16", {}),
    "dhcp_static_route": (claims.dhcp((33, claims.octets(IMDS[4]) + claims.octets(claims.NEXT_HOP))),
                          "169.254.0.0/16", {"imds.claim.gateway": claims.NEXT_HOP}),
    "dhcp_router": (claims.dhcp((3, claims.octets(IMDS[4]))), AT4, {}),
    "dhcp_lease": (claims.dhcp(yours=IMDS[4], relay="10.66.9.1"), AT4,
                   {"imds.claim.signs": ["broadcast", "relayed"]}),
    "dhcpv6_lease": (claims.dhcpv6(claims.lease6()), AT6, {}),
    "dhcpv6_prefix": (claims.dhcpv6(claims.delegation6()), "fd00:ec2::/32", {}),
    "dns_address": (claims.dns("Rebind.Example", ("rebind.example", "A", IMDS[4])), AT4,
                    {"dns.question.name": "rebind.example", "source.port": 53}),
    "dns_metadata_name": (claims.dns("metadata.google.internal",
                                     ("metadata.google.internal", "CNAME", "a.example"),
                                     ("a.example", "AAAA", "2001:db8::66")),
                          "2001:db8::66/128", {"dns.question.name": "metadata.google.internal"}),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", ONE_CLAIM)
def test_one_claim_of_each_kind(tmp_path, any_evidence, kind):
    make, prefix, more = ONE_CLAIM[kind]
    alerts = alerts_of(read_captures(capture(tmp_path / "c.pcap", make(MAC, VLAN)), rules=any_evidence))
    assert claims_in(alerts) == [(kind, prefix)]
    alert = alerts[0]
    assert field(alert, "imds.event") == field(alert, "event.action") == "address_claim"
    assert field(alert, "source.mac") == MAC and field(alert, "network.vlan.id") == VLAN
    endpoint = None if kind == "dns_metadata_name" else (
        "aws-imds-ipv6" if ":" in prefix else "aws-imds-ipv4")
    assert field(alert, "imds.endpoint") == endpoint
    assert {path: field(alert, path) for path in more} == more


def test_dns_over_tcp_is_read(tmp_path, any_evidence):
    make = claims.dns_over_tcp("rebind.example", ("rebind.example", "A", IMDS[4]))
    alerts = alerts_of(read_captures(capture(tmp_path / "c.pcap", make(MAC)), rules=any_evidence))
    assert claims_in(alerts) == [("dns_address", AT4)]
    assert field(alerts[0], "network.transport") == "tcp"


def test_dhcp_options_are_found_wherever_they_are_hidden(tmp_path, any_evidence):
    route = claims.classless(IMDS[4], 32)
    split = claims.dhcp((121, route[:3]), ("hostname", b"x"), (121, route[3:]))
    overloaded = claims.dhcp((52, b"\x03"), (121, route[:2]), file=b"\x79\x03" + route[2:5] + b"\xff",
                             sname=b"\x79" + bytes([len(route) - 5]) + route[5:] + b"\xff")
    alerts = alerts_of(read_captures(
        capture(tmp_path / "c.pcap", split(MAC), overloaded(MAC)), rules=any_evidence))
    assert claims_in(alerts) == [("dhcp_route", AT4)] * 2
    assert "overloaded" in field(alerts[1], "imds.claim.signs")


def test_answers_tell_machine_and_distance(tmp_path, any_evidence):
    frames = [claims.answer()(MAC, VLAN), claims.answer()(MAC, VLAN), claims.answer(ttl=60)(MAC),
              claims.answer("RA")(MAC), claims.datagram()(MAC), claims.unreachable()(MAC),
              claims.answer(server=IMDS[6], client=claims.VICTIM[6], ttl=255)(MAC),
              claims.answer()(OTHER_MAC, VLAN)]
    alerts = alerts_of(read_captures(capture(tmp_path / "c.pcap", *frames), rules=any_evidence))
    assert [field(a, "imds.answer") for a in alerts] == [
        "syn_ack", "syn_ack", "rst", "udp", "icmp", "syn_ack", "syn_ack"]
    assert [field(a, "imds.hop_distance") for a in alerts] == [0, 4, 0, 0, 0, 0, 0]
    assert [field(a, "imds.routed") for a in alerts[:2]] == [False, True]
    first, last = alerts[0], alerts[-1]
    assert field(first, "source.ip") == claims.VICTIM[4] and field(first, "source.port") == 40000
    assert field(first, "destination.ip") == IMDS[4] and field(first, "destination.mac") == MAC
    assert field(first, "imds.ttl") == 64 and field(first, "imds.previous_mac") is None
    assert field(last, "destination.mac") == OTHER_MAC and field(last, "imds.previous_mac") == MAC
    assert len({field(a, "event.id") for a in alerts}) == len(alerts)


def test_a_change_of_owner_is_told(tmp_path, any_evidence):
    frames = [claims.arp(2)(MAC), claims.arp(2)(MAC), claims.arp(2, owner=OTHER_MAC)(MAC)]
    alerts = alerts_of(read_captures(capture(tmp_path / "c.pcap", *frames), rules=any_evidence))
    assert [field(a, "imds.claim.signs") for a in alerts] == [
        None, None, ["mac_mismatch", "owner_changed"]]
    assert field(alerts[2], "imds.claim.mac") == OTHER_MAC
    assert field(alerts[2], "imds.previous_mac") == MAC


BENIGN = [
    claims.arp(1, claims.VICTIM[4], IMDS[4], to=claims.EVERYBODY), claims.arp(2, claims.VICTIM[4]),
    claims.solicitation(), claims.neighbour("fd00:ec2::255"),
    claims.neighbour(hop_limit=64), claims.router_advertisement(),
    claims.router_advertisement(claims.ra_prefix("2001:db8::", 64), claims.ra_route("::", 0)),
    claims.redirect4("192.0.2.1"), claims.dhcp((3, claims.octets("10.66.0.1"))),
    claims.dhcp(claims.dhcp_route("0.0.0.0", 0), claims.dhcp_route("10.0.0.0", 8)),
    claims.dhcp(claims.dhcp_route(), kind="nak"), claims.dhcp(claims.dhcp_route(), op=1),
    claims.solicit6(), claims.dhcpv6(claims.delegation6("2001:db8::", 32)),
    claims.dns("example.com", ("example.com", "A", "192.0.2.1")),
    claims.dns("metadata.google.internal"), claims.dns("instance-data", response=0),
]


def test_ordinary_messages_are_counted_and_do_not_alert(tmp_path):
    made = capture(tmp_path / "c.pcap", *(make(MAC) for make in BENIGN))
    done = read_captures(made)
    assert alerts_of(done) == []
    assert "received %d = " % len(BENIGN) in done.stderr


def config_with(tmp_path, **more):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"rules": {"paths": [str(harness.RULES)],
                                              "fields": str(harness.FIELDS)}, **more}))
    return path


def test_what_is_allowed_can_be_suppressed(tmp_path):
    dhcp = claims.dhcp(claims.dhcp_route())
    frames = [claims.answer()(MAC), claims.arp(2)(MAC), dhcp(OTHER_MAC)]
    made = capture(tmp_path / "c.pcap", *frames)
    assert {field(a, "imds.event") for a in alerts_of(read_captures(made))} == {
        "responder", "address_claim", "connection"}
    config = config_with(tmp_path, suppress=[
        {"name": "snowball", "endpoint": ["aws-imds-ipv4"], "responder": [MAC]},
        {"name": "openstack-dhcp", "responder": [claims.SERVER], "vlan": ["untagged"]}])
    done = read_captures(made, config=config)
    assert alerts_of(done) == []
    # Another machine in the same place is none of those.
    other = capture(tmp_path / "o.pcap", claims.answer()(OTHER_MAC), claims.arp(2)(OTHER_MAC))
    assert {field(a, "imds.event") for a in alerts_of(read_captures(other, config=config))} == {
        "responder", "address_claim", "connection"}


def test_clients_off_the_premises_do_not_alert(tmp_path):
    config = config_with(tmp_path, on_premises=["10.66.0.0/16"])
    rebind = claims.dns("rebind.example", ("rebind.example", "A", IMDS[4]))
    elsewhere = rebind(MAC)
    elsewhere["IP"].dst = "192.0.2.9"
    made = capture(tmp_path / "c.pcap", rebind(MAC), elsewhere, claims.arp(2, to=claims.EVERYBODY,
                                                                          target=IMDS[4])(MAC))
    kinds = [kind for kind, _ in claims_in(alerts_of(read_captures(made, config=config)))]
    assert kinds == ["dns_address", "arp_gratuitous"]


def test_other_names_can_be_watched(tmp_path, any_evidence):
    config = config_with(tmp_path, evidence={"metadata_names": ["md.*"]})
    made = capture(tmp_path / "c.pcap",
                   claims.dns("md.corp.example", ("md.corp.example", "A", "192.0.2.1"))(MAC),
                   claims.dns("instance-data", ("instance-data", "A", "192.0.2.1"))(MAC))
    alerts = alerts_of(read_captures(made, rules=any_evidence, config=config))
    assert [field(a, "dns.question.name") for a in alerts] == ["md.corp.example"]


def test_text_and_eve_tell_the_same(tmp_path, any_evidence):
    made = capture(tmp_path / "c.pcap", claims.arp(2)(MAC, VLAN), claims.answer(ttl=61)(MAC))
    text = read_captures(made, form="text", rules=any_evidence).stdout
    assert "arp_reply 169.254.169.254/32 at %s by %s" % (MAC, MAC) in text
    assert "answer syn_ack from %s ttl 61, 3 hops away" % MAC in text
    eve = harness.json_lines(read_captures(made, form="eve", rules=any_evidence).stdout)
    assert eve[0]["alert"]["metadata"]["imds_claim_kind"] == ["arp_reply"]
    assert eve[0]["alert"]["metadata"]["imds_claim_mac"] == [MAC]
    assert eve[1]["alert"]["metadata"]["imds_answer"] == ["syn_ack"]
