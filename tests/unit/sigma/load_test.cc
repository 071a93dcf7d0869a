// Files and folders.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

namespace fs = std::filesystem;

std::string rule_number(int number) {
  std::string text = rule_with("  sel: {url: x}\n  condition: sel\n");
  std::string digits = std::to_string(10000000 + number);
  text.replace(text.find("929a690e"), 8, digits);
  text.replace(text.find("Test"), 4, "Rule " + std::to_string(number));
  return text;
}

class RuleFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("imds-rules-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path file = folder_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  static Result<LoadedRules> load_all(const std::vector<fs::path>& paths) {
    return load_paths(paths, event::FieldTable());
  }
  static std::string titles(const Result<LoadedRules>& loaded) {
    if (!loaded) {
      return loaded.error().to_string();
    }
    std::string text;
    for (const Rule& rule : loaded->rules) {
      text += rule.title + ";";
    }
    return text;
  }

  fs::path folder_;
};

TEST_F(RuleFiles, OneFile) {
  const fs::path file = write("one.yml", rule_number(1));
  const Result<LoadedRules> loaded = load_file(file, event::FieldTable());
  EXPECT_EQ(titles(loaded), "Rule 1;");
  EXPECT_EQ(loaded->rules[0].file, file.string());
}

TEST_F(RuleFiles, AFoldersFilesAreTakenInOrder) {
  write("b.yml", rule_number(2));
  write("a.yaml", rule_number(1));
  write("sub/c.yml", rule_number(3));
  write("notes.txt", "no rule");
  write("old.yml.bak", "no rule");
  EXPECT_EQ(titles(load_all({folder_})), "Rule 1;Rule 2;Rule 3;");
}

TEST_F(RuleFiles, HiddenNamesAreLeftOut) {
  // Kubernetes mounts a folder's real files a second time under ..data.
  write("a.yml", rule_number(1));
  write(".a.yml", "no rule");
  write("..data/a.yml", rule_number(1));
  EXPECT_EQ(titles(load_all({folder_})), "Rule 1;");
}

TEST_F(RuleFiles, PathsKeepTheirOrder) {
  write("set/b.yml", rule_number(2));
  const fs::path other = write("z.yml", rule_number(1));
  EXPECT_EQ(titles(load_all({other, folder_ / "set"})), "Rule 1;Rule 2;");
}

TEST_F(RuleFiles, SkippedRulesAndWarningsOfAllFilesAreReported) {
  write("a.yml", "title: W\nlogsource: {product: windows}\ndetection: {}\n");
  write("b.yml", "title: V\nlogsource: {product: linux}\ndetection: {}\n");
  write("c.yml", "# empty\n");
  const Result<LoadedRules> loaded = load_all({folder_});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->skipped.size(), 2u);
  EXPECT_EQ(loaded->warnings.size(), 1u);
  EXPECT_EQ(loaded->warnings[0].where.file, (folder_ / "c.yml").string());
}

TEST_F(RuleFiles, DuplicateIdsOverFilesAreErrors) {
  const fs::path first = write("a.yml", rule_number(1));
  write("b.yml", rule_number(1));
  const Result<LoadedRules> loaded = load_all({folder_});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().kind, ErrorKind::config);
  EXPECT_EQ(loaded.error().where.file, (folder_ / "b.yml").string());
  EXPECT_NE(loaded.error().message.find("already taken by 'Rule 1' at " + first.string() + ":1"),
            std::string::npos)
      << loaded.error().message;
}

TEST_F(RuleFiles, DuplicateIdsInOneFileAreErrorsWhateverTheirCase) {
  std::string upper = rule_number(1);
  upper.replace(upper.find("bef0"), 4, "BEF0");
  const fs::path file = write("a.yml", rule_number(1) + "---\n" + upper);
  const Result<LoadedRules> loaded = load_file(file, event::FieldTable());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().where.line, 9);
  EXPECT_FALSE(load(rule_number(1) + "---\n" + upper).has_value());
}

