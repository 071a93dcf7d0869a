#include "flow/key.h"

#include <set>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

packet::PacketView view(std::string_view source, std::uint16_t source_port,
                        std::string_view destination, std::uint16_t destination_port,
                        std::uint8_t protocol = 6) {
  packet::PacketView v;
  v.source = IpAddress::parse(source).value();
  v.destination = IpAddress::parse(destination).value();
  v.source_port = source_port;
  v.destination_port = destination_port;
  v.protocol = protocol;
  return v;
}

packet::PacketView reversed(packet::PacketView v) {
  std::swap(v.source, v.destination);
  std::swap(v.source_port, v.destination_port);
  return v;
}

Key key_of(const packet::PacketView& v, KeyOptions options = {}) {
  Key key;
  make_key(v, options, key);
  return key;
}

TEST(KeyTest, BothDirectionsGiveTheSameKey) {
  for (const packet::PacketView& v : {
           view("10.0.0.1", 40000, "169.254.169.254", 80),
           view("169.254.169.254", 80, "10.0.0.1", 40000),
           view("10.0.0.1", 1, "10.0.0.1", 2),
           view("fd00:ec2::254", 80, "fe80::1", 40000),
           view("::1", 80, "::2", 80),
           view("1::", 80, "1::1", 80),
       }) {
    Key there;
    Key back;
    const Direction d = make_key(v, {}, there);
    EXPECT_EQ(make_key(reversed(v), {}, back), opposite(d));
    EXPECT_EQ(there, back);
    const bool from_lower = d == Direction::from_lower;
    EXPECT_EQ(from_lower ? there.lower() : there.higher(), v.source);
    EXPECT_EQ(from_lower ? there.higher() : there.lower(), v.destination);
    EXPECT_EQ(from_lower ? there.lower_port : there.higher_port, v.source_port);
    EXPECT_EQ(there.protocol(), 6);
    EXPECT_EQ(there.is_v6(), v.source.is_v6());
  }
}

TEST(KeyTest, TheLowerAddressThenTheLowerPortComesFirst) {
  Key key;
  EXPECT_EQ(make_key(view("1.0.0.0", 9, "0.0.0.255", 1), {}, key), Direction::from_higher);
  EXPECT_EQ(make_key(view("10.0.0.1", 9, "10.0.0.1", 10), {}, key), Direction::from_lower);
  EXPECT_EQ(key.lower_port, 9);
  EXPECT_EQ(make_key(view("10.0.0.1", 7, "10.0.0.1", 7), {}, key), Direction::from_lower);
}

TEST(KeyTest, EveryPartDistinguishes) {
  std::vector<packet::PacketView> views = {
      view("10.0.0.1", 1, "10.0.0.2", 2),         view("10.0.0.1", 1, "10.0.0.3", 2),
      view("10.0.0.1", 1, "10.0.0.2", 3),         view("10.0.0.1", 2, "10.0.0.2", 1),
      view("10.0.0.1", 1, "10.0.0.2", 2, 17),     view("a00:1::", 1, "a00:2::", 2),
      view("a00:1::", 1, "a00:2:0:0:0:0:0:1", 2),
  };
  const auto with_vlans = [](std::vector<std::uint16_t> ids) {
    packet::PacketView v = view("10.0.0.1", 1, "10.0.0.2", 2);
    for (const std::uint16_t id : ids) {
      v.vlan.ids[v.vlan.count++] = id;
    }
    return v;
  };
  for (const auto& ids : std::vector<std::vector<std::uint16_t>>{
           {0}, {0, 0}, {5}, {5, 6}, {6, 5}, {4095}, {1, 2, 3, 4}, {1, 2, 3, 5}}) {
    views.push_back(with_vlans(ids));
  }
  views.push_back(view("10.0.0.1", 1, "10.0.0.2", 2));
  views.back().vni = 77;
  for (std::size_t i = 0; i < views.size(); ++i) {
    for (std::size_t j = 0; j < views.size(); ++j) {
      EXPECT_EQ(key_of(views[i]) == key_of(views[j]), i == j) << i << ' ' << j;
    }
    EXPECT_EQ(key_of(views[i]).vlan(), views[i].vlan);
  }
}

TEST(KeyTest, VlanAndVniCanBeLeftOut) {
  packet::PacketView tagged = view("10.0.0.1", 1, "10.0.0.2", 2);
  const packet::PacketView plain = tagged;
  tagged.vlan.ids[0] = 100;
  tagged.vlan.count = 1;
  tagged.vni = 9;
  EXPECT_EQ(key_of(tagged, {false, false}), key_of(plain));
  EXPECT_FALSE(key_of(tagged, {true, false}) == key_of(plain));
  EXPECT_FALSE(key_of(tagged, {false, true}) == key_of(plain));
}

