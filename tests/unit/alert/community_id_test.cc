#include "alert/community_id.h"

#include <string>

#include <gtest/gtest.h>

namespace imds::alert {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

std::string community_id(const IpAddress& source, const IpAddress& destination,
                         std::uint8_t ip_protocol, std::uint16_t source_port,
                         std::uint16_t destination_port) {
  std::array<char, kCommunityIdText> room;
  return std::string(
      alert::community_id(source, destination, ip_protocol, source_port, destination_port, room));
}

// Expected values are those the specification publishes (its baseline for seed 0).
TEST(CommunityId, PublishedVectors) {
  EXPECT_EQ(community_id(ip("128.232.110.120"), ip("66.35.250.204"), 6, 34855, 80),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  EXPECT_EQ(community_id(ip("192.168.1.52"), ip("8.8.8.8"), 17, 54585, 53),
            "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
  EXPECT_EQ(community_id(ip("2001:470:e5bf:dead:4957:2174:e82c:4887"), ip("2607:f8b0:400c:c03::1a"),
                         6, 63943, 25),
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=");
  EXPECT_EQ(community_id(ip("192.168.170.8"), ip("192.168.170.56"), 132, 7, 80),
            "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=");
}

TEST(CommunityId, SameForBothDirections) {
  EXPECT_EQ(community_id(ip("66.35.250.204"), ip("128.232.110.120"), 6, 80, 34855),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  EXPECT_EQ(community_id(ip("10.0.0.1"), ip("10.0.0.1"), 6, 1, 2),
            community_id(ip("10.0.0.1"), ip("10.0.0.1"), 6, 2, 1));
}

TEST(CommunityId, PortsDoNotCountWhereThereAreNone) {
  EXPECT_EQ(community_id(ip("10.0.0.1"), ip("10.0.0.2"), 47, 1, 2),
            community_id(ip("10.0.0.1"), ip("10.0.0.2"), 47, 0, 0));
}

TEST(CommunityId, AbsentWhereItCannotBeKnown) {
  EXPECT_EQ(community_id(ip("10.0.0.1"), ip("10.0.0.2"), 1, 0, 0), "");
  EXPECT_EQ(community_id(ip("fd00::1"), ip("fd00::2"), 58, 0, 0), "");
  EXPECT_EQ(community_id(ip("10.0.0.1"), ip("10.0.0.2"), 0, 0, 0), "");
  EXPECT_EQ(community_id({}, {}, 6, 1, 2), "");
  EXPECT_EQ(community_id(ip("10.0.0.1"), ip("fd00::2"), 6, 1, 2), "");
}

}  // namespace
}  // namespace imds::alert
