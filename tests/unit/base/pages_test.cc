#include "base/pages.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "base/counter.h"

namespace imds {
namespace {

struct Line {
  std::uint64_t words[8];
};

bool is_aligned(const void* memory, std::uintptr_t unit) {
  return reinterpret_cast<std::uintptr_t>(memory) % unit == 0;
}

TEST(Pages, BeginWithACacheLineAndLargeOnesWithAHugePage) {
  const Pages<Line> few = make_pages<Line>(3);
  EXPECT_TRUE(is_aligned(few.get(), kCacheLine));
  constexpr std::size_t kMany = (std::size_t{5} << 20) / sizeof(Line);
  const Pages<Line> many = make_pages<Line>(kMany);
  EXPECT_TRUE(is_aligned(many.get(), std::size_t{2} << 20));
  many[0] = {{1}};
  many[kMany - 1] = {{2}};
  EXPECT_EQ(many[0].words[0] + many[kMany - 1].words[0], 3u);
}

}  // namespace
}  // namespace imds
