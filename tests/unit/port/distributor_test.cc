// A receive core: every packet reaches one worker, the same one for both directions of its flow and
// in the order it came, and what a full ring refuses is counted.
#include "port/distributor.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "port/packet_meta.h"
#include "support/eal.h"
#include "support/packet_builder.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::PacketBuilder;

constexpr std::uint16_t kWorkers = 3;

// A queue that hands out packets of its own pool, numbered in their time stamps, and fails the test
// if one does not come back to the pool.
class Queue final : public Source {
 public:
  static constexpr unsigned kMbufs = 8191;

  explicit Queue(std::uint16_t port_index = 0) : Source(port_index) {
    static unsigned serial = 0;
    pool_ = rte_pktmbuf_pool_create(("queue_" + std::to_string(serial++)).c_str(), kMbufs, 0, 0,
                                    RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
    EXPECT_NE(pool_, nullptr);
  }
  ~Queue() override {
    EXPECT_EQ(rte_mempool_avail_count(pool_), kMbufs) << "packets were not given back";
    rte_mempool_free(pool_);
  }

  void add(Bytes frame) { frames_.push_back(std::move(frame)); }
  [[nodiscard]] std::size_t left() const { return frames_.size() - next_; }

  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    std::uint16_t count = 0;
    for (; count < burst.size() && left() > 0; ++count, ++next_) {
      const Bytes& frame = frames_[next_];
      rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
      char* const room = rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size()));
      std::copy(frame.begin(), frame.end(), room);
      meta(packet) = {.timestamp_ns = static_cast<std::int64_t>(next_),
                      .original_length = packet->pkt_len};
      stats_.received_bytes.add(frame.size());
      burst[count] = packet;
    }
    stats_.received_packets.add(count);
    return count;
  }
  void release(std::span<rte_mbuf* const> burst) override {
    for (rte_mbuf* packet : burst) {
      rte_pktmbuf_free(packet);
    }
    stats_.released_packets.add(burst.size());
  }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }

 private:
  rte_mempool* pool_ = nullptr;
  std::vector<Bytes> frames_;
  std::size_t next_ = 0;
};

Steering by_software(std::uint16_t workers, std::uint64_t types = 0) {
  Steering steering;
  steering.ports().push_back(
      {.queues = workers, .exact = true, .rss_types = types, .redirection = {}});
  return steering;
}

struct Taken {
  Bytes bytes;
  std::int64_t number = 0;
};

// Everything worker `w` finds, given back.
std::vector<Taken> take(Distributor& distributor, std::uint16_t w) {
  std::vector<Taken> out;
  Source& source = distributor.source(w);
  std::array<rte_mbuf*, 48> burst;
  while (const std::uint16_t count = source.receive(burst)) {
    for (std::uint16_t i = 0; i < count; ++i) {
      const auto* bytes = rte_pktmbuf_mtod(burst[i], const std::uint8_t*);
      out.push_back({{bytes, bytes + burst[i]->data_len}, meta(burst[i]).timestamp_ns});
    }
    source.release(std::span<rte_mbuf* const>(burst).first(count));
  }
  return out;
}

class DistributorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    support::start_eal();
    ASSERT_TRUE(register_packet_meta());
  }
  static std::unique_ptr<Distributor> make(Queue& queue, std::uint16_t workers = kWorkers,
                                           std::uint32_t slots = Distributor::kSlots) {
    auto made = Distributor::create({&queue}, workers, slots);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  // The worker that gets a packet.
  static std::uint16_t worker_of(const Steering& steering, const Bytes& frame) {
    Queue queue;
    auto distributor = make(queue);
    distributor->start(steering);
    queue.add(frame);
    EXPECT_EQ(distributor->poll(), 1u);
    std::uint16_t found = UINT16_MAX;
    for (std::uint16_t w = 0; w < kWorkers; ++w) {
      if (take(*distributor, w).size() == 1) {
        found = w;
      }
    }
    return found;
  }
};

std::string address(unsigned i) {
  return "10.1." + std::to_string(i / 250) + '.' + std::to_string(1 + i % 250);
}

Bytes tcp(const std::string& from, unsigned from_port, const std::string& to, unsigned to_port) {
  PacketBuilder builder;
  return builder.ethernet().ip(from, to).tcp(from_port, to_port).payload("x").build();
}

