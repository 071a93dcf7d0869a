#include "evidence/owners.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace imds::evidence {

Owners::Owners(const Options& options)
    : entries_(std::bit_ceil(std::max<std::size_t>(options.entries, kWays))),
      forget_after_ns_(options.forget_after_ns),
      secret_(options.secret) {}

// The first entry of the key's set.
std::size_t Owners::set_of(const OwnerKey& key) const {
  std::array<std::uint8_t, 17 + 2 + 8 + 4> bytes;
  std::uint8_t* out = std::copy(key.address.bytes.begin(), key.address.bytes.end(), bytes.begin());
  *out++ = static_cast<std::uint8_t>(key.address.family);
  *out++ = key.role;
  *out++ = key.vlan_count;
  std::memcpy(out, key.vlans.data(), sizeof key.vlans);
  std::memcpy(out + sizeof key.vlans, &key.vni, sizeof key.vni);
  return siphash128(secret_, bytes)[0] % (entries_.size() / kWays) * kWays;
}

bool Owners::is_forgotten(const Entry& entry, Timestamp now) const {
  return !entry.used || now.ns - entry.seen_ns > forget_after_ns_;
}

Owners::Noted Owners::note(const OwnerKey& key, const MacAddress& mac, Timestamp now) {
  const std::size_t first = set_of(key);
  Entry* place = &entries_[first];
  for (std::size_t i = first; i < first + kWays; ++i) {
    Entry& entry = entries_[i];
    if (entry.used && entry.key == key) {
      Noted noted;
      noted.is_new = is_forgotten(entry, now);
      noted.previous = entry.mac == mac ? MacAddress{} : entry.mac;
      entry.mac = mac;
      entry.seen_ns = std::max(entry.seen_ns, now.ns);
      return noted;
    }
    const auto age = [&](const Entry& e) { return e.used ? e.seen_ns : INT64_MIN; };
    if (age(entry) < age(*place)) {
      place = &entry;
    }
  }
  if (!place->used) {
    counters_.entries.add();
  } else if (!is_forgotten(*place, now)) {
    counters_.evicted.add();
  }
  *place = {key, mac, true, now.ns};
  return {true, {}};
}

}  // namespace imds::evidence
