#include "packet_pool.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

namespace imds::port {
namespace {

constexpr std::uint32_t kCachePerLcore = 256;
// Object header and the padding that spreads objects over memory channels.
constexpr std::uint64_t kObjectOverhead = 192;
// Per-lcore caches (all RTE_MAX_LCORE of them), the pool's own structure, page rounding.
constexpr std::uint64_t kPoolOverhead = 4 << 20;

constexpr std::uint64_t kPage = 4096;

std::uint32_t cache_for(std::uint32_t mbufs) {
  return std::min(kCachePerLcore, mbufs / 4);
}

// rte_pktmbuf_pool_create() without its care for DMA, which on ordinary pages would give each
// buffer a page of its own.
rte_mempool* make_packed(const std::string& name, std::uint32_t mbufs, std::uint16_t data_room,
                         int socket) {
  MempoolPtr pool(rte_mempool_create_empty(
      name.c_str(), mbufs, static_cast<unsigned>(sizeof(rte_mbuf)) + data_room, cache_for(mbufs),
      sizeof(rte_pktmbuf_pool_private), socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG));
  if (!pool) {
    return nullptr;
  }
  rte_pktmbuf_pool_private settings = {};
  settings.mbuf_data_room_size = data_room;
  rte_pktmbuf_pool_init(pool.get(), &settings);
  if (const int populated = rte_mempool_populate_default(pool.get()); populated < 0) {
    rte_errno = -populated;
    return nullptr;
  }
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool.release();
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

}  // namespace

std::uint32_t pool_size_for(std::uint64_t wanted) {
  const std::uint64_t clamped = std::clamp<std::uint64_t>(wanted, 1, (1u << 30) - 1);
  return static_cast<std::uint32_t>(std::bit_ceil(clamped + 1) - 1);
}

std::uint64_t pool_memory_bytes(std::uint32_t mbufs, std::uint32_t data_bytes, PoolUse use,
                                bool hugepages) {
  std::uint64_t object = sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM + data_bytes + kObjectOverhead;
  if (use == PoolUse::device && !hugepages) {
    object = (object + kPage - 1) / kPage * kPage;
  }
  const std::uint64_t ring = std::bit_ceil(std::uint64_t{mbufs} + 1) * sizeof(void*);
  return object * mbufs + ring + kPoolOverhead;
}

Result<MempoolPtr> make_pool(std::uint32_t mbufs, std::uint32_t data_bytes, PoolUse use,
                             int socket) {
  static std::atomic<unsigned> serial{0};
  const std::string name = "imds_packets_" + std::to_string(serial.fetch_add(1));
  const auto data_room = static_cast<std::uint16_t>(data_bytes + RTE_PKTMBUF_HEADROOM);
  MempoolPtr pool(
      use == PoolUse::software
          ? make_packed(name, mbufs, data_room, socket)
          : rte_pktmbuf_pool_create(name.c_str(), mbufs, cache_for(mbufs), 0, data_room, socket));
  if (!pool) {
    const std::string need =
        mebibytes(pool_memory_bytes(mbufs, data_bytes, use, rte_eal_has_hugepages() != 0));
    return fail(ErrorKind::environment, "no memory for " + std::to_string(mbufs) +
                                            " packet buffers (about " + need +
                                            "): " + rte_strerror(rte_errno) +
                                            "; give DPDK more memory (hugepages, or EAL's -m)");
  }
  return pool;
}

}  // namespace imds::port