TEST_F(DistributorTest, EveryPacketReachesOneWorkerInOrderBothDirectionsTheSame) {
  constexpr unsigned kFlows = 200;
  constexpr unsigned kPackets = 3000;
  const Steering steering = by_software(kWorkers);
  Queue queue;
  auto distributor = make(queue);
  distributor->start(steering);
  std::mt19937 random(1);
  std::vector<unsigned> flow_of;
  for (unsigned i = 0; i < kPackets; ++i) {
    const unsigned flow = random() % kFlows;
    flow_of.push_back(flow);
    const std::string client = address(flow);
    queue.add(random() % 2 == 0 ? tcp(client, 40000 + flow, "203.0.113.7", 80)
                                : tcp("203.0.113.7", 80, client, 40000 + flow));
  }
  std::map<unsigned, std::uint16_t> worker_of_flow;
  std::vector<unsigned> seen(kPackets);
  std::array<std::int64_t, kWorkers> newest;
  newest.fill(-1);
  const auto take_all = [&] {
    for (std::uint16_t w = 0; w < kWorkers; ++w) {
      for (const Taken& packet : take(*distributor, w)) {
        ++seen[static_cast<std::size_t>(packet.number)];
        EXPECT_GT(packet.number, newest[w]);
        newest[w] = packet.number;
        const unsigned flow = flow_of[static_cast<std::size_t>(packet.number)];
        EXPECT_EQ(worker_of_flow.try_emplace(flow, w).first->second, w) << "flow " << flow;
      }
    }
  };
  while (queue.left() > 0) {
    distributor->poll();
    if (random() % 4 == 0) {
      take_all();
    }
  }
  take_all();
  EXPECT_THAT(seen, ::testing::Each(1u));
  EXPECT_EQ(distributor->waiting(), 0u);
  EXPECT_EQ(distributor->received(), kPackets);
  EXPECT_EQ(distributor->given(), kPackets);
  EXPECT_EQ(distributor->ring_full(), 0u);
  for (std::uint16_t w = 0; w < kWorkers; ++w) {
    const SourceStats& stats = distributor->source(w).stats();
    EXPECT_EQ(stats.received_packets.get(), distributor->given(w).get());
    EXPECT_EQ(stats.released_packets.get(), stats.received_packets.get());
    EXPECT_GT(stats.received_packets.get(), kPackets / kWorkers / 3) << "worker " << w;
    EXPECT_EQ(distributor->source(w).port_index(), 0);
  }
}

TEST_F(DistributorTest, ChoosesAsSteeringSays) {
  Steering steering = by_software(kWorkers, RTE_ETH_RSS_NONFRAG_IPV4_TCP);
  steering.ports()[0].redirection = {0, 1, 2, 2, 1, 0, 2, 1};
  for (unsigned i = 0; i < 50; ++i) {
    const FlowTuple tuple{*IpAddress::parse(address(i)), *IpAddress::parse("203.0.113.7"), 6,
                          static_cast<std::uint16_t>(1024 + i), 80};
    EXPECT_EQ(worker_of(steering, tcp(address(i), 1024 + i, "203.0.113.7", 80)),
              steering.queue_of(0, tuple));
  }
}

