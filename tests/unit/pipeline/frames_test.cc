// Frames as devices deliver them: in several mbufs, with tags taken off.
#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::PacketBuilder;

TEST(Jumbo, PacketsBeyondTheLimitAreReadUpToThere) {
  Rig rig;
  Bytes bytes = PacketBuilder()
                    .ethernet()
                    .ipv4("10.0.0.1", "203.0.113.7")
                    .ipv4_total_length(0)  // left to the NIC
                    .tcp(40000, 80)
                    .seq(1)
                    .payload(kMetadata)
                    .bytes(Bytes(70000))
                    .build();
  rig.run(given(bytes));
  EXPECT_EQ(rig.events(), (Events{std::string(kFoundMetadata)}));
  EXPECT_EQ(rig.anomalies(DecodeReason::segments_too_many), 1u);
  EXPECT_EQ(rig.count(Disposition::inspected), 1u);
}

TEST(QinQ, BothStrippedTagsAreSeen) {
  Rig rig;
  Given packet = given(PacketBuilder()
                           .ethernet()
                           .ipv4("10.0.0.1", "169.254.169.254")
                           .tcp(1, 80)
                           .flags(support::kSyn)
                           .build());
  packet.stripped_vlan = 20;
  packet.stripped_outer_vlan = 0xe000 | 10;
  rig.run(packet);
  const auto found = rig.take();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].vlan_count, 2);
  EXPECT_EQ(found[0].vlans[0], 10);
  EXPECT_EQ(found[0].vlans[1], 20);
}

}  // namespace
}  // namespace imds::pipeline
