// What inline forwarding and the counters make of packets that two workers hold.
#include <algorithm>
#include <random>

#include "pair.h"

namespace imds::pipeline {
namespace {

using support::Bytes;

Bytes request_of(const Ends& ends, unsigned client_port) {
  return ends.ip().tcp(client_port, 80).seq(1).payload(kMetadata).build();
}

// An inline port: what is released waits in a transmit ring, in its order, until the link takes it.
class InlineSource final : public port::Source {
 public:
  explicit InlineSource(ListSource& packets) : Source(0), packets_(packets) {}
  ~InlineSource() override { transmit_all(); }

  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    const std::uint16_t count = packets_.receive(burst);
    received_.insert(received_.end(), burst.begin(), burst.begin() + count);
    return count;
  }
  void release(std::span<rte_mbuf* const> burst) override {
    for (rte_mbuf* packet : burst) {
      rte_mbuf_refcnt_update(packet, 1);  // the ring's
      ring_.push_back(packet);
    }
    packets_.release(burst);
  }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  [[nodiscard]] bool exhausted() const override { return packets_.exhausted(); }

  [[nodiscard]] const std::vector<rte_mbuf*>& received() const { return received_; }
  [[nodiscard]] const std::vector<rte_mbuf*>& ring() const { return ring_; }
  std::vector<Bytes> transmit_all() {
    std::vector<Bytes> sent;
    for (rte_mbuf* packet : ring_) {
      const auto* bytes = rte_pktmbuf_mtod(packet, const std::uint8_t*);
      sent.emplace_back(bytes, bytes + packet->data_len);
      rte_pktmbuf_free(packet);
    }
    ring_.clear();
    return sent;
  }

