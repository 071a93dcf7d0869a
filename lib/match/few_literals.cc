#include "few_literals.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <immintrin.h>
#include <string>
#include <string_view>

#include "base/caseless.h"
#include "base/simd.h"
#include "base/text.h"

namespace imds::match {

namespace {

// How common a byte is in HTTP heads, roughly.
unsigned commonness(char c) {
  constexpr std::string_view kCommon = "etaoinsrhldcu/.-: ;,=0123456789";
  constexpr std::string_view kRare = "jkqvwxyz";
  const char lower = ascii_lower(c);
  if (kCommon.find(lower) != std::string_view::npos) {
    return 10;
  }
  return kRare.find(lower) != std::string_view::npos || lower < 'a' || lower > 'z' ? 1 : 4;
}

// The processor has AVX2, which the build does not ask for: Block32 is half as wide.
const bool kGoesWide = [] {
#ifdef __AVX2__
  return false;
#else
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
#endif
}();

bool is_ascii(char c) {
  return static_cast<std::uint8_t>(c) < 0x80;
}

unsigned cost_of(std::string_view window) {
  unsigned cost = 0;
  for (const char c : window) {
    cost += commonness(c);
  }
  return cost;
}

std::string folded(const Pattern& pattern) {
  std::string text = pattern.text;
  if ((pattern.flags & kCaseless) != 0) {
    std::transform(text.begin(), text.end(), text.begin(), ascii_lower);
  }
  return text;
}

// The same bytes with and without regard to case are two windows.
struct Window {
  std::string text;
  bool caseless = false;
};

// Where the first place is, of those with the rarest bytes of ASCII.
std::optional<std::size_t> rarest(std::string_view text, std::size_t count) {
  std::optional<std::size_t> best;
  unsigned least = 0;
  for (std::size_t at = 0; at + count <= text.size(); ++at) {
    const std::string_view window = text.substr(at, count);
    if (!std::all_of(window.begin(), window.end(), is_ascii)) {
      continue;
    }
    if (const unsigned cost = cost_of(window); !best || cost < least) {
      best = at;
      least = cost;
    }
  }
  return best;
}

// A window for each pattern, as few different ones as can be had without much commoner bytes.
class Windows {
 public:
  // False: it has none.
  bool choose(const Pattern& pattern, std::size_t count) {
    constexpr unsigned kMayCostMore = 6;
    const std::string text = folded(pattern);
    const bool caseless = (pattern.flags & kCaseless) != 0;
    const std::optional<std::size_t> own = rarest(text, count);
    if (!own) {
      return false;
    }
    const unsigned least = cost_of(std::string_view(text).substr(*own, count));
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const std::size_t at = text.find(all_[i].text);
      if (all_[i].caseless == caseless && at != std::string::npos &&
          cost_of(all_[i].text) <= least + kMayCostMore) {
        chosen_.push_back({i, at});
        return true;
      }
    }
    chosen_.push_back({all_.size(), *own});
    all_.push_back({text.substr(*own, count), caseless});
    return true;
  }
  struct Choice {
    std::size_t window;
    std::size_t at;
  };
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] const std::vector<Choice>& chosen() const { return chosen_; }

 private:
  std::vector<Window> all_;
  std::vector<Choice> chosen_;
};

}  // namespace

