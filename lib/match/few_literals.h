// A handful of literals looked for at once, 32 places at a time.
//
// Of each literal three bytes that are rare in HTTP are looked up, by their nibbles, in tables that
// tell for each place which literals can stand there; only there are they compared. Literals that
// share those bytes share a bit of the tables. For few literals and short texts that costs a third
// of what a compiled database does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "match/database.h"

namespace imds::match {

class FewLiterals {
 public:
  // More are for the library, as are literals longer than this: comparing them at many places may
  // cost no more than reading the text a few times.
  static constexpr std::size_t kMost = 24;
  static constexpr std::size_t kMostWindows = 8;  // that differ
  static constexpr std::size_t kLongest = 64;

  // nullopt if the patterns are not for this: too many, or too different, a regex, too long, or one
  // in which no three bytes of ASCII follow each other.
  [[nodiscard]] static std::optional<FewLiterals> make(std::span<const Pattern> patterns);

  // As match::scan().
  void scan(ByteSpan bytes, detail::MatchHandler handler, void* context) const;

 private:
  static constexpr std::size_t kWindow = 3;
  struct Literal {
    std::array<char, kLongest> text{};     // in lower case if caseless
    std::array<char, kLongest> letters{};  // 0x20 where case does not count
    std::size_t size = 0;
    std::size_t window = 0;  // where the bytes begin by which it is found
    std::uint32_t id = 0;
    bool once = false;
  };
  // Bit n: window n. By low and by high nibble of the byte at that place of the window.
  struct Tables {
    std::array<std::uint8_t, 16> low{};
    std::array<std::uint8_t, 16> high{};
  };
  class Run;

  void add(const Pattern& pattern, std::size_t window, std::uint8_t bit);

  std::vector<Literal> literals_;                       // by window
  std::array<std::uint8_t, kMostWindows + 1> first_{};  // per window, its first literal; the end
  std::array<Tables, kWindow> tables_{};
};

}  // namespace imds::match
