// The name of the server that a TLS client asks for: server_name in its ClientHello (RFC 6066, 3;
// RFC 8446, 4.1.2), and whether that is one of AWS.
//
// Pure functions of the bytes; nothing is kept or allocated. Time is linear in the bytes given.
// Limits: the hello's first record; names of up to 253 bytes. An encrypted ClientHello shows its
// outer name only.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cursor.h"
#include "base/fixed_text.h"

namespace imds::evidence {

inline constexpr std::size_t kLongestServerName = 253;

struct ServerName {
  enum class Status : std::uint8_t {
    found,
    none,        // a ClientHello that asks for no name
    need_more,   // begins like a ClientHello, and what there is of it has no name yet
    unreadable,  // no ClientHello, or one that contradicts itself
  };
  Status status = Status::unreadable;
  FixedText<kLongestServerName> name;  // in lower case, without a dot at its end
};

// `bytes` begin with a TLS record, which may go on behind them.
[[nodiscard]] ServerName read_server_name(ByteSpan bytes);

// A service of AWS: the name is, or lies in, a domain that AWS gives its services' endpoints.
// `name` is in lower case.
[[nodiscard]] bool is_aws_service(std::string_view name);

}  // namespace imds::evidence
