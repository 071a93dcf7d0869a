#include "base/bytes.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace imds {
namespace {

constexpr std::size_t kSizes = 100;

std::string pattern(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += static_cast<char>('A' + i % 50);
  }
  return text;
}

// In memory of exactly the size, so that sanitisers see what is read or written outside.
std::vector<char> exactly(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST(Bytes, CopiesRunsOfEverySizeAndNothingElse) {
  for (std::size_t size = 0; size < kSizes; ++size) {
    const std::vector<char> from = exactly(pattern(size));
    std::vector<char> to(size);
    copy_bytes(to.data(), from.data(), size);
    EXPECT_EQ(to, from) << size;

    std::string wide(size + 64, '.');
    copy_bytes(&wide[32], from.data(), size);
    EXPECT_EQ(wide, std::string(32, '.') + pattern(size) + std::string(32, '.')) << size;
  }
}

TEST(Bytes, ClearsRunsOfEverySizeAndNothingElse) {
  for (std::size_t size = 0; size < kSizes; ++size) {
    std::string wide(size + 64, '.');
    zero_bytes(&wide[32], size);
    EXPECT_EQ(wide, std::string(32, '.') + std::string(size, '\0') + std::string(32, '.')) << size;
    std::vector<char> narrow(size, '.');
    zero_bytes(narrow.data(), size);
    EXPECT_EQ(narrow, std::vector<char>(size, '\0')) << size;
  }
}

TEST(Bytes, FindsAByteWhereverItStands) {
  for (std::size_t size = 0; size < kSizes; ++size) {
    std::vector<char> text = exactly(pattern(size));
    EXPECT_FALSE((contains_any<'%', ':'>({text.data(), size}))) << size;
    for (std::size_t i = 0; i < size; ++i) {
      for (const char wanted : {'%', ':'}) {
        const char kept = std::exchange(text[i], wanted);
        EXPECT_TRUE((contains_any<'%', ':'>({text.data(), size}))) << size << " " << i;
        EXPECT_FALSE((contains_any<'=', '@'>({text.data(), size}))) << size << " " << i;
        text[i] = kept;
      }
    }
  }
}

TEST(Bytes, LooksAtNothingBehindTheText) {
  const std::string text = "abc%";
  EXPECT_FALSE((contains_any<'%'>(std::string_view(text).substr(0, 3))));
  EXPECT_TRUE((contains_any<'%'>(text)));
  EXPECT_FALSE((contains_any<'%'>({})));
}

TEST(Bytes, FindsBytesOfEveryValue) {
  EXPECT_TRUE((contains_any<'\xff'>("\xff")));
  EXPECT_TRUE((contains_any<'\x80'>("0123456789abcdefghijk\x80")));
  EXPECT_FALSE((contains_any<'\x80'>("0123456789abcdefghijk")));
}

}  // namespace
}  // namespace imds
