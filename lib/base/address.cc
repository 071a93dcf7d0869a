#include "base/address.h"

#include <arpa/inet.h>
#include <charconv>
#include <cstdio>

namespace imds {

namespace {

constexpr std::size_t kLongestAddressText = INET6_ADDRSTRLEN - 1;

bool host_bits_are_zero(const IpAddress& a, unsigned length) {
  for (unsigned bit = length; bit < a.size() * 8; ++bit) {
    if ((a.bytes[bit / 8] >> (7 - bit % 8)) & 1u) {
      return false;
    }
  }
  return true;
}

void explain(std::string* why, std::string text) {
  if (why != nullptr) {
    *why = std::move(text);
  }
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() > kLongestAddressText ||
      text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  char buffer[INET6_ADDRSTRLEN] = {};
  text.copy(buffer, text.size());
  IpAddress a;
  if (inet_pton(AF_INET, buffer, a.bytes.data()) == 1) {
    a.family = AddressFamily::ipv4;
    return a;
  }
  a.bytes.fill(0);
  if (inet_pton(AF_INET6, buffer, a.bytes.data()) == 1) {
    a.family = AddressFamily::ipv6;
    return a;
  }
  return std::nullopt;
}

std::string_view IpAddress::write_to(std::span<char, kLongestText> buffer) const {
  static_assert(kLongestText >= INET6_ADDRSTRLEN);
  if (!is_set()) {
    return {};
  }
  return inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), buffer.data(), buffer.size());
}

std::string IpAddress::to_string() const {
  std::array<char, kLongestText> buffer;
  return std::string(write_to(buffer));
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text, std::string* why) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    explain(why, "expected an IPv4 or IPv6 prefix such as 10.0.0.0/8 or fd00::/8");
    return std::nullopt;
  }
  const unsigned longest = static_cast<unsigned>(address->size() * 8);
  unsigned length = longest;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > longest) {
      explain(why, "expected a prefix length from 0 to " + std::to_string(longest));
      return std::nullopt;
    }
  }
  if (!host_bits_are_zero(*address, length)) {
    explain(why, "the address has bits set beyond /" + std::to_string(length) +
                     "; expected the network's own address");
    return std::nullopt;
  }
  return IpPrefix{*address, static_cast<std::uint8_t>(length)};
}

bool IpPrefix::contains(const IpAddress& a) const {
  if (a.family != address.family) {
    return false;
  }
  const unsigned whole = length / 8;
  if (std::memcmp(a.bytes.data(), address.bytes.data(), whole) != 0) {
    return false;
  }
  const unsigned rest = length % 8;
  if (rest == 0) {
    return true;
  }
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (a.bytes[whole] & mask) == address.bytes[whole];
}

std::string IpPrefix::to_string() const {
  return address.to_string() + '/' + std::to_string(length);
}

std::string MacAddress::to_string() const {
  char out[18];
  std::snprintf(out, sizeof out, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return out;
}

}  // namespace imds
