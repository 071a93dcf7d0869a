#include "http/preamble.h"

#include <string>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) {
    out += static_cast<char>(b);
  }
  return out;
}

struct Read {
  Preamble preamble;
  std::string name;
};
Read read(std::string_view text, PreambleKind before = PreambleKind::none) {
  const ExactBytes bytes(text);
  Read out{read_preamble(bytes.span(), before), {}};
  out.name = out.preamble.name;
  return out;
}

// Undecided at every prefix, then yes with all of it, whatever follows.
Read expect_message(const std::string& text, PreambleKind kind,
                    PreambleKind before = PreambleKind::none) {
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(read(text.substr(0, size), before).preamble.verdict, Probe::need_more) << size;
  }
  Read out = read(text + "GET / HTTP/1.1\r\n\r\n", before);
  EXPECT_EQ(out.preamble.verdict, Probe::yes);
  EXPECT_EQ(out.preamble.kind, kind);
  EXPECT_EQ(out.preamble.size, text.size());
  return out;
}

const std::string kImds = raw({169, 254, 169, 254});

TEST(Socks4, ByAddressAndByName) {
  const Read v4 =
      expect_message(raw({4, 1, 0, 80}) + kImds + std::string("me\0", 3), PreambleKind::socks4);
  EXPECT_EQ(v4.preamble.address.to_string(), "169.254.169.254");
  const Read v4a = expect_message(
      raw({4, 1, 0, 80, 0, 0, 0, 1, 0}) + std::string("h.example\0", 10), PreambleKind::socks4);
  EXPECT_EQ(v4a.name, "h.example");
  EXPECT_FALSE(v4a.preamble.address.is_set());
}

TEST(Socks5, GreetingLoginRequest) {
  expect_message(raw({5, 2, 0, 2}), PreambleKind::socks5_methods);
  expect_message(raw({1, 2, 'm', 'e', 3, 'a', 'b', 'c'}), PreambleKind::socks5_login,
                 PreambleKind::socks5_methods);
  const Read v4 = expect_message(raw({5, 1, 0, 1}) + kImds + raw({0, 80}),
                                 PreambleKind::socks5_request, PreambleKind::socks5_methods);
  EXPECT_EQ(v4.preamble.address.to_string(), "169.254.169.254");
  const Read name = expect_message(raw({5, 1, 0, 3, 3, 'a', '.', 'b', 0, 80}),
                                   PreambleKind::socks5_request, PreambleKind::socks5_login);
  EXPECT_EQ(name.name, "a.b");
  const Read v6 = expect_message(
      raw({5, 1, 0, 4, 0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54, 0, 80}),
      PreambleKind::socks5_request, PreambleKind::socks5_methods);
  EXPECT_EQ(v6.preamble.address.to_string(), "fd00:ec2::254");
}

TEST(Proxy, BothVersions) {
  expect_message("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", PreambleKind::proxy);
  expect_message("PROXY TCP6 fd00::1 fd00::2 1 2\r\n", PreambleKind::proxy);
  expect_message("PROXY UNKNOWN\r\n", PreambleKind::proxy);
  const std::string v2("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  const Preamble read = read_preamble(bytes(v2 + std::string(12, 'a')), PreambleKind::none);
  EXPECT_EQ(read.kind, PreambleKind::proxy);
  EXPECT_EQ(read.size, 28u);
}

TEST(Preamble, OtherBytesAreNone) {
  for (const std::string& text :
       {raw({5, 0}), raw({5, 1, 'G'}), raw({4, 3}),
        raw({4, 1, 0, 80, 1, 2, 3, 4}) + std::string(300, 'u'), raw({1, 1, 1}),
        std::string("PROXIMITY"), std::string("PROXY TCP9"), std::string("GET /"),
        "PROXY TCP4 " + std::string(200, '1'), std::string("\r\n\r\nGET /"),
        std::string("\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c", 16), raw({0x16, 3, 1})}) {
    EXPECT_EQ(read(text).preamble.verdict, Probe::no) << text;
  }
  EXPECT_EQ(read(raw({5, 3, 0, 1}), PreambleKind::socks5_methods).preamble.verdict, Probe::no)
      << "a UDP association";
  EXPECT_EQ(read(raw({5, 1, 0, 9, 1}), PreambleKind::socks5_methods).preamble.verdict, Probe::no);
}

}  // namespace
}  // namespace imds::http
