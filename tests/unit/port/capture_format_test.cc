// Forms of capture files that common tools write, and damage at every byte.
#include <algorithm>
#include <string>
#include <vector>
#include <zlib.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/link_type.h"
#include "port/capture.h"
#include "support/packet_builder.h"
#include "support/pcap_writer.h"
#include "temp_folder.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::PcapOptions;
using support::PcapWriter;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

struct Packet {
  Bytes bytes;
  std::int64_t time_ns = 0;
  std::uint16_t link_type = 0;
  std::uint32_t original_length = 0;
};
struct Read {
  std::vector<Packet> packets;
  std::vector<std::string> errors;
};

Read read_all(const std::string& path) {
  Read out;
  auto reader = CaptureReader::open({path});
  if (!reader) {
    out.errors.push_back(reader.error().to_string());
    return out;
  }
  while (const CaptureRecord* r = (*reader)->next()) {
    out.packets.push_back(
        {{r->bytes.begin(), r->bytes.end()}, r->time.ns, r->link_type, r->original_length});
  }
  for (const Error& error : (*reader)->errors()) {
    out.errors.push_back(error.to_string());
  }
  return out;
}

std::string write_file(const TempFolder& folder, const std::string& name, const Bytes& content) {
  std::ofstream out(folder.file(name), std::ios::binary);
  out.write(reinterpret_cast<const char*>(content.data()), static_cast<long>(content.size()));
  return folder.file(name);
}

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// pcapng by hand, in either byte order.
class Pcapng {
 public:
  explicit Pcapng(bool big = false) { section(big); }

