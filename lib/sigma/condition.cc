#include "condition.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"

namespace imds::sigma {
namespace {

constexpr std::array<std::string_view, 5> kReservedWords{"and", "or", "not", "of", "them"};

constexpr std::size_t kMaxConditionLength = 16u << 10;

struct Word {
  std::string_view text;  // a parenthesis, or anything between white space and parentheses
  std::size_t index;      // into the condition's text
};

std::vector<Word> split(std::string_view text) {
  std::vector<Word> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    std::size_t end = at + 1;
    if (text[at] != '(' && text[at] != ')') {
      end = std::min(text.find_first_of(" \t\r\n()", at), text.size());
    }
    words.push_back({text.substr(at, end - at), at});
    at = end;
  }
  return words;
}

std::size_t depth(const Condition& node) {
  std::size_t deepest = 0;
  for (const Condition& operand : node.operands) {
    deepest = std::max(deepest, depth(operand));
  }
  return deepest + 1;
}

// Recursive descent, one function per level of precedence: or, and, not, the rest.
class Parser {
 public:
  Parser(const Context& context, const Node& text, const std::vector<Selection>& selections,
         std::vector<bool>& used)
      : context_(context), text_(text), selections_(selections), used_(used) {}

  Result<Condition> parse() {
    if (text_.text.size() > kMaxConditionLength) {
      return context_.error(text_.position, "the condition is longer than 16 KiB");
    }
    words_ = split(text_.text);
    if (words_.empty()) {
      return context_.error(text_.position, "the condition is empty; expected names of selections");
    }
    Result<Condition> whole = parse_or();
    if (!whole) {
      return whole;
    }
    if (next_ < words_.size()) {
      if (words_[next_].text == ")") {
        return fail_here("this ')' closes nothing");
      }
      return fail_unexpected("expected 'and', 'or' or the end of the condition");
    }
    if (depth(*whole) > kMaxConditionDepth) {
      return too_deep();
    }
    return whole;
  }

 private:
  Result<Condition> parse_or() { return parse_chain("or", Condition::Kind::disjunction); }
  Result<Condition> parse_and() { return parse_chain("and", Condition::Kind::conjunction); }

  Result<Condition> parse_chain(std::string_view connective, Condition::Kind kind) {
    const bool is_or = kind == Condition::Kind::disjunction;
    const Position start = here();
    Condition chain{kind, 0, {}, start};
    do {
      Result<Condition> operand = is_or ? parse_and() : parse_not();
      if (!operand) {
        return operand;
      }
      chain.operands.push_back(std::move(*operand));
    } while (accept(connective));
    return collapse(std::move(chain));
  }

  Result<Condition> parse_not() {
    const Position start = here();
    if (!accept("not")) {
      return parse_operand();
    }
    if (++nesting_ > kMaxConditionDepth) {
      return too_deep();
    }
    Result<Condition> operand = parse_not();
    --nesting_;
    if (!operand) {
      return operand;
    }
    Condition negation{Condition::Kind::negation, 0, {}, start};
    negation.operands.push_back(std::move(*operand));
    return negation;
  }

  Result<Condition> parse_operand() {
    if (next_ == words_.size()) {
      return fail_here("the condition ends where a selection's name was expected");
    }
    const Word word = words_[next_];
    if (word.text == "(") {
      return parse_parentheses();
    }
    if (word.text == ")" || is_reserved_word(word.text)) {
      return fail_unexpected("expected a selection's name");
    }
    if (is_aggregation(word)) {
      return fail_unexpected({});
    }
    if (next_ + 1 < words_.size() && iequals(words_[next_ + 1].text, "of")) {
      return parse_quantifier();
    }
    return parse_name();
  }

  Result<Condition> parse_parentheses() {
    const Word open = words_[next_++];
    if (++nesting_ > kMaxConditionDepth) {
      return too_deep();
    }
    Result<Condition> inner = parse_or();
    --nesting_;
    if (!inner) {
      return inner;
    }
    if (!accept(")")) {
      if (next_ < words_.size()) {
        return fail_unexpected("expected 'and', 'or' or ')'");
      }
      return context_.error(position(open), "this '(' is never closed");
    }
    return inner;
  }

