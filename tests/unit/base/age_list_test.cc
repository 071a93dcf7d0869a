#include "base/age_list.h"

#include <array>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace imds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Element {
  std::uint32_t older = 0;
  std::uint32_t newer = 0;
};

struct List {
  std::array<Element, 4> elements{};
  std::uint32_t oldest = kNoElement;
  std::uint32_t newest = kNoElement;

  void add(std::uint32_t at) { link_newest(elements, at, oldest, newest); }
  void take(std::uint32_t at) { unlink(elements, at, oldest, newest); }
  // By `newer` from the oldest; by `older` it must be the same.
  [[nodiscard]] std::vector<std::uint32_t> order() const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t at = oldest; at != kNoElement; at = elements[at].newer) {
      EXPECT_EQ(elements[at].older, out.empty() ? kNoElement : out.back());
      out.push_back(at);
    }
    EXPECT_EQ(newest, out.empty() ? kNoElement : out.back());
    return out;
  }
};

TEST(AgeList, IsInOrderOfUse) {
  List list;
  EXPECT_THAT(list.order(), IsEmpty());
  for (const std::uint32_t at : {2u, 0u, 3u, 1u}) {
    list.add(at);
  }
  EXPECT_THAT(list.order(), ElementsAre(2, 0, 3, 1));
  list.take(0);
  list.add(0);
  EXPECT_THAT(list.order(), ElementsAre(2, 3, 1, 0));
  list.take(2);
  EXPECT_THAT(list.order(), ElementsAre(3, 1, 0));
  list.take(0);
  EXPECT_THAT(list.order(), ElementsAre(3, 1));
  list.take(3);
  list.take(1);
  EXPECT_THAT(list.order(), IsEmpty());
}

}  // namespace
}  // namespace imds