  Pcapng& section(bool big) {
    big_ = big;
    return block(0x0a0d0d0a, word(0x1a2b3c4d) + half(1) + half(0) + word(~0u) + word(~0u));
  }
  // `resolution` as in if_tsresol; `offset` in seconds.
  Pcapng& interface(unsigned link_type, std::uint32_t snap_length = 0, int resolution = -1,
                    std::uint32_t offset = 0) {
    Bytes body = half(link_type) + half(0) + word(snap_length);
    if (resolution >= 0) {
      body = body + half(9) + half(1) + Bytes{static_cast<std::uint8_t>(resolution), 0, 0, 0};
    }
    if (offset != 0) {
      body = body + half(14) + half(8) + (big_ ? word(0) + word(offset) : word(offset) + word(0));
    }
    return block(1, body + word(0));
  }
  Pcapng& enhanced(std::uint32_t interface, std::uint64_t ticks, const Bytes& packet,
                   std::uint32_t original = 0) {
    const auto size = static_cast<std::uint32_t>(packet.size());
    return block(6, word(interface) + word(static_cast<std::uint32_t>(ticks >> 32)) +
                        word(static_cast<std::uint32_t>(ticks)) + word(size) +
                        word(std::max(original, size)) + packet);
  }
  Pcapng& obsolete(unsigned interface, std::uint64_t ticks, const Bytes& packet) {
    const auto size = static_cast<std::uint32_t>(packet.size());
    return block(2, half(interface) + half(7) + word(static_cast<std::uint32_t>(ticks >> 32)) +
                        word(static_cast<std::uint32_t>(ticks)) + word(size) + word(size) + packet);
  }
  Pcapng& simple(std::uint32_t original, const Bytes& packet) {
    return block(3, word(original) + packet);
  }
  Pcapng& block(std::uint32_t type, Bytes body) {
    body.resize((body.size() + 3) / 4 * 4);
    const Bytes total = word(static_cast<std::uint32_t>(body.size()) + 12);
    bytes_ = bytes_ + word(type) + total + body + total;
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  [[nodiscard]] Bytes half(unsigned v) const {
    Bytes out = {static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(v >> 8)};
    if (big_) {
      std::reverse(out.begin(), out.end());
    }
    return out;
  }
  [[nodiscard]] Bytes word(std::uint32_t v) const {
    return big_ ? half(v >> 16) + half(v & 0xffff) : half(v & 0xffff) + half(v >> 16);
  }

  bool big_ = false;
  Bytes bytes_;
};

const Bytes kA = {0xa, 0xa, 0xa};
const Bytes kB = {0xb, 0xb, 0xb, 0xb};

TEST(CaptureFormat, InterfacesOfDifferentKindsAreReadTogether) {
  const TempFolder folder;
  for (const bool big : {false, true}) {
    const Read read = read_all(write_file(folder, "mixed.pcapng",
                                          Pcapng(big)
                                              .interface(1, 96)
                                              .interface(101, 65535)
                                              .enhanced(1, 1'000'000, kA)
                                              .enhanced(0, 2'000'000, kB, 60)
                                              .bytes()));
    EXPECT_THAT(read.errors, IsEmpty());
    ASSERT_EQ(read.packets.size(), 2u);
    EXPECT_EQ(read.packets[0].bytes, kA);
    EXPECT_EQ(read.packets[0].link_type, 101);
    EXPECT_EQ(read.packets[0].time_ns, kSecond);
    EXPECT_EQ(read.packets[1].bytes, kB);
    EXPECT_EQ(read.packets[1].link_type, 1);
    EXPECT_EQ(read.packets[1].original_length, 60u);
  }
}

TEST(CaptureFormat, EverySectionHasItsByteOrderAndInterfaces) {
  const TempFolder folder;
  Pcapng file;
  file.interface(1).enhanced(0, 1, kA).section(true).interface(113).enhanced(0, 2, kB);
  const Read read = read_all(write_file(folder, "sections.pcapng", file.bytes()));
  EXPECT_THAT(read.errors, IsEmpty());
  ASSERT_EQ(read.packets.size(), 2u);
  EXPECT_EQ(read.packets[1].link_type, 113);
  EXPECT_EQ(read.packets[1].bytes, kB);
}

TEST(CaptureFormat, EveryKindOfPacketBlock) {
  const TempFolder folder;
  Pcapng file;
  file.interface(1, 3).interface(1);
  file.block(5, Bytes(12, 0)).block(0x80000001, Bytes(5000, 1));  // statistics, unknown
  file.obsolete(1, 5'000'000, kB).simple(9, {1, 2, 3, 0}).enhanced(0, 6'000'000, {});
  const Read read = read_all(write_file(folder, "blocks.pcapng", file.bytes()));
  EXPECT_THAT(read.errors, IsEmpty());
  ASSERT_EQ(read.packets.size(), 3u);
  EXPECT_EQ(read.packets[0].bytes, kB);
  EXPECT_EQ(read.packets[1].bytes, (Bytes{1, 2, 3}));
  EXPECT_EQ(read.packets[1].original_length, 9u);
  EXPECT_EQ(read.packets[1].time_ns, 5 * kSecond) << "of the packet before";
  EXPECT_THAT(read.packets[2].bytes, IsEmpty());
}

TEST(CaptureFormat, TimeUnitsOfPcapng) {
  const struct {
    int resolution;
    std::uint64_t ticks;
    std::uint32_t offset;
    std::int64_t expected_ns;
  } cases[] = {
      {-1, 1'500'000, 0, kSecond * 3 / 2},
      {3, 1'500, 0, kSecond * 3 / 2},
      {9, 1'500'000'001, 0, kSecond * 3 / 2 + 1},
      {12, 1'500'000'001'999, 0, kSecond * 3 / 2 + 1},
      {0, 2, 0, 2 * kSecond},
      {0x80 | 1, 3, 0, kSecond * 3 / 2},
      {0x80 | 63, std::uint64_t{1} << 63, 0, kSecond},
      {0, 1, 100, 101 * kSecond},
      {19, 15'000'000'000'000'000'000u, 0, kSecond * 3 / 2},
      {20, 5, 0, 0},
      {0xff, 5, 0, 0},
  };
  const TempFolder folder;
  for (const auto& c : cases) {
    Pcapng file;
    file.interface(1, 0, c.resolution, c.offset).enhanced(0, c.ticks, kA);
    const Read read = read_all(write_file(folder, "time.pcapng", file.bytes()));
    ASSERT_EQ(read.packets.size(), 1u) << c.resolution;
    EXPECT_EQ(read.packets[0].time_ns, c.expected_ns) << c.resolution;
  }
}

TEST(CaptureFormat, TimesThatCannotBeAreKeptInBounds) {
  const TempFolder folder;
  Pcapng file;
  file.interface(1, 0, 0, 0xffffffff).enhanced(0, ~std::uint64_t{0}, kA).enhanced(0, 0, kB);
  for (const Packet& p : read_all(write_file(folder, "absurd.pcapng", file.bytes())).packets) {
    EXPECT_GE(p.time_ns, 0);
    EXPECT_LE(p.time_ns, INT64_MAX / 2);
  }
}

TEST(CaptureFormat, DamageToPcapngEndsTheFileAfterWhatWasGood) {
  const auto good = [] { return Pcapng().interface(1).enhanced(0, 1, kA); };
  const Bytes one = {1, 0, 0, 0};
  const struct {
    Bytes file;
    const char* told;
  } cases[] = {
      {good().enhanced(7, 2, kB).bytes(), "interface 7"},
      {good().section(false).enhanced(0, 2, kB).bytes(), "interface 0"},
      {good().block(6, Bytes(16, 0)).bytes(), "too short"},
      {good().block(3, {}).bytes(), "too short"},
      {good().block(1, Bytes(4, 0)).bytes(), "too short"},
      {good().block(6, Bytes(12, 0) + Bytes{9, 0, 0, 0} + one + Bytes(4, 0)).bytes(), "9 bytes"},
      {good().bytes() + Bytes{6, 0, 0, 0, 8, 0, 0, 0}, "8 bytes"},
      {good().bytes() + Bytes{6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, "4294967295 bytes"},
      {good().bytes() + Bytes{6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff}, "4294967292 bytes"},
      {good().bytes() + Bytes{9, 0, 0, 0, 12, 0, 0, 0, 16, 0, 0, 0}, "differ"},
      {good().bytes() + Bytes{0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0} + Bytes(20, 9), "byte order"},
  };
  const TempFolder folder;
  for (const auto& c : cases) {
    const Read read = read_all(write_file(folder, "damaged.pcapng", c.file));
    EXPECT_EQ(read.packets.size(), 1u) << c.told;
    ASSERT_EQ(read.errors.size(), 1u) << c.told;
    EXPECT_THAT(read.errors[0],
                AllOf(HasSubstr("damaged"), HasSubstr("after packet 1"), HasSubstr(c.told)));
  }
}

TEST(CaptureFormat, BlocksLargerThanWhatIsReadAtOnce) {
  const TempFolder folder;
  const Bytes large(3 << 20, 0x55);
  Pcapng file;
  file.interface(1).enhanced(0, 1, kA).block(0x0bad, large).enhanced(0, 2, kB);
  file.block(6, Bytes(12, 0) + Bytes{1, 0, 0, 0, 1, 0, 0, 0} + large).enhanced(0, 4, kB);
  const Read read = read_all(write_file(folder, "large.pcapng", file.bytes()));
  EXPECT_THAT(read.errors, IsEmpty());
  ASSERT_EQ(read.packets.size(), 4u);
  EXPECT_EQ(read.packets[1].bytes, kB);
  EXPECT_EQ(read.packets[2].bytes, Bytes{0x55});
  EXPECT_EQ(read.packets[3].bytes, kB);
}

TEST(CaptureFormat, APcapngOfUnknownLinkTypesOnlyIsAnError) {
  const TempFolder folder;
  Pcapng file;
  file.interface(220).enhanced(0, 1, kA);
  Read read = read_all(write_file(folder, "usb.pcapng", file.bytes()));
  EXPECT_EQ(read.packets.size(), 1u);
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_THAT(read.errors[0], HasSubstr("link type 220"));

  file.interface(1).enhanced(1, 2, kB);
  read = read_all(write_file(folder, "usb-and-ethernet.pcapng", file.bytes()));
  EXPECT_THAT(read.errors, IsEmpty());
  ASSERT_EQ(read.packets.size(), 2u);
  EXPECT_EQ(find_link_type(read.packets[0].link_type), std::nullopt);
}

// Whatever the snap length of the header says, a packet is what its record says.
TEST(CaptureFormat, ASnapLengthThatLiesCutsNothing) {
  const TempFolder folder;
  const std::string path = folder.file("lie.pcap");
  {
    PcapWriter writer(path);
    writer.write(Timestamp{kStart}, Bytes(100, 1));
  }
  Bytes file = read_file(path);
  file[16] = 10;  // snap length 10
  file[17] = file[18] = 0;
  EXPECT_EQ(read_all(write_file(folder, "lie.pcap", file)).packets.at(0).bytes, Bytes(100, 1));
}

TEST(CaptureFormat, KuznetzovsRecordsAreLonger) {
  const TempFolder folder;
  const Bytes file = Bytes{0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0} + Bytes(8, 0) +
                     Bytes{0, 0, 4, 0, 1, 0, 0, 0} + Bytes{5, 0, 0, 0, 0, 0, 0, 0} +
                     Bytes{3, 0, 0, 0, 3, 0, 0, 0} + Bytes(8, 7) + kA;
  const Read read = read_all(write_file(folder, "modified.pcap", file));
  EXPECT_THAT(read.errors, IsEmpty());
  ASSERT_EQ(read.packets.size(), 1u);
  EXPECT_EQ(read.packets[0].bytes, kA);
  EXPECT_EQ(read.packets[0].time_ns, 5 * kSecond);
}

TEST(CaptureFormat, OldFilesMayHaveTheLengthsTheOtherWayRound) {
  const TempFolder folder;
  const Bytes file = Bytes{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 2, 0} + Bytes(8, 0) +
                     Bytes{0, 0, 4, 0, 1, 0, 0, 0} + Bytes(8, 0) + Bytes{60, 0, 0, 0, 3, 0, 0, 0} +
                     kA;
  const Read read = read_all(write_file(folder, "old.pcap", file));
  ASSERT_EQ(read.packets.size(), 1u);
  EXPECT_EQ(read.packets[0].bytes, kA);
  EXPECT_EQ(read.packets[0].original_length, 60u);
}

TEST(CaptureFormat, FlagsBesideTheLinkTypeAreNotPartOfIt) {
  const TempFolder folder;
  const Read read = [&] {
    PcapWriter(folder.file("fcs.pcap"), {.link_type = 0x24000001}).write(Timestamp{kStart}, kA);
    return read_all(folder.file("fcs.pcap"));
  }();
  ASSERT_EQ(read.packets.size(), 1u);
  EXPECT_EQ(read.packets[0].link_type, 1);
}

TEST(CaptureFormat, AVersionNobodyWroteIsRefused) {
  const TempFolder folder;
  const Bytes file = Bytes{0xd4, 0xc3, 0xb2, 0xa1, 9, 0, 4, 0} + Bytes(16, 0);
  EXPECT_THAT(read_all(write_file(folder, "nine.pcap", file)).errors,
              ElementsAre(HasSubstr("version 9.4")));
}

Bytes gzipped(const Bytes& plain) {
  Bytes packed(plain.size() + 1024);
  z_stream z = {};
  deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  z.next_in = const_cast<Bytef*>(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = packed.data();
  z.avail_out = static_cast<uInt>(packed.size());
  deflate(&z, Z_FINISH);
  packed.resize(z.total_out);
  deflateEnd(&z);
  return packed;
}

TEST(CaptureFormat, GzipIsUnpacked) {
  const TempFolder folder;
  Pcapng file;
  file.interface(1);
  for (int i = 0; i < 1000; ++i) {
    file.enhanced(0, 1, Bytes(1000, static_cast<std::uint8_t>(i)));
  }
  const Bytes plain = file.bytes();
  EXPECT_EQ(read_all(write_file(folder, "a.pcapng.gz", gzipped(plain))).packets.size(), 1000u);

  const std::size_t half = plain.size() / 2;
  const Bytes members = gzipped({plain.begin(), plain.begin() + static_cast<long>(half)}) +
                        gzipped({plain.begin() + static_cast<long>(half), plain.end()}) +
                        Bytes(100, 0);
  const Read joined = read_all(write_file(folder, "b.pcapng.gz", members));
  EXPECT_THAT(joined.errors, IsEmpty());
  EXPECT_EQ(joined.packets.size(), 1000u);
}

TEST(CaptureFormat, GzipThatEndsEarlyOrIsDamagedIsTold) {
  const TempFolder folder;
  Pcapng file;
  file.interface(1);
  for (int i = 0; i < 100; ++i) {
    file.enhanced(0, 1, Bytes(100, static_cast<std::uint8_t>(i * 37)));
  }
  const Bytes packed = gzipped(file.bytes());
  const Bytes cut(packed.begin(), packed.end() - 40);
  const Read read = read_all(write_file(folder, "cut.pcap.gz", cut));
  EXPECT_GT(read.packets.size(), 0u);
  EXPECT_THAT(read.errors, ElementsAre(HasSubstr("gzip")));

  EXPECT_THAT(read_all(write_file(folder, "not.pcap.gz", Bytes{0x1f, 0x8b} + Bytes(30, 1))).errors,
              ElementsAre(HasSubstr("not.pcap.gz")));
}

// Cut at every byte: what was whole before is delivered, and the cut is told except between
// records.
TEST(CaptureFormat, EveryTruncation) {
  const TempFolder folder;
  Pcapng pcapng;
  pcapng.interface(1).enhanced(0, 1, kA).block(5, Bytes(12, 0)).obsolete(0, 2, kB).simple(4, kB);
  const std::string pcap = folder.file("whole.pcap");
  {
    PcapWriter writer(pcap);
    writer.write(Timestamp{kStart}, kA);
    writer.write(Timestamp{kStart}, kB);
  }
  for (const Bytes& whole : {pcapng.bytes(), read_file(pcap), gzipped(pcapng.bytes())}) {
    const std::size_t all = read_all(write_file(folder, "cut", whole)).packets.size();
    std::size_t before = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
      const Read read = read_all(write_file(folder, "cut", cut));
      ASSERT_LE(read.errors.size(), 1u) << size;
      ASSERT_GE(read.packets.size(), before) << size;
      ASSERT_LE(read.packets.size(), all) << size;
      before = read.packets.size();
    }
  }
}

TEST(CaptureFormat, EveryByteDamaged) {
  const TempFolder folder;
  Pcapng pcapng;
  pcapng.interface(1, 0, 9).enhanced(0, 1, kA).simple(4, kB).obsolete(0, 2, kB);
  const Bytes gz = gzipped(pcapng.bytes());
  for (const Bytes& whole : {pcapng.bytes(), gz}) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const std::uint8_t value : {0x00, 0x7f, 0xff}) {
        Bytes damaged = whole;
        damaged[at] = value;
        const Read read = read_all(write_file(folder, "damaged", damaged));
        ASSERT_LE(read.packets.size(), 3u) << at;
        ASSERT_LE(read.errors.size(), 1u) << at;
      }
    }
  }
}

TEST(CaptureFormat, ABadFileOfAFolderDoesNotHideTheOthers) {
  const TempFolder folder;
  write_file(folder, "1.pcap", support::to_bytes("only words"));
  PcapWriter(folder.file("2.pcap"), {.link_type = 220}).write(Timestamp{kStart}, kA);
  PcapWriter(folder.file("3.pcap")).write(Timestamp{kStart}, kA);
  write_file(folder, "4.pcap.gz", gzipped(read_file(folder.file("3.pcap"))));
  write_file(folder, "5.pcap", {});
  const Read read = read_all(folder.path());
  EXPECT_EQ(read.packets.size(), 2u);
  EXPECT_THAT(read.errors,
              ElementsAre(HasSubstr("1.pcap"), HasSubstr("2.pcap"), HasSubstr("5.pcap")));
}

}  // namespace
}  // namespace imds::port
