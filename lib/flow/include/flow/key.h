// The name of a flow: the whole canonical 5-tuple, and by option the VLAN stack and the tunnel's
// network identifier. Both directions of a flow give the same key.
//
// Plain values without padding: comparing or hashing the object's bytes is sound. Threads: none
// of this is shared state, except HashSecret, which is constant after creation.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/address.h"
#include "packet/view.h"

namespace imds::flow {

struct KeyOptions {
  bool vlan = true;  // the whole VLAN stack takes part, outermost to innermost
  bool vni = true;   // the VXLAN/GENEVE network identifier takes part
};

// Which of the key's two peers sent a packet. Also the index of per-direction state.
enum class Direction : std::uint8_t { from_lower = 0, from_higher = 1 };

[[nodiscard]] constexpr Direction opposite(Direction d) {
  return d == Direction::from_lower ? Direction::from_higher : Direction::from_lower;
}
[[nodiscard]] constexpr unsigned index(Direction d) {
  return static_cast<unsigned>(d);
}

// "Lower" is the peer whose (address, port) compares lower as big-endian bytes, then number.
struct alignas(16) Key {
  std::array<std::uint8_t, 16> lower_address{};  // as IpAddress::bytes
  std::array<std::uint8_t, 16> higher_address{};
  std::uint16_t lower_port = 0;  // host order
  std::uint16_t higher_port = 0;
  std::uint32_t vni = 0;
  // protocol (8 bits), address is IPv6 (1), VLAN tag count (3), then four 12-bit VLAN ids.
  std::uint64_t kind = 0;

  [[nodiscard]] std::uint8_t protocol() const { return static_cast<std::uint8_t>(kind); }
  [[nodiscard]] bool is_v6() const { return ((kind >> 8) & 1) != 0; }
  [[nodiscard]] packet::VlanStack vlan() const;
  [[nodiscard]] IpAddress lower() const { return address(lower_address); }
  [[nodiscard]] IpAddress higher() const { return address(higher_address); }

  friend bool operator==(const Key& a, const Key& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

 private:
  [[nodiscard]] IpAddress address(const std::array<std::uint8_t, 16>& bytes) const {
    return {bytes, is_v6() ? AddressFamily::ipv6 : AddressFamily::ipv4};
  }
};
static_assert(sizeof(Key) == 48);
static_assert(std::has_unique_object_representations_v<Key>);

// Needs view.is_ip(). Writes all of `key` and says which peer sent the packet. When both peers
// are the same (address, port), every packet counts as from_lower.
Direction make_key(const packet::PacketView& view, KeyOptions options, Key& key);

// What fragments of one datagram have in common, which is one direction only: `lower` is the
// source, the two ports hold the identification, the protocol takes part in IPv4 alone (RFC 791,
// RFC 8200 4.5). VLAN stack and virtual network always do; without one, the innermost tunnel's id
// stands for it, unless that is an MPLS label, which may differ per packet.
[[nodiscard]] Key make_fragment_key(const packet::PacketView& view);

// Random numbers a hash depends on, drawn once per process, so that nobody outside can choose
// packets whose flows crowd one bucket.
struct HashSecret {
  std::array<std::uint64_t, 6> words{};

  [[nodiscard]] static HashSecret random();
  // Repeatable, for tests and benchmarks.
  [[nodiscard]] static HashSecret from_seed(std::uint64_t seed);
};

// Three independent 64×64→128-bit products of secret-offset key words, folded. Unlike a CRC with a
// seed, whose collisions are the same for every seed, which keys collide depends on the secret.
[[nodiscard]] inline std::uint64_t hash(const Key& key, const HashSecret& secret) {
  std::array<std::uint64_t, 6> w;
  static_assert(sizeof w == sizeof key);
  std::memcpy(w.data(), &key, sizeof w);
  const auto fold = [&](std::size_t i) {
    __extension__ using Wide = unsigned __int128;
    const Wide product =
        static_cast<Wide>(w[i] ^ secret.words[i]) * (w[i + 1] ^ secret.words[i + 1]);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::uint64_t h = fold(0) + fold(2) + fold(4);
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

}  // namespace imds::flow
