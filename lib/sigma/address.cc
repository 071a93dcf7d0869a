#include "address.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace imds::sigma {
namespace {

constexpr unsigned kMappedBits = 96;  // ::ffff:0:0/96, RFC 4291, 2.5.5.2

std::optional<std::uint64_t> parse_part(std::string_view text) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && ascii_lower(text[1]) == 'x') {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return problem == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                    : std::nullopt;
}

// Plain decimal numbers that are too few, or too small, for an address are a slip of the pen
// sooner than inet_aton's short form of one.
bool looks_unfinished(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool begins = i == 0 || text[i - 1] == '.';
    if (begins && text[i] == '0' && text[i + 1] != '.') {
      return false;  // octal or hexadecimal: written by somebody who knows
    }
  }
  constexpr std::size_t kDigitsOfLargeNumbers = 8;
  const auto dots = std::count(text.begin(), text.end(), '.');
  return dots == 0 ? text.size() < kDigitsOfLargeNumbers : dots < 3;
}

// The last number takes all bytes that are left.
std::optional<IpAddress> parse_numbers(std::string_view text) {
  if (text.empty() || looks_unfinished(text)) {
    return std::nullopt;
  }
  std::uint64_t address = 0;
  for (unsigned bits_left = 32;;) {
    const std::size_t dot = text.find('.');
    const std::optional<std::uint64_t> part = parse_part(text.substr(0, dot));
    const bool last = dot == std::string_view::npos;
    const std::uint64_t limit = last ? std::uint64_t{1} << bits_left : 256;
    if (!part || *part >= limit || (!last && bits_left == 8)) {
      return std::nullopt;
    }
    if (last) {
      return IpAddress::v4(static_cast<std::uint32_t>(address | *part));
    }
    bits_left -= 8;
    address |= *part << bits_left;
    text.remove_prefix(dot + 1);
  }
}

std::optional<IpAddress> unmapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!address.is_v6() || !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return std::nullopt;
  }
  return IpAddress::v4_wire(address.bytes.data() + kMapped.size());
}

std::optional<IpAddress> parse_one(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    const auto address = IpAddress::parse(text.substr(1, text.size() - 2));
    return address && address->is_v6() ? address : std::nullopt;
  }
  const auto address = IpAddress::parse(text);
  return address ? address : parse_numbers(text);
}

// 255.255.0.0 is 16; nullopt for what is no netmask.
std::optional<unsigned> netmask_length(std::string_view text) {
  const auto mask = IpAddress::parse(text);
  if (!mask || !mask->is_v4()) {
    return std::nullopt;
  }
  const std::uint32_t bits = mask->v4_host_order();
  const auto length = static_cast<unsigned>(std::countl_one(bits));
  return std::popcount(bits) == static_cast<int>(length) ? std::optional(length) : std::nullopt;
}

}  // namespace

std::vector<IpAddress> parse_addresses(std::string_view text) {
  std::vector<IpAddress> out;
  if (const auto address = parse_one(text)) {
    out.push_back(*address);
    if (const auto inner = unmapped(*address)) {
      out.push_back(*inner);
    }
  }
  return out;
}

std::vector<IpPrefix> parse_prefixes(std::string_view text, std::string& why) {
  const std::size_t slash = text.find('/');
  const auto address = parse_one(text.substr(0, slash));
  if (!address) {
    why = "expected an IPv4 or IPv6 prefix such as 10.0.0.0/8 or fd00::/8";
    return {};
  }
  std::string canonical = address->to_string();
  if (slash != std::string_view::npos) {
    const std::string_view rest = text.substr(slash + 1);
    const auto length = address->is_v4() ? netmask_length(rest) : std::nullopt;
    canonical += "/" + (length ? std::to_string(*length) : std::string(rest));
  }
  const auto prefix = IpPrefix::parse(canonical, &why);
  if (!prefix) {
    return {};
  }
  std::vector<IpPrefix> out{*prefix};
  const auto inner = unmapped(prefix->address);
  if (inner && prefix->length >= kMappedBits) {
    out.push_back({*inner, static_cast<std::uint8_t>(prefix->length - kMappedBits)});
  }
  return out;
}

}  // namespace imds::sigma
