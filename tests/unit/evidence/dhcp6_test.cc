#include "evidence/dhcp6.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/evidence_messages.h"

namespace imds::evidence {
namespace {

using support::Bytes;
using support::dhcpv6_association;
using support::dhcpv6_message;
using support::joined;
using Lines = std::vector<std::string>;

constexpr unsigned kAdvertise = 2;
constexpr unsigned kReply = 7;

Lines grants(const Bytes& bytes, bool* ok = nullptr) {
  Lines out;
  Dhcp6Message message(bytes);
  Dhcp6Grant grant;
  while (message.next(grant)) {
    out.push_back(std::string(grant.is_delegated ? "delegates " : "leases ") +
                  grant.prefix.to_string() + ' ' + std::to_string(grant.lifetime));
  }
  if (ok != nullptr) {
    *ok = message.ok();
  }
  return out;
}

Bytes lease() {
  return dhcpv6_association(3, support::dhcpv6_address("fd00:ec2::254"));
}
Bytes delegation() {
  return dhcpv6_association(25, joined({support::dhcpv6_prefix("fd00:ec2::", 32),
                                        support::dhcpv6_prefix("2001:db8::", 48, 0)}));
}

TEST(Dhcp6, TellsLeasesAndDelegations) {
  const Bytes options = joined({support::dhcpv6_option(1, Bytes(10, 1)), lease(), delegation()});
  bool ok = false;
  EXPECT_EQ(grants(dhcpv6_message(kReply, options), &ok),
            (Lines{"leases fd00:ec2::254/128 3600", "delegates fd00:ec2::/32 3600",
                   "delegates 2001:db8::/48 0"}));
  EXPECT_TRUE(ok);
  EXPECT_TRUE(Dhcp6Message(dhcpv6_message(kAdvertise, options)).gives());
}

TEST(Dhcp6, LooksIntoRelaysMessages) {
  Bytes message = dhcpv6_message(kReply, lease());
  for (unsigned depth = 1; depth <= kMaxDhcp6Relays; ++depth) {
    message = support::dhcpv6_relayed(13, message);
    EXPECT_EQ(grants(message), Lines{"leases fd00:ec2::254/128 3600"}) << depth;
    EXPECT_TRUE(Dhcp6Message(message).is_relayed());
    EXPECT_TRUE(Dhcp6Message(message).gives());
  }
  EXPECT_FALSE(Dhcp6Message(support::dhcpv6_relayed(13, message)).ok()) << "nested too deep";
  EXPECT_TRUE(Dhcp6Message(support::dhcpv6_relayed(12, dhcpv6_message(1, {}))).is_request());
}

TEST(Dhcp6, SurvivesEveryTruncation) {
  const Bytes whole =
      support::dhcpv6_relayed(13, dhcpv6_message(kReply, joined({lease(), delegation()})));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    bool ok = true;
    EXPECT_LE(grants(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), &ok).size(),
              3u);
    EXPECT_FALSE(ok) << size;
  }
}

TEST(Dhcp6, TellsLyingLengths) {
  bool ok = true;
  Bytes message = dhcpv6_message(kReply, joined({lease(), {0, 3, 255, 255, 0}}));
  EXPECT_EQ(grants(message, &ok), Lines{"leases fd00:ec2::254/128 3600"});
  EXPECT_FALSE(ok);
  ok = true;
  message = dhcpv6_message(kReply, dhcpv6_association(25, support::dhcpv6_prefix("fd00::", 129)));
  EXPECT_EQ(grants(message, &ok), Lines{});
  EXPECT_FALSE(ok);
}

}  // namespace
}  // namespace imds::evidence
