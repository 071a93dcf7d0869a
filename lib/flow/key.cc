#include "flow/key.h"

#include <algorithm>
#include <random>

#include "base/cursor.h"
#include "base/random.h"

namespace imds::flow {

namespace {

constexpr unsigned kVlanCountBit = 9;
constexpr unsigned kVlanIdBit = 12;
constexpr unsigned kVlanIdWidth = 12;
static_assert(kVlanIdBit + packet::kMaxVlanTags * kVlanIdWidth <= 64);

bool has_stable_tunnel_id(const Tunnel& tunnel) {
  if (!tunnel.has_id || tunnel.path.count == 0) {
    return false;
  }
  const TunnelKind last = tunnel.path.kinds[tunnel.path.count - 1];
  return last != TunnelKind::mpls && last != TunnelKind::ethernet_pseudowire;
}

// Whether the source is the lower peer.
bool source_is_lower(const packet::PacketView& view) {
  return is_lower_v6(view.source.bytes.data(), view.source_port, view.destination.bytes.data(),
                     view.destination_port);
}

}  // namespace

std::uint64_t key_vlan(const packet::VlanStack& vlan) {
  const auto count = std::min<std::size_t>(vlan.count, packet::kMaxVlanTags);
  std::uint64_t packed = std::uint64_t{count} << kVlanCountBit;
  for (std::size_t i = 0; i < count; ++i) {
    packed |= std::uint64_t{static_cast<std::uint16_t>(vlan.ids[i] & packet::kVlanIdMask)}
              << (kVlanIdBit + i * kVlanIdWidth);
  }
  return packed;
}

packet::VlanStack Key::vlan() const {
  packet::VlanStack stack;
  stack.count = static_cast<std::uint8_t>((kind >> kVlanCountBit) & 7);
  for (std::size_t i = 0; i < stack.count; ++i) {
    stack.ids[i] =
        static_cast<std::uint16_t>((kind >> (kVlanIdBit + i * kVlanIdWidth)) & packet::kVlanIdMask);
  }
  return stack;
}

Direction make_key(const packet::PacketView& view, KeyOptions options, Key& key) {
  const bool forward = source_is_lower(view);
  key.lower_address = forward ? view.source.bytes : view.destination.bytes;
  key.higher_address = forward ? view.destination.bytes : view.source.bytes;
  key.lower_port = forward ? view.source_port : view.destination_port;
  key.higher_port = forward ? view.destination_port : view.source_port;
  key.vni = options.vni ? view.vni : 0;
  key.kind = key_kind(view.protocol, view.source.is_v6());
  if (options.vlan && view.vlan.count != 0) {
    key.kind |= key_vlan(view.vlan);
  }
  return forward ? Direction::from_lower : Direction::from_higher;
}

Key make_fragment_key(const packet::PacketView& view) {
  const bool is_v6 = view.source.is_v6();
  Key key;
  key.lower_address = view.source.bytes;
  key.higher_address = view.destination.bytes;
  key.lower_port = static_cast<std::uint16_t>(view.fragment.id >> 16);
  key.higher_port = static_cast<std::uint16_t>(view.fragment.id);
  key.vni = view.vni == 0 && has_stable_tunnel_id(view.tunnel) ? view.tunnel.id : view.vni;
  key.kind = key_kind(is_v6 ? std::uint8_t{0} : view.protocol, is_v6);
  key.kind |= key_vlan(view.vlan);
  return key;
}

HashSecret HashSecret::random() {
  HashSecret secret;
  fill_random(secret.words);
  return secret;
}

HashSecret HashSecret::from_seed(std::uint64_t seed) {
  HashSecret secret;
  std::mt19937_64 generator(seed);
  for (std::uint64_t& word : secret.words) {
    word = generator();
  }
  return secret;
}

}  // namespace imds::flow
