#include "story/stages.h"

#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace imds::story {
namespace {

using event::EventType;
constexpr std::int64_t kSecond = kNanosPerSecond;
constexpr std::int64_t kMilli = kSecond / 1000;

event::Finding finding_of(EventType type, std::int64_t time, std::string_view client = "10.0.0.1",
                          std::string_view endpoint = "aws") {
  event::Finding finding{};
  finding.type = type;
  finding.time.ns = time;
  finding.source.ip = *IpAddress::parse(client);
  finding.destination.ip = *IpAddress::parse("169.254.169.254");
  finding.endpoint.assign(endpoint);
  if (type == EventType::responder) {
    finding.evidence.answer = event::Answer::syn_ack;
  }
  if (type == EventType::credentials_delivered) {
    finding.has_exchange = true;
    finding.exchange.delivered = event::Delivered::credentials;
  }
  return finding;
}

std::string told(const event::Timeline& timeline) {
  std::array<char, event::kMaxTimelineText> room;
  const std::string text(event::timeline_text(timeline, room));
  return timeline.reached == 0 ? "" : std::string(event::name(timeline.furthest())) + ": " + text;
}

class StagesTest : public testing::Test {
 protected:
  std::string take(EventType type, std::int64_t time, std::string_view client = "10.0.0.1",
                   std::string_view endpoint = "aws") {
    return told(stages_.take(finding_of(type, time, client, endpoint)));
  }
  Stages stages_{{1 << 20, 600 * kSecond}};
};

TEST_F(StagesTest, TheWholeStory) {
  EXPECT_EQ(take(EventType::address_claim, 0, "10.0.0.66"), "claimed: claimed+0.000s");
  EXPECT_EQ(take(EventType::connection, 100 * kMilli),
            "attempted: claimed+0.000s attempted+0.100s");
  EXPECT_EQ(take(EventType::responder, 101 * kMilli),
            "answered: claimed+0.000s attempted+0.100s answered+0.101s");
  EXPECT_EQ(take(EventType::http_request, 102 * kMilli),
            "answered: claimed+0.000s attempted+0.100s answered+0.101s");
  EXPECT_EQ(take(EventType::token_issued, 2 * kSecond),
            "token: claimed+0.000s attempted+0.100s answered+0.101s token+2.000s");
  EXPECT_EQ(take(EventType::credentials_delivered, 3 * kSecond),
            "credentials: claimed+0.000s attempted+0.100s answered+0.101s token+2.000s "
            "credentials+3.000s");
  // What was reached stays reached, whatever comes then.
  EXPECT_EQ(take(EventType::connection, 4 * kSecond).substr(0, 12), "credentials:");
  EXPECT_EQ(stages_.size(), 1u);
}

TEST_F(StagesTest, TellsWhichStageIsNew) {
  const auto fresh = [&](EventType type, std::int64_t time) {
    return std::string(stages_.take(finding_of(type, time)).fresh_name());
  };
  EXPECT_EQ(fresh(EventType::address_claim, 0), "claimed");
  EXPECT_EQ(fresh(EventType::address_claim, 1), "");
  EXPECT_EQ(fresh(EventType::connection, 2), "attempted");
  EXPECT_EQ(fresh(EventType::http_request, 3), "");
  EXPECT_EQ(fresh(EventType::responder, 4), "answered");
  EXPECT_EQ(fresh(EventType::http_response, 5), "");
  EXPECT_EQ(fresh(EventType::token_issued, 6), "token");
  EXPECT_EQ(fresh(EventType::http_response, 7), "");
  EXPECT_EQ(fresh(EventType::token_issued, 8), "");
  // Another story.
  EXPECT_EQ(fresh(EventType::address_claim, 700 * kSecond), "claimed");
  EXPECT_EQ(fresh(EventType::http_response, 700 * kSecond), "answered");
}

TEST_F(StagesTest, HalfAViewTellsWhatWasSeen) {
  EXPECT_EQ(take(EventType::http_response, kSecond), "answered: answered+0.000s");
  EXPECT_EQ(take(EventType::credentials_delivered, 2 * kSecond),
            "credentials: answered+0.000s credentials+1.000s");
}

TEST_F(StagesTest, EachClientAndEndpointHasItsOwn) {
  take(EventType::connection, 0, "10.0.0.1", "aws");
  take(EventType::responder, 0, "10.0.0.1", "aws");
  EXPECT_EQ(take(EventType::connection, 1, "10.0.0.2", "aws"), "attempted: attempted+0.000s");
  EXPECT_EQ(take(EventType::connection, 1, "10.0.0.1", "other"), "attempted: attempted+0.000s");
  EXPECT_EQ(take(EventType::connection, 1, "::ffff:10.0.0.3", "aws"),
            "attempted: attempted+0.000s");
  EXPECT_EQ(stages_.size(), 4u);
}

TEST_F(StagesTest, WithoutAnEndpointTheServersAddressStandsForIt) {
  EXPECT_EQ(take(EventType::token_issued, 0, "10.0.0.1", ""), "token: token+0.000s");
  EXPECT_EQ(take(EventType::credentials_delivered, kSecond, "10.0.0.1", ""),
            "credentials: token+0.000s credentials+1.000s");
  event::Finding elsewhere = finding_of(EventType::credentials_delivered, kSecond, "10.0.0.1", "");
  elsewhere.destination.ip = *IpAddress::parse("192.0.2.9");
  EXPECT_EQ(told(stages_.take(elsewhere)), "credentials: credentials+0.000s");
}

// Firewalls reset connections in the name of any address.
TEST_F(StagesTest, ForgedAnswersDoNotCount) {
  take(EventType::connection, 0);
  event::Finding answer = finding_of(EventType::responder, kMilli);
  for (const event::Answer forged : {event::Answer::rst, event::Answer::icmp}) {
    answer.evidence.answer = forged;
    EXPECT_EQ(told(stages_.take(answer)), "attempted: attempted+0.000s");
  }
  answer.evidence.answer = event::Answer::udp;
  EXPECT_EQ(told(stages_.take(answer)), "answered: attempted+0.000s answered+0.001s");
}

TEST_F(StagesTest, DocumentsAreNoCredentials) {
  event::Finding document = finding_of(EventType::credentials_delivered, 0);
  document.exchange.delivered = event::Delivered::identity_document;
  EXPECT_EQ(told(stages_.take(document)), "answered: answered+0.000s");
}

TEST_F(StagesTest, OtherEventsWithoutAnEndpointHaveNone) {
  EXPECT_EQ(take(EventType::connection, 0, "10.0.0.1", ""), "");
  EXPECT_EQ(take(EventType::http_request, 0, "10.0.0.1", ""), "");
  event::Finding test = finding_of(EventType::connection, 0);
  test.is_test = true;
  EXPECT_EQ(told(stages_.take(test)), "");
  EXPECT_EQ(stages_.size(), 0u);
}

TEST_F(StagesTest, IsForgottenAWindowAfterItsLastEvent) {
  take(EventType::responder, 0);
  EXPECT_EQ(take(EventType::connection, 600 * kSecond).substr(0, 9), "answered:");
  EXPECT_EQ(take(EventType::connection, 1200 * kSecond).substr(0, 9), "answered:");
  EXPECT_EQ(take(EventType::connection, 1800 * kSecond + 1), "attempted: attempted+0.000s");
  EXPECT_EQ(stages_.evicted(), 0u);
  EXPECT_EQ(stages_.size(), 1u);
}

// --- Use of what was delivered ---

class HoldersTest : public testing::Test {
 protected:
  std::string take(EventType type, std::int64_t time, std::string_view client = "10.0.0.1",
                   std::string_view endpoint = "aws") {
    return told(stages_.take(finding_of(type, time, client, endpoint)));
  }
  // A connection to AWS: of no endpoint, to an address of anybody's.
  std::string use(std::int64_t time, std::string_view client = "10.0.0.1") {
    event::Finding finding = finding_of(EventType::credentials_used, time, client, "");
    finding.destination.ip = *IpAddress::parse("203.0.113.7");
    return told(stages_.take(finding));
  }
  [[nodiscard]] bool is_holder(std::string_view client = "10.0.0.1") const {
    return published_->contains(*IpAddress::parse(client));
  }