std::optional<FewLiterals> FewLiterals::make(std::span<const Pattern> patterns) {
  const auto unfit = [](const Pattern& pattern) {
    return pattern.syntax != Syntax::literal || pattern.text.size() > kLongest;
  };
  if (patterns.empty() || patterns.size() > kMost ||
      std::any_of(patterns.begin(), patterns.end(), unfit)) {
    return std::nullopt;
  }
  // Short ones first: they have the least choice.
  std::vector<const Pattern*> sorted;
  for (const Pattern& pattern : patterns) {
    sorted.push_back(&pattern);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Pattern* a, const Pattern* b) {
    return a->text.size() < b->text.size();
  });
  Windows windows;
  for (const Pattern* pattern : sorted) {
    if (!windows.choose(*pattern, kWindow)) {
      return std::nullopt;
    }
  }
  if (windows.count() > kMostWindows) {
    return std::nullopt;
  }
  FewLiterals out;
  for (std::size_t window = 0; window < kMostWindows; ++window) {
    out.first_[window] = static_cast<std::uint8_t>(out.literals_.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (windows.chosen()[i].window == window) {
        out.add(*sorted[i], windows.chosen()[i].at, static_cast<std::uint8_t>(1u << window));
      }
    }
  }
  out.first_[kMostWindows] = static_cast<std::uint8_t>(out.literals_.size());
  return out;
}

void FewLiterals::add(const Pattern& pattern, std::size_t window, std::uint8_t bit) {
  const bool caseless = (pattern.flags & kCaseless) != 0;
  for (std::size_t i = 0; i < kWindow; ++i) {
    const auto note = [&, i](char c) {
      const auto byte = static_cast<std::uint8_t>(c);
      tables_[i].low[byte & 0x0f] |= bit;
      tables_[i].high[byte >> 4] |= bit;
    };
    const char c = pattern.text[window + i];
    const char lower = ascii_lower(c);
    note(c);
    if (caseless && lower >= 'a' && lower <= 'z') {
      note(static_cast<char>(c ^ 0x20));
    }
  }
  Literal literal;
  literal.size = pattern.text.size();
  literal.window = window;
  literal.id = pattern.id;
  literal.once = (pattern.flags & kSingleMatch) != 0;
  for (std::size_t i = 0; i < literal.size; ++i) {
    const char c = pattern.text[i];
    literal.text[i] = caseless ? ascii_lower(c) : c;
    const bool letter = literal.text[i] >= 'a' && literal.text[i] <= 'z';
    literal.letters[i] = caseless && letter ? 0x20 : 0;
  }
  literals_.push_back(literal);
}

class FewLiterals::Run {
 public:
  Run(const FewLiterals& set, ByteSpan bytes, detail::MatchHandler handler, void* context)
      : set_(set), bytes_(bytes), handler_(handler), context_(context) {}

  // What is read of a text to look at 32 places.
  static constexpr std::size_t kRead = Block32::kSize + kWindow - 1;

  // Looks at all places of a text of at least kRead bytes.
  void all_places();

  // Which windows can begin at each of the 32 places from `at`; reads 34 bytes.
  [[nodiscard]] Block32 candidates(const std::uint8_t* at) const {
    Block32 all = possible(at, 0);
    for (std::size_t i = 1; i < kWindow; ++i) {
      all = all & possible(at + i, i);
    }
    return all;
  }

  // The candidates of the places from `first` on that `wanted` has a bit for. False: stop.
  bool report(Block32 candidates, std::uint32_t wanted, std::size_t first) {
    const std::uint32_t places = ~candidates.equal('\0').mask() & wanted;
    if (places == 0) [[likely]] {
      return true;
    }
    Windows32 windows;
    candidates.store(windows.data());
    return report(windows, places, first);
  }

 private:
  // Per place, the windows that can begin there.
  using Windows32 = std::array<std::uint8_t, Block32::kSize>;

  [[gnu::target("avx2")]] void all_places_wide();

  // Of the 32 places from `first` on, those from `at` on.
  [[nodiscard]] static std::uint32_t not_seen_before(std::size_t at, std::size_t first) {
    return ~std::uint32_t{0} << (at - first);
  }

