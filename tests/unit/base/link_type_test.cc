#include "base/link_type.h"

#include <gtest/gtest.h>

namespace imds {
namespace {

TEST(LinkTypes, AreFoundByTheirNumberInFiles) {
  EXPECT_EQ(find_link_type(1), LinkType::ethernet);
  EXPECT_EQ(find_link_type(127), LinkType::radiotap);
  EXPECT_EQ(find_link_type(276), LinkType::linux_sll2);
}

TEST(LinkTypes, EveryNumberOfRawIpIsRawIp) {
  for (const std::uint32_t number : {12u, 14u, 101u, 228u, 229u}) {
    EXPECT_EQ(find_link_type(number), LinkType::raw_ip) << number;
  }
}

TEST(LinkTypes, OthersAreNothing) {
  for (const std::uint32_t number : {2u, 147u, 220u, 9999u, 0x10001u, 0xffffffffu}) {
    EXPECT_EQ(find_link_type(number), std::nullopt) << number;
  }
}

}  // namespace
}  // namespace imds
