#include "match/database.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include <hs.h>

#include "compile_job.h"
#include "few_literals.h"
#include "match/compilation.h"

namespace imds::match {

unsigned detail::hs_flags(const Pattern& pattern) {
  unsigned flags = 0;
  if ((pattern.flags & kCaseless) != 0) {
    flags |= HS_FLAG_CASELESS;
  }
  if ((pattern.flags & kSingleMatch) != 0) {
    flags |= HS_FLAG_SINGLEMATCH;
  }
  // The literal compiler refuses flags that mean nothing to it.
  if (pattern.syntax == Syntax::literal) {
    return flags;
  }
  constexpr std::array<std::pair<PatternFlags, unsigned>, 4> kForRegex{
      {{kDotAll, HS_FLAG_DOTALL},
       {kMultiline, HS_FLAG_MULTILINE},
       {kAllowEmpty, HS_FLAG_ALLOWEMPTY},
       {kPrefilter, HS_FLAG_PREFILTER}}};
  for (const auto& [ours, theirs] : kForRegex) {
    flags |= (pattern.flags & ours) != 0 ? theirs : 0u;
  }
  return flags;
}

namespace {

// A literal as a regular expression, for sets that mix both.
std::string escape_literal(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size() * 4);
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 0x0f];
  }
  return out;
}

tl::unexpected<CompileFailure> failure(ErrorKind kind, std::string message,
                                       std::size_t pattern = CompileFailure::kNoPattern) {
  return tl::unexpected<CompileFailure>(CompileFailure{{kind, std::move(message), {}}, pattern});
}

CompileArguments to_arguments(std::span<const Pattern> patterns) {
  CompileArguments out;
  out.literals_only = std::all_of(patterns.begin(), patterns.end(),
                                  [](const Pattern& p) { return p.syntax == Syntax::literal; });
  out.text.reserve(patterns.size());
  for (const Pattern& pattern : patterns) {
    const bool escape = !out.literals_only && pattern.syntax == Syntax::literal;
    out.text.push_back(escape ? escape_literal(pattern.text) : pattern.text);
    out.expressions.push_back(out.text.back().c_str());
    out.lengths.push_back(out.text.back().size());
    out.flags.push_back(detail::hs_flags(pattern));
    out.ids.push_back(pattern.id);
  }
  return out;
}

tl::unexpected<CompileFailure> translate(const hs_compile_error_t* error) {
  if (error == nullptr) {
    return failure(ErrorKind::environment, "pattern compiler ran out of memory");
  }
  const std::string reason = error->message != nullptr ? error->message : "unknown reason";
  if (error->expression < 0) {
    return failure(ErrorKind::environment, "pattern compiler failed: " + reason);
  }
  return failure(ErrorKind::config, "pattern cannot be compiled: " + reason,
                 static_cast<std::size_t>(error->expression));
}

}  // namespace

void Database::Free::operator()(hs_database* database) const {
  hs_free_database(database);
}

void Scratch::Free::operator()(hs_scratch* scratch) const {
  hs_free_scratch(scratch);
}

Database::Database() = default;
Database::Database(Database&& other) noexcept = default;
Database& Database::operator=(Database&& other) noexcept = default;
Database::~Database() = default;