TEST_F(RuleFiles, OfOneIdTheFirstStaysWhateverItIs) {
  const std::string id = "id: 11111111-1111-4111-8111-111111111111\n";
  const std::string correlation = "title: C\n" + id +
                                  "level: low\ncorrelation:\n  type: event_count\n  rules: "
                                  "[10000001-bef0-4204-a928-ef5e620d6fcc]\n"
                                  "  timespan: 1m\n  condition: {gte: 2}\n";
  const std::string filter = "title: F\n" + id +
                             "logsource: {category: network}\nfilter:\n  rules: any\n"
                             "  sel: {url: x}\n  condition: sel\n";
  const fs::path file = write("a.yml", rule_number(1) + "---\n" + correlation + "---\n" + filter);
  LoadOptions all;
  all.keep_going = true;
  const Result<LoadedRules> loaded = load_file(file, event::FieldTable(), all);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rules.size(), 1u);
  EXPECT_EQ(loaded->correlations.size(), 1u);
  EXPECT_EQ(loaded->filters.size(), 0u);
  ASSERT_EQ(loaded->refused.size(), 1u);
  EXPECT_NE(loaded->refused[0].message.find("already taken by 'C' at "), std::string::npos);
  EXPECT_FALSE(load_file(file, event::FieldTable()).has_value());
}

TEST_F(RuleFiles, ReadingIsGivenUpWhenNobodyWantsItAnyMore) {
  const fs::path file = write("a.yml", rule_number(1));
  std::stop_source stop;
  LoadOptions options;
  options.deadline = Deadline(std::chrono::seconds(0), "", stop.get_token());
  EXPECT_TRUE(load_file(file, event::FieldTable(), options).has_value());
  stop.request_stop();
  const Result<LoadedRules> late = load_file(file, event::FieldTable(), options);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::runtime);
  EXPECT_EQ(late.error().where.line, 1);
}

TEST_F(RuleFiles, WhatIsNotThereOrNoFileIsAnError) {
  for (const fs::path& path :
       {folder_ / "missing.yml", folder_ / "missing", fs::path("/dev/null")}) {
    const Result<LoadedRules> loaded = load_all({path});
    ASSERT_FALSE(loaded.has_value()) << path;
    EXPECT_EQ(loaded.error().kind, ErrorKind::config);
    EXPECT_EQ(loaded.error().where.file, path.string());
  }
  EXPECT_FALSE(load_file(folder_, event::FieldTable()).has_value());
}

TEST_F(RuleFiles, AFolderWithoutRuleFilesIsAWarning) {
  write("notes.txt", "");
  const Result<LoadedRules> loaded = load_all({folder_});
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_TRUE(loaded->rules.empty());
  ASSERT_EQ(loaded->warnings.size(), 1u);
  EXPECT_EQ(loaded->warnings[0].where.file, folder_.string());
  EXPECT_NE(loaded->warnings[0].message.find("no *.yml or *.yaml"), std::string::npos);
}

TEST_F(RuleFiles, ADanglingLinkIsAnError) {
  write("a.yml", rule_number(1));
  fs::create_symlink(folder_ / "nowhere", folder_ / "b.yml");
  const Result<LoadedRules> loaded = load_all({folder_});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().where.file, (folder_ / "b.yml").string());
}

TEST_F(RuleFiles, AHugeFileIsAnError) {
  const fs::path file = write("huge.yml", "#" + std::string(11u << 20, 'x'));
  const Result<LoadedRules> loaded = load_file(file, event::FieldTable());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.error().message.find("over 10 MiB"), std::string::npos);
}

TEST_F(RuleFiles, ManyRulesInOneFile) {
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    text += "---\n" + rule_number(i);
  }
  const Result<LoadedRules> loaded = load_file(write("many.yml", text), event::FieldTable());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rules.size(), 2000u);
  EXPECT_EQ(loaded->rules[1999].where().line, 1999 * 8 + 2);
}

}  // namespace
}  // namespace imds::sigma
