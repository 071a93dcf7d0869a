#include "rules/regex_literals.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "index.h"

namespace imds::rules {
namespace {

// Strings one part of an expression is followed as, before it counts as unknown.
constexpr std::size_t kMaxStrings = 16;
constexpr std::size_t kMaxStringBytes = 128;
constexpr std::size_t kMaxClass = 4;
constexpr std::size_t kMaxNesting = 100;

using Strings = std::set<std::string>;

// What a part of the expression matches.
struct Part {
  bool is_exact = false;
  Strings exact;  // with is_exact: exactly these, case aside
  std::vector<std::string>
      needed;  // keys, of which one stands in what it matches; empty: not known
};

double cost(const std::vector<std::string>& keys) {
  double sum = 0;
  for (const std::string& key : keys) {
    sum += literal_cost(key);
  }
  return sum;
}

Part only(Strings strings) {
  Part part;
  part.is_exact = true;
  part.exact = std::move(strings);
  return part;
}

class Reader {
 public:
  Reader(std::string_view text, const KeyOf& key_of) : text_(text), key_of_(key_of) {}

  std::vector<std::string> read() {
    Part whole = alternatives(0);
    if (gave_up_ || at_ != text_.size()) {
      return {};
    }
    settle(whole);
    return whole.needed;
  }

 private:
  [[nodiscard]] bool more() const { return at_ < text_.size() && !gave_up_; }
  [[nodiscard]] char next() const { return text_[at_]; }
  [[nodiscard]] bool follows(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }
  Part give_up() {
    gave_up_ = true;
    return {};
  }

  // The better of what is needed so far and `keys`.
  static void offer(std::vector<std::string>& best, std::vector<std::string> keys) {
    if (!keys.empty() && (best.empty() || cost(keys) < cost(best))) {
      best = std::move(keys);
    }
  }
  [[nodiscard]] std::vector<std::string> keys_of(const Strings& strings) const {
    std::vector<std::string> keys;
    for (const std::string& string : strings) {
      std::string key = key_of_(string);
      if (key.empty()) {
        return {};
      }
      keys.push_back(std::move(key));
    }
    return keys;
  }
  // Strings that are followed no further become something needed.
  void settle(Part& part) const {
    if (part.is_exact) {
      offer(part.needed, keys_of(part.exact));
      part.is_exact = false;
    }
  }

  Part alternatives(std::size_t depth) {
    if (depth > kMaxNesting) {
      return give_up();
    }
    std::vector<Part> branches;
    branches.push_back(sequence(depth));
    while (more() && next() == '|') {
      ++at_;
      branches.push_back(sequence(depth));
    }
    if (gave_up_ || branches.size() == 1) {
      return std::move(branches.front());
    }
    const bool all_exact = std::all_of(branches.begin(), branches.end(),
                                       [](const Part& branch) { return branch.is_exact; });
    Part out;
    if (all_exact) {
      for (Part& branch : branches) {
        out.exact.merge(branch.exact);
      }
      out.is_exact = true;
      if (out.exact.size() > kMaxStrings) {
        settle(out);
      }
      return out;
    }
    for (Part& branch : branches) {
      settle(branch);
      if (branch.needed.empty()) {
        return {};
      }
      out.needed.insert(out.needed.end(), branch.needed.begin(), branch.needed.end());
    }
    return out;
  }

  Part sequence(std::size_t depth) {
    Strings run{std::string()};
    bool exact = true;
    std::vector<std::string> needed;
    while (more() && next() != '|' && next() != ')') {
      Part item = quantified(depth);
      if (gave_up_) {
        return {};
      }
      if (item.is_exact && run.size() * item.exact.size() <= kMaxStrings && fits(run, item.exact)) {
        run = product(run, item.exact);
        continue;
      }
      exact = false;
      offer(needed, keys_of(run));
      run = {std::string()};
      settle(item);
      offer(needed, std::move(item.needed));
    }
    if (exact) {
      return only(std::move(run));
    }
    offer(needed, keys_of(run));
    Part out;
    out.needed = std::move(needed);
    return out;
  }

  static bool fits(const Strings& a, const Strings& b) {
    const auto longest = [](const Strings& strings) {
      std::size_t bytes = 0;
      for (const std::string& string : strings) {
        bytes = std::max(bytes, string.size());
      }
      return bytes;
    };
    return longest(a) + longest(b) <= kMaxStringBytes;
  }
  static Strings product(const Strings& a, const Strings& b) {
    Strings out;
    for (const std::string& first : a) {
      for (const std::string& second : b) {
        out.insert(first + second);
      }
    }
    return out;
  }

  Part quantified(std::size_t depth) {
    Part item = atom(depth);
    while (more()) {
      std::size_t least = 0;
      bool once_at_most = false;
      if (next() == '?') {
        once_at_most = true;
        ++at_;
      } else if (next() == '*') {
        ++at_;
      } else if (next() == '+') {
        least = 1;
        ++at_;
      } else if (!braces(least)) {
        break;
      }
      if (more() && (next() == '?' || next() == '+')) {
        ++at_;  // lazy or possessive: the same texts, or fewer
      }
      if (least > 0) {
        settle(item);
      } else if (once_at_most && item.is_exact) {
        item.exact.insert(std::string());
      } else {
        item = {};
      }
    }
    return item;
  }

