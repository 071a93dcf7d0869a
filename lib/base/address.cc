#include "base/address.h"

#include <algorithm>
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

char* put_quad(const std::uint8_t* bytes, char* out) {
  constexpr std::ptrdiff_t kMostDigits = 3;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      *out++ = '.';
    }
    out = std::to_chars(out, out + kMostDigits, bytes[i]).ptr;
  }
  return out;
}

// Groups of zeros that are left out: the first of the longest runs; none of a single one.
struct Zeros {
  int begin = 8;
  int count = 0;
};
Zeros longest_zeros(const std::array<unsigned, 8>& groups) {
  Zeros best;
  for (int i = 0; i < 8; ++i) {
    int end = i;
    while (end < 8 && groups[static_cast<std::size_t>(end)] == 0) {
      ++end;
    }
    if (end - i > std::max(best.count, 1)) {
      best = {i, end - i};
    }
    i = end;
  }
  return best;
}

// RFC 5952, with the IPv4 address in mapped and compatible ones as such.
char* put_v6(const std::array<std::uint8_t, 16>& bytes, char* out) {
  constexpr std::ptrdiff_t kMostDigits = 4;
  std::array<unsigned, 8> groups;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = unsigned{bytes[2 * i]} << 8 | bytes[2 * i + 1];
  }
  const Zeros zeros = longest_zeros(groups);
  const bool holds_v4 =
      zeros.begin == 0 && (zeros.count == 6 || (zeros.count == 5 && groups[5] == 0xffff));
  for (int i = 0; i < 8;) {
    if (i == zeros.begin) {
      *out++ = ':';
      i += zeros.count;
      if (i == 8) {
        *out++ = ':';
      }
      continue;
    }
    if (i > 0) {
      *out++ = ':';
    }
    if (i == 6 && holds_v4) {
      return put_quad(&bytes[12], out);
    }
    out = std::to_chars(out, out + kMostDigits, groups[static_cast<std::size_t>(i)], 16).ptr;
    ++i;
  }
  return out;
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
  char* const end = is_v4() ? put_quad(bytes.data(), buffer.data()) : put_v6(bytes, buffer.data());
  *end = '\0';
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
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
