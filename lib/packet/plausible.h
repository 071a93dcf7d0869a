// Whether bytes look like a packet, where no header says what they are. Private to the room.
#pragma once

#include <cstdint>

#include "ip_layers.h"
#include "link_layers.h"

namespace imds::packet {

// Bytes that the walk has not come to yet.
struct Ahead {
  ByteSpan bytes;
  std::size_t sent = 0;  // as their sender meant them, ≥ bytes.size(); SIZE_MAX: nobody said

  [[nodiscard]] bool has(std::size_t size) const { return bytes.size() >= size; }
  [[nodiscard]] std::uint8_t operator[](std::size_t i) const { return bytes[i]; }
  [[nodiscard]] std::uint16_t be16(std::size_t at) const { return load_be16(&bytes[at]); }
  [[nodiscard]] std::uint32_t be32(std::size_t at) const { return load_be32(&bytes[at]); }
  // Empty where `size` reaches beyond what is here.
  [[nodiscard]] Ahead from(std::size_t size) const {
    return has(size) ? Ahead{bytes.subspan(size), sent - size} : Ahead{};
  }
};

// Without an IP header around it nothing says how long a packet was before it was sliced.
inline Ahead ahead(const Walk& w, std::size_t offset = 0) {
  const bool is_in_ip = w.view.is_ip() || w.view.tunnel.source.is_set();
  return Ahead{w.rest, is_in_ip ? w.sent() : SIZE_MAX}.from(offset);
}

// An IPv4 or IPv6 header whose lengths fit. As far as a cut packet shows them.
inline bool ip_plausible(const Ahead& packet) {
  constexpr std::size_t kLengthsSize = 6;
  if (!packet.has(1)) {
    return false;
  }
  const unsigned version = packet[0] >> 4;
  if (version != 4 && version != 6) {
    return false;
  }
  if (!packet.has(kLengthsSize)) {
    return packet.sent > packet.bytes.size();
  }
  if (version == 6) {
    return std::size_t{packet.be16(4)} + kIpv6Size <= packet.sent;
  }
  const std::size_t header_size = std::size_t{packet[0] & 0x0fu} * 4;
  const std::size_t total = packet.be16(2);
  return header_size >= kIpv4Size && (total == 0 || total >= header_size) && total <= packet.sent;
}

// Of a whole IPv4 header (RFC 1071).
inline bool ipv4_checksum_holds(const Ahead& packet) {
  const std::size_t size = std::size_t{packet[0] & 0x0fu} * 4;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; packet.has(size) && i < size; i += 2) {
    sum += packet.be16(i);
  }
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

// A frame whose EtherType is known and, for IP, followed by a header that fits.
inline bool ethernet_plausible(const Ahead& frame) {
  constexpr std::uint16_t kArpHardwareEthernet = 1;
  constexpr std::uint16_t kLldp = 0x88cc;
  constexpr std::uint16_t kLoopback = 0x9000;
  std::size_t end = kEthernetSize;
  for (unsigned tags = 0; frame.has(end) && tags <= kMaxVlanDepth; ++tags) {
    const std::uint16_t type = frame.be16(end - 2);
    switch (static_cast<EtherType>(type)) {
      case EtherType::ipv4:
      case EtherType::ipv6:
        return ip_plausible(frame.from(end)) || (frame.bytes.size() == end && frame.sent > end);
      case EtherType::arp:
        return !frame.has(end + 2) || frame.be16(end) == kArpHardwareEthernet;
      case EtherType::mpls:
      case EtherType::mpls_multicast:
      case EtherType::pppoe_session:
      case EtherType::nsh:
        return true;
      default:
        if (!is_vlan_tpid(type)) {
          return type == kLldp || type == kLoopback;
        }
    }
    end += kVlanTagSize;
  }
  return false;
}

}  // namespace imds::packet
