// Where the packets of an alert's exchange are kept: from the finding to every form of the alert.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "alert/format.h"
#include "alert/record.h"
#include "samples.h"

namespace imds::alert {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

event::Finding kept_finding() {
  event::Finding finding = sample_finding();
  finding.worker = 3;
  finding.kept = {1'759'924'800, 2, 7, true, 0b0110};
  return finding;
}

TEST(Packets, StandInEveryForm) {
  const imds_alert_record record = record_of(kept_finding());
  const std::string file = "imds-20251008T120000Z-w3-000002.pcapng";
  const json evidence = json::parse(to_ecs_json(record))["imds"]["evidence"];
  EXPECT_EQ(evidence, json({{"file", file}, {"packets", {4, 5, 7}}, {"packet", 7}}));
  const json metadata = json::parse(to_eve_json(record))["alert"]["metadata"];
  EXPECT_EQ(metadata["imds_evidence_file"], json({file}));
  EXPECT_EQ(metadata["imds_evidence_packets"], json({"4", "5", "7"}));
  EXPECT_EQ(metadata["imds_evidence_packet"], json({"7"}));
  EXPECT_THAT(to_text(record, false), HasSubstr("kept in " + file + ": packets 4, 5, 7"));
}

TEST(Packets, AreNotToldWhereNoneAreKept) {
  const imds_alert_record record = record_of(sample_finding());
  EXPECT_FALSE(json::parse(to_ecs_json(record))["imds"].contains("evidence"));
  EXPECT_THAT(to_eve_json(record), Not(HasSubstr("imds_evidence")));
  EXPECT_THAT(to_text(record, false), Not(HasSubstr("kept in")));
}

TEST(Packets, OfAnEventThatNoPacketCompletedNameNone) {
  event::Finding finding = kept_finding();
  finding.kept.completes = false;
  const json evidence = json::parse(to_ecs_json(record_of(finding)))["imds"]["evidence"];
  EXPECT_EQ(evidence["packets"], json({4, 5, 7}));
  EXPECT_FALSE(evidence.contains("packet"));
}

// Bits for packets before the first, as only another writer's record may have them.
TEST(Packets, BeforeTheFirstAreNone) {
  event::Finding finding = kept_finding();
  finding.kept = {1, 1, 2, true, UINT64_MAX};
  const json evidence = json::parse(to_ecs_json(record_of(finding)))["imds"]["evidence"];
  EXPECT_EQ(evidence["packets"], json({1, 2}));
}

TEST(Packets, ChangeNoIdAndDoNotStayInTheNextRecord) {
  EXPECT_EQ(id_text(record_of(kept_finding())), id_text([] {
              event::Finding finding = kept_finding();
              finding.kept = {};
              return record_of(finding);
            }()));
  RecordMaker maker;
  maker.take(kept_finding(), {});
  EXPECT_EQ(maker.make({"id", "", "", 1}).record.packets.last, 7u);
  maker.take(sample_finding(), {});
  EXPECT_EQ(maker.make({"id", "", "", 1}).record.packets.last, 0u);
}

TEST(Packets, OfARecordFromElsewhereAreChecked) {
  imds_alert_record record = record_of(kept_finding());
  EXPECT_TRUE(is_valid(record));
  record.packets.completes = 2;
  EXPECT_FALSE(is_valid(record));
}

}  // namespace
}  // namespace imds::alert
