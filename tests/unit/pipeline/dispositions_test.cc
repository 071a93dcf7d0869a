// Every packet ends in exactly one disposition, whatever it is, and goes back to its source.
#include <atomic>
#include <string>
#include <vector>

#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::kAck;
using support::kSyn;
using support::PacketBuilder;

struct Kind {
  const char* name;
  Given packet;
  Disposition disposition;
  DecodeReason reason = DecodeReason::none;
  DecodeReason anomaly = DecodeReason::none;
};

Given in_pieces(Bytes bytes, std::size_t segment_bytes) {
  Given packet = given(std::move(bytes));
  packet.segment_bytes = segment_bytes;
  return packet;
}

Given cut(const Bytes& bytes, std::size_t kept) {
  Given packet = given(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(kept)));
  packet.original_length = static_cast<std::uint32_t>(bytes.size());
  return packet;
}

Given linked(Bytes bytes, std::uint16_t link) {
  Given packet = given(std::move(bytes));
  packet.link = link;
  return packet;
}

Given stripped(Bytes bytes, std::uint16_t tci) {
  Given packet = given(std::move(bytes));
  packet.stripped_vlan = tci;
  return packet;
}

PacketBuilder v4(const char* destination = "203.0.113.7") {
  PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.1", destination);
  return builder;
}

PacketBuilder v6(const char* destination = "2001:db8::7") {
  PacketBuilder builder;
  builder.ethernet().ipv6("2001:db8::1", destination);
  return builder;
}

std::vector<Kind> tcp_kinds() {
  using enum Disposition;
  const Bytes data = tcp_data("hello, world").build();
  return {
      {"TCP payload", given(data), inspected},
      {"IPv6 TCP payload", given(v6().tcp(1, 2).payload("x").build()), inspected},
      {"SYN", given(v4().tcp(1, 2).flags(kSyn).build()), no_payload},
      {"SYN with payload", given(v4().tcp(1, 2).flags(kSyn).payload("x").build()), inspected},
      {"ACK of no known flow", given(v4().tcp(1, 2).flags(kAck).build()), no_payload},
      {"padded ACK", given(v4().tcp(1, 2).flags(kAck).pad_to(60).build()), no_payload},
      {"two VLAN tags",
       given(PacketBuilder()
                 .ethernet()
                 .vlan(7, 0x88a8)
                 .vlan(8)
                 .ipv4("10.0.0.1", "10.0.0.2")
                 .tcp(1, 2)
                 .payload("x")
                 .build()),
       inspected},
      {"VLAN stripped by the NIC", stripped(data, 100), inspected},
      {"stripped with priority", stripped(data, 0xe064), inspected},
      {"mbufs of one byte", in_pieces(data, 1), inspected},
      {"mbufs cut inside the headers", in_pieces(data, 17), inspected},
      {"payload cut by the snap length", cut(data, data.size() - 5), inspected},
      {"malformed TCP options",
       given(v4().tcp(1, 2).tcp_options({2, 40, 0, 0}).payload("x").build()), inspected,
       DecodeReason::none, DecodeReason::tcp_options},
      {"raw IP",
       linked(PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload("x").build(),
              port::kLinkRawIp),
       inspected},
      {"cooked v2",
       linked(
           PacketBuilder().cooked_v2().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload("x").build(),
           port::kLinkLinuxSll2),
       inspected},
  };
}

