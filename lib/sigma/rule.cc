#include "sigma/rule.h"

#include <algorithm>
#include <chrono>

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
    case Operation::matches:
      return "re";
  }
  return "";
}

std::string_view name(TimePart part) {
  switch (part) {
    case TimePart::none:
      return "";
    case TimePart::minute:
      return "minute";
    case TimePart::hour:
      return "hour";
    case TimePart::day:
      return "day";
    case TimePart::week:
      return "week";
    case TimePart::month:
      return "month";
    case TimePart::year:
      return "year";
  }
  return "";
}

std::int64_t part_of(std::int64_t epoch_seconds, TimePart part) {
  using namespace std::chrono;
  if (part == TimePart::none) {  // as nearly always: nothing to work out
    return epoch_seconds;
  }
  const sys_seconds when{seconds{epoch_seconds}};
  const sys_days today = floor<days>(when);
  const year_month_day date{today};
  switch (part) {
    case TimePart::none:
      break;
    case TimePart::minute:
      return duration_cast<minutes>(when - today).count() % 60;
    case TimePart::hour:
      return duration_cast<hours>(when - today).count();
    case TimePart::day:
      return static_cast<unsigned>(date.day());
    case TimePart::month:
      return static_cast<unsigned>(date.month());
    case TimePart::year:
      return static_cast<int>(date.year());
    case TimePart::week: {
      // A week belongs to the year of its Thursday.
      const sys_days thursday = today - (weekday{today} - Monday) + days{3};
      const year_month_day of{thursday};
      return (thursday - sys_days{of.year() / January / 1}).count() / 7 + 1;
    }
  }
  return 0;
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
