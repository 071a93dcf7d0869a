#include "http/sketch.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "http/head_end.h"
#include "http/target.h"
#include "samples.h"

namespace imds::http {
namespace {

RequestSketch sketch(std::string_view head) {
  return sketch_request(ExactBytes(head).span());
}

std::uint16_t disguise_of_target(std::string_view target, std::string_view method = "GET") {
  const RequestSketch s = sketch(std::string(method) + " " + std::string(target) +
                                 " HTTP/1.1\r\nHost: example.com\r\n\r\n");
  EXPECT_TRUE(s.valid) << target;
  return s.disguise;
}

TEST(Sketch, OrdinaryHeadsAreNotDisguised) {
  EXPECT_EQ(sketch(kPlainRequest).disguise, 0);
  EXPECT_FALSE(has_disguise(bytes(kPlainRequest)));
  for (const char* target :
       {"/", "/a", "/a/b.c/d?e=f//g/.h;i\\", "*", "http://example.com/a", "https://h:8443/a/b?c",
        "http://10.0.0.1/", "/aaaaaaaaaaaaaaa/bbbbbbbbbbbbbbb/ccccccccccccccc/ddddddddddd",
        "http://h", "HTTP://H/"}) {
    EXPECT_EQ(disguise_of_target(target), 0) << target;
  }
  EXPECT_EQ(disguise_of_target("h.example:443", "CONNECT"), 0);
  EXPECT_EQ(disguise_of_target("169.254.169.254:80", "CONNECT"), 0);
}

TEST(Sketch, TargetDisguises) {
  EXPECT_EQ(disguise_of_target("/%6catest"), kTargetEncoded);
  EXPECT_EQ(disguise_of_target("/a?b=%41"), kTargetEncoded);
  EXPECT_EQ(disguise_of_target("/\xc0\xaf"), kTargetEncoded);
  EXPECT_EQ(disguise_of_target("/a?b=\xef\xbc\x8f"), kTargetEncoded);
  EXPECT_EQ(disguise_of_target("//latest"), kTargetSlashes);
  EXPECT_EQ(disguise_of_target("/a\\b"), kTargetSlashes);
  EXPECT_EQ(disguise_of_target("/a/./b"), kTargetDots);
  EXPECT_EQ(disguise_of_target("/a/../b"), kTargetDots);
  EXPECT_EQ(disguise_of_target("/a;b/c"), kTargetParameter);
  EXPECT_EQ(disguise_of_target("http://h//x"), kTargetSlashes);
  EXPECT_EQ(disguise_of_target("http:\\\\h\\x"), kTargetForm | kTargetSlashes);
  EXPECT_EQ(disguise_of_target("http:///h/x"), kTargetForm);
  EXPECT_EQ(disguise_of_target("http:/h/x"), kTargetForm);
  EXPECT_EQ(disguise_of_target("latest/meta-data"), kTargetForm);
  EXPECT_EQ(disguise_of_target("%2flatest"), kTargetForm | kTargetEncoded);
  EXPECT_EQ(disguise_of_target("h:443", "OPTIONS"), kTargetForm);
}

// The 16-byte steps must not hide a pair that straddles two of them.
TEST(Sketch, PairsAtEveryPosition) {
  for (std::size_t at = 1; at < 70; ++at) {
    for (const char* odd : {"//", "/.", "\\", ";", "%41", "\xc0\xaf"}) {
      std::string target = "/" + std::string(80, 'a');
      target.replace(at, std::string_view(odd).size(), odd);
      EXPECT_EQ(disguise_of_target(target) != 0, true) << target;
    }
  }
}

TEST(Sketch, HostForms) {
  const auto with_host = [](std::string_view host) {
    return sketch("GET / HTTP/1.1\r\nAccept: x\r\nhOsT: " + std::string(host) + "\r\n\r\n")
        .disguise;
  };
  for (const char* host : {"example.com", "example.com:8080", "169.254.169.254", "10.0.0.1:80",
                           "a_b-c.D", "localhost", "x1.y2z"}) {
    EXPECT_EQ(with_host(host), 0) << host;
  }
  for (const char* host : {"2852039166",
                           "0xA9FEA9FE",
                           "0251.0376.0251.0376",
                           "169.254.43518",
                           "425.510.425.510",
                           "169.254.169.254.",
                           "example.com.",
                           "[fd00:ec2::254]",
                           "fd00:ec2::254",
                           "%31.2.3.4",
                           "x@169.254.169.254",
                           "1.2.3.4:080",
                           "169.254.169.254.nip.io",
                           "a9fea9fe.NIP.IO",
                           "a-1-2-3-4.sslip.io:80",
                           "1.2.3.4.xip.io",
                           "x.traefik.me",
                           "\xef\xbc\x91.2.3.4",
                           "h:",
                           "h:x",
                           "h:99999",
                           "1.2.3",
                           "01.2.3.4",
                           "a b"}) {
    EXPECT_EQ(with_host(host), kHostForm) << host;
  }
  EXPECT_EQ(disguise_of_target("http://0xA9FEA9FE/"), kHostForm);
  EXPECT_EQ(disguise_of_target("http://u@h/"), kHostForm);
  EXPECT_EQ(disguise_of_target("2852039166:80", "CONNECT"), kHostForm);
  EXPECT_EQ(sketch("GET / HTTP/1.1\r\nHost: a\r\nHost: 0x7f000001\r\n\r\n").disguise, kHostForm);
}

TEST(Sketch, HeaderShapes) {
  const auto with = [](std::string_view line) {
    return sketch("GET / HTTP/1.1\r\n" + std::string(line) + "\r\nHost: h\r\n\r\n").disguise;
  };
  EXPECT_EQ(with("A: b"), 0);
  EXPECT_EQ(with("A: b:c :d:"), 0);
  EXPECT_EQ(with("no colon"), 0);
  EXPECT_EQ(with("A: b\r\n c"), kFolded);
  EXPECT_EQ(with("A: b\r\n\tc"), kFolded);
  EXPECT_EQ(with(" A: b"), kFolded);
  EXPECT_EQ(with("A:b"), kHeaderSpacing);
  EXPECT_EQ(with("A : b"), kHeaderSpacing);
  EXPECT_EQ(with("A:\tb"), kHeaderSpacing);
  EXPECT_EQ(with("A:  b"), kHeaderSpacing);
  EXPECT_EQ(with("A:"), kHeaderSpacing);
  // A lone CR at the beginning of a line does not end the head for the parser either.
  EXPECT_EQ(sketch("GET / HTTP/1.1\r\n\rB: c\r\nHost: 0x7f\r\n\r\n").disguise, kHostForm | kBareCr);
  EXPECT_EQ(sketch("GET / HTTP/1.1\r\n\r\nHost: 0x7f\r\n\r\n").disguise, 0) << "that is the body";
}

TEST(Sketch, OnlyRequestLinesAreValid) {
  for (const char* head : {"", "\r\n", "GET", "STOR /x\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                           "GET \t HTTP/1.1\r\n\r\n", "GET key\r\n", "GET HTTP/1.1\r\n\r\n"}) {
    EXPECT_FALSE(sketch(head).valid) << head;
  }
  for (const char* head : {"GET /\r\n", "GET  / HTTP/1.1\r\n\r\n", "foo /x HTTP/1.1\n\n",
                           "\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/2\r\n\r\n"}) {
    EXPECT_TRUE(sketch(head).valid) << head;
  }
}

std::string pick(std::mt19937& random, const std::vector<std::string>& from) {
  return from[std::uniform_int_distribution<std::size_t>(0, from.size() - 1)(random)];
}

std::string random_head(std::mt19937& random) {
  static const std::vector<std::string> kTargets = {"/latest/meta-data",
                                                    "//x",
                                                    "/a;b",
                                                    "/%2e",
                                                    "http://h/p",
                                                    "http://[::1]/",
                                                    "x:80",
                                                    "*",
                                                    "/a b",
                                                    "http://1.2.3.4:80/a?b",
                                                    "/a\\",
                                                    "HTTP://0x1/",
                                                    "/.",
                                                    "http://H.:1/",
                                                    "?",
                                                    "/a?%",
                                                    "/a\xc0\xaf",
                                                    "/a?\xef\xbc\x8f",
                                                    "http://1-2-3-4.nip.io/",
                                                    "/a\rb",
                                                    "ftp://h/"};
  static const std::vector<std::string> kLines = {"Host: h",
                                                  "Host: 0x1",
                                                  "host:[::1]",
                                                  "Content-Length: 5",
                                                  "Content-Length: 7, 7",
                                                  "Content-Length : 5",
                                                  "content-length: -1",
                                                  "Transfer-Encoding: chunked",
                                                  "Transfer-Encoding: gzip",
                                                  "Connection: keep-alive",
                                                  "Connection: Upgrade",
                                                  "Upgrade: h2c",
                                                  " folded",
                                                  "\tfolded: 5",
                                                  "junk",
                                                  ":",
                                                  "A:b",
                                                  "A:  b ",
                                                  "User-Agent: curl/8",
                                                  "\rX: y",
                                                  "X: a\rHost: 0x1",
                                                  "X: y\r",
                                                  "Host: 1-2-3-4.nip.io",
                                                  "Transfer-Encoding : chunked",
                                                  "Transfer-Encoding: identity, chunked",
                                                  "Connection: close",
                                                  "X-aws-ec2-metadata-token: t",
                                                  "Connection:keep-alive, upgrade"};
  static const std::vector<std::string> kEnds = {"\r\n", "\r\n", "\r\n", "\n"};
  std::string head =
      pick(random, {"", "", "\r\n", "\n"}) + pick(random, {"GET", "POST", "CONNECT", "foo"}) +
      pick(random, {" ", " ", "  ", "\t"}) + pick(random, kTargets) + " " +
      pick(random, {"HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "http/1.1", "x"}) + pick(random, kEnds);
  for (std::size_t lines = std::uniform_int_distribution<std::size_t>(0, 8)(random); lines > 0;
       --lines) {
    head += pick(random, kLines) + pick(random, kEnds);
  }
  return head + pick(random, {"\r\n", "\n", ""});
}

void expect_same_body(const RequestSketch& s, const RequestHead& parsed) {
  if (parsed.fields.folded) {
    return;
  }
  const BodyPlan plan = plan_request_body(parsed);
  EXPECT_EQ(s.body.kind, plan.kind);
  EXPECT_EQ(s.body.length, plan.length);
  EXPECT_TRUE(s.body.conflicting || !plan.conflicting);
  EXPECT_TRUE(plan.conflicting || !s.body.conflicting || (s.disguise & kBareCr) != 0);
}

// The sketch must agree with the parser about framing, and whatever normalising changes in target
// or domain (but for case) must have been flagged.
TEST(Sketch, AgreesWithTheParserOnRandomHeads) {
  std::mt19937 random(11);
  int disguised = 0;
  for (int round = 0; round < 50000; ++round) {
    const std::string text = random_head(random);
    const ParsedRequest parsed(text);
    const RequestSketch s = sketch(text);
    ASSERT_EQ(s.valid, parsed.status == HeadStatus::ok) << text;
    if (!s.valid) {
      continue;
    }
    const HeaderBlock& fields = parsed.head.fields;
    EXPECT_EQ((s.disguise & kFolded) != 0, fields.folded) << text;
    EXPECT_TRUE(!fields.bare_cr || (s.disguise & kBareCr) != 0) << text;
    expect_same_body(s, parsed.head);
    if (s.disguise != 0) {
      ++disguised;
      continue;
    }
    const Target target = split_target(parsed.head.method, parsed.head.target, fields.host);
    std::vector<char> buffer(text.size() + kNormaliseSlack);
    const NormalisedTarget n = normalise_target(target, buffer);
    EXPECT_TRUE(iequals(n.target, target.text)) << text;
    EXPECT_TRUE(iequals(n.domain, target.host)) << text;
    // Each header line of the text stands literally in the head.
    const std::string headers = parsed.header_text();
    for (std::size_t at = 0; at < headers.size();) {
      const std::size_t end = headers.find('\n', at);
      EXPECT_NE(text.find(headers.substr(at, end - at)), std::string::npos) << text;
      at = end + 1;
    }
  }
  EXPECT_GT(disguised, 1000);
  EXPECT_LT(disguised, 49000);
}

// One to eight bytes changed, put in, taken out or said twice.
std::string mutated(std::mt19937& random, std::string text) {
  static const std::string kBytes("\r\n\0 \t:,;0159afxPHc\x80", 20);
  const auto below = [&random](std::size_t bound) { return random() % bound; };
  for (std::size_t changes = 1 + below(8); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    const char byte = kBytes[below(kBytes.size())];
    switch (below(4)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1 + below(3), byte);
        break;
      case 2:
        text.erase(at, 1 + below(3));
        break;
      default:
        text.insert(at, text.substr(below(text.size()), 1 + below(24)));
        break;
    }
  }
  return text;
}

TEST(Sketch, AgreesWithTheParserAboutBodiesOfMutatedHeads) {
  static const std::vector<std::string> kHeads = {
      "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\nG",
      "POST /a HTTP/1.0\r\nHost: h\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n",
      "CONNECT h:1 HTTP/1.1\nConnection: upgrade\nUpgrade: h2c\n\n"};
  std::mt19937 random(5);
  std::size_t requests = 0;
  for (int round = 0; round < 60000; ++round) {
    const std::string stream = mutated(random, pick(random, kHeads));
    HeadEndFinder finder;
    const std::string head = stream.substr(0, finder.feed(bytes(stream)).consumed);
    const ParsedRequest parsed(head, head.size());
    const RequestSketch s = sketch(head);
    ASSERT_EQ(s.valid, parsed.status == HeadStatus::ok) << escape_for_terminal(head);
    if (s.valid) {
      ++requests;
      expect_same_body(s, parsed.head);
      ASSERT_FALSE(::testing::Test::HasFailure()) << escape_for_terminal(head);
    }
  }
  EXPECT_GT(requests, 30000u);
}

}  // namespace
}  // namespace imds::http
