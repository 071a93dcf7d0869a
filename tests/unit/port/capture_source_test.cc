#include <array>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "port/capture.h"
#include "port/packet_meta.h"
#include "port/replay.h"
#include "support/eal.h"
#include "support/pcap_writer.h"
#include "temp_folder.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::PcapOptions;
using support::PcapWriter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kStart = 1'700'000'000'000'000'000;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  }
  return bytes;
}

Bytes bytes_of(const rte_mbuf* packet) {
  Bytes out;
  for (; packet != nullptr; packet = packet->next) {
    const auto* data = rte_pktmbuf_mtod(packet, const std::uint8_t*);
    out.insert(out.end(), data, data + packet->data_len);
  }
  return out;
}

class CaptureSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    support::start_eal();
    ASSERT_TRUE(register_packet_meta());
  }
  std::unique_ptr<CaptureSource> open() {
    auto reader = CaptureReader::open({path_});
    EXPECT_TRUE(reader);
    auto source = CaptureSource::create(std::move(*reader));
    EXPECT_TRUE(source) << source.error().to_string();
    return std::move(*source);
  }
  void write(const std::vector<std::size_t>& sizes, PcapOptions options = {}) {
    PcapWriter writer(path_, options);
    std::int64_t ns = kStart;
    for (std::size_t size : sizes) {
      writer.write(Timestamp{ns}, pattern(size));
      ns += 1'000;
    }
  }

  TempFolder folder_;
  std::string path_ = folder_.file("in.pcap");
};

TEST_F(CaptureSourceTest, RegistersMetadataOnce) {
  const int offset = packet_meta_offset;
  EXPECT_GE(offset, 0);
  EXPECT_TRUE(register_packet_meta());
  EXPECT_EQ(packet_meta_offset, offset);
}

TEST_F(CaptureSourceTest, CopiesPacketsWithTheirMetadata) {
  write({60, 1514}, {.link_type = 101, .snap_length = 1000});
  auto source = open();
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 2);
  EXPECT_EQ(bytes_of(burst[0]), pattern(60));
  EXPECT_EQ(meta(burst[0]).timestamp_ns, kStart);
  EXPECT_EQ(meta(burst[0]).link_type, kLinkRawIp);
  EXPECT_EQ(meta(burst[0]).flags, 0);
  EXPECT_EQ(meta(burst[0]).original_length, 60u);
  EXPECT_EQ(burst[1]->pkt_len, 1000u);
  EXPECT_EQ(meta(burst[1]).timestamp_ns, kStart + 1'000);
  EXPECT_EQ(meta(burst[1]).flags, kTruncated);
  EXPECT_EQ(meta(burst[1]).original_length, 1514u);
  source->release(std::span(burst).first(2));
  EXPECT_EQ(source->stats().received_packets.get(), 2u);
  EXPECT_EQ(source->stats().received_bytes.get(), 1060u);
  EXPECT_EQ(source->stats().truncated_packets.get(), 1u);
  EXPECT_EQ(source->stats().released_packets.get(), 2u);
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_TRUE(source->exhausted());
}

