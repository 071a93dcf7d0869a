// Hosts and authorities: taken apart, and whether they are written plainly.
#pragma once

#include <cstdint>
#include <string_view>

namespace imds::http {

struct Authority {
  std::string_view userinfo;  // data() == nullptr without `@`
  std::string_view host;      // brackets kept
  std::string_view port;      // as written, without the colon
};
[[nodiscard]] Authority split_authority(std::string_view text);

// 1 to 65535 in decimal, else 0.
[[nodiscard]] std::uint16_t parse_port(std::string_view digits);

// In place: percent-encoding, lookalikes and the digits and dots of IDNA to ASCII, lower case,
// trailing dots removed. Returns the new size.
[[nodiscard]] std::size_t decode_host(char* text, std::size_t size);

// Normalising would change nothing but case: a name, or an IPv4 address as a canonical dotted quad,
// perhaps with a plain port; no userinfo, no encoding, no bracket, no trailing dot, and no name of
// a service that answers with the address in the name (nip.io). `readable` ≥ text.size() bytes may
// be read from its beginning; with 32 it is quicker.
[[nodiscard]] bool is_plain_authority(std::string_view text, std::size_t readable = 0);

// A host, without port, that is written as normalising would write it.
[[nodiscard]] bool is_normal_host(std::string_view host);

}  // namespace imds::http