tl::expected<Database, CompileFailure> Database::compile(std::span<const Pattern> patterns,
                                                         Compilation* compilation) {
  Database out;
  if (patterns.empty()) {
    return out;
  }
  if (Status platform = check_platform(); !platform) {
    return tl::unexpected<CompileFailure>(CompileFailure{std::move(platform.error())});
  }
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern& pattern = patterns[i];
    if (pattern.text.empty()) {
      return failure(ErrorKind::config, "empty pattern", i);
    }
    if (pattern.text.size() > kMaxPatternBytes) {
      return failure(ErrorKind::config,
                     "pattern of " + std::to_string(pattern.text.size()) + " bytes; the limit is " +
                         std::to_string(kMaxPatternBytes),
                     i);
    }
    if (pattern.syntax == Syntax::regex && pattern.text.find('\0') != std::string::npos) {
      return failure(ErrorKind::config, "NUL byte in a regular expression; write \\x00", i);
    }
  }
  out.pattern_count_ = patterns.size();
  if (compilation != nullptr) {
    if (Status status = compilation->admit(patterns); !status) {
      return tl::unexpected<CompileFailure>(CompileFailure{std::move(status.error())});
    }
  }
  if (auto few = FewLiterals::make(patterns)) {
    out.few_ = std::make_unique<const FewLiterals>(std::move(*few));
    return out;
  }
  if (compilation != nullptr) {
    out.database_.reset(compilation->load(patterns));
    if (out.database_ != nullptr) {
      return out;
    }
  }
  Compiled compiled;
  if (compilation == nullptr) {
    compiled = compile_here(to_arguments(patterns));
  } else if (auto aside = compile_aside(to_arguments(patterns), compilation->deadline()); aside) {
    compiled = std::move(*aside);
  } else {
    return tl::unexpected<CompileFailure>(CompileFailure{std::move(aside.error())});
  }
  if (compiled.status != HS_SUCCESS) {
    return translate(compiled.error.get());
  }
  out.database_.reset(compiled.database.release());
  if (compilation != nullptr) {
    compilation->keep(patterns, out.database_.get());
  }
  return out;
}

std::size_t Database::size_bytes() const {
  if (few_ != nullptr) {
    return sizeof *few_;
  }
  std::size_t bytes = 0;
  if (database_ != nullptr && hs_database_size(database_.get(), &bytes) != HS_SUCCESS) {
    return 0;
  }
  return bytes;
}

std::string Database::info() const {
  if (few_ != nullptr) {
    return "searched for without the library";
  }
  if (database_ == nullptr) {
    return "empty";
  }
  char* raw = nullptr;
  if (hs_database_info(database_.get(), &raw) != HS_SUCCESS || raw == nullptr) {
    return "unknown";
  }
  // The library allocates with malloc unless it was told otherwise; nobody here tells it.
  const std::unique_ptr<char, decltype(&std::free)> text(raw, &std::free);
  return text.get();
}

Result<Scratch> Scratch::create(std::span<const Database* const> databases) {
  Scratch out;
  for (const Database* database : databases) {
    if (database->database_ == nullptr) {
      continue;
    }
    hs_scratch_t* scratch = out.scratch_.release();
    const hs_error_t status = hs_alloc_scratch(database->database_.get(), &scratch);
    out.scratch_.reset(scratch);
    if (status != HS_SUCCESS) {
      return fail(ErrorKind::environment,
                  "no memory for pattern matching scratch (Hyperscan error " +
                      std::to_string(status) + ")");
    }
  }
  return out;
}

std::size_t Scratch::size_bytes() const {
  std::size_t bytes = 0;
  if (scratch_ != nullptr && hs_scratch_size(scratch_.get(), &bytes) != HS_SUCCESS) {
    return 0;
  }
  return bytes;
}

Status check_platform() {
  if (hs_valid_platform() == HS_SUCCESS) {
    return {};
  }
  return fail(ErrorKind::environment,
              "this CPU lacks the instructions Hyperscan needs (SSSE3, and SSE4.2 for Vectorscan); "
              "in a virtual machine, choose a CPU model that offers them");
}

std::string library_version() {
  return hs_version();
}

bool Database::scan_block(Scratch& scratch, ByteSpan bytes, detail::MatchHandler handler,
                          void* context) const {
  if (bytes.empty()) {
    return true;  // a span without bytes may carry a null pointer, which the library refuses
  }
  if (few_ != nullptr) {
    few_->scan(bytes, handler, context);
    return true;
  }
  const std::size_t length =
      std::min<std::size_t>(bytes.size(), std::numeric_limits<unsigned>::max());
  const hs_error_t status =
      hs_scan(database_.get(), reinterpret_cast<const char*>(bytes.data()),
              static_cast<unsigned>(length), 0, scratch.scratch_.get(), handler, context);
  return status == HS_SUCCESS || status == HS_SCAN_TERMINATED;
}

}  // namespace imds::match
