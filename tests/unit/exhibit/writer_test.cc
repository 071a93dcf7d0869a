#include "exhibit/writer.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "event/kept_packets.h"
#include "exhibit/recorder.h"
#include "port/capture.h"
#include "support/packet_builder.h"

namespace imds::exhibit {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "imds-exhibit-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path_)) {
      out.push_back(entry.path().filename());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::string path_;
};

constexpr std::uint32_t kRun = 1'759'924'800;

class Rig {
 public:
  explicit Rig(const std::string& folder, std::uint64_t file_bytes = 1u << 20,
               std::uint32_t files = 3)
      : lane_(1u << 20), recorder_(recorder_options(file_bytes), lane_) {
    Writer::Options options;
    options.folder = folder;
    options.run = kRun;
    options.files = files;
    options.port_names = {"tap0"};
    options.application = "test";
    options.retry = std::chrono::milliseconds(0);
    options.report = [this](const std::string& text) { reports.push_back(text); };
    writer_ = Writer::create(std::move(options), {&lane_}).value();
  }
  static Recorder::Options recorder_options(std::uint64_t file_bytes) {
    Recorder::Options options;
    options.run = kRun;
    options.file_bytes = file_bytes;
    options.exchanges_per_minute = 100000;
    return options;
  }
  event::KeptPackets keep(const support::Bytes& bytes, std::int64_t time_ns = 1) {
    Frame frame;
    frame.bytes = bytes;
    frame.time = Timestamp{time_ns};
    recorder_.take_up(frame);
    return recorder_.tell(nullptr, false);
  }
  Writer& writer() { return *writer_; }
  Lane& lane() { return lane_; }

  std::vector<std::string> reports;

 private:
  Lane lane_;
  Recorder recorder_;
  std::unique_ptr<Writer> writer_;
};

support::Bytes segment(std::string_view payload) {
  return support::PacketBuilder()
      .ethernet()
      .ipv4("10.0.0.1", "169.254.169.254")
      .tcp(40000, 80)
      .payload(payload)
      .build();
}

std::vector<std::pair<std::int64_t, std::size_t>> read_back(const std::string& path) {
  std::vector<std::pair<std::int64_t, std::size_t>> out;
  const auto reader = port::CaptureReader::open({path}).value();
  while (const port::CaptureRecord* record = reader->next()) {
    out.emplace_back(record->time.ns, record->bytes.size());
  }
  EXPECT_TRUE(reader->errors().empty());
  return out;
}

TEST(Writer, WritesWhatAReaderOfCapturesReads) {
  const Folder folder;
  Rig rig(folder.path());
  const support::Bytes one = segment("FAKE-SECRET");
  const event::KeptPackets first = rig.keep(one, 1'760'000'000'123'456'789);
  const event::KeptPackets second = rig.keep(segment("x"), 1'760'000'000'123'456'790);
  EXPECT_EQ(first.last, 1u);
  EXPECT_EQ(second.last, 2u);
  rig.writer().finish();
  ASSERT_THAT(folder.names(), ElementsAre("imds-20251008T120000Z-w0-000001.pcapng"));
  const std::string path = folder.path() + "/" + event::kept_file_name(kRun, 0, first.file);
  const auto packets = read_back(path);
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0], std::pair(std::int64_t{1'760'000'000'123'456'789}, one.size()));
  EXPECT_EQ(packets[1].first, 1'760'000'000'123'456'790);
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text.find("FAKE"), std::string::npos);
  EXPECT_NE(text.find("tap0"), std::string::npos);
  EXPECT_NE(text.find("11 bytes overwritten"), std::string::npos);
  EXPECT_EQ(rig.writer().counters().packets.get(), 2u);
  EXPECT_EQ(rig.writer().counters().bytes.get(), fs::file_size(path));
}

