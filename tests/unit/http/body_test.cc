#include "http/body.h"

#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

BodyPlan request_plan(std::string_view method, std::string_view headers,
                      std::string_view version = "1.1") {
  const ParsedRequest r(std::string(method) + " /x HTTP/" + std::string(version) + "\r\n" +
                        std::string(headers) + "\r\n");
  EXPECT_EQ(r.status, HeadStatus::ok);
  return plan_request_body(r.head);
}

TEST(RequestBody, Plans) {
  struct Case {
    const char* method;
    const char* headers;
    BodyKind kind;
    std::uint64_t length;
    bool conflicting;
  };
  for (const Case& c : {
           Case{"GET", "", BodyKind::none, 0, false},
           Case{"POST", "Content-Length: 5\r\n", BodyKind::length, 5, false},
           Case{"GET", "content-length : 5\r\n", BodyKind::length, 5, true},
           Case{"POST", "Content-Length: 0\r\n", BodyKind::none, 0, false},
           Case{"POST", "Content-Length: 5, 5\r\n", BodyKind::length, 5, false},
           Case{"POST", "Content-Length: 5\r\nContent-Length: 5\r\n", BodyKind::length, 5, false},
           Case{"POST", "Content-Length: 9223372036854775807\r\n", BodyKind::length,
                9223372036854775807u, false},
           Case{"POST", "Content-Length: 9223372036854775808\r\n", BodyKind::none, 0, true},
           Case{"POST", "Content-Length: 5\r\nContent-Length: 6\r\n", BodyKind::none, 5, true},
           Case{"POST", "Content-Length: -5\r\n", BodyKind::none, 0, true},
           Case{"POST", "Content-Length: +5\r\n", BodyKind::none, 0, true},
           Case{"POST", "Content-Length: 0x5\r\n", BodyKind::none, 0, true},
           Case{"POST", "Content-Length:\r\n", BodyKind::none, 0, true},
           Case{"POST", "Transfer-Encoding: chunked\r\n", BodyKind::chunked, 0, false},
           Case{"POST", "Transfer-Encoding: gzip, Chunked\r\n", BodyKind::chunked, 0, false},
           Case{"POST", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked;q=1\r\n",
                BodyKind::chunked, 0, false},
           Case{"POST", "Transfer-Encoding: chunked, gzip\r\n", BodyKind::none, 0, true},
           Case{"POST", "Transfer-Encoding: xchunked\r\n", BodyKind::none, 0, true},
           Case{"POST", "Transfer-Encoding: identity, chunked\r\n", BodyKind::chunked, 0, true},
           Case{"POST", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", BodyKind::none, 0,
                true},
           Case{"POST", "Transfer-Encoding: chunked, chunked\r\n", BodyKind::chunked, 0, true},
           Case{"POST", "Transfer-Encoding : chunked\r\n", BodyKind::chunked, 0, true},
           Case{"POST", "Transfer-Encoding:\r\n chunked\r\n", BodyKind::chunked, 0, true},
           Case{"POST", "Transfer-Encoding:\tchunked\r\n", BodyKind::chunked, 0, false},
           Case{"POST",
                "Transfer-Encoding: \x0b"
                "chunked\r\n",
                BodyKind::none, 0, true},
           Case{"POST", "X: a\rContent-Length: 5\r\n", BodyKind::length, 5, true},
           Case{"POST", "Content-Length: 5 5\r\n", BodyKind::none, 0, true},
           Case{"POST", "Content-Length: 5, 6\r\n", BodyKind::none, 5, true},
           Case{"POST", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", BodyKind::chunked, 0,
                true},
           Case{"CONNECT", "Content-Length: 5\r\n", BodyKind::tunnel, 0, false},
           Case{"GET", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", BodyKind::upgrade,
                0, false},
           Case{"GET", "Upgrade: h2c\r\n", BodyKind::none, 0, false},
           Case{"GET", "Connection: upgrade\r\n", BodyKind::none, 0, false},
           Case{"POST", "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n",
                BodyKind::length, 2, false},
       }) {
    const BodyPlan plan = request_plan(c.method, c.headers);
    EXPECT_EQ(plan.kind, c.kind) << c.headers;
    EXPECT_EQ(plan.conflicting, c.conflicting) << c.headers;
    if (plan.kind == BodyKind::length) {
      EXPECT_EQ(plan.length, c.length) << c.headers;
    }
  }
}

TEST(ChunkedBody, SaysWhatOthersMayReadOtherwise) {
  const auto ambiguous = [](std::string_view text) {
    BodySkipper skipper(BodyPlan{BodyKind::chunked, false, 0});
    (void)skipper.consume(ExactBytes(text).span());
    return skipper.ambiguous();
  };
  EXPECT_FALSE(ambiguous("5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n"));
  EXPECT_FALSE(ambiguous("ffffff\r\n"));
  EXPECT_TRUE(ambiguous("1000000\r\n"));
  EXPECT_TRUE(ambiguous("5\nhello"));
  EXPECT_TRUE(ambiguous("5;a\nhello"));
  EXPECT_TRUE(ambiguous("5;a\rb\r\nhello"));
  EXPECT_TRUE(ambiguous("5\r\nhello\n0"));
}

