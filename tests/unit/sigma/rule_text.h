// Rules as text, and what comes of loading them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "event/fields.h"
#include "sigma/load.h"

namespace imds::sigma {

inline constexpr std::string_view kHead =
    "title: Test\n"
    "id: 929a690e-bef0-4204-a928-ef5e620d6fcc\n"
    "level: high\n";
inline constexpr std::string_view kNetwork = "logsource: {category: network}\n";

// The detection begins at line 6; `detection` is indented by the caller.
inline std::string rule_with(std::string_view detection, std::string_view logsource = kNetwork) {
  return std::string(kHead) + std::string(logsource) + "detection:\n" + std::string(detection);
}

inline Result<LoadedRules> load(const std::string& text) {
  return load_text(text, "test.yml", event::FieldTable());
}

// The only rule of a text that must load.
inline Rule only_rule(const std::string& text) {
  Result<LoadedRules> loaded = load(text);
  if (!loaded || loaded->rules.size() != 1) {
    ADD_FAILURE() << text << (loaded ? std::string("not one rule") : loaded.error().to_string());
    return {};
  }
  return loaded->rules.front();
}

// The only match of the only selection of a rule whose detection is `field_and_value`.
inline FieldMatch only_match(const std::string& field_and_value,
                             std::string_view logsource = kNetwork) {
  const Rule rule = only_rule(
      rule_with("  selection:\n    " + field_and_value + "\n  condition: selection\n", logsource));
  if (rule.selections.size() != 1 || rule.selections[0].groups.size() != 1 ||
      rule.selections[0].groups[0].size() != 1) {
    ADD_FAILURE() << field_and_value << " is not one match";
    return {};
  }
  return rule.selections[0].groups[0][0];
}

inline void expect_error(const std::string& text, int line, int column, const std::string& part) {
  const Result<LoadedRules> loaded = load(text);
  ASSERT_FALSE(loaded.has_value()) << "expected: " << part << "\n" << text;
  const Error& error = loaded.error();
  EXPECT_EQ(error.kind, ErrorKind::config);
  EXPECT_EQ(error.where.file, "test.yml");
  EXPECT_EQ(error.where.line, line) << error.to_string() << "\n" << text;
  EXPECT_EQ(error.where.column, column) << error.to_string() << "\n" << text;
  EXPECT_NE(error.message.find(part), std::string::npos)
      << error.to_string() << "\nexpected: " << part;
}

// As expect_error; a '^' in the text stands where the error does, and is taken out.
inline void expect_error_at_mark(std::string text, const std::string& part) {
  const std::size_t mark = text.find('^');
  ASSERT_NE(mark, std::string::npos) << text;
  text.erase(mark, 1);
  const std::string before = text.substr(0, mark);
  const auto line = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start =
      before.rfind('\n') == std::string::npos ? 0 : before.rfind('\n') + 1;
  expect_error(text, static_cast<int>(line) + 1, static_cast<int>(mark - line_start) + 1, part);
}

// As expect_error, for a detection of one field and value, which stands at line 7, column 5.
inline void expect_match_error(const std::string& field_and_value, int column,
                               const std::string& part, std::string_view logsource = kNetwork) {
  expect_error(
      rule_with("  selection:\n    " + field_and_value + "\n  condition: selection\n", logsource),
      7, column, part);
}

inline void expect_warning(const std::string& text, int line, int column, const std::string& part) {
  const Result<LoadedRules> loaded = load(text);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string() << "\n" << text;
  ASSERT_EQ(loaded->warnings.size(), 1u) << text;
  EXPECT_EQ(loaded->warnings[0].where.line, line);
  EXPECT_EQ(loaded->warnings[0].where.column, column);
  EXPECT_NE(loaded->warnings[0].message.find(part), std::string::npos)
      << loaded->warnings[0].message;
}

}  // namespace imds::sigma
