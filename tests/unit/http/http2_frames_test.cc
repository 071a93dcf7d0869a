#include "http/http2_frames.h"

#include <random>

#include <gtest/gtest.h>

#include "samples.h"
#include "support/http2_client.h"

namespace imds::http {
namespace {

using namespace support;

struct Walked {
  std::vector<std::string> blocks;  // "stream:bytes", "!" in front if promised
  bool malformed = false;
  bool open = false;

  friend bool operator==(const Walked&, const Walked&) = default;
};

// Walks `text` in pieces of `step` bytes.
Walked walk(std::string_view text, std::size_t step) {
  Walked out;
  Http2FrameWalker walker;
  for (std::size_t at = 0; at < text.size() && !out.malformed; at += step) {
    const ExactBytes piece_bytes(text.substr(at, step));
    ByteSpan rest = piece_bytes.span();
    while (!rest.empty()) {
      const Http2Piece piece = walker.next(rest);
      rest = rest.subspan(piece.consumed);
      if (piece.kind == Http2Piece::Kind::malformed) {
        out.malformed = true;
        break;
      }
      if (piece.kind != Http2Piece::Kind::fragment) {
        EXPECT_TRUE(rest.empty());
        continue;
      }
      if (piece.begins_block) {
        out.blocks.push_back((piece.promise ? "!" : "") + std::to_string(piece.stream) + ":");
      }
      out.blocks.back().append(reinterpret_cast<const char*>(piece.fragment.data()),
                               piece.fragment.size());
      out.open = !piece.ends_block;
    }
  }
  return out;
}

// The same whatever the pieces.
Walked walk(const std::string& text) {
  const Walked whole = walk(text, text.size());
  for (std::size_t step = 1; step < text.size(); ++step) {
    EXPECT_EQ(walk(text, step), whole) << "in pieces of " << step;
  }
  return whole;
}

using Blocks = std::vector<std::string>;

TEST(Http2Frames, HandsOutHeaderBlocksAndPassesTheRest) {
  const std::string text =
      http2_frame(kHttp2Settings, 0, 0, std::string(12, '\0')) +
      http2_frame(kHttp2Headers, kHttp2EndHeaders, 1, "first") +
      http2_frame(kHttp2Data, 0, 1, "anything") + http2_frame(kHttp2Ping, 0, 0, "12345678") +
      http2_frame(0x77, 0xff, 0x7fffffff, "an extension") +
      http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2EndStream, 3, "second");
  EXPECT_EQ(walk(text).blocks, (Blocks{"1:first", "3:second"}));
}

TEST(Http2Frames, LeavesPaddingAndPriorityOut) {
  const std::string priority("\x80\0\0\x01\xff", 5);
  const std::string text =
      http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2Padded, 1,
                  std::string("\x03", 1) + "one" + "ppp") +
      http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2PriorityFlag, 3, priority + "two") +
      http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2PriorityFlag | kHttp2Padded, 5,
                  std::string("\x01", 1) + priority + "three" + "p") +
      http2_frame(kHttp2Headers, kHttp2EndHeaders | kHttp2Padded, 7, std::string("\0", 1) + "four");
  EXPECT_EQ(walk(text).blocks, (Blocks{"1:one", "3:two", "5:three", "7:four"}));
}

TEST(Http2Frames, JoinsContinuations) {
  const std::string text =
      http2_frame(kHttp2Headers, kHttp2Padded, 1, std::string("\x02", 1) + "be" + "pp") +
      http2_frame(kHttp2Continuation, 0, 1, "") + http2_frame(kHttp2Continuation, 0, 1, "gi") +
      http2_frame(kHttp2Continuation, kHttp2EndHeaders, 1, "n") +
      http2_frame(kHttp2Headers, 0, 3, "") +
      http2_frame(kHttp2Continuation, kHttp2EndHeaders, 3, "");
  const Walked walked = walk(text);
  EXPECT_EQ(walked.blocks, (Blocks{"1:begin", "3:"}));
  EXPECT_FALSE(walked.open);
}

