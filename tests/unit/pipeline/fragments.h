// Packets cut into IP fragments.
#pragma once

#include <string>
#include <vector>

#include "fixture.h"

namespace imds::pipeline {

struct Ends {
  std::string source = "10.0.0.1";
  std::string destination = "169.254.169.254";

  [[nodiscard]] bool is_v6() const { return source.find(':') != std::string::npos; }
  [[nodiscard]] support::PacketBuilder ip(bool ethernet = true) const {
    support::PacketBuilder builder;
    if (ethernet) {
      builder.ethernet();
    }
    if (is_v6()) {
      builder.ipv6(source, destination);
    } else {
      builder.ipv4(source, destination);
    }
    return builder;
  }
};

inline const Ends kToImds6{"2001:db8::1", "fd00:ec2::254"};

// The fragment that carries `bytes` at `offset`.
inline support::Bytes fragment_of(const Ends& ends, unsigned offset, bool more,
                                  const support::Bytes& bytes, unsigned protocol = 6,
                                  unsigned id = 9, bool ethernet = true) {
  support::PacketBuilder builder = ends.ip(ethernet);
  if (ends.is_v6()) {
    builder.ipv6_fragment(offset, more, id);
  } else {
    builder.ip_id(id).ipv4_fragment(offset, more);
  }
  return builder.next(protocol).bytes(bytes).build();
}

// What `ends.ip()` would carry for a TCP segment.
inline support::Bytes segment(const Ends& ends, std::string_view payload, unsigned client_port) {
  const support::Bytes packet = ends.ip(false).tcp(client_port, 80).seq(1).payload(payload).build();
  return {packet.begin() + (ends.is_v6() ? 40 : 20), packet.end()};
}

inline std::vector<support::Bytes> fragments_of(const Ends& ends, const support::Bytes& payload,
                                                std::size_t size, unsigned protocol = 6,
                                                unsigned id = 9, bool ethernet = true) {
  std::vector<support::Bytes> out;
  for (std::size_t at = 0; at < payload.size(); at += size) {
    const std::size_t end = std::min(at + size, payload.size());
    const support::Bytes piece(payload.begin() + static_cast<std::ptrdiff_t>(at),
                               payload.begin() + static_cast<std::ptrdiff_t>(end));
    out.push_back(fragment_of(ends, static_cast<unsigned>(at), end < payload.size(), piece,
                              protocol, id, ethernet));
  }
  return out;
}

}  // namespace imds::pipeline
