// Packets reach the worker their innermost flow belongs to, and every count still adds up.
#include "pipeline/handover.h"

#include <atomic>
#include <thread>

#include <rte_ethdev.h>
#include <rte_thash.h>

#include "pair.h"

namespace imds::pipeline {
namespace {

using support::Bytes;

constexpr std::uint64_t kTcpPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP;

TEST(Steering, IsWhatDevicesCompute) {
  std::array<std::uint8_t, 40> key;
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  }
  const auto words = [](const IpAddress& address, std::uint32_t* out) {
    for (std::size_t i = 0; i < address.size(); i += 4) {
      *out++ = load_be32(&address.bytes[i]);
    }
    return address.size() / 4;
  };
  const std::pair<const char*, const char*> ends[] = {{"10.0.0.1", "169.254.169.254"},
                                                      {"192.168.7.9", "8.8.4.4"},
                                                      {"2001:db8::1:2:3", "fd00:ec2::254"}};
  for (const auto& [source, destination] : ends) {
    const port::FlowTuple tuple{*IpAddress::parse(source), *IpAddress::parse(destination), 6, 40000,
                                80};
    std::array<std::uint32_t, 9> input{};
    std::size_t size = words(tuple.source, input.data());
    size += words(tuple.destination, &input[size]);
    EXPECT_EQ(port::symmetric_hash(tuple, false),
              rte_softrss(input.data(), static_cast<std::uint32_t>(size), key.data()));
    input[size++] = (40000u << 16) | 80u;
    EXPECT_EQ(port::symmetric_hash(tuple, true),
              rte_softrss(input.data(), static_cast<std::uint32_t>(size), key.data()));
    const port::FlowTuple back{tuple.destination, tuple.source, 6, 80, 40000};
    EXPECT_EQ(port::symmetric_hash(tuple, true), port::symmetric_hash(back, true));
  }
}

TEST(Steering, FollowsTheRedirectionTable) {
  port::Steering steering;
  steering.ports() = {symmetric(4), symmetric(4)};
  const port::FlowTuple tuple{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), 6, 1,
                              2};
  const std::uint32_t hash = port::symmetric_hash(tuple, false);
  steering.ports()[1].redirection[hash & 127] = 3;
  EXPECT_EQ(steering.queue_of(0, tuple), (hash & 127) % 4);
  EXPECT_EQ(steering.queue_of(1, tuple), 3);
  EXPECT_EQ(steering.queue_of(7, tuple), 0);
}

// A datagram whose fragments meet in worker 0, but which belongs to worker 1 by its ports.
TEST(Handover, DatagramGoesToItsOwner) {
  Pair pair(symmetric(2, kTcpPorts));
  Ends ends;
  unsigned client_port = 40000;
  while (pair.owner(ends, client_port) != 1) {
    ++client_port;
  }
  ListSource source(1);
  for (const Bytes& frame : fragments_of(ends, segment(ends, kMetadata, client_port), 24)) {
    source.add(given(frame));
  }
  pair.poll(0, source);
  EXPECT_TRUE(pair.rig(0).events().empty());
  EXPECT_EQ(pair.rig(0).worker().counters().datagrams_given.get(), 1u);
  pair.poll(1);
  const auto found = pair.rig(1).take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].target.view(), "/latest/meta-data/iam/info");
  EXPECT_EQ(found[1].ingress_port, 1);
  EXPECT_EQ(found[1].source.mac.to_string(), support::kClientMac);
  EXPECT_EQ(pair.rig(1).worker().counters().datagrams_taken.get(), 1u);
  EXPECT_EQ(pair.rig(1).worker().counters().packets.get(), 0u);
}

TEST(Handover, LongestDatagramArrivesWhole) {
  Pair pair(symmetric(2, kTcpPorts));
  Ends ends;
  unsigned client_port = 40000;
  while (pair.owner(ends, client_port) != 1) {
    ++client_port;
  }
  std::string request = "GET / HTTP/1.1\r\nX: " + std::string(65000, 'x');
  request += "\r\nX-aws-ec2-metadata-token: t\r\n\r\n";
  ListSource source;
  for (const Bytes& frame : fragments_of(ends, segment(ends, request, client_port), 1480)) {
    source.add(given(frame));
  }
  pair.poll(0, source);
  pair.poll(1);
  EXPECT_EQ(pair.rig(1).counted().http_heads_parsed.get(), 1u);
  EXPECT_EQ(pair.rig(1).counted().http_heads_incomplete.get(), 0u);
}

