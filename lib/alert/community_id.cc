#include "alert/community_id.h"

#include <array>
#include <cstring>
#include <tuple>
#include <utility>

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

// 20 bytes: six groups of three, and two bytes that end in one '='.
std::string_view write(const Sha1Digest& digest, std::array<char, kCommunityIdText>& room) {
  char* out = room.data();
  *out++ = '1';
  *out++ = ':';
  const auto put = [&out](std::uint32_t group, int characters) {
    for (int i = 0; i < characters; ++i) {
      *out++ = kBase64[group >> (18 - 6 * i) & 0x3f];
    }
  };
  constexpr std::size_t kWhole = SHA_DIGEST_LENGTH / 3 * 3;
  for (std::size_t i = 0; i < kWhole; i += 3) {
    put(std::uint32_t{digest[i]} << 16 | std::uint32_t{digest[i + 1]} << 8 | digest[i + 2], 4);
  }
  static_assert(SHA_DIGEST_LENGTH - kWhole == 2);
  put(std::uint32_t{digest[kWhole]} << 16 | std::uint32_t{digest[kWhole + 1]} << 8, 3);
  *out = '=';
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
  auto low = std::pair(source, with_ports ? source_port : std::uint16_t{0});
  auto high = std::pair(destination, with_ports ? destination_port : std::uint16_t{0});
  if (high < low) {
    std::swap(low, high);
  }

  // Seed, addresses, protocol, a zero byte, ports; all in network order.
  std::array<std::uint8_t, 2 + 16 + 16 + 2 + 4> input{};
  std::size_t size = 2;
  for (const auto* peer : {&low, &high}) {
    std::memcpy(&input[size], peer->first.bytes.data(), peer->first.size());
    size += peer->first.size();
  }
  input[size] = ip_protocol;
  size += 2;
  if (with_ports) {
    store_be16(&input[size], low.second);
    store_be16(&input[size + 2], high.second);
    size += 4;
  }

  Sha1 hash;
  hash.add(input.data(), size);
  return write(hash.finish(), room);
}

}  // namespace imds::alert
