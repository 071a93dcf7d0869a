#include "event/stage.h"

#include <limits>

#include <gtest/gtest.h>

#include "event/event.h"
#include "event/finding.h"

namespace imds::event {
namespace {

std::string text_of(const Timeline& timeline) {
  std::array<char, kMaxTimelineText> room;
  return std::string(timeline_text(timeline, room));
}

TEST(Timeline, TellsStagesInTheOrderTheyWereReached) {
  Timeline timeline;
  EXPECT_EQ(text_of(timeline), "");
  timeline.reached = 0b00111;
  timeline.after_ms = {1500, 0, 7};
  EXPECT_EQ(text_of(timeline), "attempted+0.000s answered+0.007s claimed+1.500s");
  EXPECT_EQ(timeline.furthest(), Stage::answered);
  // At the same time, the order of stages.
  timeline.after_ms = {};
  EXPECT_EQ(text_of(timeline), "claimed+0.000s attempted+0.000s answered+0.000s");
}

TEST(Timeline, NamesTheStageThatIsNew) {
  Timeline timeline;
  EXPECT_EQ(timeline.fresh_name(), "");
  timeline.reached = 0b00111;
  timeline.fresh = 1u << static_cast<unsigned>(Stage::attempted);
  EXPECT_EQ(timeline.fresh_name(), "attempted");
}

TEST(Timeline, TheLongestTextFits) {
  Timeline timeline;
  timeline.reached = (1u << kStageCount) - 1;
  timeline.after_ms.fill(std::numeric_limits<std::uint32_t>::max());
  const std::string text = text_of(timeline);
  EXPECT_LE(text.size(), kMaxTimelineText);
  EXPECT_TRUE(text.ends_with(" used+4294967.295s")) << text;
  EXPECT_EQ(timeline.furthest(), Stage::used);
}

TEST(Story, IsThatOfAnEndpointOrOfWhatProvesItself) {
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    Event event;
    event.type = static_cast<EventType>(i);
    const bool proof = event.type == EventType::token_issued ||
                       event.type == EventType::credentials_delivered ||
                       event.type == EventType::credentials_used;
    EXPECT_EQ(has_story(event), proof) << name(event.type);
    EXPECT_EQ(moves_story(event), proof) << name(event.type);
    event.flow.endpoint = "aws";
    EXPECT_TRUE(has_story(event)) << name(event.type);
    Finding finding;
    fill(finding, event);
    EXPECT_TRUE(has_story(finding)) << name(event.type);
    event.is_test = true;
    EXPECT_FALSE(has_story(event)) << name(event.type);
    EXPECT_FALSE(moves_story(event)) << name(event.type);
  }
}

TEST(Story, RequestsDoNotMoveIt) {
  Event event;
  event.flow.endpoint = "aws";
  event.type = EventType::connection;
  EXPECT_TRUE(moves_story(event));
  event.type = EventType::http_request;
  EXPECT_FALSE(moves_story(event));
}

}  // namespace
}  // namespace imds::event