TEST(Http2Frames, TellsPromisesAndUnfinishedBlocks) {
  const std::string promised("\0\0\0\x02", 4);
  EXPECT_EQ(walk(http2_frame(kHttp2PushPromise, kHttp2EndHeaders, 1, promised + "pushed")).blocks,
            Blocks{"!1:pushed"});
  const Walked cut = walk(http2_frame(kHttp2Headers, 0, 1, "half"));
  EXPECT_EQ(cut.blocks, Blocks{"1:half"});
  EXPECT_TRUE(cut.open);
}

TEST(Http2Frames, OtherFramesInsideABlockDoNotEndIt) {
  EXPECT_EQ(walk(http2_frame(kHttp2Headers, 0, 1, "a") + http2_frame(kHttp2Ping, 0, 0, "12345678") +
                 http2_frame(kHttp2Continuation, kHttp2EndHeaders, 1, "b"))
                .blocks,
            Blocks{"1:ab"});
}

TEST(Http2Frames, KnowsWhatNoServerWouldTake) {
  for (const std::string& text :
       {http2_frame(kHttp2Continuation, kHttp2EndHeaders, 1, "x"),
        http2_frame(kHttp2Headers, 0, 1, "x") + http2_frame(kHttp2Continuation, 0, 3, "x"),
        http2_frame(kHttp2Headers, 0, 1, "x") + http2_frame(kHttp2Headers, 0, 3, "x"),
        http2_frame(kHttp2Headers, kHttp2Padded, 1, std::string("\x03", 1) + "pp"),
        http2_frame(kHttp2Headers, kHttp2Padded, 1, ""),
        http2_frame(kHttp2Headers, kHttp2PriorityFlag, 1, "1234"),
        http2_frame(kHttp2Headers, kHttp2PriorityFlag | kHttp2Padded, 1,
                    std::string("\x01"
                                "12345",
                                6)),
        http2_frame(kHttp2PushPromise, 0, 1, "123")}) {
    EXPECT_TRUE(walk(text).malformed) << testing::PrintToString(text);
  }
}

TEST(Http2Frames, GapsAreHarmlessOnlyInWhatIsPassed) {
  Http2FrameWalker walker;
  const auto feed = [&walker](const std::string& text) { return walker.next(bytes(text)); };
  EXPECT_FALSE(walker.pass_gap(1));
  (void)feed(http2_frame(kHttp2Data, 0, 1, "12", 100));
  EXPECT_EQ(walker.skippable(), 98u);
  EXPECT_FALSE(walker.pass_gap(99));
  EXPECT_TRUE(walker.pass_gap(97));
  EXPECT_TRUE(walker.pass_gap(1));
  EXPECT_FALSE(walker.pass_gap(1));
  const Http2Piece piece = feed(http2_frame(kHttp2Headers, kHttp2EndHeaders, 1, "whole"));
  EXPECT_EQ(piece.kind, Http2Piece::Kind::fragment);
  EXPECT_TRUE(piece.ends_block);
  (void)feed(http2_frame(kHttp2Headers, kHttp2EndHeaders, 3, "half", 8));
  EXPECT_FALSE(walker.pass_gap(1));
}

