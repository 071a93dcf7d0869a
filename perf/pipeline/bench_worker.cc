#include "bench_worker.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "event/fields.h"
#include "must.h"
#include "sigma/load.h"
#include "traces/rule_ids.h"

namespace imds::bench {
namespace {

class Stopwatch {
 public:
  [[nodiscard]] LoopCost stop() const {
    return {now(CLOCK_THREAD_CPUTIME_ID) - cpu_, now(CLOCK_MONOTONIC) - wall_};
  }

 private:
  static double now(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }
  double wall_ = now(CLOCK_MONOTONIC);
  double cpu_ = now(CLOCK_THREAD_CPUTIME_ID);
};

flow::MemorySource eal_memory() {
  flow::MemorySource source;
  source.allocate = [](std::size_t bytes, void*) {
    return rte_zmalloc("flows", bytes, RTE_CACHE_LINE_SIZE);
  };
  source.release = [](void* memory, std::size_t, void*) { rte_free(memory); };
  return source;
}

std::shared_ptr<const detect::Policy> make_policy(const Shared& shared, std::uint32_t generation,
                                                  const detect::Policy* former) {
  const auto table = must(event::FieldTable::load(shared.fields));
  const std::vector<std::filesystem::path> paths = {shared.rules};
  rules::CompileOptions options;
  options.generation = generation;
  const auto compiled =
      must(rules::RuleSet::compile(must(sigma::load_paths(paths, table)).rules, options));
  classify::Options classes;
  for (const config::Endpoint& endpoint : shared.config.endpoints) {
    classes.endpoints.push_back({endpoint.name, endpoint.addresses});
  }
  classes.destination_prefixes = compiled->destination_prefixes();
  classes.source_prefixes = compiled->source_prefixes();
  return must(detect::Policy::create(compiled, classes, former));
}

}  // namespace

Shared make_shared_parts(const std::string& rules, const std::string& fields) {
  Shared shared;
  shared.rules = rules;
  shared.fields = fields;
  shared.policy = make_policy(shared, 1, nullptr);
  return shared;
}

std::shared_ptr<const detect::Policy> BenchWorker::compile_again(
    const detect::Policy* former) const {
  const auto in_force = policies_->current();
  former = former != nullptr ? former : in_force->policy.get();
  return make_policy(shared_, former->generation() + 1, former);
}

BenchWorker::BenchWorker(const Shared& shared, const WorkerSetup& setup)
    : shared_(shared), by_event_(event::kEventTypeCount), by_rule_(shared.policy->rules->size()) {
  for (std::size_t i = 0; i < shared.policy->rules->size(); ++i) {
    graded_.push_back(traces::is_in_ground_truth(shared.policy->rules->info(i).id));
  }
  pipeline::Options options;
  options.flows.flows = setup.flows != 0 ? setup.flows : shared.config.flow.capacity;
  options.flows.secret = flow::HashSecret::random();
  if (setup.eal_memory) {
    options.flows.memory = eal_memory();
  }
  options.fast_lane = setup.fast_lane;
  options.inspector.worker = static_cast<std::uint8_t>(setup.index);
  options.inspector.raw_scan_bytes = shared.config.inspect.raw_scan_bytes;
  options.inspector.make_room = [](void* self) { return static_cast<BenchWorker*>(self)->drain(); };
  options.inspector.make_room_context = this;
  if (setup.keep_evidence) {
    lane_ = std::make_unique<exhibit::Lane>(std::size_t{8} << 20);
    recorder_ = std::make_unique<exhibit::Recorder>(exhibit::Recorder::Options{}, *lane_);
    options.inspector.recorder = recorder_.get();
  }
  policies_ = must(pipeline::PolicySwitch::create(shared.policy, 1));
  worker_ = must(pipeline::Worker::create(options, *policies_, ring_));
}

bool BenchWorker::drain() {
  bool any = false;
  while (const event::Finding* finding = ring_.front()) {
    for (std::size_t i = 0; i < finding->rule_count; ++i) {
      const std::uint16_t rule = finding->rules[i];
      if (graded_[rule]) {
        ++by_event_[static_cast<std::size_t>(finding->type)];
        ++by_rule_[rule];
      }
    }
    ++finding_count_;
    ring_.pop();
    any = true;
  }
  while (lane_ != nullptr && !lane_->ring.front().empty()) {
    lane_->ring.pop();
  }
  return any;
}

LoopCost BenchWorker::inspect(port::ReplaySource& source) {
  std::fill(by_event_.begin(), by_event_.end(), 0);
  std::fill(by_rule_.begin(), by_rule_.end(), 0);
  finding_count_ = 0;
  port::Source* const sources[] = {&source};
  const Stopwatch watch;
  for (std::size_t left = source.packets(); left > 0;) {
    left -= worker_->poll(sources);
  }
  const LoopCost cost = watch.stop();
  static_cast<void>(drain());
  return cost;
}

pipeline::PassCycles BenchWorker::measure_passes(port::ReplaySource& source) {
  pipeline::PassCycles passes;
  worker_->measure_passes(&passes);
  inspect(source);
  worker_->measure_passes(nullptr);
  return passes;
}

traces::Alerts BenchWorker::findings() const {
  traces::Alerts out;
  for (std::size_t i = 0; i < by_event_.size(); ++i) {
    if (by_event_[i] != 0) {
      out.by_event[std::string(event::name(static_cast<event::EventType>(i)))] = by_event_[i];
    }
  }
  for (std::size_t i = 0; i < by_rule_.size(); ++i) {
    if (by_rule_[i] != 0) {
      out.by_rule[shared_.policy->rules->info(i).id] = by_rule_[i];
    }
  }
  return out;
}

bool BenchWorker::every_packet_disposed() const {
  const pipeline::WorkerCounters& counters = worker_->counters();
  std::uint64_t disposed = 0;
  for (const Counter& counter : counters.dispositions) {
    disposed += counter.get();
  }
  return disposed == counters.packets.get();
}

LoopCost only_release(port::ReplaySource& source) {
  std::array<rte_mbuf*, pipeline::kBurst> burst{};
  const Stopwatch watch;
  for (std::size_t left = source.packets(); left > 0;) {
    const std::uint16_t count = source.receive(burst);
    source.release(std::span<rte_mbuf* const>(burst).first(count));
    left -= count;
  }
  return watch.stop();
}

}  // namespace imds::bench
