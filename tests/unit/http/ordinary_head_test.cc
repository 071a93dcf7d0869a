#include "http/ordinary_head.h"

#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/head_end.h"
#include "http/sketch.h"

namespace imds::http {
namespace {

constexpr std::string_view kPlain =
    "GET /articles/2026/overview.html?page=2&from=start HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Reading {
  OrdinaryHead ordinary;
  std::unique_ptr<RequestHead> head = std::make_unique<RequestHead>();
};

// In memory that ends with the text, so that a sanitizer sees what reads beyond.
Reading read(std::string_view text, std::uint32_t limit = 65536) {
  Reading out;
  out.ordinary = read_ordinary_head(bytes(text), limit, *out.head);
  return out;
}

std::string with(std::string_view line) {
  return "GET /articles/overview.html HTTP/1.1\r\nHost: www.example.com\r\n" + std::string(line) +
         "\r\nAccept: */*\r\n\r\n";
}

// Views within `text` as their offsets, so that readings of two copies can be compared.
std::string described(std::initializer_list<std::string_view> first_line, std::string_view text) {
  std::string out;
  for (const std::string_view view : first_line) {
    out += view.data() == nullptr ? "absent" : std::to_string(view.data() - text.data());
    out += '+' + std::to_string(view.size()) + ' ';
  }
  return out;
}

template <typename Head>
std::string described_fields(const Head& head, std::string_view text) {
  std::string out;
  const auto add = [&](std::string_view view) { out += described({view}, text); };
  for (const Header& header : head.fields.headers()) {
    add(header.name);
    add(header.value);
  }
  for (const std::string_view view :
       {head.fields.host, head.fields.user_agent, head.fields.server, head.fields.upgrade,
        head.fields.content_type,
        std::string_view(reinterpret_cast<const char*>(head.fields.bytes.data()),
                         head.fields.bytes.size())}) {
    add(view);
  }
  const Framing& framing = head.fields.framing;
  for (const std::uint64_t number :
       {std::uint64_t{head.fields.count}, std::uint64_t{head.fields.repeated_host},
        std::uint64_t{head.fields.folded}, std::uint64_t{head.fields.bare_lf},
        std::uint64_t{head.fields.bare_cr}, std::uint64_t{head.fields.malformed},
        std::uint64_t{head.fields.blank_before_colon}, framing.content_length,
        std::uint64_t{framing.has_content_length}, std::uint64_t{framing.bad_content_length},
        std::uint64_t{framing.has_transfer_encoding}, std::uint64_t{framing.chunked},
        std::uint64_t{framing.ambiguous}, std::uint64_t{framing.has_upgrade},
        std::uint64_t{framing.connection_upgrade}, std::uint64_t{framing.close},
        std::uint64_t{framing.keep_alive}, static_cast<std::uint64_t>(head.version)}) {
    out += std::to_string(number) + ' ';
  }
  return out;
}

std::string described(const RequestHead& head, std::string_view text) {
  return described({head.method, head.target, head.version_text}, text) +
         described_fields(head, text);
}

std::string described(const ResponseHead& head, std::string_view text) {
  return described({head.version_text}, text) + std::to_string(head.status) + ' ' +
         std::string(head.reason) + ' ' + described_fields(head, text);
}

// Whether the quick pass took the head; if it did, the others must agree with it in everything.
bool agrees_or_declines(const std::string& text) {
  const std::vector<char> exact(text.begin(), text.end());
  const std::string_view view(exact.data(), exact.size());
  const Reading quick = read(view);
  if (quick.ordinary.size == 0) {
    return false;
  }
  HeadEndFinder finder;
  const auto found = finder.feed(bytes(view));
  EXPECT_EQ(found.status, HeadEndFinder::Status::complete) << text;
  EXPECT_EQ(found.consumed, quick.ordinary.size) << text;
  const ByteSpan whole = bytes(view).first(quick.ordinary.size);
  const RequestSketch sketch = sketch_request(whole);
  EXPECT_TRUE(sketch.valid) << text;
  EXPECT_EQ(sketch.disguise, quick.ordinary.disguise) << text;
  EXPECT_EQ(sketch.body.kind, quick.ordinary.body.kind) << text;
  EXPECT_EQ(sketch.body.length, quick.ordinary.body.length) << text;
  EXPECT_EQ(sketch.body.conflicting, quick.ordinary.body.conflicting) << text;
  const auto parsed = std::make_unique<RequestHead>();
  std::vector<char> scratch(text.size());
  EXPECT_EQ(parse_request_head(whole, scratch, *parsed), HeadStatus::ok) << text;
  EXPECT_EQ(described(*quick.head, view), described(*parsed, view)) << text;
  return true;
}

TEST(OrdinaryHead, IsReadInOnePass) {
  const Reading plain = read(kPlain);
  EXPECT_EQ(plain.ordinary.size, kPlain.size());
  EXPECT_EQ(plain.ordinary.body.kind, BodyKind::none);
  EXPECT_EQ(plain.head->method, "GET");
  EXPECT_EQ(plain.head->target, "/articles/2026/overview.html?page=2&from=start");
  EXPECT_EQ(plain.head->version, Version::http11);
  EXPECT_EQ(plain.head->fields.host, "www.example.com");
  EXPECT_EQ(plain.head->fields.count, 5u);
  EXPECT_TRUE(agrees_or_declines(std::string(kPlain)));
}

TEST(OrdinaryHead, EndsWhereTheNextBegins) {
  const std::string two = std::string(kPlain) + std::string(kPlain);
  EXPECT_EQ(read(two).ordinary.size, kPlain.size());
  // Odd bytes behind it are not its own.
  EXPECT_EQ(read(std::string(kPlain) + "\r\r\n\n\rx").ordinary.size, kPlain.size());
  EXPECT_EQ(read(std::string(kPlain) + "\n").ordinary.size, kPlain.size());
}

TEST(OrdinaryHead, OfEveryLengthAgrees) {
  for (std::size_t size = 1; size < 300; ++size) {
    EXPECT_TRUE(agrees_or_declines(with("X-Filling: " + std::string(size, 'x')))) << size;
    EXPECT_TRUE(agrees_or_declines(with(std::string(size, 'x') + ": y"))) << size;
    EXPECT_TRUE(agrees_or_declines("GET /" + std::string(size, 'x') +
                                   " HTTP/1.0\r\nHost: www.example.com\r\n"
                                   "User-Agent: somebody's own program\r\n\r\n"))
        << size;
  }
}

TEST(OrdinaryHead, IncompleteIsNone) {
  for (std::size_t size = 0; size < kPlain.size(); ++size) {
    const std::vector<char> part(kPlain.begin(),
                                 kPlain.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(read({part.data(), part.size()}).ordinary.size, 0u) << size;
  }
}

TEST(OrdinaryHead, LongerThanTheLimitIsNone) {
  const auto size = static_cast<std::uint32_t>(kPlain.size());
  EXPECT_EQ(read(kPlain, size).ordinary.size, kPlain.size());
  EXPECT_EQ(read(kPlain, size - 1).ordinary.size, 0u);
}

TEST(OrdinaryHead, KnowsTheUsualMethods) {
  for (const char* method : {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    std::string text(kPlain);
    EXPECT_TRUE(agrees_or_declines(method + text.substr(3))) << method;
  }
  for (const char* method : {"get", "GETX", "XGET", "CONNECT", "M-SEARCH", " GET", "\r\nGET", ""}) {
    std::string text(kPlain);
    EXPECT_FALSE(agrees_or_declines(method + text.substr(3))) << method;
  }
}

TEST(OrdinaryHead, KeepsWhatHeadersSay) {
  for (const char* line : {"Content-Length: 12",
                           "Content-Length: 12, 12",
                           "Content-Length: x",
                           "Transfer-Encoding: chunked",
                           "transfer-ENCODING: gzip",
                           "Upgrade: websocket",
                           "Connection: close",
                           "Connection: Upgrade, keep-alive",
                           "connection: keep-alive",
                           "Connection: Keep-Alive",
                           "User-Agent: twice",
                           "Content-Type: text/plain",
                           "Server: none",
                           "Host: www.example.com",
                           "Host: other.example.com:8080",
                           "Host: 192.0.2.1",
                           "Y: \xff",
                           "X: trailing blanks  \t",
                           "Xost: 1",
                           "Cookie: a=b; c=d",
                           "Connectiox: keep-alive"}) {
    EXPECT_TRUE(agrees_or_declines(with(line))) << line;
  }
}

TEST(OrdinaryHead, LeavesOddLinesToOthers) {
  for (const char* line :
       {"X:y", "X :y", "X : y", "X:  y", "X: ", "X:", ": y", "no colon", " folded", "\tfolded",
        "X: y\r\n folded", "X: y\n", "X: y\nZ: z", "X: y\rZ: z", "X: y\r\rZ: z", "X:\ty"}) {
    EXPECT_EQ(read(with(line)).ordinary.size, 0u) << line;
  }
  const std::string text(kPlain);
  for (const char* target : {"a", "http://a/", "*", "", " /a"}) {
    EXPECT_EQ(read("GET " + std::string(target) + text.substr(text.find(" HTTP"))).ordinary.size,
              0u)
        << target;
  }
  for (const char* version :
       {" HTTP/2.0", " HTTP/1.2", " http/1.1", "  HTTP/1.1", " HTTP/1.1 ", ""}) {
    EXPECT_EQ(read("GET /a" + std::string(version) + text.substr(text.find('\r'))).ordinary.size,
              0u)
        << version;
  }
}

TEST(OrdinaryHead, TellsDisguise) {
  for (const char* line :
       {"Host: 169.254.169.254.", "Host: [::1]", "Host: 0xa9fea9fe", "Host: 2852039166",
        "Host: user@host", "Host: a.nip.io", "Host: a%2eb", "Host: a:0", "Host: :80"}) {
    EXPECT_TRUE(agrees_or_declines(with(line))) << line;
    EXPECT_EQ(read(with(line)).ordinary.disguise, kHostForm) << line;
  }
  struct Case {
    const char* target;
    unsigned disguise;
  };
  for (const Case& c :
       {Case{"//a", kTargetSlashes}, Case{"/a//b", kTargetSlashes}, Case{"/./a", kTargetDots},
        Case{"/a/..", kTargetDots}, Case{"/.a", kTargetDots}, Case{"/a;b", kTargetParameter},
        Case{"/a\\b", kTargetSlashes}, Case{"/%61", kTargetEncoded},
        Case{"/a?b=%61", kTargetEncoded}, Case{"/a#b", 0}, Case{"/a?b=//;\\", 0},
        Case{"/\xc3/.", kTargetEncoded | kTargetDots}}) {
    const std::string head = "GET " + std::string(c.target) + " HTTP/1.1\r\n" +
                             std::string(kPlain.substr(kPlain.find("Host")));
    EXPECT_TRUE(agrees_or_declines(head)) << c.target;
    EXPECT_EQ(read(head).ordinary.disguise, c.disguise) << c.target;
  }
}

// Odd bytes put anywhere: the quick pass may decline, but never say something else.
TEST(OrdinaryHead, ChangedAnywhereAgreesOrDeclines) {
  constexpr std::string_view kOdd("\r\n :\t%/.;\\?#\0@[\xff-aG10", 22);
  std::mt19937 random(7);
  std::size_t taken = 0;
  for (std::size_t at = 0; at < kPlain.size(); ++at) {
    for (const char c : kOdd) {
      std::string text(kPlain);
      text[at] = c;
      taken += agrees_or_declines(text);
      text = kPlain;
      text.insert(at, 1, c);
      taken += agrees_or_declines(text);
      text.insert(random() % text.size(), 1, kOdd[random() % kOdd.size()]);
      taken += agrees_or_declines(text);
      text = kPlain;
      text.erase(at, 1 + random() % 3);
      taken += agrees_or_declines(text);
    }
  }
  EXPECT_GT(taken, 1000u);
}

TEST(OrdinaryHead, KeepsNoMoreHeadersThanFit) {
  std::string text = "GET /articles HTTP/1.1\r\n";
  for (std::size_t i = 0; i < kMaxHeaders; ++i) {
    text += "X-Header: value\r\n";
  }
  EXPECT_TRUE(agrees_or_declines(text + "\r\n"));
  EXPECT_FALSE(agrees_or_declines(text + "One: more\r\n\r\n"));
}

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Server: EC2ws\r\n"
    "Content-Length: 1234\r\n"
    "Connection: close\r\n"
    "\r\n"
    "A body, or a part of one.\r\n\r\n";

bool answer_agrees_or_declines(const std::string& text) {
  const std::vector<char> exact(text.begin(), text.end());
  const std::string_view view(exact.data(), exact.size());
  const auto quick = std::make_unique<ResponseHead>();
  const std::size_t size = read_ordinary_answer(bytes(view), 65536, *quick);
  if (size == 0) {
    return false;
  }
  HeadEndFinder finder;
  const auto found = finder.feed(bytes(view));
  EXPECT_EQ(found.status, HeadEndFinder::Status::complete) << text;
  EXPECT_EQ(found.consumed, size) << text;
  const auto parsed = std::make_unique<ResponseHead>();
  std::vector<char> scratch(text.size());
  EXPECT_EQ(parse_response_head(bytes(view).first(size), scratch, *parsed), HeadStatus::ok) << text;
  EXPECT_EQ(described(*quick, view), described(*parsed, view)) << text;
  return true;
}

std::string answer_with(std::string_view line) {
  return "HTTP/1.1 200 OK\r\n" + std::string(line) +
         "\r\nServer: EC2ws\r\nX-Filling: so that it is long enough\r\n\r\n";
}

TEST(OrdinaryAnswer, IsReadInOnePass) {
  ResponseHead head;
  EXPECT_EQ(read_ordinary_answer(bytes(kAnswer), 65536, head), kAnswer.find("A body"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "OK");
  EXPECT_EQ(head.fields.server, "EC2ws");
  EXPECT_EQ(head.fields.framing.content_length, 1234u);
  EXPECT_TRUE(answer_agrees_or_declines(std::string(kAnswer)));
  const auto size = static_cast<std::uint32_t>(kAnswer.find("A body"));
  EXPECT_EQ(read_ordinary_answer(bytes(kAnswer), size, head), size);
  EXPECT_EQ(read_ordinary_answer(bytes(kAnswer), size - 1, head), 0u);
}

TEST(OrdinaryAnswer, OfEveryFirstLineAgreesOrDeclines) {
  const std::string rest(kAnswer.substr(kAnswer.find('\r')));
  for (const char* line : {"HTTP/1.1 200 OK", "HTTP/1.0 404 Not Found", "HTTP/1.1 200",
                           "HTTP/1.1 200 ", "HTTP/1.1 999 \t x ", "HTTP/1.1 100 Continue"}) {
    EXPECT_TRUE(answer_agrees_or_declines(line + rest)) << line;
  }
  for (const char* line :
       {"HTTP/1.2 200 OK", "HTTP/2 200 OK", "http/1.1 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 20x OK", "HTTP/1.1 200OK", "HTTP/1.1",
        "HTTP/1.1\t200 OK", "\r\nHTTP/1.1 200 OK", "GET / HTTP/1.1", ""}) {
    EXPECT_FALSE(answer_agrees_or_declines(line + rest)) << line;
  }
}

TEST(OrdinaryAnswer, KeepsWhatHeadersSay) {
  for (const char* line :
       {"Content-Length: 12", "content-LENGTH: 0", "Content-Length: 12, 12", "Content-Length: x",
        "Content-Length: 12x", "Content-Length: -1", "Content-Length: 999999999999999999",
        "Content-Length: 9223372036854775807", "Content-Length: 9223372036854775808",
        "Content-Length: 12\r\nContent-Length: 13", "Content-Length: x\r\nContent-Length: 13",
        "Content-Length: 12\r\nContent-Length: 12", "Transfer-Encoding: chunked",
        "Content-Encoding: gzip", "Connection: close", "Server: twice", "Host: of an answer",
        "Host: a\r\nHost: b", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600"}) {
    EXPECT_TRUE(answer_agrees_or_declines(answer_with(line))) << line;
  }
  for (const char* line :
       {"X:y", "X :y", "X: ", "no colon", "X: y\r\n folded", "X: y\n", "X: y\rZ: z"}) {
    EXPECT_FALSE(answer_agrees_or_declines(answer_with(line))) << line;
  }
}

TEST(OrdinaryAnswer, ChangedAnywhereAgreesOrDeclines) {
  constexpr std::string_view kOdd("\r\n :\t,x\0\xff-H0129", 16);
  std::mt19937 random(8);
  std::size_t taken = 0;
  for (std::size_t at = 0; at < kAnswer.size(); ++at) {
    for (const char c : kOdd) {
      std::string text(kAnswer);
      text[at] = c;
      taken += answer_agrees_or_declines(text);
      text = kAnswer;
      text.insert(at, 1, c);
      taken += answer_agrees_or_declines(text);
      text.insert(random() % text.size(), 1, kOdd[random() % kOdd.size()]);
      taken += answer_agrees_or_declines(text);
      text = kAnswer;
      text.erase(at, 1 + random() % 3);
      taken += answer_agrees_or_declines(text);
      text = std::string(kAnswer.substr(0, at));
      taken += answer_agrees_or_declines(text);
    }
  }
  EXPECT_GT(taken, 1000u);
}

}  // namespace
}  // namespace imds::http
