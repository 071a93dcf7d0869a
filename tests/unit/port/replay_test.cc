#include "port/replay.h"

#include <array>
#include <filesystem>
#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "packet_bytes.h"
#include "port/packet_meta.h"
#include "support/eal.h"
#include "support/packet_builder.h"
#include "support/packet_builder_tunnels.h"
#include "support/pcap_writer.h"
#include "temp_folder.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::PcapWriter;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::int64_t kStart = 1'700'000'000'000'000'000;

Bytes tcp(const char* source, const char* destination) {
  return PacketBuilder().ethernet().ip(source, destination).tcp(40000, 80).payload("GET /").build();
}
Bytes udp(const char* source, const char* destination) {
  return PacketBuilder()
      .ethernet()
      .vlan(7)
      .ip(source, destination)
      .udp(4000, 53)
      .payload("?")
      .build();
}

IpPrefix prefix(const char* text) {
  return *IpPrefix::parse(text);
}

// One's complement sum of 16-bit words (RFC 1071), without the final complement.
std::uint32_t folded_sum(const Bytes& bytes, std::size_t begin, std::size_t end,
                         std::uint32_t sum) {
  for (std::size_t i = begin; i < end; ++i) {
    sum += (i - begin) % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

class ReplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    support::start_eal();
    ASSERT_TRUE(register_packet_meta());
  }

  // A packet of each size, one microsecond apart.
  void write(const std::vector<std::size_t>& sizes, support::PcapOptions options = {}) {
    PcapWriter writer(path_, options);
    std::int64_t ns = kStart;
    for (std::size_t size : sizes) {
      writer.write(Timestamp{ns}, pattern(size));
      ns += 1'000;
    }
  }
  std::unique_ptr<ReplaySource> captured(std::uint64_t loops) {
    auto queues = ReplaySource::from_captures({path_}, {.loops = loops});
    EXPECT_TRUE(queues) << queues.error().to_string();
    EXPECT_EQ(queues->size(), 1u);
    return std::move(queues->front());
  }

  static ReplaySource::Queues made(const std::vector<Bytes>& frames, const ReplayOptions& options) {
    auto queues = ReplaySource::from_frames(
        [&frames](const ReplaySource::EmitFrame& emit) {
          std::int64_t ns = kStart;
          for (const Bytes& frame : frames) {
            emit(Timestamp{ns}, frame);
            ns += 1'000;
          }
        },
        options);
    EXPECT_TRUE(queues) << queues.error().to_string();
    return std::move(*queues);
  }

  // The packets of one loop.
  static std::vector<Bytes> loop_of(ReplaySource& source) {
    std::vector<Bytes> out;
    std::array<rte_mbuf*, 3> burst{};
    while (out.size() < source.packets()) {
      const std::uint16_t count = source.receive(burst);
      for (std::uint16_t i = 0; i < count; ++i) {
        out.push_back(bytes_of(burst[i]));
      }
      source.release(std::span(burst).first(count));
    }
    return out;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("a.pcap");
};

TEST_F(ReplayTest, HandsOutTheSamePacketsEveryLoopLater) {
  write({60, 5000, 70});
  auto source = captured(3);
  EXPECT_EQ(source->packets(), 3u);
  EXPECT_EQ(source->bytes(), 5130u);
  std::array<rte_mbuf*, 2> burst{};
  std::vector<std::size_t> lengths;
  std::vector<std::int64_t> times;
  while (!source->exhausted()) {
    const std::uint16_t count = source->receive(burst);
    for (std::uint16_t i = 0; i < count; ++i) {
      lengths.push_back(bytes_of(burst[i]).size());
      times.push_back(meta(burst[i]).timestamp_ns - kStart);
      EXPECT_EQ(burst[i]->pkt_len, lengths.back());
      EXPECT_EQ(meta(burst[i]).original_length, lengths.back());
      EXPECT_EQ(meta(burst[i]).link_type, kLinkEthernet);
    }
    source->release(std::span(burst).first(count));
  }
  EXPECT_THAT(lengths, ElementsAre(60, 5000, 70, 60, 5000, 70, 60, 5000, 70));
  EXPECT_THAT(times, ElementsAre(0, 1'000, 2'000, 3'000, 4'000, 5'000, 6'000, 7'000, 8'000));
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_EQ(source->stats().received_packets.get(), 9u);
  EXPECT_EQ(source->stats().received_bytes.get(), 3u * 5130u);
  EXPECT_EQ(source->stats().released_packets.get(), 9u);
}

TEST_F(ReplayTest, ManyPacketsOfAllSizesKeepTheirBytes) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size < 2'000; ++size) {
    sizes.push_back(size * 31 % 9'001);
  }
  sizes.push_back(0);
  write(sizes);
  auto source = captured(0);
  for (int loop = 0; loop < 2; ++loop) {
    const auto packets = loop_of(*source);
    ASSERT_EQ(packets.size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      ASSERT_EQ(packets[i], pattern(sizes[i])) << i;
    }
  }
}