  Result<Condition> parse_quantifier() {
    const Word count = words_[next_];
    const bool all = iequals(count.text, "all");
    if (!all && count.text != "1" && !iequals(count.text, "any")) {
      return fail_here("expected '1 of', 'any of' or 'all of', not " + in_quotes(count.text) +
                       " of");
    }
    next_ += 2;
    if (next_ == words_.size() || words_[next_].text == "(" || words_[next_].text == ")") {
      return fail_here("expected 'them', a selection's name or a pattern such as 'selection_*'");
    }
    const Word target = words_[next_];
    const bool them = iequals(target.text, "them");
    if (!them && target.text.find('*') == std::string_view::npos) {
      return parse_quantified_name(target, all);
    }

    Condition node{
        all ? Condition::Kind::conjunction : Condition::Kind::disjunction, 0, {}, position(count)};
    for (std::size_t i = 0; i < selections_.size(); ++i) {
      const std::string& name = selections_[i].name;
      if (name.front() != '_' &&
          (them || matches_wildcards(name, target.text, LetterCase::counts))) {
        node.operands.push_back(refer(i, position(target)));
      }
    }
    if (nodes_ > kMaxConditionNodes) {
      return fail_here("the condition refers to selections more than " +
                       std::to_string(kMaxConditionNodes) + " times, quantifiers resolved");
    }
    if (node.operands.empty()) {
      return fail_here(in_quotes(target.text) +
                       " matches no selection (names that begin with '_' are left out)");
    }
    ++next_;
    return collapse(std::move(node));
  }

  // `1 of name` and `all of name` are the selection itself: a pattern that has no star.
  Result<Condition> parse_quantified_name(const Word& target, bool all) {
    Result<Condition> node = parse_name();
    if (node && all && selections_[node->selection].groups.size() > 1) {
      context_.warn(position(target), "'all of " + std::string(target.text) +
                                          "' means the selection itself, whose items are linked "
                                          "by 'or'; a pattern such as 'name_*' means several");
    }
    return node;
  }

  Result<Condition> parse_name() {
    const Word word = words_[next_];
    const auto found = std::find_if(selections_.begin(), selections_.end(),
                                    [&](const Selection& s) { return s.name == word.text; });
    if (found == selections_.end()) {
      std::vector<std::string_view> names;
      for (const Selection& selection : selections_) {
        names.push_back(selection.name);
      }
      const bool pattern = word.text.find('*') != std::string_view::npos;
      return fail_here(in_quotes(word.text) + " is no selection of this rule" +
                       (pattern ? "; a pattern needs '1 of' or 'all of' before it"
                                : did_you_mean(nearest(word.text, names))));
    }
    ++next_;
    return refer(static_cast<std::size_t>(found - selections_.begin()), position(word));
  }

  Condition refer(std::size_t selection, Position at) {
    used_[selection] = true;
    ++nodes_;
    return {Condition::Kind::selection, selection, {}, at};
  }

  static Condition collapse(Condition chain) {
    if (chain.operands.size() > 1) {
      return chain;
    }
    Condition only = std::move(chain.operands.front());
    return only;
  }

  bool accept(std::string_view word) {
    if (next_ < words_.size() && iequals(words_[next_].text, word)) {
      ++next_;
      return true;
    }
    return false;
  }

  [[nodiscard]] Position position(const Word& word) const {
    return locate(context_.source, text_, word.index);
  }
  // At the end of the text, its last word.
  [[nodiscard]] Position here() const {
    return position(words_[std::min(next_, words_.size() - 1)]);
  }
  [[nodiscard]] tl::unexpected<Error> fail_here(std::string message) const {
    return context_.error(here(), std::move(message));
  }
  static bool is_aggregation(const Word& word) {
    return word.text.find('|') != std::string_view::npos;
  }
  // The next word is not what was expected.
  [[nodiscard]] tl::unexpected<Error> fail_unexpected(std::string expected) const {
    if (is_aggregation(words_[next_])) {
      return fail_here(
          "aggregations ('| count() …', '| near …') are not supported; Sigma 2 replaced them by "
          "correlation rules");
    }
    return fail_here(expected + ", not " + in_quotes(words_[next_].text));
  }
  [[nodiscard]] tl::unexpected<Error> too_deep() const {
    return fail_here("the condition is nested deeper than " + std::to_string(kMaxConditionDepth) +
                     " levels");
  }

  const Context& context_;
  const Node& text_;
  const std::vector<Selection>& selections_;
  std::vector<bool>& used_;
  std::vector<Word> words_;
  std::size_t nodes_ = 0;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
};

}  // namespace

bool is_reserved_word(std::string_view word) {
  return std::any_of(kReservedWords.begin(), kReservedWords.end(),
                     [&](std::string_view reserved) { return iequals(word, reserved); });
}

Result<Condition> parse_condition(const Context& context, const Node& text,
                                  const std::vector<Selection>& selections,
                                  std::vector<bool>& used) {
  return Parser(context, text, selections, used).parse();
}

}  // namespace imds::sigma
