#include "flow/stream_cursor.h"

#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

using Kind = Accepted::Kind;

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(ByteSpan span) {
  return {reinterpret_cast<const char*>(span.data()), span.size()};
}

void expect(const Accepted& a, Kind kind, std::string_view fresh, std::uint64_t offset) {
  EXPECT_EQ(a.kind, kind);
  EXPECT_EQ(text(a.bytes), fresh);
  EXPECT_EQ(a.offset, offset);
}

TEST(StreamCursorTest, InOrderAfterSyn) {
  StreamCursor c;
  EXPECT_FALSE(c.started());
  expect(c.accept(1000, true, {}), Kind::empty, "", 0);
  EXPECT_TRUE(c.started());
  EXPECT_TRUE(c.saw_beginning());
  expect(c.accept(1001, false, bytes("GET ")), Kind::in_order, "GET ", 0);
  expect(c.accept(1005, false, bytes("/")), Kind::in_order, "/", 4);
  expect(c.accept(1006, false, {}), Kind::empty, "", 5);
  EXPECT_EQ(c.next_offset(), 5u);
  EXPECT_EQ(c.next_sequence(), 1006u);
  EXPECT_FALSE(c.lossy());
}

TEST(StreamCursorTest, DataOnSyn) {
  StreamCursor c;
  expect(c.accept(1000, true, bytes("GET")), Kind::in_order, "GET", 0);
  expect(c.accept(1004, false, bytes(" /")), Kind::in_order, " /", 3);
  expect(c.accept(1000, true, bytes("GET")), Kind::retransmission, "", 5);
  EXPECT_FALSE(c.restarted());
}

TEST(StreamCursorTest, MidStreamStartsAtTheFirstPayload) {
  StreamCursor c;
  EXPECT_EQ(c.accept(77, false, {}).kind, Kind::empty);
  EXPECT_FALSE(c.started());
  expect(c.accept(5000, false, bytes("abc")), Kind::in_order, "abc", 0);
  EXPECT_FALSE(c.saw_beginning());
  expect(c.accept(5003, false, bytes("d")), Kind::in_order, "d", 3);
}

TEST(StreamCursorTest, RetransmissionsAreTrimmed) {
  StreamCursor c;
  c.accept(100, false, bytes("abcdef"));
  Accepted a = c.accept(100, false, bytes("abc"));
  expect(a, Kind::retransmission, "", 6);
  EXPECT_EQ(text(a.old), "abc");
  a = c.accept(103, false, bytes("defgh"));
  expect(a, Kind::trimmed, "gh", 6);
  EXPECT_EQ(text(a.old), "def");
  expect(c.accept(105, false, bytes("f")), Kind::retransmission, "", 8);
  EXPECT_FALSE(c.lossy());
}

TEST(StreamCursorTest, KeepAliveProbes) {
  StreamCursor c;
  c.accept(100, false, bytes("abc"));
  expect(c.accept(102, false, bytes("\0")), Kind::empty, "", 3);
  expect(c.accept(102, false, bytes(std::string_view("\0", 1))), Kind::keep_alive, "", 3);
  expect(c.accept(102, false, {}), Kind::empty, "", 3);
  expect(c.accept(103, false, bytes("d")), Kind::in_order, "d", 3);
}

TEST(StreamCursorTest, AGapIsReportedAndPassed) {
  StreamCursor c;
  c.accept(100, false, bytes("abc"));
  const Accepted a = c.accept(110, false, bytes("xyz"));
  expect(a, Kind::gap, "xyz", 10);
  EXPECT_EQ(a.gap, 7u);
  EXPECT_TRUE(a.lossy());
  EXPECT_TRUE(c.lossy());
  expect(c.accept(113, false, bytes("!")), Kind::in_order, "!", 13);
  expect(c.accept(103, false, bytes("late")), Kind::retransmission, "", 14);
}

TEST(StreamCursorTest, SequenceNumbersWrap) {
  StreamCursor c;
  c.accept(0xfffffffe, true, {});  // the first byte has 0xffffffff
  expect(c.accept(0xffffffff, false, bytes("abc")), Kind::in_order, "abc", 0);
  EXPECT_EQ(c.next_sequence(), 2u);
  expect(c.accept(0xffffffff, false, bytes("abcd")), Kind::trimmed, "d", 3);
  expect(c.accept(0xffffffff, false, bytes("a")), Kind::retransmission, "", 4);
  StreamCursor gap;
  gap.accept(0xfffffff0, false, bytes("a"));
  EXPECT_EQ(gap.accept(1, false, bytes("b")).gap, 16u);
}

