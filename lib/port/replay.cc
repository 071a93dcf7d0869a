#include "port/replay.h"

#include <algorithm>
#include <string>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "packet_pool.h"
#include "port/packet_meta.h"
#include "replay_packets.h"

namespace imds::port {
namespace {

// Nothing to give back: the packets stay.
void keep_packets(void*, void*) {}

// What a change of an address adds to the sums over it: one's complement of the old words plus the
// new ones, in 16 bits.
std::uint32_t sum_of_change(std::uint32_t from, std::uint32_t to) {
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint32_t>(~from)} + to;
  const std::uint64_t folded = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
  return static_cast<std::uint32_t>((folded & 0xffff) + (folded >> 16));
}

// Incremental update (RFC 1624, equation 3). A stored checksum of 0 stands for none (RFC 768), and
// one that comes out as 0 is stored as its equal.
void update_checksum(std::uint8_t* at, std::uint32_t change) {
  const std::uint16_t old = load_be16(at);
  if (old == 0) {
    return;
  }
  std::uint32_t sum = static_cast<std::uint16_t>(~old) + change;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  store_be16(at, checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

}  // namespace

ReplaySource::ReplaySource() : Source(0), memory_(std::make_unique<Packets>()) {}

ReplaySource::~ReplaySource() {
  free_packets(std::span(idle_).first(idle_count_));
  rte_mempool_free(pool_);
}

Status ReplaySource::prepare(const ReplayOptions& options) {
  endless_ = options.loops == 0;
  loops_left_ = packet_count_ == 0 ? 0 : options.loops;
  if (options.rewrite) {
    next_step_ = options.rewrite->step;
    host_mask_ = host_mask(options.rewrite->clients);
  }
  auto pool = make_pool(options.mbufs, 0, PoolUse::software, SOCKET_ID_ANY);
  if (!pool) {
    return pass_on(pool);
  }
  pool_ = pool->release();
  idle_.resize(options.mbufs);
  memory_->shared.free_cb = keep_packets;
  rte_mbuf_ext_refcnt_set(&memory_->shared, 1);
  data_ = memory_->bytes.data();
  packets_ = reinterpret_cast<const Packet*>(memory_->list.data());
  return {};
}

std::uint64_t ReplaySource::memory_bytes() const {
  return memory_->bytes.size() + memory_->list.size();
}

bool ReplaySource::exhausted() const {
  return !endless_ && loops_left_ == 0;
}

// True if `wanted` mbufs are idle then.
bool ReplaySource::refill(std::size_t wanted) {
  while (idle_count_ < wanted) {
    rte_mbuf* added = rte_pktmbuf_alloc(pool_);
    if (added == nullptr) {
      return false;
    }
    rte_mbuf_ext_refcnt_update(&memory_->shared, 1);
    rte_pktmbuf_attach_extbuf(added, data_, RTE_BAD_IOVA, 0, &memory_->shared);
    idle_[idle_count_++] = added;
  }
  return true;
}

std::uint16_t ReplaySource::receive(std::span<rte_mbuf*> burst) {
  if (exhausted() || packet_count_ == 0) {
    return 0;
  }
  std::size_t count = std::min(burst.size(), packet_count_ - next_);
  if (const std::size_t wanted = count * most_segments_; idle_count_ < wanted && !refill(wanted))
      [[unlikely]] {
    count = idle_count_ / most_segments_;
  }
  idle_count_ -= count;
  std::copy_n(&idle_[idle_count_], count, burst.begin());
  const std::span<rte_mbuf*> filled = burst.first(count);
  const std::uint64_t bytes = step_ != 0 ? fill<true>(filled) : fill<false>(filled);
  next_ += count;
  stats_.received_packets.add(count);
  stats_.received_bytes.add(bytes);
  stats_.last_packet_ns.set(static_cast<std::uint64_t>(wall_clock_now().ns));
  if (next_ == packet_count_) {
    begin_next_loop();
  }
  return static_cast<std::uint16_t>(count);
}

// From what it was in the loop before.
void ReplaySource::rewrite(const Packet& packet, std::uint8_t* frame) const {
  for (const std::uint16_t at : packet.addresses_at) {
    if (at == 0) {
      continue;
    }
    const std::uint32_t from = load_be32(frame + at);
    const std::uint32_t to = (from & ~host_mask_) | ((from + step_) & host_mask_);
    store_be32(frame + at, to);
    const std::uint32_t change = sum_of_change(from, to);
    update_checksum(frame + packet.ip_checksum_at, change);
    if (packet.l4_checksum_at != 0) {
      update_checksum(frame + packet.l4_checksum_at, change);
    }
  }
}

template <bool kRewrite>
std::uint64_t ReplaySource::fill(std::span<rte_mbuf*> burst) {
  const int meta_offset = packet_meta_offset;
  std::uint8_t* const data = data_;
  const std::int64_t shift = shift_ns_;
  const Packet* packet = packets_ + next_;
  std::uint64_t bytes = 0;
  for (rte_mbuf* mbuf : burst) {
    __builtin_prefetch(data + packet[kReplayPrefetch].place * kReplayAlign, kRewrite);
    std::uint8_t* const frame = data + packet->place * kReplayAlign;
    if constexpr (kRewrite) {
      rewrite(*packet, frame);
    }
    mbuf->buf_addr = frame;
    mbuf->pkt_len = packet->length;
    const auto segment = static_cast<std::uint16_t>(std::min(packet->length, kLongestSegment));
    mbuf->data_len = segment;
    mbuf->buf_len = segment;
    PacketMeta meta = packet->meta;
    meta.timestamp_ns += shift;
    *RTE_MBUF_DYNFIELD(mbuf, meta_offset, PacketMeta*) = meta;
    if (packet->length > kLongestSegment) [[unlikely]] {
      chain(mbuf, *packet);
    }
    bytes += packet->length;
    ++packet;
  }
  return bytes;
}

// The rest of a packet too long for one mbuf: receive() has seen to it that there are enough.
void ReplaySource::chain(rte_mbuf* head, const Packet& packet) {
  std::uint8_t* const frame = data_ + packet.place * kReplayAlign;
  rte_mbuf* tail = head;
  for (std::uint32_t done = kLongestSegment; done < packet.length; done += tail->data_len) {
    rte_mbuf* const next = idle_[--idle_count_];
    const auto segment =
        static_cast<std::uint16_t>(std::min(packet.length - done, kLongestSegment));
    next->buf_addr = frame + done;
    next->data_len = segment;
    next->buf_len = segment;
    tail->next = next;
    tail = next;
    ++head->nb_segs;
  }
}

void ReplaySource::begin_next_loop() {
  next_ = 0;
  shift_ns_ += loop_ns_;
  step_ = next_step_;
  if (!endless_) {
    --loops_left_;
  }
}

void ReplaySource::release(std::span<rte_mbuf* const> burst) {
  for (rte_mbuf* mbuf : burst) {
    if (mbuf->nb_segs == 1 && rte_mbuf_refcnt_read(mbuf) == 1) [[likely]] {
      idle_[idle_count_++] = mbuf;
    } else {
      rte_pktmbuf_free(mbuf);  // comes back by the pool
    }
  }
  stats_.released_packets.add(burst.size());
}

}  // namespace imds::port
