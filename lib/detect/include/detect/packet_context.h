// One packet and what classify says of its addresses. Plain data; points to what the caller keeps.
#pragma once

#include <cstdint>

#include "classify/address_class.h"
#include "packet/view.h"

namespace imds::detect {

struct PacketContext {
  const packet::PacketView* view = nullptr;
  const classify::AddressClass* source = nullptr;
  const classify::AddressClass* destination = nullptr;
  std::uint16_t ingress_port = 0;
  bool is_test = false;
  // Of a datagram whose fragments contradict each other: the reading in which later bytes win.
  bool second_reading = false;

  // An endpoint, or an address some rule names as destination, on either side.
  [[nodiscard]] bool touches_watched() const {
    return is_watched(*source) || is_watched(*destination);
  }
  // The same, or a source some rule needs: every head of the flow is parsed.
  [[nodiscard]] bool of_interest() const {
    return touches_watched() || source->named_as_source || destination->named_as_source;
  }
  [[nodiscard]] static bool is_watched(const classify::AddressClass& c) {
    return c.is_endpoint() || c.named_as_destination;
  }
};

}  // namespace imds::detect
