// Remembers in which tunnel the last packets of flows with an unfinished head came, so that a
// flow's own state keeps a ticket of four bytes instead of the tunnel.
//
// Threads: one owner. After construction nothing allocates. Limit: of the kCapacity newest notes.
// A flow whose note was pushed out by others has no tunnel any more, never another flow's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/tunnel.h"

namespace imds::detect {

class TunnelMemory {
 public:
  using Ticket = std::uint32_t;
  static constexpr Ticket kNone = 0;
  static constexpr std::size_t kCapacity = 4096;

  TunnelMemory() : slots_(kCapacity) {}

  // kNone for no tunnel. `earlier` is the flow's ticket so far: a flow that stays in its tunnel
  // takes a new slot only when the old one is about to be pushed out.
  [[nodiscard]] Ticket note(const Tunnel& tunnel, Ticket earlier) {
    if (!tunnel.is_set()) {
      return kNone;
    }
    const Tunnel* known = find(earlier);
    if (known != nullptr && newest_ - earlier < kCapacity / 2 && *known == tunnel) {
      return earlier;
    }
    if (++newest_ == kNone) {
      ++newest_;
    }
    slots_[newest_ % kCapacity] = {newest_, tunnel};
    return newest_;
  }
  // nullptr for kNone, or a note that was pushed out.
  [[nodiscard]] const Tunnel* find(Ticket ticket) const {
    const Slot& slot = slots_[ticket % kCapacity];
    return ticket != kNone && slot.ticket == ticket ? &slot.tunnel : nullptr;
  }

 private:
  struct Slot {
    Ticket ticket = kNone;
    Tunnel tunnel;
  };
  std::vector<Slot> slots_;
  Ticket newest_ = kNone;
};

}  // namespace imds::detect
