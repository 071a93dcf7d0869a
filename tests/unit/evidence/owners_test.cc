#include "evidence/owners.h"

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

const MacAddress kFirst{{2, 0, 0, 0, 0, 1}};
const MacAddress kSecond{{2, 0, 0, 0, 0, 2}};

OwnerKey key(std::uint32_t address, std::uint16_t vlan = 0) {
  OwnerKey key;
  key.address = IpAddress::v4(address);
  key.vlan_count = vlan != 0 ? 1 : 0;
  key.vlans[0] = vlan;
  return key;
}

Timestamp at(std::int64_t seconds) {
  return {seconds * kNanosPerSecond};
}

TEST(Owners, TellTheFirstAndEveryOther) {
  Owners owners({});
  EXPECT_TRUE(owners.note(key(1), kFirst, at(0)).is_new);
  const auto again = owners.note(key(1), kFirst, at(1));
  EXPECT_FALSE(again.is_new);
  EXPECT_FALSE(again.changed());
  EXPECT_EQ(owners.note(key(1), kSecond, at(2)).previous, kFirst);
  EXPECT_EQ(owners.note(key(1), kFirst, at(3)).previous, kSecond) << "each change counts";
}

TEST(Owners, KeepKeysApart) {
  Owners owners({});
  EXPECT_TRUE(owners.note(key(1), kFirst, at(0)).is_new);
  EXPECT_TRUE(owners.note(key(2), kFirst, at(0)).is_new);
  EXPECT_TRUE(owners.note(key(1, 7), kFirst, at(0)).is_new);
  OwnerKey other = key(1);
  other.role = 1;
  EXPECT_TRUE(owners.note(other, kFirst, at(0)).is_new);
  other.vni = 1;
  EXPECT_TRUE(owners.note(other, kFirst, at(0)).is_new);
  EXPECT_EQ(owners.counters().entries.get(), 5u);
}

TEST(Owners, ForgetWhatWasNotSeenForLong) {
  Owners owners({.forget_after_ns = 10 * kNanosPerSecond});
  EXPECT_TRUE(owners.note(key(1), kFirst, at(0)).is_new);
  EXPECT_FALSE(owners.note(key(1), kFirst, at(10)).is_new);
  EXPECT_FALSE(owners.note(key(1), kFirst, at(5)).is_new) << "time went backwards";
  EXPECT_FALSE(owners.note(key(1), kFirst, at(20)).is_new);
  EXPECT_TRUE(owners.note(key(1), kFirst, at(31)).is_new);
}

TEST(Owners, MakeRoomAtTheCapacityAndCountIt) {
  Owners owners({.entries = 8});
  EXPECT_EQ(owners.capacity(), 8u);
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(owners.note(key(i), kFirst, at(i)).is_new);
  }
  EXPECT_EQ(owners.counters().evicted.get(), 0u);
  EXPECT_TRUE(owners.note(key(100), kFirst, at(100)).is_new);
  EXPECT_EQ(owners.counters().evicted.get(), 1u);
  EXPECT_EQ(owners.counters().entries.get(), 8u);
  EXPECT_FALSE(owners.note(key(7), kFirst, at(101)).is_new);
  EXPECT_TRUE(owners.note(key(0), kFirst, at(102)).is_new) << "the one unused longest went";
}

}  // namespace
}  // namespace imds::evidence
