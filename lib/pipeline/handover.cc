#include "pipeline/handover.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <type_traits>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

namespace imds::pipeline {

namespace {

static_assert(std::is_trivially_copyable_v<DatagramNote>);

// For each worker; the longest datagram takes 33.
constexpr unsigned kDatagramMbufs = 256;
constexpr std::uint16_t kDataRoom = 2048 + RTE_PKTMBUF_HEADROOM;

void share(rte_mbuf* packet, std::int16_t references) {
  for (rte_mbuf* segment = packet; segment != nullptr; segment = segment->next) {
    rte_mbuf_refcnt_update(segment, references);
  }
}

// Appends `bytes` to the chain; false: the pool is empty.
bool append(rte_mbuf* packet, rte_mbuf*& tail, ByteSpan bytes, rte_mempool* pool) {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), rte_pktmbuf_tailroom(tail));
    std::memcpy(rte_pktmbuf_mtod_offset(tail, std::uint8_t*, tail->data_len), bytes.data(), part);
    tail->data_len = static_cast<std::uint16_t>(tail->data_len + part);
    packet->pkt_len += static_cast<std::uint32_t>(part);
    bytes = bytes.subspan(part);
    if (bytes.empty()) {
      break;
    }
    rte_mbuf* next = rte_pktmbuf_alloc(pool);
    if (next == nullptr) {
      return false;
    }
    tail->next = next;
    tail = next;
    ++packet->nb_segs;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Handover>> Handover::create(unsigned workers,
                                                   const port::Steering& steering) {
  static std::atomic<unsigned> serial{0};
  const std::string number = std::to_string(serial.fetch_add(1));
  std::unique_ptr<Handover> handover(new Handover(steering));
  for (unsigned w = 0; w < workers; ++w) {
    const std::string name = "imds_handover_" + number + '_' + std::to_string(w);
    rte_ring* ring =
        rte_ring_create(name.c_str(), kSlots, SOCKET_ID_ANY, RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) {
      return fail(ErrorKind::environment, std::string("no memory for the rings between workers: ") +
                                              rte_strerror(rte_errno));
    }
    handover->rings_.push_back(ring);
  }
  const std::string name = "imds_datagrams_" + number;
  handover->datagrams_ = rte_pktmbuf_pool_create(name.c_str(), workers * kDatagramMbufs - 1, 0, 0,
                                                 kDataRoom, SOCKET_ID_ANY);
  if (handover->datagrams_ == nullptr) {
    return fail(ErrorKind::environment,
                std::string("no memory for datagrams between workers: ") + rte_strerror(rte_errno));
  }
  return handover;
}

std::uint64_t Handover::required_memory_bytes(unsigned workers) {
  if (workers < 2) {
    return 0;
  }
  // On ordinary pages each buffer may take a page.
  constexpr std::uint64_t kPage = 4096;
  constexpr std::uint64_t kRing = 2 * kSlots * sizeof(void*) + kPage;
  return workers * (kDatagramMbufs * kPage + kRing) + (std::uint64_t{1} << 20);
}

Handover::~Handover() {
  for (rte_ring* ring : rings_) {
    void* packet = nullptr;
    while (rte_ring_dequeue(ring, &packet) == 0) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
    }
    rte_ring_free(ring);
  }
  rte_mempool_free(datagrams_);
}

unsigned Handover::owner_of(const packet::PacketView& view, std::uint16_t ingress_port,
                            unsigned self) const {
  // Where the device's own choice cannot be known, what came without a tunnel is where it belongs.
  if (view.tunnel.path.count == 0 && !steering_.is_exact(ingress_port)) {
    return self;
  }
  port::FlowTuple tuple{view.source, view.destination, 0, 0, 0};
  if (!view.is_fragment) {
    tuple.protocol = view.protocol;
    tuple.source_port = view.source_port;
    tuple.destination_port = view.destination_port;
  }
  const unsigned owner = steering_.queue_of(ingress_port, tuple);
  return owner < rings_.size() ? owner : self;
}

bool Handover::give(unsigned to, rte_mbuf* packet) {
  share(packet, 1);
  if (rte_ring_mp_enqueue(rings_[to], packet) == 0) {
    return true;
  }
  share(packet, -1);
  return false;
}

bool Handover::give_datagram(unsigned to, ByteSpan datagram, const DatagramNote& note,
                             const port::PacketMeta& meta) {
  rte_mbuf* packet = rte_pktmbuf_alloc(datagrams_);
  if (packet == nullptr) {
    return false;
  }
  const ByteSpan head(reinterpret_cast<const std::uint8_t*>(&note), sizeof note);
  rte_mbuf* tail = packet;
  if (append(packet, tail, head, datagrams_) && append(packet, tail, datagram, datagrams_)) {
    port::meta(packet) = meta;
    port::meta(packet).link_type = kLinkDatagram;
    if (rte_ring_mp_enqueue(rings_[to], packet) == 0) {
      return true;
    }
  }
  rte_pktmbuf_free(packet);
  return false;
}

std::uint16_t Handover::take(unsigned worker, std::span<rte_mbuf*> burst) {
  return static_cast<std::uint16_t>(
      rte_ring_sc_dequeue_burst(rings_[worker], reinterpret_cast<void**>(burst.data()),
                                static_cast<unsigned>(burst.size()), nullptr));
}

}  // namespace imds::pipeline