std::vector<Kind> other_kinds() {
  using enum Disposition;
  return {
      {"UDP", given(v4().udp(1, 2).payload("x").build()), not_inspected},
      {"UDP to an endpoint", given(v4("169.254.169.254").udp(1, 2).payload("x").build()),
       inspected},
      {"empty UDP to an endpoint", given(v4("169.254.169.254").udp(3, 2).build()), no_payload},
      {"empty UDP", given(v4().udp(1, 2).build()), no_payload},
      {"ping", given(v4().icmp(8, 0).build()), not_inspected},
      {"ping of an endpoint", given(v4("169.254.169.254").icmp(8, 0).build()), inspected},
      {"ICMPv6", given(v6().icmpv6(135, 0).build()), not_inspected},
      {"ESP", given(v4().next(50).bytes(Bytes(8)).build()), not_inspected,
       DecodeReason::ip_protocol_not_inspected},
      {"GRE keep-alive", given(v4().next(47).bytes(Bytes(8)).build()), not_inspected,
       DecodeReason::tunnel_protocol_not_inspected},
      {"ARP",
       given(PacketBuilder()
                 .ethernet()
                 .arp(1, support::kClientMac, "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
                 .build()),
       not_ip},
      {"LLDP", given(PacketBuilder().ethernet().next(0x88cc).bytes(Bytes(46)).build()), not_ip,
       DecodeReason::ethertype_not_inspected},
      {"first IPv4 fragment", given(v4().ipv4_fragment(0, true).tcp(1, 2).payload("GET /").build()),
       fragment, DecodeReason::ip_fragment},
      {"last IPv4 fragment", given(v4().ipv4_fragment(1480, false).bytes(Bytes(40)).build()),
       fragment, DecodeReason::ip_fragment},
      {"IPv6 fragment", given(v6().ipv6_fragment(0, true).tcp(1, 2).payload("GET /").build()),
       fragment, DecodeReason::ip_fragment},
  };
}

std::vector<Kind> bad_kinds() {
  using enum Disposition;
  const Bytes data = tcp_data("hello, world").build();
  const auto first = [&data](std::ptrdiff_t size) {
    return given(Bytes(data.begin(), data.begin() + size));
  };
  return {
      {"no byte at all", given({}), malformed, DecodeReason::ethernet_truncated},
      {"half an Ethernet header", first(7), malformed, DecodeReason::ethernet_truncated},
      {"half an IPv4 header", first(20), malformed, DecodeReason::ipv4_truncated},
      {"half a TCP header", first(40), not_inspected, DecodeReason::capture_truncated,
       DecodeReason::ipv4_beyond_frame},
      {"IPv4 header cut by the snap length", cut(data, 20), not_ip,
       DecodeReason::capture_truncated},
      {"TCP header cut by the snap length", cut(data, 40), not_inspected,
       DecodeReason::capture_truncated},
      {"data offset beyond the packet", given(v4().tcp(1, 2).tcp_data_offset(15).build()),
       malformed, DecodeReason::tcp_data_offset},
      {"UDP length beyond the packet", given(v4().udp(1, 2).udp_length(999).payload("x").build()),
       malformed, DecodeReason::udp_length},
      {"five VLAN tags",
       given(PacketBuilder().ethernet().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5).build()), malformed,
       DecodeReason::vlan_too_deep},
      {"version 7", given(v4().ip_version(7).tcp(1, 2).build()), malformed,
       DecodeReason::ipv4_version},
      {"unknown link type", linked(data, 147), not_ip, DecodeReason::link_type_unsupported},
      {"garbage in a chain", in_pieces(Bytes(5000, 0xff), 100), not_ip,
       DecodeReason::ethertype_not_inspected},
  };
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds = tcp_kinds();
  for (const auto& more : {other_kinds(), bad_kinds()}) {
    kinds.insert(kinds.end(), more.begin(), more.end());
  }
  return kinds;
}

TEST(Disposition, OfEachKindOfPacket) {
  for (const Kind& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    Rig rig;
    rig.run(kind.packet);
    EXPECT_EQ(rig.worker().counters().packets.get(), 1u);
    EXPECT_EQ(rig.count(kind.disposition), 1u);
    const auto wanted = [](DecodeReason here, DecodeReason reason) {
      return here != DecodeReason::none && here == reason ? 1u : 0u;
    };
    for (std::size_t r = 0; r < kDecodeReasonCount; ++r) {
      const auto reason = static_cast<DecodeReason>(r);
      EXPECT_EQ(rig.stopped(reason), wanted(kind.reason, reason)) << describe(reason).name;
      EXPECT_EQ(rig.anomalies(reason), wanted(kind.anomaly, reason)) << describe(reason).name;
    }
  }
}

