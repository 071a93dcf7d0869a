// Addresses and prefixes as plain values, in network byte order. Trivially copyable, so they can
// stand in flow keys, findings and shared records.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace imds {

enum class AddressFamily : std::uint8_t { none = 0, ipv4 = 4, ipv6 = 6 };

// An IPv4 or IPv6 address. IPv4 uses the first 4 bytes, the rest are zero, so comparing and
// hashing whole values is sound. A default-constructed address has family `none`.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  AddressFamily family = AddressFamily::none;

  [[nodiscard]] static IpAddress v4(std::uint32_t host_order) {
    IpAddress a;
    a.family = AddressFamily::ipv4;
    a.bytes[0] = static_cast<std::uint8_t>(host_order >> 24);
    a.bytes[1] = static_cast<std::uint8_t>(host_order >> 16);
    a.bytes[2] = static_cast<std::uint8_t>(host_order >> 8);
    a.bytes[3] = static_cast<std::uint8_t>(host_order);
    return a;
  }
  // From the wire: 4 bytes.
  [[nodiscard]] static IpAddress v4_wire(const std::uint8_t* wire) {
    IpAddress a;
    a.set_v4_wire(wire);
    return a;
  }
  // The same in place, in one store: a copy made at once would wait for several.
  void set_v4_wire(const std::uint8_t* wire) {
    int value;
    std::memcpy(&value, wire, sizeof value);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes.data()), _mm_cvtsi32_si128(value));
    family = AddressFamily::ipv4;
  }
  // From the wire: 16 bytes.
  [[nodiscard]] static IpAddress v6_wire(const std::uint8_t* wire) {
    IpAddress a;
    a.family = AddressFamily::ipv6;
    std::memcpy(a.bytes.data(), wire, 16);
    return a;
  }
  // Dotted-quad IPv4 or RFC 4291 IPv6 text, nothing around it, no zone. nullopt if it is neither.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  // Host-order value; only for IPv4.
  [[nodiscard]] std::uint32_t v4_host_order() const {
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
           (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
  }
  [[nodiscard]] bool is_v4() const { return family == AddressFamily::ipv4; }
  [[nodiscard]] bool is_v6() const { return family == AddressFamily::ipv6; }
  [[nodiscard]] bool is_set() const { return family != AddressFamily::none; }
  // 4, 16 or 0.
  [[nodiscard]] std::size_t size() const { return is_v4() ? 4 : is_v6() ? 16 : 0; }

  // Canonical text (RFC 5952); empty for family `none`.
  [[nodiscard]] std::string to_string() const;
  // The same, written into `buffer`; never allocates.
  static constexpr std::size_t kLongestText = 46;  // its final NUL included
  [[nodiscard]] std::string_view write_to(std::span<char, kLongestText> buffer) const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};
static_assert(sizeof(IpAddress) == 17);

// An address prefix. Host bits beyond the length are always zero.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // 0..32 or 0..128

  // "10.0.0.0/8", "fd00::/8", or a bare address (full length). Host bits must be zero. nullopt if
  // malformed; `why`, if given, then says what was expected.
  [[nodiscard]] static std::optional<IpPrefix> parse(std::string_view text,
                                                     std::string* why = nullptr);
  [[nodiscard]] bool contains(const IpAddress& a) const;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  [[nodiscard]] static MacAddress wire(const std::uint8_t* p) {
    MacAddress m;
    std::memcpy(m.bytes.data(), p, 6);
    return m;
  }
  // "02:00:5e:10:00:01", lower case.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_zero() const { return bytes == std::array<std::uint8_t, 6>{}; }

  friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

}  // namespace imds
