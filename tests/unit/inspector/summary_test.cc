// The final account: every packet and every finding has its place.
#include "summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inject.h"
#include "rig.h"

namespace imds::inspector {
namespace {

using ::testing::HasSubstr;

const IpAddress kEndpoint = IpAddress::parse("169.254.169.254").value();

TEST(Summary, OfNothing) {
  const Rig rig;
  const std::string text = summarize(*rig.engine, 0);
  EXPECT_THAT(text, HasSubstr("received 0 = inspected 0 + no_payload 0"));
  EXPECT_THAT(text, HasSubstr("alerts    0\n"));
  EXPECT_TRUE(adds_up(*rig.engine));
}

TEST(Summary, NamesEveryPacketAndFinding) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  ASSERT_TRUE(source->inject(kEndpoint).has_value());
  rig.poll(*source);
  const std::string text = summarize(*rig.engine, 2.0);
  EXPECT_THAT(text, HasSubstr("received 5 = inspected 1 + no_payload 4"));
  EXPECT_THAT(text, HasSubstr("flows     1 followed, 0 gaps"));
  EXPECT_THAT(text, HasSubstr("http      1 request heads, 1 of them parsed"));
  EXPECT_THAT(text, HasSubstr("produced 3 = delivered 3 + suppressed 0 + lost 0"));
  EXPECT_THAT(text, HasSubstr("rule hits 4 = alerts 2 + throttled 0 + rejected by the story 2 + "
                              "suppressed 0 + lost 0"));  // a test request has no story
  EXPECT_THAT(text, HasSubstr("alerts    2: 2 "));
  EXPECT_TRUE(adds_up(*rig.engine));
}

TEST(Summary, CountsWhatIsSuppressed) {
  config::Suppression documentation;
  documentation.name = "documentation";
  documentation.source = {IpPrefix::parse("192.0.2.0/24").value()};
  Rig rig({documentation});
  const auto source = InjectSource::create(0).value();
  ASSERT_TRUE(source->inject(kEndpoint).has_value());
  rig.poll(*source);
  EXPECT_TRUE(rig.sink.records.empty());
  const std::string text = summarize(*rig.engine, 0);
  EXPECT_THAT(text, HasSubstr("produced 3 = delivered 0 + suppressed 3 + lost 0"));
  EXPECT_THAT(text, HasSubstr("rule hits 4 = alerts 0 + throttled 0 + suppressed 4 + lost 0"));
  EXPECT_TRUE(adds_up(*rig.engine));
}

// A finding that was queued but not yet drained is not lost, only not yet told.
TEST(Summary, UndrainedFindingsDoNotAddUp) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  ASSERT_TRUE(source->inject(kEndpoint).has_value());
  port::Source* const sources[] = {source.get()};
  rig.engine->worker(0).poll(sources);
  EXPECT_FALSE(adds_up(*rig.engine));
  rig.engine->story().poll(1000);
  EXPECT_TRUE(adds_up(*rig.engine));
}

}  // namespace
}  // namespace imds::inspector
