// A worker as the inspector makes one by default, with the shipped rules, and what it finds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "detect/inspector.h"
#include "detect/policy.h"
#include "exhibit/recorder.h"
#include "pipeline/worker.h"
#include "port/replay.h"
#include "rules/rule_set.h"
#include "traffic.h"

namespace imds::bench {

// What all workers read and none writes.
struct Shared {
  config::Config config;
  std::string rules;
  std::string fields;
  std::shared_ptr<const detect::Policy> policy;
};
// `rules` is a file or folder. Throws std::runtime_error.
[[nodiscard]] Shared make_shared_parts(const std::string& rules, const std::string& fields);

struct WorkerSetup {
  unsigned index = 0;
  std::uint32_t flows = 0;  // entries of the flow table; 0: the configuration's default
  bool eal_memory = false;  // for the flow table
  bool fast_lane = true;
  bool keep_evidence = false;  // as evidence.capture does; what is kept is thrown away, not written
};

// Cost of one loop of a source.
struct LoopCost {
  double cpu_seconds = 0;  // of this thread
  double wall_seconds = 0;
};

// One thread.
class BenchWorker {
 public:
  // Throws std::runtime_error.
  BenchWorker(const Shared& shared, const WorkerSetup& setup);

  // One loop of the source through the worker. What it finds is taken out of the ring as a story
  // thread would, whenever the ring is full and at the end.
  LoopCost inspect(port::ReplaySource& source);
  // The same, each pass apart, in TSC cycles.
  pipeline::PassCycles measure_passes(port::ReplaySource& source);
  // Of the last loop.
  [[nodiscard]] traces::Alerts findings() const;
  [[nodiscard]] std::uint64_t finding_count() const { return finding_count_; }
  // Whether every packet so far has had exactly one disposition.
  [[nodiscard]] bool every_packet_disposed() const;
  [[nodiscard]] const pipeline::Worker& worker() const { return *worker_; }
  [[nodiscard]] pipeline::PolicySwitch& policies() { return *policies_; }
  // The same rules as another generation, to be put in force after `former`; nullptr: after what
  // is in force.
  [[nodiscard]] std::shared_ptr<const detect::Policy> compile_again(
      const detect::Policy* former) const;

 private:
  [[nodiscard]] bool drain();

  const Shared& shared_;
  detect::FindingRing ring_{4096};
  std::vector<std::uint64_t> by_event_;
  std::vector<std::uint64_t> by_rule_;
  std::vector<bool> graded_;  // by rule: the ground truth is about it
  std::uint64_t finding_count_ = 0;
  std::unique_ptr<exhibit::Lane> lane_;  // with keep_evidence
  std::unique_ptr<exhibit::Recorder> recorder_;
  std::unique_ptr<pipeline::PolicySwitch> policies_;
  std::unique_ptr<pipeline::Worker> worker_;
};

// One loop of the source whose packets are only given back.
LoopCost only_release(port::ReplaySource& source);

}  // namespace imds::bench