 private:
  ListSource& packets_;
  std::vector<rte_mbuf*> received_;
  std::vector<rte_mbuf*> ring_;
};

class InlineOrder : public ::testing::TestWithParam<bool> {};

// Whether the link or the other worker is slower: packets leave in the order they came, with the
// bytes they came with, and are inspected all the same.
TEST_P(InlineOrder, HandedOverPacketsAreForwardedInTurn) {
  const bool link_is_slower = GetParam();
  constexpr unsigned kPackets = 150;  // several bursts
  ListSource packets;
  Pair pair(symmetric(2));
  InlineSource source(packets);
  const std::array<Ends, 2> ends = {ends_of(pair, 0), ends_of(pair, 1)};
  std::vector<Bytes> frames;
  unsigned given_away = 0;
  for (unsigned i = 0; i < kPackets; ++i) {
    const bool tunnelled = i % 3 != 0;
    const Bytes frame = request_of(ends[i % 2], 1024 + i);
    frames.push_back(tunnelled ? mirrored(frame) : frame);
    given_away += tunnelled && i % 2 == 1 ? 1 : 0;
    packets.add(given(frames.back()));
  }
  port::Source* const sources[] = {&source};
  while (!source.exhausted()) {
    pair.rig(0).worker().poll(sources);
    // All of the burst is with the link before the other worker has looked at any.
    ASSERT_EQ(source.ring(), source.received());
  }
  EXPECT_EQ(pair.rig(0).count(Disposition::handed_over), given_away);
  EXPECT_GT(given_away, 40u);
  const auto inspect_rest = [&] {
    while (pair.rig(1).worker().poll({}) > 0) {
    }
  };
  if (link_is_slower) {
    inspect_rest();
  }
  EXPECT_EQ(source.transmit_all(), frames);
  if (!link_is_slower) {
    inspect_rest();
  }
  EXPECT_EQ(pair.rig(0).counted().http_heads_parsed.get(), kPackets - given_away);
  EXPECT_EQ(pair.rig(1).counted().http_heads_parsed.get(), given_away);
}

INSTANTIATE_TEST_SUITE_P(SlowerIs, InlineOrder, ::testing::Bool(),
                         [](const auto& slower) { return slower.param ? "Link" : "Worker"; });

std::uint64_t sum(const auto& counters) {
  std::uint64_t total = 0;
  for (const Counter& counter : counters) {
    total += counter.get();
  }
  return total;
}

// Plain, tunnelled and cut packets of many flows, shuffled over two receivers: nothing is counted
// twice or lost, whichever worker ends up with it.
TEST(HandoverCounts, AddUpOverMixedTraffic) {
  constexpr unsigned kFlows = 120;
  std::array<ListSource, 2> sources;
  Pair pair(symmetric(2));
  std::mt19937 random(7);
  std::array<std::vector<Bytes>, 2> received;
  std::size_t packets = 0;
  const auto deliver = [&](unsigned to, const Bytes& frame) {
    received[to].push_back(frame);
    ++packets;
  };
  std::size_t tunnels = 0;
  std::size_t fragments = 0;
  for (unsigned i = 0; i < kFlows; ++i) {
    const Ends ends{"10.7.0." + std::to_string(i + 1), "203.0.113.7"};
    const Bytes frame = request_of(ends, 2000 + i);
    const unsigned anywhere = random() % 2;
    switch (i % 4) {
      case 0:  // plain: where the device puts it
        deliver(pair.owner(ends), frame);
        break;
      case 1:
        deliver(anywhere, mirrored(frame));
        ++tunnels;
        break;
      case 2:  // fragments in tunnel packets that go anywhere
        for (const Bytes& part : fragments_of(ends, segment(ends, kMetadata, 2000 + i), 24)) {
          deliver(random() % 2, mirrored(part));
          ++tunnels;
          ++fragments;
        }
        break;
      default: {  // a tunnel packet in fragments, which go one way
        const Bytes whole = mirrored(frame);
        const Ends outer{"172.16.0.1", "172.16.0.2"};
        for (const Bytes& part :
             fragments_of(outer, Bytes(whole.begin() + 34, whole.end()), 64, 17, i)) {
          deliver(anywhere, part);
          ++fragments;
        }
        ++tunnels;
      }
    }
  }
  for (unsigned w = 0; w < 2; ++w) {
    std::shuffle(received[w].begin(), received[w].end(), random);
    for (const Bytes& frame : received[w]) {
      sources[w].add(given(frame));
    }
    pair.poll(w, sources[w]);
  }
  std::uint32_t moved = 1;
  while (moved > 0) {
    moved = pair.rig(0).worker().poll({}) + pair.rig(1).worker().poll({});
  }

  std::array<std::uint64_t, 12> all{};
  enum {
    kReceived,
    kTaken,
    kHandedOver,
    kDatagrams,
    kGiven,
    kGot,
    kRefused,
    kTunnels,
    kParsed,
    kKept,
    kCompleted,
    kFragments
  };
  for (unsigned w = 0; w < 2; ++w) {
    Rig& rig = pair.rig(w);
    const WorkerCounters& c = rig.worker().counters();
    const flow::DefragmenterCounters& f = rig.worker().defragmenter().counters();
    EXPECT_EQ(c.packets.get() + c.taken_over.get(), rig.disposed());
    EXPECT_EQ(rig.count(Disposition::fragment), sum(f.fragments));
    EXPECT_EQ(f.waiting.get(), 0u);
    EXPECT_EQ(f.bytes_used.get(), 0u);
    const std::uint64_t values[] = {
        c.packets.get(),
        c.taken_over.get(),
        rig.count(Disposition::handed_over),
        c.datagrams.get(),
        c.datagrams_given.get(),
        c.datagrams_taken.get(),
        c.handover_refused.get(),
        sum(c.tunnels),
        rig.counted().http_heads_parsed.get(),
        f.fragments[static_cast<std::size_t>(flow::FragmentOutcome::kept)].get(),
        f.completed.get(),
        rig.count(Disposition::fragment)};
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] += values[i];
    }
  }
  EXPECT_EQ(all[kReceived], packets);
  EXPECT_EQ(all[kHandedOver], all[kTaken]);
  EXPECT_GT(all[kTaken], 20u);
  EXPECT_EQ(all[kGiven], all[kGot]);
  EXPECT_GT(all[kGiven], 5u);
  EXPECT_EQ(all[kRefused], 0u);
  EXPECT_EQ(all[kFragments], fragments);
  EXPECT_EQ(all[kKept], fragments);
  EXPECT_EQ(all[kCompleted], kFlows / 2);
  EXPECT_EQ(all[kDatagrams], kFlows / 2);
  EXPECT_EQ(all[kTunnels], tunnels);
  EXPECT_EQ(all[kParsed], kFlows);
}

}  // namespace
}  // namespace imds::pipeline
