#include "alert/community_id.h"

#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/cursor.h"

namespace imds::alert {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kSctp = 132;

}  // namespace

std::string community_id(const IpAddress& source, const IpAddress& destination,
                         std::uint8_t ip_protocol, std::uint16_t source_port,
                         std::uint16_t destination_port) {
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

  std::array<std::uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1(input.data(), size, digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), digest.size());
  return "1:" + std::string(reinterpret_cast<const char*>(encoded.data()),
                            static_cast<std::size_t>(length));
}

}  // namespace imds::alert
