// Regular expressions: checked by PCRE2, whose dialect they are written in, and looked for by
// Hyperscan. What Hyperscan cannot express (assertions, back references, atomic groups, …) it finds
// approximately, never too little, and PCRE2 confirms. The only file that names pcre2_*.
//
// Over bytes, never UTF-8: `.` is one byte, classes and case know ASCII only.
//
// Threads: a Regex is immutable once compiled and may be used from any thread; a RegexScratch
// belongs to one. Ownership: both move-only, free what they hold, and do not refer to each other.
// Confirming never allocates (its memory is in the scratch) and never throws. Limits: a pattern has
// 1..kMaxPatternBytes bytes; confirming ends after kMaxRegexSteps steps or kRegexHeapBytes bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "match/database.h"

struct pcre2_real_code_8;

namespace imds::match {

// What backtracking may cost at most, about a millisecond.
inline constexpr std::uint32_t kMaxRegexSteps = 20'000;
inline constexpr std::size_t kRegexHeapBytes = 256u << 10;

// Flags of Sigma's modifier `re`.
struct RegexFlags {
  bool ignore_case = false;  // i
  bool multiline = false;    // m: ^ and $ also at line breaks
  bool dot_all = false;      // s: `.` also takes line breaks

  friend bool operator==(const RegexFlags&, const RegexFlags&) = default;
};

struct RegexFailure {
  std::string message;
  std::size_t offset = 0;  // into the pattern, of what is wrong
};

class RegexScratch;

class Regex {
 public:
  // Fails on what is no regular expression, what even the approximation cannot look for, and what
  // may be confirmed only with more memory than a scratch has.
  [[nodiscard]] static tl::expected<Regex, RegexFailure> compile(std::string_view text,
                                                                 RegexFlags flags);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // For a Database; `id` and kSingleMatch are the caller's to set. Never reports too little, except
  // in an empty text: there matches_empty() tells.
  [[nodiscard]] const Pattern& pattern() const { return pattern_; }
  // What the database reports may be no match and has to be confirmed.
  [[nodiscard]] bool needs_confirmation() const { return (pattern_.flags & kPrefilter) != 0; }
  [[nodiscard]] bool matches_empty() const { return matches_empty_; }
  // Bytes of the longest match; nullopt if it has no bound.
  [[nodiscard]] std::optional<std::size_t> longest_match() const { return longest_match_; }

  enum class Verdict : std::uint8_t { no, yes, gave_up };
  [[nodiscard]] Verdict find(std::string_view text, RegexScratch& scratch) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  Regex() = default;

  Pattern pattern_;
  std::unique_ptr<pcre2_real_code_8, Free> code_;
  bool matches_empty_ = false;
  std::optional<std::size_t> longest_match_;
};

// Working memory of one thread for confirming any Regex.
class RegexScratch {
 public:
  // Error (kind `environment`): no memory.
  [[nodiscard]] static Result<RegexScratch> create();

  RegexScratch(RegexScratch&&) noexcept;
  RegexScratch& operator=(RegexScratch&&) noexcept;
  ~RegexScratch();

 private:
  friend class Regex;
  struct Memory;
  explicit RegexScratch(std::unique_ptr<Memory> memory);
  std::unique_ptr<Memory> memory_;
};

}  // namespace imds::match
