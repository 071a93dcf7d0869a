// One queue of one ethdev port. Private to the room.
#pragma once

#include <atomic>
#include <cstdint>

#include "port/source.h"

namespace imds::port {

class EthdevSource final : public Source {
 public:
  static constexpr std::uint16_t kNoPeer = UINT16_MAX;

  struct Queue {
    std::uint16_t port_index = 0;    // of the configured port
    std::uint16_t device = 0;        // DPDK port received from
    std::uint16_t peer = kNoPeer;    // DPDK port transmitted to; none on a tap
    std::uint16_t queue = 0;         // on both
    std::uint32_t truncated_at = 0;  // a packet this long was cut by the driver; 0: never cuts
  };

  // `running` is read once per burst; while it is false the source receives and sends nothing.
  EthdevSource(const Queue& queue, const std::atomic<bool>& running)
      : Source(queue.port_index), queue_(queue), running_(running) {}

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> burst) override;
  void release(std::span<rte_mbuf* const> burst) override;
  void drop(std::span<rte_mbuf* const> burst) override;

 private:
  void transmit(std::span<rte_mbuf* const> burst);

  Queue queue_;
  const std::atomic<bool>& running_;
};

}  // namespace imds::port
