#include "event/direction.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace imds::event {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST(OwnNetworks, AreThoseForPrivateUseUnlessGiven) {
  const OwnNetworks own;
  EXPECT_EQ(own.direction(ip("10.1.2.3"), ip("198.51.100.7")), "outbound");
  EXPECT_EQ(own.direction(ip("198.51.100.7"), ip("192.168.1.1")), "inbound");
  EXPECT_EQ(own.direction(ip("172.31.255.255"), ip("100.64.0.1")), "internal");
  EXPECT_EQ(own.direction(ip("172.32.0.0"), ip("100.128.0.0")), "external");
  EXPECT_EQ(own.direction(ip("fd00::1"), ip("2001:db8::1")), "outbound");
  EXPECT_EQ(own.direction(ip("2001:db8::1"), ip("fd00:ec2::254")), "inbound");
}

TEST(OwnNetworks, AreOnlyThoseThatAreGiven) {
  const OwnNetworks own({*IpPrefix::parse("203.0.113.0/24")});
  EXPECT_EQ(own.direction(ip("203.0.113.9"), ip("10.0.0.1")), "outbound");
  EXPECT_EQ(own.direction(ip("10.0.0.1"), ip("203.0.113.9")), "inbound");
  EXPECT_EQ(own.direction(ip("10.0.0.1"), ip("10.0.0.2")), "external");
}

TEST(OwnNetworks, AlwaysHoldWhatNeverLeavesTheLink) {
  const OwnNetworks own({*IpPrefix::parse("203.0.113.0/24")});
  EXPECT_EQ(own.direction(ip("203.0.113.9"), ip("169.254.169.254")), "internal");
  EXPECT_EQ(own.direction(ip("fe80::1"), ip("fe80::a9fe:a9fe")), "internal");
  EXPECT_EQ(own.direction(ip("127.0.0.1"), ip("::1")), "internal");
}

TEST(OwnNetworks, EveryDirectionIsAmongTheNames) {
  const OwnNetworks own;
  for (const char* source : {"10.0.0.1", "198.51.100.1"}) {
    for (const char* destination : {"10.0.0.1", "198.51.100.1"}) {
      const auto found = own.direction(ip(source), ip(destination));
      EXPECT_NE(std::find(kDirections.begin(), kDirections.end(), found), kDirections.end());
    }
  }
}

}  // namespace
}  // namespace imds::event
