#include "alert/redact.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/secret_parameters.h"
#include "base/simd.h"
#include "base/text.h"

namespace imds::alert {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// What a character may begin or end; a bit each, so that several can be looked for at once.
using Kinds = std::uint8_t;
constexpr Kinds kSlash = 0x01;  // clients take '\\' for '/'
constexpr Kinds kQuestion = 0x02;
constexpr Kinds kHash = 0x04;
constexpr Kinds kAmpersand = 0x08;
constexpr Kinds kSemicolon = 0x10;
constexpr Kinds kEquals = 0x20;
constexpr Kinds kNoDigit = 0x40;
constexpr Kinds kBeginsParameter = kQuestion | kAmpersand | kSemicolon | kHash;

constexpr std::array<Kinds, 256> make_kinds() {
  std::array<Kinds, 256> kinds{};
  kinds.fill(kNoDigit);
  for (unsigned char c = '0'; c <= '9'; ++c) {
    kinds[c] = 0;
  }
  kinds['/'] |= kSlash;
  kinds['\\'] |= kSlash;
  kinds['?'] |= kQuestion;
  kinds['#'] |= kHash;
  kinds['&'] |= kAmpersand;
  kinds[';'] |= kSemicolon;
  kinds['='] |= kEquals;
  return kinds;
}
constexpr std::array<Kinds, 256> kKinds = make_kinds();

bool is(Kinds kinds, char c) {
  return (kKinds[static_cast<unsigned char>(c)] & kinds) != 0;
}

// Which characters are masked; looked through a word at a time.
class Places {
 public:
  void set(std::size_t from, std::size_t to) {
    while (from < to) {
      const std::size_t bit = from % kBits;
      const std::size_t count = std::min(kBits - bit, to - from);
      words_[from / kBits] |= ~std::uint64_t{0} >> (kBits - count) << bit;
      from += count;
    }
  }
  [[nodiscard]] bool test(std::size_t i) const { return (words_[i / kBits] >> i % kBits & 1) != 0; }
  // Where what holds for `from` ends to hold, or `to`.
  [[nodiscard]] std::size_t end_of_run(std::size_t from, std::size_t to) const {
    const std::uint64_t alike = test(from) ? ~std::uint64_t{0} : 0;
    while (from < to) {
      const std::uint64_t others = (words_[from / kBits] ^ alike) >> from % kBits;
      if (others != 0) {
        return std::min(from + static_cast<std::size_t>(std::countr_zero(others)), to);
      }
      from += kBits - from % kBits;
    }
    return to;
  }