TEST(RequestBody, TransferCodingsInHttp10AreFaulty) {
  EXPECT_TRUE(request_plan("POST", "Transfer-Encoding: chunked\r\n", "1.0").conflicting);
  EXPECT_FALSE(request_plan("POST", "Content-Length: 3\r\n", "1.0").conflicting);
}

BodyPlan response_plan(int status, std::string_view headers, std::string_view method) {
  ResponseHead head;
  EXPECT_EQ(parse_response_head(bytes("HTTP/1.1 " + std::to_string(status) + " x\r\n" +
                                      std::string(headers) + "\r\n"),
                                {}, head),
            HeadStatus::ok);
  return plan_response_body(head, method);
}

TEST(ResponseBody, Plans) {
  constexpr std::string_view kLength = "Content-Length: 5\r\n";
  EXPECT_EQ(response_plan(200, kLength, "GET").kind, BodyKind::length);
  EXPECT_EQ(response_plan(200, kLength, "HEAD").kind, BodyKind::none);
  EXPECT_EQ(response_plan(204, kLength, "GET").kind, BodyKind::none);
  EXPECT_EQ(response_plan(304, kLength, "GET").kind, BodyKind::none);
  EXPECT_EQ(response_plan(100, "", "PUT").kind, BodyKind::none);
  EXPECT_EQ(response_plan(101, "", "GET").kind, BodyKind::upgrade);
  EXPECT_EQ(response_plan(200, "", "CONNECT").kind, BodyKind::tunnel);
  EXPECT_EQ(response_plan(407, kLength, "CONNECT").kind, BodyKind::length);
  EXPECT_EQ(response_plan(200, "", "").kind, BodyKind::until_close);
  EXPECT_EQ(response_plan(200, "Transfer-Encoding: chunked\r\n", "GET").kind, BodyKind::chunked);
  const BodyPlan faulty = response_plan(200, "Transfer-Encoding: gzip\r\n", "GET");
  EXPECT_EQ(faulty.kind, BodyKind::until_close);
  EXPECT_TRUE(faulty.conflicting);
}

// Feeds in pieces; total consumed, and the last status.
Skipped feed(BodySkipper& skipper, std::string_view text, std::size_t piece) {
  Skipped total;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const ExactBytes chunk(text.substr(at, piece));
    const Skipped step = skipper.consume(chunk.span());
    total.consumed += step.consumed;
    total.status = step.status;
    if (step.status != SkipStatus::more) {
      return total;
    }
    EXPECT_EQ(step.consumed, chunk.span().size());
  }
  return total;
}

constexpr std::string_view kChunked[] = {
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "005;name=value;other=\"x;y\"\r\nhello\r\n0;last\r\n\r\n",
    "5 \t\r\nhello\r\n0 \r\n\r\n",
    "a\r\n0123456789\r\nB\r\n0123456789a\r\n000\r\nTrailer: x\r\nOther: y\n\r\n",
    "3\r\n\r\n\n\r\n1\r\n0\r\n0\r\n\r\n",
};

TEST(ChunkSkipperTest, EveryPieceSizeFindsTheSameEnd) {
  for (const std::string_view body : kChunked) {
    const std::string stream = std::string(body) + "GET / HTTP/1.1\r\n\r\n";
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      BodySkipper skipper(BodyPlan{BodyKind::chunked, false, 0});
      const Skipped result = feed(skipper, stream, piece);
      EXPECT_EQ(result.status, SkipStatus::complete) << body << " in pieces of " << piece;
      EXPECT_EQ(result.consumed, body.size()) << body << " in pieces of " << piece;
    }
  }
}

TEST(ChunkSkipperTest, Malformed) {
  struct Case {
    std::string_view text;
    std::size_t consumed;
  };
  for (const Case& c : {
           Case{"GET / HTTP/1.1\r\n", 0},
           Case{"\r\n", 0},
           Case{"5x\r\n", 1},
           Case{"5\rx", 2},
           Case{"5 x\r\n", 2},
           Case{"5\r\nhelloGET", 8},
           Case{"5\r\nhello\rG", 9},
           Case{"5\r\nhello\r\n\r\n", 10},
           Case{"8000000000000000\r\n", 15},
           Case{"0\r\n\rX", 4},
       }) {
    for (std::size_t piece = 1; piece <= c.text.size(); ++piece) {
      BodySkipper skipper(BodyPlan{BodyKind::chunked, false, 0});
      const Skipped result = feed(skipper, c.text, piece);
      EXPECT_EQ(result.status, SkipStatus::malformed) << c.text;
      EXPECT_EQ(result.consumed, c.consumed) << c.text;
      // It stays malformed and takes nothing more.
      const Skipped again = skipper.consume(bytes("0\r\n\r\n"));
      EXPECT_EQ(again.status, SkipStatus::malformed);
      EXPECT_EQ(again.consumed, 0u);
    }
  }
}

