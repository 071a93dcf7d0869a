#include <algorithm>

#include "link_types.h"

namespace imds::packet {

namespace {

constexpr std::size_t kMacSize = 6;

// Frame control, first and second byte.
constexpr std::uint8_t kTypeMask = 0x0c;
constexpr std::uint8_t kTypeData = 0x08;
constexpr std::uint8_t kSubtypeNoData = 0x40;
constexpr std::uint8_t kSubtypeQos = 0x80;
constexpr std::uint8_t kToAccessPoint = 0x01;
constexpr std::uint8_t kFromAccessPoint = 0x02;
constexpr std::uint8_t kMoreFragments = 0x04;
constexpr std::uint8_t kProtected = 0x40;
constexpr std::uint8_t kHtControl = 0x80;

constexpr std::uint8_t kQosAggregate = 0x80;  // A-MSDU present
constexpr std::size_t kAggregateHeader = 14;  // destination, source, length

std::uint32_t load_le32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 |
         std::uint32_t{p[3]} << 24;
}

std::uint16_t load_le16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}

struct MacHeader {
  std::size_t size = 24;  // control, duration, three addresses, sequence
  std::size_t qos_at = 0;

  MacHeader(std::uint8_t type, std::uint8_t flags) {
    constexpr std::uint8_t kBoth = kToAccessPoint | kFromAccessPoint;
    if ((flags & kBoth) == kBoth) {
      size += kMacSize;
    }
    if ((type & kSubtypeQos) != 0) {
      qos_at = size;
      size += (flags & kHtControl) != 0 ? 6 : 2;
    }
  }
};

// IEEE 802.11-2020, table 9-30: where the ends' addresses are depends on the way of the frame.
void set_station_macs(Walk& w, std::uint8_t flags) {
  const std::uint8_t* first = w.at() + 4;
  const std::uint8_t* third = first + 2 * kMacSize;
  const bool to = (flags & kToAccessPoint) != 0;
  const bool from = (flags & kFromAccessPoint) != 0;
  w.view.destination_mac = MacAddress::wire(to ? third : first);
  w.view.source_mac =
      MacAddress::wire(!from ? first + kMacSize : (to ? third + kMacSize + 2 : third));
}

bool looks_like_snap(const Walk& w) {
  return w.has(3) && w.at()[0] == 0xaa && w.at()[1] == 0xaa && w.at()[2] == 0x03;
}

}  // namespace

Layer peel_wlan(Walk& w, bool padded) {
  if (!w.has(2)) {
    return w.stop_short(2, DecodeReason::link_truncated);
  }
  const std::uint8_t type = w.at()[0];
  const std::uint8_t flags = w.at()[1];
  if ((type & kTypeMask) != kTypeData || (type & kSubtypeNoData) != 0) {
    return w.stop(DecodeReason::ethertype_not_inspected);  // management, control, no content
  }
  const MacHeader header(type, flags);
  const std::size_t size = padded ? (header.size + 3) / 4 * 4 : header.size;
  if (!w.has(size)) {
    return w.stop_short(size, DecodeReason::link_truncated);
  }
  set_station_macs(w, flags);
  const std::uint16_t sequence = load_le16(w.at() + 22);
  const bool is_fragment = (sequence & 0x000f) != 0 || (flags & kMoreFragments) != 0;
  const bool is_aggregate = header.qos_at != 0 && (w.at()[header.qos_at] & kQosAggregate) != 0;
  w.consume(size);
  // Sniffers that know the key leave the bit and remove the rest.
  if ((flags & kProtected) != 0 && !looks_like_snap(w)) {
    return w.stop(DecodeReason::wlan_protected);
  }
  if (is_fragment) {
    return w.stop(DecodeReason::ethertype_not_inspected);
  }
  if (is_aggregate) {
    if (!w.has(kAggregateHeader)) {
      return w.stop_short(kAggregateHeader, DecodeReason::link_truncated);
    }
    w.consume(kAggregateHeader);
  }
  return peel_llc(w);
}

// radiotap.org: version, pad, length, one or more words of presence bits, the fields. Only the
// flags matter: they may follow an 8-byte timestamp, aligned to 8.
Layer peel_radiotap(Walk& w) {
  constexpr std::size_t kLeast = 8;
  constexpr std::uint32_t kHasTimestamp = 0x01;
  constexpr std::uint32_t kHasFlags = 0x02;
  constexpr std::uint32_t kMorePresence = 0x80000000u;
  constexpr std::uint8_t kFlagDataPadded = 0x20;
  if (!w.has(kLeast)) {
    return w.stop_short(kLeast, DecodeReason::link_truncated);
  }
  const std::uint8_t* header = w.at();
  const std::size_t length = std::max<std::size_t>(load_le16(header + 2), kLeast);
  if (!w.has(length)) {
    return w.stop_short(length, DecodeReason::link_truncated);
  }
  const std::uint32_t present = load_le32(header + 4);
  std::size_t at = kLeast;
  for (std::uint32_t word = present; (word & kMorePresence) != 0 && at + 4 <= length; at += 4) {
    word = load_le32(header + at);
  }
  if ((present & kHasTimestamp) != 0) {
    at = (at + 7) / 8 * 8 + 8;
  }
  const bool padded =
      (present & kHasFlags) != 0 && at < length && (header[at] & kFlagDataPadded) != 0;
  w.consume(length);
  return peel_wlan(w, padded);
}

// A message of 144 bytes in the sniffing host's byte order, its length after the code; some drivers
// write AVS headers under Prism's link type.
Layer peel_prism(Walk& w) {
  constexpr std::size_t kSize = 144;
  constexpr std::uint32_t kAvsCookie = 0x80211000u;
  constexpr std::uint32_t kAvsCookieMask = 0xfffff000u;
  if (w.has(4) && (load_be32(w.at()) & kAvsCookieMask) == kAvsCookie) {
    return peel_avs(w);
  }
  if (!w.has(kSize)) {
    return w.stop_short(kSize, DecodeReason::link_truncated);
  }
  w.consume(kSize);
  return peel_wlan(w, false);
}

// Version, length, both in network order, and fields up to that length.
Layer peel_avs(Walk& w) {
  constexpr std::size_t kLeast = 8;
  if (!w.has(kLeast)) {
    return w.stop_short(kLeast, DecodeReason::link_truncated);
  }
  const std::size_t length = std::max<std::size_t>(load_be32(w.at() + 4), kLeast);
  if (!w.has(length)) {
    return w.stop_short(length, DecodeReason::link_truncated);
  }
  w.consume(length);
  return peel_wlan(w, false);
}

}  // namespace imds::packet
