#include "flow/arena.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(ByteSpan span) {
  return {reinterpret_cast<const char*>(span.data()), span.size()};
}

TEST(ArenaTest, AHeadGrowsThroughAllSizes) {
  Arena arena(Arena::Options{{1, 1, 1, 1}});
  HeadBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(arena.bytes(buffer).empty());
  std::string expected;
  std::mt19937 random(1);
  while (expected.size() < Arena::kLargest) {
    std::string piece(std::min<std::size_t>(1 + random() % 700, Arena::kLargest - expected.size()),
                      static_cast<char>('a' + random() % 26));
    ASSERT_EQ(arena.append(buffer, bytes(piece)), AppendResult::ok);
    expected += piece;
    ASSERT_EQ(text(arena.bytes(buffer)), expected);
  }
  EXPECT_EQ(buffer.size(), Arena::kLargest);
  EXPECT_EQ(arena.append(buffer, bytes("x")), AppendResult::head_too_long);
  EXPECT_EQ(arena.append(buffer, {}), AppendResult::ok);
  EXPECT_EQ(text(arena.bytes(buffer)), expected) << "a refusal changes nothing";
  EXPECT_EQ(arena.counters().too_long.get(), 1u);
  EXPECT_EQ(arena.counters().bytes_in_use.get(), Arena::kLargest);
  arena.release(buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(arena.counters().bytes_in_use.get(), 0u);
  arena.release(buffer);
  EXPECT_EQ(arena.counters().bytes_in_use.get(), 0u);
}

TEST(ArenaTest, AFullClassBorrowsFromTheLargerAndThenRefuses) {
  Arena arena(Arena::Options{{1, 1, 0, 0}});
  HeadBuffer first;
  HeadBuffer second;
  HeadBuffer third;
  ASSERT_EQ(arena.append(first, bytes("first")), AppendResult::ok);
  ASSERT_EQ(arena.append(second, bytes("second")), AppendResult::ok);
  EXPECT_EQ(arena.counters().bytes_in_use.get(), 1024u + 4096u);
  EXPECT_EQ(arena.append(third, bytes("third")), AppendResult::arena_full);
  EXPECT_TRUE(third.empty());
  const std::string big(1024, 'x');
  EXPECT_EQ(arena.append(first, bytes(big)), AppendResult::arena_full);
  EXPECT_EQ(text(arena.bytes(first)), "first");
  EXPECT_EQ(arena.counters().full.get(), 2u);
  arena.release(second);
  EXPECT_EQ(arena.append(first, bytes(big)), AppendResult::ok);
  EXPECT_EQ(text(arena.bytes(first)), "first" + big);
  EXPECT_EQ(arena.append(third, bytes("third")), AppendResult::ok) << "first's old block is free";
  EXPECT_EQ(arena.counters().bytes_peak.get(), 1024u + 4096u);
  EXPECT_EQ(arena.counters().bytes_capacity.get(), 1024u + 4096u);
}

TEST(ArenaTest, AnEmptyArenaRefusesEverything) {
  Arena arena(Arena::Options{{0, 0, 0, 0}});
  HeadBuffer buffer;
  EXPECT_EQ(arena.append(buffer, bytes("a")), AppendResult::arena_full);
  arena.release(buffer);
}

TEST(ArenaTest, WipedBytesAreGone) {
  Arena arena(Arena::Options{{1, 1, 1, 1}});
  const std::vector<std::uint8_t> secret(900, 0x5a);
  HeadBuffer buffer;
  ASSERT_EQ(arena.append(buffer, secret), AppendResult::ok);
  const ByteSpan small = arena.bytes(buffer);
  ASSERT_EQ(arena.append(buffer, secret), AppendResult::ok);  // moves to a larger block
  const ByteSpan large = arena.bytes(buffer);
  const auto is_zero = [](ByteSpan bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
  };
  EXPECT_TRUE(is_zero(small));
  EXPECT_FALSE(is_zero(large));
  arena.wipe(buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(is_zero(large));
  EXPECT_EQ(arena.counters().bytes_in_use.get(), 0u);
}

TEST(ArenaTest, RandomUseKeepsEveryBufferApart) {
  Arena arena(Arena::Options{{8, 4, 2, 1}});
  std::mt19937 random(2);
  std::vector<HeadBuffer> buffers(20);
  std::vector<std::string> expected(buffers.size());
  for (int step = 0; step < 20000; ++step) {
    const std::size_t i = random() % buffers.size();
    if (random() % 6 == 0) {
      arena.release(buffers[i]);
      expected[i].clear();
    } else {
      const std::string piece(random() % 3000, static_cast<char>(random()));
      if (arena.append(buffers[i], bytes(piece)) == AppendResult::ok) {
        expected[i] += piece;
      }
    }
    ASSERT_EQ(text(arena.bytes(buffers[i])), expected[i]);
  }
  EXPECT_GT(arena.counters().full.get(), 0u);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    ASSERT_EQ(text(arena.bytes(buffers[i])), expected[i]);
    arena.release(buffers[i]);
  }
  EXPECT_EQ(arena.counters().bytes_in_use.get(), 0u);
}

}  // namespace
}  // namespace imds::flow
