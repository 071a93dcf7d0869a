// Random and mutated traffic: the books balance whatever comes, and what is found does not depend
// on how packets fall into bursts.
#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::TcpSession;

class Traffic {
 public:
  explicit Traffic(std::uint32_t seed) : random_(seed) {}

  // Conversations of few addresses, interleaved in order, with now and then a packet lost, repeated
  // or late.
  std::vector<Given> conversations(std::size_t count) {
    std::vector<TcpSession> sessions;
    for (std::size_t i = 0; i < count; ++i) {
      sessions.push_back(conversation());
    }
    std::vector<std::size_t> next(sessions.size());
    std::vector<Given> out;
    Timestamp time{1'760'000'000 * kNanosPerSecond};
    for (std::size_t left = sessions.size(); left > 0;) {
      const std::size_t s = below(sessions.size());
      if (next[s] == sessions[s].packets().size()) {
        continue;
      }
      Given packet = given(sessions[s].packets()[next[s]++].bytes);
      left -= next[s] == sessions[s].packets().size() ? 1 : 0;
      time.ns += below(100) == 0 ? below(400) * kNanosPerSecond : 1000;
      packet.time = time;
      switch (below(40)) {
        case 0:
          break;  // lost
        case 1:
          out.push_back(packet);
          [[fallthrough]];
        default:
          out.push_back(std::move(packet));
      }
    }
    return out;
  }

  // Anything a port might deliver.
  void spoil(Given& packet) {
    Bytes& bytes = packet.bytes;
    switch (below(8)) {
      case 0:
        bytes.resize(below(bytes.size() + 1));
        break;
      case 1:
        for (std::size_t i = 0; i < 1 + below(8) && !bytes.empty(); ++i) {
          bytes[below(bytes.size())] ^= static_cast<std::uint8_t>(1u << below(8));
        }
        break;
      case 2:
        for (std::size_t i = 0; i < 8 && !bytes.empty(); ++i) {
          bytes[below(std::min<std::size_t>(bytes.size(), 60))] =
              static_cast<std::uint8_t>(random_());
        }
        break;
      case 3:
        for (std::uint8_t& byte : bytes) {
          byte = static_cast<std::uint8_t>(random_());
        }
        break;
      case 4:
        packet.original_length = static_cast<std::uint32_t>(bytes.size() + below(3000));
        break;
      case 5: {
        constexpr std::uint16_t kLinks[] = {1, 101, 113, 276, 228, 9999};
        packet.link = kLinks[below(std::size(kLinks))];
        break;
      }
      case 6:
        bytes.resize(bytes.size() + below(5000));
        break;
      default:
        break;
    }
    if (below(4) == 0) {
      packet.segment_bytes = 1 + below(200);
    }
    if (below(8) == 0) {
      packet.stripped_vlan = static_cast<std::uint16_t>(random_());
    }
  }

  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  TcpSession conversation() {
    TcpSession::Options options;
    options.client_ip = "10.0.0." + std::to_string(1 + below(4));
    options.server_ip = below(3) == 0 ? "169.254.169.254" : "203.0.113." + std::to_string(below(4));
    options.client_port = 40000 + static_cast<unsigned>(below(20));
    options.server_port = below(2) == 0 ? 80 : 8080;
    options.client_isn = static_cast<std::uint32_t>(random_());
    options.segment_size = 1 + below(400);
    if (below(5) == 0) {
      options.vlans = {10};
    }
    TcpSession session(options);
    if (below(4) != 0) {
      session.handshake();
    }
    for (std::size_t i = 0; i < 1 + below(4); ++i) {
      session.client(request());
      session.server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").client_ack();
    }
    switch (below(3)) {
      case 0:
        session.fin();
        break;
      case 1:
        session.server_rst();
        break;
      default:
        break;
    }
    return session;
  }
  std::string request() {
    switch (below(6)) {
      case 0:
        return "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
      case 1:
        return std::string(kMetadata);
      case 2:
        return "POST /form HTTP/1.1\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'f');
      case 3:
        return "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
      case 4:
        return std::string("\x16\x03\x01\x02\x00", 5) + std::string(300, '\x7f');
      default:
        return "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n";
    }
  }

  std::mt19937 random_;
};

void expect_balanced(const Rig& rig) {
  std::uint64_t malformed = 0;
  for (std::size_t r = 0; r < kDecodeReasonCount; ++r) {
    const auto reason = static_cast<DecodeReason>(r);
    malformed += describe(reason).malformed ? rig.stopped(reason) : 0;
  }
  EXPECT_EQ(rig.count(Disposition::malformed), malformed);
  EXPECT_EQ(rig.count(Disposition::fragment), rig.stopped(DecodeReason::ip_fragment));
  const detect::Counters& counted = rig.counted();
  std::uint64_t produced = 0;
  for (const Counter& type : counted.findings_produced) {
    produced += type.get();
  }
  EXPECT_EQ(produced, counted.findings_queued.get() + counted.findings_suppressed.get() +
                          counted.findings_lost.get());
}

class Random : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Random, MutatedPacketsAddUp) {
  Traffic traffic(GetParam());
  Options options = small_options();
  options.flows.flows = 64;
  options.inspector.arena.blocks = {8, 2, 1, 1};
  Rig rig(options, 16);
  for (int round = 0; round < 4; ++round) {
    ListSource source(0, static_cast<std::uint16_t>(1 + traffic.below(kBurst)));
    std::size_t sent = 0;
    for (Given& packet : traffic.conversations(60)) {
      traffic.spoil(packet);
      source.add(std::move(packet));
      ++sent;
    }
    rig.run(source);  // checks the sums after every burst
    EXPECT_EQ(source.stats().released_packets.get(), sent);
    expect_balanced(rig);
    (void)rig.take();
  }
  EXPECT_LE(rig.flows(), 64u);
  rig.worker().finish();
  EXPECT_EQ(rig.flows(), 0u);
  EXPECT_EQ(rig.worker().inspector().arena().counters().bytes_in_use.get(), 0u);
}

TEST_P(Random, BurstsDoNotMatter) {
  const std::vector<Given> packets = Traffic(GetParam()).conversations(80);
  Events expected;
  for (const std::uint16_t burst : {1, 2, 7, 64}) {
    ListSource source(0, burst);
    for (const Given& packet : packets) {
      source.add(packet);
    }
    Rig rig;
    Events found = rig.run(source).events();
    // Ageing goes on burst by burst: when an unfinished head is judged differs, what is found not.
    std::sort(found.begin(), found.end());
    if (burst == 1) {
      expected = found;
      EXPECT_GT(expected.size(), 20u);
    }
    EXPECT_EQ(found, expected) << "bursts of " << burst;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, ::testing::Range(1u, 13u));

}  // namespace
}  // namespace imds::pipeline
