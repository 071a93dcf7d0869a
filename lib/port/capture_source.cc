#include <algorithm>
#include <utility>

#include <rte_mbuf.h>

#include "base/time.h"
#include "packet_pool.h"
#include "port/capture.h"
#include "port/packet_meta.h"

namespace imds::port {
namespace {

// Many bursts of ordinary packets, a few of the longest a capture holds.
constexpr std::uint32_t kCaptureMbufs = 2047;
constexpr std::size_t kMostSegments = 5;  // of such a record (256 KiB)
constexpr std::size_t kSegmentBytes = UINT16_MAX;

// For whoever frees a packet all the same: the bytes are the reader's.
void keep_bytes(void*, void*) {}
rte_mbuf_ext_shared_info* borrowed_bytes() {
  static rte_mbuf_ext_shared_info info = [] {
    rte_mbuf_ext_shared_info made = {};
    made.free_cb = keep_bytes;
    rte_mbuf_ext_refcnt_set(&made, 1);
    return made;
  }();
  return &info;
}

void point_at(rte_mbuf* segment, ByteSpan bytes) {
  segment->buf_addr = const_cast<std::uint8_t*>(bytes.data());
  segment->buf_iova = reinterpret_cast<rte_iova_t>(bytes.data());
  segment->buf_len = static_cast<std::uint16_t>(bytes.size());
  segment->data_len = static_cast<std::uint16_t>(bytes.size());
}

}  // namespace

std::uint64_t CaptureSource::required_memory_bytes() {
  return pool_memory_bytes(kCaptureMbufs, 0, PoolUse::software, false);
}

Result<std::unique_ptr<CaptureSource>> CaptureSource::create(
    std::unique_ptr<CaptureReader> reader) {
  auto pool = make_pool(kCaptureMbufs, 0, PoolUse::software, SOCKET_ID_ANY);
  if (!pool) {
    return pass_on(pool);
  }
  std::vector<rte_mbuf*> packets(kCaptureMbufs);
  if (rte_pktmbuf_alloc_bulk(pool->get(), packets.data(), kCaptureMbufs) != 0) {
    return fail(ErrorKind::environment, "a new pool of packet buffers is not full");
  }
  // They stay as they are made here; what changes from packet to packet is where they point.
  for (rte_mbuf* packet : packets) {
    packet->shinfo = borrowed_bytes();
    packet->ol_flags = RTE_MBUF_F_EXTERNAL;
    packet->data_off = 0;
  }
  return std::unique_ptr<CaptureSource>(
      new CaptureSource(std::move(reader), pool->release(), std::move(packets)));
}

CaptureSource::CaptureSource(std::unique_ptr<CaptureReader> reader, rte_mempool* pool,
                             std::vector<rte_mbuf*> packets)
    : Source(0),
      reader_(std::move(reader)),
      pool_(pool),
      stream_(reader_->is_stream()),
      free_(std::move(packets)) {}

CaptureSource::~CaptureSource() {
  rte_mempool_free(pool_);
}

std::uint16_t CaptureSource::receive(std::span<rte_mbuf*> burst) {
  std::size_t count = 0;
  while (count < burst.size()) {
    const std::size_t more = receive_some(burst.subspan(count));
    if (more == 0) {
      break;
    }
    count += more;
  }
  if (count > 0) {
    stats_.last_packet_ns.set(static_cast<std::uint64_t>(wall_clock_now().ns));
  }
  return static_cast<std::uint16_t>(count);
}

std::size_t CaptureSource::receive_some(std::span<rte_mbuf*> burst) {
  const std::size_t most = std::min({burst.size(), kBurst, free_.size() / kMostSegments});
  if (most == 0) {
    return 0;
  }
  const std::size_t count = reader_->next(std::span(records_).first(most), held_ > 0);
  if (count == 0) {
    exhausted_ = exhausted_ || held_ == 0;
    return 0;
  }
  std::uint64_t bytes = 0;
  std::uint64_t truncated = 0;
  for (std::size_t i = 0; i < count; ++i) {
    burst[i] = packet_of(records_[i]);
    bytes += records_[i].bytes.size();
    truncated += meta(burst[i]).flags / kTruncated;
  }
  held_ += count;
  stats_.received_packets.add(count);
  stats_.received_bytes.add(bytes);
  stats_.truncated_packets.add(truncated);
  return count;
}

rte_mbuf* CaptureSource::packet_of(const CaptureRecord& record) {
  rte_mbuf* const packet = free_.back();
  free_.pop_back();
  packet->pkt_len = static_cast<std::uint32_t>(record.bytes.size());
  if (record.bytes.size() <= kSegmentBytes) [[likely]] {
    point_at(packet, record.bytes);
  } else {
    chain(packet, record.bytes);
  }
  PacketMeta& m = meta(packet);
  m.timestamp_ns = record.time.ns;
  m.original_length = record.original_length;
  m.link_type = record.link_type;
  m.flags = record.original_length > record.bytes.size() ? kTruncated : 0;
  return packet;
}

void CaptureSource::chain(rte_mbuf* packet, ByteSpan bytes) {
  rte_mbuf* tail = packet;
  point_at(tail, bytes.first(kSegmentBytes));
  while (!(bytes = bytes.subspan(tail->data_len)).empty()) {
    tail->next = free_.back();
    free_.pop_back();
    tail = tail->next;
    point_at(tail, bytes.first(std::min(bytes.size(), kSegmentBytes)));
    ++packet->nb_segs;
  }
}

void CaptureSource::release(std::span<rte_mbuf* const> burst) {
  for (rte_mbuf* packet : burst) {
    if (packet->nb_segs > 1) [[unlikely]] {
      packet->nb_segs = 1;
      for (rte_mbuf* next = std::exchange(packet->next, nullptr); next != nullptr;) {
        free_.push_back(next);
        next = std::exchange(next->next, nullptr);
      }
    }
    free_.push_back(packet);
  }
  held_ -= burst.size();
  stats_.released_packets.add(burst.size());
}

}  // namespace imds::port