  bool report(const Windows32& windows, std::uint32_t places, std::size_t first) {
    for (; places != 0; places &= places - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(places));
      for (unsigned bits = windows[place]; bits != 0; bits &= bits - 1) {
        const auto window = static_cast<std::size_t>(std::countr_zero(bits));
        for (std::size_t i = set_.first_[window]; i < set_.first_[window + 1]; ++i) {
          if (!compare(i, first + place)) {
            return false;
          }
        }
      }
    }
    return true;
  }

  // By their byte i. A byte beyond ASCII looks up nothing: no window has one.
  [[nodiscard]] Block32 possible(const std::uint8_t* at, std::size_t i) const {
    const Block32 block = Block32::load(at);
    const Tables& tables = set_.tables_[i];
    return block.look_up(Block32::table(tables.low.data())) &
           block.high_nibbles().look_up(Block32::table(tables.high.data()));
  }

  bool compare(std::size_t which, std::size_t window) {
    const Literal& literal = set_.literals_[which];
    const std::size_t size = literal.size;
    if (window < literal.window || size > bytes_.size() - (window - literal.window) ||
        (literal.once && (reported_ >> which & 1) != 0)) {
      return true;
    }
    const std::size_t begin = window - literal.window;
    const auto* const at = reinterpret_cast<const char*>(bytes_.data() + begin);
    if (!stands_at(at, literal.letters.data(), literal.text.data(), size)) {
      return true;
    }
    reported_ |= 1u << which;
    return handler_(literal.id, begin, begin + size, 0, context_) == 0;
  }

  const FewLiterals& set_;
  ByteSpan bytes_;
  detail::MatchHandler handler_;
  void* context_;
  unsigned reported_ = 0;
};

// By the processor's instructions, not the build's. As all_places().
[[gnu::target("avx2")]] void FewLiterals::Run::all_places_wide() {
  const __m256i nibble = _mm256_set1_epi8(0x0f);
  __m256i low[kWindow];
  __m256i high[kWindow];
  for (std::size_t i = 0; i < kWindow; ++i) {
    const Tables& tables = set_.tables_[i];
    low[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(tables.low.data())));
    high[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(tables.high.data())));
  }
  const std::size_t last = bytes_.size() - kRead;
  for (std::size_t at = 0;; at += Block32::kSize) {
    const std::size_t first = std::min(at, last);
    __m256i all = _mm256_set1_epi8(-1);
    for (std::size_t i = 0; i < kWindow; ++i) {
      const __m256i block =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes_.data() + first + i));
      const __m256i above = _mm256_and_si256(_mm256_srli_epi16(block, 4), nibble);
      all = _mm256_and_si256(all, _mm256_and_si256(_mm256_shuffle_epi8(low[i], block),
                                                   _mm256_shuffle_epi8(high[i], above)));
    }
    if (_mm256_testz_si256(all, all) == 0) [[unlikely]] {
      Windows32 windows;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(windows.data()), all);
      const auto none = static_cast<std::uint32_t>(
          _mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_setzero_si256())));
      if (!report(windows, ~none & not_seen_before(at, first), first)) {
        return;
      }
    }
    if (first == last) {
      return;
    }
  }
}

void FewLiterals::Run::all_places() {
  if (kGoesWide) {
    all_places_wide();
    return;
  }
  const std::size_t last = bytes_.size() - kRead;
  for (std::size_t at = 0;; at += Block32::kSize) {
    const std::size_t first = std::min(at, last);
    if (!report(candidates(bytes_.data() + first), not_seen_before(at, first), first) ||
        first == last) {
      return;
    }
  }
}

void FewLiterals::scan(ByteSpan bytes, detail::MatchHandler handler, void* context) const {
  if (bytes.size() < kWindow) {
    return;
  }
  if (bytes.size() >= Run::kRead) {
    Run(*this, bytes, handler, context).all_places();
    return;
  }
  const std::size_t places = bytes.size() - (kWindow - 1);
  std::array<std::uint8_t, Run::kRead> padded{};
  std::memcpy(padded.data(), bytes.data(), bytes.size());
  Run run(*this, bytes, handler, context);
  (void)run.report(run.candidates(padded.data()), (std::uint32_t{1} << places) - 1, 0);
}

}  // namespace imds::match