TEST(Handover, TunnelledPacketsGoToTheOwnerOfTheInnermostFlow) {
  for (const unsigned receiver : {0u, 1u}) {
    Pair pair(symmetric(2));
    const unsigned owner = 1 - receiver;
    const Ends ends = ends_of(pair, owner);
    ListSource source(1);
    source.add(given(mirrored(ends.ip().tcp(40000, 80).seq(1).payload(kMetadata).build())));
    source.add(given(mirrored(ends_of(pair, receiver).ip().udp(1, 2).payload("x").build())));
    source.add(given(Ends{}.ip().tcp(3, 80).flags(support::kSyn).build()));
    pair.poll(receiver, source);
    EXPECT_EQ(pair.rig(receiver).count(Disposition::handed_over), 1u);
    EXPECT_EQ(pair.rig(receiver).worker().counters().packets.get(), 3u);
    EXPECT_EQ(pair.rig(receiver).events(), (Events{"connection", "connection"}));
    pair.poll(owner);
    const auto found = pair.rig(owner).take();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[1].target.view(), "/latest/meta-data/iam/info");
    EXPECT_EQ(found[1].ingress_port, 1);
    EXPECT_EQ(found[1].tunnel.id, 42u);
    EXPECT_EQ(pair.rig(owner).worker().counters().taken_over.get(), 1u);
    EXPECT_EQ(pair.rig(owner).worker().counters().packets.get(), 0u);
    EXPECT_EQ(pair.rig(owner).count(Disposition::inspected), 1u);
  }
}

TEST(Handover, FragmentsInsideATunnelMeetAtTheirOwner) {
  Pair pair(symmetric(2));
  const Ends ends = ends_of(pair, 1);
  ListSource left;
  ListSource right;
  const auto frames = fragments_of(ends, segment(ends, kMetadata, 40000), 24);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    (i % 2 == 0 ? left : right).add(given(mirrored(frames[i], 50000 + static_cast<unsigned>(i))));
  }
  pair.poll(0, left);
  pair.poll(1, right);
  EXPECT_EQ(pair.rig(1).events(), (Events{"connection", std::string(kFoundMetadata)}));
  EXPECT_EQ(pair.rig(1).count(Disposition::fragment), frames.size());
}

TEST(Handover, FragmentsOfATunnelReachTheInnermostOwner) {
  Pair pair(symmetric(2));
  const Ends ends = ends_of(pair, 1);
  const Ends outer{"172.16.0.1", "172.16.0.2"};
  const Bytes whole = mirrored(ends.ip().tcp(40000, 80).seq(1).payload(kMetadata).build());
  ListSource source;
  for (const Bytes& frame : fragments_of(outer, Bytes(whole.begin() + 34, whole.end()), 48, 17)) {
    source.add(given(frame));
  }
  pair.poll(0, source);
  pair.poll(1);
  const auto found = pair.rig(1).take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].tunnel.id, 42u);
  EXPECT_EQ(pair.rig(0).worker().counters().datagrams_given.get(), 1u);
}

// Two threads, as live: every request is found once, by the owner of its flow.
TEST(Handover, BetweenRunningWorkers) {
  constexpr std::size_t kRequests = 3000;
  Pair pair(symmetric(2));
  std::vector<Ends> ends;
  for (unsigned i = 1; ends.size() < 100; ++i) {
    Ends next{"10.1.0." + std::to_string(i), "203.0.113.7"};
    if (pair.owner(next) == 1) {
      ends.push_back(std::move(next));
    }
  }
  ListSource source;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const Ends& one = ends[i % ends.size()];
    const auto client_port = static_cast<unsigned>(1024 + i);
    const Bytes frame = one.ip().tcp(client_port, 80).seq(1).payload(kMetadata).build();
    source.add(given(mirrored(frame)));
  }
  std::atomic<bool> stop{false};
  std::thread owner([&] { pair.rig(1).worker().run({}, stop); });
  pair.poll(0, source);
  stop.store(true);
  owner.join();
  pair.rig(1).worker().finish();
  pair.rig(0).worker().finish();
  const WorkerCounters& giver = pair.rig(0).worker().counters();
  EXPECT_EQ(giver.handover_refused.get() + pair.rig(0).count(Disposition::handed_over), kRequests);
  EXPECT_EQ(
      pair.rig(0).counted().http_heads_parsed.get() + pair.rig(1).counted().http_heads_parsed.get(),
      kRequests);
}

