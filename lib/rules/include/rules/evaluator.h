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
#include <string_view>

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
  // Of rules that are judged in the story: how their other comparisons came out.
  std::array<std::uint64_t, event::kMaxRulesPerFinding> compared{};
  bool any_compared = false;   // some of `rules` is such a rule
  std::uint32_t overflow = 0;  // hits beyond what fits
  // Of http_request: a rule (RuleInfo::awaits_answer) needs its answer to be judged.
  bool wants_answer = false;

  void clear() {
    count = 0;
    wants_answer = false;
    any_compared = false;
    overflow = 0;
  }
  // Keeps the hits of which keep(rule) is true.
  template <typename Keep>
  void keep_if(const Keep& keep) {
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < count; ++i) {
      if (keep(rules[i])) {
        rules[kept] = rules[i];
        compared[kept++] = compared[i];
      }
    }
    count = kept;
  }
};

// On cache lines of its own: each worker writes one.
struct alignas(kCacheLine) EvaluatorCounters {
  Counter scans;          // pattern scans: prefilter, raw and exact
  Counter bytes_scanned;  // bytes given to them
  Counter heads_passed;   // prefilter() calls that hit
  Counter events;         // evaluate() calls
  // Regular expressions given up for the work they made (match::kMaxRegexSteps): taken as not
  // matching.
  Counter regexes_given_up;
};

class Evaluator {
 public:
  // Counters go on where `former`, which this one replaces, has them; those of filters by their
  // title. Error (kind `environment`): no memory for the matcher's scratch.
  [[nodiscard]] static Result<Evaluator> create(std::shared_ptr<const RuleSet> rules,
                                                const Evaluator* former = nullptr);

  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  // Whether a raw, undisguised HTTP/1 request head may match a rule by its strings. Never false
  // where evaluate() would find a rule that strings index. May be true without one.
  [[nodiscard]] bool prefilter(ByteSpan raw_head);

  // The same for bytes of a stream that is not HTTP: whether a raw_match event is worth making.
  [[nodiscard]] bool prefilter_raw(ByteSpan bytes);

  // The rules that hold for the event and that no filter withholds. In a raw_match event the raw
  // bytes stand for `url`, `request_headers` and keywords compared under `contains`, and a rule
  // hits only if one of its own strings is among them.
  void evaluate(const event::Event& event, RuleHits& hits);

  // Whether any rule is about events of the type. If not, evaluate() finds nothing.
  [[nodiscard]] bool listens(event::EventType type) const;

  // For the story, whose evaluator is none of a worker's: begins with an event's stage, timeline,
  // and the stage it reached first (or none); then tells of each rule that hit the event and is
  // judged in the story whether it holds. `compared` is what evaluate() gave with the hit.
  void begin_story(std::string_view stage, std::string_view timeline, std::string_view reached);
  [[nodiscard]] bool holds_in_story(std::uint16_t rule, std::uint64_t compared);

  [[nodiscard]] const RuleSet& rules() const;
  [[nodiscard]] const EvaluatorCounters& counters() const;
  // Rule hits that a filter < rules().filter_count() withheld. Each counts for one filter, the
  // first of its rule that holds.
  [[nodiscard]] std::uint64_t withheld(std::size_t filter) const;

 private:
  struct State;
  explicit Evaluator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace imds::rules
