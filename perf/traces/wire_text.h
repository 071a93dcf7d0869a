// Messages of TLS, QUIC and DNS as bytes: what packets of a trace begin with. Everything behind
// that is encrypted in reality, and noise here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "random.h"

namespace imds::traces {

// RFC 8446 5.1: type, version 1.2, length.
[[nodiscard]] std::string tls_record_header(std::uint8_t type, std::size_t size);
// A record of a TLS 1.3 ClientHello with server name, padded to `size` bytes (517: as browsers).
[[nodiscard]] std::string client_hello(Random& random, std::size_t size = 517);
// The answer, and a ChangeCipherSpec for the sake of middleboxes (RFC 8446 appendix D.4).
[[nodiscard]] std::string server_hello(Random& random);
[[nodiscard]] std::string change_cipher_spec();

// RFC 9000 17.2: Initial (first byte 0xc0) or Handshake (0xe0) of a datagram of `datagram` bytes.
[[nodiscard]] std::string quic_long_header(unsigned first, std::string_view destination,
                                           std::string_view source, std::size_t datagram);

struct DnsExchange {
  std::string question;
  std::string answer;
};
// An A query with one to four addresses in the answer (RFC 1035).
[[nodiscard]] DnsExchange dns_exchange(Random& random);

}  // namespace imds::traces
