// One worker's view of a RuleSet: the working memory that matching needs, and counters of the work
// done.
//
// Threads: an Evaluator belongs to one thread; its counters may be read by any.
// Ownership: keeps its RuleSet alive.
// After create(), nothing here allocates, throws or locks.
//
// Contract with the caller: an HTTP head is parsed and evaluated if prefilter() holds, or the head
// is disguised (http::has_disguise), or the flow touches an endpoint or an address of
// destination_prefixes() or source_prefixes(), or the set parses_every_head(). Then no rule is
// missed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/counter.h"
#include "base/cursor.h"
#include "base/result.h"
#include "event/event.h"
#include "event/finding.h"
#include "rules/rule_set.h"

namespace imds::rules {

// Rules that hit one event, in ascending order of index.
struct RuleHits {
  std::uint16_t count = 0;
  std::array<std::uint16_t, event::kMaxRulesPerFinding> rules;
  std::uint32_t overflow = 0;  // hits beyond what fits
};

struct EvaluatorCounters {
  Counter scans;          // Hyperscan scans: prefilter, raw and exact
  Counter bytes_scanned;  // bytes given to them
  Counter heads_passed;   // prefilter() calls that hit
  Counter events;         // evaluate() calls
};

class Evaluator {
 public:
  // Error (kind `environment`): no memory for the matcher's scratch.
  [[nodiscard]] static Result<Evaluator> create(std::shared_ptr<const RuleSet> rules);

  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  // Whether a raw, undisguised HTTP/1 request head may match a rule by its strings. Never false
  // where evaluate() would find a rule that strings index. May be true without one.
  [[nodiscard]] bool prefilter(ByteSpan raw_head);

  // The same for bytes of a stream that is not HTTP: whether a raw_match event is worth making.
  [[nodiscard]] bool prefilter_raw(ByteSpan bytes);

  // The rules that hold for the event. In a raw_match event the raw bytes stand for `url`,
  // `request_headers` and keywords compared under `contains`, and a rule hits only if one of its
  // own strings is among them.
  void evaluate(const event::Event& event, RuleHits& hits);

  [[nodiscard]] const RuleSet& rules() const;
  [[nodiscard]] const EvaluatorCounters& counters() const;

 private:
  struct State;
  explicit Evaluator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace imds::rules
