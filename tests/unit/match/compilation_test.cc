// Bounds over the databases of one rule set, and the folder that keeps compiled ones.
#include "match/compilation.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "match/database.h"

namespace imds::match {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// More than are searched for without the library.
std::vector<Pattern> patterns(const std::string& stem = "pattern-number") {
  std::vector<Pattern> out;
  for (std::uint32_t i = 0; i < 40; ++i) {
    out.push_back({stem + std::to_string(i) + "-end", i, Syntax::literal, kCaseless});
  }
  return out;
}

class CompileCache : public ::testing::Test {
 protected:
  CompileCache() {
    std::string name = (fs::temp_directory_path() / "imds-cache-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~CompileCache() override { fs::remove_all(folder_); }

  struct Outcome {
    std::size_t compiled = 0;
    std::size_t from_cache = 0;
    std::vector<std::string> notes;
  };
  Outcome compile(const std::vector<Pattern>& patterns) {
    CompilationOptions options;
    options.cache_folder = folder_;
    Compilation compilation(options);
    const auto database = Database::compile(patterns, &compilation);
    EXPECT_TRUE(database);
    EXPECT_EQ(matches(*database), 2u);
    compilation.tidy();
    return {compilation.compiled(), compilation.from_cache(), compilation.notes()};
  }
  static std::size_t matches(const Database& database) {
    Scratch scratch = Scratch::create(std::vector<const Database*>{&database}).value();
    const std::string text = "a PATTERN-number7-END b pattern-number12-end";
    std::size_t count = 0;
    scan(database, scratch, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
         [&](std::uint32_t, std::uint64_t) { return ++count > 0; });
    return count;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      out.push_back(entry.path());
    }
    return out;
  }
  fs::path only_file() const {
    EXPECT_EQ(files().size(), 1u);
    return files().at(0);
  }
  // The kept file is passed over for this reason, and is good again afterwards.
  void expect_ignored(const std::string& why) {
    const Outcome found = compile(patterns());
    EXPECT_EQ(found.compiled, 1u);
    EXPECT_EQ(found.from_cache, 0u);
    EXPECT_THAT(found.notes, ElementsAre(HasSubstr(why)));
    EXPECT_EQ(compile(patterns()).from_cache, 1u);
  }

  std::string folder_;
};

TEST_F(CompileCache, SecondTimeNothingIsCompiled) {
  const Outcome first = compile(patterns());
  EXPECT_EQ(first.compiled, 1u);
  EXPECT_EQ(first.from_cache, 0u);
  struct stat about {};
  ASSERT_EQ(stat(only_file().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const Outcome second = compile(patterns());
  EXPECT_EQ(second.compiled, 0u);
  EXPECT_EQ(second.from_cache, 1u);
  EXPECT_THAT(second.notes, IsEmpty());
}

TEST_F(CompileCache, AnythingElseAboutAPatternIsAnotherDatabase) {
  (void)compile(patterns());
  auto flags = patterns();
  flags[3].flags = kCaseless | kSingleMatch;
  EXPECT_EQ(compile(flags).compiled, 1u);
  auto ids = patterns();
  ids[3].id = 77;
  EXPECT_EQ(compile(ids).compiled, 1u);
  auto text = patterns();
  text[3].text += 'x';
  EXPECT_EQ(compile(text).compiled, 1u);
  EXPECT_EQ(files().size(), 4u);
}

TEST_F(CompileCache, DamagedFilesAreIgnoredAndReplaced) {
  (void)compile(patterns());
  const fs::path file = only_file();
  const auto size = fs::file_size(file);
  for (const std::uintmax_t at : {std::uintmax_t{0}, std::uintmax_t{8}, std::uintmax_t{16},
                                  std::uintmax_t{40}, size / 2, size - 1}) {
    {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(static_cast<std::streamoff>(at));
      const char old = static_cast<char>(stream.get());
      stream.seekp(static_cast<std::streamoff>(at));
      stream.put(static_cast<char>(old ^ 0x55));
    }
    expect_ignored("damaged");
  }
  for (const std::uintmax_t length : {std::uintmax_t{0}, std::uintmax_t{20}, size / 2, size - 1}) {
    fs::resize_file(file, length);
    expect_ignored("damaged");
  }
}

// As if two sets of rules had the same name.
TEST_F(CompileCache, FileOfOtherRulesIsIgnored) {
  (void)compile(patterns());
  const fs::path file = only_file();
  fs::remove(file);
  std::vector<Pattern> others = patterns();
  others[0].text = "something else";
  (void)compile(others);
  fs::rename(only_file(), file);
  expect_ignored("of other rules");
}

TEST_F(CompileCache, FilesThatOthersMayTouchAreIgnored) {
  (void)compile(patterns());
  const fs::path file = only_file();
  ASSERT_EQ(chmod(file.c_str(), 0620), 0);
  expect_ignored("permissions 0600");
  ASSERT_EQ(chmod(file.c_str(), 0604), 0);
  expect_ignored("permissions 0600");
  const fs::path elsewhere = folder_ + "/elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);
  expect_ignored("ignored");
  fs::remove(elsewhere);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(file.c_str(), 65534, 65534), 0);
    expect_ignored("file of the inspector's user");
  }
  fs::remove(file);
  fs::create_directory(file);
  const Outcome found = compile(patterns());
  EXPECT_EQ(found.compiled, 1u);
  EXPECT_THAT(found.notes, Contains(HasSubstr("not kept")));
}

TEST_F(CompileCache, FolderThatOthersMayWriteIsNotUsed) {
  ASSERT_EQ(chmod(folder_.c_str(), 0770), 0);
  const Outcome found = compile(patterns());
  EXPECT_EQ(found.compiled, 1u);
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("nobody else may write")));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(CompileCache, MissingFolderIsMadeAndOneThatCannotBeIsNoted) {
  const std::string parent = folder_;
  folder_ = parent + "/new";
  EXPECT_EQ(compile(patterns()).compiled, 1u);
  EXPECT_EQ(compile(patterns()).from_cache, 1u);
  folder_ = parent + "/no/such";
  EXPECT_THAT(compile(patterns()).notes, ElementsAre(HasSubstr("not used")));
  folder_ = parent;
}

TEST_F(CompileCache, OldFilesGo) {
  (void)compile(patterns());
  const fs::path kept = only_file();
  for (std::size_t i = 0; i < Compilation::kFilesMax + 20; ++i) {
    const fs::path old = folder_ + "/imds-" + std::to_string(i) + ".hsdb";
    std::ofstream(old) << "old";
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  std::ofstream(folder_ + "/somebody's") << "stays";
  EXPECT_EQ(compile(patterns()).from_cache, 1u);
  EXPECT_EQ(files().size(), Compilation::kFilesMax + 1);
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_TRUE(fs::exists(folder_ + "/somebody's"));
}

std::string refusal(const CompilationOptions& options, unsigned databases) {
  Compilation compilation(options);
  for (unsigned i = 0; i < databases; ++i) {
    const auto database = Database::compile(patterns(), &compilation);
    if (!database) {
      EXPECT_EQ(database.error().error.kind, ErrorKind::config);
      return std::to_string(i) + ": " + database.error().error.message;
    }
  }
  return "";
}

TEST(Compilation, BoundsHoldOverAllDatabases) {
  CompilationOptions options;
  options.patterns_max = 100;
  EXPECT_EQ(refusal(options, 2), "");
  EXPECT_THAT(refusal(options, 3), HasSubstr("2: the rules make more than 100 strings"));
  options = {};
  options.pattern_bytes_max = 1000;
  EXPECT_THAT(refusal(options, 3), HasSubstr("1: the rules' strings and expressions are longer"));
}

TEST(Compilation, TimeIsBounded) {
  CompilationOptions options;
  options.deadline = Deadline(std::chrono::seconds(1), "rules.compile_timeout");
  Compilation compilation(options);
  ASSERT_TRUE(Database::compile(patterns(), &compilation));
  std::this_thread::sleep_for(std::chrono::milliseconds(1050));
  const auto late = Database::compile(patterns(), &compilation);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().error.message, HasSubstr("compiling the rules takes longer than 1 s"));
}

TEST(Compilation, IsGivenUpWhenNobodyWantsItAnyMore) {
  std::stop_source stop;
  CompilationOptions options;
  options.deadline = Deadline(std::chrono::seconds(0), "", stop.get_token());
  Compilation compilation(options);
  ASSERT_TRUE(Database::compile(patterns(), &compilation));
  stop.request_stop();
  const auto late = Database::compile(patterns(), &compilation);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().error.kind, ErrorKind::runtime);
}

