// Bytes in network order for the packet builder: appending fields, text addresses, the Internet
// checksum (RFC 1071).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace imds::support {

using Bytes = std::vector<std::uint8_t>;

[[nodiscard]] inline Bytes to_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

namespace wire {

inline void append16(Bytes& out, unsigned v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
inline void append32(Bytes& out, std::uint32_t v) {
  append16(out, v >> 16);
  append16(out, v & 0xffff);
}
inline void put16(Bytes& out, std::size_t at, unsigned v) {
  out[at] = static_cast<std::uint8_t>(v >> 8);
  out[at + 1] = static_cast<std::uint8_t>(v);
}
inline void append_mac(Bytes& out, std::string_view text) {
  if (text.size() != 17) {
    throw std::logic_error("not a MAC address: " + std::string(text));
  }
  for (std::size_t i = 0; i < 17; i += 3) {
    out.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
  }
}
inline void append_ip(Bytes& out, const IpAddress& a) {
  out.insert(out.end(), a.bytes.begin(), a.bytes.begin() + static_cast<long>(a.size()));
}
inline IpAddress address(std::string_view text, AddressFamily family) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed || parsed->family != family) {
    throw std::logic_error("not an address of the family asked for: " + std::string(text));
  }
  return *parsed;
}

inline std::uint32_t sum16(const Bytes& data, std::uint32_t sum) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    sum += i % 2 == 0 ? unsigned{data[i]} << 8 : unsigned{data[i]};
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}
inline unsigned fold(std::uint32_t sum) {
  return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}

}  // namespace wire

}  // namespace imds::support
