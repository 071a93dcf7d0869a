// TLS connections of clients that hold delivered credentials: who is looked at, and what is seen.
#include "fixture.h"
#include "support/client_hello.h"

namespace imds::detect {
namespace {

using support::client_hello;
using support::TcpSession;

constexpr std::string_view kUses = R"(
title: Use
id: 55555555-5555-4555-8555-555555555555
level: critical
logsource: {product: imds-inspector}
detection: {use: {imds.event: credentials_used}, condition: use}
)";

class HelloTest : public ::testing::TestWithParam<bool> {
 protected:
  HelloTest() {
    holders_ = std::make_unique<AddressSet>(SipKey{1, 2});
    (void)holders_->add(*IpAddress::parse("10.0.0.1"));
    make();
  }
  void make(Options options = few_connections(), std::string_view rules = kUses) {
    options.holders = holders_.get();
    bench_ = std::make_unique<Bench>(rules, options);
    bench_->set_lane(GetParam());
  }
  static TcpSession session(const char* client = "10.0.0.1", std::size_t segment = 1400) {
    TcpSession::Options options = elsewhere();
    options.client_ip = client;
    options.server_port = 443;
    options.segment_size = segment;
    TcpSession out(options);
    out.handshake();
    return out;
  }
  // The names that were told.
  std::vector<std::string> names(const TcpSession& session) {
    bench_->feed(session).end_all();
    std::vector<std::string> out;
    last_ = bench_->take();
    for (const event::Finding& finding : last_) {
      EXPECT_EQ(finding.type, event::EventType::credentials_used);
      out.emplace_back(finding.domain.view());
    }
    return out;
  }
  std::uint64_t counted(HelloOutcome outcome) const {
    return bench_->counters().hellos[static_cast<std::size_t>(outcome)].get();
  }

