#include "evidence/dns_stream.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "support/evidence_messages.h"

namespace imds::evidence {
namespace {

using support::Bytes;
using support::with_length;

Bytes message(unsigned records) {
  return support::dns_message(
      {.answers = std::vector<Bytes>(records, support::dns_address({0}, "10.0.0.1"))});
}

// Feeds streams piece by piece and keeps what came out.
class Feeder {
 public:
  explicit Feeder(std::size_t slots = 4) : streams(slots) {}
  Feeder& feed(std::uint64_t stream, std::uint32_t sequence, ByteSpan bytes) {
    streams.feed(stream, sequence, bytes, kind,
                 [&](ByteSpan found) { messages.emplace_back(found.begin(), found.end()); });
    return *this;
  }
  DnsStreams streams;
  std::vector<Bytes> messages;
  DnsKind kind = DnsKind::response;
};

TEST(DnsStreams, TakesWholeMessagesWhereTheyLie) {
  Feeder feeder;
  feeder.feed(1, 100, support::joined({with_length(message(1)), with_length(message(3))}));
  EXPECT_EQ(feeder.messages, (std::vector<Bytes>{message(1), message(3)}));
  EXPECT_EQ(feeder.streams.counters().copied.get(), 0u);
}

TEST(DnsStreams, PutsPiecesOfAnySizeTogether) {
  const Bytes both = support::joined({with_length(message(2)), with_length(message(40))});
  for (std::size_t size = 1; size < both.size(); size += 1 + size / 8) {
    Feeder feeder;
    for (std::size_t at = 0; at < both.size(); at += size) {
      feeder.feed(7, static_cast<std::uint32_t>(0xfffffff0u + at),
                  ByteSpan(both).subspan(at, std::min(size, both.size() - at)));
    }
    EXPECT_EQ(feeder.messages, (std::vector<Bytes>{message(2), message(40)})) << size;
    EXPECT_EQ(feeder.streams.counters().open.get(), 0u) << size;
  }
}

TEST(DnsStreams, GivesUpWhereBytesAreMissing) {
  const Bytes bytes = with_length(message(5));
  Feeder feeder;
  feeder.feed(1, 0, ByteSpan(bytes).first(20)).feed(1, 30, ByteSpan(bytes).subspan(30));
  EXPECT_TRUE(feeder.messages.empty());
  EXPECT_EQ(feeder.streams.counters().given_up.get(), 1u);
  feeder.feed(1, 500, bytes);
  EXPECT_EQ(feeder.messages.size(), 1u) << "the stream goes on with the next message";
}

TEST(DnsStreams, MakesRoomForNewOnes) {
  const Bytes bytes = with_length(message(5));
  Feeder feeder(2);
  for (std::uint64_t stream = 1; stream <= 3; ++stream) {
    feeder.feed(stream, 0, ByteSpan(bytes).first(20));
  }
  EXPECT_EQ(feeder.streams.counters().evicted.get(), 1u);
  for (std::uint64_t stream = 1; stream <= 3; ++stream) {
    feeder.feed(stream, 20, ByteSpan(bytes).subspan(20));
  }
  EXPECT_EQ(feeder.messages.size(), 2u) << "the oldest was given up";
}

TEST(DnsStreams, KeepsTheLongestMessage) {
  Bytes longest = message(1);
  longest.resize(65535);
  const Bytes bytes = with_length(longest);
  Feeder feeder(1);
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    feeder.feed(1, static_cast<std::uint32_t>(at),
                ByteSpan(bytes).subspan(at, std::min<std::size_t>(1000, bytes.size() - at)));
  }
  ASSERT_EQ(feeder.messages.size(), 1u);
  EXPECT_EQ(feeder.messages[0], longest);
}

TEST(DnsStreams, TakesQueriesWhereAskedFor) {
  const Bytes query = with_length(support::dns_message({.is_response = false}));
  Feeder feeder;
  feeder.kind = DnsKind::query;
  feeder.feed(1, 0, ByteSpan(query).first(7)).feed(1, 7, ByteSpan(query).subspan(7));
  EXPECT_EQ(feeder.messages.size(), 1u);
  feeder.feed(2, 0, with_length(message(1)));
  feeder.feed(3, 0, support::to_bytes("GET / HTTP/1.1\r\n"));
  EXPECT_EQ(feeder.messages.size(), 1u) << "neither answers nor HTTP";
  EXPECT_EQ(feeder.streams.counters().open.get(), 0u);
}

TEST(DnsStreams, PassesOverWhatIsNotDns) {
  Feeder feeder;
  feeder.feed(1, 0, support::to_bytes("HTTP/1.1 200 OK\r\n\r\n"));
  feeder.feed(2, 0, support::to_bytes("HT")).feed(2, 2, support::to_bytes("TP/1.1"));
  EXPECT_TRUE(feeder.messages.empty());
  EXPECT_EQ(feeder.streams.counters().open.get(), 0u);
}

}  // namespace
}  // namespace imds::evidence