TEST(StreamCursorTest, OffsetsGoBeyond32Bits) {
  StreamCursor c;
  std::uint32_t sequence = 7;
  c.accept(sequence++, false, bytes("a"));
  std::uint64_t offset = 1;
  constexpr std::uint32_t kStep = StreamCursor::kPlausible;
  for (int i = 0; i < 600; ++i) {
    sequence += kStep;
    offset += kStep;
    expect(c.accept(sequence, false, bytes("b")), Kind::gap, "b", offset);
    ++sequence;
    ++offset;
  }
  EXPECT_GT(c.next_offset(), std::uint64_t{2} << 32);
  expect(c.accept(sequence - 1, false, bytes("bc")), Kind::trimmed, "c", offset);
}

TEST(StreamCursorTest, ImplausibleJumpsResynchroniseInBothDirections) {
  for (const std::uint32_t jump : {StreamCursor::kPlausible + 1, 0x7fffffffu, 0x80000000u,
                                   0u - StreamCursor::kPlausible - 1}) {
    StreamCursor c;
    c.accept(100, false, bytes("abc"));
    const Accepted a = c.accept(103 + jump, false, bytes("xyz"));
    expect(a, Kind::resynchronised, "xyz", 3);
    EXPECT_EQ(a.gap, 0u);
    EXPECT_TRUE(a.lossy());
    // A forged segment costs a hole, not the rest of the stream.
    const Accepted back = c.accept(103, false, bytes("def"));
    EXPECT_TRUE(back.lossy());
    EXPECT_EQ(text(back.bytes), "def");
    const Accepted next = c.accept(106, false, bytes("g"));
    EXPECT_EQ(next.kind, Kind::in_order);
    EXPECT_EQ(text(next.bytes), "g");
  }
}

TEST(StreamCursorTest, ANewSynStartsANewStream) {
  StreamCursor c;
  c.accept(100, true, {});
  c.accept(101, false, bytes("abc"));
  c.accept(100, true, {});
  EXPECT_FALSE(c.restarted()) << "a repeated SYN is the same stream";
  EXPECT_EQ(c.next_offset(), 3u);
  c.accept(9000, true, {});
  EXPECT_TRUE(c.restarted());
  EXPECT_FALSE(c.lossy());
  expect(c.accept(9001, false, bytes("new")), Kind::in_order, "new", 0);
  EXPECT_FALSE(c.restarted());
}

// A stream cut anyhow, parts sent again with any overlap: delivered exactly once, in order.
TEST(StreamCursorTest, RandomRetransmissionsDeliverTheStreamOnce) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::string stream(1 + random() % 300, '\0');
    for (char& c : stream) {
      c = static_cast<char>('a' + random() % 26);
    }
    const auto first = static_cast<std::uint32_t>(random());
    StreamCursor cursor;
    cursor.accept(first - 1, true, {});
    std::string delivered;
    while (delivered.size() < stream.size()) {
      const std::size_t begin = random() % (delivered.size() + 1);
      const std::size_t size = random() % (stream.size() - begin + 1);
      const Accepted a = cursor.accept(first + static_cast<std::uint32_t>(begin), false,
                                       bytes(stream).subspan(begin, size));
      ASSERT_FALSE(a.lossy());
      ASSERT_EQ(a.offset, delivered.size());
      ASSERT_EQ(a.old.size() + a.bytes.size(), size);
      delivered += text(a.bytes);
    }
    ASSERT_EQ(delivered, stream);
  }
}

// Segments lost, repeated and out of order: offsets never repeat, and each byte is the right one.
TEST(StreamCursorTest, RandomLossNeverMisplacesAByte) {
  std::mt19937 random(6);
  std::string stream(5000, '\0');
  for (char& c : stream) {
    c = static_cast<char>(random());
  }
  for (int round = 0; round < 200; ++round) {
    const auto first = static_cast<std::uint32_t>(random());
    StreamCursor cursor;
    cursor.accept(first - 1, true, {});
    std::uint64_t end = 0;
    std::uint64_t missing = 0;
    std::uint64_t fresh = 0;
    for (int i = 0; i < 200; ++i) {
      const std::size_t begin = random() % stream.size();
      const std::size_t size = std::min<std::size_t>(random() % 50, stream.size() - begin);
      const Accepted a = cursor.accept(first + static_cast<std::uint32_t>(begin), false,
                                       bytes(stream).subspan(begin, size));
      if (a.bytes.empty()) {
        continue;
      }
      ASSERT_EQ(a.offset, end + a.gap);
      ASSERT_EQ(text(a.bytes), stream.substr(a.offset, a.bytes.size()));
      end = a.offset + a.bytes.size();
      missing += a.gap;
      fresh += a.bytes.size();
    }
    ASSERT_EQ(missing + fresh, cursor.next_offset());
    ASSERT_EQ(cursor.lossy(), missing > 0);
  }
}

}  // namespace
}  // namespace imds::flow
