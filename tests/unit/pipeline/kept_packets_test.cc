// What a worker keeps as evidence, and what its findings say of it.
#include "event/kept_packets.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exhibit/recorder.h"
#include "fixture.h"
#include "support/fragments.h"

namespace imds::pipeline {
namespace {

using event::kept_numbers;
using support::TcpSession;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Keeping {
 public:
  explicit Keeping(exhibit::Recorder::Options options = {}, Options worker = small_options())
      : lane(4u << 20), recorder(options, lane) {
    worker.inspector.recorder = &recorder;
    rig = std::make_unique<Rig>(worker);
  }

  struct Kept {
    exhibit::FrameNote note;
    support::Bytes bytes;
  };
  std::vector<Kept> kept() {
    std::vector<Kept> out;
    for (; !lane.ring.front().empty(); lane.ring.pop()) {
      const std::span<std::uint8_t> record = lane.ring.front();
      Kept one;
      std::memcpy(&one.note, record.data(), sizeof one.note);
      one.bytes.assign(record.begin() + sizeof one.note, record.end());
      out.push_back(one);
    }
    return out;
  }

  exhibit::Lane lane;
  exhibit::Recorder recorder;
  std::unique_ptr<Rig> rig;
};

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(KeptPackets, AreAllOfAConversationWithAnEndpoint) {
  Keeping keeping;
  TcpSession session;
  session.handshake().client(kMetadata).server(kAnswer).client_ack().fin();
  keeping.rig->run(session);
  const auto findings = keeping.rig->take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(kept_numbers(findings[0].kept), ElementsAre(1));
  EXPECT_THAT(kept_numbers(findings[1].kept), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(findings[1].kept.completes);
  const auto kept = keeping.kept();
  ASSERT_EQ(kept.size(), session.packets().size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].bytes, session.packets()[i].bytes);
    EXPECT_EQ(kept[i].note.time_ns, session.packets()[i].time.ns);
    EXPECT_EQ(kept[i].note.number, i + 1);
  }
}

// Elsewhere they begin with the request that alerts, all of its segments.
TEST(KeptPackets, BeginWithTheFirstSegmentOfASplitHead) {
  Keeping keeping;
  TcpSession::Options options = elsewhere();
  options.segment_size = 10;
  TcpSession session(options);
  session.handshake().client(kMetadata).server(kAnswer).client_ack();
  keeping.rig->run(session);
  const auto findings = keeping.rig->take();
  ASSERT_EQ(findings.size(), 1u);
  const std::size_t segments = (kMetadata.size() + 9) / 10;
  EXPECT_EQ(kept_numbers(findings[0].kept).size(), segments);
  const auto kept = keeping.kept();
  ASSERT_EQ(kept.size(), segments + (kAnswer.size() + 9) / 10 + 1);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].bytes, session.packets()[i + 3].bytes);
  }
}

TEST(KeptPackets, AreNoneOfOrdinaryTraffic) {
  Keeping keeping;
  TcpSession session(elsewhere());
  session.handshake()
      .client("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n")
      .server(kAnswer)
      .client_ack()
      .fin();
  keeping.rig->run(session);
  EXPECT_THAT(keeping.kept(), IsEmpty());
}

// A retransmission, and whatever follows a body's first segment, does not begin a message.
TEST(KeptPackets, BeginMessagesOnlyWhereOneIsDue) {
  Keeping keeping;
  TcpSession session;
  session.handshake().client(kMetadata);
  const std::uint32_t begin =
      session.client_sequence() - static_cast<std::uint32_t>(kMetadata.size());
  session.segment(true, begin, support::kAck, kMetadata);
  session.server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").server("HTTP/1.1 200 OK\r\n");
  keeping.rig->run(session);
  const auto kept = keeping.kept();
  ASSERT_EQ(kept.size(), 7u);
  std::vector<bool> begins;
  for (std::size_t i = 3; i < kept.size(); ++i) {
    begins.push_back((kept[i].note.flags & exhibit::kMayBeginMessage) != 0);
  }
  EXPECT_THAT(begins, ElementsAre(true, false, true, false));
}

TEST(KeptPackets, AreClaimsOfAnAddress) {
  // The shipped rules of the rig do not alert on claims: the flag is what is tested here.
  Keeping keeping;
  const support::Bytes arp =
      support::PacketBuilder()
          .ethernet()
          .arp(2, support::kServerMac, "169.254.169.254", support::kClientMac, "10.0.0.1")
          .build();
  keeping.rig->run(given(arp));
  EXPECT_THAT(keeping.kept(), IsEmpty());
}

TEST(KeptPackets, OfFragmentsAreTheFragmentsThatCompletedAnything) {
  Keeping keeping;
  ListSource source;
  const support::Bytes whole = tcp_data(kMetadata).build();
  for (const support::Bytes& piece : support::fragments_of(whole, 48, 7)) {
    source.add(given(piece));
  }
  keeping.rig->run(source);
  const auto findings = keeping.rig->take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].kept.completes);
  EXPECT_EQ(keeping.kept().size(), 1u);
}

// An event told when a flow's time is over was completed by no packet that is at hand.
TEST(KeptPackets, OfAnUnfinishedHeadAreTheFlowsOwn) {
  Keeping keeping;
  ListSource source;
  TcpSession session;
  session.handshake().client("GET /latest/meta-data/iam/info HTTP/1.1\r\nHost: a\r\n");
  keeping.rig->run(source.add(session));
  keeping.rig->worker().finish();
  const auto findings = keeping.rig->take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_FALSE(findings[1].kept.completes);
  EXPECT_THAT(kept_numbers(findings[1].kept), ElementsAre(1, 2, 3, 4));
}

TEST(KeptPackets, LeaveTheFastLaneToFlowsThatHaveReachedTheirLimit) {
  exhibit::Recorder::Options options;
  options.exchange_packets = 2;
  Keeping keeping(options);
  TcpSession session(elsewhere());
  session.handshake().client(kMetadata).server("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    session.server(std::string(1400, 'b')).client_ack();
  }
  // Flows are looked up ahead of each burst: in one of their own, packets find theirs.
  ListSource source(0, 1);
  keeping.rig->run(source.add(session));
  EXPECT_EQ(keeping.kept().size(), 2u);
  EXPECT_GT(keeping.rig->worker().counters().lane_packets.get(), 20u);
}

TEST(KeptPackets, AreTheSameFindingsAsWithout) {
  Keeping keeping;
  Rig plain;
  TcpSession session;
  session.handshake().client(kMetadata).server(kAnswer).client(kMetadata).server(kAnswer).fin();
  keeping.rig->run(session);
  plain.run(session);
  EXPECT_EQ(keeping.rig->events(), plain.events());
}

TEST(KeptPackets, OfSeveralSegmentsOfMemoryAreWhole) {
  Keeping keeping;
  Given packet = given(support::PacketBuilder()
                           .ethernet()
                           .ipv4("10.0.0.1", "169.254.169.254")
                           .tcp(40000, 80)
                           .flags(support::kSyn)
                           .payload(std::string(3000, 'a'))
                           .build());
  packet.segment_bytes = 700;
  packet.stripped_vlan = 5;
  const std::size_t size = packet.bytes.size();
  keeping.rig->run(std::move(packet));
  const auto kept = keeping.kept();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].bytes.size(), size + 4);
  EXPECT_EQ(kept[0].bytes[12], 0x81);
}

}  // namespace
}  // namespace imds::pipeline
