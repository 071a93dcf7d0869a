// How far each client's story with each endpoint has come: who claimed the endpoint's address,
// whether the client asked, was answered, got a token, got credentials.
//
// A story is that of a client's address with a configured endpoint; where an event proves what the
// server is although it is none (event::kAlwaysOfStory), with the server's address. What carries it
// may come in any connection and from any worker. It is forgotten when it has not gone on for a
// window of packet time. A claim names no client: it is part of every story that its endpoint has
// within the window after it, or that begins before the window is over.
//
// Threads: one, the story's; counters may be read by any. Memory is taken at construction. When all
// stories are in use, the one that has not gone on for longest is given up and counted. Findings
// may come somewhat out of order: each stage keeps the earliest time at which it was reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/counter.h"
#include "base/siphash.h"
#include "base/time.h"
#include "event/finding.h"
#include "event/stage.h"

namespace imds::story {

class GroupTable;
struct Group;

class Stages {
 public:
  struct Options {
    std::size_t memory_bytes = std::size_t{16} << 20;
    std::int64_t window_ns = 600 * kNanosPerSecond;
  };
  explicit Stages(const Options& options);
  ~Stages();
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  // The next event: carries its story further, if it has one (event::has_story). Returns the stages
  // that story has reached by then; none if the event has no story.
  [[nodiscard]] event::Timeline take(const event::Finding& finding);

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Stories in memory.
  [[nodiscard]] std::uint64_t size() const { return size_.get(); }
  // Given up for want of memory before their time was over.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.get(); }

 private:
  [[nodiscard]] SipHash key_of(const event::Finding& finding, bool with_client) const;
  [[nodiscard]] bool is_over(const Group& story, std::int64_t now) const;
  Group& story_of(GroupTable& table, const SipHash& key, std::int64_t now);
  void forget_old(std::int64_t now);
  void add_claim(const event::Finding& finding, Group& story);

  std::size_t capacity_;
  std::int64_t window_ns_;
  SipKey key_;
  std::unique_ptr<GroupTable> stories_;
  std::unique_ptr<GroupTable> claims_;  // by endpoint: no flood of clients pushes them out
  Counter size_;
  Counter evicted_;
};

}  // namespace imds::story
