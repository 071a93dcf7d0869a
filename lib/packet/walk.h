// The decoder's state while it peels one layer after the other. Private to the room.
#pragma once

#include <cstdint>

#include "base/cursor.h"
#include "base/reasons.h"
#include "packet/decode.h"
#include "packet/view.h"

namespace imds::packet {

// What the next bytes are. Each layer's function consumes its header and names the next layer.
enum class Layer : std::uint8_t {
  done,
  ethernet,
  cooked_v1,
  cooked_v2,
  raw_ip,
  ether_type,  // whatever PacketView::ether_type says
  arp,
  ipv4,
  ipv6,
  transport,  // whatever PacketView::protocol says
};

struct Walk {
  PacketView& view;
  const DecodeOptions& options;
  ByteSpan rest;              // not yet decoded, bounded by every length seen so far
  std::uint32_t missing = 0;  // bytes of the packet beyond `rest` that were cut away
  std::uint8_t tags = 0;      // VLAN tags of this frame, priority tags included
  bool trailer = false;       // the frame goes on beyond the IP packet

  [[nodiscard]] const std::uint8_t* at() const { return rest.data(); }
  [[nodiscard]] bool has(std::size_t size) const { return rest.size() >= size; }
  // Size of what follows as its sender meant it.
  [[nodiscard]] std::size_t sent() const { return rest.size() + missing; }
  void consume(std::size_t size) { rest = rest.subspan(size); }

  Layer stop(DecodeReason reason) {
    view.reason = reason;
    return Layer::done;
  }
  // A header of `needed` bytes does not fit in `rest`: the fault of whoever cut the packet, or else
  // the sender's, whose fault is `reason`.
  Layer stop_short(std::size_t needed, DecodeReason reason) {
    return stop(needed <= sent() ? DecodeReason::capture_truncated : reason);
  }
  // Bounds `rest` to `length` bytes, which may reach beyond what is here.
  void bound(std::size_t length) {
    if (length <= rest.size()) [[likely]] {
      rest = rest.first(length);
      missing = 0;
    } else {
      missing = static_cast<std::uint32_t>(length - rest.size());
    }
    view.truncated = missing != 0;
  }
  // The same for an IP packet; `beyond` notes a length that not even the capture explains.
  void bound_ip(std::size_t length, DecodeReason beyond) {
    if (length > sent()) [[unlikely]] {
      view.anomaly = beyond;
    }
    trailer = length < rest.size();
    bound(length);
  }
};

}  // namespace imds::packet
