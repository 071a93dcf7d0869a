// The request-target taken apart, and the one normal form that its many disguises mean.
//
// Views into the given text, or into the caller's buffer. No allocation, no state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.h"

namespace imds::http {

// RFC 9112, 3.2.
enum class TargetForm : std::uint8_t {
  origin,     // /path?query
  absolute,   // http://host/path?query
  authority,  // host:port, with CONNECT
  asterisk,   // *
  other,      // none of these: taken as a path
};

// data() == nullptr: absent. Parts as sent, nothing decoded.
struct Target {
  TargetForm form = TargetForm::other;
  std::string_view text;  // the whole target
  std::string_view scheme;
  std::string_view userinfo;  // may hold a password: never show it
  std::string_view host;      // of the target if it names one, else of the Host header; no port;
                              // an IPv6 address keeps its brackets
  std::uint16_t port = 0;     // 0: none given, or not a number below 65536
  std::string_view path;      // up to the first `?` or `#`
  std::string_view query;     // after the first `?`, up to a `#`
};

// `host_header` may be absent. With an absolute or authority target, the target's host wins
// (RFC 9112, 3.2.2). Backslashes count as slashes around the authority.
[[nodiscard]] Target split_target(std::string_view method, std::string_view target,
                                  std::string_view host_header);

// The address a host means: dotted quad, one to four decimal, octal (0…) or hexadecimal (0x…)
// numbers as inet_aton(3) reads them, octets taken modulo 256 as careless readers do, IPv6 in or
// out of brackets with an optional zone; IPv6 that embeds an IPv4 address (mapped, translated,
// compatible, NAT64, 6to4) as that; names under nip.io, sslip.io, xip.io and traefik.me as the
// address they spell. Percent-encoding and trailing dots are removed, digits and dots that IDNA
// maps to ASCII (fullwidth, circled, …) are read as such, and a NUL ends the host. nullopt for a
// name.
[[nodiscard]] std::optional<IpAddress> host_address(std::string_view host);

// Bytes normalise_target() may need beyond target.text.size() + target.host.size().
inline constexpr std::size_t kNormaliseSlack = 64;

struct NormalisedTarget {
  // Views into the buffer, or, where normalising changed nothing, the very views of the Target.
  std::string_view target;  // path and query, preceded by scheme://host:port in absolute form
  std::string_view path;
  std::string_view query;
  std::string_view domain;  // lower case, no trailing dot; an address in its canonical text
  bool changed = false;     // any of the four differs from what was sent
  bool truncated = false;   // the buffer was too small: the ends are missing
};

// Path: percent-decoded until nothing changes (at most 3 rounds; %uXXXX, overlong UTF-8 and
// fullwidth forms count as encodings, invalid sequences and `+` stay), `\` to `/`, `;…` dropped up
// to the next slash, runs of slashes collapsed, dot segments resolved (RFC 3986, 5.2.4). Query:
// percent-decoded the same way. Userinfo and fragment are dropped, scheme and host lowered.
[[nodiscard]] NormalisedTarget normalise_target(const Target& target, std::span<char> buffer);

}  // namespace imds::http
