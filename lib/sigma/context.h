// What every step of reading one file needs: where errors point to and where warnings go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "document.h"
#include "event/fields.h"
#include "sigma/load.h"
#include "sigma/rule.h"

namespace imds::sigma {

// Text of a rule as it may stand in a message: escaped, in quotes, cut to a readable length.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxShown = 80;
  const bool cut = text.size() > kMaxShown;
  return "'" + escape_for_terminal(text.substr(0, kMaxShown)) + (cut ? "…'" : "'");
}

// What takes long, should it do.
inline constexpr char kReading[] = "reading the rules";

struct Context {
  const std::string& file;
  std::string_view source;
  const event::FieldTable& fields;
  std::vector<Warning>& warnings;
  const LoadOptions& options;

  [[nodiscard]] SourcePosition where(Position at) const { return {file, at.line, at.column}; }
  [[nodiscard]] tl::unexpected<Error> error(Position at, std::string message) const {
    return fail_at(ErrorKind::config, where(at), std::move(message));
  }
  void warn(Position at, std::string message) const {
    warnings.push_back({where(at), std::move(message)});
  }
};

// The candidate closest to a misspelt word, if it is near enough to be meant; else empty.
template <typename Candidates>
[[nodiscard]] std::string_view nearest(std::string_view word, const Candidates& candidates) {
  std::size_t best_distance = word.size() / 3 + 1;
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = event::edit_distance(word.substr(0, 64), candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

[[nodiscard]] inline std::string did_you_mean(std::string_view candidate) {
  return candidate.empty() ? std::string() : "; did you mean " + in_quotes(candidate) + "?";
}

}  // namespace imds::sigma
