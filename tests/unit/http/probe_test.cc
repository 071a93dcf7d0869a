#include "http/probe.h"

#include <string>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

Probe request(std::string_view text) {
  return starts_like_request(ExactBytes(text).span());
}
Probe response(std::string_view text) {
  return starts_like_response(ExactBytes(text).span());
}
Probe http2(std::string_view text) {
  return starts_like_http2(ExactBytes(text).span());
}

TEST(ProbeRequest, KnownMethodsWithAnyTarget) {
  for (const char* text :
       {"GET /", "PUT /latest", "HEAD *", "OPTIONS *", "CONNECT 10.0.0.1:80", "POST http://x",
        "DELETE %2flatest", "PATCH \\x", "TRACE x", "PROPFIND /", "GET  /two", "GET\t/tab"}) {
    EXPECT_EQ(request(text), Probe::yes) << text;
  }
}

TEST(ProbeRequest, AnyTokenBeforeASureTarget) {
  for (const char* text : {"get /", "FOO /", "M-SEARCH *", "X!#$%&'*+-.^_`|~ /", "FOO http://a",
                           "foo HTTPS://a", "BASELINE-CONTROL /x", "GETX \\latest"}) {
    EXPECT_EQ(request(text), Probe::yes) << text;
  }
}

TEST(ProbeRequest, LeadingBlankLines) {
  EXPECT_EQ(request("\r\n\r\nGET /"), Probe::yes);
  EXPECT_EQ(request("\n\nGET /"), Probe::yes);
  EXPECT_EQ(request("\r\n"), Probe::need_more);
  EXPECT_EQ(request(std::string(kMaxLeadingBlank, '\n') + "GET /"), Probe::yes);
  EXPECT_EQ(request(std::string(kMaxLeadingBlank + 1, '\n') + "GET /"), Probe::no);
}

TEST(ProbeRequest, OtherProtocols) {
  for (const char* text :
       {"\x16\x03\x01\x02", "SSH-2.0-OpenSSH_9.2p1 Debian", "EHLO host.example", "MAIL FROM:<a@b>",
        "USER anonymous", "HTTP/1.1 200 OK", "GET", "GET\r\n", "GET \x7f", ": /", "/ /",
        "* OK IMAP4rev1 ready", "FOO hello", "FOO httpx"}) {
    const Probe verdict = request(text);
    EXPECT_NE(verdict, Probe::yes) << text;
  }
  EXPECT_EQ(request("\x16\x03\x01"), Probe::no);
  EXPECT_EQ(request("FOO httpx"), Probe::no);
  EXPECT_EQ(request(std::string(kMaxMethodLength, 'A') + " /"), Probe::yes);
  EXPECT_EQ(request(std::string(kMaxMethodLength + 1, 'A') + " /"), Probe::no);
}

// However few bytes come first, the verdict on the whole is never contradicted.
TEST(ProbeRequest, EveryPrefixOfARequestNeedsMoreOrSaysYes) {
  for (const std::string_view whole :
       {std::string_view("GET /latest/meta-data HTTP/1.1\r\n"), std::string_view("foo https://x/"),
        std::string_view("\r\n\nVERSION-CONTROL \\x")}) {
    bool decided = false;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const Probe verdict = request(whole.substr(0, size));
      EXPECT_NE(verdict, Probe::no) << whole.substr(0, size);
      EXPECT_FALSE(decided && verdict != Probe::yes) << "took back its yes at " << size;
      decided = verdict == Probe::yes;
    }
    EXPECT_TRUE(decided);
  }
}

TEST(ProbeResponse, StatusLines) {
  EXPECT_EQ(response("HTTP/1.1 200"), Probe::yes);
  EXPECT_EQ(response("\r\nHTTP/1.0"), Probe::yes);
  EXPECT_EQ(response("http/1.1 200"), Probe::yes);
  EXPECT_EQ(response("HTTP/"), Probe::need_more);
  EXPECT_EQ(response("HT"), Probe::need_more);
  EXPECT_EQ(response(""), Probe::need_more);
  EXPECT_EQ(response("HTTP/x"), Probe::no);
  EXPECT_EQ(response("HTTPS"), Probe::no);
  EXPECT_EQ(response("GET /"), Probe::no);
}

TEST(ProbeHttp2, Preface) {
  EXPECT_EQ(http2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Probe::yes);
  EXPECT_EQ(http2("PRI * HT"), Probe::need_more);
  EXPECT_EQ(http2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), Probe::need_more);
  EXPECT_EQ(http2("PRI * HTTP/2.0\r\nHost: a\r\n\r\n"), Probe::no);
  EXPECT_EQ(http2("PRI * HTTP/1.1\r\n"), Probe::no);
  EXPECT_EQ(http2("GET /"), Probe::no);
}

TEST(MayStartHttp, UpperCaseTokens) {
  const auto may = [](std::string_view text) {
    return may_start_http(first8(ExactBytes(text).span()));
  };
  for (const char* text :
       {"GET /a b",         "PUT /lat",          "POST /xy",       "HEAD /xy",
        "DELETE /",         "OPTIONS *",         "PATCH /x",       "CONNECT a:1",
        "TRACE /x",         "PROPFIND /",        "PRI * HTTP/2.0", "HTTP/1.1 200 OK",
        "GET\t/",           "PROPPATCH /x",      "MKCOL /x",       "REPORT /x",
        "SEARCH /x",        "NOTIFY * HTTP/1.1", "SUBSCRIBE /",    "M-SEARCH * HTTP/1.1",
        "RPC_IN_DATA /rpc", "CCM_POST /",        "BCOPY /",        "ACL /"}) {
    EXPECT_TRUE(may(text)) << text;
  }
  for (const char* text : {"", "G", "GE", "get /", "Get /", "\x17\x03\x03", " GET /", "-GET", "G1T",
                           "{\"a\": 1}", "<html>", "\xff\xd8\xff", "ftp"}) {
    EXPECT_FALSE(may(text)) << text;
  }
}

TEST(First8, ShortPayloadsArePaddedWithZeros) {
  EXPECT_EQ(first8(ExactBytes("").span()), 0u);
  EXPECT_EQ(first8(ExactBytes("A").span()), 0x41u);
  EXPECT_EQ(first8(ExactBytes("ABCDEFGHIJ").span()), 0x4847464544434241u);
}

}  // namespace
}  // namespace imds::http