TEST(Http2MidStream, KnowsFramesByTwoHeadersOrTheExactEnd) {
  Http2Client client;
  const std::string request = client.request("GET", "169.254.169.254", "/latest/meta-data/");
  const auto looks = [](const std::string& text) {
    return looks_like_http2_frames(ExactBytes(text).span());
  };
  EXPECT_TRUE(looks(request));
  EXPECT_TRUE(looks(request + Http2Client::data(1, 5000).substr(0, 100)));
  EXPECT_TRUE(looks(request + request));
  EXPECT_TRUE(looks(Http2Client::data(7, 100)));
  EXPECT_TRUE(looks(http2_frame(kHttp2WindowUpdate, 0, 5, std::string("\0\0\x40\0", 4))));
  EXPECT_TRUE(looks(http2_frame(kHttp2Ping, 1, 0, "12345678")));
  EXPECT_TRUE(looks(http2_frame(kHttp2Settings, 1, 0, "") + request));
  EXPECT_TRUE(looks(http2_frame(kHttp2Headers, 0, 3, "x") +
                    http2_frame(kHttp2Continuation, kHttp2EndHeaders, 3, "y")));

  EXPECT_FALSE(looks(""));
  EXPECT_FALSE(looks(request.substr(0, request.size() - 1)));
  EXPECT_FALSE(looks(request + "x"));
  EXPECT_FALSE(looks(request + std::string(9, 'x')));
  EXPECT_FALSE(looks(Http2Client::data(1, 5000).substr(0, 1400)));
  EXPECT_FALSE(looks(Http2Client::data(2, 100)));
  EXPECT_FALSE(looks(http2_frame(kHttp2Headers, 0x10, 3, "x")));
  EXPECT_FALSE(looks(http2_frame(kHttp2Headers, 0, 3, "x") + request));
  EXPECT_FALSE(looks(http2_frame(kHttp2Headers, 4, 0x80000003, "x")));
  EXPECT_FALSE(looks(http2_frame(kHttp2Ping, 0, 1, "12345678")));
  EXPECT_FALSE(looks(http2_frame(kHttp2Settings, 0, 0, "")));
}

TEST(Http2MidStream, DoesNotMisfireOnOtherTraffic) {
  std::mt19937_64 random(7);
  std::vector<std::uint8_t> segment(1400);
  const auto fill = [&] {
    for (std::size_t i = 0; i + 8 <= segment.size(); i += 8) {
      const std::uint64_t value = random();
      std::memcpy(&segment[i], &value, 8);
    }
  };
  std::size_t found = 0;
  for (int i = 0; i < 20000; ++i) {
    fill();
    // Half of them begin as every frame does; of those, half with a type and flags that exist.
    if (i % 2 == 1) {
      segment[0] = 0;
    }
    if (i % 4 == 3) {
      segment[3] %= 10;
      segment[4] &= 0x2d;
      segment[5] = segment[6] = segment[7] = 0;
    }
    found += looks_like_http2_frames(segment) ? 1 : 0;
    const std::size_t size = random() % 64;
    found += looks_like_http2_frames(ByteSpan(segment).first(size)) ? 1 : 0;
  }
  EXPECT_EQ(found, 0u);

  // TLS records of all types, in all versions, whole and chained.
  for (unsigned type = 0x14; type <= 0x18; ++type) {
    for (unsigned version = 0; version <= 4; ++version) {
      fill();
      segment[0] = static_cast<std::uint8_t>(type);
      segment[1] = 3;
      segment[2] = static_cast<std::uint8_t>(version);
      found += looks_like_http2_frames(segment) ? 1 : 0;
    }
  }
  // Counters, lengths and zeros, as binary protocols begin with.
  for (unsigned value = 0; value < 65536; ++value) {
    std::fill(segment.begin(), segment.end(), std::uint8_t{0});
    segment[2] = static_cast<std::uint8_t>(value >> 8);
    segment[3] = static_cast<std::uint8_t>(value);
    found += looks_like_http2_frames(segment) ? 1 : 0;
    segment[8] = 1;
    found += looks_like_http2_frames(segment) ? 1 : 0;
    std::fill(segment.begin(), segment.end(), static_cast<std::uint8_t>(value));
    found += looks_like_http2_frames(segment) ? 1 : 0;
  }
  // BitTorrent: "have piece 1" twice.
  const std::string have("\0\0\0\x05\x04\0\0\0\x01", 9);
  found += looks_like_http2_frames(bytes(have + have)) ? 1 : 0;
  EXPECT_EQ(found, 0u);
}

}  // namespace
}  // namespace imds::http
