#include "story/story.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace imds::story {

Story::Story(Options options, std::vector<FindingRing*> workers, std::vector<AlertSink*> sinks)
    : options_(std::move(options)),
      redactor_(options_.redaction),
      workers_(std::move(workers)),
      sinks_(std::move(sinks)),
      sink_counters_(std::make_unique<SinkCounters[]>(sinks_.size())) {
  for (const RuleCatalog& catalog : options_.catalogs) {
    rule_counters_.push_back(std::make_unique<Counter[]>(catalog.rules.size()));
  }
}

std::size_t Story::poll(std::size_t budget) {
  std::size_t taken = 0;
  std::size_t idle = 0;  // workers in a row that had nothing
  while (taken < budget && idle < workers_.size()) {
    FindingRing& ring = *workers_[next_worker_];
    next_worker_ = (next_worker_ + 1) % workers_.size();
    if (const event::Finding* finding = ring.front(); finding != nullptr) {
      consume(*finding);
      ring.pop();
      ++taken;
      idle = 0;
    } else {
      ++idle;
    }
  }
  for (AlertSink* sink : sinks_) {
    sink->tick();
  }
  return taken;
}

void Story::run(const std::stop_token& stop) {
  constexpr std::size_t kBudget = 256;
  constexpr std::chrono::milliseconds kIdleSleep{1};
  while (!stop.stop_requested()) {
    if (poll(kBudget) == 0) {
      std::this_thread::sleep_for(kIdleSleep);
    }
  }
  while (poll(kBudget) > 0) {
  }
}

void Story::consume(const event::Finding& finding) {
  findings_.add();
  const auto catalog = std::find_if(
      options_.catalogs.begin(), options_.catalogs.end(),
      [&](const RuleCatalog& c) { return c.generation == finding.ruleset_generation; });
  const std::size_t rules = std::min<std::size_t>(finding.rule_count, finding.rules.size());
  for (std::size_t i = 0; i < rules; ++i) {
    const std::uint16_t rule = finding.rules[i];
    if (catalog == options_.catalogs.end() || rule >= catalog->rules.size()) {
      unknown_rules_.add();
      continue;
    }
    raise(finding, static_cast<std::size_t>(catalog - options_.catalogs.begin()), rule);
  }
}

void Story::raise(const event::Finding& finding, std::size_t catalog, std::uint16_t rule) {
  const alert::RuleFacts& facts = options_.catalogs[catalog].rules[rule];
  alert::ObserverNames names;
  names.hostname = options_.hostname;
  if (finding.ingress_port < options_.interface_names.size()) {
    names.interface_name = options_.interface_names[finding.ingress_port];
  }
  alert::make_record(finding, facts, names, redactor_, record_);
  alerts_.add();
  rule_counters_[catalog][rule].add();
  severity_counters_[record_.severity - 1u].add();
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    SinkCounters& counters = sink_counters_[i];
    (sinks_[i]->deliver(record_) ? counters.delivered : counters.lost).add();
  }
}

std::uint64_t Story::alerts_of_severity(int severity) const {
  const auto index = static_cast<std::size_t>(severity - 1);
  return index < severity_counters_.size() ? severity_counters_[index].get() : 0;
}

}  // namespace imds::story