  // "{n}", "{n,}", "{n,m}"; anything else stands for itself.
  bool braces(std::size_t& least) {
    const std::string_view rest = text_.substr(at_);
    const std::size_t end = rest.find('}');
    if (rest.front() != '{' || end == std::string_view::npos) {
      return false;
    }
    const std::string_view inside = rest.substr(1, end - 1);
    const auto comma = inside.find(',');
    const std::string_view first = inside.substr(0, comma);
    const std::string_view second =
        comma == std::string_view::npos ? std::string_view() : inside.substr(comma + 1);
    const auto is_number = [](std::string_view digits) {
      return digits.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (first.empty() || !is_number(first) || !is_number(second)) {
      return false;
    }
    std::from_chars(first.data(), first.data() + first.size(), least);
    at_ += end + 1;
    return true;
  }

  Part atom(std::size_t depth) {
    const char c = next();
    switch (c) {
      case '(':
        return group(depth);
      case '[':
        return character_class();
      case '\\':
        return escape();
      case '.':
        ++at_;
        return {};
      case '^':
      case '$':
        ++at_;
        return only({std::string()});
      case '{':
        // Not "{n,m}", but later versions of PCRE2 take blanks and an empty n as well.
        if (text_.find_first_of("0123456789, \t", at_ + 1) == at_ + 1) {
          return give_up();
        }
        [[fallthrough]];
      default:
        ++at_;
        return only({std::string(1, ascii_lower(c))});
    }
  }

  // Behind "(?": whether the group is one of those understood; its contents begin at at_.
  enum class Group : std::uint8_t { plain, assertion, flags, unknown };
  Group open_group() {
    for (const std::string_view assertion : {"(?=", "(?!", "(?<=", "(?<!"}) {
      if (follows(assertion)) {
        at_ += assertion.size();
        return Group::assertion;
      }
    }
    for (const std::string_view plain : {"(?:", "(?>", "(?|"}) {
      if (follows(plain)) {
        at_ += plain.size();
        return Group::plain;
      }
    }
    for (const std::string_view named : {"(?<", "(?P<"}) {
      if (follows(named)) {
        const std::size_t end = text_.find('>', at_);
        at_ = std::min(end, text_.size() - 1) + 1;
        return Group::plain;
      }
    }
    if (!follows("(?")) {
      ++at_;
      return follows("*") ? Group::unknown : Group::plain;
    }
    const std::size_t end = text_.find_first_not_of("imsU-", at_ + 2);
    if (end == std::string_view::npos || (text_[end] != ')' && text_[end] != ':') ||
        end == at_ + 2) {
      return Group::unknown;  // x would give blanks another meaning
    }
    at_ = end + 1;
    return text_[end] == ')' ? Group::flags : Group::plain;
  }

  Part group(std::size_t depth) {
    const Group kind = open_group();
    if (kind == Group::unknown) {
      return give_up();
    }
    if (kind == Group::flags) {
      return only({std::string()});
    }
    Part inside = alternatives(depth + 1);
    if (!more() || next() != ')') {
      return give_up();
    }
    ++at_;
    return kind == Group::assertion ? only({std::string()}) : inside;
  }

  // "[abc]" with few plain characters; else anything of one byte.
  Part character_class() {
    Strings members;
    bool known = true;
    std::size_t i = at_ + 1;
    if (i < text_.size() && text_[i] == '^') {
      known = false;
      ++i;
    }
    for (bool first = true;; first = false, ++i) {
      if (i >= text_.size()) {
        return give_up();
      }
      if (text_[i] == ']' && !first) {
        break;
      }
      if (text_[i] == '\\') {
        known = false;
        if (i + 1 < text_.size() && (text_[i + 1] == 'Q' || text_[i + 1] == 'E')) {
          return give_up();
        }
        ++i;
      } else if (text_[i] == '[' && i + 1 < text_.size() &&
                 std::string_view(":.=").find(text_[i + 1]) != std::string_view::npos) {
        // "[:alpha:]" ends at its own bracket; PCRE2 reads other beginnings as members.
        return give_up();
      } else if (text_[i] == '-') {
        known = false;
      } else {
        members.insert(std::string(1, ascii_lower(text_[i])));
      }
    }
    at_ = i + 1;
    return known && members.size() <= kMaxClass ? only(std::move(members)) : Part{};
  }

  Part escape() {
    if (at_ + 1 >= text_.size()) {
      return give_up();
    }
    const char c = text_[at_ + 1];
    at_ += 2;
    const char lower = ascii_lower(c);
    const bool is_letter = lower >= 'a' && lower <= 'z';
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_letter && !is_digit) {
      return only({std::string(1, c)});
    }
    constexpr std::string_view kZeroWidth = "bBAzZ";
    constexpr std::string_view kSomeByte = "dDwWsShHvV";
    if (kZeroWidth.find(c) != std::string_view::npos) {
      return only({std::string()});
    }
    if (kSomeByte.find(c) != std::string_view::npos) {
      return {};
    }
    constexpr std::string_view kControls = "tnrfea";
    constexpr std::string_view kMeant = "\t\n\r\f\x1b\a";
    if (const std::size_t which = kControls.find(c); which != std::string_view::npos) {
      return only({std::string(1, kMeant[which])});
    }
    if (c == 'x') {
      return hexadecimal();
    }
    // Back references and octal numbers: any bytes, any number of them.
    if (is_digit) {
      while (more() && next() >= '0' && next() <= '9') {
        ++at_;
      }
      return {};
    }
    return give_up();
  }

  // "\xHH" with both digits.
  Part hexadecimal() {
    unsigned value = 0;
    const std::string_view digits = text_.substr(at_, 2);
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() < 2 || problem != std::errc() || end != digits.data() + 2) {
      return give_up();
    }
    at_ += 2;
    return only({std::string(1, ascii_lower(static_cast<char>(value)))});
  }

  std::string_view text_;
  const KeyOf& key_of_;
  std::size_t at_ = 0;
  bool gave_up_ = false;
};

}  // namespace

std::vector<std::string> required_literals(std::string_view regex, const KeyOf& key_of) {
  std::vector<std::string> keys = Reader(regex, key_of).read();
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace imds::rules
