#include "naive_evaluator.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "naive_regex.h"

namespace imds::rules {
namespace {

using event::FieldId;
using event::FieldValue;
using sigma::Operation;
using Token = sigma::PatternToken;

// Text as characters: well-formed UTF-8 sequences, other bytes one by one.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t size = 1;
    const bool ascii = static_cast<unsigned char>(text[0]) < 0x80;
    for (std::size_t tried = ascii ? 1 : 4; tried >= 2; --tried) {
      if (text.size() < tried) {
        continue;
      }
      unsigned code = static_cast<unsigned char>(text[0]) & (0x7fu >> tried);
      const unsigned lead = static_cast<unsigned char>(text[0]) >> (7 - tried);
      bool good = lead == (2u << tried) - 2;
      for (std::size_t i = 1; i < tried; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        good = good && (byte >> 6) == 2;
        code = code << 6 | (byte & 0x3f);
      }
      const unsigned least = tried == 2 ? 0x80 : tried == 3 ? 0x800 : 0x10000;
      good = good && code >= least && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
      if (good) {
        size = tried;
        break;
      }
    }
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

// One wildcard or one character to compare with.
struct Element {
  Token::Kind kind;
  std::string_view character;
};

// Which ends of the pattern are reachable, element by element.
bool matches(const std::vector<Element>& pattern, const std::vector<std::string_view>& text,
             bool cased) {
  std::vector<char> reached(text.size() + 1, 0);
  reached[0] = 1;
  for (const Element& element : pattern) {
    std::vector<char> next(text.size() + 1, 0);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (element.kind == Token::Kind::any_many) {
        next[i] = reached[i] != 0 || (i > 0 && next[i - 1] != 0) ? 1 : 0;
      } else if (i > 0 && reached[i - 1] != 0) {
        next[i] =
            element.kind == Token::Kind::any_one ||
            (cased ? text[i - 1] == element.character : iequals(text[i - 1], element.character));
      }
    }
    reached.swap(next);
  }
  return reached.back() != 0;
}

// The pattern with the wildcards that its operation stands for.
std::vector<Element> full_pattern(const sigma::Pattern& pattern, Operation operation) {
  std::vector<Element> elements;
  const Element any{Token::Kind::any_many, {}};
  if (operation == Operation::contains || operation == Operation::ends_with) {
    elements.push_back(any);
  }
  for (const Token& token : pattern.tokens) {
    if (token.kind != Token::Kind::literal) {
      elements.push_back({token.kind, {}});
      continue;
    }
    for (const std::string_view character : characters(token.text)) {
      elements.push_back({Token::Kind::literal, character});
    }
  }
  if (operation == Operation::contains || operation == Operation::starts_with) {
    elements.push_back(any);
  }
  return elements;
}

bool is_contains(const std::vector<Element>& pattern) {
  return !pattern.empty() && pattern.front().kind == Token::Kind::any_many &&
         pattern.back().kind == Token::Kind::any_many;
}

bool number_matches(std::int64_t value, Operation operation, std::int64_t with) {
  return operation == Operation::less               ? value < with
         : operation == Operation::less_or_equal    ? value <= with
         : operation == Operation::greater          ? value > with
         : operation == Operation::greater_or_equal ? value >= with
                                                    : value == with;
}

class Judge {
 public:
  Judge(const sigma::Rule& rule, const event::Event& event, const Hidden& hidden)
      : rule_(rule), event_(event), hidden_(hidden) {}

  bool condition(const sigma::Condition& node) const {
    using Kind = sigma::Condition::Kind;
    const auto holds = [&](const sigma::Condition& operand) { return condition(operand); };
    switch (node.kind) {
      case Kind::selection:
        return selection(rule_.selections[node.selection]);
      case Kind::negation:
        return !condition(node.operands[0]);
      case Kind::conjunction:
        return std::all_of(node.operands.begin(), node.operands.end(), holds);
      case Kind::disjunction:
        return std::any_of(node.operands.begin(), node.operands.end(), holds);
    }
    return false;
  }

 private:
  bool selection(const sigma::Selection& selection) const {
    return std::any_of(selection.groups.begin(), selection.groups.end(), [&](const auto& group) {
      return std::all_of(group.begin(), group.end(),
                         [&](const sigma::FieldMatch& match) { return field(match); });
    });
  }

  bool field(const sigma::FieldMatch& match) const {
    const auto holds = [&](const sigma::Value& one) { return value(match, one); };
    const bool result = match.all ? std::all_of(match.values.begin(), match.values.end(), holds)
                                  : std::any_of(match.values.begin(), match.values.end(), holds);
    return result != match.negated;
  }

  bool value(const sigma::FieldMatch& match, const sigma::Value& value) const {
    return one(match, value) ||
           std::any_of(value.others.begin(), value.others.end(),
                       [&](const sigma::Value& other) { return one(match, other); });
  }

  bool one(const sigma::FieldMatch& match, const sigma::Value& value) const {
    if (match.field) {
      return compare(match, {*match.field, match.header}, match.operation, value);
    }
    for (const FieldId field : {FieldId::url, FieldId::request_headers,
                                FieldId::http_request_method, FieldId::url_domain}) {
      if (compare(match, {field, {}}, Operation::contains, value)) {
        return true;
      }
    }
    return false;
  }

