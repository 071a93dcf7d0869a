// Against the vectors of the reference implementation (key 00 01 … 0f, input 00 01 …).
#include "base/siphash.h"

#include <vector>

#include <gtest/gtest.h>

namespace imds {
namespace {

TEST(SipHash, AgreesWithTheReference) {
  const SipKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::vector<std::uint8_t> input;
  EXPECT_EQ(siphash128(key, input), (SipHash{0xe6a825ba047f81a3u, 0x930255c71472f66du}));
  input = {0};
  EXPECT_EQ(siphash128(key, input), (SipHash{0x44af996bd8c187dau, 0x45fc229b11597634u}));
}

TEST(SipHash, OfWordsIsThatOfTheirBytesAndTheirLength) {
  const SipKey key{1, 2};
  std::vector<std::uint8_t> input;
  SipWords words(key);
  for (std::uint8_t i = 0; i < 24; ++i) {
    input.push_back(i);
  }
  words.add(0x0706050403020100u);
  words.add(0x0f0e0d0c0b0a0908u);
  words.add(0x1716151413121110u);
  words.add(std::uint64_t{24} << 56);
  EXPECT_EQ(words.finish(), siphash128(key, input));
}

}  // namespace
}  // namespace imds
