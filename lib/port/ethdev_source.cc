#include "ethdev_source.h"

#include <algorithm>

#include <rte_ethdev.h>
#include <rte_pause.h>

#include "base/time.h"
#include "packet_pool.h"
#include "port/packet_meta.h"

namespace imds::port {
namespace {

// A full transmit ring drains within this many tries if the link moves at all; a worker must not
// wait longer for a peer that does not.
constexpr int kTransmitTries = 32;

}  // namespace

std::uint16_t EthdevSource::receive(std::span<rte_mbuf*> burst) {
  if (!running_.load(std::memory_order_relaxed)) {
    return 0;
  }
  const auto room = static_cast<std::uint16_t>(std::min<std::size_t>(burst.size(), UINT16_MAX));
  const std::uint16_t count = rte_eth_rx_burst(queue_.device, queue_.queue, burst.data(), room);
  if (count == 0) {
    return 0;
  }
  const std::int64_t now = wall_clock_now().ns;
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::uint32_t length = burst[i]->pkt_len;
    bytes += length;
    meta(burst[i]) = {.timestamp_ns = now,
                      .original_length = length,
                      .link_type = kLinkEthernet,
                      .flags = 0,
                      .ingress_port = 0};
  }
  if (queue_.truncated_at != 0) {
    for (std::uint16_t i = 0; i < count; ++i) {
      if (burst[i]->pkt_len >= queue_.truncated_at) {
        meta(burst[i]).flags |= kTruncated;
        stats_.truncated_packets.add();
      }
    }
  }
  stats_.received_packets.add(count);
  stats_.received_bytes.add(bytes);
  stats_.last_packet_ns.set(static_cast<std::uint64_t>(now));
  return count;
}

void EthdevSource::release(std::span<rte_mbuf* const> burst) {
  if (queue_.peer == kNoPeer) {
    free_packets(burst);
  } else {
    transmit(burst);
  }
  stats_.released_packets.add(burst.size());
}

void EthdevSource::drop(std::span<rte_mbuf* const> burst) {
  free_packets(burst);
  stats_.released_packets.add(burst.size());
}

void EthdevSource::transmit(std::span<rte_mbuf* const> burst) {
  std::span<rte_mbuf* const> rest = burst;
  if (running_.load(std::memory_order_relaxed)) {
    for (int tries = 0; !rest.empty() && tries < kTransmitTries; ++tries) {
      const auto room = static_cast<std::uint16_t>(std::min<std::size_t>(rest.size(), UINT16_MAX));
      const std::uint16_t sent =
          rte_eth_tx_burst(queue_.peer, queue_.queue, const_cast<rte_mbuf**>(rest.data()), room);
      if (sent == 0) {
        rte_pause();
      }
      rest = rest.subspan(sent);
    }
  }
  stats_.transmitted_packets.add(burst.size() - rest.size());
  if (!rest.empty()) {
    stats_.transmit_refused.add(rest.size());
    free_packets(rest);
  }
}

}  // namespace imds::port
