// Sigma rules compiled for packets: a prefilter over raw bytes, exact matching of event fields and
// one condition program per rule.
//
// Threads: a RuleSet is immutable once compiled and shared by pointer; each worker evaluates it
// through an Evaluator of its own (rules/evaluator.h).
// Ownership: copies what it needs out of the rule trees.
// Limits, each an error of kind `config` that names the rule's file, line and column when passed:
// kMaxRules rules, kMaxPatternTextBytes bytes in one string value, kMaxAtoms different comparisons,
// kMaxComparedWithStory of a rule that is judged in the story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "event/event.h"
#include "event/fields.h"
#include "rules/raw_starts.h"

namespace imds::match {
class Compilation;
}
namespace imds::sigma {
struct Filter;
struct Rule;
}  // namespace imds::sigma

namespace imds::rules {

inline constexpr std::size_t kMaxRules = 65535;
inline constexpr std::size_t kMaxPatternTextBytes = 4000;
inline constexpr std::size_t kMaxAtoms = 1'000'000;
// Different comparisons of one rule beside those of fields of the story, if it has such:
// a bit each in a finding.
inline constexpr std::size_t kMaxComparedWithStory = 64;

struct CompileOptions {
  // Stands in every finding, so that rule indices are read against the right set.
  std::uint32_t generation = 1;
  // Strings shorter than this would hit in nearly every head; they do not index a rule.
  std::size_t min_literal_bytes = 4;
  // Bounds and cache of the databases; used during compile() only.
  match::Compilation* compilation = nullptr;
};

// What alerts say about a rule.
struct RuleInfo {
  std::string id;
  std::string title;
  std::string level;  // "informational", "low", "medium", "high", "critical"
  int severity = 3;   // 1 (informational) to 5 (critical)
  std::vector<std::string> tags;
  std::string file;
  int line = 0;              // where it begins; 0: not known
  std::uint32_t events = 0;  // event::bit of each type the rule can alert on, conditions considered
  // It compares a field of the story (event::is_of_story): a hit says that it may hold, the story
  // whether it does (Evaluator::holds_in_story).
  bool in_story = false;
  // It compares answers to HTTP requests: judged on http_response, while its part about the
  // requests tells whose answers it needs (RuleHits::wants_answer).
  bool awaits_answer = false;
};

// How an HTTP request comes to the rule's notice.
struct RuleIndex {
  // Each of these must hold for the rule to match an http_request, one at least of all of them.
  std::vector<std::string> literals;   // in the raw head, ASCII case ignored
  std::vector<IpPrefix> destinations;  // the flow's destination is within
  std::vector<IpPrefix> sources;       // the flow's source is within
  bool endpoint = false;               // the flow touches a configured endpoint
  // Not empty: nothing indexes the rule, and every head must be parsed; this says why.
  std::string unindexed_because;
};

// What was compiled for matching. Bytes are those of Hyperscan's databases.
struct RuleSetSize {
  struct Scan {
    std::size_t strings = 0;
    std::size_t bytes = 0;
    std::string info;  // the library's version and the CPU features it uses
  };
  Scan head;                      // over raw request heads
  Scan raw;                       // over streams that are no HTTP
  std::size_t comparisons = 0;    // that differ, of all rules
  std::size_t exact_strings = 0;  // of them found by exact matching of fields
  std::size_t regexes = 0;
  std::size_t exact_bytes = 0;

  [[nodiscard]] std::size_t bytes() const { return head.bytes + raw.bytes + exact_bytes; }
};

// The compiled form; private to the room.
struct Program;

class RuleSet {
 public:
  // Errors: kind `config` with the position in the rule's file, or kind `environment` when the CPU
  // cannot run the matcher. No rules give a set that never matches. Filters index `rules`; they
  // change neither what indexes a rule nor which events it listens to.
  [[nodiscard]] static Result<std::shared_ptr<const RuleSet>> compile(
      const std::vector<sigma::Rule>& rules, const CompileOptions& options,
      const std::vector<sigma::Filter>& filters);
  // The same without filters.
  [[nodiscard]] static Result<std::shared_ptr<const RuleSet>> compile(
      const std::vector<sigma::Rule>& rules, const CompileOptions& options = {});

  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;
  ~RuleSet();

  [[nodiscard]] std::uint32_t generation() const;
  [[nodiscard]] std::size_t size() const;
  // `rule` < size(). Indices follow the order of the rules given to compile().
  [[nodiscard]] const RuleInfo& info(std::size_t rule) const;
  [[nodiscard]] const RuleIndex& index(std::size_t rule) const;

  [[nodiscard]] std::size_t filter_count() const;
  // Title of a filter < filter_count(), in the order given to compile().
  [[nodiscard]] const std::string& filter_title(std::size_t filter) const;

  // Some rule can alert on events of this type: `imds.event` comparisons and fields that the type
  // never carries are taken into account.
  [[nodiscard]] bool listens_to(event::EventType type) const;
  // Some rule or filter compares this field, or another with it.
  [[nodiscard]] bool compares(event::FieldId field) const;

  // Some rule compares headers of the request in http_response: they have to be kept for it.
  [[nodiscard]] bool answers_need_request_headers() const;
  // The same of the response's own.
  [[nodiscard]] bool answers_need_response_headers() const;

  // Some rule is judged in the story.
  [[nodiscard]] bool has_story_rules() const;

  // Some rule is indexed by nothing: every HTTP head has to be parsed, whatever the prefilter says.
  [[nodiscard]] bool parses_every_head() const;
  // Some rule can alert on raw_match: streams that are not HTTP have to be given to
  // Evaluator::prefilter_raw.
  [[nodiscard]] bool needs_raw_scan() const;
  // Longest string that raw_match compares, in bytes, its `*` taken as empty: a scan over
  // consecutive pieces must repeat the last (this - 1) bytes of what came before. 0 without any.
  [[nodiscard]] std::size_t longest_raw_literal() const;

  // Where such a string can begin.
  [[nodiscard]] const RawStarts& raw_starts() const;

  // Addresses some rule names as destination: flows to them make `connection` events, and every
  // head in them is parsed. Sorted, without duplicates. A prefix only ever named under a negation
  // is not among them.
  [[nodiscard]] const std::vector<IpPrefix>& destination_prefixes() const;
  // Addresses as which a rule needs the source (the client): every head in flows from them is
  // parsed. Only where nothing better indexes the rule.
  [[nodiscard]] const std::vector<IpPrefix>& source_prefixes() const;

  // For `--check`: conditions that are legal but surprising, such as the negation of a comparison
  // that is false for want of its field. Each begins with file and line.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  // Whether a rule alone could be compiled, as far as its comparisons tell: finds all that is wrong
  // with many.
  [[nodiscard]] static Status check(const sigma::Rule& rule);

  // For `--check`: what each rule listens to and what indexes it, then what was compiled.
  [[nodiscard]] std::vector<std::string> describe() const;
  // The parts of it.
  [[nodiscard]] std::vector<std::string> describe_rule(std::size_t rule) const;
  [[nodiscard]] std::vector<std::string> describe_databases() const;
  [[nodiscard]] RuleSetSize compiled_size() const;

  // For the Evaluator.
  [[nodiscard]] const Program& program() const { return *program_; }

 private:
  explicit RuleSet(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

}  // namespace imds::rules
