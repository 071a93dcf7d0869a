#include "host.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/target.h"
#include "percent.h"
#include "text.h"

namespace imds::http {

namespace {

// Longer than any address in any form, encoded or not, that a reader would take for one.
constexpr std::size_t kLongestHost = 512;

// One number as inet_aton(3) reads it. Digits 8 and 9 after a leading 0 make it decimal after all,
// as readers without octal have it. False if it is not a number or exceeds 64 bits.
bool parse_number(std::string_view text, std::uint64_t& value) {
  unsigned base = 10;
  if (starts_with_nocase(text, "0x")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0' &&
             text.find_first_of("89") == std::string_view::npos) {
    base = 8;
  }
  if (text.empty() && base == 10) {
    return false;
  }
  value = 0;
  for (const char c : text) {
    const int digit = base == 16 ? hex_value(c) : is_digit(c) ? c - '0' : -1;
    if (digit < 0 || value >> 60 != 0) {
      return false;
    }
    value = value * base + static_cast<std::uint64_t>(digit);
  }
  return true;
}

// One to four numbers between dots; the last one fills the bytes that are left.
std::optional<IpAddress> parse_numbers(std::string_view host) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = host.find('.');
    std::uint64_t value = 0;
    if (!parse_number(host.substr(0, dot), value)) {
      return std::nullopt;
    }
    if (dot == std::string_view::npos) {
      const int bits_left = 8 * (4 - part);
      return IpAddress::v4(
          address | static_cast<std::uint32_t>(value & ((std::uint64_t{1} << bits_left) - 1)));
    }
    address |= static_cast<std::uint32_t>(value & 0xff) << (8 * (3 - part));
    host.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

// RFC 4291, 2.5.5.2.
IpAddress unmapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.is_v6() && std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return IpAddress::v4_wire(address.bytes.data() + kMapped.size());
  }
  return address;
}

std::optional<IpAddress> parse_v6(std::string_view host) {
  host = host.substr(0, host.find('%'));  // zone (RFC 6874)
  const auto address = IpAddress::parse(host);
  if (!address || !address->is_v6()) {
    return std::nullopt;
  }
  return unmapped(*address);
}

// Letters, digits, `-` and `_`: what names are made of besides dots.
constexpr std::array<bool, 256> kNameChars = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) {
    const char letter = static_cast<char>(c);
    table[c] = is_alpha(letter) || is_digit(letter) || letter == '-' || letter == '_';
  }
  return table;
}();

bool is_canonical_quad(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    std::size_t digits = 0;
    unsigned value = 0;
    while (digits < host.size() && digits < 4 && is_digit(host[digits])) {
      value = value * 10 + static_cast<unsigned>(host[digits++] - '0');
    }
    if (digits == 0 || value > 255 || (digits > 1 && host.front() == '0')) {
      return false;
    }
    host.remove_prefix(digits);
    if (part < 3) {
      if (host.empty() || host.front() != '.') {
        return false;
      }
      host.remove_prefix(1);
    }
  }
  return host.empty();
}

}  // namespace

Authority split_authority(std::string_view text) {
  Authority out;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    out.userinfo = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  std::size_t host_end = text.size();
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    host_end = bracket == std::string_view::npos ? text.size() : bracket + 1;
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    // Several colons without brackets are an IPv6 address.
    host_end = colon;
  }
  out.host = text.substr(0, host_end);
  if (host_end < text.size() && text[host_end] == ':') {
    out.port = text.substr(host_end + 1);
  }
  return out;
}

std::uint16_t parse_port(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
    if (!is_digit(c) || value > 0xffff) {
      return 0;
    }
  }
  return static_cast<std::uint16_t>(value);
}

bool is_plain_authority(std::string_view text) {
  std::size_t last_label = 0;
  std::size_t end = 0;
  for (; end < text.size() && text[end] != ':'; ++end) {
    const char c = text[end];
    if (c == '.') {
      last_label = end + 1;
    } else if (!kNameChars[static_cast<std::uint8_t>(c)]) {
      return false;
    }
  }
  if (end < text.size()) {
    const std::string_view port = text.substr(end + 1);
    if (port.empty() || port.front() == '0' || parse_port(port) == 0) {
      return false;
    }
  }
  const std::string_view host = text.substr(0, end);
  if (host.empty()) {
    return text.empty();
  }
  // No name ends in a label that begins with a digit; a number does, and a trailing dot hides it.
  if (last_label == host.size()) {
    return false;
  }
  return !is_digit(host[last_label]) || is_canonical_quad(host);
}

std::optional<IpAddress> host_address(std::string_view host) {
  std::array<char, kLongestHost> decoded;
  if (host.empty() || host.size() > decoded.size()) {
    return std::nullopt;
  }
  std::memcpy(decoded.data(), host.data(), host.size());
  std::string_view text(decoded.data(), percent_decode(decoded.data(), host.size()));
  if (text.size() > 1 && text.back() == '.') {
    text.remove_suffix(1);
  }
  if (!text.empty() && text.front() == '[') {
    text.remove_prefix(1);
    if (!text.empty() && text.back() == ']') {
      text.remove_suffix(1);
    }
    return parse_v6(text);
  }
  if (text.find(':') != std::string_view::npos) {
    return parse_v6(text);
  }
  return parse_numbers(text);
}

}  // namespace imds::http
