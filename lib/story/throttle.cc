#include "story/throttle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace imds::story {

namespace {

// Keyed mixing of 64-bit words (multiply-xorshift, as in splitmix64). Not a cryptographic hash:
// who finds collisions without knowing the secret gains that entries make room earlier.
class Mixer {
 public:
  explicit Mixer(std::uint64_t secret) : state_(secret) {}
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0xbf58476d1ce4e5b9u;
    state_ ^= state_ >> 29;
    state_ *= 0x94d049bb133111ebu;
    state_ ^= state_ >> 32;
  }
  void add(const IpAddress& address) {
    std::uint64_t words[2];
    static_assert(sizeof words == sizeof address.bytes);
    std::memcpy(words, address.bytes.data(), sizeof words);
    add(words[0]);
    add(words[1]);
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_;
};

std::int64_t window_ns(const ThrottlePolicy& policy) {
  return std::int64_t{policy.seconds} * kNanosPerSecond;
}

// Beyond what 64 bits hold, as far as they go: times of captures may be anything.
std::int64_t elapsed_ns(Timestamp now, std::int64_t begin_ns) {
  std::int64_t elapsed = 0;
  if (__builtin_sub_overflow(now.ns, begin_ns, &elapsed)) {
    return now.ns < begin_ns ? INT64_MIN + 1 : INT64_MAX;
  }
  return elapsed;
}

// A clock that was put back by more than a window begins a new one, too.
bool is_over(const ThrottlePolicy& policy, Timestamp now, std::int64_t begin_ns) {
  const std::int64_t elapsed = elapsed_ns(now, begin_ns);
  return elapsed >= window_ns(policy) || elapsed <= -window_ns(policy);
}

bool passes(const ThrottlePolicy& policy, std::uint32_t& count) {
  switch (policy.type) {
    case ThrottleType::limit:
      return count <= policy.count;
    case ThrottleType::threshold:
      if (count < policy.count) {
        return false;
      }
      count = 0;
      return true;
    case ThrottleType::both:
      return count == policy.count;
    case ThrottleType::none:
      break;
  }
  return true;
}

}  // namespace

Throttle::Throttle(Options options) : options_(std::move(options)) {
  entries_.resize(std::bit_ceil(std::max(options_.entries, kWays)));
  withheld_ = std::make_unique<Counter[]>(options_.policies.size());
}

// FNV-1a, 64 bit.
std::uint64_t Throttle::rule_number(std::string_view id) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

Throttle::Key Throttle::make_key(std::uint64_t rule, std::size_t policy, Track track,
                                 const event::Finding& finding) {
  Key key;
  key.rule = rule;
  key.policy = static_cast<std::uint8_t>(policy);
  if (track == Track::rule) {
    return key;
  }
  // The same addresses in another VLAN or virtual network are other machines.
  const std::size_t tags = std::min<std::size_t>(finding.vlan_count, event::kMaxVlans);
  std::copy_n(finding.vlans.begin(), tags, key.vlans.begin());
  const bool has_id = finding.has(event::Part::tunnel) && finding.tunnel.has_id;
  key.tunnel_id = has_id ? finding.tunnel.id : 0;
  if (track != Track::destination) {
    key.source = finding.source.ip;
  }
  if (track != Track::source) {
    key.destination = finding.destination.ip;
  }
  if (track == Track::flow) {
    key.source_port = finding.source.port;
    key.destination_port = finding.destination.port;
    key.ip_protocol = finding.ip_protocol;
  }
  return key;
}

// The first entry of the key's set.
std::size_t Throttle::set_of(const Key& key) const {
  Mixer mixer(options_.secret);
  mixer.add(key.rule);
  mixer.add(std::uint64_t{key.tunnel_id} << 32 | std::uint64_t{key.source_port} << 16 |
            key.destination_port);
  mixer.add(std::uint64_t{key.vlans[0]} << 48 | std::uint64_t{key.vlans[1]} << 32 |
            std::uint64_t{key.vlans[2]} << 16 | key.vlans[3]);
  mixer.add(key.source);
  mixer.add(key.destination);
  mixer.add(std::uint64_t{key.ip_protocol} << 8 | key.policy);
  return mixer.value() & (entries_.size() - kWays);  // both are powers of two
}

Throttle::Entry& Throttle::find_or_take(const Key& key, Timestamp now) {
  Entry* const set = &entries_[set_of(key)];
  Entry* oldest = set;
  for (Entry* entry = set; entry != set + kWays; ++entry) {
    if (entry->used > 0 && entry->key == key) {
      return *entry;
    }
    if (entry->used < oldest->used) {
      oldest = entry;
    }
  }
  if (oldest->used == 0) {
    size_.add();
  } else {
    untold_.add(oldest->withheld);
    const ThrottlePolicy& policy = options_.policies[oldest->key.policy];
    evicted_.add(is_over(policy, now, oldest->begin_ns) ? 0 : 1);
  }
  *oldest = {};
  oldest->key = key;
  oldest->begin_ns = now.ns;
  return *oldest;
}

Throttle::Verdict Throttle::judge(std::uint64_t rule, std::size_t policy,
                                  const event::Finding& finding) {
  const ThrottlePolicy& how = options_.policies[policy];
  if (how.type == ThrottleType::none) {
    return {};
  }
  Entry& entry = find_or_take(make_key(rule, policy, how.track, finding), finding.time);
  if (is_over(how, finding.time, entry.begin_ns)) {
    entry.begin_ns = finding.time.ns;
    entry.count = 0;
  }
  entry.used = ++judged_;
  entry.count += entry.count < UINT32_MAX ? 1u : 0u;
  if (!passes(how, entry.count)) {
    ++entry.withheld;
    withheld_[policy].add();
    return {false, 0};
  }
  return {true, std::exchange(entry.withheld, 0)};
}

}  // namespace imds::story
