#include "alert/redact.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>

#include "base/secret_parameters.h"
#include "base/text.h"

namespace imds::alert {
namespace {

// One character of the text with all percent-encoding taken off. `depth` is how many layers there
// were: what ends a value must not stand deeper than what began it.
struct Cell {
  char c;
  std::uint8_t depth;
  std::uint16_t begin;  // in the text; the cell ends where the next one begins
};

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_slash(char c) {
  return c == '/' || c == '\\';  // clients take the one for the other
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool begins_parameter(char c) {
  return c == '?' || c == '&' || c == ';' || c == '#';
}

class Text {
 public:
  // Percent-decodes to a fixed point in one pass: a finished escape may complete an earlier one.
  explicit Text(std::string_view raw) : raw_(raw) {
    const std::size_t plain = std::min(raw.find('%'), raw.size());
    for (; size_ < plain; ++size_) {
      cells_[size_] = {raw[size_], 0, static_cast<std::uint16_t>(size_)};
    }
    for (std::size_t i = plain; i < raw.size(); ++i) {
      cells_[size_++] = {raw[i], 0, static_cast<std::uint16_t>(i)};
      while (merge_escape()) {
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Cell& operator[](std::size_t i) const { return cells_[i]; }
  // First position from `from` on that holds, up to `to`; `to` if none does.
  template <typename Predicate>
  [[nodiscard]] std::size_t find_if(std::size_t from, std::size_t to, Predicate holds) const {
    while (from < to && !holds(cells_[from])) {
      ++from;
    }
    return from;
  }
  [[nodiscard]] bool contains(char c) const { return find(0, size_, c) < size_; }
  [[nodiscard]] std::size_t find(std::size_t from, std::size_t to, char c) const {
    return find_if(from, to, [c](const Cell& cell) { return cell.c == c; });
  }
  [[nodiscard]] std::size_t find_last(std::size_t from, std::size_t to, char c) const {
    for (std::size_t i = to; i > from; --i) {
      if (cells_[i - 1].c == c) {
        return i - 1;
      }
    }
    return to;
  }

  void mask(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      masked_.set(i);
    }
    any_masked_ = any_masked_ || from < to;
  }
  Redactor::Masked write(std::span<char> out) const;

 private:
  bool merge_escape() {
    if (size_ < 3 || cells_[size_ - 3].c != '%') {
      return false;
    }
    const int high = hex_value(cells_[size_ - 2].c);
    const int low = hex_value(cells_[size_ - 1].c);
    if (high < 0 || low < 0) {
      return false;
    }
    Cell& merged = cells_[size_ - 3];
    const std::uint8_t depth =
        std::max({merged.depth, cells_[size_ - 2].depth, cells_[size_ - 1].depth});
    merged.c = static_cast<char>(high * 16 + low);
    merged.depth = static_cast<std::uint8_t>(std::min(depth + 1, 255));
    size_ -= 2;
    return true;
  }

  std::string_view raw_;
  std::array<Cell, kMaxMaskable> cells_;  // the first size_ are set
  std::size_t size_ = 0;
  std::bitset<kMaxMaskable> masked_;
  bool any_masked_ = false;
};

Redactor::Masked copy(std::string_view text, std::span<char> out) {
  const std::size_t size = std::min(text.size(), out.size());
  if (size > 0) {
    std::memcpy(out.data(), text.data(), size);
  }
  return {size, size < text.size()};
}

Redactor::Masked Text::write(std::span<char> out) const {
  if (!any_masked_) {
    return copy(raw_, out);
  }
  Redactor::Masked result;
  const auto append = [&](std::string_view piece) {
    const std::size_t size = std::min(piece.size(), out.size() - result.length);
    std::memcpy(out.data() + result.length, piece.data(), size);
    result.length += size;
    result.cut = result.cut || size < piece.size();
  };
  for (std::size_t i = 0; i < size_ && !result.cut; ++i) {
    const std::size_t begin = cells_[i].begin;
    const std::size_t end = i + 1 < size_ ? cells_[i + 1].begin : raw_.size();
    if (!masked_.test(i)) {
      append(raw_.substr(begin, end - begin));
    } else if (i == 0 || !masked_.test(i - 1)) {
      append(kRedacted);
    }
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

bool ends_authority(const Cell& cell, const Authority& authority) {
  return is_slash(cell.c) || cell.c == '?' || cell.c == '#' ||
         (cell.c == '&' && authority.in_query);
}

// "fd00:ec2::254" without the brackets it should have.
bool is_bare_ipv6(const Text& text, std::size_t from, std::size_t to) {
  std::size_t colons = 0;
  for (std::size_t i = from; i < to; ++i) {
    colons += text[i].c == ':' ? 1 : 0;
    if (text[i].c != ':' && text[i].c != '.' && hex_value(text[i].c) < 0) {
      return false;
    }
  }
  return colons >= 2;
}

// No '@': "host:port", unless the port cannot be one or the '@' was cut off.
void mask_unfinished_userinfo(Text& text, const Authority& authority, std::size_t end, bool cut) {
  std::size_t host = authority.begin;
  if (host < end && text[host].c == '[') {
    host = text.find(host, end, ']');
  }
  const std::size_t colon = text.find(host, end, ':');
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
  const std::size_t after_digits =
      text.find_if(colon + 1, end, [](const Cell& cell) { return !is_digit(cell.c); });
  if (after_digits == end || ends_authority(text[after_digits], authority)) {
    return;
  }
  const std::size_t at = text.find(end, text.size(), '@');
  text.mask(colon + 1, at < text.size() ? at : end);
}

// Returns where the authority ends.
std::size_t mask_userinfo(Text& text, const Authority& authority, bool cut) {
  const std::size_t end = text.find_if(authority.begin, text.size(), [&](const Cell& cell) {
    return cell.depth <= authority.depth && ends_authority(cell, authority);
  });
  const std::size_t first_colon = text.find(authority.begin, end, ':');
  if (!authority.after_scheme && first_colon + 1 < end && is_slash(text[first_colon + 1].c)) {
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
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Cell& cell = text[i];
    in_query = in_query || cell.c == '?';
    if (i == 0 && !is_slash(cell.c) && cell.c != '*') {
      plain_end = mask_userinfo(text, {0, 0, false, false}, cut);
    }
    if (cell.c == '=') {
      // Inside an authority already seen, and ending no later: nothing new.
      if (i >= plain_end || cell.depth < plain_depth) {
        plain_end = mask_userinfo(text, {i + 1, cell.depth, false, in_query}, cut);
        plain_depth = cell.depth;
      }
    } else if (is_slash(cell.c) && (i + 1 == text.size() || !is_slash(text[i + 1].c))) {
      std::size_t first = i;
      while (first > 0 && is_slash(text[first - 1].c)) {
        --first;
      }
      const bool after_scheme = first > 0 && text[first - 1].c == ':';
      if (after_scheme || first < i) {
        mask_userinfo(text, {i + 1, cell.depth, after_scheme, in_query}, cut);
      }
    }
  }
}

// Passwords stand behind ':' and parameters behind '=', either of which may be percent-encoded. A
// host name's own ':' begins nothing secret without an '@'.
bool may_hold_secret(std::string_view text, Redactor::Form form) {
  const auto begins_secret = [form](char c) {
    return c == '%' || (form == Redactor::Form::domain ? c == '@' : c == ':' || c == '=');
  };
  return std::any_of(text.begin(), text.end(), begins_secret);
}

constexpr std::size_t kMaxName = 64;

// The name between two positions, lower case, without what clients and servers strip.
std::string_view read_name(const Text& text, std::size_t from, std::size_t to,
                           std::array<char, kMaxName>& buffer) {
  const auto is_padding = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '+'; };
  while (from < to && is_padding(text[from].c)) {
    ++from;
  }
  while (to > from && is_padding(text[to - 1].c)) {
    --to;
  }
  if (to - from > kMaxName) {
    return {};
  }
  for (std::size_t i = from; i < to; ++i) {
    buffer[i - from] = ascii_lower(text[i].c);
  }
  return {buffer.data(), to - from};
}

// `names` are sorted.
bool is_secret_name(const std::vector<std::string>& names, std::string_view name) {
  const auto listed = [&names](std::string_view part) {
    return std::binary_search(names.begin(), names.end(), part, std::less<>());
  };
  if (listed(name)) {
    return true;
  }
  // "user[password]", "token[]": each part by itself.
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find_first_of("[]", begin), name.size());
    if (end > begin && listed(name.substr(begin, end - begin))) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

void mask_parameters(Text& text, Redactor::Form form, const std::vector<std::string>& names) {
  std::array<char, kMaxName> buffer;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!begins_parameter(text[i].c)) {
      continue;
    }
    const std::size_t equals = text.find_if(i + 1, text.size(), [](const Cell& cell) {
      return cell.c == '=' || begins_parameter(cell.c);
    });
    if (equals == text.size() || text[equals].c != '=' ||
        !is_secret_name(names, read_name(text, i + 1, equals, buffer))) {
      continue;
    }
    const std::uint8_t depth = text[i].depth;
    const std::size_t end = form == Redactor::Form::path
                                ? text.size()
                                : text.find_if(equals + 1, text.size(), [depth](const Cell& cell) {
                                    return cell.c == '&' && cell.depth <= depth;
                                  });
    text.mask(equals + 1, end);
    i = end - 1;
  }
}

void mask_domain(Text& text) {
  const std::size_t at = text.find_last(0, text.size(), '@');
  const std::size_t colon = text.find(0, at, ':');
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
    names_.push_back(std::move(lower));
  }
  std::sort(names_.begin(), names_.end());
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
        mask_parameters(decoded, form, names_);
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