// Seconds of work for the library, in one database.
std::vector<Pattern> slow_patterns() {
  std::vector<Pattern> out;
  for (std::uint32_t i = 0; i < 60000; ++i) {
    out.push_back({"a-long-pattern-" + std::to_string(i * 7919) + "-of-many-" + std::to_string(i),
                   i, Syntax::literal, kCaseless});
  }
  return out;
}

std::atomic<bool> unwanted{false};

void wait_for_no_compilation() {
  while (abandoned_compilations() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST(Compilation, IsGivenUpWithinADatabase) {
  unwanted = false;
  CompilationOptions options;
  options.deadline = Deadline(std::chrono::seconds(0), "", {}, [] { return unwanted.load(); });
  Compilation compilation(options);
  const std::vector<Pattern> slow = slow_patterns();
  std::jthread caller([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    unwanted = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto given_up = Database::compile(slow, &compilation);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(given_up) << "it took only " << took.count() << " s";
  EXPECT_EQ(given_up.error().error.kind, ErrorKind::runtime);
  EXPECT_EQ(abandoned_compilations(), 1u);
  const auto other = Database::compile(patterns(), &compilation);
  ASSERT_FALSE(other);
  unwanted = false;
  const auto next = Database::compile(patterns(), &compilation);
  ASSERT_FALSE(next) << "one at a time works on";
  EXPECT_THAT(next.error().error.message, HasSubstr("still under way"));
  wait_for_no_compilation();
  EXPECT_TRUE(Database::compile(patterns(), &compilation));
}

}  // namespace
}  // namespace imds::match