  // All that the event says about a field, as text; nothing if it is absent.
  std::vector<std::string> texts(const event::FieldRef& field) const {
    std::vector<std::string> out;
    if ((event::describe(field.id).events & event::bit(event_.type)) == 0) {
      return out;
    }
    if (event::is_single_header(field.id)) {
      const std::string_view headers =
          field.id == FieldId::request_header ? event_.http.headers : event_.response.headers;
      std::istringstream lines{std::string(headers)};
      for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos && iequals(line.substr(0, colon), field.header)) {
          const std::string rest = line.substr(colon + 1);
          out.push_back(rest.substr(0, 1) == " " ? rest.substr(1) : rest);
        }
      }
      return out;
    }
    event::FieldScratch scratch;
    const FieldValue have = event::value_of(event_, field.id, scratch);
    switch (have.kind) {
      case FieldValue::Kind::absent:
        break;
      case FieldValue::Kind::text:
        out = {std::string(have.text.raw), std::string(have.text.normalised)};
        break;
      case FieldValue::Kind::address:
        out = {have.address.to_string()};
        break;
      case FieldValue::Kind::number:
        out = {std::to_string(have.number)};
        for (std::size_t i = 1; i < have.number_count; ++i) {
          out.push_back(std::to_string(have.numbers[i]));
        }
        break;
    }
    return out;
  }

  bool compare(const sigma::FieldMatch& match, const event::FieldRef& field, Operation operation,
               const sigma::Value& value) const {
    const std::vector<std::string> have = texts(field);
    const auto any = [&](const auto& holds) {
      return std::any_of(have.begin(), have.end(), holds);
    };
    const bool stands_for_raw = event_.type == event::EventType::raw_match &&
                                (field.id == FieldId::url || field.id == FieldId::request_headers);
    switch (value.kind) {
      case sigma::Value::Kind::null:
        return have.empty();
      case sigma::Value::Kind::boolean:
        return have.empty() != value.boolean;
      case sigma::Value::Kind::number:
        return any([&](const std::string& text) {
          const bool digits = !text.empty() && text.size() < 19 &&
                              text.find_first_not_of("0123456789") == std::string::npos;
          return digits &&
                 number_matches(part(std::stoll(text), match.time_part), operation, value.number);
        });
      case sigma::Value::Kind::prefix:
        return any([&](const std::string& text) {
          const auto address = IpAddress::parse(without_port(text));
          return address && value.prefix.contains(*address);
        });
      case sigma::Value::Kind::regex:
        return !stands_for_raw && !hidden_(match, value) && any([&](const std::string& text) {
          return naive_regex_finds(value.regex, match.regex_options, text);
        });
      case sigma::Value::Kind::field:
        return refers(match, operation, have, value.other);
      case sigma::Value::Kind::pattern:
        break;
    }
    if (hidden_(match, value)) {
      return false;
    }
    const std::vector<Element> pattern = full_pattern(value.pattern, operation);
    if (stands_for_raw && !is_contains(pattern)) {
      return false;
    }
    return any(
        [&](const std::string& text) { return matches(pattern, characters(text), match.cased); });
  }

  bool refers(const sigma::FieldMatch& match, Operation operation,
              const std::vector<std::string>& have, const event::FieldRef& other) const {
    const bool raw = event_.type == event::EventType::raw_match;
    const auto stands_for_raw = [&](FieldId id) {
      return raw && (id == FieldId::url || id == FieldId::request_headers);
    };
    if (stands_for_raw(*match.field) || stands_for_raw(other.id)) {
      return false;
    }
    const auto fold = [&](std::string text) {
      if (!match.cased) {
        std::transform(text.begin(), text.end(), text.begin(), ascii_lower);
      }
      return text;
    };
    for (const std::string& left : have) {
      for (const std::string& right : texts(other)) {
        const std::string a = fold(left);
        const std::string b = fold(right);
        const bool holds = operation == Operation::contains      ? a.find(b) != std::string::npos
                           : operation == Operation::starts_with ? a.substr(0, b.size()) == b
                           : operation == Operation::ends_with
                               ? a.size() >= b.size() && a.substr(a.size() - b.size()) == b
                               : a == b;
        if (holds) {
          return true;
        }
      }
    }
    return false;
  }

  static std::string without_port(const std::string& text) {
    if (text.substr(0, 1) == "[") {
      return text.substr(1, text.find(']') - 1);
    }
    return std::count(text.begin(), text.end(), ':') == 1 ? text.substr(0, text.find(':')) : text;
  }

  // By the C library's calendar.
  static std::int64_t part(std::int64_t seconds, sigma::TimePart part) {
    const std::time_t time = seconds;
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[16] = {};
    const char* format = part == sigma::TimePart::minute  ? "%M"
                         : part == sigma::TimePart::hour  ? "%H"
                         : part == sigma::TimePart::day   ? "%d"
                         : part == sigma::TimePart::week  ? "%V"
                         : part == sigma::TimePart::month ? "%m"
                         : part == sigma::TimePart::year  ? "%Y"
                                                          : "%s";
    if (part == sigma::TimePart::none) {
      return seconds;
    }
    std::strftime(text, sizeof text, format, &utc);
    return std::stoll(text);
  }

  const sigma::Rule& rule_;
  const event::Event& event_;
  const Hidden& hidden_;
};

}  // namespace

bool naive_holds(const sigma::Rule& rule, const event::Event& event, const Hidden& hidden) {
  if ((rule.events & event::bit(event.type)) == 0) {
    return false;
  }
  const Judge judge(rule, event, hidden);
  return std::any_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const sigma::Condition& condition) { return judge.condition(condition); });
}

bool naive_holds(const sigma::Rule& rule, const event::Event& event) {
  return naive_holds(rule, event,
                     [](const sigma::FieldMatch&, const sigma::Value&) { return false; });
}

}  // namespace imds::rules