  std::unique_ptr<AddressSet> published_ = std::make_unique<AddressSet>(SipKey{1, 2});
  Stages stages_{{1 << 20, 600 * kSecond, published_.get()}};
};

TEST_F(HoldersTest, UseBelongsToTheStoryOfTheDelivery) {
  take(EventType::responder, 0);
  EXPECT_TRUE(published_->empty());
  take(EventType::credentials_delivered, kSecond);
  EXPECT_TRUE(is_holder());
  EXPECT_EQ(stages_.holders(), 1u);
  EXPECT_EQ(use(2 * kSecond), "used: answered+0.000s credentials+1.000s used+2.000s");
  EXPECT_EQ(use(3 * kSecond), "used: answered+0.000s credentials+1.000s used+2.000s");
  EXPECT_EQ(take(EventType::connection, 4 * kSecond).substr(0, 5), "used:");
  ASSERT_NE(stages_.delivery_to(*IpAddress::parse("10.0.0.1")), nullptr);
  EXPECT_EQ(stages_.delivery_to(*IpAddress::parse("10.0.0.1"))->endpoint.view(), "aws");
  EXPECT_EQ(stages_.size(), 1u);
}

TEST_F(HoldersTest, OthersUseNothing) {
  take(EventType::token_issued, 0, "10.0.0.2");
  EXPECT_EQ(use(kSecond, "10.0.0.2"), "");
  EXPECT_EQ(use(kSecond, "10.0.0.3"), "");
  event::Finding document = finding_of(EventType::credentials_delivered, 0, "10.0.0.2");
  document.exchange.delivered = event::Delivered::identity_document;
  (void)stages_.take(document);
  EXPECT_EQ(use(kSecond, "10.0.0.2"), "");
  EXPECT_EQ(stages_.size(), 1u) << "and begin no story";
  EXPECT_TRUE(published_->empty());
}

TEST_F(HoldersTest, ExpectedAccountsAreNobodysPrey) {
  event::Finding expected = finding_of(EventType::credentials_delivered, 0);
  expected.exchange.account_expected = event::AccountVerdict::yes;
  EXPECT_EQ(told(stages_.take(expected)).substr(0, 12), "credentials:");
  EXPECT_FALSE(is_holder());
  EXPECT_EQ(use(kSecond), "");
  expected.exchange.account_expected = event::AccountVerdict::wrong_network;
  (void)stages_.take(expected);
  EXPECT_TRUE(is_holder());
}

TEST_F(HoldersTest, WhatCameBeforeTheDeliveryIsNoUse) {
  take(EventType::credentials_delivered, 10 * kSecond);
  EXPECT_EQ(use(10 * kSecond - 1), "");
  EXPECT_EQ(use(10 * kSecond), "used: credentials+0.000s used+0.000s");
}

TEST_F(HoldersTest, TheWindowBeginsWithDeliveryAndUse) {
  take(EventType::credentials_delivered, 0);
  EXPECT_EQ(use(600 * kSecond).substr(0, 5), "used:");
  EXPECT_EQ(use(1200 * kSecond).substr(0, 5), "used:");
  EXPECT_EQ(use(1800 * kSecond + 1), "");
  EXPECT_TRUE(published_->empty());
  EXPECT_EQ(stages_.holders(), 0u);
}

// Without any event, too: live, the story looks at the clock.
TEST_F(HoldersTest, AreForgottenInTime) {
  take(EventType::credentials_delivered, 0);
  stages_.forget(600 * kSecond);
  EXPECT_TRUE(is_holder());
  stages_.forget(600 * kSecond + 1);
  EXPECT_FALSE(is_holder());
  EXPECT_EQ(stages_.size(), 0u);
  EXPECT_EQ(stages_.holders_evicted(), 0u);
}

TEST_F(HoldersTest, TheLatestDeliveryCounts) {
  take(EventType::credentials_delivered, 0, "10.0.0.1", "aws");
  take(EventType::credentials_delivered, kSecond, "10.0.0.1", "other");
  EXPECT_EQ(stages_.holders(), 1u);
  EXPECT_EQ(use(2 * kSecond), "used: credentials+0.000s used+1.000s");
  EXPECT_EQ(stages_.delivery_to(*IpAddress::parse("10.0.0.1"))->endpoint.view(), "other");
}

TEST(Holders, TheOneUnusedForLongestMakesRoom) {
  const auto published = std::make_unique<AddressSet>(SipKey{1, 2});
  Stages stages({16 << 20, 600 * kSecond, published.get()});
  for (std::size_t i = 0; i < AddressSet::kCapacity + 1; ++i) {
    const std::string client = "10.1." + std::to_string(i / 250) + '.' + std::to_string(i % 250);
    (void)stages.take(
        finding_of(EventType::credentials_delivered, static_cast<std::int64_t>(i), client));
  }
  EXPECT_EQ(stages.holders(), AddressSet::kCapacity);
  EXPECT_GE(stages.holders_evicted(), 1u);
  EXPECT_FALSE(published->contains(*IpAddress::parse("10.1.0.0")));
}

// Those that are over make room by and by, also if nobody asks for them again.
TEST_F(StagesTest, WhatIsOverIsForgottenAsOthersBegin) {
  for (int i = 0; i < 8; ++i) {
    take(EventType::connection, i, "10.0.1." + std::to_string(i));
  }
  EXPECT_EQ(stages_.size(), 8u);
  take(EventType::connection, 700 * kSecond);
  take(EventType::connection, 701 * kSecond);
  EXPECT_EQ(stages_.size(), 1u);
  EXPECT_EQ(stages_.evicted(), 0u);
}

TEST_F(StagesTest, AClaimIsForItsEndpointAndItsWindow) {
  take(EventType::address_claim, 0, "10.0.0.66", "aws");
  EXPECT_EQ(take(EventType::connection, kSecond, "10.0.0.1", "other"),
            "attempted: attempted+0.000s");
  EXPECT_EQ(take(EventType::connection, 600 * kSecond, "10.0.0.1"),
            "attempted: claimed+0.000s attempted+600.000s");
  EXPECT_EQ(take(EventType::connection, 600 * kSecond + 1, "10.0.0.2"),
            "attempted: attempted+0.000s");
}

TEST_F(StagesTest, OfManyClaimsTheLastBeforeTheStoryCounts) {
  take(EventType::address_claim, 0, "10.0.0.66");
  take(EventType::address_claim, 5 * kSecond, "10.0.0.67");
  EXPECT_EQ(take(EventType::connection, 6 * kSecond), "attempted: claimed+0.000s attempted+1.000s");
  take(EventType::address_claim, 7 * kSecond, "10.0.0.66");
  EXPECT_EQ(take(EventType::connection, 8 * kSecond), "attempted: claimed+0.000s attempted+1.000s");
}

TEST_F(StagesTest, AClaimMayComeAfterTheAttempt) {
  take(EventType::connection, 0);
  take(EventType::address_claim, kSecond, "10.0.0.66");
  EXPECT_EQ(take(EventType::responder, 2 * kSecond),
            "answered: attempted+0.000s claimed+1.000s answered+2.000s");
}

// Workers' findings come nearly in order.
TEST_F(StagesTest, TheEarliestTimeOfAStageCounts) {
  take(EventType::responder, 20 * kMilli);
  EXPECT_EQ(take(EventType::connection, 10 * kMilli), "answered: attempted+0.000s answered+0.010s");
  EXPECT_EQ(take(EventType::responder, 15 * kMilli), "answered: attempted+0.000s answered+0.005s");
}

// Time stamps of a capture are whatever its file says.
TEST_F(StagesTest, AnyTimeWillDo) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  take(EventType::connection, -kLast);
  EXPECT_EQ(take(EventType::connection, kLast), "attempted: attempted+0.000s");
  EXPECT_EQ(take(EventType::responder, -kLast), "answered: answered+0.000s attempted+4294967.295s");
}

