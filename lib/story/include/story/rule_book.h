// What findings call rules, by ruleset generation, and what became of each rule's alerts. During
// a reload workers write findings of two generations; each is read by the names of its own.
//
// Threads: any; a lock guards the lists, none is held while a catalog is used. A catalog, once
// found, stays valid for as long as it is held, also after forget(). Counters have one writer, the
// story's thread.
// A rule that both generations have, by id, name and level, keeps its counters.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "alert/record.h"
#include "base/counter.h"
#include "rules/evaluator.h"
#include "story/correlation.h"

namespace imds::story {

// The rules that Finding::rules indexes, for one ruleset generation.
struct RuleCatalog {
  std::uint32_t generation = 0;
  std::vector<alert::RuleFacts> rules;  // then those of `correlations`, in their order
  // By rule: index into the throttle's policies, kUnthrottled for none. Empty: none has any.
  std::vector<std::uint8_t> policies{};
  std::vector<CorrelationRule> correlations = {};
  std::vector<bool> correlated_only = {};  // per rule: its hits alone make no alert; empty: all do
  // Of the findings' rule set, for rules that are judged in the story; the story's thread alone
  // uses it. Null: there are none, every hit counts.
  std::shared_ptr<imds::rules::Evaluator> story_rules = {};

  // How many of `rules` are ordinary ones.
  [[nodiscard]] std::size_t base_rules() const { return rules.size() - correlations.size(); }
};
inline constexpr std::uint8_t kUnthrottled = 0xff;

class RuleBook {
 public:
  struct RuleCounters {
    Counter alerts;
    Counter throttled;
  };
  struct Page {
    RuleCatalog catalog;
    std::vector<std::shared_ptr<RuleCounters>> counters;  // by rule
    std::vector<std::uint64_t> numbers;                   // by rule: Throttle::rule_number()
    std::unique_ptr<Correlator> correlator;               // but for its counters the story's own
  };
  struct Total {
    alert::RuleFacts rule;
    std::uint64_t alerts = 0;
    std::uint64_t throttled = 0;
  };

  // `correlation_bytes`: of a catalog's correlations together.
  explicit RuleBook(std::size_t correlation_bytes) : correlation_bytes_(correlation_bytes) {}

  // Before the first finding of its generation. Correlations go on with the groups of those of the
  // catalog added last that mean the same.
  void add(RuleCatalog catalog);
  // After the last finding of its generation was taken.
  void forget(std::uint32_t generation);
  // nullptr: no such generation.
  [[nodiscard]] std::shared_ptr<const Page> find(std::uint32_t generation) const;
  // In the order they were added.
  [[nodiscard]] std::vector<std::shared_ptr<const Page>> pages() const;
  // Added last; nullptr: there is none.
  [[nodiscard]] std::shared_ptr<const Page> latest() const;
  // Every rule of every generation kept, once.
  [[nodiscard]] std::vector<Total> totals() const;

 private:
  std::size_t correlation_bytes_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Page>> pages_;
};

}  // namespace imds::story
