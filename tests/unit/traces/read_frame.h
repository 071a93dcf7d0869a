// Takes frames of traces apart, knowing nothing of how they were made.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "support/wire_bytes.h"

namespace imds::traces {

using Frame = std::span<const std::uint8_t>;

inline unsigned get16(Frame f, std::size_t at) {
  return unsigned{f[at]} << 8 | f[at + 1];
}
inline std::uint32_t get32(Frame f, std::size_t at) {
  return get16(f, at) << 16 | get16(f, at + 2);
}

inline std::uint32_t sum_of(Frame bytes) {
  std::uint32_t sum = 0;  // holds 65,536 words
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  for (; end - at > 1; at += 2) {
    sum += unsigned{at[0]} << 8 | at[1];
  }
  return at == end ? sum : sum + (unsigned{*at} << 8);
}
inline bool adds_up(std::uint32_t sum) {
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum == 0xffff;
}

struct ReadFrame {
  std::string source;  // address as bytes
  std::string destination;
  unsigned protocol = 0;
  unsigned source_port = 0;
  unsigned destination_port = 0;
  std::uint32_t sequence = 0;
  unsigned flags = 0;
  std::size_t payload = 0;
  bool has_right_checksums = false;
  std::size_t vlans = 0;
  bool is_vxlan = false;  // the rest tells of what is inside

  // A number for the flow, the same for both directions.
  using Flow = std::size_t;
  [[nodiscard]] Flow flow() const {
    const auto end = [](const std::string& address, unsigned port) {
      return (std::hash<std::string>()(address) + port) * 0x9e3779b97f4a7c15;
    };
    return end(source, source_port) + end(destination, destination_port) + protocol;
  }
  [[nodiscard]] bool has_port(unsigned port) const {
    return source_port == port || destination_port == port;
  }
};

// Ethernet, VLANs, IPv4 without options or IPv6 without extensions, TCP or UDP, VXLAN; nullopt for
// anything else, also for lengths that do not fit together.
inline std::optional<ReadFrame> read_frame(Frame frame) {
  ReadFrame out;
  std::size_t at = 12;
  while (get16(frame, at) == 0x8100 || get16(frame, at) == 0x88a8) {
    at += 4;
    ++out.vlans;
  }
  const unsigned ether_type = get16(frame, at);
  Frame ip = frame.subspan(at + 2);
  std::size_t header = 0;
  std::size_t address = 0;
  std::size_t end = 0;
  if (ether_type == 0x0800 && ip[0] == 0x45 && adds_up(sum_of(ip.first(20)))) {
    header = 20;
    address = 12;
    end = get16(ip, 2);
    out.protocol = ip[9];
  } else if (ether_type == 0x86dd && ip[0] == 0x60) {
    header = 40;
    address = 8;
    end = 40 + get16(ip, 4);
    out.protocol = ip[6];
  } else {
    return std::nullopt;
  }
  if (end > ip.size() || end < header + 8) {
    return std::nullopt;
  }
  const std::size_t size = (header - address) / 2;
  const Frame addresses = ip.subspan(address, 2 * size);
  out.source.assign(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(size));
  out.destination.assign(addresses.begin() + static_cast<std::ptrdiff_t>(size), addresses.end());
  const Frame transport = ip.subspan(header, end - header);
  out.source_port = get16(transport, 0);
  out.destination_port = get16(transport, 2);
  const std::uint32_t sum = sum_of(transport) + sum_of(addresses) + out.protocol +
                            static_cast<std::uint32_t>(transport.size());
  if (out.protocol == 6) {
    out.sequence = get32(transport, 4);
    out.flags = transport[13];
    const std::size_t offset = std::size_t{transport[12]} / 16 * 4;
    if (offset < 20 || offset > transport.size()) {
      return std::nullopt;
    }
    out.payload = transport.size() - offset;
    out.has_right_checksums = adds_up(sum);
    return out;
  }
  if (out.protocol != 17 || get16(transport, 4) != transport.size()) {
    return std::nullopt;
  }
  if (out.destination_port == 4789 && get16(transport, 6) == 0) {
    auto inside = read_frame(transport.subspan(16));
    if (inside) {
      inside->is_vxlan = true;
    }
    return inside;
  }
  out.payload = transport.size() - 8;
  out.has_right_checksums = adds_up(sum);
  return out;
}

}  // namespace imds::traces