TEST(Stages, TheOneUnusedForLongestMakesRoom) {
  Stages stages({1, 600 * kSecond});
  const std::size_t capacity = stages.capacity();
  const auto client = [](std::size_t i) { return "10.1.0." + std::to_string(i); };
  ASSERT_LT(capacity, 200u);
  (void)stages.take(finding_of(EventType::address_claim, 0, "10.0.0.66"));
  for (std::size_t i = 0; i < capacity; ++i) {
    (void)stages.take(
        finding_of(EventType::responder, kSecond + static_cast<std::int64_t>(i), client(i)));
  }
  EXPECT_EQ(stages.size(), capacity);
  EXPECT_EQ(stages.evicted(), 0u);
  (void)stages.take(finding_of(EventType::connection, 2 * kSecond, client(0)));
  // The second is given up, not the first, which was used since.
  const auto fresh = stages.take(finding_of(EventType::connection, 2 * kSecond, "10.2.0.1"));
  EXPECT_EQ(told(fresh), "attempted: claimed+0.000s attempted+2.000s");  // claims stay
  EXPECT_EQ(stages.evicted(), 1u);
  EXPECT_EQ(stages.size(), capacity);
  const auto first = stages.take(finding_of(EventType::connection, 3 * kSecond, client(0)));
  EXPECT_EQ(first.furthest(), event::Stage::answered);
  const auto second = stages.take(finding_of(EventType::connection, 3 * kSecond, client(1)));
  EXPECT_EQ(second.furthest(), event::Stage::attempted);
}

}  // namespace
}  // namespace imds::story
