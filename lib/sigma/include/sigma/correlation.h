// Sigma documents that refer to rules: correlations ("Sigma Correlation Rules Specification" 2.x)
// and filters ("Sigma Filters Specification" 2.x). Checked and resolved, but not compiled.
//
// Threads: plain values, made at load time and immutable afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/fields.h"
#include "sigma/rule.h"

namespace imds::sigma {

inline constexpr std::size_t kMaxCorrelations = 1'000;
inline constexpr std::size_t kMaxCorrelatedRules = 64;  // of one correlation
inline constexpr std::size_t kMaxGroupFields = 8;       // of group-by, and of a value_count's field
inline constexpr std::uint64_t kMaxCount = 10'000;      // that a correlation has to remember
inline constexpr std::int64_t kMaxTimespanSeconds = std::int64_t{366} * 24 * 3600;

enum class CorrelationType : std::uint8_t { event_count, value_count, temporal, temporal_ordered };

// "event_count", …
[[nodiscard]] std::string_view name(CorrelationType type);

// A rule or correlation that another document names, by `id` or by `name`.
struct Reference {
  enum class Kind : std::uint8_t { rule, correlation } kind = Kind::rule;
  std::size_t index = 0;  // into LoadedRules::rules or ::correlations
  std::string text;       // as written
  Position position;
};

// Which counts a correlation's condition accepts: least <= count <= most, and not `never`.
struct Threshold {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t least = 1;
  std::uint64_t most = kNoLimit;
  std::optional<std::uint64_t> never;

  // Further events can turn it from true to false, so only a whole window can be judged.
  [[nodiscard]] bool needs_whole_window() const { return most != kNoLimit || never.has_value(); }
};

// A field of `group-by`, or the one whose values are counted: which field of an event it is may
// differ from rule to rule, by an alias.
struct CorrelatedField {
  std::string name;                    // as written
  std::vector<event::FieldId> fields;  // per entry of Correlation::rules
  Position position;
};

// `aliases`: a name for group-by that means another field in each rule's events.
struct FieldAlias {
  struct Entry {
    std::string rule;  // as written: an id or a name
    event::FieldId field = event::FieldId::imds_event;
    Position position;
  };
  std::string name;
  std::vector<Entry> entries;
  Position position;
};

struct Correlation {
  std::string id;    // UUID in lower case, or empty
  std::string name;  // what other documents may call it, or empty
  std::string title;
  Level level = Level::medium;  // without one of its own, the highest of what it refers to
  bool has_level = false;
  std::string description;
  std::vector<std::string> references;
  std::vector<std::string> tags;
  std::vector<std::string> false_positives;

  CorrelationType type = CorrelationType::event_count;
  std::vector<Reference> rules;  // 1 to kMaxCorrelatedRules, all different
  std::vector<FieldAlias> aliases;
  std::vector<CorrelatedField> group_by;  // empty: all events are one group
  std::vector<CorrelatedField> value;     // value_count: what is counted, one field or several
  std::int64_t timespan_seconds = 0;
  Threshold threshold;
  bool generate = false;     // the rules it refers to alert as well
  bool alerts = true;        // false: others refer to it, none with `generate`
  std::uint32_t events = 0;  // event::bit of every type that can stand behind it

  std::string file;
  Position position;

  // What alerts and metrics call it: the id, else the name, else the title.
  [[nodiscard]] const std::string& key() const {
    return !id.empty() ? id : !name.empty() ? name : title;
  }
  [[nodiscard]] SourcePosition where(Position at) const { return {file, at.line, at.column}; }
  [[nodiscard]] SourcePosition where() const { return where(position); }
};

// Withholds findings of rules. `detection` has the attributes, the logsource and one condition that
// says what is withheld, however the document puts it (see `says_what_remains`).
struct Filter {
  Rule detection;
  bool every_rule = false;            // rules: any
  std::vector<Reference> references;  // else
  std::vector<std::size_t> rules;     // indices into LoadedRules::rules, ascending
  // The condition is written as what remains ("not selection") and was turned round.
  bool says_what_remains = false;
};

}  // namespace imds::sigma
