// Multi-pattern matching by Hyperscan (or Vectorscan, which provides the same library), and of few
// literals by a search of our own. The only room that names hs_*.
//
// Threads: a Database is immutable once compiled and may be scanned from any number of threads at
// once, each with a Scratch of its own. Scanning never allocates and never throws.
// Ownership: Database and Scratch are move-only and free what they hold. A Scratch does not refer
// to the databases it was made for and may outlive them. Units: offsets count bytes from the start
// of the scanned block. Limits: a pattern has 1..kMaxPatternBytes bytes; of a scanned block only
// the first 4 GiB - 1 bytes are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/cursor.h"
#include "base/result.h"

struct hs_database;
struct hs_scratch;

namespace imds::match {

class FewLiterals;

inline constexpr std::size_t kMaxPatternBytes = 4000;

enum class Syntax : std::uint8_t {
  literal,  // bytes as they stand, NUL included
  regex,    // the dialect of Hyperscan (a subset of PCRE), over bytes, never UTF-8
};

enum PatternFlags : std::uint8_t {
  kCaseless = 0x01,     // ASCII letters match in either case
  kDotAll = 0x02,       // `.` matches a newline; regex only
  kSingleMatch = 0x04,  // report a pattern once per scan at most
  kMultiline = 0x08,    // ^ and $ also at line breaks; regex only
  kAllowEmpty = 0x10,   // may match no bytes at all; regex only
  kPrefilter = 0x20,    // may report what is no match, never the other way round; regex only
};

struct Pattern {
  std::string text;
  std::uint32_t id = 0;  // handed to the scan's callback; need not be unique
  Syntax syntax = Syntax::literal;
  std::uint8_t flags = 0;  // PatternFlags
};

namespace detail {
using MatchHandler = int (*)(unsigned int id, unsigned long long from, unsigned long long to,
                             unsigned int flags, void* context);
[[nodiscard]] unsigned hs_flags(const Pattern& pattern);
}  // namespace detail

// A failure to compile, with the index of the pattern at fault where one is.
struct CompileFailure {
  static constexpr std::size_t kNoPattern = static_cast<std::size_t>(-1);
  Error error;
  std::size_t pattern = kNoPattern;
};

class Compilation;
class Scratch;

class Database {
 public:
  // Holds no pattern: scanning it finds nothing.
  Database();

  // Compiles for the CPU it runs on. Sets of literals only take the cheaper literal path, and a few
  // ordinary ones a search that needs no scratch. No patterns give an empty database. Fails with
  // kind `config` where a pattern is empty, too long or refused by the library
  // (CompileFailure::pattern says which), with kind `environment` where the CPU lacks SSSE3/SSE4.2
  // or memory runs out, with kind `config` beyond the bounds of `compilation`, which is also asked
  // for a compiled form that was kept.
  [[nodiscard]] static tl::expected<Database, CompileFailure> compile(
      std::span<const Pattern> patterns, Compilation* compilation = nullptr);

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  [[nodiscard]] bool empty() const { return database_ == nullptr && few_ == nullptr; }
  [[nodiscard]] std::size_t pattern_count() const { return pattern_count_; }
  // Bytes the compiled form takes; 0 for an empty database.
  [[nodiscard]] std::size_t size_bytes() const;
  // The library's description (version, CPU features, mode), for `--check`; "empty" if it is.
  [[nodiscard]] std::string info() const;

 private:
  friend class Scratch;
  template <typename Callback>
  friend bool scan(const Database&, Scratch&, ByteSpan, Callback&&);

  struct Free {
    void operator()(hs_database* database) const;
  };
  [[nodiscard]] bool scan_block(Scratch& scratch, ByteSpan bytes, detail::MatchHandler handler,
                                void* context) const;

  // One of the two, or none.
  std::unique_ptr<hs_database, Free> database_;
  std::unique_ptr<const FewLiterals> few_;
  std::size_t pattern_count_ = 0;
};

// Working memory of one thread, large enough for every database it was made for.
class Scratch {
 public:
  // Can scan empty databases only.
  Scratch() = default;
  // Fails with kind `environment` when memory runs out.
  [[nodiscard]] static Result<Scratch> create(std::span<const Database* const> databases);
  [[nodiscard]] std::size_t size_bytes() const;

 private:
  friend class Database;

  struct Free {
    void operator()(hs_scratch* scratch) const;
  };
  std::unique_ptr<hs_scratch, Free> scratch_;
};

// Refuses, with an error that says so, a CPU on which the library cannot run (kind `environment`).
[[nodiscard]] Status check_platform();

// Version of the library linked, e.g. "5.4.0 2022-07-06".
[[nodiscard]] std::string library_version();

// Scans one block. `callback(id, end)` is called for every match, `end` being the offset after the
// match's last byte, in no promised order; it returns true to go on and false to stop. Patterns
// without kSingleMatch are reported at every place they end. The callback must not scan with the
// same scratch. False only if the database needs a scratch and this was not created for it.
template <typename Callback>
bool scan(const Database& database, Scratch& scratch, ByteSpan bytes, Callback&& callback) {
  if (database.empty()) {
    return true;
  }
  using Target = std::remove_reference_t<Callback>;
  const detail::MatchHandler handler = [](unsigned int id, unsigned long long /*from*/,
                                          unsigned long long to, unsigned int /*flags*/,
                                          void* context) -> int {
    return (*static_cast<Target*>(context))(std::uint32_t{id}, std::uint64_t{to}) ? 0 : 1;
  };
  return database.scan_block(scratch, bytes, handler,
                             const_cast<void*>(static_cast<const void*>(&callback)));
}

}  // namespace imds::match
