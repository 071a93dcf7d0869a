#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "alert/format.h"
#include "alert/ring_reader.h"
#include "alert/ring_writer.h"
#include "samples.h"
#include "third_party_reader.h"

namespace imds::alert {
namespace {

using From = RingReader::From;

RingWriter open_writer(const RingName& ring, std::uint32_t capacity = 8) {
  Result<RingWriter> writer = RingWriter::open({ring.name, capacity, 0600});
  EXPECT_TRUE(writer) << writer.error().to_string();
  return std::move(*writer);
}

RingReader attach(const RingName& ring, From from = From::oldest) {
  Result<RingReader> reader = RingReader::attach(ring.name, from);
  EXPECT_TRUE(reader) << reader.error().to_string();
  return std::move(*reader);
}

void publish(RingWriter& writer, std::uint64_t from, std::uint64_t to) {
  imds_alert_record record = record_of(sample_finding());
  for (std::uint64_t i = from; i <= to; ++i) {
    record.time_ns = static_cast<std::int64_t>(i);
    writer.publish(record);
  }
}

// Reads until nothing is new; returns the times, which the tests use as values.
std::vector<std::int64_t> drain(RingReader& reader) {
  std::vector<std::int64_t> values;
  imds_alert_record record;
  for (;;) {
    const Result<ReadResult> result = reader.next(record);
    if (!result) {
      ADD_FAILURE() << result.error().to_string();
      return values;
    }
    if (result->kind == ReadKind::nothing) {
      return values;
    }
    if (result->kind == ReadKind::record) {
      values.push_back(record.time_ns);
    }
  }
}

// The segment as a hostile or broken process would change it.
class RawSegment {
 public:
  explicit RawSegment(const RingName& ring) : fd_(shm_open(ring.name.c_str(), O_RDWR, 0)) {
    struct stat object {};
    EXPECT_EQ(fstat(fd_, &object), 0);
    size_ = static_cast<std::size_t>(object.st_size);
    void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    base_ = static_cast<unsigned char*>(mapped);
  }
  RawSegment(const RawSegment&) = delete;
  RawSegment& operator=(const RawSegment&) = delete;
  ~RawSegment() {
    munmap(base_, size_);
    close(fd_);
  }
  imds_alert_ring_header& header() { return *reinterpret_cast<imds_alert_ring_header*>(base_); }
  imds_alert_record& slot(std::size_t index) {
    return *reinterpret_cast<imds_alert_record*>(base_ + header().header_size +
                                                 index * sizeof(imds_alert_record));
  }

