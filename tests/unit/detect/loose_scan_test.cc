// Events that belong to no stream: loose bytes, contradicting fragments, contact without content.
#include "fixture.h"
#include "support/packet_builder.h"

namespace imds::detect {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::to_bytes;

constexpr std::string_view kOverlap = R"(
title: Overlap
id: 33333333-3333-4333-8333-333333333333
level: high
logsource: {product: imds-inspector}
detection:
  overlap: {imds.event: fragment_overlap}
  condition: overlap
)";

constexpr std::string_view kContact = R"(
title: Contact
id: 44444444-4444-4444-8444-444444444444
level: high
logsource: {product: imds-inspector}
detection:
  contact: {imds.event: connection, destination.ip: 169.254.169.254}
  condition: contact
)";

Bytes fragment(const char* destination) {
  return PacketBuilder()
      .ethernet()
      .ipv4("10.0.0.1", destination)
      .ipv4_fragment(1480, false)
      .bytes(Bytes(8))
      .build();
}

TEST(LooseScan, FindsStringsInBytesWithoutAFlow) {
  Bench bench;
  const Bytes bytes = to_bytes("xx /latest/meta-data/iam xx");
  bench.loose(fragment("203.0.113.7"), [&](Inspector& inspector, const PacketContext& packet) {
    inspector.scan_loose(packet, bytes);
    inspector.scan_loose(packet, ByteSpan(bytes).first(9));
  });
  EXPECT_EQ(bench.events(), (Events{"raw_match"}));
}

TEST(LooseScan, IsOffWithTheRawScan) {
  Options options;
  options.raw_scan_bytes = 0;
  Bench bench(kBulletin, options);
  const Bytes bytes = to_bytes("/latest/meta-data/iam");
  bench.loose(fragment("203.0.113.7"), [&](Inspector& inspector, const PacketContext& packet) {
    inspector.scan_loose(packet, bytes);
  });
  EXPECT_TRUE(bench.events().empty());
}

TEST(FragmentOverlap, NamesTheFragmentsAddresses) {
  Bench bench(kOverlap);
  bench.loose(fragment("169.254.169.254"), [](Inspector& inspector, const PacketContext& packet) {
    inspector.report_fragment_overlap(packet);
  });
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].type, event::EventType::fragment_overlap);
  EXPECT_EQ(findings[0].source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(findings[0].destination.ip.to_string(), "169.254.169.254");
  EXPECT_EQ(findings[0].endpoint.view(), "imds");
}

TEST(Contact, IsReportedOncePerFlow) {
  Bench bench(kContact);
  bench.loose(fragment("169.254.169.254"), [](Inspector& inspector, const PacketContext& packet) {
    FlowState flow;
    inspector.note_contact(packet, flow::Direction::from_lower, flow);
    inspector.note_contact(packet, flow::Direction::from_lower, flow);
  });
  EXPECT_EQ(bench.events(), (Events{"connection"}));
}

TEST(Contact, OfOtherAddressesIsNone) {
  Bench bench(kContact);
  bench.loose(fragment("203.0.113.7"), [](Inspector& inspector, const PacketContext& packet) {
    FlowState flow;
    inspector.note_contact(packet, flow::Direction::from_lower, flow);
  });
  EXPECT_TRUE(bench.events().empty());
}

TEST(SecondReading, IsSaidByVisibility) {
  Bench bench(kOverlap);
  bench.loose(fragment("169.254.169.254"), [](Inspector& inspector, PacketContext packet) {
    packet.second_reading = true;
    inspector.report_fragment_overlap(packet);
  });
  const auto findings = bench.take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].visibility & event::kSecondReading, 0);
}

}  // namespace
}  // namespace imds::detect
