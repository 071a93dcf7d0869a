#include "glob.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/caseless.h"
#include "base/simd.h"
#include "base/text.h"

namespace imds::rules {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0) == 0x80;
}

// Bytes of the character at `at` (RFC 3629); 1 for a byte that begins no well-formed sequence.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  const std::size_t left = text.size() - at;
  if (lead >= 0xc2 && lead <= 0xdf) {
    return left >= 2 && is_continuation(byte(1)) ? 2 : 1;
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    if (left < 3 || !is_continuation(byte(1)) || !is_continuation(byte(2))) {
      return 1;
    }
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) > 0x9f;
    return overlong || surrogate ? 1 : 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (left < 4 || !is_continuation(byte(1)) || !is_continuation(byte(2)) ||
        !is_continuation(byte(3))) {
      return 1;
    }
    const bool overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool too_large = lead == 0xf4 && byte(1) > 0x8f;
    return overlong || too_large ? 1 : 4;
  }
  return 1;
}

// The places within the first 32 of a text where two bytes stand, as bits. Reads 33 bytes.
std::uint32_t pair_places(const char* at, const char* letters, const char* want) {
  const Block32 first = Block32::load(at) | Block32::all(letters[0]);
  const Block32 second = Block32::load(at + 1) | Block32::all(letters[1]);
  return (first.equal(want[0]) & second.equal(want[1])).mask();
}

}  // namespace

bool Glob::Segment::front_is_at(const char* at) const {
  return stands_at(at, letters.data(), front.data(), front.size());
}

Glob::Glob(const sigma::Pattern& pattern, sigma::Operation operation, bool cased) : cased_(cased) {
  using sigma::Operation;
  using Kind = sigma::PatternToken::Kind;
  segments_.emplace_back();
  if (operation == Operation::contains || operation == Operation::ends_with) {
    add_any_many();
  }
  for (const sigma::PatternToken& token : pattern.tokens) {
    switch (token.kind) {
      case Kind::literal:
        add_literal(token.text);
        break;
      case Kind::any_one:
        add_any_one();
        break;
      case Kind::any_many:
        add_any_many();
        break;
    }
  }
  if (operation == Operation::contains || operation == Operation::starts_with) {
    add_any_many();
  }
  if (segments_.size() > 1) {
    anchored_start_ = !segments_.front().elements.empty();
    anchored_end_ = !segments_.back().elements.empty();
  }
  std::erase_if(segments_, [](const Segment& segment) { return segment.elements.empty(); });
  add_fronts();
}

void Glob::add_fronts() {
  for (Segment& segment : segments_) {
    for (const std::uint16_t element : segment.elements) {
      if (element == kAnyOne) {
        break;
      }
      const bool is_letter = element >= 'a' && element <= 'z';
      segment.front += static_cast<char>(element);
      segment.letters += !cased_ && is_letter ? '\x20' : '\0';
    }
  }
}

void Glob::add_literal(std::string_view text) {
  std::string bytes(text);
  if (!cased_) {
    std::transform(bytes.begin(), bytes.end(), bytes.begin(), ascii_lower);
  }
  for (const char c : bytes) {
    segments_.back().elements.push_back(static_cast<unsigned char>(c));
  }
  literals_.push_back(std::move(bytes));
}

void Glob::add_any_one() {
  segments_.back().elements.push_back(kAnyOne);
}

void Glob::add_any_many() {
  segments_.emplace_back();
}

bool Glob::is_plain_contains() const {
  return is_contains() && segments_.size() == 1 && literals_.size() == 1 &&
         literals_.front().size() == segments_.front().elements.size();
}

std::optional<std::array<std::uint8_t, 2>> Glob::first_pair() const {
  if (segments_.empty() || segments_.front().front.size() < 2) {
    return std::nullopt;
  }
  const std::string& front = segments_.front().front;
  return std::array<std::uint8_t, 2>{static_cast<std::uint8_t>(front[0]),
                                     static_cast<std::uint8_t>(front[1])};
}

std::size_t Glob::span() const {
  constexpr std::size_t kLongestCharacter = 4;
  std::size_t bytes = 0;
  for (const Segment& segment : segments_) {
    for (const std::uint16_t element : segment.elements) {
      bytes += element == kAnyOne ? kLongestCharacter : 1;
    }
  }
  return bytes;
}

bool Glob::is(char c, std::uint16_t want) const {
  return static_cast<unsigned char>(cased_ ? c : ascii_lower(c)) == want;
}

