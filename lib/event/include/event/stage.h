// How far a client's story with an endpoint has come, and when: `imds.stage` and `imds.timeline`.
// Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "event/event.h"

namespace imds::event {

// Each stage is worse than the one before. The codes stand in alert records, too.
enum class Stage : std::uint8_t {
  claimed = 0,  // somebody claimed the endpoint's address
  attempted,    // the client tried to connect
  answered,     // and was answered
  token,        // and got a session token
  credentials,  // and got credentials
  used,         // and connected to AWS since
};
inline constexpr std::size_t kStageCount = 6;

// The value of `imds.stage`: "claimed", …
[[nodiscard]] std::string_view name(Stage stage);

// What an event says of its story. `answer` of responder and `delivered` of credentials_delivered
// count, of other events neither. A client that says or gets anything has at least tried.
[[nodiscard]] Stage reached_by(EventType type, Answer answer, Delivered delivered);

// The stages that a story has reached, each with the time since its first.
struct Timeline {
  std::uint8_t reached = 0;  // a bit per stage, by its code; 0: there is no story
  std::uint8_t fresh = 0;    // the one of them, if any, that this event reached as the first
  std::array<std::uint32_t, kStageCount>
      after_ms{};  // of those reached; 2^32 - 1 stands for longer

  [[nodiscard]] bool has(Stage stage) const {
    return (reached >> static_cast<unsigned>(stage) & 1u) != 0;
  }
  // The furthest stage reached. Precondition: there is one.
  [[nodiscard]] Stage furthest() const;
  // The value of `imds.reached`: the stage that the event reached first, or empty.
  [[nodiscard]] std::string_view fresh_name() const;
};

// Every name, and "+4294967.295s " with each.
inline constexpr std::size_t kMaxTimelineText = 44 + kStageCount * 14;

// "attempted+0.000s answered+0.001s": the stages in the order in which they were reached. Empty for
// no story.
[[nodiscard]] std::string_view timeline_text(const Timeline& timeline,
                                             std::span<char, kMaxTimelineText> room);

}  // namespace imds::event
