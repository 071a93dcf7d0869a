#include "match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <array>
#include <cstdlib>
#include <pcre2.h>
#include <utility>

#include <hs.h>

namespace imds::match {
namespace {

// Repeated groups are copied out, here as in Hyperscan, whose compiler takes minutes over thousands
// of copies. No pattern without such repetition comes near.
constexpr std::size_t kMaxCompiledBytes = 32u << 10;
constexpr std::size_t kMaxParentheses = 100;

std::uint32_t pcre2_options(RegexFlags flags) {
  std::uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
  options |= flags.ignore_case ? PCRE2_CASELESS : 0u;
  options |= flags.multiline ? PCRE2_MULTILINE : 0u;
  options |= flags.dot_all ? PCRE2_DOTALL : 0u;
  return options;
}

std::uint8_t pattern_flags(RegexFlags flags) {
  unsigned out = kAllowEmpty;
  if (flags.ignore_case) {
    out |= kCaseless;
  }
  if (flags.multiline) {
    out |= kMultiline;
  }
  if (flags.dot_all) {
    out |= kDotAll;
  }
  return static_cast<std::uint8_t>(out);
}

tl::unexpected<RegexFailure> failure(std::string message, std::size_t offset = 0) {
  return tl::unexpected<RegexFailure>(RegexFailure{std::move(message), offset});
}

std::string pcre2_message(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  if (pcre2_get_error_message(error, text.data(), text.size()) < 0) {
    return "unknown reason";
  }
  return reinterpret_cast<const char*>(text.data());
}

// Memory for one match: PCRE2 asks for a context and its match data once, and while matching for
// a frame vector that it replaces by a larger one. Blocks instead of a heap, so that matching never
// allocates.
struct Blocks {
  static constexpr std::size_t kCount = 4;
  static constexpr std::size_t kSize = kRegexHeapBytes + 1024;

  static void* take(std::size_t size, void* self) {
    auto& blocks = *static_cast<Blocks*>(self);
    for (std::size_t i = 0; i < kCount && size <= kSize; ++i) {
      if (!blocks.taken[i]) {
        blocks.taken[i] = true;
        return blocks.bytes.get() + i * kSize;
      }
    }
    return nullptr;
  }
  static void give_back(void* block, void* self) {
    auto& blocks = *static_cast<Blocks*>(self);
    if (block != nullptr) {
      const auto at = static_cast<std::size_t>(static_cast<std::byte*>(block) - blocks.bytes.get());
      blocks.taken[at / kSize] = false;
    }
  }

  std::unique_ptr<std::byte[]> bytes = std::make_unique_for_overwrite<std::byte[]>(kCount * kSize);
  std::array<bool, kCount> taken{};
};
static_assert(Blocks::kSize % alignof(std::max_align_t) == 0);

// Whether Hyperscan takes the pattern with these flags; its message otherwise. `width` is that of
// the longest match.
bool is_taken(const Pattern& pattern, std::string& why, std::optional<std::size_t>& width) {
  const auto count = std::uint32_t{1};
  const char* text = pattern.text.c_str();
  const unsigned flags = detail::hs_flags(pattern);
  const unsigned id = 0;
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t status =
      hs_compile_multi(&text, &flags, &id, count, HS_MODE_BLOCK, nullptr, &database, &error);
  if (status != HS_SUCCESS) {
    why = error != nullptr && error->message != nullptr ? error->message : "out of memory";
    hs_free_compile_error(error);
    return false;
  }
  hs_free_database(database);
  hs_expr_info_t* info = nullptr;
  if (hs_expression_info(text, flags, &info, &error) == HS_SUCCESS && info != nullptr) {
    if (info->max_width != UINT32_MAX) {
      width = info->max_width;
    }
    std::free(info);
  } else {
    hs_free_compile_error(error);
  }
  return true;
}

}  // namespace

struct RegexScratch::Memory {
  Blocks blocks;
  pcre2_general_context* general = nullptr;
  pcre2_match_context* limits = nullptr;
  pcre2_match_data* data = nullptr;

  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_general_context_free(general);
  }
};

