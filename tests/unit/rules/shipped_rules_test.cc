// What the rules in conf/rules/ alert on, all of them together.
#include <algorithm>
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

// So few strings are searched for without the library, which costs less for each head.
TEST_F(ShippedRules, NeedFewStringsToFindTheirHeads) {
  const std::vector<std::string> said = set_->describe();
  EXPECT_TRUE(std::any_of(said.begin(), said.end(), [](const std::string& line) {
    return line.starts_with("head prefilter:") && line.ends_with("without the library");
  }));
}

// Else every query would have to be read.
TEST_F(ShippedRules, DoNotListenToDns) {
  EXPECT_FALSE(set_->listens_to(EventType::dns));
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

TEST_F(ShippedRules, StagesAreGraded) {
  const auto levels_of = [&](EventType type, std::string_view stage,
                             std::string_view reached = {}) {
    event::Event event = tcp_event(type);
    event.flow.endpoint = "aws-imds-ipv4";
    event.stage = stage;
    event.reached = reached;
    event.evidence.answer =
        type == EventType::responder ? event::Answer::syn_ack : event::Answer::none;
    return levels(event);
  };
  EXPECT_EQ(levels_of(EventType::connection, "attempted"), Levels{"low"});
  EXPECT_EQ(levels_of(EventType::connection, "answered"), Levels{});
  EXPECT_EQ(levels_of(EventType::connection, "credentials"), Levels{});
  EXPECT_EQ(levels_of(EventType::address_claim, "claimed"), Levels{});
  // Who answers what the story does not take for an answer (a reset, say) is none.
  EXPECT_EQ(levels_of(EventType::responder, "attempted"), Levels{});
  EXPECT_EQ(levels_of(EventType::responder, "answered", "answered"), Levels{"high"});
  EXPECT_EQ(levels_of(EventType::http_response, "answered", "answered"), Levels{"high"});
  // Another machine, perhaps: each is told once.
  EXPECT_EQ(levels_of(EventType::responder, "answered"), Levels{"high"});
  // Not for whatever else is answered.
  EXPECT_EQ(levels_of(EventType::responder, "token", "answered"), Levels{});
  EXPECT_EQ(levels_of(EventType::http_response, "answered"), Levels{});
  EXPECT_EQ(levels_of(EventType::http_response, "token", "answered"), Levels{});
  EXPECT_EQ(levels_of(EventType::token_issued, "token"), Levels{"high"});
  EXPECT_EQ(levels_of(EventType::http_response, "credentials"), Levels{});
}

TEST_F(ShippedRules, UseAlertsOnceForEachStory) {
  event::Event event = tcp_event(EventType::credentials_used);
  event.server_name = "sts.amazonaws.com";
  event.stage = event.reached = "used";
  EXPECT_EQ(levels(event), Levels{"critical"});
  event.reached = {};
  EXPECT_EQ(levels(event), Levels{});
}

event::Event delivery(event::Delivered what, event::AccountVerdict verdict) {
  event::Event event = tcp_event(EventType::credentials_delivered);
  event.response.status = 200;
  event.stage = "credentials";
  event.exchange.delivered = what;
  event.exchange.account_expected = verdict;
  return event;
}

TEST_F(ShippedRules, DeliveriesAreGradedByAccount) {
  using event::AccountVerdict;
  using event::Delivered;
  EXPECT_EQ(levels(delivery(Delivered::credentials, AccountVerdict::none)), Levels{"critical"});
  EXPECT_EQ(levels(delivery(Delivered::identity_document, AccountVerdict::none)), Levels{"high"});
  EXPECT_EQ(levels(delivery(Delivered::role_info, AccountVerdict::none)), Levels{"high"});
  EXPECT_EQ(levels(delivery(Delivered::user_data, AccountVerdict::none)), Levels{"high"});
  for (const Delivered what : {Delivered::credentials, Delivered::identity_document}) {
    EXPECT_EQ(levels(delivery(what, AccountVerdict::no)), Levels{"critical"});
    EXPECT_EQ(levels(delivery(what, AccountVerdict::wrong_network)), Levels{"high"});
    EXPECT_EQ(levels(delivery(what, AccountVerdict::yes)), Levels{"informational"});
  }
}

TEST_F(ShippedRules, TokensAlertAndForwardedOnesMore) {
  event::Event event = tcp_event(EventType::token_issued);
  EXPECT_EQ(levels(event), Levels{"high"});
  event.exchange.forwarded = true;
  EXPECT_EQ(levels(event), (Levels{"critical", "high"}));
}

TEST_F(ShippedRules, RefusalsOfEndpointsAlert) {
  event::Event event = tcp_event(EventType::http_response);
  event.response.status = 401;
  EXPECT_EQ(levels(event), Levels{});
  event.flow.endpoint = "aws-imds-ipv4";
  EXPECT_EQ(levels(event), Levels{"low"});
  event.response.status = 200;
  EXPECT_EQ(levels(event), Levels{});
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
