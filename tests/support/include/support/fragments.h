// Cuts a built packet into IP fragments, as a router (IPv4) or a sender (IPv6) does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "support/wire_bytes.h"

namespace imds::support {

namespace wire {

inline void fix_ipv4_checksum(Bytes& frame, std::size_t ip, std::size_t header) {
  put16(frame, ip + 10, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < header; i += 2) {
    sum += static_cast<std::uint32_t>(frame[ip + i] << 8 | frame[ip + i + 1]);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  put16(frame, ip + 10, ~sum & 0xffff);
}

}  // namespace wire

// `frame`: bytes of link layer up to `ip_offset` (14: plain Ethernet), then IPv4 or IPv6 without
// extension headers. Each fragment carries `data_bytes` (a multiple of 8) of the datagram, the last
// one what is left; in order. The IPv6 fragment header takes `id`, IPv4 its lower half.
[[nodiscard]] inline std::vector<Bytes> fragments_of(const Bytes& frame, std::size_t data_bytes,
                                                     std::uint32_t id, std::size_t ip_offset = 14) {
  if (data_bytes == 0 || data_bytes % 8 != 0) {
    throw std::logic_error("fragments carry a multiple of 8 bytes");
  }
  const bool is_v4 = frame.at(ip_offset) >> 4 == 4;
  const std::size_t header = is_v4 ? std::size_t{frame[ip_offset] & 0x0fu} * 4 : 40;
  const std::size_t data = ip_offset + header;
  const std::size_t length = frame.size() - data;
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < length; at += data_bytes) {
    const std::size_t part = std::min(data_bytes, length - at);
    const bool more = at + part < length;
    Bytes fragment(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(data));
    if (is_v4) {
      wire::put16(fragment, ip_offset + 2, static_cast<unsigned>(header + part));
      wire::put16(fragment, ip_offset + 4, id & 0xffff);
      wire::put16(fragment, ip_offset + 6, static_cast<unsigned>(at / 8) | (more ? 0x2000u : 0));
      wire::fix_ipv4_checksum(fragment, ip_offset, header);
    } else {
      wire::put16(fragment, ip_offset + 4, static_cast<unsigned>(8 + part));
      fragment.push_back(fragment[ip_offset + 6]);
      fragment[ip_offset + 6] = 44;
      fragment.push_back(0);
      wire::append16(fragment, static_cast<unsigned>(at) | (more ? 1u : 0));
      wire::append32(fragment, id);
    }
    const auto from = frame.begin() + static_cast<std::ptrdiff_t>(data + at);
    fragment.insert(fragment.end(), from, from + static_cast<std::ptrdiff_t>(part));
    out.push_back(std::move(fragment));
  }
  return out;
}

}  // namespace imds::support
