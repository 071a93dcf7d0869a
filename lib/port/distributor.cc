#include "port/distributor.h"

#include <string>
#include <utility>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#include "frame_addresses.h"
#include "packet_pool.h"
#include "port/packet_meta.h"

namespace imds::port {
namespace {

constexpr std::size_t kWords = std::size_t{UINT16_MAX} + 1;
constexpr std::size_t kPrefetchAhead = 4;

// A worker's end of its ring. Its packets left their queue for good: they are freed here.
class RingSource final : public Source {
 public:
  RingSource(std::uint16_t port_index, rte_ring* ring) : Source(port_index), ring_(ring) {}

  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    const unsigned count = rte_ring_sc_dequeue_burst(ring_, reinterpret_cast<void**>(burst.data()),
                                                     static_cast<unsigned>(burst.size()), nullptr);
    if (count == 0) {
      return 0;
    }
    std::uint64_t bytes = 0;
    std::uint64_t truncated = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (i + kPrefetchAhead < count) {
        rte_prefetch0(burst[i + kPrefetchAhead]);
      }
      bytes += burst[i]->pkt_len;
      truncated += (meta(burst[i]).flags & kTruncated) != 0 ? 1 : 0;
    }
    stats_.received_packets.add(count);
    stats_.received_bytes.add(bytes);
    stats_.truncated_packets.add(truncated);
    stats_.last_packet_ns.set(static_cast<std::uint64_t>(meta(burst[count - 1]).timestamp_ns));
    return static_cast<std::uint16_t>(count);
  }
  void release(std::span<rte_mbuf* const> burst) override {
    free_packets(burst);
    stats_.released_packets.add(burst.size());
  }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }

 private:
  rte_ring* ring_;
};

}  // namespace

Result<std::unique_ptr<Distributor>> Distributor::create(std::vector<Source*> queues,
                                                         std::uint16_t workers,
                                                         std::uint32_t slots) {
  static std::atomic<unsigned> serial{0};
  const std::string prefix = "imds_spread_" + std::to_string(serial.fetch_add(1)) + '_';
  std::unique_ptr<Distributor> made(new Distributor(std::move(queues)));
  made->port_ = made->queues_.front()->port_index();
  for (std::uint16_t w = 0; w < workers; ++w) {
    rte_ring* ring = rte_ring_create((prefix + std::to_string(w)).c_str(), slots, SOCKET_ID_ANY,
                                     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) {
      return fail(ErrorKind::environment,
                  std::string("no memory for the rings between a receive core and its workers: ") +
                      rte_strerror(rte_errno));
    }
    Lane& lane = *made->lanes_.emplace_back(std::make_unique<Lane>());
    lane.ring = ring;
    lane.source = std::make_unique<RingSource>(made->port_, ring);
  }
  made->worker_by_word_.resize(kWords);
  return made;
}

std::uint64_t Distributor::required_memory_bytes(std::uint16_t workers) {
  constexpr std::uint64_t kRing = 2 * kSlots * sizeof(void*) + 4096;  // exact size: the next power
  return workers * kRing;
}

Distributor::~Distributor() {
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    void* packet = nullptr;
    while (rte_ring_sc_dequeue(lane->ring, &packet) == 0) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
    }
    rte_ring_free(lane->ring);
  }
}

void Distributor::start(const Steering& steering) {
  steering_ = &steering;
  for (std::size_t word = 0; word < kWords; ++word) {
    const std::uint16_t worker = steering.queue_of_word(port_, static_cast<std::uint16_t>(word));
    worker_by_word_[word] =
        static_cast<std::uint8_t>(worker < workers() ? worker : std::uint16_t{0});
  }
}

Source& Distributor::source(std::uint16_t worker) const {
  return *lanes_[worker]->source;
}

std::uint16_t Distributor::worker_of(const rte_mbuf* packet) const {
  const ByteSpan frame(rte_pktmbuf_mtod(packet, const std::uint8_t*), packet->data_len);
  const auto flow = find_outer_flow(frame);
  return worker_by_word_[flow ? steering_->word_of(port_, *flow) : 0];
}

void Distributor::spread(std::span<rte_mbuf* const> burst, Source& from) {
  for (std::size_t i = 0; i < burst.size() && i < kPrefetchAhead; ++i) {
    rte_prefetch0(rte_pktmbuf_mtod(burst[i], const void*));
  }
  for (std::size_t i = 0; i < burst.size(); ++i) {
    if (i + kPrefetchAhead < burst.size()) {
      rte_prefetch0(rte_pktmbuf_mtod(burst[i + kPrefetchAhead], const void*));
    }
    Lane& lane = *lanes_[worker_of(burst[i])];
    lane.batch[lane.count++] = burst[i];
  }
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    const std::uint16_t count = std::exchange(lane->count, std::uint16_t{0});
    if (count == 0) {
      continue;
    }
    const unsigned given = rte_ring_sp_enqueue_burst(
        lane->ring, reinterpret_cast<void**>(lane->batch.data()), count, nullptr);
    lane->given.add(given);
    if (given < count) {
      lane->ring_full.add(count - given);
      from.drop(std::span<rte_mbuf* const>(lane->batch).subspan(given, count - given));
    }
  }
}

std::uint32_t Distributor::poll() {
  std::array<rte_mbuf*, kBurst> burst;
  std::uint32_t packets = 0;
  for (Source* queue : queues_) {
    const std::uint16_t count = queue->receive(burst);
    if (count != 0) {
      spread(std::span<rte_mbuf* const>(burst).first(count), *queue);
      packets += count;
    }
  }
  return packets;
}

void Distributor::run(const std::atomic<bool>& stop) {
  std::uint64_t before = rte_rdtsc();
  while (!stop.load(std::memory_order_relaxed)) {
    const std::uint32_t packets = poll();
    if (packets == 0) {
      rte_pause();
    }
    const std::uint64_t after = rte_rdtsc();
    run_cycles_.add(after - before);
    if (packets > 0) {
      busy_cycles_.add(after - before);
    }
    before = after;
  }
}

std::uint64_t Distributor::received() const {
  std::uint64_t sum = 0;
  for (const Source* queue : queues_) {
    sum += queue->stats().received_packets.get();
  }
  return sum;
}

std::uint64_t Distributor::given() const {
  std::uint64_t sum = 0;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    sum += lane->given.get();
  }
  return sum;
}

std::uint64_t Distributor::ring_full() const {
  std::uint64_t sum = 0;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    sum += lane->ring_full.get();
  }
  return sum;
}

std::uint32_t Distributor::waiting() const {
  std::uint32_t sum = 0;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    sum += rte_ring_count(lane->ring);
  }
  return sum;
}

}  // namespace imds::port
