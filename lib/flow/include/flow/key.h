// The name of a flow: the whole canonical 5-tuple, and by option the VLAN stack and the tunnel's
// network identifier. Both directions of a flow give the same key.
//
// Plain values without padding: comparing or hashing the object's bytes is sound. Threads: none
// of this is shared state, except HashSecret, which is constant after creation.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>
#include <type_traits>

#include "base/address.h"
#include "base/cursor.h"
#include "packet/plain.h"
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

  // Equality of all bytes, without a branch before the last.
  friend bool operator==(const Key& a, const Key& b) {
    const auto* const left = reinterpret_cast<const __m128i*>(&a);
    const auto* const right = reinterpret_cast<const __m128i*>(&b);
    const auto equal = [&](int i) {
      return _mm_cmpeq_epi8(_mm_load_si128(left + i), _mm_load_si128(right + i));
    };
    const __m128i all = _mm_and_si128(_mm_and_si128(equal(0), equal(1)), equal(2));
    return _mm_movemask_epi8(all) == 0xffff;
  }

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

// The same key and direction from a packet read the short way.
inline Direction make_key(const packet::PlainPacket& packet, KeyOptions options, Key& key);

// What fragments of one datagram have in common, which is one direction only: `lower` is the
// source, the two ports hold the identification, the protocol takes part in IPv4 alone (RFC 791,
// RFC 8200 4.5). VLAN stack and virtual network always do; without one, the innermost tunnel's id
// stands for it, unless that is an MPLS label, which may differ per packet.
[[nodiscard]] Key make_fragment_key(const packet::PacketView& view);

// `kind` of a key: all but the VLAN stack, and the stack's bits in it.
[[nodiscard]] constexpr std::uint64_t key_kind(std::uint8_t protocol, bool is_v6) {
  return std::uint64_t{protocol} | (is_v6 ? 0x100u : 0u);
}
[[nodiscard]] std::uint64_t key_vlan(const packet::VlanStack& vlan);

// Whether the peer (a, a_port) compares lower than, or the same as, (b, b_port).
[[nodiscard]] inline bool is_lower_v6(const std::uint8_t* a, std::uint16_t a_port,
                                      const std::uint8_t* b, std::uint16_t b_port) {
  for (std::size_t word = 0; word < 16; word += sizeof(std::uint64_t)) {
    const std::uint64_t left = load_be64(a + word);
    const std::uint64_t right = load_be64(b + word);
    if (left != right) {
      return left < right;
    }
  }
  return a_port <= b_port;
}

// Ports (the lower peer's in the lower half) and network identifier in one piece, as hash() reads
// them: a load that spans several stores just made waits for them.
inline void set_ports(Key& key, std::uint64_t ports) {
  static_assert(offsetof(Key, kind) - offsetof(Key, lower_port) == sizeof ports);
  std::memcpy(reinterpret_cast<char*>(&key) + offsetof(Key, lower_port), &ports, sizeof ports);
}

// What hash() reads of an IPv4 key.
struct PeersV4 {
  std::uint64_t addresses;  // as they lie in memory: the lower peer's in the lower half
  std::uint64_t ports;      // and network identifier, as in the key
};

// Of IPv4 and IPv6, without the VLAN stack.
[[gnu::always_inline]] inline Direction make_key_v4(const packet::PlainPacket& packet, Key& key,
                                                    PeersV4& peers) {
  std::uint64_t wire;
  std::memcpy(&wire, packet.source, sizeof wire);  // the destination's lies behind it
  const std::uint64_t order = load_be64(packet.source);
  const std::uint64_t source = order >> 32;
  const std::uint64_t destination = order & 0xffffffff;
  bool forward = source < destination;
  if (source == destination) [[unlikely]] {
    forward = packet.source_port() <= packet.destination_port();
  }
  // Turned by a number of bits, not by a branch: which peer sends nobody can predict.
  const int turn = static_cast<int>(!forward) * 32;
  peers.addresses = std::rotl(wire, turn);
  peers.ports = std::rotl(packet.ports, 16 + turn / 2);  // or by all of it
  const auto store = [](std::array<std::uint8_t, 16>& to, std::uint64_t address) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to.data()),
                    _mm_cvtsi32_si128(static_cast<int>(address)));
  };
  store(key.lower_address, peers.addresses);
  store(key.higher_address, peers.addresses >> 32);
  set_ports(key, peers.ports);
  key.kind = key_kind(static_cast<std::uint8_t>(packet.protocol), false);
  return forward ? Direction::from_lower : Direction::from_higher;
}

