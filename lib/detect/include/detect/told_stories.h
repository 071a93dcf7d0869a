// What of each client's story with each endpoint this worker has told lately, so that it is not
// told again with every answer: the story (story/stages.h) only wants to know which stages are
// reached, when first, and that it still goes on.
//
// A stage counts as told for `repeat_after_ns`, from the first that was told of its story; then the
// next event tells it anew, and so keeps the story from being forgotten. Whatever finds no room
// here, or happened before what was told, is told: forgetting costs findings, never an alert.
//
// One owner. Memory is taken at construction: a cache line for each entry. Which client and
// endpoint share one depends on a secret.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/counter.h"
#include "base/siphash.h"
#include "base/time.h"
#include "event/stage.h"

namespace imds::detect {

class ToldStories {
 public:
  struct Options {
    std::size_t entries = 2048;                      // rounded up to a power of two
    std::int64_t repeat_after_ns = kNanosPerSecond;  // well below the story's window; ≤ 4 s
    SipKey secret{};
  };
  explicit ToldStories(const Options& options);

  // Whether the story was told, not long before `time`, that this client has reached `stage`.
  [[nodiscard]] bool knows(const IpAddress& client, std::uint16_t endpoint, event::Stage stage,
                           Timestamp time) const;
  // It is told now.
  void note(const IpAddress& client, std::uint16_t endpoint, event::Stage stage, Timestamp time);
  // Endpoints are numbered anew.
  void clear() { ++edition_; }

  [[nodiscard]] std::size_t capacity() const { return entries_.size(); }

 private:
  struct alignas(kCacheLine) Entry {
    IpAddress client;
    std::uint8_t stages = 0;  // a bit each: told since `since_ns`
    std::uint16_t endpoint = 0;
    std::uint32_t edition = 0;
    std::array<std::uint32_t, event::kStageCount> after_ns{};  // when each was told
    std::int64_t since_ns = 0;
  };
  static_assert(sizeof(Entry) == kCacheLine);

  [[nodiscard]] std::size_t place_of(const IpAddress& client, std::uint16_t endpoint) const;
  [[nodiscard]] bool is(const Entry& entry, const IpAddress& client, std::uint16_t endpoint) const {
    return entry.stages != 0 && entry.endpoint == endpoint && entry.edition == edition_ &&
           entry.client == client;
  }
  // Since its first stage was told; false if that is too long ago, or yet to come.
  [[nodiscard]] bool is_fresh(const Entry& entry, Timestamp time, std::uint64_t& elapsed) const {
    elapsed = static_cast<std::uint64_t>(time.ns) - static_cast<std::uint64_t>(entry.since_ns);
    return time.ns >= entry.since_ns && elapsed < repeat_after_;
  }

  std::vector<Entry> entries_;
  std::uint64_t repeat_after_;
  SipKey secret_;
  std::uint32_t edition_ = 0;
};

}  // namespace imds::detect