TEST(ChunkSkipperTest, LinesAndTrailersAreBounded) {
  ChunkSkipper extension;
  EXPECT_EQ(extension.consume(bytes("5;" + std::string(5000, 'e'))).status, SkipStatus::malformed);
  ChunkSkipper zeros;
  EXPECT_EQ(zeros.consume(bytes(std::string(5000, '0'))).status, SkipStatus::malformed);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 20000; ++i) {
    trailers += "A: b\r\n";
  }
  ChunkSkipper many;
  EXPECT_EQ(many.consume(bytes(trailers)).status, SkipStatus::malformed);
}

TEST(ChunkSkipperTest, DataMayBeSkippedByOffset) {
  BodySkipper skipper(BodyPlan{BodyKind::chunked, false, 0});
  EXPECT_EQ(skipper.skippable(), 0u);
  EXPECT_EQ(skipper.consume(bytes("7fffffffffffffff\r\nab")).status, SkipStatus::more);
  EXPECT_EQ(skipper.skippable(), 0x7fffffffffffffffu - 2);
  skipper.skip(0x7fffffffffffffffu - 3);
  EXPECT_EQ(skipper.skippable(), 1u);
  EXPECT_TRUE(skipper.pass_gap(1));
  EXPECT_EQ(skipper.skippable(), 0u);
  EXPECT_FALSE(skipper.pass_gap(1));
  const Skipped end = skipper.consume(bytes("\r\n0\r\n\r\nGET"));
  EXPECT_EQ(end.status, SkipStatus::complete);
  EXPECT_EQ(end.consumed, 7u);
}

TEST(BodySkipperTest, Length) {
  BodySkipper skipper(BodyPlan{BodyKind::length, false, 10});
  EXPECT_EQ(skipper.consume(bytes("0123")).status, SkipStatus::more);
  EXPECT_EQ(skipper.skippable(), 6u);
  EXPECT_FALSE(skipper.pass_gap(7));
  EXPECT_TRUE(skipper.pass_gap(4));
  const Skipped end = skipper.consume(bytes("89GET /"));
  EXPECT_EQ(end.status, SkipStatus::complete);
  EXPECT_EQ(end.consumed, 2u);
}

TEST(BodySkipperTest, WithoutBodyItIsCompleteAtOnce) {
  for (const BodyKind kind : {BodyKind::none, BodyKind::tunnel, BodyKind::upgrade}) {
    BodySkipper skipper(BodyPlan{kind, false, 0});
    const Skipped result = skipper.consume(bytes("GET / HTTP/1.1"));
    EXPECT_EQ(result.status, SkipStatus::complete);
    EXPECT_EQ(result.consumed, 0u);
    EXPECT_FALSE(skipper.pass_gap(1));
  }
}

TEST(BodySkipperTest, UntilCloseNeverEnds) {
  BodySkipper skipper(BodyPlan{BodyKind::until_close, false, 0});
  EXPECT_EQ(skipper.consume(bytes("anything")).consumed, 8u);
  EXPECT_TRUE(skipper.pass_gap(std::uint64_t{1} << 40));
  EXPECT_EQ(skipper.skippable(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(skipper.consume(bytes("more")).status, SkipStatus::more);
}

// A random valid body, cut at random, gaps passed by offset where allowed: always the same end.
TEST(BodySkipperTest, RandomChunkedBodies) {
  std::mt19937 random(7);
  const auto upto = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    std::string body;
    for (std::size_t chunk = upto(5); chunk > 0; --chunk) {
      const std::size_t size = 1 + upto(40);
      char line[32];
      std::snprintf(line, sizeof line, "%zx\r\n", size);
      body += line + std::string(size, "\r\n0;x"[upto(4)]) + "\r\n";
    }
    body += "0\r\n\r\n";
    const std::string stream = body + "GET /";
    BodySkipper skipper(BodyPlan{BodyKind::chunked, false, 0});
    std::size_t at = 0;
    SkipStatus status = SkipStatus::more;
    while (at < stream.size() && status == SkipStatus::more) {
      const std::size_t free = static_cast<std::size_t>(skipper.skippable());
      if (free > 0 && upto(1) == 0) {
        const std::size_t gap = 1 + upto(free - 1);
        ASSERT_TRUE(skipper.pass_gap(gap));
        at += gap;
        continue;
      }
      const Skipped step =
          skipper.consume(bytes(stream).subspan(at, 1 + upto(stream.size() - at - 1)));
      at += step.consumed;
      status = step.status;
    }
    EXPECT_EQ(status, SkipStatus::complete);
    EXPECT_EQ(at, body.size());
  }
}

}  // namespace
}  // namespace imds::http