inline Direction make_key_v6(const packet::PlainPacket& packet, Key& key) {
  const bool forward = is_lower_v6(packet.source, packet.source_port(), packet.destination,
                                   packet.destination_port());
  std::memcpy(key.lower_address.data(), forward ? packet.source : packet.destination, 16);
  std::memcpy(key.higher_address.data(), forward ? packet.destination : packet.source, 16);
  const std::uint32_t straight = std::rotl(packet.ports, 16);
  set_ports(key, forward ? straight : packet.ports);
  key.kind = key_kind(static_cast<std::uint8_t>(packet.protocol), true);
  return forward ? Direction::from_lower : Direction::from_higher;
}

inline Direction make_key(const packet::PlainPacket& packet, KeyOptions options, Key& key) {
  PeersV4 peers;
  const Direction direction =
      packet.is_v6 ? make_key_v6(packet, key) : make_key_v4(packet, key, peers);
  if (packet.vlan_count != 0 && options.vlan) [[unlikely]] {
    key.kind |= key_vlan(packet.vlan());
  }
  return direction;
}

// Random numbers a hash depends on, drawn once per process, so that nobody outside can choose
// packets whose flows crowd one bucket.
struct HashSecret {
  std::array<std::uint64_t, 6> words{};

  [[nodiscard]] static HashSecret random();
  // Repeatable, for tests and benchmarks.
  [[nodiscard]] static HashSecret from_seed(std::uint64_t seed);
};

// Both halves of a product, 64×64→128 bits.
struct Product {
  std::uint64_t low;
  std::uint64_t high;

  [[nodiscard]] std::uint64_t folded() const { return low ^ high; }
};
[[nodiscard]] inline Product product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide wide = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(wide), static_cast<std::uint64_t>(wide >> 64)};
}

// Products of secret-offset key words, folded. Unlike a CRC with a seed, whose collisions are the
// same for every seed, which keys collide depends on the secret. An IPv4 key has its peers in two
// words, an IPv6 one in five; one product alone does not spread neighbouring flows evenly.
[[nodiscard]] inline std::uint64_t hash_v4(const PeersV4& peers, std::uint64_t kind,
                                           const HashSecret& secret) {
  const Product first = product(peers.addresses ^ secret.words[0], peers.ports ^ secret.words[1]);
  return product(first.low ^ kind ^ secret.words[2], first.high ^ secret.words[3]).folded();
}

[[nodiscard]] inline std::uint64_t hash(const Key& key, const HashSecret& secret) {
  static_assert(sizeof key == sizeof secret.words);
  // Word by word, straight from where they were stored.
  const auto word = [&](std::size_t i) {
    std::uint64_t value;
    std::memcpy(&value, reinterpret_cast<const char*>(&key) + i * sizeof value, sizeof value);
    return value;
  };
  if (!key.is_v6()) {
    return hash_v4({word(0) | word(2) << 32, word(4)}, word(5), secret);
  }
  const auto fold = [&](std::size_t i) {
    return product(word(i) ^ secret.words[i], word(i + 1) ^ secret.words[i + 1]).folded();
  };
  std::uint64_t h = fold(0) + fold(2) + fold(4);
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

}  // namespace imds::flow
