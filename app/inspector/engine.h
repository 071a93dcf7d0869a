// The parts every mode has: rules, address classes, suppressions, workers with their finding
// rings, and the story that makes alerts of findings. Maps the configuration to each room's own
// Options.
//
// Built on the control thread after EAL has started; immutable afterwards except for counters and
// for the policy, which one thread known to EAL may exchange while the workers run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address_set.h"
#include "base/result.h"
#include "classify/address_class.h"
#include "detect/policy.h"
#include "evidence_capture.h"
#include "pipeline/handover.h"
#include "pipeline/policy_switch.h"
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
  bool throttle = true;              // as the configuration says; false: every alert is delivered
  bool drain_inline = false;         // the thread that polls workers also polls the story (--read)
  const Ruleset* ruleset = nullptr;  // whose correlations to follow at first; none without
};

class Engine {
 public:
  // DPDK heap that create() will need, bytes. Before EAL starts.
  [[nodiscard]] static std::uint64_t estimate_memory_bytes(const Settings& settings,
                                                           const rules::RuleSet& rules);
  // The same for the generation that a reload makes beside it.
  [[nodiscard]] static std::uint64_t estimate_reload_bytes(const Settings& settings,
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
  // In force: all of it as of one moment, for anyone.
  [[nodiscard]] std::shared_ptr<const pipeline::Edition> edition() const {
    return policies_->current();
  }
  // Holds its edition, so that it is not freed by whoever lets it go last.
  [[nodiscard]] std::shared_ptr<const detect::Policy> policy() const {
    const auto whole = edition();
    return {whole, whole->policy.get()};
  }
  // Former generations that are not freed yet.
  [[nodiscard]] std::size_t generations_held() const { return policies_->held(); }

  // Workers judge by `policy` from their next burst on, and the story follows the correlations of
  // `ruleset`, if there is one, which the policy's rules are of. The generation must be new, and
  // what the last one replaced must be free. Errors: environment; nothing has changed then.
  [[nodiscard]] Status put_in_force(std::shared_ptr<const detect::Policy> policy,
                                    const Ruleset* ruleset = nullptr);
  // Frees what put_in_force() replaced, if every worker has left it, every finding made by it was
  // taken and nobody looks at it. True: nothing is left to free.
  [[nodiscard]] bool free_former();

  [[nodiscard]] const std::vector<std::string>& port_names() const { return port_names_; }

  // nullptr: it is off.
  [[nodiscard]] const EvidenceCapture* evidence() const { return evidence_.get(); }
  // Once the workers have finished: what they kept is on the disk.
  void stop_evidence() {
    if (evidence_ != nullptr) {
      evidence_->stop();
    }
  }

 private:
  Engine() = default;

  std::unique_ptr<pipeline::PolicySwitch> policies_;
  std::unique_ptr<AddressSet> holders_;  // the story writes it, workers read it
  std::vector<std::string> port_names_;
  std::optional<config::Throttle> throttle_;  // which rules it is about, each ruleset decides anew
  std::vector<std::unique_ptr<detect::FindingRing>> rings_;
  std::unique_ptr<pipeline::Handover> handover_;
  std::unique_ptr<EvidenceCapture> evidence_;
  std::vector<std::unique_ptr<pipeline::Worker>> workers_;
  std::unique_ptr<story::Story> story_;
  // Findings each worker had made when all had left the former generation; empty before that.
  std::vector<std::uint64_t> last_of_former_;
  std::uint32_t former_ = 0;  // its generation; 0: none
};

// `former`: in force now, if anything is. Errors: config, environment.
[[nodiscard]] Result<std::shared_ptr<const detect::Policy>> make_policy(
    const config::Config& config, std::shared_ptr<const rules::RuleSet> rules,
    const detect::Policy* former);

}  // namespace imds::inspector
