#include "naive_regex.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

#include "sigma/rule.h"

namespace imds::rules {
namespace {

using Ends = std::set<std::size_t>;

// Reads and matches in one: matching a part of the expression means reading it again.
class Matcher {
 public:
  Matcher(std::string_view regex, std::uint8_t options, std::string_view text)
      : regex_(regex), options_(options), text_(text) {}

  bool finds() {
    for (std::size_t start = 0; start <= text_.size(); ++start) {
      std::size_t at = 0;
      if (!alternatives(at, {start}).empty()) {
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] bool has(std::uint8_t option) const { return (options_ & option) != 0; }
  [[nodiscard]] char lower(char c) const {
    return has(sigma::kRegexIgnoreCase) && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  // From regex_[at] on; leaves at_ behind the alternatives.
  Ends alternatives(std::size_t& at, const Ends& starts) {
    Ends out = sequence(at, starts);
    while (at < regex_.size() && regex_[at] == '|') {
      ++at;
      out.merge(sequence(at, starts));
    }
    return out;
  }

  Ends sequence(std::size_t& at, const Ends& starts) {
    Ends ends = starts;
    while (at < regex_.size() && regex_[at] != '|' && regex_[at] != ')') {
      const std::size_t begin = at;
      Ends once = atom(at, ends);
      const std::size_t behind = at;
      std::size_t least = 1;
      std::size_t most = 1;
      if (quantifier(at, least, most)) {
        once = least == 0 ? ends : Ends{};
        Ends reached = ends;
        for (std::size_t count = 1; count <= most && !reached.empty(); ++count) {
          std::size_t again = begin;
          Ends next = atom(again, reached);
          if (count >= least) {
            const std::size_t before = once.size();
            once.insert(next.begin(), next.end());
            if (most == kMany && once.size() == before && count > least) {
              break;
            }
          }
          reached = std::move(next);
        }
      } else {
        at = behind;
      }
      ends = std::move(once);
    }
    return ends;
  }

  static constexpr std::size_t kMany = 100'000;
  bool quantifier(std::size_t& at, std::size_t& least, std::size_t& most) {
    if (at >= regex_.size()) {
      return false;
    }
    switch (regex_[at]) {
      case '*':
        least = 0;
        most = kMany;
        break;
      case '+':
        most = kMany;
        break;
      case '?':
        least = 0;
        break;
      case '{':  // {a,b}, one digit each
        least = static_cast<std::size_t>(regex_[at + 1] - '0');
        most = static_cast<std::size_t>(regex_[at + 3] - '0');
        at += 4;
        break;
      default:
        return false;
    }
    ++at;
    return true;
  }

  Ends atom(std::size_t& at, const Ends& starts) {
    const char c = regex_[at];
    if (c == '(') {
      return group(at, starts);
    }
    if (c == '^' || c == '$' || regex_.substr(at).starts_with("\\b")) {
      at += c == '\\' ? 2 : 1;
      Ends out;
      std::copy_if(starts.begin(), starts.end(), std::inserter(out, out.end()),
                   [&](std::size_t place) { return holds_at(c, place); });
      return out;
    }
    const std::size_t begin = at;
    Ends out;
    skip_byte(at);
    for (const std::size_t place : starts) {
      if (place < text_.size() && takes(regex_.substr(begin, at - begin), text_[place])) {
        out.insert(place + 1);
      }
    }
    return out;
  }

  bool holds_at(char anchor, std::size_t place) const {
    const bool multiline = has(sigma::kRegexMultiline);
    if (anchor == '^') {
      return place == 0 || (multiline && text_[place - 1] == '\n' && place < text_.size());
    }
    if (anchor == '$') {
      return place == text_.size() ||
             (text_[place] == '\n' && (multiline || place + 1 == text_.size()));
    }
    const bool before = place > 0 && is_word(text_[place - 1]);
    const bool behind = place < text_.size() && is_word(text_[place]);
    return before != behind;
  }

  Ends group(std::size_t& at, const Ends& starts) {
    const auto follows = [&](std::string_view what) { return regex_.substr(at).starts_with(what); };
    const bool ahead = follows("(?=") || follows("(?!");
    const bool behind = follows("(?<=") || follows("(?<!");
    const bool wanted = follows("(?=") || follows("(?<=");
    at += behind ? 4 : ahead ? 3 : follows("(?:") ? 3 : 1;
    const std::size_t inside = at;
    Ends out;
    if (!ahead && !behind) {
      out = alternatives(at, starts);
    } else {
      (void)alternatives(at, {});
      for (const std::size_t place : starts) {
        bool found = false;
        if (ahead || place > 0) {
          std::size_t again = inside;
          const Ends ends = alternatives(again, {ahead ? place : place - 1});
          found = ahead ? !ends.empty() : ends.count(place) > 0;
        }
        if (found == wanted) {
          out.insert(place);
        }
      }
    }
    if (at >= regex_.size() || regex_[at] != ')') {
      throw std::logic_error("the generator wrote an unbalanced regex");
    }
    ++at;
    return out;
  }

  void skip_byte(std::size_t& at) const {
    if (regex_[at] == '[') {
      at = regex_.find(']', at + 1);
    } else if (regex_[at] == '\\') {
      ++at;
    }
    ++at;
  }

  bool takes(std::string_view element, char c) const {
    if (element == ".") {
      return c != '\n' || has(sigma::kRegexDotAll);
    }
    if (element[0] == '\\') {
      switch (element[1]) {
        case 'd':
          return c >= '0' && c <= '9';
        case 'w':
          return is_word(c);
        case 's':
          return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos;
        default:
          return c == element[1];
      }
    }
    if (element[0] != '[') {
      return lower(c) == lower(element[0]);
    }
    std::string_view members = element.substr(1, element.size() - 2);
    const bool negated = members.starts_with('^');
    members.remove_prefix(negated ? 1 : 0);
    bool is_member = false;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i + 2 < members.size() && members[i + 1] == '-') {
        for (int m = members[i]; m <= members[i + 2]; ++m) {
          is_member = is_member || lower(c) == lower(static_cast<char>(m));
        }
        i += 2;
      } else {
        is_member = is_member || lower(c) == lower(members[i]);
      }
    }
    return is_member != negated;
  }

  std::string_view regex_;
  std::uint8_t options_;
  std::string_view text_;
};

}  // namespace

bool naive_regex_finds(std::string_view regex, std::uint8_t options, std::string_view text) {
  return Matcher(regex, options, text).finds();
}

}  // namespace imds::rules
