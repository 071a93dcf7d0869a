// Files that are hostile or broken as YAML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace imds::config {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const Result<Config> config = parse(text, "f.yaml");
  if (config) {
    return "no error";
  }
  EXPECT_EQ(config.error().kind, ErrorKind::config);
  return config.error().to_string();
}

TEST(ConfigYaml, SyntaxErrorsHaveAPlace) {
  EXPECT_THAT(error_of("flow: {capacity: 1024\nlog:\n"), StartsWith("f.yaml:2:"));
  EXPECT_THAT(error_of("flow:\n\tcapacity: 1024\n"), StartsWith("f.yaml:2:10: not valid YAML: "));
  EXPECT_THAT(error_of("flow:\n\tcapacity: 1024\n"), HasSubstr("indent with spaces"));
  EXPECT_THAT(error_of("a: b: c\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(error_of("log: {level: info}}\n"), HasSubstr("not valid YAML"));
}

TEST(ConfigYaml, AliasesAreRefusedBeforeTheyMultiply) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + ", " + last +
            ", " + last + ", " + last + ", " + last + "]\n";
  }
  EXPECT_THAT(error_of(bomb), StartsWith("f.yaml:2:10: YAML aliases (*name) are not supported"));
}

TEST(ConfigYaml, MergeKeysAreRefused) {
  EXPECT_THAT(error_of("flow: &f {capacity: 2048}\nworkers:\n  <<: *f\n"),
              StartsWith("f.yaml:3:7: YAML aliases"));
}

TEST(ConfigYaml, TagsAreRefused) {
  EXPECT_THAT(error_of("log: {level: !!str info}\n"), HasSubstr("YAML tags (!name)"));
  EXPECT_THAT(error_of("flow: !mine {capacity: 2048}\n"), HasSubstr("YAML tags (!name)"));
}

TEST(ConfigYaml, SecondDocumentIsRefused) {
  EXPECT_THAT(error_of("log: {level: info}\n---\nlog: {level: debug}\n"),
              HasSubstr("a second YAML document"));
}

TEST(ConfigYaml, KeysMustBeWords) {
  EXPECT_THAT(error_of("? [a, b]\n: 1\n"), StartsWith("f.yaml:1:3: expected a key"));
  EXPECT_THAT(error_of("? {a: b}\n: 1\n"), HasSubstr("expected a key"));
  EXPECT_THAT(error_of("~: 1\n"), HasSubstr("expected a key"));
}

TEST(ConfigYaml, NestingIsBounded) {
  const auto nested = [](int levels) {
    return "flow: " + std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']') + "\n";
  };
  EXPECT_THAT(error_of(nested(kMaxDepth - 1)), HasSubstr("flow: expected keys and values"));
  EXPECT_THAT(error_of(nested(kMaxDepth)), HasSubstr("nested more than 16 levels deep"));
  EXPECT_THAT(error_of(nested(100'000)), HasSubstr("f.yaml:1:"));
}

TEST(ConfigYaml, SizeIsBounded) {
  const std::string comment(kMaxFileBytes - 1, '#');
  EXPECT_EQ(error_of(comment + "\n"), "no error");
  EXPECT_THAT(error_of(comment + "\n\n"), StartsWith("f.yaml: larger than 1 MiB"));
}

// yaml-cpp takes U+0004 for the end of its input; what follows would be ignored.
TEST(ConfigYaml, ControlCharactersAreRefused) {
  EXPECT_THAT(error_of(std::string_view("log:\n  level: info\n\x04\nunknown: 1\n")),
              StartsWith("f.yaml:3:1: not UTF-8 text, or a control character"));
  EXPECT_THAT(error_of(std::string_view("log:\0", 5)), StartsWith("f.yaml:1:5: "));
}

TEST(ConfigYaml, MalformedUtf8IsRefused) {
  EXPECT_THAT(error_of("log:\n  level: \xff\n"), StartsWith("f.yaml:2:10: not UTF-8 text"));
  EXPECT_THAT(error_of("# caf\xc3\xa9 is fine\n"), "no error");
  EXPECT_THAT(error_of("\xc3"), StartsWith("f.yaml:1:1: not UTF-8 text"));
  EXPECT_THAT(error_of(std::string_view("\xff\xfel\0o\0g\0", 8)), HasSubstr("not UTF-8 text"));
}

TEST(ConfigYaml, ByteOrderMarkAndWindowsLineEnds) {
  EXPECT_EQ(error_of("\xef\xbb\xbflog:\r\n  level: debug\r\n"), "no error");
}

// Every beginning of a valid file is either valid or an error with a place, and never a crash.
TEST(ConfigYaml, EveryTruncation) {
  const std::string text =
      "ports:\n- {name: a, interface: eth1}\nsuppress:\n- name: \"s\"\n  vlan: [1-3, 'untagged']\n"
      "endpoints:\n  - name: >-\n      e\n    addresses: [\"fd00::/8\"]\n";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const Result<Config> config = parse(std::string_view(text).substr(0, length), "f.yaml");
    if (!config) {
      EXPECT_GT(config.error().where.line, 0) << text.substr(0, length);
      EXPECT_GT(config.error().where.column, 0) << text.substr(0, length);
      EXPECT_FALSE(config.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace imds::config
