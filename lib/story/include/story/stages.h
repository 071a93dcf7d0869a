// How far each client's story with each endpoint has come: who claimed the endpoint's address,
// whether the client asked, was answered, got a token, got credentials.
//
// A story is that of a client's address with a configured endpoint; where an event proves what the
// server is although it is none (event::kAlwaysOfStory), with the server's address. What carries it
// may come in any connection and from any worker. It is forgotten when it has not gone on for a
// window of packet time. A claim names no client: it is part of every story that its endpoint has
// within the window after it, or that begins before the window is over.
//
// Clients that credentials were delivered to are named to the workers (Options::holders), which
// look for their TLS connections to AWS from then on: until a window after the delivery, or after
// the last such connection. Not those whose credentials belong to an expected account.
//
// Threads: one, the story's; counters may be read by any. Memory is taken at construction. When all
// stories are in use, the one that has not gone on for longest is given up and counted. Findings
// may come somewhat out of order: each stage keeps the earliest time at which it was reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/address.h"
#include "base/address_set.h"
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
    AddressSet* holders = nullptr;  // only written here; must outlive this
  };
  explicit Stages(const Options& options);
  ~Stages();
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  // The next event: carries its story further, if it has one (event::has_story). Returns the stages
  // that story has reached by then; none if the event has no story. Of credentials_used none as
  // well if no delivery to this client is known, or it was later, or too long ago.
  [[nodiscard]] event::Timeline take(const event::Finding& finding);

  // What is remembered of a client has left the caches when the client comes again. So whoever has
  // several findings at hand may fetch it ahead of their turns, a step at a time, each so much
  // later that what the one before it asked for has come: expect(), fetch(), fetch_neighbours(),
  // take(). Nothing but time depends on it.
  struct Expected {
    SipHash key{};
    bool is_set = false;
  };
  [[nodiscard]] Expected expect(const event::Finding& finding) const;
  void fetch(const Expected& expected) const;
  void fetch_neighbours(const Expected& expected) const;
  // `expected`: of this finding.
  [[nodiscard]] event::Timeline take(const event::Finding& finding, const Expected& expected);
  // By what credentials were delivered to the client last, if it still counts as their holder.
  [[nodiscard]] const event::Finding* delivery_to(const IpAddress& client) const;
  // What is over by then, also if no event comes.
  void forget(std::int64_t now);

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Stories in memory.
  [[nodiscard]] std::uint64_t size() const { return size_.get(); }
  // Given up for want of memory before their time was over.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.get(); }
  // Clients named to the workers, and those that could not be or had to give way: too many.
  [[nodiscard]] std::uint64_t holders() const { return holder_count_.get(); }
  [[nodiscard]] std::uint64_t holders_evicted() const { return holders_evicted_.get(); }

 private:
  [[nodiscard]] SipHash key_of(const event::Finding& finding, bool with_client) const;
  [[nodiscard]] bool is_over(const Group& story, std::int64_t now) const;
  Group& story_of(GroupTable& table, const SipHash& key, std::int64_t now);
  [[nodiscard]] bool reach(Group& story, event::Stage stage, std::int64_t now);
  [[nodiscard]] event::Timeline told_of(const Group& story, event::Stage stage,
                                        bool is_fresh) const;
  [[nodiscard]] event::Timeline take_claim(const event::Finding& claim);
  void add_claim(const event::Finding& finding, Group& story);
  [[nodiscard]] SipHash key_of(const IpAddress& client) const;
  void hold(const event::Finding& delivery);
  void give_up(Group& holder);
  [[nodiscard]] event::Timeline take_use(const event::Finding& use);

  std::size_t capacity_;
  std::int64_t window_ns_;
  SipKey key_;
  std::unique_ptr<GroupTable> stories_;
  std::unique_ptr<GroupTable> claims_;   // by endpoint: no flood of clients pushes them out
  std::unique_ptr<GroupTable> holders_;  // by client, each with the delivery
  AddressSet* published_;
  Counter size_;
  Counter evicted_;
  Counter holder_count_;
  Counter holders_evicted_;
};

}  // namespace imds::story
