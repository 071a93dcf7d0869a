#include "exhibit/recorder.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exhibit/pcapng.h"

namespace imds::exhibit {
namespace {

using event::kept_numbers;
using event::KeptPackets;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Taken {
  FrameNote note;
  std::string bytes;
};

class Rig {
 public:
  explicit Rig(Recorder::Options options = {}, std::size_t ring = 1u << 20)
      : lane(ring), recorder(options, lane) {}

  void take_up(const std::string& bytes, std::int64_t time_ns = 1) {
    bytes_ = bytes;
    Frame frame;
    frame.bytes = {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()};
    frame.time = Timestamp{time_ns};
    recorder.take_up(frame);
  }
  // A packet of a flow that alerts, or does not.
  KeptPackets packet(Mark& mark, bool alerts, const std::string& bytes = "a packet") {
    take_up(bytes);
    KeptPackets kept;
    if (alerts) {
      kept = recorder.tell(&mark, false);
    }
    recorder.after(mark, false);
    recorder.put_down();
    return kept;
  }
  std::vector<Taken> taken() {
    std::vector<Taken> out;
    for (; !lane.ring.front().empty(); lane.ring.pop()) {
      const std::span<std::uint8_t> record = lane.ring.front();
      Taken one;
      std::memcpy(&one.note, record.data(), sizeof one.note);
      one.bytes.assign(record.begin() + sizeof one.note, record.end());
      out.push_back(one);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t not_kept(NotKept reason) const {
    return lane.counters.not_kept[static_cast<std::size_t>(reason)].get();
  }

  Lane lane;
  Recorder recorder;

 private:
  std::string bytes_;
};

TEST(Recorder, KeepsAFlowFromItsFirstAlertOn) {
  Rig rig;
  Mark mark;
  rig.packet(mark, false, "before");
  EXPECT_FALSE(rig.recorder.keeps(mark));
  const KeptPackets first = rig.packet(mark, true, "alert");
  EXPECT_EQ(first, (KeptPackets{1, 1, 1, true, 0}));
  EXPECT_TRUE(rig.recorder.keeps(mark));
  rig.packet(mark, false, "answer");
  const KeptPackets second = rig.packet(mark, true, "again");
  EXPECT_THAT(kept_numbers(second), ElementsAre(1, 2, 3));
  EXPECT_TRUE(second.completes);
  const std::vector<Taken> taken = rig.taken();
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(taken[0].bytes, "alert");
  EXPECT_EQ(taken[1].bytes, "answer");
  EXPECT_EQ(taken[2].note.number, 3u);
}

TEST(Recorder, TellsFlowsApart) {
  Rig rig;
  Mark one;
  Mark other;
  rig.packet(one, true);
  rig.packet(other, true);
  rig.packet(one, false);
  EXPECT_THAT(kept_numbers(rig.packet(other, true)), ElementsAre(2, 4));
  EXPECT_THAT(kept_numbers(rig.packet(one, true)), ElementsAre(1, 3, 5));
}

TEST(Recorder, KeepsAPacketOnceHoweverManyAlertsItRaises) {
  Rig rig;
  Mark mark;
  rig.take_up("claim and connection");
  EXPECT_EQ(rig.recorder.tell(nullptr, true), (KeptPackets{1, 1, 1, true, 0}));
  EXPECT_EQ(rig.recorder.tell(&mark, false), (KeptPackets{1, 1, 1, true, 0}));
  EXPECT_EQ(rig.recorder.tell(&mark, false), (KeptPackets{1, 1, 1, true, 0}));
  rig.recorder.after(mark, false);
  rig.recorder.put_down();
  EXPECT_EQ(rig.taken().size(), 1u);
}

TEST(Recorder, RemembersWhatMayAlert) {
  Rig rig;
  Mark mark;
  Mark other;
  rig.take_up("GET /la");
  rig.recorder.may_begin_message();
  rig.recorder.after(mark, true);
  rig.take_up("GET /other");
  rig.recorder.after(other, true);
  EXPECT_THAT(rig.taken(), IsEmpty());
  EXPECT_THAT(kept_numbers(rig.packet(mark, true, "test")), ElementsAre(1, 2));
  const std::vector<Taken> taken = rig.taken();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].bytes, "GET /la");
  EXPECT_EQ(taken[0].note.flags, kMayBeginMessage);
  EXPECT_EQ(taken[1].note.flags, 0);
}

TEST(Recorder, ForgetsAFlowThatIsOver) {
  Rig rig;
  Mark mark;
  rig.take_up("remembered");
  rig.recorder.after(mark, true);
  rig.recorder.close(mark);
  rig.packet(mark, true, "another flow in the same place");
  EXPECT_EQ(rig.taken().size(), 1u);
  rig.recorder.close(mark);
  EXPECT_FALSE(rig.recorder.keeps(mark));
}

TEST(Recorder, AnEventWithoutAPacketNamesTheFlowsOthers) {
  Rig rig;
  Mark mark;
  EXPECT_FALSE(rig.recorder.tell(&mark, false).is_set());
  EXPECT_EQ(rig.not_kept(NotKept::not_at_hand), 1u);
  rig.packet(mark, true);
  EXPECT_EQ(rig.recorder.tell(&mark, false), (KeptPackets{1, 1, 1, false, 0}));
  rig.take_up("of another flow");
  {
    const Recorder::Aside aside(&rig.recorder);
    EXPECT_FALSE(rig.recorder.tell(nullptr, false).is_set());
  }
  EXPECT_TRUE(rig.recorder.tell(nullptr, false).is_set());
}

TEST(Recorder, StopsAtTheLimitsOfAnExchange) {
  Recorder::Options options;
  options.exchange_packets = 3;
  Rig rig(options);
  Mark mark;
  rig.packet(mark, true);
  rig.packet(mark, false);
  rig.packet(mark, false);
  EXPECT_FALSE(rig.recorder.keeps(mark));
  EXPECT_FALSE(rig.packet(mark, true).is_set());
  EXPECT_EQ(rig.not_kept(NotKept::exchange_limit), 1u);
  EXPECT_EQ(rig.taken().size(), 3u);

  options.exchange_bytes = 10;
  Rig bytes(options);
  Mark another;
  EXPECT_TRUE(bytes.packet(another, true, "12345678").is_set());
  EXPECT_FALSE(bytes.packet(another, true, "123").is_set());
}

TEST(Recorder, StopsAtTheRateOfExchanges) {
  Recorder::Options options;
  options.exchanges_per_minute = 2;
  Rig rig(options);
  Mark a;
  Mark b;
  Mark c;
  EXPECT_TRUE(rig.packet(a, true).is_set());
  EXPECT_TRUE(rig.packet(b, true).is_set());
  EXPECT_FALSE(rig.packet(c, true).is_set());
  EXPECT_TRUE(rig.packet(a, true).is_set()) << "goes on";
  EXPECT_EQ(rig.not_kept(NotKept::rate_limit), 1u);
  rig.take_up("a minute later", 61 * kNanosPerSecond);
  EXPECT_TRUE(rig.recorder.tell(&c, false).is_set());
}

TEST(Recorder, SaysNothingWhereTheQueueIsFull) {
  Rig rig({}, 4096);
  Mark mark;
  std::uint32_t kept = 0;
  for (int i = 0; i < 10; ++i) {
    kept += rig.packet(mark, true, std::string(1000, 'x')).is_set() ? 1 : 0;
  }
  EXPECT_EQ(kept, 3u);
  EXPECT_EQ(rig.not_kept(NotKept::queue_full), 7u);
  EXPECT_EQ(rig.taken().size(), 3u);
  // Numbers have no gaps.
  EXPECT_EQ(rig.packet(mark, true).last, 4u);
}

TEST(Recorder, TurnsToTheNextFileBySize) {
  Recorder::Options options;
  options.file_bytes = kFileOverhead + 3 * longest_packet_block(1000);
  Rig rig(options);
  Mark mark;
  KeptPackets kept;
  for (int i = 0; i < 5; ++i) {
    kept = rig.packet(mark, true, std::string(1000, 'x'));
  }
  EXPECT_EQ(kept.file, 2u);
  EXPECT_THAT(kept_numbers(kept), ElementsAre(1, 2)) << "only what is in the file it names";
}

TEST(Recorder, KeepsNothingWhileTheDiskFailsAndBeginsANewFileThen) {
  Rig rig;
  Mark mark;
  EXPECT_TRUE(rig.packet(mark, true).is_set());
  rig.lane.failed_file = 1;
  rig.lane.blocked = true;
  EXPECT_FALSE(rig.packet(mark, true).is_set());
  EXPECT_EQ(rig.not_kept(NotKept::disk), 1u);
  rig.lane.blocked = false;
  EXPECT_EQ(rig.packet(mark, true), (KeptPackets{1, 2, 1, true, 0}));
}

TEST(Recorder, AnEvictedExchangeBeginsAnew) {
  Recorder::Options options;
  options.exchanges = 1;
  Rig rig(options);
  Mark one;
  Mark other;
  rig.packet(one, true);
  rig.packet(other, true);
  EXPECT_FALSE(rig.recorder.keeps(one));
  EXPECT_EQ(rig.lane.counters.exchanges_evicted.get(), 1u);
  EXPECT_THAT(kept_numbers(rig.packet(one, true)), ElementsAre(3));
}

TEST(Recorder, PutsTagsBackThatTheNicTookOff) {
  Rig rig;
  const std::string bytes = "ddddddssssss\x08\x00rest";
  Frame frame;
  const std::string whole("ddddddssssss\x08\x00rest", 18);
  frame.bytes = {reinterpret_cast<const std::uint8_t*>(whole.data()), whole.size()};
  frame.stripped_vlan = 100;
  frame.stripped_outer_vlan = 7;
  rig.recorder.take_up(frame);
  ASSERT_TRUE(rig.recorder.tell(nullptr, true).is_set());
  const std::vector<Taken> taken = rig.taken();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].bytes,
            std::string("ddddddssssss\x88\xa8\x00\x07\x81\x00\x00\x64\x08\x00rest", 26));
  EXPECT_EQ(taken[0].note.original_length, 26u);
}

