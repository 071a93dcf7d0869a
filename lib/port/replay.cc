#include "port/replay.h"

#include <algorithm>
#include <string>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "packet_pool.h"
#include "port/packet_meta.h"

namespace imds::port {
namespace {

// The packets lie in memory far larger than the caches, and a NIC would have touched them already.
constexpr std::size_t kPrefetchAhead = 16;

void prefetch_header(const rte_mbuf* packet) {
  rte_prefetch0(packet);
  rte_prefetch0(&packet->next);  // the second cache line: chain and metadata
}

struct CaptureSize {
  std::uint64_t packets = 0;
  std::uint64_t mbufs = 0;
};

Status first_error(const CaptureReader& reader) {
  if (!reader.errors().empty()) {
    return tl::unexpected<Error>(reader.errors().front());
  }
  return {};
}

Result<CaptureSize> measure(const std::vector<std::string>& paths) {
  auto reader = CaptureReader::open(paths);
  if (!reader) {
    return pass_on(reader);
  }
  CaptureSize size;
  while (const CaptureRecord* record = (*reader)->next()) {
    ++size.packets;
    size.mbufs += segments_for(record->bytes.size(), kDefaultDataBytes);
  }
  if (Status s = first_error(**reader); !s) {
    return pass_on(s);
  }
  if (size.packets == 0) {
    return fail(ErrorKind::runtime, "the captures to replay hold no packets");
  }
  return size;
}

// One reference for the source itself: what the worker frees is not given back to the pool.
void keep_reference(rte_mbuf* packet) {
  for (; packet != nullptr; packet = packet->next) {
    rte_mbuf_refcnt_set(packet, static_cast<std::uint16_t>(rte_mbuf_refcnt_read(packet) + 1));
  }
}

void drop_reference(rte_mbuf* packet) {
  for (; packet != nullptr; packet = packet->next) {
    rte_mbuf_refcnt_set(packet, static_cast<std::uint16_t>(rte_mbuf_refcnt_read(packet) - 1));
  }
}

}  // namespace

Result<std::uint64_t> ReplaySource::required_memory_bytes(const std::vector<std::string>& paths) {
  auto size = measure(paths);
  if (!size) {
    return pass_on(size);
  }
  return pool_memory_bytes(pool_size_for(size->mbufs), kDefaultDataBytes, PoolUse::software, false);
}

Result<std::unique_ptr<ReplaySource>> ReplaySource::create(const std::vector<std::string>& paths,
                                                           const Options& options) {
  auto size = measure(paths);
  if (!size) {
    return pass_on(size);
  }
  auto reader = CaptureReader::open(paths);
  if (!reader) {
    return pass_on(reader);
  }
  std::unique_ptr<ReplaySource> source(new ReplaySource);
  auto pool =
      make_pool(pool_size_for(size->mbufs), kDefaultDataBytes, PoolUse::software, SOCKET_ID_ANY);
  if (!pool) {
    return pass_on(pool);
  }
  source->pool_ = pool->release();
  source->packets_.reserve(size->packets);
  while (const CaptureRecord* record = (*reader)->next()) {
    rte_mbuf* packet = record_to_mbuf(*record, source->pool_);
    if (packet == nullptr) {
      return fail(ErrorKind::runtime, "the captures to replay changed while they were read");
    }
    source->packets_.push_back(packet);
    source->bytes_ += record->bytes.size();
  }
  if (Status s = first_error(**reader); !s) {
    return pass_on(s);
  }
  const std::int64_t first = meta(source->packets_.front()).timestamp_ns;
  const std::int64_t last = meta(source->packets_.back()).timestamp_ns;
  source->loop_ns_ = std::max<std::int64_t>(last - first, 0) + 1000;
  source->endless_ = options.loops == 0;
  source->loops_left_ = options.loops;
  return source;
}

ReplaySource::~ReplaySource() {
  free_packets(packets_);
  rte_mempool_free(pool_);
}

bool ReplaySource::exhausted() const {
  return !endless_ && loops_left_ == 0;
}

std::uint16_t ReplaySource::receive(std::span<rte_mbuf*> burst) {
  if (exhausted()) {
    return 0;
  }
  const std::size_t count = std::min(burst.size(), packets_.size() - next_);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::size_t ahead = next_ + i + kPrefetchAhead; ahead < packets_.size()) {
      prefetch_header(packets_[ahead]);
    }
    rte_mbuf* packet = packets_[next_ + i];
    keep_reference(packet);
    meta(packet).timestamp_ns += step_ns_;
    bytes += packet->pkt_len;
    burst[i] = packet;
  }
  next_ += count;
  stats_.received_packets.add(count);
  stats_.received_bytes.add(bytes);
  stats_.last_packet_ns.set(static_cast<std::uint64_t>(wall_clock_now().ns));
  if (next_ == packets_.size()) {
    next_ = 0;
    step_ns_ = loop_ns_;
    if (!endless_) {
      --loops_left_;
    }
  }
  return static_cast<std::uint16_t>(count);
}

void ReplaySource::release(std::span<rte_mbuf* const> burst) {
  for (rte_mbuf* packet : burst) {
    drop_reference(packet);
  }
  stats_.released_packets.add(burst.size());
}

}  // namespace imds::port