// Different keys, different hashes: each part takes part, for IPv4 and for IPv6.
TEST(HashTest, EveryPartTakesPart) {
  const HashSecret secret = HashSecret::from_seed(3);
  std::vector<packet::PacketView> views;
  for (const char* const lower : {"10.0.0.1", "2001:db8::1"}) {
    const char* const higher = lower[0] == '1' ? "10.0.0.2" : "2001:db8::2";
    const packet::PacketView one = view(lower, 1, higher, 2);
    views.push_back(one);
    views.push_back(view(lower, 3, higher, 2));
    views.push_back(view(lower, 1, higher, 3));
    views.push_back(view(lower, 2, higher, 1));
    views.push_back(view(lower, 1, lower, 2));
    views.push_back(view(higher, 1, higher, 2));
    views.push_back(view(lower, 1, higher, 2, 17));
    views.push_back(one);
    views.back().vni = 1;
    views.push_back(one);
    views.back().vlan.ids[views.back().vlan.count++] = 7;
    views.push_back(views.back());
    views.back().vlan.ids[views.back().vlan.count++] = 7;
  }
  std::set<std::uint64_t> hashes;
  for (const packet::PacketView& each : views) {
    hashes.insert(hash(key_of(each), secret));
  }
  EXPECT_EQ(hashes.size(), views.size());
}

// How many of `keys` share a bucket of `buckets` with another, against what chance would give.
double crowding(const std::vector<Key>& keys, const HashSecret& secret, std::uint32_t shift) {
  constexpr std::uint32_t kBuckets = 1u << 12;
  std::vector<std::uint32_t> counts(kBuckets);
  for (const Key& key : keys) {
    ++counts[(hash(key, secret) >> shift) % kBuckets];
  }
  const double expected = static_cast<double>(keys.size()) / kBuckets;
  double chi_square = 0;
  for (const std::uint32_t count : counts) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  return chi_square / (kBuckets - 1);
}

// Networks count upwards: clients, servers and ports one after the other. All bits the table uses
// fill evenly, whatever the secret.
TEST(HashTest, StructuredFlowsFillEvenly) {
  for (const bool is_v6 : {false, true}) {
    const char* const clients = is_v6 ? "2001:db8::" : "10.0.0.0";
    const char* const servers = is_v6 ? "2001:db8:1::" : "192.0.2.0";
    const std::size_t last = is_v6 ? 15 : 3;
    std::vector<Key> many_clients;
    std::vector<Key> many_ports;
    std::vector<Key> grid;
    for (std::uint32_t i = 0; i < 1u << 16; ++i) {
      packet::PacketView v = view(clients, 40000, servers, 443);
      v.source.bytes[last - 2] = static_cast<std::uint8_t>(i >> 8);
      v.source.bytes[last] = static_cast<std::uint8_t>(i);
      many_clients.push_back(key_of(v));
      many_ports.push_back(key_of(view(clients, static_cast<std::uint16_t>(i), servers, 443)));
      v = view(clients, static_cast<std::uint16_t>(1024 + i / 4096), servers, 80);
      v.source.bytes[last] = static_cast<std::uint8_t>(i % 64);
      v.destination.bytes[last] = static_cast<std::uint8_t>(i / 64 % 64);
      grid.push_back(key_of(v));
    }
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const HashSecret secret = HashSecret::from_seed(seed);
      for (const auto* const keys : {&many_clients, &many_ports, &grid}) {
        for (const std::uint32_t shift : {0u, 22u, 48u}) {
          EXPECT_LT(crowding(*keys, secret, shift), 1.15)
              << is_v6 << ", seed " << seed << ", shift " << shift;
        }
      }
    }
  }
}

TEST(HashTest, DependsOnTheSecretAndSpreads) {
  const HashSecret one = HashSecret::from_seed(1);
  EXPECT_EQ(hash(key_of(view("10.0.0.1", 1, "10.0.0.2", 2)), one),
            hash(key_of(view("10.0.0.2", 2, "10.0.0.1", 1)), one));
  EXPECT_NE(HashSecret::random().words, HashSecret::random().words);
  // Neighbouring keys: low bits, middle bits and signature bits each nearly all different.
  std::set<std::uint64_t> low;
  std::set<std::uint64_t> middle;
  std::set<std::uint64_t> top;
  constexpr unsigned kKeys = 4096;
  int same = 0;
  for (unsigned i = 0; i < kKeys; ++i) {
    const Key key = key_of(view("10.0.0.1", static_cast<std::uint16_t>(i), "10.0.0.2", 80));
    const std::uint64_t h = hash(key, one);
    same += h == hash(key, HashSecret::from_seed(2)) ? 1 : 0;
    low.insert(h & 0xfffff);
    middle.insert(h >> 22 & 0xfffff);
    top.insert(h >> 48);
  }
  EXPECT_EQ(same, 0);
  EXPECT_GT(low.size(), kKeys * 98 / 100);
  EXPECT_GT(middle.size(), kKeys * 98 / 100);
  EXPECT_GT(top.size(), kKeys * 90 / 100);
}

}  // namespace
}  // namespace imds::flow
