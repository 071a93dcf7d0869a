#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter.h"
#include "metrics/samples.h"

namespace imds::metrics {
namespace {

using ::testing::HasSubstr;

TEST(MetricSamples, TextHasHelpTypeAndSamplesInTheTablesOrder) {
  Samples samples;
  samples.add(Family::packets_total, {"1", "inspected"}, 7);
  samples.add(Family::port_link_up, {"tap0"}, 1);
  samples.add(Family::packets_total, {"0", "not_ip"}, 3);
  samples.add(Family::port_last_packet_age_seconds, {"tap0"}, 0.25);
  EXPECT_EQ(to_text(samples),
            "# HELP imds_inspector_port_link_up Whether the port has a link: 1 or 0.\n"
            "# TYPE imds_inspector_port_link_up gauge\n"
            "imds_inspector_port_link_up{port=\"tap0\"} 1\n"
            "# HELP imds_inspector_port_last_packet_age_seconds Seconds since the port's last "
            "packet, or since the start when there was none.\n"
            "# TYPE imds_inspector_port_last_packet_age_seconds gauge\n"
            "imds_inspector_port_last_packet_age_seconds{port=\"tap0\"} 0.25\n"
            "# HELP imds_inspector_packets_total Packets by what became of them; each counts "
            "once.\n"
            "# TYPE imds_inspector_packets_total counter\n"
            "imds_inspector_packets_total{worker=\"1\",disposition=\"inspected\"} 7\n"
            "imds_inspector_packets_total{worker=\"0\",disposition=\"not_ip\"} 3\n");
}

TEST(MetricSamples, NothingIsAnEmptyText) {
  EXPECT_EQ(to_text(Samples{}), "");
}

TEST(MetricSamples, LargeCountersKeepEveryDigit) {
  Samples samples;
  samples.add(Family::ring_published_alerts_total, 9007199254740991.0);
  EXPECT_THAT(to_text(samples), HasSubstr("alerts_total 9007199254740991\n"));
}

// A rule's title comes from a file somebody wrote; the format must survive it.
TEST(MetricSamples, LabelValuesAreEscapedAndValidUtf8) {
  Samples samples;
  samples.add(Family::alerts_total, {"a \"b\"\\\nc \xff", "id", "high"}, 1);
  EXPECT_THAT(to_text(samples),
              HasSubstr("{rule=\"a \\\"b\\\"\\\\\\nc \xef\xbf\xbd\",rule_id=\"id\","
                        "severity=\"high\"} 1\n"));
}

TEST(MetricSamples, WrongNumberOfLabelsIsCaught) {
  Samples samples;
  EXPECT_DEBUG_DEATH(samples.add(Family::packets_total, {"1"}, 7), "label values do not fit");
  EXPECT_TRUE(samples.all().empty());
}

TEST(MetricRegistry, CollectorsReadTheCountersOfTheMoment) {
  Counter alerts;
  Registry registry;
  registry.add([](Samples& s) { s.add(Family::ring_capacity_alerts, 64); });
  registry.add([&](Samples& s) {
    s.add(Family::ring_published_alerts_total, static_cast<double>(alerts.get()));
  });
  EXPECT_THAT(to_text(registry.collect()), HasSubstr("published_alerts_total 0\n"));
  alerts.add(5);
  const Samples samples = registry.collect();
  ASSERT_EQ(samples.all().size(), 2u);
  EXPECT_EQ(samples.all()[0].family, Family::ring_capacity_alerts);
  EXPECT_EQ(samples.all()[1].value, 5);
}

TEST(MetricRegistry, CollectsWhileTheWriterCounts) {
  Counter packets;
  Registry registry;
  registry.add([&](Samples& s) {
    s.add(Family::worker_packets_total, {"0"}, static_cast<double>(packets.get()));
  });
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) {
      packets.add();
    }
  });
  double last = 0;
  for (int i = 0; i < 100; ++i) {
    const double now = registry.collect().all().at(0).value;
    EXPECT_GE(now, last);
    last = now;
  }
  writer.join();
  EXPECT_EQ(registry.collect().all().at(0).value, 100'000);
}

}  // namespace
}  // namespace imds::metrics
