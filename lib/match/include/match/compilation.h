// What the databases of one rule set are compiled with: bounds over all of them, and a folder in
// which compiled ones are kept for the next time.
//
// Threads: one owner. Bounds hold over every Database::compile() that is given the same object.
// The library cannot be interrupted within a database: it works in a thread of its own, which is
// left to itself when the deadline is over, within 50 ms; see abandoned_compilations(). The bounds
// on patterns keep it short (about 0.1 ms and 3 KiB of memory for a literal, 2 ms and 16 KiB for a
// regular expression).
//
// A kept database is used only if it is the same word for word: its file holds the patterns, the
// version of the library and the CPU's features, and all are compared. It must be a regular file of
// this user that nobody else may write or read (0600), in a folder that nobody else may write: the
// library trusts what it is given. Whatever is not so is passed over, compiled and replaced, with a
// note. Nothing about the folder makes a compilation fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

struct hs_database;

namespace imds::match {

struct Pattern;

struct CompilationOptions {
  std::size_t patterns_max = 400'000;
  std::size_t pattern_bytes_max = std::size_t{16} << 20;
  Deadline deadline;
  std::string cache_folder;  // empty: nothing is kept; made (0700) if only it is missing
};

class Compilation {
 public:
  explicit Compilation(CompilationOptions options = {});
  ~Compilation();
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;

  // Removes the oldest kept databases beyond kFilesMax. To be called once, at the end.
  void tidy();

  // What was passed over or could not be kept, for the log.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] std::size_t compiled() const { return compiled_; }
  [[nodiscard]] std::size_t from_cache() const { return from_cache_; }

  static constexpr std::size_t kFilesMax = 256;

  // For Database.
  [[nodiscard]] const Deadline& deadline() const { return options_.deadline; }
  [[nodiscard]] Status admit(std::span<const Pattern> patterns);
  [[nodiscard]] hs_database* load(std::span<const Pattern> patterns);  // nullptr: not kept
  void keep(std::span<const Pattern> patterns, const hs_database* database);

 private:
  void open_folder();
  void note(const std::string& file, const std::string& what);
  [[nodiscard]] std::optional<std::string> read(const std::string& name);

  CompilationOptions options_;
  std::size_t patterns_ = 0;
  std::size_t pattern_bytes_ = 0;
  std::size_t compiled_ = 0;
  std::size_t from_cache_ = 0;
  int folder_ = -1;
  std::vector<std::string> notes_;
};

// Compilations that were given up and are not at their end yet: at most one, as none begins before.
// A process that ends meanwhile must not run destructors of static objects (_exit). Any thread.
[[nodiscard]] std::size_t abandoned_compilations();

}  // namespace imds::match
