#include "http/ordinary_head.h"

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

// Every view within `text` as its offset, so that readings of two copies can be compared.
std::string described(const RequestHead& head, std::string_view text) {
  std::string out;
  const auto add = [&](std::string_view view) {
    out += view.data() == nullptr ? "absent" : std::to_string(view.data() - text.data());
    out += '+' + std::to_string(view.size()) + ' ';
  };
  add(head.method);
  add(head.target);
  add(head.version_text);
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

}  // namespace
}  // namespace imds::http
