// What the rules in conf/rules/ alert on, all of them together.
#include <filesystem>
#include <set>

#include "fixture.h"

namespace imds::rules {
namespace {

using event::EventType;

class ShippedRules : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto fields = event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml");
    ASSERT_TRUE(fields) << fields.error().to_string();
    const std::filesystem::path folder = IMDS_CONF_DIR "/rules";
    const auto loaded = sigma::load_paths(std::span(&folder, 1), *fields);
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    set_ = compile(loaded->rules);
  }
  // The levels of the rules that an event hits.
  std::multiset<std::string> levels(const event::Event& event) {
    Evaluator judge = evaluator(set_);
    std::multiset<std::string> out;
    for (const int rule : hits(judge, event)) {
      out.insert(set_->info(static_cast<std::size_t>(rule)).level);
    }
    return out;
  }

  std::shared_ptr<const RuleSet> set_;
};

using Levels = std::multiset<std::string>;

TEST_F(ShippedRules, DoNotMakeEveryHeadBeParsed) {
  EXPECT_FALSE(set_->parses_every_head());
  EXPECT_TRUE(set_->warnings().empty());
}

TEST_F(ShippedRules, ConflictingDataAlertsOnFlowsWithAnEndpointOnly) {
  for (const EventType type : {EventType::tcp_overlap_conflict, EventType::fragment_overlap}) {
    event::Event event = tcp_event(type);
    EXPECT_EQ(levels(event), Levels{}) << event::name(type);
    event.flow.endpoint = "aws-imds-ipv4";
    EXPECT_EQ(levels(event), Levels{"high"}) << event::name(type);
    // The address alone is the business of the rule about connections and requests.
    event.flow.endpoint = {};
    event.flow.destination.ip = address("169.254.169.254");
    EXPECT_EQ(levels(event), Levels{}) << event::name(type);
  }
}

TEST_F(ShippedRules, UnreadableHttp2AlertsOnFlowsWithAnEndpointOnly) {
  event::Event event = tcp_event(EventType::http2_mid_stream);
  EXPECT_EQ(levels(event), Levels{});
  event.flow.endpoint = "aws-imds-ipv4";
  EXPECT_EQ(levels(event), Levels{"medium"});
}

TEST_F(ShippedRules, OrdinaryEventsHitTheBulletinsRuleAlone) {
  for (const EventType type : {EventType::connection, EventType::http_request}) {
    event::Event event = type == EventType::connection ? tcp_event(type) : request("/");
    EXPECT_EQ(levels(event), Levels{});
    event.flow.endpoint = "aws-imds-ipv4";
    event.flow.destination.ip = address("169.254.169.254");
    EXPECT_EQ(levels(event), Levels{"medium"}) << event::name(type);
  }
}

}  // namespace
}  // namespace imds::rules
