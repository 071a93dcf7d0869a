// A receive core: takes the packets of one tap port's queues and spreads them over the workers, for
// ports that cannot do it themselves (memif, net_pcap, a NIC with one queue, ...).
//
// The choice is Steering's: the symmetric Toeplitz hash of the outermost addresses (and ports, with
// RssFields::five_tuple), so both directions of a flow reach one worker in the order they came, and
// tunnelled packets and fragments are handed on between workers as they are behind a NIC. What is
// not IP goes where the hash 0 goes.
//
// Each worker has a ring of fixed size (one producer, one consumer), and source(w) is its end. A
// full ring is a counted loss of that worker's packets only: the receive core never waits. Once it
// has stopped and the workers have emptied their rings,
//   received by the queues = Σ given(w) + Σ ring_full(w), and given(w) = received by source(w).
//
// Threads: start() before the receive core runs; poll() and run() by the receive core; source(w) by
// worker w; counters and waiting() by anyone. After create() nothing allocates.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "port/source.h"
#include "port/steering.h"

struct rte_mbuf;
struct rte_ring;

namespace imds::port {

class Distributor {
 public:
  static constexpr std::uint32_t kSlots = 2048;  // packets on their way to one worker
  static constexpr std::uint16_t kBurst = 64;

  // `queues` are taps of one port, must outlive it, and are polled by nobody else. `slots` is a
  // power of two. EAL must be running. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<Distributor>> create(std::vector<Source*> queues,
                                                                   std::uint16_t workers,
                                                                   std::uint32_t slots = kSlots);
  // EAL memory create() takes.
  [[nodiscard]] static std::uint64_t required_memory_bytes(std::uint16_t workers);
  ~Distributor();  // frees what is still on its way
  Distributor(const Distributor&) = delete;
  Distributor& operator=(const Distributor&) = delete;

  // Takes over how `steering` chooses for this port; it must outlive the distributor and choose
  // among as many queues as there are workers.
  void start(const Steering& steering);

  // One burst from each queue to the rings. Returns how many packets came.
  std::uint32_t poll();
  // Polls until `stop`.
  void run(const std::atomic<bool>& stop);

  [[nodiscard]] std::uint16_t workers() const { return static_cast<std::uint16_t>(lanes_.size()); }
  [[nodiscard]] Source& source(std::uint16_t worker) const;
  [[nodiscard]] std::span<Source* const> queues() const { return queues_; }

  [[nodiscard]] const Counter& given(std::uint16_t worker) const { return lanes_[worker]->given; }
  [[nodiscard]] const Counter& ring_full(std::uint16_t worker) const {
    return lanes_[worker]->ring_full;
  }
  // Sums over the queues and over the workers.
  [[nodiscard]] std::uint64_t received() const;
  [[nodiscard]] std::uint64_t given() const;
  [[nodiscard]] std::uint64_t ring_full() const;
  [[nodiscard]] std::uint32_t waiting() const;  // packets in the rings
  // Of run(), in TSC cycles; busy: of loops that found packets.
  [[nodiscard]] const Counter& run_cycles() const { return run_cycles_; }
  [[nodiscard]] const Counter& busy_cycles() const { return busy_cycles_; }

 private:
  // Of one worker, written by the receive core, on cache lines of its own.
  struct alignas(kCacheLine) Lane {
    rte_ring* ring = nullptr;
    std::unique_ptr<Source> source;
    Counter given;
    Counter ring_full;
    std::uint16_t count = 0;  // of this burst
    std::array<rte_mbuf*, kBurst> batch{};
  };

  explicit Distributor(std::vector<Source*> queues) : queues_(std::move(queues)) {}
  [[nodiscard]] std::uint16_t worker_of(const rte_mbuf* packet) const;
  void spread(std::span<rte_mbuf* const> burst, Source& from);

  std::vector<Source*> queues_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::uint16_t port_ = 0;
  const Steering* steering_ = nullptr;
  std::vector<std::uint8_t> worker_by_word_;  // Steering::queue_of_word() of every word
  Counter run_cycles_;
  Counter busy_cycles_;
};

}  // namespace imds::port
