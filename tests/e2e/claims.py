"""The messages by which an address is claimed, made with scapy: an encoder of others' making checks
the parsers. Each is a frame from a machine whose MAC address names it."""

from evasion.scene import IMDS  # first: it quiets scapy

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (DHCP6_Reply, DHCP6OptIA_NA, DHCP6OptIA_PD, DHCP6OptIAAddress,
                                DHCP6OptIAPrefix, DHCP6_Solicit)
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo,
                                ICMPv6NDOptRouteInfo, IPv6)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

EVERYBODY = "ff:ff:ff:ff:ff:ff"
VICTIM_MAC = "02:66:00:00:00:05"
VICTIM = {4: "10.66.0.5", 6: "2001:db8:66::5"}
ROUTER = "fe80::66"
SERVER = "10.66.0.2"
NEXT_HOP = "10.66.0.66"


def ether(mac, to=VICTIM_MAC, vlan=None):
    frame = Ether(src=mac, dst=to)
    return frame / Dot1Q(vlan=vlan) if vlan else frame


def arp(op, sender=IMDS[4], target=VICTIM[4], owner=None, to=VICTIM_MAC):
    """ARP: operation 2 is is-at, 1 who-has."""
    def make(mac, vlan=None):
        return ether(mac, to, vlan) / ARP(op=op, hwsrc=owner or mac, psrc=sender, pdst=target,
                                          hwdst=VICTIM_MAC if op == 2 else "00:00:00:00:00:00")
    return make


def over_ip(packet, to=VICTIM_MAC):
    """What depends on the machine's MAC is made by a function of it."""
    def make(mac, vlan=None):
        return ether(mac, to, vlan) / (packet(mac) if callable(packet) else packet)
    return make


def neighbour(target=IMDS[6], source=ROUTER, hop_limit=255, **flags):
    return over_ip(lambda mac: IPv6(src=source, dst=VICTIM[6], hlim=hop_limit)
                   / ICMPv6ND_NA(tgt=target, **{"R": 0, "S": 1, "O": 1, **flags})
                   / ICMPv6NDOptDstLLAddr(lladdr=mac))


def solicitation(target=IMDS[6], source=VICTIM[6]):
    return over_ip(IPv6(src=source, dst="ff02::1:ff00:254", hlim=255) / ICMPv6ND_NS(tgt=target))


def router_advertisement(*options, lifetime=1800):
    packet = IPv6(src=ROUTER, dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=lifetime)
    for option in options:
        packet /= option
    return over_ip(packet, "33:33:00:00:00:01")


def ra_prefix(network, length, on_link=1, autonomous=1):
    return ICMPv6NDOptPrefixInfo(prefix=network, prefixlen=length, L=on_link, A=autonomous)


def ra_route(network, length):
    return ICMPv6NDOptRouteInfo(prefix=network, plen=length, rtlifetime=1800)


def redirect4(destination=IMDS[4]):
    return over_ip(IP(src="10.66.0.1", dst=VICTIM[4]) / ICMP(type=5, code=1, gw=NEXT_HOP)
                   / IP(src=VICTIM[4], dst=destination) / TCP(sport=40000, dport=80))


def redirect6(destination=IMDS[6]):
    return over_ip(lambda mac: IPv6(src=ROUTER, dst=VICTIM[6], hlim=255)
                   / ICMPv6ND_Redirect(tgt="fe80::42", dst=destination)
                   / ICMPv6NDOptDstLLAddr(lladdr=mac))


def octets(address):
    return bytes(int(part) for part in address.split("."))


def classless(network, length, router=NEXT_HOP):
    """RFC 3442."""
    return bytes([length]) + octets(network)[: (length + 7) // 8] + octets(router)


def dhcp(*options, kind="ack", yours=VICTIM[4], op=2, relay="0.0.0.0", file=b"", sname=b""):
    client = bytes.fromhex(VICTIM_MAC.replace(":", ""))
    return over_ip(IP(src=SERVER, dst="255.255.255.255") / UDP(sport=67, dport=68)
                   / BOOTP(op=op, yiaddr=yours, giaddr=relay, chaddr=client, file=file, sname=sname)
                   / DHCP(options=[("message-type", kind), *options, "end"]), EVERYBODY)


def dhcp_route(network=IMDS[4], length=32, option=121):
    return (option, classless(network, length))


def dhcpv6(*associations):
    packet = IPv6(src=ROUTER, dst="fe80::5") / UDP(sport=547, dport=546) / DHCP6_Reply(trid=1)
    for association in associations:
        packet /= association
    return over_ip(packet)


def lease6(address=IMDS[6]):
    return DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr=address, preflft=60, validlft=60)])


def delegation6(network="fd00:ec2::", length=32):
    return DHCP6OptIA_PD(iapdopt=[DHCP6OptIAPrefix(prefix=network, plen=length, preflft=60,
                                                   validlft=60)])


def solicit6():
    return over_ip(IPv6(src="fe80::5", dst="ff02::1:2") / UDP(sport=546, dport=547)
                   / DHCP6_Solicit(trid=1) / lease6())


def dns_message(name, *records, response=1):
    """Records are (owner, type, data)."""
    message = DNS(id=7, qr=response, qd=DNSQR(qname=name))
    message.ancount = len(records)
    answers = None
    for owner, kind, data in records:
        record = DNSRR(rrname=owner, type=kind, rdata=data, ttl=60)
        answers = record if answers is None else answers / record
    message.an = answers
    return message


def dns(name, *records, response=1, port=53):
    return over_ip(IP(src=SERVER, dst=VICTIM[4]) / UDP(sport=port, dport=40000)
                   / dns_message(name, *records, response=response))


def dns_over_tcp(name, *records):
    message = bytes(dns_message(name, *records))
    return over_ip(IP(src=SERVER, dst=VICTIM[4]) / TCP(sport=53, dport=40000, flags="PA", seq=1)
                   / Raw(len(message).to_bytes(2, "big") + message))


def answer(flags="SA", server=IMDS[4], client=VICTIM[4], ttl=64):
    header = IP(ttl=ttl) if "." in server else IPv6(hlim=ttl)
    header.src, header.dst = server, client
    return over_ip(header / TCP(sport=80, dport=40000, flags=flags))


def datagram(source=IMDS[4]):
    return over_ip(IP(src=source, dst=VICTIM[4]) / UDP(sport=123, dport=40000) / Raw(b"x"))


def unreachable():
    return over_ip(IP(src=IMDS[4], dst=VICTIM[4]) / ICMP(type=3, code=1)
                   / IP(src=VICTIM[4], dst=IMDS[4]) / TCP(sport=40000, dport=80))
