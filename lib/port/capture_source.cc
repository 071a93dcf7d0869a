#include <algorithm>

#include <rte_mbuf.h>

#include "base/time.h"
#include "packet_pool.h"
#include "port/capture.h"
#include "port/packet_meta.h"

namespace imds::port {
namespace {

// Several bursts of ordinary packets, and one whole burst of the longest record a capture holds
// (256 KiB, 128 mbufs).
constexpr std::uint32_t kCaptureMbufs = 16383;

}  // namespace

std::uint64_t CaptureSource::required_memory_bytes() {
  return pool_memory_bytes(kCaptureMbufs, kDefaultDataBytes, PoolUse::software, false);
}

Result<std::unique_ptr<CaptureSource>> CaptureSource::create(
    std::unique_ptr<CaptureReader> reader) {
  auto pool = make_pool(kCaptureMbufs, kDefaultDataBytes, PoolUse::software, SOCKET_ID_ANY);
  if (!pool) {
    return pass_on(pool);
  }
  return std::unique_ptr<CaptureSource>(new CaptureSource(std::move(reader), pool->release()));
}

CaptureSource::CaptureSource(std::unique_ptr<CaptureReader> reader, rte_mempool* pool)
    : Source(0), reader_(std::move(reader)), pool_(pool), stream_(reader_->is_stream()) {}

CaptureSource::~CaptureSource() {
  rte_mempool_free(pool_);
}

std::uint16_t CaptureSource::receive(std::span<rte_mbuf*> burst) {
  const std::size_t most = stream_ ? std::min<std::size_t>(burst.size(), 1) : burst.size();
  std::uint16_t count = 0;
  std::uint64_t bytes = 0;
  while (count < most && !exhausted_) {
    if (pending_ == nullptr) {
      pending_ = reader_->next();
      if (pending_ == nullptr) {
        exhausted_ = true;
        break;
      }
    }
    rte_mbuf* packet = record_to_mbuf(*pending_, pool_);
    if (packet == nullptr) {
      break;
    }
    if ((meta(packet).flags & kTruncated) != 0) {
      stats_.truncated_packets.add();
    }
    bytes += pending_->bytes.size();
    pending_ = nullptr;
    burst[count++] = packet;
  }
  if (count > 0) {
    stats_.received_packets.add(count);
    stats_.received_bytes.add(bytes);
    stats_.last_packet_ns.set(static_cast<std::uint64_t>(wall_clock_now().ns));
  }
  return count;
}

void CaptureSource::release(std::span<rte_mbuf* const> burst) {
  free_packets(burst);
  stats_.released_packets.add(burst.size());
}

}  // namespace imds::port