TEST_F(CaptureSourceTest, ChainsLongPackets) {
  write({0, 2048, 2049, 9000, 262'144});
  auto source = open();
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 5);
  EXPECT_EQ(burst[0]->nb_segs, 1);
  EXPECT_EQ(burst[0]->pkt_len, 0u);
  EXPECT_EQ(burst[1]->nb_segs, 1);
  EXPECT_EQ(burst[2]->nb_segs, 2);
  EXPECT_EQ(bytes_of(burst[2]), pattern(2049));
  EXPECT_EQ(burst[3]->nb_segs, 5);
  EXPECT_EQ(bytes_of(burst[3]), pattern(9000));
  EXPECT_EQ(burst[4]->nb_segs, 128);
  EXPECT_EQ(bytes_of(burst[4]), pattern(262'144));
  for (int i = 0; i < 5; ++i) {
    const char* reason = nullptr;
    EXPECT_EQ(rte_mbuf_check(burst[static_cast<std::size_t>(i)], 1, &reason), 0) << reason;
  }
  source->release(std::span(burst).first(5));
}

TEST_F(CaptureSourceTest, ExhaustionComesAfterTheLastPacketOfAFullBurst) {
  write({60, 60});
  auto source = open();
  std::array<rte_mbuf*, 2> burst{};
  EXPECT_EQ(source->receive(burst), 2);
  source->release(burst);
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_TRUE(source->exhausted());
}

// The caller keeps more than the pool has; what it could not get comes after it gives back.
TEST_F(CaptureSourceTest, LosesNothingWhenThePoolIsEmpty) {
  constexpr std::size_t kPackets = 20'000;
  write(std::vector<std::size_t>(kPackets, 100));
  auto source = open();
  std::vector<rte_mbuf*> held(kPackets);
  const std::size_t first = source->receive(held);
  EXPECT_LT(first, kPackets);
  EXPECT_GT(first, 10'000u);
  EXPECT_EQ(source->receive(held), 0);
  EXPECT_FALSE(source->exhausted());
  source->release(std::span(held).first(first));
  std::size_t total = first;
  while (!source->exhausted()) {
    const std::uint16_t count = source->receive(std::span(held).first(64));
    if (count > 0) {
      EXPECT_EQ(meta(held[0]).timestamp_ns, kStart + static_cast<std::int64_t>(total) * 1'000);
    }
    source->release(std::span(held).first(count));
    total += count;
  }
  EXPECT_EQ(total, kPackets);
}

TEST_F(CaptureSourceTest, TruncatedFileEndsWithItsError) {
  write({60, 60});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  auto source = open();
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 1);
  source->release(std::span(burst).first(1));
  EXPECT_TRUE(source->exhausted());
  ASSERT_EQ(source->errors().size(), 1u);
  EXPECT_EQ(source->errors()[0].kind, ErrorKind::runtime);
}

class ReplayTest : public CaptureSourceTest {
 protected:
  std::unique_ptr<ReplaySource> replay(std::uint64_t loops) {
    auto source = ReplaySource::create({path_}, {.loops = loops});
    EXPECT_TRUE(source) << source.error().to_string();
    return std::move(*source);
  }
};

TEST_F(ReplayTest, HandsOutTheSamePacketsEveryLoopLater) {
  write({60, 5000, 70});
  auto source = replay(3);
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
    }
    source->release(std::span(burst).first(count));
  }
  EXPECT_THAT(lengths, ElementsAre(60, 5000, 70, 60, 5000, 70, 60, 5000, 70));
  EXPECT_THAT(times, ElementsAre(0, 1'000, 2'000, 3'000, 4'000, 5'000, 6'000, 7'000, 8'000));
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_EQ(source->stats().received_packets.get(), 9u);
  EXPECT_EQ(source->stats().received_bytes.get(), 3u * 5130u);
}

TEST_F(ReplayTest, SurvivesAWorkerThatFreesInsteadOfReleasing) {
  write({60, 5000});
  auto source = replay(0);
  std::array<rte_mbuf*, 2> burst{};
  for (int loop = 0; loop < 100; ++loop) {
    ASSERT_EQ(source->receive(burst), 2);
    EXPECT_EQ(bytes_of(burst[1]), pattern(5000));
    rte_pktmbuf_free_bulk(burst.data(), 2);
    EXPECT_FALSE(source->exhausted());
  }
}

TEST_F(ReplayTest, RefusesWhatItCannotReplay) {
  write({});
  EXPECT_THAT(ReplaySource::create({path_}, {}).error().message, HasSubstr("no packets"));
  write({60});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_THAT(ReplaySource::create({path_}, {}).error().message, HasSubstr("truncated"));
  EXPECT_FALSE(ReplaySource::create({folder_.file("absent")}, {}));
}

TEST_F(ReplayTest, SaysHowMuchMemoryItNeeds) {
  write(std::vector<std::size_t>(2, 9000));
  const auto needed = ReplaySource::required_memory_bytes({path_});
  ASSERT_TRUE(needed);
  EXPECT_GT(*needed, 2u * 9000u);
  // Others have taken nearly all of EAL's memory.
  rte_malloc_socket_stats heap = {};
  ASSERT_EQ(rte_malloc_get_socket_stats(0, &heap), 0);
  void* taken = rte_malloc(nullptr, heap.greatest_free_size - (1 << 20), 0);
  ASSERT_NE(taken, nullptr);
  write(std::vector<std::size_t>(2'000, 60));
  const auto source = ReplaySource::create({path_}, {});
  rte_free(taken);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, ErrorKind::environment);
  EXPECT_THAT(source.error().message, HasSubstr("MiB"));
}

}  // namespace
}  // namespace imds::port