// By addresses alone fragments stay with the rest; with ports they are hashed as a NIC does, and
// handed over later. Tags, options and extension headers change nothing.
TEST_F(DistributorTest, LooksPastTagsOptionsAndExtensions) {
  constexpr std::uint64_t kPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
  for (const std::uint64_t types : {std::uint64_t{0}, kPorts}) {
    const Steering steering = by_software(kWorkers, types);
    for (unsigned port = 1024; port < 1040; ++port) {
      const auto v4 = [&] {
        PacketBuilder builder;
        builder.ethernet();
        return builder;
      };
      const Bytes plain = v4().ipv4("10.0.0.1", "10.0.0.2").tcp(port, 80).payload("x").build();
      const std::uint16_t worker = worker_of(steering, plain);
      EXPECT_EQ(worker_of(steering,
                          v4().vlan(5).vlan(6).ipv4("10.0.0.1", "10.0.0.2").tcp(port, 80).build()),
                worker);
      EXPECT_EQ(
          worker_of(
              steering,
              v4().ipv4("10.0.0.2", "10.0.0.1").ipv4_options(Bytes(8, 1)).tcp(80, port).build()),
          worker);
      const Bytes v6 = v4().ipv6("2001:db8::1", "2001:db8::2").tcp(port, 80).build();
      EXPECT_EQ(
          worker_of(
              steering,
              v4().ipv6("2001:db8::2", "2001:db8::1").ipv6_extension(60).tcp(80, port).build()),
          worker_of(steering, v6));
      const Bytes first =
          v4().ipv4("10.0.0.1", "10.0.0.2").ipv4_fragment(0, true).tcp(port, 80).build();
      const FlowTuple addresses{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2")};
      EXPECT_EQ(worker_of(steering, first), steering.queue_of(0, addresses));
    }
  }
}

TEST_F(DistributorTest, WhatIsNoIpOrCutShortGoesToOneWorker) {
  const Steering steering = by_software(kWorkers);
  const Bytes whole = tcp("10.0.0.1", 1024, "10.0.0.2", 80);
  const std::uint16_t worker = steering.queue_of_word(0, 0);
  for (const std::size_t size : {0u, 1u, 13u, 14u, 20u, 33u}) {
    EXPECT_EQ(worker_of(steering, Bytes(whole.begin(), whole.begin() + size)), worker) << size;
  }
  EXPECT_EQ(worker_of(steering, Bytes(60, 0xff)), worker);
}

TEST_F(DistributorTest, AFullRingLosesItsOwnPacketsOnlyAndCountsThem) {
  constexpr std::uint32_t kSlots = 64;
  constexpr unsigned kEach = 200;
  const Steering steering = by_software(2);
  // One flow for each worker.
  std::array<Bytes, 2> frames;
  for (unsigned i = 0; frames[0].empty() || frames[1].empty(); ++i) {
    const FlowTuple tuple{*IpAddress::parse(address(i)), *IpAddress::parse("203.0.113.7")};
    frames[steering.queue_of(0, tuple)] = tcp(address(i), 1024, "203.0.113.7", 80);
  }
  Queue queue;
  auto distributor = make(queue, 2, kSlots);
  distributor->start(steering);
  for (unsigned i = 0; i < kEach; ++i) {
    queue.add(frames[0]);
    queue.add(frames[1]);
  }
  // Worker 1 is slow: it takes nothing until the end.
  std::size_t first = 0;
  while (queue.left() > 0) {
    distributor->poll();
    first += take(*distributor, 0).size();
  }
  EXPECT_EQ(first, kEach);
  EXPECT_EQ(distributor->ring_full(0).get(), 0u);
  EXPECT_EQ(distributor->ring_full(1).get(), kEach - kSlots);
  EXPECT_EQ(distributor->waiting(), kSlots);
  EXPECT_EQ(distributor->received(), distributor->given() + distributor->ring_full());
  EXPECT_EQ(queue.stats().released_packets.get(), kEach - kSlots) << "those dropped";
  // The oldest are kept.
  const std::vector<Taken> kept = take(*distributor, 1);
  ASSERT_EQ(kept.size(), kSlots);
  EXPECT_EQ(kept.front().number, 1);
  EXPECT_EQ(kept.back().number, 2 * kSlots - 1);
}

TEST_F(DistributorTest, FreesWhatNobodyTook) {
  const Steering steering = by_software(kWorkers);
  Queue queue;  // checks that its pool is whole again
  {
    auto distributor = make(queue);
    distributor->start(steering);
    for (unsigned i = 0; i < 100; ++i) {
      queue.add(tcp(address(i), 1024, "203.0.113.7", 80));
    }
    while (queue.left() > 0) {
      distributor->poll();
    }
    EXPECT_EQ(distributor->waiting(), 100u);
  }
}

TEST_F(DistributorTest, ReadsAllQueuesOfItsPort) {
  const Steering steering = by_software(kWorkers);
  Queue one;
  Queue two;
  auto distributor = std::move(*Distributor::create({&one, &two}, kWorkers));
  distributor->start(steering);
  for (unsigned i = 0; i < 10; ++i) {
    one.add(tcp(address(i), 1024, "203.0.113.7", 80));
    two.add(tcp(address(i), 1025, "203.0.113.7", 80));
  }
  EXPECT_EQ(distributor->poll(), 20u);
  EXPECT_EQ(distributor->received(), 20u);
  EXPECT_EQ(distributor->waiting(), 20u);
}

// The receive core and the workers at once; when all have stopped nothing is in flight.
TEST_F(DistributorTest, ThreadsLoseNothing) {
  constexpr unsigned kPackets = 4000;
  const Steering steering = by_software(kWorkers);
  Queue queue;
  auto distributor = make(queue, kWorkers, 4096);
  distributor->start(steering);
  for (unsigned i = 0; i < kPackets; ++i) {
    queue.add(tcp(address(i % 300), 1024, "203.0.113.7", 80));
  }
  std::atomic<bool> stop_receiving{false};
  std::atomic<bool> stop_workers{false};
  std::array<std::size_t, kWorkers> taken{};
  std::thread receive_core([&] { distributor->run(stop_receiving); });
  std::vector<std::thread> workers;
  for (std::uint16_t w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      while (!stop_workers.load()) {
        taken[w] += take(*distributor, w).size();
      }
    });
  }
  while (distributor->received() < kPackets) {
    std::this_thread::yield();
  }
  stop_receiving.store(true);
  receive_core.join();
  stop_workers.store(true);
  std::size_t all = 0;
  for (std::uint16_t w = 0; w < kWorkers; ++w) {
    workers[w].join();
    all += taken[w] + take(*distributor, w).size();
  }
  EXPECT_EQ(all, kPackets);
  EXPECT_EQ(distributor->given(), kPackets);
  EXPECT_EQ(distributor->waiting(), 0u);
  EXPECT_GT(distributor->busy_cycles().get(), 0u);
  EXPECT_GE(distributor->run_cycles().get(), distributor->busy_cycles().get());
}

}  // namespace
}  // namespace imds::port
