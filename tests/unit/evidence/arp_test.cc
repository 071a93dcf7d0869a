#include "evidence/arp.h"

#include <gtest/gtest.h>

#include "support/packet_builder.h"

namespace imds::evidence {
namespace {

using event::ClaimKind;

constexpr std::string_view kImds = "169.254.169.254";
constexpr std::string_view kNobody = "00:00:00:00:00:00";

packet::ArpView message(unsigned operation, std::string_view sender, std::string_view target) {
  support::PacketBuilder builder;
  builder.arp(operation, support::kClientMac, sender, kNobody, target);
  packet::ArpView view;
  EXPECT_EQ(packet::parse_arp(builder.build(), view), DecodeReason::none);
  return view;
}

TEST(ReadArp, TellsTheKindsApart) {
  struct Case {
    unsigned operation;
    std::string_view sender, target;
    ClaimKind kind;
    std::string_view claimed;
    bool is_request;
  };
  const Case cases[] = {
      {2, kImds, "10.0.0.1", ClaimKind::arp_reply, kImds, false},
      {2, kImds, kImds, ClaimKind::arp_gratuitous, kImds, false},
      {1, kImds, kImds, ClaimKind::arp_announcement, kImds, true},
      {1, "0.0.0.0", kImds, ClaimKind::arp_probe, kImds, true},
      {1, kImds, "10.0.0.1", ClaimKind::arp_sender, kImds, true},
      {1, "10.0.0.1", kImds, ClaimKind::arp_sender, "10.0.0.1", true},
      {3, kImds, kImds, ClaimKind::none, kImds, false},
      {9, kImds, kImds, ClaimKind::none, kImds, false},
  };
  for (const Case& c : cases) {
    const ArpClaim claim = read_arp(message(c.operation, c.sender, c.target));
    EXPECT_EQ(claim.kind, c.kind) << c.operation << ' ' << c.sender;
    EXPECT_EQ(claim.address, *IpAddress::parse(c.claimed)) << c.operation << ' ' << c.sender;
    EXPECT_EQ(claim.is_request, c.is_request) << c.operation << ' ' << c.sender;
    EXPECT_EQ(claim.owner.to_string(), support::kClientMac);
  }
}

}  // namespace
}  // namespace imds::evidence
