#include "alert/community_id.h"

#include <array>
#include <cstring>

#include "base/cursor.h"
#include "sha1.h"

namespace imds::alert {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kSctp = 132;

// RFC 4648, section 4.
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// An address with a port, so that pairs of them compare as the specification wants: byte by byte.
struct Peer {
  const IpAddress& ip;
  std::uint16_t port;

  [[nodiscard]] bool is_before(const Peer& other) const {
    for (std::size_t at = 0; at < sizeof ip.bytes; at += 8) {
      const std::uint64_t mine = load_be64(&ip.bytes[at]);
      const std::uint64_t others = load_be64(&other.ip.bytes[at]);
      if (mine != others) {
        return mine < others;
      }
    }
    return port < other.port;
  }
};

// 20 bytes: six groups of three, and two bytes that end in one '='.
std::string_view write(const Sha1Digest& digest, std::array<char, kCommunityIdText>& room) {
  char* out = room.data();
  *out++ = '1';
  *out++ = ':';
  const auto put = [&out](std::uint32_t group) {
    out[0] = kBase64[group >> 18];
    out[1] = kBase64[group >> 12 & 0x3f];
    out[2] = kBase64[group >> 6 & 0x3f];
    out[3] = kBase64[group & 0x3f];
    out += 4;
  };
  constexpr std::size_t kWhole = SHA_DIGEST_LENGTH / 3 * 3;
  for (std::size_t i = 0; i < kWhole; i += 3) {
    put(std::uint32_t{digest[i]} << 16 | std::uint32_t{digest[i + 1]} << 8 | digest[i + 2]);
  }
  static_assert(SHA_DIGEST_LENGTH - kWhole == 2);
  put(std::uint32_t{digest[kWhole]} << 16 | std::uint32_t{digest[kWhole + 1]} << 8);
  out[-1] = '=';
  return {room.data(), room.size()};
}

}  // namespace

std::string_view community_id(const IpAddress& source, const IpAddress& destination,
                              std::uint8_t ip_protocol, std::uint16_t source_port,
                              std::uint16_t destination_port,
                              std::array<char, kCommunityIdText>& room) {
  if (!source.is_set() || source.family != destination.family || ip_protocol == 0 ||
      ip_protocol == kIcmp || ip_protocol == kIcmpV6) {
    return {};
  }
  const bool with_ports = ip_protocol == kTcp || ip_protocol == kUdp || ip_protocol == kSctp;
  const Peer peers[] = {{source, with_ports ? source_port : std::uint16_t{0}},
                        {destination, with_ports ? destination_port : std::uint16_t{0}}};
  const bool swapped = peers[1].is_before(peers[0]);
  const Peer& low = peers[swapped ? 1 : 0];
  const Peer& high = peers[swapped ? 0 : 1];

  // Seed, addresses, protocol, a zero byte, ports; all in network order.
  std::array<std::uint8_t, 2 + 16 + 16 + 2 + 4 + Sha1::kPadding> input;
  const std::size_t address = source.size();
  std::size_t size = 0;
  input[size++] = 0;
  input[size++] = 0;
  for (const Peer* peer : {&low, &high}) {
    std::memcpy(&input[size], peer->ip.bytes.data(), peer->ip.bytes.size());
    size += address;
  }
  input[size++] = ip_protocol;
  input[size++] = 0;
  if (with_ports) {
    store_be16(&input[size], low.port);
    store_be16(&input[size + 2], high.port);
    size += 4;
  }

  return write(Sha1().finish(input.data(), size), room);
}

}  // namespace imds::alert
