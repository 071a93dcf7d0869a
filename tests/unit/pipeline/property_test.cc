// Random and mutated traffic: the books balance whatever comes, and what is found does not depend
// on how packets fall into bursts.
#include <algorithm>

#include "traffic.h"

namespace imds::pipeline {
namespace {

void expect_balanced(const Rig& rig) {
  std::uint64_t malformed = 0;
  for (std::size_t r = 0; r < kDecodeReasonCount; ++r) {
    const auto reason = static_cast<DecodeReason>(r);
    malformed += describe(reason).malformed ? rig.stopped(reason) : 0;
  }
  EXPECT_EQ(rig.count(Disposition::malformed), malformed);
  EXPECT_EQ(rig.count(Disposition::fragment), rig.stopped(DecodeReason::ip_fragment));
  const detect::Counters& counted = rig.counted();
  std::uint64_t produced = 0;
  for (const Counter& type : counted.findings_produced) {
    produced += type.get();
  }
  EXPECT_EQ(produced, counted.findings_queued.get() + counted.findings_suppressed.get() +
                          counted.findings_lost.get());
}

class Random : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Random, MutatedPacketsAddUp) {
  Traffic traffic(GetParam());
  Options options = small_options();
  options.flows.flows = 64;
  options.inspector.arena.blocks = {8, 2, 1, 1};
  Rig rig(options, 16);
  for (int round = 0; round < 4; ++round) {
    ListSource source(0, static_cast<std::uint16_t>(1 + traffic.below(kBurst)));
    std::size_t sent = 0;
    for (Given& packet : traffic.conversations(60)) {
      traffic.spoil(packet);
      source.add(std::move(packet));
      ++sent;
    }
    rig.run(source);  // checks the sums after every burst
    EXPECT_EQ(source.stats().released_packets.get(), sent);
    expect_balanced(rig);
    (void)rig.take();
  }
  EXPECT_LE(rig.flows(), 64u);
  rig.worker().finish();
  EXPECT_EQ(rig.flows(), 0u);
  EXPECT_EQ(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
}

TEST_P(Random, BurstsDoNotMatter) {
  const std::vector<Given> packets = Traffic(GetParam()).conversations(80);
  Events expected;
  for (const std::uint16_t burst : {1, 2, 7, 64}) {
    ListSource source(0, burst);
    for (const Given& packet : packets) {
      source.add(packet);
    }
    Rig rig;
    Events found = rig.run(source).events();
    // Ageing goes on burst by burst: when an unfinished head is judged differs, what is found not.
    std::sort(found.begin(), found.end());
    if (burst == 1) {
      expected = found;
      EXPECT_GT(expected.size(), 20u);
    }
    EXPECT_EQ(found, expected) << "bursts of " << burst;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, ::testing::Range(1u, 13u));

}  // namespace
}  // namespace imds::pipeline