 private:
  static constexpr std::size_t kBits = 64;
  std::array<std::uint64_t, kMaxMaskable / kBits> words_{};
};

// The text with all percent-encoding taken off. `depth` of a character is how many layers there
// were: what ends a value must not stand deeper than what began it. Most texts have none, and are
// looked at where they lie.
class Text {
 public:
  explicit Text(std::string_view raw) : raw_(raw) {
    const std::size_t plain = raw.find('%');
    if (plain != std::string_view::npos) {
      decode(plain);
    } else {
      characters_ = raw;
    }
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  [[nodiscard]] std::size_t size() const { return characters_.size(); }
  [[nodiscard]] char operator[](std::size_t i) const { return characters_[i]; }
  [[nodiscard]] std::uint8_t depth(std::size_t i) const { return is_decoded_ ? depths_[i] : 0; }
  [[nodiscard]] bool contains(char c) const {
    return characters_.find(c) != std::string_view::npos;
  }

  // The first place from `from` to `to` with a character of these kinds; `to` if there is none.
  [[nodiscard]] std::size_t find(std::size_t from, std::size_t to, Kinds kinds) const {
    while (from < to && !is(kinds, characters_[from])) {
      ++from;
    }
    return from;
  }
  // The same, but none that stands deeper than `depth`.
  [[nodiscard]] std::size_t find(std::size_t from, std::size_t to, Kinds kinds,
                                 std::uint8_t depth) const {
    while (from < to && !(is(kinds, characters_[from]) && this->depth(from) <= depth)) {
      ++from;
    }
    return from;
  }
  [[nodiscard]] std::size_t find_one(std::size_t from, std::size_t to, char c) const {
    return std::min(characters_.substr(0, to).find(c, from), to);
  }
  [[nodiscard]] std::size_t find_last(std::size_t from, std::size_t to, char c) const {
    const std::size_t at = characters_.substr(from, to - from).rfind(c);
    return at == std::string_view::npos ? to : from + at;
  }

  void mask(std::size_t from, std::size_t to) {
    masked_.set(from, to);
    any_masked_ = any_masked_ || from < to;
  }
  Redactor::Masked write(std::span<char> out) const;

 private:
  void decode(std::size_t plain);
  bool merge_escape(std::size_t& size);
  // Where a character begins in the raw text; it ends where the next one begins.
  [[nodiscard]] std::size_t begin(std::size_t i) const {
    if (i == size()) {
      return raw_.size();
    }
    return is_decoded_ ? begins_[i] : i;
  }

  std::string_view raw_;
  std::string_view characters_;
  bool is_decoded_ = false;
  bool any_masked_ = false;
  Places masked_;
  // Of a text that was decoded, as far as it goes.
  std::array<char, kMaxMaskable> decoded_;
  std::array<std::uint8_t, kMaxMaskable> depths_;
  std::array<std::uint16_t, kMaxMaskable> begins_;
};

// To a fixed point in one pass: a finished escape may complete an earlier one.
void Text::decode(std::size_t plain) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < raw_.size(); ++i) {
    decoded_[size] = raw_[i];
    depths_[size] = 0;
    begins_[size] = static_cast<std::uint16_t>(i);
    ++size;
    while (i > plain && merge_escape(size)) {
    }
  }
  is_decoded_ = true;
  characters_ = {decoded_.data(), size};
}

bool Text::merge_escape(std::size_t& size) {
  if (size < 3 || decoded_[size - 3] != '%') {
    return false;
  }
  const int high = hex_value(decoded_[size - 2]);
  const int low = hex_value(decoded_[size - 1]);
  if (high < 0 || low < 0) {
    return false;
  }
  const std::uint8_t deepest = std::max({depths_[size - 3], depths_[size - 2], depths_[size - 1]});
  size -= 2;
  decoded_[size - 1] = static_cast<char>(high * 16 + low);
  depths_[size - 1] = static_cast<std::uint8_t>(std::min(deepest + 1, 255));
  return true;
}

Redactor::Masked copy(std::string_view text, std::span<char> out) {
  const std::size_t size = std::min(text.size(), out.size());
  copy_bytes(out.data(), text.data(), size);
  return {size, size < text.size()};
}

// Runs of characters that stay, and one word for each run that does not.
Redactor::Masked Text::write(std::span<char> out) const {
  if (!any_masked_) {
    return copy(raw_, out);
  }
  Redactor::Masked result;
  for (std::size_t i = 0; i < size() && !result.cut;) {
    const bool is_masked = masked_.test(i);
    const std::size_t end = masked_.end_of_run(i, size());
    const std::string_view piece =
        is_masked ? kRedacted : raw_.substr(begin(i), begin(end) - begin(i));
    const Redactor::Masked written = copy(piece, out.subspan(result.length));
    result.length += written.length;
    result.cut = written.cut;
    i = end;
  }
  return result;
}

// The authority part that begins at `begin`: user:password@host:port.
struct Authority {
  std::size_t begin = 0;
  std::uint8_t depth = 0;     // of what stands before it
  bool after_scheme = false;  // "://" or a sloppy form of it
  bool in_query = false;      // so that '&' ends it
};

Kinds ends_of(const Authority& authority) {
  constexpr Kinds kEnds = kSlash | kQuestion | kHash;
  return authority.in_query ? kEnds | kAmpersand : kEnds;
}

