"""Sigma's category dns: rules on queries and answers, from the capture to the alert."""

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

import claims
from evasion.scene import write_pcap
from harness import alerts_of, field, read_captures

pytestmark = pytest.mark.sanitize

START = 1_760_000_000
MAC = "02:66:00:00:00:01"
CLIENT, RESOLVER = "10.66.0.10", "10.66.0.53"

RULE = """
title: Rule %d
id: 00000000-0000-4000-8000-%012d
level: high
logsource: {category: dns}
detection:
  sel:
%s
  condition: sel
"""


def write_rules(folder, *selections):
    path = folder / "dns.yml"
    path.write_text("---\n".join(
        RULE % (number, number, "\n".join("    " + line for line in selection.splitlines()))
        for number, selection in enumerate(selections, 1)))
    return path


def query(name, kind="A", number=7, port=40000):
    message = DNS(id=number, qr=0, rd=1, qd=DNSQR(qname=name, qtype=kind))
    return IP(src=CLIENT, dst=RESOLVER) / UDP(sport=port, dport=53) / message


def reply(name, *records, kind="A", number=7, port=40000, rcode=0):
    message = DNS(id=number, qr=1, qd=DNSQR(qname=name, qtype=kind), rcode=rcode)
    answers = None
    for record_kind, data in records:
        record = DNSRR(rrname=name, type=record_kind, rdata=data, ttl=60)
        answers = record if answers is None else answers / record
    message.an = answers
    message.ancount = len(records)
    return IP(src=RESOLVER, dst=CLIENT) / UDP(sport=53, dport=port) / message


def over_tcp(packet, sequence=1):
    message = bytes(packet[DNS])
    return (IP(src=packet[IP].src, dst=packet[IP].dst)
            / TCP(sport=packet[UDP].sport, dport=packet[UDP].dport, flags="PA", seq=sequence)
            / Raw(len(message).to_bytes(2, "big") + message))


def capture(path, *packets, vlan=None):
    write_pcap(path, [(0.0, bytes(claims.over_ip(packet)(MAC, vlan))) for packet in packets], START)
    return path


def told(done):
    return [(field(a, "rule.name"), field(a, "dns.question.name"), field(a, "source.ip"),
             field(a, "destination.ip")) for a in alerts_of(done)]


@pytest.mark.parametrize("vlan", [None, 66])
def test_a_lookup_alerts_once_with_client_and_server(tmp_path, vlan):
    rules = write_rules(tmp_path, "query|endswith: '.interact.example'",
                        "record_type: TXT\nanswer|contains: [IEX, Invoke-Expression]",
                        "rcode_name: NXDOMAIN", "dns.resolved_ip|cidr: 203.0.113.0/24")
    made = capture(
        tmp_path / "c.pcap",
        query("X.Interact.Example"), reply("X.Interact.Example", ("A", "192.0.2.1")),
        query("www.example"), reply("www.example", ("A", "192.0.2.1"), ("A", "203.0.113.9")),
        reply("t.example", ("TXT", [b"plain"]), ("TXT", [b"iex (New-", b"Object)"]), kind="TXT"),
        reply("t.example", ("TXT", [b"iex"])),  # not what was asked for
        reply("gone.example", rcode=3), vlan=vlan)
    done = read_captures(made, rules=rules)
    assert told(done) == [
        ("Rule 1", "x.interact.example", CLIENT, RESOLVER),
        ("Rule 4", "www.example", CLIENT, RESOLVER),
        ("Rule 2", "t.example", CLIENT, RESOLVER),
        ("Rule 3", "gone.example", CLIENT, RESOLVER)]
    alert = alerts_of(done)[0]
    assert field(alert, "imds.event") == "dns"
    assert field(alert, "destination.port") == 53
    assert field(alert, "imds.endpoint") is None


def test_tcp_is_read_in_both_directions(tmp_path):
    rules = write_rules(tmp_path, "dns.type: query\nquery: a.example",
                        "dns.type: answer\nquery: a.example")
    made = capture(tmp_path / "c.pcap", over_tcp(query("a.example")), over_tcp(reply("a.example")))
    assert [rule for rule, *_ in told(read_captures(made, rules=rules))] == ["Rule 1", "Rule 2"]


def test_hostile_names_are_escaped_in_every_form(tmp_path):
    rules = write_rules(tmp_path, "query|contains: '.example'")
    packet = query("xy.example")
    raw = bytes(packet).replace(b"\x02xy", b"\x02\x1b\xff")
    raw = IP(raw)
    del raw[IP].chksum, raw[UDP].chksum
    made = capture(tmp_path / "c.pcap", raw)
    for form in ("text", "ecs", "eve"):
        done = read_captures(made, rules=rules, form=form)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "027" in done.stdout and "255.example" in done.stdout


def test_correlations_replace_aggregations(tmp_path):
    path = write_rules(tmp_path, "record_type: TXT")
    path.write_text(path.read_text().replace("title: Rule 1", "title: Rule 1\nname: txt") + """
---
title: High TXT request rate
id: 00000000-0000-4000-8000-000000000099
level: medium
correlation:
  type: event_count
  rules: [txt]
  group-by: [source.ip]
  timespan: 1m
  condition: {gte: 5}
""")
    lookups = []
    for number in range(5):
        lookups += [query("q%d.example" % number, "TXT", number),
                    reply("q%d.example" % number, kind="TXT", number=number)]
    few = capture(tmp_path / "few.pcap", *lookups[:8])
    assert alerts_of(read_captures(few, rules=path)) == []
    made = capture(tmp_path / "c.pcap", *lookups)
    alerts = alerts_of(read_captures(made, rules=path))
    assert [field(a, "rule.name") for a in alerts] == ["High TXT request rate"]
