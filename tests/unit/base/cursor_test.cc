#include "base/cursor.h"

#include <array>

#include <gtest/gtest.h>

namespace imds {
namespace {

constexpr std::array<std::uint8_t, 9> kBytes = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(ByteCursor, ReadsInNetworkOrder) {
  ByteCursor c(kBytes);
  EXPECT_EQ(c.u8(), 1);
  EXPECT_EQ(c.be16(), 0x0203);
  EXPECT_EQ(c.be32(), 0x04050607u);
  EXPECT_EQ(c.offset(), 7u);
  EXPECT_EQ(c.remaining(), 2u);
  EXPECT_EQ(c.rest()[0], 8);
  EXPECT_TRUE(c.ok());
}

TEST(ByteCursor, TakesAndSkips) {
  ByteCursor c(kBytes);
  EXPECT_TRUE(c.skip(4));
  const ByteSpan taken = c.take(5);
  EXPECT_EQ(taken.data(), kBytes.data() + 4);
  EXPECT_EQ(taken.size(), 5u);
  EXPECT_EQ(c.remaining(), 0u);
  EXPECT_TRUE(c.take(0).empty());
  EXPECT_TRUE(c.ok());
}

TEST(ByteCursor, ReadPastTheEndFailsForGood) {
  ByteCursor c(kBytes);
  EXPECT_TRUE(c.skip(8));
  EXPECT_EQ(c.be16(), 0);
  EXPECT_FALSE(c.ok());
  EXPECT_EQ(c.offset(), 8u);  // nothing was consumed
  EXPECT_EQ(c.u8(), 0);       // though one byte is left
  EXPECT_FALSE(c.skip(0));
  EXPECT_TRUE(c.take(1).empty());
}

TEST(ByteCursor, HugeCountsDoNotWrap) {
  ByteCursor c(kBytes);
  EXPECT_TRUE(c.skip(3));
  EXPECT_TRUE(c.take(SIZE_MAX).empty());
  EXPECT_FALSE(c.ok());
  ByteCursor d(kBytes);
  EXPECT_FALSE(d.skip(SIZE_MAX - 1));
}

TEST(ByteCursor, EmptyInput) {
  ByteCursor c({});
  EXPECT_EQ(c.be32(), 0u);
  EXPECT_FALSE(c.ok());
}

TEST(WireOrder, LoadsAndStores) {
  EXPECT_EQ(load_be16(kBytes.data()), 0x0102);
  EXPECT_EQ(load_be32(kBytes.data() + 1), 0x02030405u);
  EXPECT_EQ(load_be64(kBytes.data() + 1), 0x0203040506070809u);
  std::array<std::uint8_t, 4> out{};
  store_be16(out.data(), 0xabcd);
  EXPECT_EQ(out[0], 0xab);
  EXPECT_EQ(out[1], 0xcd);
  store_be32(out.data(), 0x01020304);
  EXPECT_EQ(load_be32(out.data()), 0x01020304u);
}

}  // namespace
}  // namespace imds
