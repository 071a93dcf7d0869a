#include <array>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "packet_bytes.h"
#include "port/capture.h"
#include "port/packet_meta.h"
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

TEST_F(CaptureSourceTest, HandsOutPacketsWithTheirMetadata) {
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

TEST_F(CaptureSourceTest, ChainsPacketsLongerThanAnMbufCanSay) {
  write({0, 9000, 65'535, 65'536, 262'144});
  auto source = open();
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 5);
  EXPECT_EQ(burst[0]->nb_segs, 1);
  EXPECT_EQ(burst[0]->pkt_len, 0u);
  EXPECT_EQ(burst[1]->nb_segs, 1);
  EXPECT_EQ(bytes_of(burst[1]), pattern(9000));
  EXPECT_EQ(burst[2]->nb_segs, 1);
  EXPECT_EQ(bytes_of(burst[2]), pattern(65'535));
  EXPECT_EQ(burst[3]->nb_segs, 2);
  EXPECT_EQ(bytes_of(burst[3]), pattern(65'536));
  EXPECT_EQ(burst[4]->nb_segs, 5);
  EXPECT_EQ(bytes_of(burst[4]), pattern(262'144));
  for (int i = 0; i < 5; ++i) {
    const char* reason = nullptr;
    EXPECT_EQ(rte_mbuf_check(burst[static_cast<std::size_t>(i)], 1, &reason), 0) << reason;
  }
  source->release(std::span(burst).first(5));
}

TEST_F(CaptureSourceTest, SegmentsOfALongPacketComeAgainAsPackets) {
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 100; ++i) {
    sizes.insert(sizes.end(), {200'000, 60, 70'000});
  }
  write(sizes);
  auto source = open();
  std::array<rte_mbuf*, 64> burst{};
  std::size_t total = 0;
  while (!source->exhausted()) {
    const std::uint16_t count = source->receive(burst);
    for (std::size_t i = 0; i < count; ++i) {
      const char* reason = nullptr;
      EXPECT_EQ(rte_mbuf_check(burst[i], 1, &reason), 0) << reason;
      EXPECT_EQ(bytes_of(burst[i]), pattern(sizes.at(total + i)));
    }
    source->release(std::span(burst).first(count));
    total += count;
  }
  EXPECT_EQ(total, sizes.size());
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

// The caller keeps more than there are mbufs; what it could not get comes after it gives back.
TEST_F(CaptureSourceTest, LosesNothingWhenThereAreNoMbufsLeft) {
  constexpr std::size_t kPackets = 4'000;
  write(std::vector<std::size_t>(kPackets, 100));
  auto source = open();
  std::vector<rte_mbuf*> held(kPackets);
  const std::size_t first = source->receive(held);
  EXPECT_LT(first, kPackets);
  EXPECT_GT(first, 1'000u);
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

// Packets are looked at where they lie in the reader's buffer, which must not change meanwhile.
TEST_F(CaptureSourceTest, PacketsKeepTheirBytesUntilTheyAreGivenBack) {
  constexpr std::size_t kPackets = 1'000;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < kPackets; ++i) {
    sizes.push_back(1'000 + i);  // 1.5 MB: more than is read at once
  }
  write(sizes);
  auto source = open();
  std::vector<rte_mbuf*> held(kPackets);
  std::size_t total = 0;
  while (!source->exhausted()) {
    std::size_t count = 0;
    while (const std::uint16_t more = source->receive(std::span(held).subspan(count, 16))) {
      count += more;
      ASSERT_LE(total + count, kPackets);
    }
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(bytes_of(held[i]), pattern(sizes[total + i])) << total + i;
    }
    source->drop(std::span(held).first(count));
    total += count;
  }
  EXPECT_EQ(total, kPackets);
  EXPECT_EQ(source->stats().released_packets.get(), kPackets);
}

TEST_F(CaptureSourceTest, FromAPipeComesWhatHasArrived) {
  write({60, 70, 80});
  const std::string file = [&] {
    std::ifstream in(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  const std::string pipe = folder_.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int out = ::open(pipe.c_str(), O_RDWR);
  const std::size_t two_and_a_half = 24 + 16 + 60 + 16 + 70 + 40;
  ASSERT_EQ(::write(out, file.data(), two_and_a_half), static_cast<ssize_t>(two_and_a_half));
  path_ = pipe;
  auto source = open();
  EXPECT_TRUE(source->is_stream());
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 2);  // and does not wait for the third
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_EQ(bytes_of(burst[1]), pattern(70));
  source->release(std::span(burst).first(2));
  ASSERT_EQ(::write(out, file.data() + two_and_a_half, file.size() - two_and_a_half),
            static_cast<ssize_t>(file.size() - two_and_a_half));
  ASSERT_EQ(source->receive(burst), 1);
  EXPECT_EQ(bytes_of(burst[0]), pattern(80));
  source->release(std::span(burst).first(1));
  close(out);
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_TRUE(source->exhausted());
  EXPECT_TRUE(source->errors().empty());
}

TEST_F(CaptureSourceTest, TruncatedFileEndsWithItsError) {
  write({60, 60});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  auto source = open();
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(source->receive(burst), 1);
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_FALSE(source->exhausted());  // the end is not looked for while a packet is out
  source->release(std::span(burst).first(1));
  EXPECT_EQ(source->receive(burst), 0);
  EXPECT_TRUE(source->exhausted());
  ASSERT_EQ(source->errors().size(), 1u);
  EXPECT_EQ(source->errors()[0].kind, ErrorKind::runtime);
}

}  // namespace
}  // namespace imds::port
