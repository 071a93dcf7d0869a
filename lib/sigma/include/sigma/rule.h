// A Sigma rule as a tree: what a rule file says, checked and resolved, but not yet compiled.
// Field names are resolved to FieldIds, escapes and wildcards to pattern tokens, quantifiers such
// as `1 of ip_*` to plain and/or nodes. Sigma specification 2.x, "Sigma Rules".
//
// Threads: plain values, made at load time and immutable afterwards. A Rule owns all its text.
// Positions are 1-based lines and columns in the rule's file; Rule::where() adds the file name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "event/event.h"
#include "event/fields.h"
#include "match/regex.h"

namespace imds::sigma {

// In order of severity. Sigma's five levels.
enum class Level : std::uint8_t { informational = 0, low, medium, high, critical };

// "informational", "low", …
[[nodiscard]] std::string_view name(Level level);

// 1 (informational) to 5 (critical): `event.severity` of an alert.
[[nodiscard]] constexpr int severity(Level level) {
  return static_cast<int>(level) + 1;
}

// Line and column from 1; 0 means unknown.
struct Position {
  int line = 0;
  int column = 0;
};

// A piece of a string value, escapes resolved.
struct PatternToken {
  enum class Kind : std::uint8_t {
    literal,   // these bytes (UTF-8), never empty
    any_one,   // ?  exactly one character
    any_many,  // *  any number of characters, also none
  } kind = Kind::literal;
  std::string text;  // literal only

  friend bool operator==(const PatternToken&, const PatternToken&) = default;
};

// A string value. No tokens: the empty string. Neighbouring literals are merged and runs of `*`
// are one token. The operation (contains, startswith, …) adds no tokens of its own.
struct Pattern {
  std::vector<PatternToken> tokens;

  [[nodiscard]] bool has_wildcards() const;
  // The text of a pattern without wildcards; with wildcards, nullopt.
  [[nodiscard]] std::optional<std::string_view> literal() const;
  // As Sigma would write it, with escapes.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Pattern&, const Pattern&) = default;
};

enum class Operation : std::uint8_t {
  equals = 0,
  contains,
  starts_with,
  ends_with,
  cidr,
  exists,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  matches,  // a regular expression
};

// The modifier that asks for it; "equals" for none.
[[nodiscard]] std::string_view name(Operation operation);

// What of a point in time is compared. UTC; weeks are those of ISO 8601.
enum class TimePart : std::uint8_t { none = 0, minute, hour, day, week, month, year };

// The modifier that asks for it; empty for none.
[[nodiscard]] std::string_view name(TimePart part);
// Of seconds since the epoch, by the proleptic Gregorian calendar.
[[nodiscard]] std::int64_t part_of(std::int64_t epoch_seconds, TimePart part);

// Bits: what is compared byte by byte or loosely in a regular expression.
enum RegexOption : std::uint8_t {
  kRegexIgnoreCase = 0x01,  // i
  kRegexMultiline = 0x02,   // m: ^ and $ also at line breaks
  kRegexDotAll = 0x04,      // s: `.` also takes line breaks
};

struct Value {
  enum class Kind : std::uint8_t {
    null,     // the field is absent; only under `equals`
    pattern,  // compared with the field's text
    number,   // compared with the field's number
    prefix,   // the field's address is within it
    boolean,  // `exists`
    regex,    // `matches`
    field,    // compared with what `other` says (fieldref)
  } kind = Kind::null;
  Pattern pattern;
  std::int64_t number = 0;
  IpPrefix prefix;
  bool boolean = false;
  std::string regex;
  // Of `regex` with the match's options; nullptr: it is to be compiled by who needs it.
  std::shared_ptr<const match::Regex> compiled;
  event::FieldRef other;  // never a field of time
  Position position;
  // Further values of which any will do as well: what `base64offset`, `windash`, `expand` and
  // addresses in two notations make of one. Theirs are empty.
  std::vector<Value> others;
};

// One line of a selection: a field (or, without one, a keyword: anywhere in the event) compared
// with values. Holds if any value does, or with `all` if every value does. `negated` (modifier neq)
// turns that result round as `not` would, so it also holds where the field is absent; never
// together with `all`, `exists` or an order. Comparing text ignores ASCII case unless `cased`.
//
// Every kind of field can be compared as every kind of value: a number or an address as its
// decimal or canonical text; a text as number or address if it is one, else nothing holds.
//
// Which kinds of values stand under which operation (null beside them only under equals):
//   equals                               pattern, number, prefix (full length), field
//   contains, starts_with, ends_with     pattern, field. A keyword is `contains`.
//   cidr                                 prefix
//   exists                               exactly one boolean
//   less … greater_or_equal              number
//   matches                              regex; also keywords
// A field of time is compared by `time_part` with numbers, or asked whether it exists.
struct FieldMatch {
  std::optional<event::FieldId> field;  // nullopt: keyword
  std::string header;                   // which one, if `field` is that of a single header
  // Compared with the values as well; either field suffices. Whether there is a value at all (null,
  // exists) `field` alone tells.
  std::optional<event::FieldId> also;
  std::string name;  // as the rule writes it, without modifiers; empty: keyword
  Operation operation = Operation::equals;
  TimePart time_part = TimePart::none;
  std::uint8_t regex_options = 0;  // bits of RegexOption
  bool all = false;
  bool cased = false;
  bool negated = false;
  std::vector<Value> values;  // never empty
  Position position;
};

// A named detection item: holds if any of its groups does; a group holds if all its matches do.
struct Selection {
  std::string name;
  std::vector<std::vector<FieldMatch>> groups;  // neither it nor any group is ever empty
  Position position;
};

// A node of a condition. Depth is at most kMaxConditionDepth.
struct Condition {
  enum class Kind : std::uint8_t { selection, conjunction, disjunction, negation };
  Kind kind = Kind::selection;
  std::size_t selection = 0;        // Kind::selection: index into Rule::selections
  std::vector<Condition> operands;  // conjunction, disjunction: two or more; negation: one
  Position position;
};
inline constexpr std::size_t kMaxConditionDepth = 64;
inline constexpr std::size_t kMaxConditionNodes =
    10'000;  // references to selections, quantifiers resolved
inline constexpr std::size_t kMaxSelections = 1'000;  // of one rule

// Empty text: not given.
struct Logsource {
  std::string category;
  std::string product;
  std::string service;
};

struct Rule {
  std::string id;    // UUID in lower case
  std::string name;  // what correlations and filters may call it; may be empty
  std::string title;
  Level level = Level::medium;
  bool has_level = false;  // without one it is medium; one that alerts is warned about
  bool alerts = true;      // false: correlations refer to it, none of them with `generate`
  std::string status;      // as given, one of Sigma's five, or empty
  std::string description;
  std::string author;
  std::vector<std::string> references;
  std::vector<std::string> tags;
  std::vector<std::string> false_positives;
  Logsource logsource;
  std::uint32_t events = 0;  // event::bit of every EventType the rule listens to, never 0
  // It is about requests and compares what their answers say: judged on http_response, for which
  // the answers to requests that may fit it are read.
  bool awaits_answer = false;
  std::vector<Selection> selections;
  std::vector<Condition> conditions;  // never empty; the rule hits if any holds

  std::string file;
  Position position;  // where the rule's document begins

  [[nodiscard]] SourcePosition where(Position at) const { return {file, at.line, at.column}; }
  [[nodiscard]] SourcePosition where() const { return where(position); }
};

}  // namespace imds::sigma
