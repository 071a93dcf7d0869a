// Packet memory: sizing and making mempools. Private to the room.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/result.h"

namespace imds::port {

inline constexpr std::uint32_t kDefaultDataBytes = 2048;  // payload room of one mbuf

struct MempoolDeleter {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using MempoolPtr = std::unique_ptr<rte_mempool, MempoolDeleter>;

// Mempools waste least with 2^n - 1 objects; the smallest such number that holds `wanted`.
[[nodiscard]] std::uint32_t pool_size_for(std::uint64_t wanted);

enum class PoolUse : std::uint8_t {
  device,    // a driver may hand the buffers to hardware or to the kernel
  software,  // only the CPU touches them: may be packed across page borders
};

// Upper bound of the memory a pool takes, rings and caches included. `hugepages` false: EAL runs on
// ordinary pages, and a device's buffer must not cross one.
[[nodiscard]] std::uint64_t pool_memory_bytes(std::uint32_t mbufs, std::uint32_t data_bytes,
                                              PoolUse use, bool hugepages);

// `data_bytes` is the room for packet bytes after the headroom, at most 65407. `socket` may be
// SOCKET_ID_ANY. Fails (environment) when memory is short, saying how much is needed.
[[nodiscard]] Result<MempoolPtr> make_pool(std::uint32_t mbufs, std::uint32_t data_bytes,
                                           PoolUse use, int socket);

// mbufs of `data_bytes` room that `length` bytes need; at least 1.
[[nodiscard]] constexpr std::uint32_t segments_for(std::size_t length, std::uint32_t data_bytes) {
  return length == 0 ? 1 : static_cast<std::uint32_t>((length + data_bytes - 1) / data_bytes);
}

// DPDK's bulk calls take a mutable array they do not change.
inline void free_packets(std::span<rte_mbuf* const> packets) {
  rte_pktmbuf_free_bulk(const_cast<rte_mbuf**>(packets.data()),
                        static_cast<unsigned>(packets.size()));
}

}  // namespace imds::port
