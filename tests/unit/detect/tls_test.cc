// TLS is not scanned for strings; what only looks like it is.
#include "fixture.h"

namespace imds::detect {
namespace {

using support::TcpSession;

const std::string kFound = "http_request GET /latest/meta-data/";

std::string be16(std::size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string record(char type, const std::string& body) {
  return std::string{type, 3, 3} + be16(body.size()) + body;
}

std::string ciphertext(std::size_t size) {
  std::string out;
  for (std::uint32_t x = 1; out.size() < size; x = x * 1664525 + 1013904223) {
    out += static_cast<char>(x >> 24);
  }
  return out;
}

std::string application_data(std::size_t size) {
  return record(23, ciphertext(size));
}

// `inner` stands in an extension, so that a scan would find it.
std::string hello(char type, const std::string& inner = "/latest/meta-data") {
  const bool client = type == 1;
  std::string body = "\x03\x03" + ciphertext(32) + '\x20' + ciphertext(32);
  body += client ? be16(4) + "\x13\x01\x13\x02" + std::string("\x01\x00", 2)
                 : std::string("\x13\x01\x00", 3);
  const std::string extension = be16(0) + be16(inner.size()) + inner;
  body += be16(extension.size()) + extension;
  return record(22, std::string{type, 0} + be16(body.size()) + body);
}

TcpSession begun() {
  TcpSession session(elsewhere());
  session.handshake();
  return session;
}

Events events_of(const std::string& first) {
  auto session = begun();
  session.client(first);
  return Bench().feed(session).events();
}

TEST(Tls, OrdinaryIsBypassed) {
  auto session = begun();
  session.client(hello(1)).server(hello(2) + record(20, "\x01") + application_data(900));
  session.client(record(20, "\x01") + application_data(60) + "\x17\x03\x03");
  session.client("/latest/meta-data");
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

TEST(Tls, HelloCutByASegmentIsBypassed) {
  const std::string whole = hello(1, std::string(2000, 'n') + "/latest/meta-data");
  for (std::size_t cut = 44; cut < 400; ++cut) {
    auto session = begun();
    session.client(whole.substr(0, cut)).client("x/latest/meta-data");
    EXPECT_EQ(Bench().feed(session).events(), Events{}) << "cut at " << cut;
  }
}

TEST(Tls, MidStreamIsBypassed) {
  TcpSession session(elsewhere());
  session.client(application_data(100) + application_data(16000).substr(0, 1000));
  session.client("x/latest/meta-data");
  EXPECT_EQ(Bench().feed(session).events(), Events{});
}

TEST(TlsLookalike, RequestInTheSameSegment) {
  EXPECT_EQ(events_of(hello(1, "h") + std::string(kMetadata)), Events{"raw_match"});
  EXPECT_EQ(events_of(application_data(40) + std::string(kMetadata)), Events{"raw_match"});
}

TEST(TlsLookalike, RequestInTheNextSegment) {
  for (const std::string& first : {hello(1), hello(2), application_data(100)}) {
    auto session = begun();
    session.client(first).client(kMetadata);
    EXPECT_EQ(Bench().feed(session).events(), Events{kFound});
  }
}

TEST(TlsLookalike, RecordHeaderThenText) {
  const std::string text = "the way to /latest/meta-data is short";
  for (const char type : {20, 21, 22, 23}) {
    EXPECT_EQ(events_of(record(type, text)), Events{"raw_match"}) << int{type};
    EXPECT_EQ(events_of(record(type, text + std::string(9000, ' ')).substr(0, 1400)),
              Events{"raw_match"})
        << int{type};
  }
}

// Wherever it stands among bytes that are not printable, 24 printable ones are text and 23 are not.
TEST(TlsLookalike, TextOfEveryPlace) {
  const std::string words = "/latest/meta-data";
  for (std::size_t before = 0; before <= 70; ++before) {
    for (const std::size_t after : {0u, 1u, 40u}) {
      const auto events = [&](std::size_t size) {
        const std::string run = std::string(size - words.size(), '~') + words;
        return events_of(
            record(23, std::string(before, '\x7f') + run + std::string(after, '\x1f')));
      };
      ASSERT_EQ(events(24), Events{"raw_match"}) << before << " before, " << after << " behind";
      ASSERT_EQ(events(23), Events{}) << before << " before, " << after << " behind";
    }
  }
}

// Every length of a hello must agree with the others.
TEST(TlsLookalike, HelloWhoseLengthsDisagree) {
  const std::string whole = hello(1);
  ASSERT_EQ(events_of(whole), Events{});
  constexpr std::size_t kSession = 43, kSuites = 76, kMethods = 82, kExtensions = 84;
  for (const std::size_t at :
       {4u, 8u, unsigned{kSession}, unsigned{kSuites}, unsigned{kSuites} + 1, unsigned{kMethods},
        unsigned{kExtensions}, unsigned{kExtensions} + 1}) {
    for (const int by : {-1, 1, 64}) {
      std::string lying = whole;
      lying[at] = static_cast<char>(lying[at] + by);
      EXPECT_EQ(events_of(lying), Events{"raw_match"}) << at << " " << by;
    }
  }
}

TEST(TlsLookalike, RecordTooLong) {
  const std::string header = "\x17\x03\x03";
  const std::string rest = ciphertext(50) + "/latest/meta-data";
  EXPECT_EQ(events_of(header + be16(16384 + 2048) + rest), Events{});
  EXPECT_EQ(events_of(header + be16(16384 + 2049) + rest), Events{"raw_match"});
}

TEST(SshLookalike, IsScanned) {
  const std::string banner = "SSH-2.0-OpenSSH_9.2\r\n";
  EXPECT_EQ(events_of(banner + std::string(kMetadata)), Events{"raw_match"});
  auto session = begun();
  session.client(banner).client("xxxx" + std::string(kMetadata));
  EXPECT_EQ(Bench().feed(session).events(), Events{"raw_match"});
}

}  // namespace
}  // namespace imds::detect
