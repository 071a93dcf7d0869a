#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "port/capture.h"
#include "port/packet_meta.h"
#include "support/packet_builder.h"
#include "support/pcap_writer.h"
#include "temp_folder.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::CaptureFormat;
using support::PacketBuilder;
using support::PcapOptions;
using support::PcapWriter;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kStart = 1'700'000'000'000'000'000;

Bytes frame(std::string_view text) {
  return PacketBuilder().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(text).build();
}

void write_capture(const std::string& path, const std::vector<std::int64_t>& times_ns,
                   PcapOptions options = {}) {
  PcapWriter writer(path, options);
  for (std::int64_t ns : times_ns) {
    writer.write(Timestamp{kStart + ns}, frame(std::to_string(ns)));
  }
}

struct Read {
  std::vector<std::int64_t> times;  // relative to kStart
  std::vector<Bytes> packets;
  std::vector<std::string> errors;
};

Read read_all(CaptureReader& reader) {
  Read out;
  while (const CaptureRecord* record = reader.next()) {
    out.times.push_back(record->time.ns - kStart);
    out.packets.emplace_back(record->bytes.begin(), record->bytes.end());
  }
  for (const Error& error : reader.errors()) {
    out.errors.push_back(error.to_string());
  }
  return out;
}

Read read_all(const std::vector<std::string>& paths) {
  auto reader = CaptureReader::open(paths);
  if (!reader) {
    ADD_FAILURE() << reader.error().to_string();
    return {};
  }
  return read_all(**reader);
}

std::string open_error(const std::vector<std::string>& paths) {
  auto reader = CaptureReader::open(paths);
  return reader ? "opened" : reader.error().to_string();
}

void cut_file(const std::string& path, std::uintmax_t bytes) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - bytes);
}

class CaptureFormats : public ::testing::TestWithParam<PcapOptions> {};

TEST_P(CaptureFormats, KeepsBytesAndTimes) {
  const TempFolder folder;
  const std::string path = folder.file("a.cap");
  write_capture(path, {0, 1'000, 2'000'123'000}, GetParam());
  const Read read = read_all({path});
  EXPECT_THAT(read.times, ElementsAre(0, 1'000, 2'000'123'000));
  EXPECT_THAT(read.packets, ElementsAre(frame("0"), frame("1000"), frame("2000123000")));
  EXPECT_THAT(read.errors, ElementsAre());
}

INSTANTIATE_TEST_SUITE_P(All, CaptureFormats,
                         ::testing::Values(PcapOptions{}, PcapOptions{.big_endian = true},
                                           PcapOptions{.format = CaptureFormat::pcap_nanoseconds},
                                           PcapOptions{.format = CaptureFormat::pcapng},
                                           PcapOptions{.format = CaptureFormat::pcapng,
                                                       .big_endian = true}));

TEST(CaptureReader, KeepsNanoseconds) {
  const TempFolder folder;
  write_capture(folder.file("n.pcap"), {7}, {.format = CaptureFormat::pcap_nanoseconds});
  write_capture(folder.file("n.pcapng"), {9}, {.format = CaptureFormat::pcapng});
  EXPECT_THAT(read_all({folder.path()}).times, ElementsAre(7, 9));
}

TEST(CaptureReader, NamesLinkTypesOneWay) {
  const struct {
    std::uint32_t in_file;
    std::uint16_t delivered;
  } cases[] = {{1, kLinkEthernet}, {113, kLinkLinuxSll}, {276, kLinkLinuxSll2}, {101, kLinkRawIp},
               {12, kLinkRawIp},   {14, kLinkRawIp},     {228, kLinkRawIp},     {229, kLinkRawIp}};
  const TempFolder folder;
  for (const auto& c : cases) {
    const std::string path = folder.file(std::to_string(c.in_file) + ".pcap");
    write_capture(path, {0}, {.link_type = c.in_file});
    auto reader = CaptureReader::open({path});
    ASSERT_TRUE(reader) << reader.error().to_string();
    const CaptureRecord* record = (*reader)->next();
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->link_type, c.delivered) << c.in_file;
  }
}

TEST(CaptureReader, RefusesOtherLinkTypes) {
  const TempFolder folder;
  write_capture(folder.file("usb.pcap"), {0}, {.link_type = 220});
  EXPECT_THAT(open_error({folder.file("usb.pcap")}),
              AllOf(HasSubstr("usb.pcap"), HasSubstr("link type 220"), HasSubstr("Ethernet")));
}

