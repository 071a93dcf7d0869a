#include "http/find_request.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

// The request lines found, each up to its line end.
std::vector<std::string> found(std::string_view text) {
  std::vector<std::string> out;
  const ExactBytes all(text);
  std::size_t from = 0;
  while (const auto request = find_request(all.span(), from)) {
    EXPECT_GT(request->next, request->begin);
    EXPECT_GE(request->begin, from);
    const std::string_view line = text.substr(request->begin, request->next - request->begin);
    out.emplace_back(line.substr(0, line.find_first_of("\r\n")));
    from = request->next;
  }
  return out;
}
using Lines = std::vector<std::string>;

TEST(FindRequest, AnywhereInALine) {
  EXPECT_EQ(found("GET /a HTTP/1.1\r\n"), Lines{"GET /a HTTP/1.1"});
  EXPECT_EQ(found("5c\r\nGET /a HTTP/1.1\r\n"), Lines{"GET /a HTTP/1.1"});
  EXPECT_EQ(found("aaaaaGET /a HTTP/1.1\r\n"), Lines{"GET /a HTTP/1.1"});
  EXPECT_EQ(found("x=1&y=POST http://h/ HTTP/1.0\n"), Lines{"POST http://h/ HTTP/1.0"});
  EXPECT_EQ(found("\x01\x02PROPFIND /a HTTP/1.1\n"), Lines{"PROPFIND /a HTTP/1.1"});
  EXPECT_EQ(found("\nRPC_IN_DATA /a HTTP/1.1\n"), Lines{"RPC_IN_DATA /a HTTP/1.1"});
  EXPECT_EQ(found("\nfoo\t \t/a HTTP/1.1\n"), Lines{"foo\t \t/a HTTP/1.1"});
  EXPECT_EQ(found("GET latest HTTP/1.1\n"), Lines{"GET latest HTTP/1.1"});
}

TEST(FindRequest, Several) {
  EXPECT_EQ(found("a /b c\r\nGET /1 HTTP/1.1\r\nX: y / z\r\n\r\nPUT /2 HTTP/1.1\r\n\r\nGET /3"),
            (Lines{"GET /1 HTTP/1.1", "PUT /2 HTTP/1.1", "GET /3"}));
}

TEST(FindRequest, ProseIsNone) {
  for (const char* text :
       {"", " ", "/", "GET", "GET ", "GET /a\r\n", "GET /a is how it begins\r\n", " / HTTP/1.1\n",
        "Accept: */* x HTTP/1.1\n", "HTTP/1.1 200 OK\r\n", "a\nb\nc d e f\n"}) {
    EXPECT_EQ(found(text), Lines{}) << text;
  }
}

TEST(FindRequest, TheTailHoldsWhatIsCut) {
  const std::string text = "VERSION-CONTROL  https://h/ HTTP/1.1\r\n";
  bool seen = false;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const bool now = find_request(bytes(text.substr(0, size)), 0).has_value();
    EXPECT_FALSE(seen && !now) << size;
    EXPECT_TRUE(now || size < kRequestTail);
    seen = now;
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace imds::http
