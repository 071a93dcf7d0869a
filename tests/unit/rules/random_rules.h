// Random rules and events over vocabularies so small that they meet often.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "event/event.h"
#include "sigma/rule.h"

namespace imds::rules {

class Generator {
 public:
  // `story_percent`: of comparisons that are of imds.stage, imds.timeline or imds.reached.
  explicit Generator(std::uint32_t seed, unsigned story_percent = 0)
      : random_(seed), story_percent_(story_percent) {}

  [[nodiscard]] sigma::Rule rule();

  // An event of the type with random fields. Its texts live as long as the generator.
  [[nodiscard]] event::Event event(event::EventType type);

  // A run of words, long enough to index a rule now and then.
  [[nodiscard]] std::string text(std::size_t most_words);
  // A regular expression that naive_regex.h knows.
  [[nodiscard]] std::string regex();
  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }
  [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }

 private:
  sigma::Pattern pattern();
  sigma::Operation text_operation();
  std::string headers();
  sigma::FieldMatch field_match();
  sigma::Selection selection();
  sigma::Condition condition(std::size_t selections, int depth);
  std::string_view keep(std::string text);
  std::string_view maybe(std::string text, unsigned percent);
  event::TwoReadings readings();

  std::mt19937 random_;
  unsigned story_percent_;
  std::deque<std::string> kept_;
};

}  // namespace imds::rules