TEST(Writer, MakesFilesForTheirOwnerOnly) {
  const Folder folder;
  const mode_t before = ::umask(0);
  Rig rig(folder.path());
  rig.keep(segment("x"));
  rig.writer().finish();
  ::umask(before);
  struct stat facts {};
  ASSERT_EQ(::stat((folder.path() + "/" + folder.names().at(0)).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
}

TEST(Writer, RotatesWithinItsBoundAndDeletesItsOwnOnly) {
  const Folder folder;
  const std::string other = folder.path() + "/imds-20240101T000000Z-w0-000001.pcapng";
  std::ofstream(other) << "a former run's";
  constexpr std::uint64_t kFile = 64 << 10;
  Rig rig(folder.path(), kFile, 3);
  event::KeptPackets kept;
  while (kept.file < 6) {
    kept = rig.keep(segment(std::string(1400, 'x')));
    rig.writer().poll();
  }
  rig.writer().finish();
  EXPECT_THAT(
      folder.names(),
      ElementsAre("imds-20240101T000000Z-w0-000001.pcapng", event::kept_file_name(kRun, 0, 4),
                  event::kept_file_name(kRun, 0, 5), event::kept_file_name(kRun, 0, 6)));
  for (const std::string& name : folder.names()) {
    EXPECT_LE(fs::file_size(folder.path() + "/" + name), kFile);
  }
  EXPECT_EQ(rig.writer().counters().files.get(), 6u);
  EXPECT_EQ(rig.writer().counters().deleted.get(), 3u);
  EXPECT_EQ(rig.writer().counters().lost.get(), 0u);
}

TEST(Writer, NeverWritesIntoAFileThatIsThere) {
  const Folder folder;
  const std::string taken = folder.path() + "/" + event::kept_file_name(kRun, 0, 1);
  fs::create_symlink("/dev/null", taken);
  Rig rig(folder.path());
  EXPECT_TRUE(rig.keep(segment("x")).is_set());
  rig.writer().poll();
  EXPECT_EQ(rig.writer().counters().errors.get(), 1u);
  EXPECT_EQ(rig.writer().counters().lost.get(), 1u);
  ASSERT_EQ(rig.reports.size(), 1u);
  EXPECT_THAT(rig.reports[0], HasSubstr("File exists"));
  EXPECT_TRUE(fs::is_symlink(taken));
  // It goes on with the next one.
  rig.writer().poll();
  EXPECT_EQ(rig.keep(segment("y")).file, 2u);
  rig.writer().finish();
  EXPECT_EQ(read_back(folder.path() + "/" + event::kept_file_name(kRun, 0, 2)).size(), 1u);
}

// A full disk, played by the limit of a file's size.
TEST(Writer, GivesAFileUpWithItsLastWholePacket) {
  const Folder folder;
  Rig rig(folder.path());
  for (int i = 0; i < 4; ++i) {
    rig.keep(segment(std::string(1000, 'x')));
  }
  while (rig.writer().poll() > 0) {
  }
  for (int i = 0; i < 4; ++i) {
    rig.keep(segment(std::string(1000, 'y')));
  }
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 6000, before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  while (rig.writer().poll() > 0) {
  }
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(rig.writer().counters().lost.get(), 4u);
  EXPECT_EQ(rig.writer().counters().packets.get(), 4u);
  EXPECT_EQ(rig.writer().counters().errors.get(), 1u);
  EXPECT_EQ(rig.reports.size(), 1u);
  EXPECT_EQ(rig.lane().failed_file.load(), 1u);
  EXPECT_EQ(read_back(folder.path() + "/" + event::kept_file_name(kRun, 0, 1)).size(), 4u);
  rig.writer().poll();
  EXPECT_EQ(rig.keep(segment("z")).file, 2u);
  rig.writer().finish();
  EXPECT_EQ(rig.writer().counters().packets.get(), 5u);
}

TEST(Writer, RefusesAFolderThatOthersMayWriteIn) {
  const Folder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  Writer::Options options;
  options.folder = folder.path();
  const auto refused = Writer::create(options, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::environment);
  EXPECT_THAT(refused.error().message, HasSubstr("others may write in it"));
  options.folder = folder.path() + "/absent";
  EXPECT_THAT(Writer::create(options, {}).error().message, HasSubstr("mode 0700"));
}

TEST(Writer, ChoosesARunThatNoFileHas) {
  const Folder folder;
  EXPECT_EQ(Writer::choose_run(folder.path(), kRun).value(), kRun);
  std::ofstream(folder.path() + "/" + event::kept_file_name(kRun, 4, 9)) << "x";
  EXPECT_EQ(Writer::choose_run(folder.path(), kRun).value(), kRun + 1);
}

}  // namespace
}  // namespace imds::exhibit