 private:
  int fd_;
  std::size_t size_ = 0;
  unsigned char* base_ = nullptr;
};

TEST(Ring, RecordsComeOutAsTheyWentIn) {
  const RingName ring("basic");
  RingWriter writer = open_writer(ring);
  RingReader reader = attach(ring);
  const imds_alert_record sent = record_of(sample_finding());
  writer.publish(sent);

  imds_alert_record got;
  const Result<ReadResult> result = reader.next(got);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->kind, ReadKind::record);
  EXPECT_EQ(got.sequence, 1u);
  EXPECT_EQ(got.epoch, writer.epoch());
  constexpr std::size_t kStamp = 2 * sizeof(std::uint64_t);
  EXPECT_EQ(std::memcmp(reinterpret_cast<const char*>(&got) + kStamp,
                        reinterpret_cast<const char*>(&sent) + kStamp, sizeof got - kStamp),
            0);
  EXPECT_EQ(reader.next(got)->kind, ReadKind::nothing);
  EXPECT_EQ(writer.published(), 1u);
}

// What a shorter record does not write must not be left of a longer one in the same slot, whichever
// writer left it there.
TEST(Ring, SparseRecordsLeaveNothingOfWhatWasThere) {
  const RingName ring("sparse");
  event::Finding long_finding = sample_finding();
  long_finding.target.assign("/" + std::string(1000, 't'));
  long_finding.user_agent.assign(std::string(250, 'u'));
  RecordMaker maker;
  imds_alert_record out;
  const auto publish_and_check = [&](RingWriter& writer, RingReader& reader,
                                     const event::Finding& finding) {
    maker.take(finding, {"sensor-1", "tap0"});
    writer.publish(maker.make(sample_rule()));
    ASSERT_EQ(reader.next(out)->kind, ReadKind::record);
    imds_alert_record expected = record_of(finding);
    expected.sequence = writer.last_sequence();
    expected.epoch = writer.epoch();
    EXPECT_EQ(std::memcmp(&out, &expected, sizeof out), 0);
  };
  {
    RingWriter writer = open_writer(ring, 1);
    RingReader reader = attach(ring);
    publish_and_check(writer, reader, sample_finding());
    publish_and_check(writer, reader, long_finding);
    publish_and_check(writer, reader, sample_finding());
    imds_alert_record full;
    std::memset(&full, 0x55, sizeof full);
    writer.publish(full);
    ASSERT_TRUE(reader.next(out));
    publish_and_check(writer, reader, sample_finding());
    writer.publish(full);
  }
  RingWriter next_writer = open_writer(ring, 1);
  RingReader reader = attach(ring, From::newest);
  publish_and_check(next_writer, reader, sample_finding());
}

TEST(Ring, NewestBeginsAfterWhatIsThere) {
  const RingName ring("newest");
  RingWriter writer = open_writer(ring);
  publish(writer, 1, 3);
  RingReader reader = attach(ring, From::newest);
  EXPECT_TRUE(drain(reader).empty());
  publish(writer, 4, 5);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(reader.lost(), 0u);
}

TEST(Ring, SlowReaderKnowsExactlyWhatItLost) {
  const RingName ring("slow");
  RingWriter writer = open_writer(ring, 8);
  RingReader reader = attach(ring);
  for (std::uint64_t behind : {1u, 7u, 8u, 9u, 15u, 16u, 17u, 1000u}) {
    const std::uint64_t before = writer.published();
    const std::uint64_t lost_before = reader.lost();
    publish(writer, before + 1, before + behind);
    const std::vector<std::int64_t> values = drain(reader);
    const std::uint64_t kept = std::min<std::uint64_t>(behind, 8);
    ASSERT_EQ(values.size(), kept) << behind;
    EXPECT_EQ(values.back(), static_cast<std::int64_t>(before + behind));
    EXPECT_EQ(reader.lost() - lost_before, behind - kept) << behind;
  }
  EXPECT_EQ(reader.read() + reader.lost(), writer.published());
}

TEST(Ring, LateReaderGetsWhatIsThereAndLostNothing) {
  const RingName ring("late");
  RingWriter writer = open_writer(ring, 4);
  publish(writer, 1, 10);
  RingReader reader = attach(ring);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{7, 8, 9, 10}));
  EXPECT_EQ(reader.lost(), 0u);
}

TEST(Ring, ReadersAreIndependent) {
  const RingName ring("readers");
  RingWriter writer = open_writer(ring, 4);
  RingReader fast = attach(ring);
  RingReader slow = attach(ring);
  publish(writer, 1, 4);
  EXPECT_EQ(drain(fast).size(), 4u);
  publish(writer, 5, 8);
  EXPECT_EQ(drain(fast).size(), 4u);
  EXPECT_EQ(drain(slow).size(), 4u);
  EXPECT_EQ(fast.lost(), 0u);
  EXPECT_EQ(slow.lost(), 4u);
}

TEST(Ring, CapacityIsRoundedUp) {
  const RingName ring("capacity");
  EXPECT_EQ(open_writer(ring, 5).capacity(), 8u);
}

