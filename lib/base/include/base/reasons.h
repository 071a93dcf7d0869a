// The one table of why a packet was not decoded further and what became of it. Every packet ends
// in exactly one Disposition; a DecodeReason is counted where decoding stopped early.
// Per worker: received + taken over from others = Σ dispositions + in flight (zero after stop).
#pragma once

#include <cstdint>
#include <string_view>

namespace imds {

// What the decoder could not go past, or noted in passing (PacketView::anomaly). `none` is a fully
// decoded packet. Names are metric label values: lower snake case, never renamed once released.
enum class DecodeReason : std::uint8_t {
  none = 0,
  ethernet_truncated,
  vlan_truncated,
  vlan_too_deep,
  link_type_unsupported,
  cooked_truncated,
  ethertype_not_inspected,
  arp_truncated,
  arp_malformed,
  ipv4_truncated,
  ipv4_version,
  ipv4_header_length,
  ipv4_total_length,
  ipv6_truncated,
  ipv6_version,
  ipv6_payload_length,
  ipv6_extension_truncated,
  ipv6_extension_too_deep,
  ip_fragment,
  ip_protocol_not_inspected,
  tcp_truncated,
  tcp_data_offset,
  udp_truncated,
  udp_length,
  icmp_truncated,
  capture_truncated,
  segments_too_many,
  ipv4_beyond_frame,
  ipv6_beyond_frame,
  tcp_options,
  tunnel_truncated,
  tunnel_malformed,
  tunnel_too_deep,
  tunnel_protocol_not_inspected,
  mpls_too_deep,
  link_truncated,
  wlan_protected,
  // Of a fully decoded packet, with inspect.verify_checksums.
  ipv4_checksum,
  tcp_checksum,
  udp_checksum,
};
inline constexpr std::size_t kDecodeReasonCount = 40;

// What became of a packet: exactly one per received packet.
enum class Disposition : std::uint8_t {
  inspected = 0,  // decoded to a flow and its payload looked at
  no_payload,     // decoded TCP/UDP segment with nothing to inspect (handshake, ACK, FIN)
  not_ip,         // ARP, LLDP, … decoded as far as it matters
  not_inspected,  // an IP protocol without a flow of interest (ICMP, ESP, …)
  fragment,       // an IP fragment; the datagram made of it counts on its own
  malformed,      // decoding failed; the DecodeReason says why
  handed_over,    // given to the worker its flow belongs to, which counts it again
};
inline constexpr std::size_t kDispositionCount = 7;

struct ReasonText {
  std::string_view name;  // metric label value
  std::string_view text;  // one line for people
  bool malformed;         // the packet breaks its protocol (or was cut), as opposed to "not for us"
};

[[nodiscard]] const ReasonText& describe(DecodeReason reason);

struct DispositionText {
  std::string_view name;
  std::string_view text;
};

[[nodiscard]] const DispositionText& describe(Disposition disposition);

}  // namespace imds
