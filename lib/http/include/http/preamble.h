// What a client may say to a proxy or a load balancer before its first request: SOCKS 4, 4a and 5
// (RFC 1928, RFC 1929), and the PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt).
//
// A pure function of the bytes given. Nothing is kept or allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/cursor.h"
#include "http/probe.h"

namespace imds::http {

enum class PreambleKind : std::uint8_t {
  none,
  socks4,          // CONNECT or BIND: the tunnel follows
  socks5_methods,  // the greeting: login or request follow
  socks5_login,    // user name and password
  socks5_request,  // CONNECT or BIND: the tunnel follows
  proxy,           // PROXY header, either version: another message follows
};

struct Preamble {
  Probe verdict = Probe::no;
  // With yes:
  PreambleKind kind = PreambleKind::none;
  std::size_t size = 0;  // bytes of the message
  // Where a SOCKS request wants to go: an address, or else a name.
  IpAddress address;
  std::string_view name;
};

// One message at the front of `bytes`, which begin the stream or follow a message of kind `before`.
// UDP associations are none. Messages that
// are longer than kLongestPreamble are not believed in.
inline constexpr std::size_t kLongestPreamble = 600;
[[nodiscard]] Preamble read_preamble(ByteSpan bytes, PreambleKind before);

}  // namespace imds::http
