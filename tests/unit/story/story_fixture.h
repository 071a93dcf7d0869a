// Findings as workers hand them over, and a sink that keeps the alerts made of them.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "alert/record.h"
#include "story/story.h"

namespace imds::story {

inline constexpr std::uint32_t kGeneration = 7;

struct Recorder : AlertSink {
  bool deliver(const alert::SparseRecord& alert) override {
    if (accept == 0) {
      return false;
    }
    --accept;
    records.push_back(alert.record);
    return true;
  }
  void tick() override { ++ticks; }
  std::vector<imds_alert_record> records;
  std::size_t accept = SIZE_MAX;
  int ticks = 0;
};

class StoryTest : public testing::Test {
 protected:
  StoryTest() {
    for (int i = 0; i < 3; ++i) {
      rings_.push_back(std::make_unique<FindingRing>(8));
    }
    options_.catalogs = {
        {kGeneration, {{"id-a", "Rule A", "low", 2}, {"id-b", "Rule B", "critical", 5}}}};
    options_.hostname = "sensor-1";
    options_.interface_names = {"tap0", "tap1"};
  }

  std::vector<FindingRing*> workers() const {
    std::vector<FindingRing*> out;
    for (const auto& ring : rings_) {
      out.push_back(ring.get());
    }
    return out;
  }

  static RuleBook::Total total_of(const Story& story, std::string_view id) {
    for (const RuleBook::Total& total : story.rules().totals()) {
      if (total.rule.id == id) {
        return total;
      }
    }
    return {{}, UINT64_MAX, UINT64_MAX};
  }
  static std::uint64_t alerts_of(const Story& story, std::string_view id) {
    return total_of(story, id).alerts;
  }

  bool add(std::size_t worker, std::vector<std::uint16_t> rules, std::int64_t time = 0,
           std::uint32_t generation = kGeneration) {
    event::Finding* f = rings_[worker]->reserve();
    if (f == nullptr) {
      return false;
    }
    *f = {};
    f->time.ns = time;
    f->type = event::EventType::connection;
    f->worker = static_cast<std::uint8_t>(worker);
    f->ingress_port = static_cast<std::uint16_t>(worker);
    f->ruleset_generation = generation;
    f->rule_count = static_cast<std::uint16_t>(rules.size());
    std::copy(rules.begin(), rules.end(), f->rules.begin());
    rings_[worker]->commit();
    return true;
  }

  std::vector<std::unique_ptr<FindingRing>> rings_;
  Options options_;
};

}  // namespace imds::story