TEST(CaptureReader, TellsCutRecords) {
  const TempFolder folder;
  const std::string path = folder.file("cut.pcap");
  PcapWriter writer(path, {.snap_length = 60});
  writer.write(Timestamp{kStart}, Bytes(100, 1));
  writer.write(Timestamp{kStart}, Bytes(60, 2));
  writer.flush();
  auto reader = CaptureReader::open({path});
  ASSERT_TRUE(reader);
  const CaptureRecord* record = (*reader)->next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->bytes.size(), 60u);
  EXPECT_EQ(record->original_length, 100u);
  record = (*reader)->next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->original_length, 60u);
}

TEST(CaptureReader, OriginalLengthIsNeverLessThanWhatIsThere) {
  const TempFolder folder;
  const std::string path = folder.file("lie.pcap");
  PcapWriter writer(path);
  writer.write(Timestamp{kStart}, Bytes(100, 1), 10);
  writer.flush();
  auto reader = CaptureReader::open({path});
  ASSERT_TRUE(reader);
  const CaptureRecord* record = (*reader)->next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->original_length, record->bytes.size());
}

TEST(CaptureReader, MergesFilesByTime) {
  const TempFolder folder;
  write_capture(folder.file("a.pcap"), {0, 30'000, 60'000});
  write_capture(folder.file("b.pcapng"), {10'000, 20'000, 70'000},
                {.format = CaptureFormat::pcapng});
  write_capture(folder.file("c.pcap"), {5'000, 65'000});
  const Read read =
      read_all({folder.file("c.pcap"), folder.file("a.pcap"), folder.file("b.pcapng")});
  EXPECT_THAT(read.times, ElementsAre(0, 5'000, 10'000, 20'000, 30'000, 60'000, 65'000, 70'000));
  EXPECT_EQ(read.packets[2], frame("10000"));
}

TEST(CaptureReader, EqualTimesKeepTheOrderOfFiles) {
  const TempFolder folder;
  for (const char* name : {"a.pcap", "b.pcap"}) {
    PcapWriter writer(folder.file(name));
    writer.write(Timestamp{kStart}, frame(name));
  }
  EXPECT_THAT(read_all({folder.file("b.pcap"), folder.file("a.pcap")}).packets,
              ElementsAre(frame("b.pcap"), frame("a.pcap")));
}

TEST(CaptureReader, KeepsTheOrderInsideOneFile) {
  const TempFolder folder;
  write_capture(folder.file("a.pcap"), {50'000, 10'000, 20'000});
  EXPECT_THAT(read_all({folder.file("a.pcap")}).times, ElementsAre(50'000, 10'000, 20'000));
}

TEST(CaptureReader, ReadsManyRotatedFilesWithFewDescriptors) {
  const TempFolder folder;
  constexpr int kFiles = 2 * static_cast<int>(kMaxOpenCaptures);
  for (int i = 0; i < kFiles; ++i) {
    write_capture(folder.file(std::to_string(10'000 + i) + ".pcap"),
                  {i * 10'000, i * 10'000 + 5'000});
  }
  const Read read = read_all({folder.path()});
  EXPECT_EQ(read.times.size(), 2u * kFiles);
  EXPECT_TRUE(std::is_sorted(read.times.begin(), read.times.end()));
  EXPECT_THAT(read.errors, ElementsAre());
}

TEST(CaptureReader, SaysWhenTooManyFilesOverlap) {
  const TempFolder folder;
  for (std::size_t i = 0; i < kMaxOpenCaptures + 2; ++i) {
    write_capture(folder.file(std::to_string(10'000 + i) + ".pcap"),
                  {static_cast<std::int64_t>(i) * 1'000, 1'000'000'000});
  }
  const Read read = read_all({folder.path()});
  EXPECT_EQ(read.times.size(), 2 * kMaxOpenCaptures);
  ASSERT_EQ(read.errors.size(), 2u);
  EXPECT_THAT(read.errors[0], AllOf(HasSubstr("overlap in time"), HasSubstr("mergecap")));
}

TEST(CaptureReader, TakesCapturesOfAFolderSorted) {
  const TempFolder folder;
  write_capture(folder.file("2.pcap"), {0});
  write_capture(folder.file("1.PCAPNG"), {0}, {.format = CaptureFormat::pcapng});
  write_capture(folder.file("3.cap"), {0});
  PcapWriter(folder.file("notes.txt")).write_raw(support::to_bytes("not a capture"));
  std::filesystem::create_directory(folder.file("deeper.pcap"));
  auto reader = CaptureReader::open({folder.path()});
  ASSERT_TRUE(reader) << reader.error().to_string();
  EXPECT_EQ((*reader)->progress().files_total, 3u);
  EXPECT_EQ(read_all(**reader).times.size(), 3u);
}

TEST(CaptureReader, DeliversWhatATruncatedFileHolds) {
  const TempFolder folder;
  const std::string cut = folder.file("cut.pcap");
  write_capture(cut, {0, 10'000, 20'000});
  cut_file(cut, 5);
  write_capture(folder.file("whole.pcap"), {5'000, 30'000});
  const Read read = read_all({cut, folder.file("whole.pcap")});
  EXPECT_THAT(read.times, ElementsAre(0, 5'000, 10'000, 30'000));
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_THAT(read.errors[0],
              AllOf(HasSubstr(cut), HasSubstr("truncated"), HasSubstr("after packet 2")));
}

TEST(CaptureReader, DeliversWhatATruncatedPcapngHolds) {
  const TempFolder folder;
  const std::string cut = folder.file("cut.pcapng");
  write_capture(cut, {0, 10'000}, {.format = CaptureFormat::pcapng});
  cut_file(cut, 3);
  const Read read = read_all({cut});
  EXPECT_THAT(read.times, ElementsAre(0));
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_THAT(read.errors[0], AllOf(HasSubstr("truncated"), HasSubstr("after packet 1")));
}

TEST(CaptureReader, TruncationInTheFirstPacketIsToldToo) {
  const TempFolder folder;
  write_capture(folder.file("cut.pcap"), {0});
  cut_file(folder.file("cut.pcap"), 1);
  const Read read = read_all({folder.file("cut.pcap")});
  EXPECT_TRUE(read.times.empty());
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_THAT(read.errors[0], HasSubstr("after packet 0"));
}

TEST(CaptureReader, DamagedLengthEndsTheFileWithAnError) {
  const TempFolder folder;
  const std::string path = folder.file("damaged.pcap");
  PcapWriter writer(path);
  writer.write(Timestamp{kStart}, frame("good"));
  writer.write_raw({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f});
  writer.flush();
  const Read read = read_all({path});
  EXPECT_EQ(read.times.size(), 1u);
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_THAT(read.errors[0], AllOf(HasSubstr("damaged"), HasSubstr("after packet 1")));
}

TEST(CaptureReader, HostileTimesDoNotOverflow) {
  const TempFolder folder;
  const std::string path = folder.file("future.pcapng");
  PcapWriter writer(path, {.format = CaptureFormat::pcapng});
  writer.write(Timestamp{-1}, frame("x"));
  writer.flush();
  auto reader = CaptureReader::open({path});
  ASSERT_TRUE(reader);
  const CaptureRecord* record = (*reader)->next();
  ASSERT_NE(record, nullptr);
  EXPECT_GE(record->time.ns, 0);
  EXPECT_LE(record->time.ns, INT64_MAX / 2);
}

TEST(CaptureReader, SaysWhatIsWrongWithAPath) {
  const TempFolder folder;
  EXPECT_THAT(open_error({folder.file("absent.pcap")}),
              AllOf(HasSubstr("absent.pcap"), HasSubstr("does not exist")));

  PcapWriter(folder.file("text.pcap")).write_raw({});
  std::filesystem::resize_file(folder.file("text.pcap"), 0);
  EXPECT_THAT(open_error({folder.file("text.pcap")}), HasSubstr("is empty"));

  write_capture(folder.file("magic.pcap"), {0});
  {
    std::fstream damage(folder.file("magic.pcap"), std::ios::in | std::ios::out | std::ios::binary);
    damage.write("text", 4);
  }
  EXPECT_THAT(open_error({folder.file("magic.pcap")}), HasSubstr("neither pcap nor pcapng"));

  write_capture(folder.file("short.pcap"), {});
  std::filesystem::resize_file(folder.file("short.pcap"), 10);
  EXPECT_THAT(open_error({folder.file("short.pcap")}), HasSubstr("ends inside its file header"));

  std::filesystem::create_directory(folder.file("nothing"));
  EXPECT_THAT(open_error({folder.file("nothing")}), HasSubstr("holds no capture"));
}

TEST(CaptureReader, SaysWhenAFileMayNotBeRead) {
  const TempFolder folder;
  write_capture(folder.file("secret.pcap"), {0});
  std::filesystem::permissions(folder.file("secret.pcap"), std::filesystem::perms::none);
  const bool root = geteuid() == 0;
  ASSERT_TRUE(!root || seteuid(65534) == 0);
  const std::string error = open_error({folder.file("secret.pcap")});
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_THAT(error, HasSubstr("permission denied"));
}

TEST(CaptureReader, TheSameFileTwiceIsRefused) {
  const TempFolder folder;
  write_capture(folder.file("a.pcap"), {0});
  EXPECT_THAT(open_error({folder.file("a.pcap"), folder.path()}), HasSubstr("given twice"));
  EXPECT_THAT(open_error({"-", "-"}), HasSubstr("given twice"));
}

TEST(CaptureReader, AFileWithoutPacketsIsFine) {
  const TempFolder folder;
  write_capture(folder.file("none.pcap"), {});
  const Read read = read_all({folder.file("none.pcap")});
  EXPECT_TRUE(read.times.empty());
  EXPECT_TRUE(read.errors.empty());
}

TEST(CaptureReader, ReadsStandardInputMergedWithFiles) {
  const TempFolder folder;
  write_capture(folder.file("in.pcap"), {0, 20'000});
  write_capture(folder.file("other.pcap"), {10'000});
  const int saved = dup(STDIN_FILENO);
  const int input = open(folder.file("in.pcap").c_str(), O_RDONLY);
  ASSERT_EQ(dup2(input, STDIN_FILENO), STDIN_FILENO);
  const Read read = read_all({"-", folder.file("other.pcap")});
  dup2(saved, STDIN_FILENO);
  close(input);
  close(saved);
  EXPECT_THAT(read.times, ElementsAre(0, 10'000, 20'000));
}

// Records handed out together stay as they are while more are asked for with `keep`.
TEST(CaptureReader, HandsOutManyAtATimeInTheSameOrder) {
  const TempFolder folder;
  constexpr std::int64_t kPackets = 3'000;  // of a file of more than is read at once
  for (int file = 0; file < 3; ++file) {
    PcapWriter writer(folder.file("in" + std::to_string(file) + ".pcap"));
    for (std::int64_t i = 0; i < kPackets; ++i) {
      Bytes packet(500, static_cast<std::uint8_t>(file));
      writer.write(Timestamp{kStart + (i * 3 + (file * i) % 3) * 1'000}, packet);
    }
  }
  const Read one_by_one = read_all({folder.path()});
  ASSERT_EQ(one_by_one.times.size(), 3u * kPackets);
  auto reader = CaptureReader::open({folder.path()});
  ASSERT_TRUE(reader);
  std::vector<CaptureRecord> records(40);
  std::vector<std::int64_t> times;
  for (std::size_t kept = 0;;) {
    const std::size_t count = (*reader)->next(std::span(records).subspan(kept, 20), kept > 0);
    kept += count;
    if (kept == records.size() || count == 0) {
      for (const CaptureRecord& record : std::span(records).first(kept)) {
        times.push_back(record.time.ns - kStart);
        EXPECT_EQ(record.bytes.size(), 500u);
        EXPECT_EQ(record.bytes.front(), record.bytes.back());
      }
      if (std::exchange(kept, 0) == 0) {
        break;
      }
    }
  }
  EXPECT_EQ(times, one_by_one.times);
  EXPECT_EQ((*reader)->progress().packets, 3u * kPackets);
}

TEST(CaptureReader, ProgressReachesTheTotal) {
  const TempFolder folder;
  write_capture(folder.file("a.pcap"), {0, 1'000});
  write_capture(folder.file("b.pcapng"), {0, 1'000}, {.format = CaptureFormat::pcapng});
  auto reader = CaptureReader::open({folder.path()});
  ASSERT_TRUE(reader);
  const CaptureProgress start = (*reader)->progress();
  EXPECT_EQ(start.bytes_done, 0u);
  EXPECT_EQ(start.bytes_total, std::filesystem::file_size(folder.file("a.pcap")) +
                                   std::filesystem::file_size(folder.file("b.pcapng")));
  std::uint64_t before = 0;
  while ((*reader)->next() != nullptr) {
    EXPECT_GT((*reader)->progress().bytes_done, before);
    before = (*reader)->progress().bytes_done;
    EXPECT_LE(before, start.bytes_total);
  }
  const CaptureProgress end = (*reader)->progress();
  EXPECT_EQ(end.bytes_done, end.bytes_total);
  EXPECT_EQ(end.packets, 4u);
  EXPECT_EQ(end.files_done, 2u);
}

}  // namespace
}  // namespace imds::port