TEST(Handover, FullRingIsCountedAndTheDatagramInspectedWhereItIs) {
  Pair pair(symmetric(2, kTcpPorts));
  Ends ends;
  unsigned given_count = 0;
  unsigned client_port = 1024;
  ListSource source(0, 1);
  for (unsigned id = 0; id < 700; ++id) {
    while (pair.owner(ends, ++client_port) != 1) {
    }
    for (const Bytes& frame :
         fragments_of(ends, segment(ends, "GET / HTTP/1.1\r\n\r\n", client_port), 24, 6, id)) {
      source.add(given(frame));
    }
    ++given_count;
  }
  pair.poll(0, source);
  const WorkerCounters& giver = pair.rig(0).worker().counters();
  EXPECT_GT(giver.handover_refused.get(), 0u);
  EXPECT_EQ(giver.handover_refused.get() + giver.datagrams_given.get(), given_count);
  EXPECT_EQ(giver.datagrams.get(), giver.handover_refused.get());
  while (pair.rig(1).worker().poll({}) > 0) {
  }
  EXPECT_EQ(pair.rig(1).worker().counters().datagrams.get(), giver.datagrams_given.get());
}

TEST(Handover, WhereTheDeviceIsNotKnownPlainPacketsStay) {
  port::PortSteering kernel;
  kernel.queues = 2;
  Pair pair(kernel);
  for (unsigned w = 0; w < 2; ++w) {
    packet::PacketView view;
    view.source = *IpAddress::parse(ends_of(pair, 1 - w).source);
    view.destination = *IpAddress::parse("169.254.169.254");
    EXPECT_EQ(pair.handover().owner_of(view, 0, w), w);
    view.tunnel.path.count = 1;
    EXPECT_EQ(pair.handover().owner_of(view, 0, w), 1 - w);
  }
}

TEST(Handover, WhatIsOnTheWayAtTheEndIsInspected) {
  Pair pair(symmetric(2, kTcpPorts));
  Ends ends;
  unsigned client_port = 40000;
  while (pair.owner(ends, client_port) != 1) {
    ++client_port;
  }
  ListSource source;
  for (const Bytes& frame : fragments_of(ends, segment(ends, kMetadata, client_port), 24)) {
    source.add(given(frame));
  }
  pair.poll(0, source);
  pair.rig(0).worker().finish();
  pair.rig(1).worker().finish();
  EXPECT_EQ(pair.rig(1).events(), (Events{"connection", std::string(kFoundMetadata)}));
}

TEST(Handover, SharedPacketsAreFreedByWhoeverIsLast) {
  Pair pair(symmetric(2));
  ListSource source;
  Given packet = given(Ends{}.ip().tcp(1, 80).payload(std::string(3000, 'x')).build());
  source.add(std::move(packet));
  std::array<rte_mbuf*, 4> burst{};
  ASSERT_EQ(source.receive(burst), 1);
  rte_mbuf* const mbuf = burst[0];
  ASSERT_TRUE(pair.handover().give(1, mbuf));
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 2);
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf->next), 2);
  source.release(std::span<rte_mbuf* const>(burst).first(1));
  std::array<rte_mbuf*, 4> taken{};
  ASSERT_EQ(pair.handover().take(1, taken), 1);
  EXPECT_EQ(taken[0], mbuf);
  EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1);
  rte_pktmbuf_free(mbuf);
}

}  // namespace
}  // namespace imds::pipeline
