#include "base/address_set.h"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace imds {
namespace {

IpAddress client(std::uint32_t number) {
  return IpAddress::v4(0x0a000000u + number);
}

TEST(AddressSet, HoldsWhatWasAddedUntilItIsRemoved) {
  const auto set = std::make_unique<AddressSet>(SipKey{1, 2});
  EXPECT_TRUE(set->empty());
  EXPECT_FALSE(set->contains(client(1)));
  EXPECT_TRUE(set->add(client(1)));
  EXPECT_TRUE(set->add(*IpAddress::parse("2001:db8::1")));
  EXPECT_TRUE(set->add(client(1))) << "twice is once";
  EXPECT_EQ(set->size(), 2u);
  EXPECT_TRUE(set->contains(client(1)));
  EXPECT_TRUE(set->contains(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(set->contains(client(2)));
  // The same bytes, another family.
  EXPECT_FALSE(set->contains(*IpAddress::parse("a00:1::")));
  set->remove(client(2));
  set->remove(client(1));
  EXPECT_EQ(set->size(), 1u);
  EXPECT_FALSE(set->contains(client(1)));
  EXPECT_FALSE(set->empty());
}

TEST(AddressSet, TakesItsCapacityAndNoMore) {
  const auto set = std::make_unique<AddressSet>(SipKey{3, 4});
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < AddressSet::kCapacity; ++i) {
    taken += set->add(client(i)) ? 1 : 0;
  }
  // A set of eight places that is full is rare.
  EXPECT_GE(taken, AddressSet::kCapacity - 2);
  EXPECT_EQ(set->size(), taken);
  for (std::uint32_t i = 0; set->size() < AddressSet::kCapacity; ++i) {
    (void)set->add(client(1'000'000 + i));
  }
  EXPECT_FALSE(set->add(client(2'000'000)));
  for (std::uint32_t i = 0; i < AddressSet::kCapacity; ++i) {
    set->remove(client(i));
  }
  EXPECT_TRUE(set->add(client(2'000'000)));
}

TEST(AddressSet, MayBeAskedWhileItChanges) {
  const auto set = std::make_unique<AddressSet>(SipKey{5, 6});
  ASSERT_TRUE(set->add(client(7)));
  std::atomic<bool> done{false};
  std::thread asking([&] {
    while (!done) {
      ASSERT_TRUE(set->contains(client(7)));
      ASSERT_FALSE(set->empty());
    }
  });
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    (void)set->add(client(100 + i % 500));
    set->remove(client(100 + (i + 250) % 500));
  }
  done = true;
  asking.join();
}

}  // namespace
}  // namespace imds
