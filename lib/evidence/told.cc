#include "evidence/told.h"

#include <algorithm>
#include <bit>

namespace imds::evidence {

namespace {

// Whether more than `window` lies between the two, in this order. Times of captures may be
// anything.
bool is_past(std::int64_t then, std::int64_t now, std::int64_t window) {
  return now > then && static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(then) >
                           static_cast<std::uint64_t>(window);
}

}  // namespace

Told::Told(const Options& options)
    : entries_(std::bit_ceil(std::max<std::size_t>(options.entries, kWays))),
      window_ns_(options.window_ns) {}

bool Told::note(const SipHash& key, Timestamp now) {
  const std::uint64_t wanted = key[0] == 0 ? 1 : key[0];
  Entry* const set = &entries_[key[1] % (entries_.size() / kWays) * kWays];
  Entry* place = set;
  for (Entry* entry = set; entry != set + kWays; ++entry) {
    if (entry->key == wanted) {
      const bool again = is_past(entry->told_ns, now.ns, window_ns_);
      entry->told_ns = again ? now.ns : entry->told_ns;
      return again;
    }
    const bool is_better = entry->key == 0 || entry->told_ns < place->told_ns;
    place = place->key != 0 && is_better ? entry : place;
  }
  if (place->key != 0 && !is_past(place->told_ns, now.ns, window_ns_)) {
    evicted_.add();
  }
  *place = {wanted, now.ns};
  return true;
}

}  // namespace imds::evidence
