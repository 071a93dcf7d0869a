#include "wording.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace imds::config {
namespace {

constexpr std::size_t kQuoteLength = 60;

// Optimal string alignment distance; both words are short.
std::size_t edits(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> d((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return d[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) {
    at(i, 0) = i;
  }
  for (std::size_t j = 0; j <= b.size(); ++j) {
    at(0, j) = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

}  // namespace

std::string quote(std::string_view text) {
  const bool cut = text.size() > kQuoteLength;
  return "'" + escape_for_terminal(text.substr(0, kQuoteLength)) + (cut ? "…'" : "'");
}

std::string join(std::span<const std::string> words) {
  std::string all;
  for (const std::string& word : words) {
    all += (all.empty() ? "" : ", ") + word;
  }
  return all;
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > kQuoteLength) {
    return {};
  }
  std::string_view best;
  std::size_t best_edits = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t count = edits(word, candidate);
    if (count < best_edits) {
      best_edits = count;
      best = candidate;
    }
  }
  return best;
}

}  // namespace imds::config
