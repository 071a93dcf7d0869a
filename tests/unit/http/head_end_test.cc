#include "http/head_end.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

using Status = HeadEndFinder::Status;

// Feeds `text` in pieces of at most `piece` bytes; the bytes of the head, or 0 without an end.
std::size_t head_size(std::string_view text, std::size_t piece) {
  HeadEndFinder finder;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const ExactBytes chunk(text.substr(at, piece));
    const auto found = finder.feed(chunk.span());
    if (found.status == Status::complete) {
      EXPECT_EQ(finder.size(), at + found.consumed);
      return at + found.consumed;
    }
    EXPECT_EQ(found.consumed, chunk.span().size());
  }
  return 0;
}

struct Case {
  std::string_view head;  // up to and including the empty line
};
constexpr Case kHeads[] = {
    {"GET / HTTP/1.1\r\n\r\n"},
    {"GET / HTTP/1.1\r\nA: b\r\n\r\n"},
    {"GET / HTTP/1.1\n\n"},
    {"GET / HTTP/1.1\nA: b\n\n"},
    {"GET / HTTP/1.1\r\nA: b\n\r\n"},
    {"GET / HTTP/1.1\r\nA: b\r\n\n"},
    {"\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
    {"\n\n\nGET / HTTP/1.1\n\n"},
    {"GET / HTTP/1.1\r\n\rA: b\r\n\r\n"},
    {"GET / HTTP/1.1\r\nA: b\r\n\r\r\nB: c\r\n\r\n"},
};

TEST(HeadEndFinder, EverySplitPointAndPieceSizeFindsTheSameEnd) {
  for (const Case& c : kHeads) {
    const std::string stream = std::string(c.head) + "GET /next HTTP/1.1\r\n\r\n";
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      EXPECT_EQ(head_size(stream, piece), c.head.size()) << c.head << " in pieces of " << piece;
    }
    for (std::size_t split = 1; split < stream.size(); ++split) {
      HeadEndFinder finder;
      auto found = finder.feed(bytes(stream).first(split));
      std::size_t end = found.consumed;
      if (found.status != Status::complete) {
        found = finder.feed(bytes(stream).subspan(split));
        end = split + found.consumed;
      }
      EXPECT_EQ(found.status, Status::complete);
      EXPECT_EQ(end, c.head.size()) << c.head << " split at " << split;
    }
  }
}

TEST(HeadEndFinder, NoEndWithoutAnEmptyLine) {
  for (const Case& c : kHeads) {
    EXPECT_EQ(head_size(c.head.substr(0, c.head.size() - 1), 3), 0u) << c.head;
  }
  EXPECT_EQ(head_size("\r\n\r\n\r\n", 1), 0u);
}

TEST(HeadEndFinder, StopsAtTheLimit) {
  const std::string endless(1000, 'a');
  HeadEndFinder finder;
  EXPECT_EQ(finder.feed(bytes(endless).first(99), 100).status, Status::need_more);
  EXPECT_EQ(finder.feed(bytes(endless), 100).status, Status::too_long);
  EXPECT_EQ(finder.feed(bytes(endless), 100).status, Status::too_long);
  finder.reset();
  EXPECT_EQ(finder.size(), 0u);
  const std::string fits = std::string(96, 'a') + "\r\n\r\n";
  EXPECT_EQ(finder.feed(bytes(fits), 100).status, Status::complete);
  finder.reset();
  EXPECT_EQ(finder.feed(bytes("a" + fits), 100).status, Status::too_long);
}

TEST(SimpleRequest, AKnownMethodAndATargetAlone) {
  EXPECT_EQ(simple_request_size(bytes("GET /latest/meta-data/\r\n")), 24u);
  EXPECT_EQ(simple_request_size(bytes("GET /latest/meta-data/\nmore")), 23u);
  EXPECT_EQ(simple_request_size(bytes("\r\nGET http://169.254.169.254/\r\n")), 31u);
  EXPECT_EQ(simple_request_size(bytes("PUT /latest/api/token \r\n")), 24u);
  for (const char* text : {"GET /latest", "GET / HTTP/1.1\r\n", "GET key\r\n", "STOR /file\r\n",
                           "GET\r\n", "\r\n", "", "\x16\x03\n"}) {
    EXPECT_EQ(simple_request_size(ExactBytes(text).span()), 0u) << text;
  }
}

TEST(BareCrHead, EndsWithTwo) {
  const auto size = [](std::string_view text) {
    return bare_cr_head_size(ExactBytes(text).span());
  };
  EXPECT_EQ(size("GET / HTTP/1.1\rHost: h\r\rGET"), 24u);
  EXPECT_EQ(size("\r\rGET /\r\r"), 9u);
  EXPECT_EQ(size("GET / HTTP/1.1\rHost: h\r"), 0u);
  EXPECT_EQ(size("GET / HTTP/1.1\r\nA: b\r\r"), 0u);
  EXPECT_EQ(size(""), 0u);
}

}  // namespace
}  // namespace imds::http
