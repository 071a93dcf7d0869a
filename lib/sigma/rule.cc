#include "sigma/rule.h"

#include <algorithm>

namespace imds::sigma {

std::string_view name(Level level) {
  switch (level) {
    case Level::informational:
      return "informational";
    case Level::low:
      return "low";
    case Level::medium:
      return "medium";
    case Level::high:
      return "high";
    case Level::critical:
      return "critical";
  }
  return "";
}

std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::equals:
      return "equals";
    case Operation::contains:
      return "contains";
    case Operation::starts_with:
      return "startswith";
    case Operation::ends_with:
      return "endswith";
    case Operation::cidr:
      return "cidr";
    case Operation::exists:
      return "exists";
    case Operation::less:
      return "lt";
    case Operation::less_or_equal:
      return "lte";
    case Operation::greater:
      return "gt";
    case Operation::greater_or_equal:
      return "gte";
  }
  return "";
}

bool Pattern::has_wildcards() const {
  return std::any_of(tokens.begin(), tokens.end(), [](const PatternToken& token) {
    return token.kind != PatternToken::Kind::literal;
  });
}

std::optional<std::string_view> Pattern::literal() const {
  if (has_wildcards()) {
    return std::nullopt;
  }
  return tokens.empty() ? std::string_view() : std::string_view(tokens.front().text);
}

std::string Pattern::to_string() const {
  std::string text;
  for (const PatternToken& token : tokens) {
    switch (token.kind) {
      case PatternToken::Kind::any_one:
        text += '?';
        break;
      case PatternToken::Kind::any_many:
        text += '*';
        break;
      case PatternToken::Kind::literal:
        for (const char c : token.text) {
          if (c == '*' || c == '?' || c == '\\') {
            text += '\\';
          }
          text += c;
        }
        break;
    }
  }
  return text;
}

}  // namespace imds::sigma
