#include "base/reasons.h"

#include <array>

namespace imds {

namespace {

struct ReasonRow {
  DecodeReason reason;
  ReasonText text;
};

constexpr std::array<ReasonRow, kDecodeReasonCount> kReasons{{
    {DecodeReason::none, {"none", "decoded whole", false}},
    {DecodeReason::ethernet_truncated,
     {"ethernet_truncated", "frame shorter than an Ethernet header", true}},
    {DecodeReason::vlan_truncated, {"vlan_truncated", "frame ends inside a VLAN tag", true}},
    {DecodeReason::vlan_too_deep,
     {"vlan_too_deep", "more VLAN tags than the decoder follows", true}},
    {DecodeReason::link_type_unsupported,
     {"link_type_unsupported", "capture link type the decoder does not know", false}},
    {DecodeReason::cooked_truncated,
     {"cooked_truncated", "packet ends inside a Linux cooked header", true}},
    {DecodeReason::ethertype_not_inspected,
     {"ethertype_not_inspected", "EtherType that is neither IP nor ARP", false}},
    {DecodeReason::arp_truncated, {"arp_truncated", "packet ends inside an ARP message", true}},
    {DecodeReason::arp_malformed,
     {"arp_malformed", "ARP message with address sizes that are not Ethernet and IPv4", true}},
    {DecodeReason::ipv4_truncated, {"ipv4_truncated", "packet ends inside an IPv4 header", true}},
    {DecodeReason::ipv4_version, {"ipv4_version", "not version 4 where IPv4 was announced", true}},
    {DecodeReason::ipv4_header_length,
     {"ipv4_header_length", "IPv4 header length below 20 bytes or beyond the packet", true}},
    {DecodeReason::ipv4_total_length,
     {"ipv4_total_length", "IPv4 total length shorter than its header", true}},
    {DecodeReason::ipv6_truncated, {"ipv6_truncated", "packet ends inside an IPv6 header", true}},
    {DecodeReason::ipv6_version, {"ipv6_version", "not version 6 where IPv6 was announced", true}},
    {DecodeReason::ipv6_payload_length,
     {"ipv6_payload_length", "IPv6 payload length shorter than its extension headers", true}},
    {DecodeReason::ipv6_extension_truncated,
     {"ipv6_extension_truncated", "packet ends inside an IPv6 extension header or AH", true}},
    {DecodeReason::ipv6_extension_too_deep,
     {"ipv6_extension_too_deep", "more IPv6 extension headers than the decoder follows", true}},
    {DecodeReason::ip_fragment, {"ip_fragment", "IP fragment", false}},
    {DecodeReason::ip_protocol_not_inspected,
     {"ip_protocol_not_inspected", "IP protocol other than TCP, UDP and ICMP", false}},
    {DecodeReason::tcp_truncated, {"tcp_truncated", "packet ends inside a TCP header", true}},
    {DecodeReason::tcp_data_offset,
     {"tcp_data_offset", "TCP data offset below 20 bytes or beyond the packet", true}},
    {DecodeReason::udp_truncated, {"udp_truncated", "packet ends inside a UDP header", true}},
    {DecodeReason::udp_length,
     {"udp_length", "UDP length below 8 bytes or beyond the packet", true}},
    {DecodeReason::icmp_truncated, {"icmp_truncated", "packet ends inside an ICMP header", true}},
    {DecodeReason::capture_truncated,
     {"capture_truncated", "the capture kept only the beginning of the packet", false}},
    {DecodeReason::segments_too_many,
     {"segments_too_many", "packet longer than the decoder's linear buffer", true}},
    {DecodeReason::ipv4_beyond_frame,
     {"ipv4_beyond_frame", "IPv4 total length beyond the frame: sliced on its way here", false}},
    {DecodeReason::ipv6_beyond_frame,
     {"ipv6_beyond_frame", "IPv6 payload length beyond the frame: sliced on its way here", false}},
    {DecodeReason::tcp_options, {"tcp_options", "TCP option lengths do not add up", true}},
    {DecodeReason::tunnel_truncated,
     {"tunnel_truncated", "packet ends inside a tunnel's header", true}},
    {DecodeReason::tunnel_malformed,
     {"tunnel_malformed", "tunnel header with a version or length that cannot be", true}},
    {DecodeReason::tunnel_too_deep,
     {"tunnel_too_deep", "more tunnels inside each other than the decoder follows", true}},
    {DecodeReason::tunnel_protocol_not_inspected,
     {"tunnel_protocol_not_inspected", "tunnel that carries neither IP nor Ethernet", false}},
    {DecodeReason::mpls_too_deep,
     {"mpls_too_deep", "more MPLS labels than the decoder follows", true}},
    {DecodeReason::link_truncated,
     {"link_truncated", "packet ends inside the header of its capture's link type", true}},
    {DecodeReason::wlan_protected, {"wlan_protected", "802.11 frame that is encrypted", false}},
    {DecodeReason::ipv4_checksum, {"ipv4_checksum", "IPv4 header checksum is wrong", true}},
    {DecodeReason::tcp_checksum, {"tcp_checksum", "TCP checksum is wrong", true}},
    {DecodeReason::udp_checksum, {"udp_checksum", "UDP checksum is wrong", true}},
}};

struct DispositionRow {
  Disposition disposition;
  DispositionText text;
};

constexpr std::array<DispositionRow, kDispositionCount> kDispositions{{
    {Disposition::inspected, {"inspected", "payload was inspected in its flow"}},
    {Disposition::no_payload, {"no_payload", "TCP or UDP packet without payload"}},
    {Disposition::not_ip, {"not_ip", "neither IPv4 nor IPv6"}},
    {Disposition::not_inspected, {"not_inspected", "IP protocol that carries no flow of interest"}},
    {Disposition::fragment, {"fragment", "IP fragment"}},
    {Disposition::malformed, {"malformed", "could not be decoded"}},
    {Disposition::handed_over, {"handed_over", "given to the worker its flow belongs to"}},
}};

template <typename Rows, typename Key>
constexpr bool in_order(const Rows& rows, Key key) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(key(rows[i])) != i) {
      return false;
    }
  }
  return true;
}
static_assert(in_order(kReasons, [](const ReasonRow& r) { return r.reason; }));
static_assert(in_order(kDispositions, [](const DispositionRow& r) { return r.disposition; }));

}  // namespace

const ReasonText& describe(DecodeReason reason) {
  return kReasons[static_cast<std::size_t>(reason)].text;
}

const DispositionText& describe(Disposition disposition) {
  return kDispositions[static_cast<std::size_t>(disposition)].text;
}

}  // namespace imds
