// Frames of a flow: Ethernet, VLAN tags or VXLAN around it, IPv4 or IPv6, TCP with the options real
// stacks send, or UDP; lengths and checksums right. Written straight into a buffer that is used
// again: tens of nanoseconds per frame.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/time.h"
#include "noise.h"
#include "support/wire_bytes.h"

namespace imds::traces {

inline constexpr std::size_t kLeastFrame = 60;  // Ethernet's 64 bytes without its FCS
inline constexpr std::size_t kMostFrame = 1514;

enum class Link : std::uint8_t { plain, vlan, qinq, vxlan };

// What all packets of a flow have in common. The client is who opens it.
struct Ends {
  IpAddress client;
  IpAddress server;
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
  bool is_tcp = true;
  bool has_timestamps = true;   // RFC 7323; without: as Windows does
  bool has_tcp_options = true;  // in SYNs, if there are no timestamps
  Link link = Link::plain;
  std::uint16_t outer_vlan = 0;  // the only one of Link::vlan
  std::uint16_t inner_vlan = 0;
  std::uint32_t vni = 0;
  std::uint8_t client_ttl = 64;
  std::uint8_t server_ttl = 64;
  // TSval. It stands still: traces last seconds, and so every echo is of a value that was sent,
  // also when the trace is replayed again and again. Peers that check timestamps take no other
  // packet.
  std::uint32_t client_clock = 0;
  std::uint32_t server_clock = 0;
};

// One packet of a flow: where its payload is to be taken from, and what the header says.
struct Packet {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint32_t text_at = 0;  // payload: a part of the conversation's text,
  std::uint32_t noise_at = 0;
  std::uint16_t text_size = 0;
  std::uint16_t noise_size = 0;  // and after it noise
  std::uint16_t ip_id = 0;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;  // TCP
  bool from_client = true;
};

// Payload of a full-sized TCP segment (without SYN).
[[nodiscard]] std::size_t segment_room(const Ends& ends);
[[nodiscard]] std::size_t frame_size(const Ends& ends, const Packet& packet);

// `text`: all text of the conversation.
void write_frame(const Ends& ends, const Packet& packet, std::string_view text, const Noise& noise,
                 support::Bytes& out);

}  // namespace imds::traces
