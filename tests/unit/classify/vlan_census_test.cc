#include "classify/vlan_census.h"

#include <thread>

#include <gtest/gtest.h>

namespace imds::classify {
namespace {

packet::VlanStack stack(std::initializer_list<unsigned> ids) {
  packet::VlanStack s;
  for (const unsigned id : ids) {
    s.ids[s.count++] = static_cast<std::uint16_t>(id);
  }
  return s;
}

TEST(VlanCensus, StartsEmpty) {
  const VlanCensus census;
  EXPECT_TRUE(census.snapshot().ids.none());
  EXPECT_FALSE(census.snapshot().untagged);
}

TEST(VlanCensus, NotesEveryTagAndUntagged) {
  VlanCensus census;
  census.note(stack({100, 200}));
  census.note(stack({4095}));
  census.note(stack({63}));
  census.note(stack({64}));
  census.note(stack({100}));
  VlanCensus::Snapshot seen = census.snapshot();
  EXPECT_EQ(seen.ids.count(), 5u);
  for (const unsigned id : {63u, 64u, 100u, 200u, 4095u}) {
    EXPECT_TRUE(seen.ids[id]) << id;
  }
  EXPECT_FALSE(seen.untagged);
  census.note(stack({}));
  seen = census.snapshot();
  EXPECT_TRUE(seen.untagged);
  EXPECT_EQ(seen.ids.count(), 5u);
}

TEST(VlanCensus, SnapshotsOfSeveralWorkersMerge) {
  VlanCensus a;
  VlanCensus b;
  a.note(stack({1}));
  b.note(stack({2}));
  b.note(stack({}));
  VlanCensus::Snapshot all = a.snapshot();
  all |= b.snapshot();
  EXPECT_EQ(all.ids.count(), 2u);
  EXPECT_TRUE(all.untagged);
}

TEST(VlanCensus, ReadWhileWritten) {
  VlanCensus census;
  std::thread worker([&census] {
    for (unsigned id = 1; id < kVlanIds; ++id) {
      census.note(stack({id}));
    }
  });
  std::size_t last = 0;
  while (last < kVlanIds - 1) {
    const std::size_t now = census.snapshot().ids.count();
    ASSERT_GE(now, last);
    last = now;
  }
  worker.join();
  EXPECT_FALSE(census.snapshot().ids[0]);
}

}  // namespace
}  // namespace imds::classify
