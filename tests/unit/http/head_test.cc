#include "http/head.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/head_end.h"
#include "samples.h"

namespace imds::http {
namespace {

TEST(RequestHeadTest, PlainRequest) {
  const ParsedRequest r(kPlainRequest);
  ASSERT_EQ(r.status, HeadStatus::ok);
  EXPECT_EQ(r.head.method, "GET");
  EXPECT_EQ(r.head.target, "/latest/meta-data/iam/security-credentials/");
  EXPECT_EQ(r.head.version, Version::http11);
  EXPECT_EQ(r.head.version_text, "1.1");
  EXPECT_EQ(r.head.fields.count, 4u);
  EXPECT_EQ(r.head.fields.host, "169.254.169.254");
  EXPECT_EQ(r.head.fields.user_agent, "Boto3/1.34 Python/3.11");
  ASSERT_NE(r.head.fields.find("x-AWS-ec2-metadata-TOKEN"), nullptr);
  EXPECT_EQ(r.head.fields.find("x-aws-ec2-metadata-token")->value, "AQAEA");
  EXPECT_EQ(r.head.fields.find("absent"), nullptr);
  EXPECT_FALSE(r.head.fields.folded || r.head.fields.bare_lf || r.head.fields.blank_before_colon ||
               r.head.fields.repeated_host);
  EXPECT_EQ(r.head.fields.malformed, 0u);
  EXPECT_EQ(r.header_text(),
            "Host: 169.254.169.254\nUser-Agent: Boto3/1.34 Python/3.11\n"
            "X-aws-ec2-metadata-token: AQAEA\nAccept: */*\n");
}

TEST(RequestHeadTest, RequestLineVariants) {
  struct Case {
    const char* line;
    const char* method;
    const char* target;
    const char* version;
  };
  for (const Case& c : {
           Case{"GET / HTTP/1.0", "GET", "/", "1.0"},
           Case{"GET\t /a \tHTTP/1.1 ", "GET", "/a", "1.1"},
           Case{"GET /a b c HTTP/1.1", "GET", "/a b c", "1.1"},
           Case{"foo /x http/1.1", "foo", "/x", "1.1"},
           Case{"M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "1.1"},
           Case{"GET http://h/p HTTP/1.1", "GET", "http://h/p", "1.1"},
           Case{"CONNECT h:443 HTTP/1.1", "CONNECT", "h:443", "1.1"},
           Case{"GET latest/meta-data HTTP/1.1", "GET", "latest/meta-data", "1.1"},
           Case{"GET / HTTP/9.9beta", "GET", "/", "9.9beta"},
           Case{"GET /latest/meta-data/", "GET", "/latest/meta-data/", "0.9"},
           Case{"GET /a HTTP/1.1 trailing", "GET", "/a HTTP/1.1 trailing", "0.9"},
       }) {
    const ParsedRequest r(std::string(c.line) + "\r\nHost: h\r\n\r\n");
    ASSERT_EQ(r.status, HeadStatus::ok) << c.line;
    EXPECT_EQ(r.head.method, c.method);
    EXPECT_EQ(r.head.target, c.target) << c.line;
    EXPECT_EQ(r.head.version_text, c.version) << c.line;
    EXPECT_EQ(r.head.fields.host, "h");
  }
  EXPECT_EQ(ParsedRequest("GET / HTTP/1.0\n\n").head.version, Version::http10);
  EXPECT_EQ(ParsedRequest("GET / HTTP/3.7\n\n").head.version, Version::other);
  EXPECT_EQ(ParsedRequest("GET /\n\n").head.version, Version::http09);
  EXPECT_EQ(ParsedRequest(" \t GET / HTTP/1.1\r\n").head.method, "GET");
}

TEST(RequestHeadTest, NotHttp) {
  for (const char* text : {"", "\r\n", "GET", "GET ", "GET \r\n", "STOR /file\r\n", "FOO bar\r\n",
                           "GET key\r\n", "G(T / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n",
                           "GET HTTP/1.1\r\n", "\x16\x03\x01 / HTTP/1.1\n"}) {
    EXPECT_EQ(ParsedRequest(text).status, HeadStatus::not_http) << text;
  }
  EXPECT_EQ(ParsedRequest(std::string(25, 'A') + " / HTTP/1.1\r\n").status, HeadStatus::not_http);
}

TEST(RequestHeadTest, ABareCrEndsALine) {
  const ParsedRequest r("GET /x HTTP/1.1\rHost: h\r\rA: b\r\r\nC: d\r\n e\rF: g\r\n\r\n");
  ASSERT_EQ(r.status, HeadStatus::ok);
  EXPECT_EQ(r.head.target, "/x");
  EXPECT_EQ(r.head.version, Version::http11);
  EXPECT_EQ(r.head.fields.host, "h");
  EXPECT_TRUE(r.head.fields.bare_cr);
  EXPECT_EQ(r.header_text(), "Host: h\nA: b\nC: d e\nF: g\n");
}

// Nor does a second CR before the line feed make an empty line that ends the head.
TEST(RequestHeadTest, TwoCrsBeforeALineFeedAreOneTooMany) {
  const ParsedRequest r("GET /x HTTP/1.1\r\nHost: h\r\n\r\r\nA: b\r\n\r\n");
  EXPECT_TRUE(r.head.fields.bare_cr);
  EXPECT_EQ(r.header_text(), "Host: h\nA: b\n");
  EXPECT_TRUE(ParsedRequest("GET /x HTTP/1.1\r\r\nHost: h\r\n\r\n").head.fields.bare_cr);
  EXPECT_TRUE(ParsedRequest("GET /x HTTP/1.1\r\nHost: h\r\r\n\r\n").head.fields.bare_cr);
  EXPECT_FALSE(ParsedRequest("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").head.fields.bare_cr);
}

TEST(RequestHeadTest, ControlBytesStay) {
  using namespace std::string_literals;
  const ParsedRequest r("GET /a\0b\x01 HTTP/1.1\r\nHo\0st: x\0y\r\nHost: h\r\n\r\n"s);
  ASSERT_EQ(r.status, HeadStatus::ok);
  EXPECT_EQ(r.head.target, std::string("/a\0b\x01", 5));
  EXPECT_EQ(r.head.fields.headers()[0].value, std::string("x\0y", 3));
  EXPECT_EQ(r.head.fields.host, "h");
}

TEST(RequestHeadTest, HowMuchALineMustShow) {
  const auto trusted = [](std::string_view text, LineTrust trust) {
    const ParsedRequest r(text);
    EXPECT_EQ(r.status, HeadStatus::ok) << text;
    return is_trusted(r.head, trust);
  };
  for (const char* text : {"GET /x HTTP/1.1\r\n", "foo /x HTTP/3.7\r\n", "GET /a b http/2.0\r\n"}) {
    EXPECT_TRUE(trusted(text, LineTrust::versioned)) << text;
  }
  EXPECT_TRUE(trusted("GET /x\r\n", LineTrust::guessed));
  EXPECT_FALSE(trusted("GET /x\r\n", LineTrust::versioned));
  EXPECT_FALSE(trusted("GET /x is what it says\r\n", LineTrust::guessed));
  EXPECT_TRUE(trusted("GET /x is what it says\r\n", LineTrust::any));
}

TEST(RequestHeadTest, OddHeaderLines) {
  const ParsedRequest r(
      "\r\nGET / HTTP/1.1\r\n"
      "Host \t:  one  \r\n"
      "HOST: two\n"
      "no colon here\r\n"
      ": no name\r\n"
      "Empty:\r\n"
      "User-Agent:curl\r\n"
      "user-agent: second\r\n"
      "\r\n");
  ASSERT_EQ(r.status, HeadStatus::ok);
  const HeaderBlock& f = r.head.fields;
  EXPECT_EQ(f.host, "one");
  EXPECT_EQ(f.user_agent, "curl");
  EXPECT_TRUE(f.blank_before_colon && f.bare_lf && f.repeated_host);
  EXPECT_FALSE(f.folded);
  EXPECT_EQ(f.malformed, 2u);
  EXPECT_EQ(f.count, 7u);
  EXPECT_EQ(f.kept_count, 5u);
  ASSERT_NE(f.find("empty"), nullptr);
  EXPECT_NE(f.find("empty")->value.data(), nullptr);
  EXPECT_EQ(r.header_text(),
            "Host: one\nHOST: two\nno colon here\n: no name\nEmpty: \nUser-Agent: curl\n"
            "user-agent: second\n");
}

TEST(RequestHeadTest, FoldedHeadersAreUnfolded) {
  const ParsedRequest r(
      "GET / HTTP/1.1\r\n"
      "X-aws-ec2-metadata-token:\r\n"
      "  AQ\r\n"
      "\t \r\n"
      "\tAEA  \n"
      "User-Agent: a\r\n b\r\n"
      "Odd\r\n line: 1\r\n"
      "\r\n");
  ASSERT_EQ(r.status, HeadStatus::ok);
  EXPECT_TRUE(r.head.fields.folded);
  EXPECT_EQ(r.head.fields.find("x-aws-ec2-metadata-token")->value, "AQ AEA");
  EXPECT_EQ(r.head.fields.user_agent, "a b");
  EXPECT_EQ(r.header_text(), "X-aws-ec2-metadata-token: AQ AEA\nUser-Agent: a b\nOdd line: 1\n");
}

TEST(RequestHeadTest, AFirstHeaderLineThatBeginsWithABlankIsReadAndNoted) {
  const ParsedRequest r("GET / HTTP/1.1\r\n X-aws-ec2-metadata-token: t\r\n\r\n");
  EXPECT_TRUE(r.head.fields.folded);
  EXPECT_NE(r.head.fields.find("X-aws-ec2-metadata-token"), nullptr);
}

TEST(RequestHeadTest, TooSmallScratchTruncatesTheValueAndSaysSo) {
  const std::string head = "GET / HTTP/1.1\r\nA: bcd\r\n efg\r\nHost: h\r\n\r\n";
  const ParsedRequest small(head, 5);
  EXPECT_TRUE(small.head.fields.unfold_truncated);
  EXPECT_EQ(small.head.fields.find("A")->value, "bcd e");
  EXPECT_EQ(small.head.fields.host, "h");
  const ParsedRequest none(head, 0);
  EXPECT_TRUE(none.head.fields.unfold_truncated);
  EXPECT_EQ(none.head.fields.find("A")->value, "");
  EXPECT_FALSE(ParsedRequest(head, head.size()).head.fields.unfold_truncated);
}

TEST(RequestHeadTest, HeadersBeyondTheCapAreCountedAndStillRecognised) {
  std::string head = "POST / HTTP/1.1\r\n";
  for (int i = 0; i < 1000; ++i) {
    head += "X-" + std::to_string(i) + ": v\r\n";
  }
  head +=
      "Host: late\r\nContent-Length: 42\r\nUser-Agent: ua\r\nX-aws-ec2-metadata-token: t\r\n\r\n";
  const ParsedRequest r(head);
  EXPECT_EQ(r.head.fields.count, 1004u);
  EXPECT_EQ(r.head.fields.kept_count, kMaxHeaders);
  EXPECT_EQ(r.head.fields.host, "late");
  EXPECT_EQ(r.head.fields.user_agent, "ua");
  EXPECT_EQ(r.head.fields.framing.content_length, 42u);
  EXPECT_THAT(r.header_text(), testing::EndsWith("X-aws-ec2-metadata-token: t\n"));
}

TEST(RequestHeadTest, ReusingTheStructLeavesNothingBehind) {
  RequestHead head;
  std::array<char, 256> scratch;
  ASSERT_EQ(parse_request_head(bytes("POST / HTTP/1.0\nHost : a\nHost: b\nServer: s\nUpgrade: h2c\n"
                                     "Content-Type: t\nUser-Agent: u\nContent-Length: 5\n"
                                     "Connection: close, upgrade\nx\n y\n\n"),
                               scratch, head),
            HeadStatus::ok);
  ASSERT_EQ(parse_request_head(bytes("GET /b HTTP/1.1\r\n\r\n"), scratch, head), HeadStatus::ok);
  const HeaderBlock& f = head.fields;
  EXPECT_EQ(f.count, 0u);
  EXPECT_EQ(f.kept_count, 0u);
  EXPECT_EQ(f.malformed, 0u);
  for (const std::string_view view : {f.host, f.user_agent, f.server, f.upgrade, f.content_type}) {
    EXPECT_EQ(view.data(), nullptr);
  }
  EXPECT_FALSE(f.folded || f.blank_before_colon || f.bare_lf || f.repeated_host);
  EXPECT_FALSE(f.framing.has_content_length || f.framing.close || f.framing.upgrade());
}

TEST(RequestHeadTest, EveryTruncationParsesWithoutReadingFurther) {
  const std::string whole = std::string(kPlainRequest);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const ParsedRequest r(std::string_view(whole).substr(0, size));
    if (r.status == HeadStatus::ok) {
      EXPECT_LE(r.head.fields.count, 4u);
      EXPECT_LE(r.head.fields.bytes.size(), size);
    }
  }
}

TEST(RequestHeadTest, RandomBytesNeverReadOrWriteOutside) {
  std::mt19937 random(1);
  constexpr std::string_view kAlphabet = "GET /HTP1.\r\n :\t%;\\ab\0";
  std::uniform_int_distribution<std::size_t> letter(0, kAlphabet.size() - 1);
  for (int round = 0; round < 20000; ++round) {
    std::string text = round % 2 == 0 ? "GET / HTTP/1.1\r\n" : "";
    const std::size_t size = static_cast<std::size_t>(round % 97);
    for (std::size_t i = 0; i < size; ++i) {
      text += kAlphabet[letter(random)];
    }
    const ParsedRequest r(text, static_cast<std::size_t>(round % 31));
    if (r.status == HeadStatus::ok) {
      const std::string all = r.header_text();
      std::vector<char> small(all.size() / 2);
      const HeaderText cut = write_header_text(r.head.fields, small);
      EXPECT_EQ(cut.truncated, small.size() < all.size());
      EXPECT_EQ(cut.text, std::string_view(all).substr(0, small.size()));
      // Written from the kept headers or from the lines, as where some were not kept.
      HeaderBlock lines = r.head.fields;
      lines.kept_count = 0;
      std::vector<char> buffer(all.size() + 1);
      EXPECT_EQ(write_header_text(lines, buffer).text, all);
    }
  }
}

TEST(ResponseHeadTest, StatusAndHeaders) {
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes("\r\nHTTP/1.1 200 OK then\r\nServer: EC2ws\r\n"
                                      "Content-Type: text/plain\r\nContent-Length: 56\r\n\r\n"),
                                {}, head),
            HeadStatus::ok);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "OK then");
  EXPECT_EQ(head.version, Version::http11);
  EXPECT_EQ(head.fields.server, "EC2ws");
  EXPECT_EQ(head.fields.content_type, "text/plain");
  EXPECT_EQ(head.fields.framing.content_length, 56u);
  ASSERT_EQ(parse_response_head(bytes("HTTP/1.0  404\n\n"), {}, head), HeadStatus::ok);
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "");
  for (const char* text : {"", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 abc",
                           "HTTP/ 200", "HTTP/1.1 099", "GET / HTTP/1.1", "HTTP/x 200"}) {
    EXPECT_EQ(parse_response_head(ExactBytes(text).span(), {}, head), HeadStatus::not_http) << text;
  }
}

}  // namespace
}  // namespace imds::http
