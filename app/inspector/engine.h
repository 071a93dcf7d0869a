// The parts every mode has: rules, address classes, suppressions, workers with their finding
// rings, and the story that makes alerts of findings. Maps the configuration to each room's own
// Options.
//
// Built on the control thread after EAL has started; immutable afterwards except for counters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "classify/classifier.h"
#include "classify/suppression.h"
#include "pipeline/handover.h"
#include "pipeline/worker.h"
#include "settings.h"
#include "story/story.h"

namespace imds::inspector {

struct EngineOptions {
  unsigned workers = 1;
  std::vector<std::string> port_names;   // by ingress port index; at least one
  std::vector<story::AlertSink*> sinks;  // must outlive the engine
  // How the ports spread packets; must outlive the engine. With it and several workers, these give
  // each other what belongs elsewhere.
  const port::Steering* steering = nullptr;
  bool drain_inline = false;  // the thread that polls workers also polls the story (--read)
};

class Engine {
 public:
  // DPDK heap that create() will need, bytes. Before EAL starts.
  [[nodiscard]] static std::uint64_t estimate_memory_bytes(const Settings& settings,
                                                           const rules::RuleSet& rules);
  // Checks of the configuration that need no EAL: suppressions and endpoints fit together.
  [[nodiscard]] static Status check(const Settings& settings, const rules::RuleSet& rules);

  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(
      const Settings& settings, std::shared_ptr<const rules::RuleSet> rules,
      const EngineOptions& options);

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] std::size_t worker_count() const { return workers_.size(); }
  [[nodiscard]] pipeline::Worker& worker(std::size_t i) { return *workers_[i]; }
  [[nodiscard]] const pipeline::Worker& worker(std::size_t i) const { return *workers_[i]; }
  [[nodiscard]] story::Story& story() { return *story_; }
  [[nodiscard]] const story::Story& story() const { return *story_; }
  [[nodiscard]] const rules::RuleSet& rules() const { return *rules_; }
  [[nodiscard]] const classify::SuppressionSet& suppressions() const { return suppressions_; }
  [[nodiscard]] const std::vector<std::string>& port_names() const { return port_names_; }

 private:
  Engine() = default;

  std::shared_ptr<const rules::RuleSet> rules_;
  std::unique_ptr<const classify::Classifier> classifier_;
  classify::SuppressionSet suppressions_;
  std::vector<std::string> port_names_;
  std::vector<std::unique_ptr<detect::FindingRing>> rings_;
  std::unique_ptr<pipeline::Handover> handover_;
  std::vector<std::unique_ptr<pipeline::Worker>> workers_;
  std::unique_ptr<story::Story> story_;
};

[[nodiscard]] classify::Options classify_options(const config::Config& config,
                                                 const rules::RuleSet& rules);

}  // namespace imds::inspector