// "fd00:ec2::254" without the brackets it should have.
bool is_bare_ipv6(const Text& text, std::size_t from, std::size_t to) {
  std::size_t colons = 0;
  for (std::size_t i = from; i < to; ++i) {
    colons += text[i] == ':' ? 1 : 0;
    if (text[i] != ':' && text[i] != '.' && hex_value(text[i]) < 0) {
      return false;
    }
  }
  return colons >= 2;
}

// No '@': "host:port", unless the port cannot be one or the '@' was cut off.
void mask_unfinished_userinfo(Text& text, const Authority& authority, std::size_t end, bool cut) {
  std::size_t host = authority.begin;
  if (host < end && text[host] == '[') {
    host = text.find_one(host, end, ']');
  }
  const std::size_t colon = text.find_one(host, end, ':');
  if (colon == end) {
    return;
  }
  if (cut && end == text.size()) {
    text.mask(colon + 1, end);
    return;
  }
  if (!authority.after_scheme || is_bare_ipv6(text, authority.begin, end)) {
    return;
  }
  const std::size_t after_digits = text.find(colon + 1, end, kNoDigit);
  if (after_digits == end || is(ends_of(authority), text[after_digits])) {
    return;
  }
  const std::size_t at = text.find_one(end, text.size(), '@');
  text.mask(colon + 1, at < text.size() ? at : end);
}

// Returns where the authority ends.
std::size_t mask_userinfo(Text& text, const Authority& authority, bool cut) {
  const std::size_t end =
      text.find(authority.begin, text.size(), ends_of(authority), authority.depth);
  const std::size_t first_colon = text.find_one(authority.begin, end, ':');
  if (!authority.after_scheme && first_colon + 1 < end && is(kSlash, text[first_colon + 1])) {
    return end;  // an encoded scheme: what follows its slashes is looked at by itself
  }
  const std::size_t at = text.find_last(authority.begin, end, '@');
  if (at == end) {
    mask_unfinished_userinfo(text, authority, end, cut);
    return end;
  }
  if (first_colon < at) {
    // Cut within the authority, this may not have been the last '@'.
    text.mask(first_colon + 1, cut && end == text.size() ? end : at);
  }
  return end;
}

// Everywhere an authority may begin: at the start (authority form, "http:user:…"), after a run of
// slashes, and after '=' (a URL as parameter, with or without slashes).
void mask_authorities(Text& text, bool cut) {
  bool in_query = false;
  std::size_t plain_end = 0;  // of the last authority that began with neither scheme nor slashes
  std::uint8_t plain_depth = 0;
  if (!is(kSlash, text[0]) && text[0] != '*') {
    plain_end = mask_userinfo(text, {0, 0, false, false}, cut);
  }
  constexpr Kinds kKnown = kSlash | kQuestion | kEquals;
  const std::size_t size = text.size();
  for (std::size_t i = text.find(0, size, kKnown); i < size; i = text.find(i + 1, size, kKnown)) {
    if (text[i] == '?') {
      in_query = true;
    } else if (text[i] == '=') {
      // Inside an authority already seen, and ending no later: nothing new.
      if (i >= plain_end || text.depth(i) < plain_depth) {
        plain_depth = text.depth(i);
        plain_end = mask_userinfo(text, {i + 1, plain_depth, false, in_query}, cut);
      }
    } else if (i + 1 == size || !is(kSlash, text[i + 1])) {
      std::size_t first = i;
      while (first > 0 && is(kSlash, text[first - 1])) {
        --first;
      }
      const bool after_scheme = first > 0 && text[first - 1] == ':';
      if (after_scheme || first < i) {
        mask_userinfo(text, {i + 1, text.depth(i), after_scheme, in_query}, cut);
      }
    }
  }
}

// Passwords stand behind ':' and parameters behind '=', either of which may be percent-encoded. A
// host name's own ':' begins nothing secret without an '@'.
bool may_hold_secret(std::string_view text, Redactor::Form form) {
  return form == Redactor::Form::domain ? contains_any<'%', '@'>(text)
                                        : contains_any<'%', ':', '='>(text);
}

