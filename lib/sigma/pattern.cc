#include "pattern.h"

#include <utility>

namespace imds::sigma {
namespace {

void add_literal(Pattern& pattern, char c) {
  if (pattern.tokens.empty() || pattern.tokens.back().kind != PatternToken::Kind::literal) {
    pattern.tokens.push_back({PatternToken::Kind::literal, {}});
  }
  pattern.tokens.back().text += c;
}

}  // namespace

Pattern parse_pattern(std::string_view text) {
  Pattern pattern;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() &&
        (text[i + 1] == '*' || text[i + 1] == '?' || text[i + 1] == '\\')) {
      add_literal(pattern, text[++i]);
    } else if (c == '?') {
      pattern.tokens.push_back({PatternToken::Kind::any_one, {}});
    } else if (c == '*') {
      if (pattern.tokens.empty() || pattern.tokens.back().kind != PatternToken::Kind::any_many) {
        pattern.tokens.push_back({PatternToken::Kind::any_many, {}});
      }
    } else {
      add_literal(pattern, c);
    }
  }
  return pattern;
}

}  // namespace imds::sigma