TEST_F(ReplayTest, PacketsLongerThanAnMbufCanBeAreChained) {
  const std::vector<std::size_t> sizes = {60, 65'535, 65'536, 200'000, 60};
  write(sizes);
  auto source = captured(0);
  for (int loop = 0; loop < 3; ++loop) {
    const auto packets = loop_of(*source);
    ASSERT_EQ(packets.size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_EQ(packets[i], pattern(sizes[i])) << i;
    }
  }
  std::array<rte_mbuf*, 5> burst{};
  ASSERT_EQ(source->receive(burst), 5);
  EXPECT_EQ(burst[1]->nb_segs, 1);
  EXPECT_EQ(burst[3]->nb_segs, 4);
  EXPECT_EQ(burst[3]->pkt_len, 200'000u);
  source->release(burst);
}

TEST_F(ReplayTest, KeepsWhatACaptureCut) {
  support::PcapOptions options;
  options.snap_length = 100;
  write({60, 400}, options);
  auto source = captured(1);
  std::array<rte_mbuf*, 2> burst{};
  ASSERT_EQ(source->receive(burst), 2);
  EXPECT_EQ(meta(burst[0]).flags, 0);
  EXPECT_EQ(burst[1]->pkt_len, 100u);
  EXPECT_EQ(meta(burst[1]).original_length, 400u);
  EXPECT_EQ(meta(burst[1]).flags, kTruncated);
  source->release(burst);
}

TEST_F(ReplayTest, SurvivesAWorkerThatFreesInsteadOfReleasing) {
  write({60, 5000, 100'000});
  auto source = captured(0);
  std::array<rte_mbuf*, 3> burst{};
  for (int loop = 0; loop < 5'000; ++loop) {
    ASSERT_EQ(source->receive(burst), 3);
    ASSERT_EQ(bytes_of(burst[1]), pattern(5000));
    rte_pktmbuf_free_bulk(burst.data(), 3);
    EXPECT_FALSE(source->exhausted());
  }
}

TEST_F(ReplayTest, AnMbufSomeoneElseStillHoldsIsNotHandedOutAgain) {
  write({60, 61});
  auto source = captured(0);
  std::array<rte_mbuf*, 1> burst{};
  ASSERT_EQ(source->receive(burst), 1);
  rte_mbuf* const held = burst[0];
  rte_mbuf_refcnt_update(held, 1);
  source->release(burst);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(source->receive(burst), 1);
    EXPECT_NE(burst[0], held);
    source->release(burst);
  }
  EXPECT_EQ(bytes_of(held), pattern(60));
  rte_pktmbuf_free(held);
}

TEST_F(ReplayTest, WithoutMbufsLeftNoneComeAndNoneAreLost) {
  auto queues =
      made({tcp("10.0.0.1", "192.0.2.1"), udp("10.0.0.2", "192.0.2.1")}, {.loops = 0, .mbufs = 15});
  ReplaySource& source = *queues.front();
  std::vector<rte_mbuf*> held;
  std::array<rte_mbuf*, 2> burst{};
  while (const std::uint16_t count = source.receive(burst)) {
    held.insert(held.end(), burst.begin(), burst.begin() + count);
  }
  EXPECT_EQ(held.size(), 15u);
  source.release(held);
  ASSERT_EQ(source.receive(burst), 1);
  EXPECT_EQ(bytes_of(burst[0]), udp("10.0.0.2", "192.0.2.1"));
  source.release(std::span(burst).first(1));
}

TEST_F(ReplayTest, BothDirectionsOfAFlowAreInOneQueue) {
  std::vector<Bytes> frames;
  for (unsigned i = 0; i < 200; ++i) {
    const std::string host = (i % 2 == 0 ? "10.0.0." : "2001:db8::") + std::to_string(i + 1);
    const char* const server = i % 2 == 0 ? "198.51.100.7" : "2001:db8:1::7";
    frames.push_back(tcp(host.c_str(), server));
    frames.push_back(tcp(server, host.c_str()));
    frames.push_back(udp(host.c_str(), server));
    if (i % 2 == 0) {
      frames.push_back(PacketBuilder()
                           .ethernet()
                           .ipv4(host, server)
                           .ipv4_fragment(185, false)
                           .payload("rest")
                           .build());
    }
  }
  auto queues = made(frames, {.loops = 0, .queues = 3});
  ASSERT_THAT(queues, SizeIs(3));
  const auto name = [](const Bytes& frame) { return std::string(frame.begin(), frame.end()); };
  std::map<std::string, std::size_t> queue_of;
  std::size_t packets = 0;
  for (std::size_t q = 0; q < queues.size(); ++q) {
    EXPECT_GT(queues[q]->packets(), frames.size() / 6);
    packets += queues[q]->packets();
    for (const Bytes& frame : loop_of(*queues[q])) {
      queue_of[name(frame)] = q;
    }
  }
  EXPECT_EQ(packets, frames.size());
  std::size_t at = 0;
  for (unsigned i = 0; i < 200; ++i) {
    const std::size_t queue = queue_of.at(name(frames[at]));
    for (const unsigned end = i % 2 == 0 ? 4 : 3, first = at; at < first + end; ++at) {
      EXPECT_EQ(queue_of.at(name(frames[at])), queue) << at;
    }
  }
}

TEST_F(ReplayTest, LoopsOfAllQueuesTakeTheSameTime) {
  auto queues = made({tcp("10.0.0.1", "192.0.2.1"), tcp("10.0.0.2", "192.0.2.1"),
                      tcp("10.0.0.3", "192.0.2.1"), tcp("10.0.0.4", "192.0.2.1")},
                     {.loops = 2, .queues = 2});
  for (const auto& queue : queues) {
    ASSERT_GT(queue->packets(), 0u);
    std::array<rte_mbuf*, 1> burst{};
    ASSERT_EQ(queue->receive(burst), 1);
    const std::int64_t first = meta(burst[0]).timestamp_ns;
    queue->release(burst);
    for (std::size_t i = 0; i < queue->packets(); ++i) {
      ASSERT_EQ(queue->receive(burst), 1);
      queue->release(burst);
    }
    EXPECT_EQ(meta(burst[0]).timestamp_ns - first, 4'000);
  }
}

TEST_F(ReplayTest, AQueueWithoutPacketsHasNone) {
  auto queues = made({tcp("10.0.0.1", "192.0.2.1")}, {.loops = 1, .queues = 2});
  const std::size_t empty = queues[0]->packets() == 0 ? 0 : 1;
  std::array<rte_mbuf*, 1> burst{};
  EXPECT_EQ(queues[empty]->receive(burst), 0);
  EXPECT_TRUE(queues[empty]->exhausted());
  EXPECT_FALSE(queues[1 - empty]->exhausted());
}

TEST_F(ReplayTest, RewritingGivesEveryLoopOtherClients) {
  const std::vector<Bytes> frames = {
      tcp("10.8.1.2", "192.0.2.1"),  tcp("192.0.2.1", "10.8.1.2"),
      udp("10.8.1.3", "192.0.2.1"),  udp("10.10.1.3", "192.0.2.1"),
      tcp("10.8.0.1", "10.9.255.2"), tcp("2001:db8::1", "2001:db8::2")};
  auto queues = made(frames, {.loops = 0, .rewrite = ReplayRewrite{prefix("10.8.0.0/15"), 0xc001}});
  ReplaySource& source = *queues.front();
  struct Clients {
    const char *first, *second, *third, *fourth;
  };
  // 10.10.0.0/16 is no client's.
  for (const Clients& c : {Clients{"10.8.1.2", "10.8.1.3", "10.8.0.1", "10.9.255.2"},
                           Clients{"10.8.193.3", "10.8.193.4", "10.8.192.2", "10.8.191.3"},
                           Clients{"10.9.129.4", "10.9.129.5", "10.9.128.3", "10.9.127.4"},
                           Clients{"10.8.65.5", "10.8.65.6", "10.8.64.4", "10.8.63.5"}}) {
    EXPECT_THAT(loop_of(source), ElementsAre(tcp(c.first, "192.0.2.1"), tcp("192.0.2.1", c.first),
                                             udp(c.second, "192.0.2.1"), frames[3],
                                             tcp(c.third, c.fourth), frames[5]));
  }
}

// One of them has a checksum that comes out as 0, and one had it before.
TEST_F(ReplayTest, RewrittenChecksumsAreRightForAllAddresses) {
  auto queues = made({tcp("10.0.0.0", "192.0.2.1"), udp("10.0.0.0", "192.0.2.1")},
                     {.loops = 0, .rewrite = ReplayRewrite{prefix("10.0.0.0/8"), 1}});
  for (std::uint32_t loop = 0; loop < 70'000; ++loop) {
    const auto frames = loop_of(*queues.front());
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t ip = i == 0 ? 14 : 18;
      ASSERT_EQ(load_be32(&frames[i][ip + 12]), 0x0a000000 + loop);
      ASSERT_EQ(folded_sum(frames[i], ip, ip + 20, 0), 0xffff) << loop;
      const auto length = static_cast<std::uint32_t>(frames[i].size() - ip - 20);
      const std::uint32_t protocol = i == 0 ? 6 : 17;
      ASSERT_EQ(folded_sum(frames[i], ip + 12, frames[i].size(), length + protocol), 0xffff)
          << loop;
    }
  }
}

TEST_F(ReplayTest, RewritingReachesIntoTunnels) {
  const auto tunnelled = [](const char* client) {
    return PacketBuilder()
        .ethernet()
        .ipv4("192.0.2.8", "192.0.2.9")
        .udp(50000, 4789)
        .tunnel(support::vxlan(5))
        .ethernet()
        .ipv4(client, "198.51.100.1")
        .tcp(40000, 80)
        .payload("GET /")
        .build();
  };
  Bytes frame = tunnelled("10.0.0.1");
  const std::size_t outer_checksum = 14 + 20 + 6;
  const auto without_checksum = [](Bytes frame) {
    frame[outer_checksum] = frame[outer_checksum + 1] = 0;
    return frame;
  };
  auto queues = made({without_checksum(frame)},
                     {.loops = 0, .rewrite = ReplayRewrite{prefix("10.0.0.0/8"), 256}});
  EXPECT_THAT(loop_of(*queues.front()), ElementsAre(without_checksum(frame)));
  EXPECT_THAT(loop_of(*queues.front()), ElementsAre(without_checksum(tunnelled("10.0.1.1"))));
  EXPECT_THAT(loop_of(*queues.front()), ElementsAre(without_checksum(tunnelled("10.0.2.1"))));
}

TEST_F(ReplayTest, RewritingLeavesAnAbsentUdpChecksumAbsent) {
  Bytes frame = udp("10.0.0.1", "192.0.2.1");
  const std::size_t checksum = 14 + 4 + 20 + 6;
  frame[checksum] = frame[checksum + 1] = 0;
  auto queues =
      made({frame}, {.loops = 0, .rewrite = ReplayRewrite{prefix("10.0.0.0/8"), 1 << 16}});
  Bytes expected = udp("10.1.0.1", "192.0.2.1");
  expected[checksum] = expected[checksum + 1] = 0;
  EXPECT_THAT(loop_of(*queues.front()), ElementsAre(frame));
  EXPECT_THAT(loop_of(*queues.front()), ElementsAre(expected));
}

TEST_F(ReplayTest, HostileFramesAreReplayedUnchanged) {
  std::vector<Bytes> frames;
  const Bytes whole = udp("10.0.0.1", "192.0.2.1");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    frames.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
  }
  frames.push_back(Bytes(64, 0xff));
  auto queues = made(frames, {.loops = 0, .rewrite = ReplayRewrite{prefix("11.0.0.0/8"), 4}});
  EXPECT_THAT(loop_of(*queues.front()), ElementsAreArray(frames));
  EXPECT_THAT(loop_of(*queues.front()), ElementsAreArray(frames));
}

TEST_F(ReplayTest, RefusesWhatItCannotReplay) {
  write({});
  EXPECT_THAT(ReplaySource::from_captures({path_}, {}).error().message, HasSubstr("no packets"));
  write({60});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_THAT(ReplaySource::from_captures({path_}, {}).error().message, HasSubstr("truncated"));
  EXPECT_FALSE(ReplaySource::from_captures({folder_.file("absent")}, {}));
  const auto refused = [](const ReplayOptions& options) {
    return ReplaySource::from_frames(
               [](const ReplaySource::EmitFrame& emit) { emit(Timestamp{kStart}, pattern(60)); },
               options)
        .error();
  };
  EXPECT_EQ(refused({.queues = 0}).kind, ErrorKind::usage);
  EXPECT_EQ(refused({.mbufs = 0}).kind, ErrorKind::usage);
  EXPECT_THAT(refused({.rewrite = ReplayRewrite{prefix("2001:db8::/32"), 1}}).message,
              HasSubstr("IPv4"));
}

TEST_F(ReplayTest, SaysHowMuchMemoryItNeeds) {
  write(std::vector<std::size_t>(2'000, 9000));
  const auto source = ReplaySource::from_captures({path_}, {.most_bytes = 5 << 20});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, ErrorKind::environment);
  EXPECT_THAT(source.error().message, HasSubstr("need 18 MiB"));
  EXPECT_THAT(source.error().message, HasSubstr("5 MiB are available"));
}

}  // namespace
}  // namespace imds::port
