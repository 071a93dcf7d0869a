#include "base/address.h"

#include <arpa/inet.h>
#include <array>
#include <random>

#include <gtest/gtest.h>

namespace imds {
namespace {

std::string canonical(std::string_view text) {
  const auto a = IpAddress::parse(text);
  return a ? a->to_string() : "refused";
}

std::string why_not(std::string_view text) {
  std::string why = "accepted";
  EXPECT_FALSE(IpPrefix::parse(text, &why)) << text;
  return why;
}

TEST(IpAddress, ParsesAndPrintsCanonically) {
  EXPECT_EQ(canonical("169.254.169.254"), "169.254.169.254");
  EXPECT_EQ(canonical("0.0.0.0"), "0.0.0.0");
  EXPECT_EQ(canonical("FD00:EC2:0:0:0:0:0:254"), "fd00:ec2::254");
  EXPECT_EQ(canonical("::"), "::");
  EXPECT_EQ(canonical("::ffff:a9fe:a9fe"), "::ffff:169.254.169.254");
  EXPECT_EQ(canonical("2001:db8:0:1:0:0:0:1"), "2001:db8:0:1::1");
  EXPECT_EQ(canonical("2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"),
            "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1");
}

// Addresses of few different groups, so that runs of zeros of every kind occur.
TEST(IpAddress, PrintsAsTheLibraryDoes) {
  constexpr std::array<std::uint16_t, 6> kGroups = {0, 0, 0, 1, 0xffff, 0x0ab0};
  std::mt19937 random(20260401);
  for (int round = 0; round < 20'000; ++round) {
    std::array<std::uint8_t, 16> wire;
    for (std::size_t i = 0; i < wire.size(); i += 2) {
      const std::uint16_t group = random() % 8 == 0 ? static_cast<std::uint16_t>(random())
                                                    : kGroups[random() % kGroups.size()];
      wire[i] = static_cast<std::uint8_t>(group >> 8);
      wire[i + 1] = static_cast<std::uint8_t>(group);
    }
    char expected[INET6_ADDRSTRLEN] = {};
    ASSERT_NE(inet_ntop(AF_INET6, wire.data(), expected, sizeof expected), nullptr);
    ASSERT_EQ(IpAddress::v6_wire(wire.data()).to_string(), expected);
    ASSERT_NE(inet_ntop(AF_INET, wire.data(), expected, sizeof expected), nullptr);
    ASSERT_EQ(IpAddress::v4_wire(wire.data()).to_string(), expected);
  }
}

TEST(IpAddress, RefusesOtherForms) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "169.254.169"sv, "169.254.169.254 "sv, " 169.254.169.254"sv, "169.254.169.256"sv,
        "2852039166"sv, "0xA9FEA9FE"sv, "fe80::1%eth0"sv, "[::1]"sv, "::1::"sv, "10.0.0.1/8"sv,
        "10.0.0.1\0"sv, "1:2:3:4:5:6:7:8:9"sv,
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"sv}) {
    EXPECT_EQ(canonical(text), "refused") << text;
  }
}

TEST(IpAddress, WireAndHostOrder) {
  const std::uint8_t wire[16] = {169, 254, 169, 254, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const IpAddress v4 = IpAddress::v4_wire(wire);
  EXPECT_EQ(v4.v4_host_order(), 0xa9fea9feu);
  EXPECT_EQ(v4, IpAddress::v4(0xa9fea9fe));
  EXPECT_EQ(v4.size(), 4u);
  EXPECT_EQ(v4.bytes[4], 0);  // what follows on the wire must not leak into comparisons
  const IpAddress v6 = IpAddress::v6_wire(wire);
  EXPECT_EQ(v6.size(), 16u);
  EXPECT_EQ(v6.to_string(), "a9fe:a9fe:102:304:506:708:90a:b0c");
  EXPECT_NE(v4, v6);
}

TEST(IpAddress, DefaultIsNone) {
  EXPECT_FALSE(IpAddress{}.is_set());
  EXPECT_EQ(IpAddress{}.size(), 0u);
  EXPECT_EQ(IpAddress{}.to_string(), "");
  EXPECT_NE(IpAddress{}, IpAddress::v4(0));
}

TEST(IpPrefix, ParsesAndPrints) {
  EXPECT_EQ(IpPrefix::parse("10.0.0.0/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(IpPrefix::parse("0.0.0.0/0")->to_string(), "0.0.0.0/0");
  EXPECT_EQ(IpPrefix::parse("169.254.169.254")->to_string(), "169.254.169.254/32");
  EXPECT_EQ(IpPrefix::parse("FD00::/8")->to_string(), "fd00::/8");
  EXPECT_EQ(IpPrefix::parse("fd00:ec2::254")->length, 128);
  EXPECT_EQ(IpPrefix::parse("128.0.0.0/1")->to_string(), "128.0.0.0/1");
}

TEST(IpPrefix, SaysWhatWasExpected) {
  EXPECT_EQ(why_not("10.0.0/8"), "expected an IPv4 or IPv6 prefix such as 10.0.0.0/8 or fd00::/8");
  EXPECT_EQ(why_not("10.0.0.0/33"), "expected a prefix length from 0 to 32");
  EXPECT_EQ(why_not("10.0.0.0/"), "expected a prefix length from 0 to 32");
  EXPECT_EQ(why_not("10.0.0.0/-1"), "expected a prefix length from 0 to 32");
  EXPECT_EQ(why_not("10.0.0.0/8x"), "expected a prefix length from 0 to 32");
  EXPECT_EQ(why_not("fd00::/129"), "expected a prefix length from 0 to 128");
  EXPECT_EQ(why_not("10.0.0.1/8"),
            "the address has bits set beyond /8; expected the network's own address");
  EXPECT_EQ(why_not("fd00::1/64"),
            "the address has bits set beyond /64; expected the network's own address");
  EXPECT_FALSE(IpPrefix::parse("no prefix"));
}

TEST(IpPrefix, ContainsEveryLength) {
  const IpAddress a = IpAddress::parse("172.219.3.129").value();
  for (unsigned length = 0; length <= 32; ++length) {
    const std::uint32_t mask = length == 0 ? 0 : ~0u << (32 - length);
    const IpPrefix p{IpAddress::v4(a.v4_host_order() & mask), static_cast<std::uint8_t>(length)};
    EXPECT_TRUE(p.contains(a)) << length;
    if (length > 0) {
      const std::uint32_t last_bit = 1u << (32 - length);
      EXPECT_FALSE(p.contains(IpAddress::v4(a.v4_host_order() ^ last_bit))) << length;
    }
  }
}

TEST(IpPrefix, FamiliesAreApart) {
  EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(IpAddress::parse("::1").value()));
  EXPECT_FALSE(IpPrefix::parse("::/0")->contains(IpAddress::v4(1)));
  EXPECT_FALSE(IpPrefix::parse("::/0")->contains(IpAddress{}));
}

TEST(MacAddress, Text) {
  const std::uint8_t wire[6] = {0x02, 0x00, 0x5e, 0x10, 0xab, 0xff};
  EXPECT_EQ(MacAddress::wire(wire).to_string(), "02:00:5e:10:ab:ff");
  EXPECT_FALSE(MacAddress::wire(wire).is_zero());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

}  // namespace
}  // namespace imds
