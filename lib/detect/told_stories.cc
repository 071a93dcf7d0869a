#include "detect/told_stories.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace imds::detect {

namespace {

constexpr std::int64_t kLongestRepeat = 4 * kNanosPerSecond;  // what an entry's 32 bits hold

}  // namespace

ToldStories::ToldStories(const Options& options)
    : entries_(std::bit_ceil(std::max<std::size_t>(options.entries, 1))),
      repeat_after_(static_cast<std::uint64_t>(
          std::clamp<std::int64_t>(options.repeat_after_ns, 0, kLongestRepeat))),
      secret_(options.secret) {}

// Not a cryptographic hash: who finds collisions makes stories be told again.
std::size_t ToldStories::place_of(const IpAddress& client, std::uint16_t endpoint) const {
  std::array<std::uint64_t, 2> words;
  static_assert(sizeof words == sizeof client.bytes);
  std::memcpy(words.data(), client.bytes.data(), sizeof words);
  std::uint64_t hash = (words[0] ^ secret_[0]) * 0xbf58476d1ce4e5b9u;
  hash ^= hash >> 32;
  hash = (hash ^ words[1] ^ secret_[1] ^ endpoint) * 0x94d049bb133111ebu;
  return (hash ^ hash >> 32) & (entries_.size() - 1);
}

bool ToldStories::knows(const IpAddress& client, std::uint16_t endpoint, event::Stage stage,
                        Timestamp time) const {
  const Entry& entry = entries_[place_of(client, endpoint)];
  const auto i = static_cast<std::size_t>(stage);
  std::uint64_t elapsed = 0;
  return is(entry, client, endpoint) && (entry.stages >> i & 1) != 0 &&
         is_fresh(entry, time, elapsed) && elapsed >= entry.after_ns[i];
}

void ToldStories::note(const IpAddress& client, std::uint16_t endpoint, event::Stage stage,
                       Timestamp time) {
  Entry& entry = entries_[place_of(client, endpoint)];
  const auto i = static_cast<std::size_t>(stage);
  std::uint64_t elapsed = 0;
  if (!is(entry, client, endpoint) || !is_fresh(entry, time, elapsed)) {
    entry.client = client;
    entry.endpoint = endpoint;
    entry.edition = edition_;
    entry.stages = 0;
    entry.since_ns = time.ns;
    elapsed = 0;
  }
  const bool is_known = (entry.stages >> i & 1) != 0;
  const auto after = static_cast<std::uint32_t>(elapsed);
  entry.after_ns[i] = is_known ? std::min(entry.after_ns[i], after) : after;
  entry.stages |= static_cast<std::uint8_t>(1u << i);
}

}  // namespace imds::detect
