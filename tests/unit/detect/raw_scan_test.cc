// The rules' strings in streams of unknown protocols, however they are cut, with the fast lane and
// without.
#include <random>

#include "fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;

constexpr std::string_view kString = "x-aws-EC2-metadata-token";
constexpr std::string_view kBefore = "\x01\x02 hello/";
constexpr std::string_view kAfter = "-ttl/X-and more";
const Events kOnce{"raw_match"};

class RawScan : public ::testing::TestWithParam<bool> {
 protected:
  RawScan() { bench_.set_lane(GetParam()); }

  // What is found in a client's stream that is cut before each of these offsets into the string.
  Events cut(const std::vector<std::size_t>& places, std::string_view text = kString) {
    TcpSession::Options options = elsewhere();
    options.client_port = ++port_;
    TcpSession session(options);
    session.handshake().client(kBefore);
    std::size_t from = 0;
    for (const std::size_t place : places) {
      if (place > from) {
        session.client(text.substr(from, place - from)).server_ack();
        from = place;
      }
    }
    session.client(std::string(text.substr(from)) + std::string(kAfter)).client("the end");
    bench_.feed(session).end_all();
    EXPECT_EQ(bench_.arena().counters().bytes_in_use.get(), 0u);
    return bench_.events();
  }

 private:
  Bench bench_;
  unsigned port_ = 1024;
};

TEST_P(RawScan, FindsAStringCutAnywhereOnce) {
  for (std::size_t first = 0; first <= kString.size(); ++first) {
    for (std::size_t second = first; second <= kString.size(); ++second) {
      ASSERT_EQ(cut({first, second}), kOnce) << first << ' ' << second;
    }
  }
}

TEST_P(RawScan, FindsAStringInManyPiecesOnce) {
  std::mt19937 random(5);
  for (std::size_t pieces = 4; pieces <= 6; ++pieces) {
    for (std::size_t first = 0; first < kString.size(); ++first) {
      std::vector<std::size_t> single;  // of one byte each
      std::vector<std::size_t> any = {first};
      for (std::size_t i = 0; i + 1 < pieces; ++i) {
        single.push_back(std::min(first + i, kString.size()));
        any.push_back(random() % kString.size());
      }
      std::sort(any.begin(), any.end());
      ASSERT_EQ(cut(single), kOnce) << pieces << " pieces from " << first;
      ASSERT_EQ(cut(any), kOnce) << pieces << " pieces, one from " << first;
    }
  }
  std::vector<std::size_t> each(kString.size());
  for (std::size_t i = 0; i < each.size(); ++i) {
    each[i] = i;
  }
  EXPECT_EQ(cut(each), kOnce) << "byte by byte";
}

// Beginnings that come to nothing stand in front, and one begins within another.
TEST_P(RawScan, FalseBeginningsHideNothing) {
  const std::string text = "x-aws-ec2-metadata-x-x-aws-ec2-metadata-token";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    ASSERT_EQ(cut({at}, text), kOnce) << at;
    ASSERT_EQ(cut({at / 2, at / 2 + 1, at}, text), kOnce) << at;
  }
}

// A gap tears a string apart: what stands before and behind it is not one.
TEST_P(RawScan, DoesNotJoinAcrossAGap) {
  TcpSession session(elsewhere());
  session.handshake().client(kBefore).client(kString.substr(0, 10)).client_gap(1);
  session.client(kString.substr(10)).wait(20 * kNanosPerSecond).client("more");
  session.client_ack();
  Bench bench;
  bench.set_lane(GetParam()).feed(session);
  bench.end_all();
  EXPECT_EQ(bench.events(), Events{});
}

// Of a stream in which strings keep beginning, no more is kept than one can be long.
TEST_P(RawScan, WhatIsKeptDoesNotGrow) {
  Options options;
  options.raw_scan_bytes = 65536;
  Bench bench(kBulletin, options);
  bench.set_lane(GetParam());
  TcpSession session(elsewhere());
  session.handshake().client(kBefore);
  for (int i = 0; i < 3000; ++i) {
    session.client(i % 3 == 0 ? "/l" : i % 3 == 1 ? "x-aws-ec2-metadata-toke" : "/");
  }
  session.client("x-aws-ec2-metadata-toke").client("n");
  std::uint64_t most = 0;
  for (const support::TimedPacket& packet : session.packets()) {
    bench.feed(packet.bytes, packet.time);
    most = std::max(most, bench.arena().counters().bytes_in_use.get());
  }
  EXPECT_GT(most, 0u);
  EXPECT_LE(most, 1024u) << "one of the smallest blocks";
  EXPECT_EQ(bench.events(), kOnce);
}