  std::unique_ptr<AddressSet> holders_;
  std::unique_ptr<Bench> bench_;
  std::vector<event::Finding> last_;
};

using Names = std::vector<std::string>;
const Names kSts{"sts.amazonaws.com"};

TEST_P(HelloTest, TheNameOfAnAwsServiceIsTold) {
  auto told = session();
  told.client(client_hello("sts.amazonaws.com")).server("\x16\x03\x03").fin();
  EXPECT_EQ(names(told), kSts);
  const event::Finding& finding = last_.front();
  EXPECT_EQ(finding.source.ip.to_string(), "10.0.0.1");
  EXPECT_EQ(finding.destination.ip.to_string(), "203.0.113.7");
  EXPECT_EQ(finding.destination.port, 443);
  EXPECT_TRUE(event::has_story(finding));
  EXPECT_EQ(counted(HelloOutcome::aws), 1u);
}

TEST_P(HelloTest, OtherClientsAndOtherServersAreNot) {
  auto other_client = session("10.0.0.2");
  other_client.client(client_hello("sts.amazonaws.com"));
  EXPECT_EQ(names(other_client), Names{});
  auto other_server = session();
  other_server.client(client_hello("www.example.com"));
  EXPECT_EQ(names(other_server), Names{});
  auto nameless = session();
  nameless.client(client_hello(""));
  EXPECT_EQ(names(nameless), Names{});
  // The holder as a server: who connects to it uses nothing.
  TcpSession::Options options;
  options.client_ip = "10.0.0.2";
  options.server_ip = "10.0.0.1";
  TcpSession reversed(options);
  reversed.handshake().client(client_hello("sts.amazonaws.com"));
  EXPECT_EQ(names(reversed), Names{});
  EXPECT_EQ(counted(HelloOutcome::other), 1u);
  EXPECT_EQ(counted(HelloOutcome::nameless), 1u);
  EXPECT_EQ(counted(HelloOutcome::unread), 0u);
}

TEST_P(HelloTest, NobodyIsLookedAtWhenThereIsNoHolder) {
  holders_->remove(*IpAddress::parse("10.0.0.1"));
  auto plain = session();
  plain.client(client_hello("sts.amazonaws.com"));
  EXPECT_EQ(names(plain), Names{});
  for (std::size_t i = 0; i < kHelloOutcomeCount; ++i) {
    EXPECT_EQ(counted(static_cast<HelloOutcome>(i)), 0u);
  }
}

TEST_P(HelloTest, AHelloInSeveralSegmentsIsPutTogether) {
  for (const std::size_t size : {60u, 100u, 700u, 1400u}) {
    auto split = session("10.0.0.1", size);
    split.client(client_hello("sts.amazonaws.com", 1700)).server("\x16\x03\x03").client("\x14\x03");
    EXPECT_EQ(names(split), kSts) << size;
  }
  EXPECT_EQ(bench_->arena().counters().bytes_in_use.get(), 0u);
}

TEST_P(HelloTest, SegmentsOutOfOrderWait) {
  auto split = session("10.0.0.1", 600);
  split.client(client_hello("sts.amazonaws.com", 1700));
  const auto& packets = split.packets();  // SYN, SYN-ACK, ACK, four segments
  ASSERT_EQ(packets.size(), 7u);
  for (const std::size_t i : {0u, 1u, 2u, 3u, 5u, 4u, 6u}) {
    bench_->feed(packets[i].bytes, packets[i].time);
  }
  EXPECT_EQ(bench_->take().size(), 1u);
}

TEST_P(HelloTest, WhatIsMissingOrTooLongIsCounted) {
  auto cut = session("10.0.0.1", 600);
  cut.client(client_hello("sts.amazonaws.com", 1700).substr(0, 1000)).fin();
  EXPECT_EQ(names(cut), Names{});
  EXPECT_EQ(counted(HelloOutcome::unread), 1u);
  auto aborted = session("10.0.0.1", 600);
  aborted.client(client_hello("sts.amazonaws.com", 1700).substr(0, 1000));
  EXPECT_EQ(names(aborted), Names{});
  EXPECT_EQ(counted(HelloOutcome::unread), 2u);
  auto endless = session();
  endless.client(client_hello("sts.amazonaws.com", 9000));
  EXPECT_EQ(names(endless), Names{});
  EXPECT_EQ(counted(HelloOutcome::unread), 3u);
  EXPECT_EQ(bench_->arena().counters().bytes_in_use.get(), 0u);
}

TEST_P(HelloTest, NoRoomIsCounted) {
  Options options = few_connections();
  options.arena.blocks = {};
  make(options);
  auto split = session("10.0.0.1", 600);
  split.client(client_hello("sts.amazonaws.com", 1700));
  EXPECT_EQ(names(split), Names{});
  EXPECT_EQ(counted(HelloOutcome::unread), 1u);
}

// Through a proxy, TLS begins behind the CONNECT.
TEST_P(HelloTest, ThroughAProxy) {
  auto proxied = session();
  proxied.client("CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n");
  proxied.server("HTTP/1.1 200 Connection established\r\n\r\n");
  proxied.client(client_hello("sts.amazonaws.com"));
  EXPECT_EQ(names(proxied), kSts);
}

TEST_P(HelloTest, OncePerConnection) {
  auto twice = session();
  twice.client(client_hello("sts.amazonaws.com")).client(client_hello("s3.amazonaws.com"));
  EXPECT_EQ(names(twice), kSts);
}

// Rules that scan streams, and a story told by the handshake's other side only.
TEST_P(HelloTest, BesideARawScanAndFromTheMiddle) {
  make(few_connections(), std::string(kBulletin) + "---" + std::string(kUses));
  TcpSession::Options options = elsewhere();
  options.server_port = 443;
  TcpSession middle(options);
  middle.client(client_hello("sts.amazonaws.com"));
  EXPECT_EQ(names(middle), kSts);
}

INSTANTIATE_TEST_SUITE_P(Lane, HelloTest, ::testing::Bool(),
                         [](const auto& on) { return on.param ? "with" : "without"; });

}  // namespace
}  // namespace imds::detect