TEST(Ring, SecondWriterIsRefused) {
  const RingName ring("two");
  RingWriter writer = open_writer(ring);
  const Result<RingWriter> second = RingWriter::open({ring.name, 8, 0600});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::environment);
  EXPECT_NE(second.error().message.find("another inspector"), std::string::npos);
  // With another layout neither: the segment stays the first one's.
  EXPECT_FALSE(RingWriter::open({ring.name, 16, 0600}));
  RingReader reader = attach(ring);
  publish(writer, 1, 1);
  EXPECT_EQ(drain(reader).size(), 1u);
  EXPECT_EQ(reader.segment_state(), SegmentState::current);
}

TEST(Ring, RestartedWriterContinuesAndIsNoticed) {
  const RingName ring("restart");
  std::optional<RingWriter> first(open_writer(ring));
  RingReader reader = attach(ring);
  publish(*first, 1, 2);
  const std::uint64_t first_epoch = first->epoch();
  EXPECT_TRUE(reader.writer_alive());
  first.reset();
  EXPECT_FALSE(reader.writer_alive());
  EXPECT_TRUE(reader.facts().writer_stopped);

  RingWriter second = open_writer(ring);
  EXPECT_GT(second.epoch(), first_epoch);
  EXPECT_EQ(second.published(), 0u);
  EXPECT_EQ(second.last_sequence(), 2u);
  publish(second, 3, 3);
  EXPECT_TRUE(reader.writer_alive());
  EXPECT_FALSE(reader.facts().writer_stopped);

  std::vector<ReadKind> kinds;
  std::vector<std::uint64_t> epochs;
  imds_alert_record record;
  for (int i = 0; i < 5; ++i) {
    const ReadKind kind = reader.next(record)->kind;
    kinds.push_back(kind);
    if (kind == ReadKind::record) {
      epochs.push_back(record.epoch);
    }
  }
  EXPECT_EQ(kinds, (std::vector{ReadKind::record, ReadKind::record, ReadKind::writer_restarted,
                                ReadKind::record, ReadKind::nothing}));
  EXPECT_EQ(epochs, (std::vector{first_epoch, first_epoch, second.epoch()}));
  EXPECT_EQ(reader.lost(), 0u);
}

TEST(Ring, RestartIsNoticedBeforeTheFirstRecord) {
  const RingName ring("restart-idle");
  std::optional<RingWriter> writer(open_writer(ring));
  RingReader reader = attach(ring);
  writer.reset();
  writer.emplace(open_writer(ring));
  imds_alert_record record;
  EXPECT_EQ(reader.next(record)->kind, ReadKind::writer_restarted);
  EXPECT_EQ(reader.next(record)->kind, ReadKind::nothing);
}

TEST(Ring, LossAcrossARestartIsExact) {
  const RingName ring("restart-loss");
  std::optional<RingWriter> writer(open_writer(ring, 4));
  RingReader reader = attach(ring);
  publish(*writer, 1, 6);
  writer.reset();
  writer.emplace(open_writer(ring, 4));
  publish(*writer, 7, 9);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{6, 7, 8, 9}));
  EXPECT_EQ(reader.lost(), 5u);
}

TEST(Ring, AnotherLayoutTakesTheNameAndReadersSeeIt) {
  const RingName ring("layout");
  std::optional<RingWriter> writer(open_writer(ring, 4));
  RingReader reader = attach(ring);
  publish(*writer, 1, 2);
  writer.reset();
  writer.emplace(open_writer(ring, 16));
  EXPECT_EQ(writer->last_sequence(), 0u);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{1, 2}));  // the old mapping is still whole
  EXPECT_EQ(reader.segment_state(), SegmentState::replaced);
  publish(*writer, 3, 3);
  reader = attach(ring);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{3}));
}

TEST(Ring, RemovedSegmentIsNoticed) {
  const RingName ring("removed");
  RingWriter writer = open_writer(ring);
  const RingReader reader = attach(ring);
  EXPECT_EQ(reader.segment_state(), SegmentState::current);
  shm_unlink(ring.name.c_str());
  EXPECT_EQ(reader.segment_state(), SegmentState::removed);
}

