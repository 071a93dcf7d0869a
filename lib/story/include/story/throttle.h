// Throttling of alerts: repeats of the same rule by the same client (or server, or flow) are
// withheld and counted, and the next alert says how many there were.
//
// Time is the events' own, so that a capture gives the same alerts whenever it is read. A window
// begins with the first alert after the last one ended; events that come out of order count in the
// window at hand.
//
// Threads: one, the story's; counters may be read from any.
// Memory: bounded and taken by the constructor, about 80 bytes per entry. Where a new entry finds
// no room, the one unused longest among a few makes room: what it withheld is then told by no
// alert, only by counters, and its key begins anew. Its hash is keyed with a secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/counter.h"
#include "base/time.h"
#include "event/finding.h"

namespace imds::story {

// What alerts of one rule are counted by, besides their rule, VLANs and tunnel id.
enum class Track : std::uint8_t {
  rule,  // nothing
  source,
  destination,
  both,
  flow,  // both, with ports and protocol
};

enum class ThrottleType : std::uint8_t {
  limit,      // the first `count` alerts of a window pass
  threshold,  // every `count`-th alert passes; a window that ends begins the count anew
  both,       // of each window the `count`-th alert passes
  none,       // all pass
};

struct ThrottlePolicy {
  std::string name;
  Track track = Track::source;
  ThrottleType type = ThrottleType::limit;
  std::uint32_t count = 1;     // at least 1
  std::uint32_t seconds = 60;  // length of a window, at least 1
};

class Throttle {
 public:
  struct Options {
    std::vector<ThrottlePolicy> policies;
    std::size_t entries = 65536;  // rounded up to a power of two, at least 8
    std::uint64_t secret = 0;
  };
  explicit Throttle(Options options);

  struct Verdict {
    bool passes = true;
    std::uint64_t repeats = 0;  // withheld since the last alert that passed; of one that passes
  };
  // The same for the same rule, whatever ruleset it is in.
  [[nodiscard]] static std::uint64_t rule_number(std::string_view id);
  // Whether this alert of a finding passes. `rule` is its rule_number(), `policy` an index into the
  // options'.
  [[nodiscard]] Verdict judge(std::uint64_t rule, std::size_t policy,
                              const event::Finding& finding);

  [[nodiscard]] const std::vector<ThrottlePolicy>& policies() const { return options_.policies; }
  [[nodiscard]] std::size_t capacity() const { return entries_.size(); }
  // Entries in use.
  [[nodiscard]] std::uint64_t size() const { return size_.get(); }
  [[nodiscard]] std::uint64_t withheld(std::size_t policy) const { return withheld_[policy].get(); }
  // Entries that made room for others within their window, and what they had withheld.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.get(); }
  [[nodiscard]] std::uint64_t untold() const { return untold_.get(); }

 private:
  static constexpr std::size_t kWays = 8;

  struct Key {
    std::uint64_t rule = 0;
    std::uint32_t tunnel_id = 0;
    std::array<std::uint16_t, event::kMaxVlans> vlans{};
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    IpAddress source;
    IpAddress destination;
    std::uint8_t ip_protocol = 0;
    std::uint8_t policy = 0;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::uint32_t count = 0;     // alerts of the window so far
    std::uint64_t withheld = 0;  // since the last that passed
    std::int64_t begin_ns = 0;   // of the window
    std::uint64_t used = 0;      // when last, in alerts judged; 0: the entry is free
  };

  static Key make_key(std::uint64_t rule, std::size_t policy, Track track,
                      const event::Finding& finding);
  [[nodiscard]] std::size_t set_of(const Key& key) const;
  Entry& find_or_take(const Key& key, Timestamp now);

  Options options_;
  std::vector<Entry> entries_;
  std::uint64_t judged_ = 0;
  std::unique_ptr<Counter[]> withheld_;  // by policy
  Counter size_;
  Counter evicted_;
  Counter untold_;
};

}  // namespace imds::story
