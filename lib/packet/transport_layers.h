// TCP, UDP, ICMP and ICMPv6. Private to the room.
#pragma once

#include <algorithm>
#include <optional>

#include "packet/tcp_options.h"
#include "tunnels.h"
#include "walk.h"

namespace imds::packet {

inline constexpr std::size_t kTcpSize = 20;
inline constexpr std::size_t kIcmpSize = 8;    // RFC 792: every message
inline constexpr std::size_t kIcmpv6Size = 4;  // RFC 4443: type, code, checksum

// The payload follows `header_size` bytes of header, of which a sliced packet may lack the end.
inline Layer finish(Walk& w, std::size_t header_size) {
  w.view.payload_length = static_cast<std::uint32_t>(w.sent() - header_size);
  w.consume(std::min(header_size, w.rest.size()));
  w.view.payload = w.rest;
  return Layer::done;
}

inline Layer decode_tcp(Walk& w) {
  if (!w.has(kTcpSize)) [[unlikely]] {
    return w.stop_short(kTcpSize, DecodeReason::tcp_truncated);
  }
  const std::uint8_t* header = w.at();
  const std::size_t header_size = static_cast<std::size_t>(header[12] >> 4) * 4;
  if (header_size < kTcpSize || header_size > w.sent()) [[unlikely]] {
    return w.stop(DecodeReason::tcp_data_offset);
  }
  PacketView& view = w.view;
  view.source_port = load_be16(header);
  view.destination_port = load_be16(header + 2);
  view.tcp.sequence = load_be32(header + 4);
  view.tcp.acknowledgment = load_be32(header + 8);
  view.tcp.flags = header[13];
  view.tcp.window = load_be16(header + 14);
  if (w.has(header_size) && !tcp_options_add_up(w.rest.subspan(kTcpSize, header_size - kTcpSize)))
      [[unlikely]] {
    view.anomaly = DecodeReason::tcp_options;
  }
  return finish(w, header_size);
}

inline Layer decode_udp(Walk& w) {
  if (!w.has(kUdpSize)) [[unlikely]] {
    return w.stop_short(kUdpSize, DecodeReason::udp_truncated);
  }
  const std::uint8_t* header = w.at();
  const std::size_t length = load_be16(header + 4);
  const bool is_jumbogram = length == 0 && w.view.source.is_v6();  // RFC 2675
  if (!is_jumbogram) [[likely]] {
    if (length < kUdpSize || length > w.sent()) [[unlikely]] {
      return w.stop(DecodeReason::udp_length);
    }
    w.bound(length);
  }
  w.view.source_port = load_be16(header);
  w.view.destination_port = load_be16(header + 2);
  if (w.options.ports.names(w.view.source_port, w.view.destination_port)) {
    if (const std::optional<Layer> inner = peel_udp_tunnel(w)) {
      return *inner;
    }
  }
  return finish(w, kUdpSize);
}

inline Layer decode_icmp(Walk& w, std::size_t least_size) {
  constexpr std::size_t kCommonSize = 4;
  if (!w.has(least_size)) {
    return w.stop_short(least_size, DecodeReason::icmp_truncated);
  }
  w.view.icmp_type = w.at()[0];
  w.view.icmp_code = w.at()[1];
  return finish(w, kCommonSize);
}

inline Layer decode_transport(Walk& w) {
  const bool is_v6 = w.view.source.is_v6();
  switch (static_cast<IpProtocol>(w.view.protocol)) {
    case IpProtocol::tcp:
      return decode_tcp(w);
    case IpProtocol::udp:
      return decode_udp(w);
    case IpProtocol::icmp:
      return is_v6 ? w.stop(DecodeReason::ip_protocol_not_inspected) : decode_icmp(w, kIcmpSize);
    case IpProtocol::icmpv6:
      return is_v6 ? decode_icmp(w, kIcmpv6Size) : w.stop(DecodeReason::ip_protocol_not_inspected);
    default:
      return decode_ip_tunnel(w);
  }
}

}  // namespace imds::packet