TEST(Ring, PermissionsAreThoseAskedForWhateverTheUmask) {
  const RingName ring("mode");
  const mode_t before = umask(0777);
  const Result<RingWriter> writer = RingWriter::open({ring.name, 4, 0644});
  umask(before);
  ASSERT_TRUE(writer) << writer.error().to_string();
  const int fd = shm_open(ring.name.c_str(), O_RDONLY, 0);
  struct stat object {};
  ASSERT_EQ(fstat(fd, &object), 0);
  close(fd);
  EXPECT_EQ(object.st_mode & 0777u, 0644u);
}

TEST(Ring, BadOptionsAreExplained) {
  for (const char* name : {"", "/", "ring", "/a/b", "/.."}) {
    const Result<RingWriter> writer = RingWriter::open({name, 8, 0600});
    ASSERT_FALSE(writer) << name;
    EXPECT_EQ(writer.error().kind, ErrorKind::config);
    EXPECT_EQ(RingReader::attach(name, From::oldest).error().kind, ErrorKind::usage);
  }
  const RingName ring("options");
  EXPECT_EQ(RingWriter::open({ring.name, 0, 0600}).error().kind, ErrorKind::config);
  EXPECT_EQ(RingWriter::open({ring.name, kMaxRingCapacity + 1, 0600}).error().kind,
            ErrorKind::config);
}

TEST(Ring, NoRoomIsAnErrorNotACrash) {
  const RingName ring("room");
  struct rlimit_guard {
    rlimit_guard() { getrlimit(RLIMIT_FSIZE, &old); }
    ~rlimit_guard() { setrlimit(RLIMIT_FSIZE, &old); }
    struct rlimit old {};
  } guard;
  // A file size limit stands in for a full /dev/shm.
  struct rlimit small = guard.old;
  small.rlim_cur = 1u << 20;
  const auto ignore = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Result<RingWriter> writer = RingWriter::open({ring.name, 1024, 0600});
  setrlimit(RLIMIT_FSIZE, &guard.old);
  signal(SIGXFSZ, ignore);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::environment);
  EXPECT_NE(writer.error().message.find("no room for 4 MiB"), std::string::npos)
      << writer.error().message;
  EXPECT_EQ(RingReader::attach(ring.name, From::oldest).error().kind, ErrorKind::environment);
  EXPECT_TRUE(RingWriter::open({ring.name, 8, 0600}));
}

TEST(Ring, AbsentRing) {
  const RingName ring("absent");
  const Result<RingReader> reader = RingReader::attach(ring.name, From::oldest);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::environment);
  EXPECT_NE(reader.error().message.find("not there"), std::string::npos);
}

TEST(Ring, SharedMemoryThatIsNoRingIsRefused) {
  const RingName ring("foreign");
  const int fd = shm_open(ring.name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ASSERT_GE(fd, 0);
  for (const off_t size : {0, 1, 255, 256, 8192, 1 << 20}) {
    ASSERT_EQ(ftruncate(fd, size), 0);
    EXPECT_FALSE(RingReader::attach(ring.name, From::oldest)) << size;
  }
  const std::string junk(4096, 'x');
  ASSERT_EQ(pwrite(fd, junk.data(), junk.size(), 0), 4096);
  const Result<RingReader> reader = RingReader::attach(ring.name, From::oldest);
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("not an alert ring"), std::string::npos);
  close(fd);
  // A writer replaces it.
  RingWriter writer = open_writer(ring);
  publish(writer, 1, 1);
  RingReader fresh = attach(ring);
  EXPECT_EQ(drain(fresh).size(), 1u);
}

