// Where a worker's packets come from and go back to. One Source belongs to one worker thread and
// is called by no other, except port_index() and stats(), which anyone may read at any time.
// Virtual calls happen once per burst.
#pragma once

#include <cstdint>
#include <span>

#include "base/counter.h"

struct rte_mbuf;

namespace imds::port {

// Written by the owning worker only.
struct SourceStats {
  Counter received_packets;
  Counter received_bytes;
  Counter truncated_packets;    // handed out with kTruncated
  Counter released_packets;     // given back by the worker; equals received when none is in flight
  Counter transmitted_packets;  // inline: accepted by the paired port's driver
  Counter transmit_refused;     // inline: not accepted after the bounded retry, freed
  Counter last_packet_ns;       // wall clock of the last non-empty burst; 0 before the first
};

class Source {
 public:
  explicit Source(std::uint16_t port_index) : port_index_(port_index) {}
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // Takes up to burst.size() packets and returns how many; 0 is normal. Each has its PacketMeta
  // set and is owned by the caller until it is released to this same Source.
  [[nodiscard]] virtual std::uint16_t receive(std::span<rte_mbuf*> burst) = 0;

  // Ends the caller's ownership. A tap or capture frees; an inline port transmits the packets
  // unchanged and in the order given on the paired port, and frees and counts what its driver
  // does not take. Packets that must not be forwarded are given to drop() instead.
  virtual void release(std::span<rte_mbuf* const> burst) = 0;

  // Ends ownership without transmitting, on any kind of source.
  virtual void drop(std::span<rte_mbuf* const> burst) = 0;

  // True once a finite source (capture, counted replay) has handed out its last packet.
  [[nodiscard]] virtual bool exhausted() const { return false; }

  // Index of the configured port these packets belong to; 0 for captures and replay.
  [[nodiscard]] std::uint16_t port_index() const { return port_index_; }
  [[nodiscard]] const SourceStats& stats() const { return stats_; }

 protected:
  SourceStats stats_;

 private:
  std::uint16_t port_index_;
};

}  // namespace imds::port