// The scan ends where it is told to, wherever the segments do.
TEST_P(RawScan, EndsAtItsLimit) {
  const std::string text = "\x01\x02\x03" + std::string(12, '.') + std::string(kString);
  for (std::size_t limit = text.size() - 4; limit < text.size() + 4; ++limit) {
    Options options;
    options.raw_scan_bytes = static_cast<std::uint32_t>(limit);
    Bench bench(kBulletin, options);
    bench.set_lane(GetParam());
    for (const std::size_t piece : {1u, 3u, 7u, 100u}) {
      TcpSession::Options ends = elsewhere();
      ends.client_port += static_cast<unsigned>(piece);
      TcpSession session(ends);
      session.handshake().segment_size(piece).client(text + std::string(30, '.'));
      const Events expected = text.size() <= limit ? kOnce : Events{};
      ASSERT_EQ(bench.feed(session).events(), expected) << limit << " in pieces of " << piece;
    }
  }
}

// Having ended it stays so, whatever the client says next. (Only the sanitised build sees the
// difference: nothing is left to be scanned.)
TEST_P(RawScan, EndsOnce) {
  Options options;
  options.raw_scan_bytes = 40;
  Bench bench(kBulletin, options);
  bench.set_lane(GetParam());
  TcpSession session(elsewhere());
  session.handshake().client("\x01\x02\x03" + std::string(60, '.'));
  session.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  session.client("HTTP/1.1 200 OK\r\n\r\n").client(std::string(kString));
  EXPECT_EQ(bench.feed(session).events(), Events{});
}

INSTANTIATE_TEST_SUITE_P(Lane, RawScan, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "on" : "off"; });

// Small segments of a protocol in which no string begins pass, and their bytes count as scanned.
TEST(FastLaneTest, PassesWhatHoldsNoBeginning) {
  Bench bench;
  bench.set_lane(true);
  TcpSession session(elsewhere());
  session.handshake().client(kBefore).server("\x01 ready\r\n");
  for (int i = 0; i < 100; ++i) {
    session.client("ls\r").server_ack().server("a b c\r\n").client_ack();
  }
  bench.feed(session);
  EXPECT_GT(bench.passed(), 300u);
  EXPECT_EQ(bench.events(), Events{});
}

TEST(FastLaneTest, TakesNoneOfASegmentThatMayBeMore) {
  const auto passes = [](unsigned flags, std::int32_t ahead, std::string_view data) {
    Bench bench;
    bench.set_lane(true);
    TcpSession session(elsewhere());
    session.handshake().client("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    session.server("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").client_ack();
    bench.feed(session);
    session.packets().clear();
    const std::uint64_t before = bench.passed();
    session.segment(false, session.server_sequence() + static_cast<std::uint32_t>(ahead), flags,
                    data);
    bench.feed(session);
    return bench.passed() > before;
  };
  EXPECT_TRUE(passes(support::kAck, 0, "body"));
  EXPECT_TRUE(passes(support::kAck | support::kPsh, 0, "Body"));
  EXPECT_FALSE(passes(support::kAck | support::kPsh, 0, "BODY")) << "may be a method";
  EXPECT_TRUE(passes(support::kAck, 0, {}));
  EXPECT_FALSE(passes(support::kAck, 1, "body"));
  EXPECT_FALSE(passes(support::kAck, -1, "body"));
  EXPECT_TRUE(passes(support::kAck, -1, {})) << "nothing to put in order: a keep-alive";
  EXPECT_TRUE(passes(support::kAck, 1, {})) << "the last one, behind a FIN";
  EXPECT_FALSE(passes(support::kAck, (16 << 20) + 1, {})) << "of another sequence space";
  EXPECT_FALSE(passes(support::kAck, -(16 << 20) - 1, {}));
  EXPECT_FALSE(passes(support::kAck | support::kFin, 0, "body"));
  EXPECT_FALSE(passes(support::kAck | support::kFin, 0, {}));
  EXPECT_FALSE(passes(support::kRst, 0, {}));
  EXPECT_FALSE(passes(support::kSyn, 0, {}));
  EXPECT_FALSE(passes(support::kAck, 0, kMetadata));
}

}  // namespace
}  // namespace imds::detect