TEST(Ring, ImpossibleHeadersAreRefused) {
  const RingName ring("header");
  RingWriter writer = open_writer(ring);
  RawSegment raw(ring);
  const imds_alert_ring_header good = raw.header();
  const auto refused = [&](auto change) {
    change(raw.header());
    const bool failed = !RingReader::attach(ring.name, From::oldest);
    raw.header() = good;
    return failed;
  };
  EXPECT_TRUE(refused([](auto& h) { h.magic = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.magic ^= 1; }));
  EXPECT_TRUE(refused([](auto& h) { h.abi_major = 2; }));
  EXPECT_TRUE(refused([](auto& h) { h.header_size = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.header_size = 4097; }));
  EXPECT_TRUE(refused([](auto& h) { h.header_size = 0xffffffff; }));
  EXPECT_TRUE(refused([](auto& h) { h.record_size = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.record_size = 4095; }));
  EXPECT_TRUE(refused([](auto& h) { h.record_size = 0xfffffff8; }));
  EXPECT_TRUE(refused([](auto& h) { h.record_size = 8192; }));
  EXPECT_TRUE(refused([](auto& h) { h.capacity = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.capacity = 7; }));
  EXPECT_TRUE(refused([](auto& h) { h.capacity = 16; }));
  EXPECT_TRUE(refused([](auto& h) { h.capacity = 0x80000000; }));
  EXPECT_FALSE(refused([](auto& h) { h.abi_minor = 9; }));
}

TEST(Ring, CorruptRecordsAreCountedNotShown) {
  const RingName ring("corrupt");
  RingWriter writer = open_writer(ring, 8);
  RingReader reader = attach(ring);
  publish(writer, 1, 4);
  RawSegment raw(ring);
  raw.slot(1).url_original.length = 0xffff;
  raw.slot(2).sequence = 77;
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(reader.damaged(), 1u);
  EXPECT_EQ(reader.lost(), 1u);
  EXPECT_EQ(reader.read() + reader.lost() + reader.damaged(), 4u);
}

TEST(Ring, HostileHeaderCannotLeadAReaderAstray) {
  const RingName ring("hostile");
  RingWriter writer = open_writer(ring, 8);
  RingReader reader = attach(ring);
  publish(writer, 1, 4);
  RawSegment raw(ring);
  // Sizes that change after attaching are not looked at again.
  raw.header().capacity = 0x40000000;
  raw.header().record_size = 0x7ffffff8;
  raw.header().header_size = 0x7ffffff8;
  EXPECT_EQ(drain(reader).size(), 4u);
  // A count far ahead: everything in between is lost, quickly, and the slots do not match.
  raw.header().published = std::uint64_t{1} << 60;
  EXPECT_TRUE(drain(reader).empty());
  EXPECT_EQ(reader.lost(), (std::uint64_t{1} << 60) - 4);
  // And back again.
  raw.header().published = 4;
  imds_alert_record record;
  const Result<ReadResult> result = reader.next(record);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::runtime);
}

TEST(Ring, ShrunkSegmentIsNoticedBeforeItIsTouched) {
  const RingName ring("shrunk");
  std::optional<RingWriter> writer(open_writer(ring, 8));
  RingReader reader = attach(ring);
  publish(*writer, 1, 4);
  writer.reset();
  const int fd = shm_open(ring.name.c_str(), O_RDWR, 0);
  ASSERT_EQ(ftruncate(fd, 4096), 0);
  close(fd);
  imds_alert_record record;
  EXPECT_FALSE(reader.next(record));
  EXPECT_EQ(reader.segment_state(), SegmentState::shrunk);
  EXPECT_FALSE(RingReader::attach(ring.name, From::oldest));
}

