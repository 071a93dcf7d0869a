// The ring between processes: what `kill -9` leaves behind, and a reader under load.
#include <functional>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include "alert/ring_reader.h"
#include "alert/ring_writer.h"
#include "samples.h"

namespace imds::alert {
namespace {

using From = RingReader::From;

// A child process; killed and reaped at the end of the test if it still runs.
class Child {
 public:
  explicit Child(const std::function<int()>& body) : pid_(fork()) {
    if (pid_ == 0) {
      _exit(body());
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill();
    }
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

// Publishes 1, 2, … without end.
int write_for_ever(const std::string& name, std::uint32_t capacity) {
  Result<RingWriter> writer = RingWriter::open({name, capacity, 0600});
  if (!writer) {
    return 1;
  }
  imds_alert_record record = record_of(sample_finding());
  for (;;) {
    stamp(record, writer->last_sequence() + 1);
    writer->publish(record);
  }
}

// Attaches as soon as the child has made the ring.
RingReader attach_when_ready(const std::string& name, From from) {
  for (;;) {
    if (Result<RingReader> reader = RingReader::attach(name, from); reader) {
      return std::move(*reader);
    }
    usleep(100);
  }
}

struct Seen {
  std::uint64_t records = 0;
  std::uint64_t restarts = 0;
  std::uint64_t wrong = 0;
};

void read_some(RingReader& reader, Seen& seen, const std::function<bool()>& enough) {
  imds_alert_record record;
  while (!enough()) {
    const Result<ReadResult> result = reader.next(record);
    if (!result) {
      ++seen.wrong;
      return;
    }
    if (result->kind == ReadKind::record) {
      ++seen.records;
      // Every value is derived from the record's number: any mixture shows.
      if (!is_stamped(record) || record.time_ns != static_cast<std::int64_t>(record.sequence)) {
        ++seen.wrong;
      }
    }
    seen.restarts += result->kind == ReadKind::writer_restarted ? 1 : 0;
  }
}

TEST(RingProcesses, NoRecordIsTornOrMiscountedUnderLoad) {
  const RingName ring("stress");
  // So few slots that the writer overtakes the reader all the time.
  Child writer([&] { return write_for_ever(ring.name, 16); });
  RingReader reader = attach_when_ready(ring.name, From::oldest);
  const std::uint64_t first = reader.cursor();
  Seen seen;
  read_some(reader, seen,
            [&] { return seen.wrong > 0 || (seen.records >= 2'000 && reader.lost() > 0); });
  writer.kill();
  EXPECT_EQ(seen.wrong, 0u);
  EXPECT_EQ(reader.damaged(), 0u);
  EXPECT_EQ(seen.records, reader.read());
  EXPECT_EQ(reader.read() + reader.lost(), reader.cursor() - first);
}

TEST(RingProcesses, KilledWriterLeavesAReadableRingAndASuccessorGoesOn) {
  const RingName ring("kill-writer");
  Seen seen;
  std::uint64_t published = 0;
  for (int round = 0; round < 20; ++round) {
    Child writer([&] { return write_for_ever(ring.name, 8); });
    RingReader reader = attach_when_ready(ring.name, From::oldest);
    const std::uint64_t goal = published + 50;
    read_some(reader, seen, [&] { return seen.wrong > 0 || reader.facts().published > goal; });
    writer.kill();  // most likely in the middle of a record

    EXPECT_FALSE(reader.writer_alive());
    EXPECT_FALSE(reader.facts().writer_stopped);
    const RingFacts left = reader.facts();
    EXPECT_GE(left.published, published) << "numbering went backwards";
    published = left.published;
    read_some(reader, seen, [&] { return reader.cursor() > left.published; });
    RingReader late = attach_when_ready(ring.name, From::oldest);
    imds_alert_record record;
    std::uint64_t there = 0;
    while (late.next(record)->kind != ReadKind::nothing) {
      ++there;
    }
    EXPECT_GE(there, 7u);  // all eight slots, but for the one that was being written
  }
  EXPECT_EQ(seen.wrong, 0u);
}

TEST(RingProcesses, ReaderSeesARestartBetweenRecordsOfTwoWriters) {
  const RingName ring("follow-restart");
  RingReader reader = [&] {
    Child first([&] { return write_for_ever(ring.name, 64); });
    RingReader attached = attach_when_ready(ring.name, From::oldest);
    Seen seen;
    read_some(attached, seen, [&] { return seen.records >= 100; });
    return attached;
  }();
  Child second([&] { return write_for_ever(ring.name, 64); });
  Seen seen;
  read_some(reader, seen, [&] { return seen.restarts > 0 && seen.records >= 1000; });
  EXPECT_EQ(seen.restarts, 1u);
  EXPECT_EQ(seen.wrong, 0u);
}

TEST(RingProcesses, KilledReaderDoesNotMatterToTheWriter) {
  const RingName ring("kill-reader");
  Result<RingWriter> writer = RingWriter::open({ring.name, 8, 0600});
  ASSERT_TRUE(writer);
  imds_alert_record record = record_of(sample_finding());
  {
    Child reader([&] {
      Result<RingReader> r = RingReader::attach(ring.name, From::oldest);
      imds_alert_record out;
      while (r && r->next(out)) {
      }
      return 1;
    });
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      stamp(record, i);
      writer->publish(record);
    }
    reader.kill();
  }
  stamp(record, 1001);
  writer->publish(record);
  Result<RingReader> after = RingReader::attach(ring.name, From::newest);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->facts().published, 1001u);
  EXPECT_TRUE(after->writer_alive());
}

TEST(RingProcesses, SecondWriterInAnotherProcessIsRefused) {
  const RingName ring("two-processes");
  Result<RingWriter> writer = RingWriter::open({ring.name, 8, 0600});
  ASSERT_TRUE(writer);
  Child other([&] {
    const Result<RingWriter> second = RingWriter::open({ring.name, 8, 0600});
    return second ? 1 : second.error().kind == ErrorKind::environment ? 0 : 2;
  });
  EXPECT_EQ(other.wait(), 0);
}

// One writer at a time, however many start at once. Each tells how it went; the one that won keeps
// the ring until all have told.
TEST(RingProcesses, OfWritersThatStartTogetherOneWins) {
  struct Pipe {
    Pipe() { EXPECT_EQ(pipe(ends), 0); }
    ~Pipe() {
      close(ends[0]);
      close_writing();
    }
    void close_writing() {
      if (ends[1] >= 0) {
        close(std::exchange(ends[1], -1));
      }
    }
    int ends[2];
  };
  for (int round = 0; round < 20; ++round) {
    const RingName ring("race");
    Pipe go;
    Pipe results;
    Pipe hold;
    const auto start = [&](std::uint32_t capacity) {
      return [&, capacity] {
        char byte = 0;
        go.close_writing();
        hold.close_writing();
        (void)!read(go.ends[0], &byte, 1);  // until the parent closes it
        const Result<RingWriter> writer = RingWriter::open({ring.name, capacity, 0600});
        (void)!write(results.ends[1], writer ? "w" : "l", 1);
        (void)!read(hold.ends[0], &byte, 1);
        return 0;
      };
    };
    Child a(start(8));
    Child b(start(8));
    Child c(start(16));
    go.close_writing();
    int winners = 0;
    for (int i = 0; i < 3; ++i) {
      char result = 0;
      ASSERT_EQ(read(results.ends[0], &result, 1), 1);
      winners += result == 'w' ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
    hold.close_writing();
    a.wait();
    b.wait();
    c.wait();
  }
}

}  // namespace
}  // namespace imds::alert
