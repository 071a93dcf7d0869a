// How packets reach the worker their innermost flow belongs to. A NIC spreads tunnelled packets by
// their outer addresses, and fragments without their ports; the flow inside may have its other
// packets elsewhere. The worker that receives such a packet gives the owner a reference to it and
// releases its own at once, so that forwarding never waits.
//
// Nobody writes into a packet that two workers hold. Datagrams that were put together from
// fragments are copied, with what their fragments told, into packets of a small pool of this class.
//
// Threads: give() and give_datagram() by any worker for another, take() by the taker only; the ring
// of each worker has many producers and one consumer, and a fixed number of places. Full, or no
// packet left in the pool: false, and the giver inspects the packet itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "packet/view.h"
#include "port/packet_meta.h"
#include "port/steering.h"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace imds::pipeline {

// In place of a link type: a DatagramNote, then an IP datagram.
inline constexpr std::uint16_t kLinkDatagram = 0xffff;

// What travels in front of a copied datagram. Plain data; copied out before use.
struct DatagramNote {
  packet::PacketView fragment;  // one of those it was made of, without bytes
  bool second_reading = false;
};

class Handover {
 public:
  static constexpr std::uint32_t kSlots = 1024;  // packets on their way to one worker

  // `steering` must outlive it and be complete before the first packet. EAL must be running.
  // Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<Handover>> create(unsigned workers,
                                                                const port::Steering& steering);
  // EAL memory create() takes.
  [[nodiscard]] static std::uint64_t required_memory_bytes(unsigned workers);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // Whom a packet received by `self` belongs to. `view` is an IP packet, or a fragment.
  [[nodiscard]] unsigned owner_of(const packet::PacketView& view, std::uint16_t ingress_port,
                                  unsigned self) const;
  // Shares the packet; the caller's own reference stays its own.
  [[nodiscard]] bool give(unsigned to, rte_mbuf* packet);
  [[nodiscard]] bool give_datagram(unsigned to, ByteSpan datagram, const DatagramNote& note,
                                   const port::PacketMeta& meta);
  // The taker owns what it gets and frees it.
  [[nodiscard]] std::uint16_t take(unsigned worker, std::span<rte_mbuf*> burst);

 private:
  explicit Handover(const port::Steering& steering) : steering_(steering) {}

  const port::Steering& steering_;
  std::vector<rte_ring*> rings_;
  rte_mempool* datagrams_ = nullptr;
};

}  // namespace imds::pipeline