TEST(Disposition, OfAllKindsInOneBurst) {
  const std::vector<Kind> kinds = all_kinds();
  ASSERT_LE(kinds.size(), kBurst);
  ListSource source;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kDispositionCount> expected{};
  for (const Kind& kind : kinds) {
    source.add(kind.packet);
    bytes += std::max<std::uint64_t>(kind.packet.bytes.size(), kind.packet.original_length);
    ++expected[static_cast<std::size_t>(kind.disposition)];
  }
  Rig rig;
  rig.run(source);
  EXPECT_EQ(rig.worker().counters().packets.get(), kinds.size());
  EXPECT_EQ(rig.worker().counters().bytes.get(), bytes);
  EXPECT_EQ(source.stats().released_packets.get(), kinds.size());
  for (std::size_t d = 0; d < kDispositionCount; ++d) {
    EXPECT_EQ(rig.count(static_cast<Disposition>(d)), expected[d])
        << describe(static_cast<Disposition>(d)).name;
  }
}

// What one burst leaves behind must not show in the next: a malformed packet in the slot of a good
// one, a short one in the slot of a long chain.
TEST(Disposition, DoesNotDependOnTheSlotsFormerPacket) {
  const std::vector<Kind> kinds = all_kinds();
  for (std::size_t shift = 1; shift < kinds.size(); ++shift) {
    Rig rig;
    ListSource source(0, static_cast<std::uint16_t>(shift));
    for (const Kind& kind : kinds) {
      source.add(kind.packet);
    }
    rig.run(source);
    std::array<std::uint64_t, kDispositionCount> expected{};
    for (const Kind& kind : kinds) {
      ++expected[static_cast<std::size_t>(kind.disposition)];
    }
    for (std::size_t d = 0; d < kDispositionCount; ++d) {
      ASSERT_EQ(rig.count(static_cast<Disposition>(d)), expected[d]) << "bursts of " << shift;
    }
  }
}

TEST(Source, NothingReceivedIsNothingDone) {
  ListSource source;
  port::Source* const sources[] = {&source};
  Rig rig;
  EXPECT_EQ(rig.worker().poll(sources), 0u);
  EXPECT_EQ(rig.worker().counters().packets.get(), 0u);
}

TEST(Source, EachGetsItsOwnPacketsBack) {
  ListSource left(0);
  ListSource right(1);
  for (int i = 0; i < 100; ++i) {
    left.add(given(tcp_data("left").build()));
    right.add(given(tcp_data("right", 50000).build()));
  }
  port::Source* const sources[] = {&left, &right};
  Rig rig;
  EXPECT_EQ(rig.worker().poll(sources), 2u * kBurst);
  EXPECT_EQ(rig.worker().poll(sources), 2u * (100 - kBurst));
  EXPECT_EQ(left.stats().released_packets.get(), 100u);
  EXPECT_EQ(right.stats().released_packets.get(), 100u);
  EXPECT_EQ(rig.disposed(), 200u);
}

// Asks the worker to stop once it has nothing left.
class LastSource final : public port::Source {
 public:
  LastSource(ListSource& packets, std::atomic<bool>& stop)
      : Source(0), packets_(packets), stop_(stop) {}
  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    stop_.store(packets_.exhausted());
    return packets_.receive(burst);
  }
  void release(std::span<rte_mbuf* const> burst) override { packets_.release(burst); }
  void drop(std::span<rte_mbuf* const> burst) override { packets_.release(burst); }

 private:
  ListSource& packets_;
  std::atomic<bool>& stop_;
};

TEST(Run, PollsUntilItIsStoppedAndKeepsTime) {
  ListSource packets;
  for (int i = 0; i < 1000; ++i) {
    packets.add(given(tcp_data("x").build()));
  }
  std::atomic<bool> stop{false};
  LastSource source(packets, stop);
  port::Source* const sources[] = {&source};
  Rig rig;
  rig.worker().run(sources, stop);
  const WorkerCounters& counters = rig.worker().counters();
  EXPECT_EQ(counters.packets.get(), 1000u);
  EXPECT_EQ(rig.disposed(), 1000u);
  EXPECT_GT(counters.busy_cycles.get(), 0u);
  EXPECT_GE(counters.run_cycles.get(), counters.busy_cycles.get());
  EXPECT_GT(counters.longest_loop_cycles.get(), 0u);
  EXPECT_LE(counters.longest_loop_cycles.get(), counters.run_cycles.get());
}

}  // namespace
}  // namespace imds::pipeline