RegexScratch::RegexScratch(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch& RegexScratch::operator=(RegexScratch&&) noexcept = default;
RegexScratch::~RegexScratch() = default;

Result<RegexScratch> RegexScratch::create() {
  auto memory = std::make_unique<Memory>();
  memory->limits = pcre2_match_context_create(nullptr);
  memory->general = pcre2_general_context_create(Blocks::take, Blocks::give_back, &memory->blocks);
  if (memory->general != nullptr) {
    memory->data = pcre2_match_data_create(1, memory->general);
  }
  if (memory->limits == nullptr || memory->data == nullptr) {
    return fail(ErrorKind::environment, "no memory for regular expressions");
  }
  pcre2_set_match_limit(memory->limits, kMaxRegexSteps);
  pcre2_set_depth_limit(memory->limits, kMaxRegexSteps);
  pcre2_set_heap_limit(memory->limits, kRegexHeapBytes >> 10);
  return RegexScratch(std::move(memory));
}

void Regex::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

tl::expected<Regex, RegexFailure> Regex::compile(std::string_view text, RegexFlags flags) {
  if (text.empty()) {
    return failure("an empty regular expression matches every text");
  }
  if (text.size() > kMaxPatternBytes) {
    return failure("a regular expression of " + std::to_string(text.size()) +
                   " bytes; the limit is " + std::to_string(kMaxPatternBytes));
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return failure("a NUL byte in a regular expression; write \\x00", nul);
  }
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (context == nullptr) {
    return failure("no memory to compile a regular expression");
  }
  pcre2_set_parens_nest_limit(context.get(), kMaxParentheses);

  Regex out;
  int error = 0;
  PCRE2_SIZE offset = 0;
  out.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                pcre2_options(flags), &error, &offset, context.get()));
  if (out.code_ == nullptr) {
    return failure("not a regular expression: " + pcre2_message(error),
                   std::min<std::size_t>(offset, text.size()));
  }
  std::size_t compiled_bytes = 0;
  pcre2_pattern_info(out.code_.get(), PCRE2_INFO_SIZE, &compiled_bytes);
  if (compiled_bytes > kMaxCompiledBytes) {
    return failure("a regular expression that takes " + std::to_string(compiled_bytes >> 10) +
                   " KiB compiled; the limit is " + std::to_string(kMaxCompiledBytes >> 10));
  }

  out.pattern_.text = text;
  out.pattern_.syntax = Syntax::regex;
  out.pattern_.flags = pattern_flags(flags);
  std::string why;
  if (!is_taken(out.pattern_, why, out.longest_match_)) {
    out.pattern_.flags |= kPrefilter;
    std::string why_not_even_so;
    out.longest_match_.reset();
    if (!is_taken(out.pattern_, why_not_even_so, out.longest_match_)) {
      return failure("a regular expression that cannot be looked for in traffic: " + why);
    }
    out.longest_match_.reset();  // the approximation's, not the expression's
  }

  Result<RegexScratch> scratch = RegexScratch::create();
  if (!scratch) {
    return failure(scratch.error().message);
  }
  const Verdict on_empty = out.find({}, *scratch);
  if (on_empty == Verdict::gave_up) {
    return failure("a regular expression that needs too much memory or time for an empty text");
  }
  out.matches_empty_ = on_empty == Verdict::yes;
  return out;
}

Regex::Verdict Regex::find(std::string_view text, RegexScratch& scratch) const {
  const char* bytes = text.data() != nullptr ? text.data() : "";
  const int result = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(bytes), text.size(), 0,
                                 0, scratch.memory_->data, scratch.memory_->limits);
  if (result >= 0) {  // 0: matched, and more groups than the match data keeps
    return Verdict::yes;
  }
  return result == PCRE2_ERROR_NOMATCH ? Verdict::no : Verdict::gave_up;
}

}  // namespace imds::match
