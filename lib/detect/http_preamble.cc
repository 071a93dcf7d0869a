// What clients say to a proxy before their requests.
#include <arpa/inet.h>
#include <array>

#include "detect/inspector.h"

namespace imds::detect {

namespace {

constexpr std::size_t kLongestHost = http::kLongestPreamble;
static_assert(kLongestHost >= INET6_ADDRSTRLEN);

}  // namespace

// A message to a proxy ends here; what it says of its target serves the first request behind it.
ByteSpan Inspector::pass_preamble(const Step& step, const http::Preamble& preamble,
                                  ByteSpan bytes) {
  DirectionState& stream = step.stream;
  counters_.proxy_preambles.add();
  std::array<char, kLongestHost> name{};
  std::string_view host;
  if (preamble.address.is_set()) {
    const bool v4 = preamble.address.is_v4();
    inet_ntop(v4 ? AF_INET : AF_INET6, preamble.address.bytes.data(), name.data(), name.size());
    host = name.data();
  } else {
    host = {name.data(), preamble.name.copy(name.data(), name.size())};
  }
  restart_probe(stream, false);
  stream.preamble = preamble.kind;
  if (!host.empty()) {
    (void)keep(step, stream.side,
               {reinterpret_cast<const std::uint8_t*>(host.data()), host.size()});
  }
  return bytes;
}

// Where the SOCKS request in front of the stream's first request went; empty without.
std::string_view Inspector::tunnel_host(const DirectionState& stream) {
  if (stream.preamble == http::PreambleKind::none || stream.side_active ||
      stream.side.buffer.empty()) {
    return {};
  }
  const ByteSpan host = arena_.bytes(stream.side.buffer);
  return {reinterpret_cast<const char*>(host.data()), host.size()};
}

void Inspector::forget_tunnel(DirectionState& stream) {
  if (stream.preamble != http::PreambleKind::none) {
    stream.preamble = http::PreambleKind::none;
    if (!stream.side_active) {
      arena_.release(stream.side.buffer);
    }
  }
}

}  // namespace imds::detect
