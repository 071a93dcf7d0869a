// One string comparison of Sigma: a pattern with wildcards, anchored as its operation asks.
// `*` is any run of characters, `?` exactly one; a character is a well-formed UTF-8 sequence or
// else a single byte, so that any bytes from the wire can be compared. Case is ASCII's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sigma/rule.h"

namespace imds::rules {

class Glob {
 public:
  Glob() = default;
  // `operation` is one of equals, contains, starts_with, ends_with.
  Glob(const sigma::Pattern& pattern, sigma::Operation operation, bool cased);

  // Never allocates. Linear in the text for a pattern without wildcards; at worst text × pattern.
  [[nodiscard]] bool matches(std::string_view text) const;

  // Begins and ends with `*`: holds wherever in the text the rest stands.
  [[nodiscard]] bool is_contains() const { return !anchored_start_ && !anchored_end_; }
  // `contains` of plain bytes: the text matches if and only if it contains the only literal.
  [[nodiscard]] bool is_plain_contains() const;
  [[nodiscard]] bool is_anchored() const { return anchored_start_ || anchored_end_; }
  [[nodiscard]] bool cased() const { return cased_; }

  // Most bytes that what is between the wildcards `*` can take up, all together.
  [[nodiscard]] std::size_t span() const;

  // The first two bytes between the wildcards `*`, lower case unless cased(); none if they may be
  // any.
  [[nodiscard]] std::optional<std::array<std::uint8_t, 2>> first_pair() const;

  // The runs of bytes between wildcards, each of which every matching text contains; lower case
  // unless cased().
  [[nodiscard]] const std::vector<std::string>& literals() const { return literals_; }

 private:
  // What stands between two `*`: bytes, or kAnyOne.
  static constexpr std::uint16_t kAnyOne = 256;
  struct Segment {
    std::vector<std::uint16_t> elements;
    // The bytes in front of the first kAnyOne, compared many at a time: lower case unless cased(),
    // and 0x20 where case does not count.
    std::string front;
    std::string letters;

    [[nodiscard]] bool is_fixed() const { return front.size() == elements.size(); }
    // The front.size() bytes from `at`.
    [[nodiscard]] bool front_is_at(const char* at) const;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void add_literal(std::string_view text);
  void add_any_one();
  void add_any_many();
  void add_fronts();
  [[nodiscard]] bool is(char c, std::uint16_t want) const;
  [[nodiscard]] std::size_t match_at(const Segment& segment, std::string_view text,
                                     std::size_t at) const;
  [[nodiscard]] std::size_t find(const Segment& segment, std::string_view text,
                                 std::size_t from) const;
  [[nodiscard]] std::size_t find_by_pair(const Segment& segment, std::string_view text,
                                         std::size_t from) const;
  [[nodiscard]] bool ends_with(const Segment& segment, std::string_view text,
                               std::size_t from) const;

  std::vector<Segment> segments_;  // none empty
  std::vector<std::string> literals_;
  bool anchored_start_ = true;
  bool anchored_end_ = true;
  bool cased_ = false;
};

}  // namespace imds::rules