TEST(Ring, HalfWrittenRecordOfADeadWriterIsNeverShown) {
  const RingName ring("torn");
  std::optional<RingWriter> writer(open_writer(ring, 4));
  RingReader reader = attach(ring);
  publish(*writer, 1, 5);
  writer.reset();
  {
    // As if killed while writing record 6, in the slot of record 2.
    RawSegment raw(ring);
    raw.slot(1).sequence = IMDS_ALERT_SEQUENCE_WRITING;
    std::memset(raw.slot(1).url_original.data, 'X', 1000);
  }
  RingReader late = attach(ring);
  EXPECT_EQ(drain(late), (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_EQ(late.lost(), 0u);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_EQ(reader.lost(), 2u);
  writer.emplace(open_writer(ring, 4));
  publish(*writer, 6, 6);
  EXPECT_EQ(drain(reader), (std::vector<std::int64_t>{6}));
  EXPECT_EQ(reader.lost(), 2u);
}

TEST(Ring, Facts) {
  const RingName ring("facts");
  RingWriter writer = open_writer(ring, 4);
  RingReader reader = attach(ring);
  EXPECT_EQ(reader.facts().oldest, 0u);
  publish(writer, 1, 6);
  const RingFacts facts = reader.facts();
  EXPECT_EQ(facts.abi_major, IMDS_ALERT_RING_ABI_MAJOR);
  EXPECT_EQ(facts.record_size, std::uint32_t{IMDS_ALERT_RECORD_SIZE});
  EXPECT_EQ(facts.capacity, 4u);
  EXPECT_EQ(facts.published, 6u);
  EXPECT_EQ(facts.oldest, 3u);
  EXPECT_EQ(facts.epoch, writer.epoch());
  EXPECT_EQ(facts.writer_pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_TRUE(facts.writer_alive);
  EXPECT_FALSE(facts.writer_stopped);
}

// The layout only grew: what a reader built against ABI 1.0 knows stands where it stood.
TEST(Ring, AReaderOfTheFirstLayoutReadsTheSame) {
  constexpr std::size_t kFirstLayoutEnd = 3348;
  event::Finding finding = sample_finding();
  const imds_alert_record plain = record_of(finding);
  finding.tunnel = sample_tunnel();
  imds_alert_record tunnelled = record_of(finding);
  std::memcpy(tunnelled.id, plain.id, sizeof plain.id);
  EXPECT_EQ(std::memcmp(&plain, &tunnelled, kFirstLayoutEnd), 0);
  // And a record of such a writer, zero beyond that, is one without a tunnel.
  imds_alert_record first{};
  std::memcpy(static_cast<void*>(&first), &tunnelled, kFirstLayoutEnd);
  EXPECT_TRUE(is_valid(first));
  EXPECT_EQ(to_text(first).find(" via "), std::string::npos);
}

TEST(Ring, AReaderWrittenInCReadsTheSame) {
  const RingName ring("c");
  RingWriter writer = open_writer(ring, 4);
  third_party_ring theirs;
  ASSERT_EQ(third_party_open(&theirs, ring.name.c_str()), 0);
  publish(writer, 1, 3);
  imds_alert_record record;
  for (std::int64_t expected = 1; expected <= 3; ++expected) {
    ASSERT_EQ(third_party_next(&theirs, &record), 1);
    EXPECT_EQ(record.time_ns, expected);
  }
  EXPECT_EQ(third_party_next(&theirs, &record), 0);
  publish(writer, 4, 12);
  ASSERT_EQ(third_party_next(&theirs, &record), 1);
  EXPECT_EQ(record.time_ns, 9);
  EXPECT_EQ(theirs.lost, 5u);

  char tunnel[200];
  EXPECT_EQ(third_party_tunnel(&record, tunnel, sizeof tunnel), 0);
  event::Finding finding = sample_finding();
  finding.tunnel = sample_tunnel();
  writer.publish(record_of(finding));
  while (third_party_next(&theirs, &record) == 1) {
  }
  EXPECT_GT(third_party_tunnel(&record, tunnel, sizeof tunnel), 0);
  EXPECT_STREQ(tunnel, "gre/vxlan 42");
  third_party_close(&theirs);
  EXPECT_EQ(third_party_open(&theirs, "/imds-unit-no-such-ring"), -1);
}

}  // namespace
}  // namespace imds::alert