TEST(Recorder, KeepsNoTestRequests) {
  Rig rig;
  Mark mark;
  Frame frame;
  const std::string bytes = "test";
  frame.bytes = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  frame.is_test = true;
  rig.recorder.take_up(frame);
  rig.recorder.after(mark, true);
  EXPECT_THAT(rig.taken(), IsEmpty());
}

TEST(KeptPackets, RemembersTheLastOfALongExchange) {
  KeptPackets kept{1, 1, 0, true, 0};
  for (std::uint32_t number = 2; number <= 200; number += 2) {
    kept.note(1, number);
  }
  const std::vector<std::uint32_t> numbers = kept_numbers(kept);
  EXPECT_EQ(numbers.back(), 200u);
  EXPECT_EQ(numbers.size(), 33u);
  EXPECT_EQ(numbers.front(), 136u);
  kept.note(1, 264);
  EXPECT_THAT(kept_numbers(kept), ElementsAre(200, 264));
  kept.note(1, 400);
  EXPECT_THAT(kept_numbers(kept), ElementsAre(400));
  kept.note(2, 5);
  EXPECT_THAT(kept_numbers(kept), ElementsAre(5));
}

TEST(KeptPackets, HasNamesThatSort) {
  EXPECT_EQ(event::kept_file_name(1'759'924'800, 3, 12), "imds-20251008T120000Z-w3-000012.pcapng");
}

}  // namespace
}  // namespace imds::exhibit