constexpr std::size_t kMaxName = 64;

// The name between two positions, lower case, without what clients and servers strip.
std::string_view read_name(const Text& text, std::size_t from, std::size_t to,
                           std::array<char, kMaxName>& buffer) {
  const auto is_padding = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '+'; };
  while (from < to && is_padding(text[from])) {
    ++from;
  }
  while (to > from && is_padding(text[to - 1])) {
    --to;
  }
  if (to - from > kMaxName) {
    return {};
  }
  for (std::size_t i = from; i < to; ++i) {
    buffer[i - from] = ascii_lower(text[i]);
  }
  return {buffer.data(), to - from};
}

// "user[password]", "token[]": the name as a whole, and each part by itself.
template <typename Listed>
bool is_secret_name(std::string_view name, const Listed& listed) {
  if (listed(name)) {
    return true;
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '[' || name[i] == ']') {
      if (i > begin && listed(name.substr(begin, i - begin))) {
        return true;
      }
      begin = i + 1;
    }
  }
  return begin > 0 && begin < name.size() && listed(name.substr(begin));
}

template <typename Listed>
void mask_parameters(Text& text, Redactor::Form form, const Listed& listed) {
  std::array<char, kMaxName> buffer;
  const std::size_t size = text.size();
  for (std::size_t i = text.find(0, size, kBeginsParameter); i < size;
       i = text.find(i + 1, size, kBeginsParameter)) {
    const std::size_t equals = text.find(i + 1, size, kEquals | kBeginsParameter);
    if (equals == size || text[equals] != '=' ||
        !is_secret_name(read_name(text, i + 1, equals, buffer), listed)) {
      continue;
    }
    const std::size_t end = form == Redactor::Form::path
                                ? size
                                : text.find(equals + 1, size, kAmpersand, text.depth(i));
    text.mask(equals + 1, end);
    i = end - 1;
  }
}

void mask_domain(Text& text) {
  const std::size_t at = text.find_last(0, text.size(), '@');
  const std::size_t colon = text.find_one(0, at, ':');
  if (at < text.size() && colon < at) {
    text.mask(colon + 1, at);
  }
}

}  // namespace

std::vector<std::string> RedactionOptions::default_query_parameters() {
  return default_secret_parameters();
}

Redactor::Redactor(const RedactionOptions& options) {
  for (const std::string& name : options.query_parameters) {
    std::string lower(name.size(), '\0');
    std::transform(name.begin(), name.end(), lower.begin(), ascii_lower);
    hints_.set(hint(lower));
    names_.push_back(std::move(lower));
  }
  std::sort(names_.begin(), names_.end());
}

// Nearly all names are none of them, which their length and first letter tell.
std::size_t Redactor::hint(std::string_view name) {
  const std::size_t first = name.empty() ? 0 : static_cast<unsigned char>(name.front());
  return (first + 32 * name.size()) % kHints;
}

// Lower case.
bool Redactor::is_listed(std::string_view name) const {
  return hints_[hint(name)] &&
         std::binary_search(names_.begin(), names_.end(), name, std::less<>());
}

Redactor::Masked Redactor::mask(std::string_view text, Form form, bool cut,
                                std::span<char> out) const {
  const bool too_long = text.size() > kMaxMaskable;
  if (too_long) {
    text = text.substr(0, kMaxMaskable);
    cut = true;
  }
  Masked result;
  if (may_hold_secret(text, form)) {
    Text decoded(text);
    if (form == Form::domain) {
      mask_domain(decoded);
    } else {
      if (decoded.contains(':')) {
        mask_authorities(decoded, cut);
      }
      if (decoded.contains('=')) {
        mask_parameters(decoded, form, [this](std::string_view name) { return is_listed(name); });
      }
    }
    result = decoded.write(out);
  } else {
    result = copy(text, out);
  }
  result.cut = result.cut || too_long;
  return result;
}

}  // namespace imds::alert