std::size_t Glob::match_at(const Segment& segment, std::string_view text, std::size_t at) const {
  const std::size_t fixed = segment.front.size();
  // Each element takes a byte at least.
  if (text.size() - at < segment.elements.size() || !segment.front_is_at(text.data() + at)) {
    return kNone;
  }
  at += fixed;
  for (std::size_t i = fixed; i < segment.elements.size(); ++i) {
    const std::uint16_t want = segment.elements[i];
    if (at >= text.size()) {
      return kNone;
    }
    if (want == kAnyOne) {
      at += character_size(text, at);
      continue;
    }
    if (!is(text[at], want)) {
      return kNone;
    }
    ++at;
  }
  return at;
}

// Leftmost place at or after `from`, which is the start of a character; the end of the match.
// Characters never overlap, so leftmost also leaves the most for what follows.
std::size_t Glob::find(const Segment& segment, std::string_view text, std::size_t from) const {
  if (segment.front.size() >= 2) {
    return find_by_pair(segment, text, from);
  }
  const std::uint16_t first = segment.elements.front();
  const bool is_letter = first >= 'a' && first <= 'z';
  const bool one_byte = first != kAnyOne && (cased_ || !is_letter);
  while (from < text.size()) {
    from = one_byte ? text.find(static_cast<char>(first), from) : from;
    if (from == std::string_view::npos) {
      return kNone;
    }
    const std::size_t end = match_at(segment, text, from);
    if (end != kNone) {
      return end;
    }
    from += first == kAnyOne ? character_size(text, from) : 1;
  }
  return kNone;
}

// The same for a segment that begins with two bytes, 32 places at a time.
std::size_t Glob::find_by_pair(const Segment& segment, std::string_view text,
                               std::size_t from) const {
  constexpr std::size_t kRead = Block32::kSize + 1;
  const char* const letters = segment.letters.data();
  const char* const want = segment.front.data();
  for (; from + 1 < text.size(); from += Block32::kSize) {
    const std::size_t left = text.size() - from;
    std::uint32_t places = 0;
    if (left >= kRead) {
      places = pair_places(text.data() + from, letters, want);
    } else if (text.size() >= kRead) {
      places = pair_places(text.data() + text.size() - kRead, letters, want) >> (kRead - left);
    } else {
      std::array<char, kRead> padded{};
      std::memcpy(padded.data(), text.data() + from, left);
      places = pair_places(padded.data(), letters, want);
    }
    for (; places != 0; places &= places - 1) {
      const std::size_t at = from + static_cast<std::size_t>(std::countr_zero(places));
      // Two NULs stand behind a padded text, too.
      const std::size_t end = at < text.size() ? match_at(segment, text, at) : kNone;
      if (end != kNone) {
        return end;
      }
    }
  }
  return kNone;
}

bool Glob::ends_with(const Segment& segment, std::string_view text, std::size_t from) const {
  if (segment.is_fixed()) {
    const std::size_t size = segment.front.size();
    return text.size() - from >= size && segment.front_is_at(text.data() + text.size() - size);
  }
  const std::vector<std::uint16_t>& elements = segment.elements;
  const auto tail = std::find(elements.rbegin(), elements.rend(), kAnyOne).base();
  const auto fixed = static_cast<std::size_t>(elements.end() - tail);
  const auto agree = [this](std::uint16_t want, char c) { return is(c, want); };
  if (text.size() - from < fixed ||
      !std::equal(tail, elements.end(), text.substr(text.size() - fixed).begin(), agree)) {
    return false;
  }
  while (from < text.size()) {
    if (match_at(segment, text, from) == text.size()) {
      return true;
    }
    from += character_size(text, from);
  }
  return false;
}

bool Glob::matches(std::string_view text) const {
  if (segments_.empty()) {
    return is_contains() || text.empty();
  }
  if (anchored_start_ && anchored_end_ && segments_.size() == 1 && segments_.front().is_fixed()) {
    const Segment& whole = segments_.front();
    return text.size() == whole.front.size() && whole.front_is_at(text.data());
  }
  std::size_t first = 0;
  std::size_t at = 0;
  if (anchored_start_) {
    at = match_at(segments_.front(), text, 0);
    if (at == kNone) {
      return false;
    }
    first = 1;
    if (segments_.size() == 1) {
      return !anchored_end_ || at == text.size();
    }
  }
  const std::size_t last = segments_.size() - (anchored_end_ ? 1 : 0);
  for (std::size_t i = first; i < last; ++i) {
    at = find(segments_[i], text, at);
    if (at == kNone) {
      return false;
    }
  }
  return !anchored_end_ || ends_with(segments_.back(), text, at);
}

}  // namespace imds::rules
