// What an L2TPv3 session carries (RFC 3931, RFC 4719, RFC 4349). Private to the room.
#pragma once

#include <optional>

#include "plausible.h"

namespace imds::packet {

struct SessionPayload {
  std::size_t offset = 0;  // from the end of the session id
  EtherType carried{};
};
// A cookie of up to 8 bytes and the L2-specific sublayer may stand in front of the payload.
inline constexpr std::size_t kMostBeforeSessionPayload = 12;
// From where on a payload can be told.
inline constexpr std::size_t kLeastSessionPayload = kMostBeforeSessionPayload + kEthernetSize + 6;

// From here on serial_header_size() has enough to look at.
inline constexpr std::size_t kLeastSerialFrame = 10;
// PPP or Cisco HDLC with IP inside: their header's size, 0 for anything else.
inline std::size_t serial_header_size(const Ahead& frame) {
  constexpr std::uint32_t kPppIpv4 = 0xff030021;
  constexpr std::uint32_t kPppIpv6 = 0xff030057;
  constexpr std::uint32_t kHdlcIpv4 = 0x0f000800;
  constexpr std::uint32_t kHdlcIpv6 = 0x0f0086dd;
  if (!frame.has(4)) {
    return 0;
  }
  const std::uint32_t whole = frame.be32(0);
  if (whole == kPppIpv4 || whole == kPppIpv6 || whole == kHdlcIpv4 || whole == kHdlcIpv6) {
    return ip_plausible(frame.from(4)) ? 4 : 0;
  }
  const std::uint16_t protocol = frame.be16(0);
  return (protocol == 0x0021 || protocol == 0x0057) && ip_plausible(frame.from(2)) ? 2 : 0;
}

// The sizes of cookie and sublayer were agreed upon elsewhere: the payload is where a packet is.
inline std::optional<SessionPayload> find_session_payload(const Ahead& session) {
  for (std::size_t offset = 0; offset <= kMostBeforeSessionPayload; offset += 4) {
    const Ahead payload = session.from(offset);
    if (ethernet_plausible(payload)) {
      return SessionPayload{offset, EtherType::transparent_ethernet};
    }
    if (const std::size_t header = serial_header_size(payload); header != 0) {
      return SessionPayload{offset + header, EtherType::ipv4};
    }
  }
  return std::nullopt;
}

}  // namespace imds::packet
