#include "traces/trace.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/address.h"
#include "read_frame.h"

namespace imds::traces {
namespace {

constexpr unsigned kFin = 0x01;
constexpr unsigned kSyn = 0x02;

Profile profile_of(std::string_view name) {
  auto found = find_profile(name);
  EXPECT_TRUE(found) << name;
  return found.value_or(Profile{});
}

Summary each(std::string_view name, std::uint64_t packets,
             const std::function<void(Timestamp, const support::Bytes&)>& use,
             std::uint64_t seed = 1) {
  return generate(profile_of(name), packets, seed, use);
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Profile& profile : profiles()) {
    out.push_back(profile.name);
  }
  return out;
}

// Of everything a trace consists of (FNV-1a, 64 bits).
std::uint64_t fingerprint(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  each(
      name, 2000,
      [&](Timestamp time, const support::Bytes& frame) {
        std::for_each(frame.begin(), frame.end(), take);
        for (unsigned shift = 0; shift < 64; shift += 8) {
          take(static_cast<std::uint8_t>(static_cast<std::uint64_t>(time.ns) >> shift));
        }
      },
      seed);
  return hash;
}

class EveryProfile : public testing::TestWithParam<std::string> {};

TEST_P(EveryProfile, SameSeedSamePackets) {
  EXPECT_EQ(fingerprint(GetParam(), 7), fingerprint(GetParam(), 7));
  EXPECT_NE(fingerprint(GetParam(), 7), fingerprint(GetParam(), 8));
}

TEST_P(EveryProfile, SummaryIsWhatWasHandedOut) {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  Timestamp last{0};
  // Long enough for something that alerts, also beside an elephant.
  const std::uint64_t wanted = GetParam() == "elephant" ? 60'000 : 3000;
  const Summary summary =
      each(GetParam(), wanted, [&](Timestamp time, const support::Bytes& frame) {
        ++packets;
        bytes += frame.size();
        EXPECT_GE(frame.size(), 60u);
        EXPECT_GE(time, last);
        last = time;
      });
  EXPECT_EQ(summary.packets, packets);
  EXPECT_EQ(summary.bytes, bytes);
  EXPECT_GT(summary.alerts.total(), 0u);
  std::uint64_t by_event = 0;
  for (const auto& [event, count] : summary.alerts.by_event) {
    by_event += count;
  }
  EXPECT_EQ(summary.alerts.total(), by_event);
}

// Those that read_frame() understands: hostile has fragments and other tunnels. The inspector reads
// it in tests/e2e.
class PlainProfile : public EveryProfile {};

TEST_P(PlainProfile, HeadersAndChecksumsAreRight) {
  each(GetParam(), 6000, [&](Timestamp, const support::Bytes& frame) {
    const auto read = read_frame(frame);
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->has_right_checksums);
  });
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
std::vector<std::string> plain_names() {
  std::vector<std::string> out = names();
  out.erase(std::remove(out.begin(), out.end(), "hostile"), out.end());
  return out;
}
INSTANTIATE_TEST_SUITE_P(Traces, EveryProfile, testing::ValuesIn(names()), name_of);
INSTANTIATE_TEST_SUITE_P(Traces, PlainProfile, testing::ValuesIn(plain_names()), name_of);

// Whatever compiled the generator. A change here makes other traces of the same names, with which
// figures measured before cannot be compared.
TEST(Profiles, SamePacketsWithEveryCompiler) {
  constexpr std::pair<std::string_view, std::uint64_t> kKnown[] = {
      {"mix", 0xfbf5a28b8c4eb987},       {"mix-vlan", 0x55846424f99ea7e6},
      {"mix-vxlan", 0x3873bdfe87a86074}, {"imix", 0xa2f750e318989e36},
      {"small", 0x855de58bc5cf4eda},     {"http", 0x565d625d9648c94b},
      {"imds", 0x12acd6c628872d34},      {"exchanges", 0x7313907a994e5274},
      {"hostile", 0x1a2a4b1ed7571b5c},   {"elephant", 0x1fbc595a24e47c0d},
      {"flows-10k", 0x1578b6e5303e6335},
  };
  for (const auto& [name, known] : kKnown) {
    EXPECT_EQ(fingerprint(name, 1), known) << name;
  }
}

TEST(Profiles, Names) {
  EXPECT_THAT(names(), testing::IsSupersetOf({"mix", "imix", "small", "http", "imds", "exchanges",
                                              "hostile", "elephant", "mix-vlan", "mix-vxlan",
                                              "flows-10k", "flows-1M", "flows-10M"}));
  EXPECT_EQ(profile_of("vlan").name, "mix-vlan");
  EXPECT_EQ(profile_of("vxlan").name, "mix-vxlan");
  EXPECT_FALSE(find_profile("mixed"));
  EXPECT_FALSE(find_profile(""));
}

// Streams have no holes but where the profile says so.
void expect_whole_streams(std::string_view name, std::uint64_t packets) {
  std::map<ReadFrame::Flow, std::map<std::string, std::uint32_t>> next;
  std::map<ReadFrame::Flow, unsigned> ends;
  each(name, packets, [&](Timestamp, const support::Bytes& frame) {
    const auto read = read_frame(frame);
    ASSERT_TRUE(read);
    if (read->protocol != 6) {
      return;
    }
    auto& sides = next[read->flow()];
    const auto side = sides.find(read->source);
    if ((read->flags & kSyn) != 0) {
      ASSERT_EQ(side, sides.end()) << "a second handshake";
    } else {
      ASSERT_NE(side, sides.end()) << "no handshake";
      ASSERT_EQ(read->sequence, side->second);
    }
    const bool counts = (read->flags & (kSyn | kFin)) != 0;
    sides[read->source] =
        read->sequence + static_cast<std::uint32_t>(read->payload) + (counts ? 1 : 0);
    ends[read->flow()] += (read->flags & kFin) != 0 ? 1 : 0;
  });
  for (const auto& [flow, fins] : ends) {
    EXPECT_EQ(fins, next[flow].size()) << "not brought to its end";
  }
}

TEST(Mix, StreamsAreWhole) {
  expect_whole_streams("mix", 20'000);
}
TEST(Mix, StreamsInTunnelsAreWhole) {
  expect_whole_streams("mix-vxlan", 20'000);
}
TEST(Imix, StreamsAreWhole) {
  expect_whole_streams("imix", 20'000);
}
TEST(Small, StreamsAreWhole) {
  expect_whole_streams("small", 20'000);
}
TEST(Http, StreamsAreWhole) {
  expect_whole_streams("http", 20'000);
}
TEST(Imds, StreamsAreWhole) {
  expect_whole_streams("imds", 20'000);
}
TEST(Exchanges, StreamsAreWhole) {
  expect_whole_streams("exchanges", 20'000);
}
TEST(Elephant, StreamsAreWhole) {
  expect_whole_streams("elephant", 20'000);
}

// What the whole mix must be: shares by bytes, size of packets, flows at once.
TEST(Mix, SharesAndInterleaving) {
  struct Span {
    std::uint64_t first;
    std::uint64_t last;
  };
  const auto endpoint4 = IpAddress::parse("169.254.169.254");
  const auto endpoint6 = IpAddress::parse("fd00:ec2::254");
  const auto is_endpoint = [&](const std::string& address) {
    const IpAddress& endpoint = address.size() == 4 ? *endpoint4 : *endpoint6;
    return std::equal(address.begin(), address.end(), endpoint.bytes.begin(),
                      [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
  };
  double tls = 0;
  double http = 0;
  double udp = 0;
  double imds = 0;
  std::unordered_map<ReadFrame::Flow, Span> spans;
  std::uint64_t number = 0;
  std::uint64_t switches = 0;
  ReadFrame::Flow before = 0;
  const Summary summary =
      each("mix", profile_of("mix").packets, [&](Timestamp, const support::Bytes& frame) {
        const auto read = read_frame(frame);
        ASSERT_TRUE(read);
        const bool is_imds =
            is_endpoint(read->source) || is_endpoint(read->destination) || read->has_port(8000);
        double& share = is_imds                ? imds
                        : read->protocol == 17 ? udp
                        : read->has_port(443)  ? tls
                                               : http;
        share += static_cast<double>(frame.size());
        const ReadFrame::Flow flow = read->flow();
        spans.try_emplace(flow, Span{number, number}).first->second.last = number;
        switches += flow != before ? 1 : 0;
        before = flow;
        ++number;
      });
  const auto whole = static_cast<double>(summary.bytes);
  EXPECT_NEAR(tls / whole, 0.60, 0.01);
  EXPECT_NEAR(http / whole, 0.30, 0.01);
  EXPECT_NEAR(udp / whole, 0.09, 0.005);
  EXPECT_NEAR(imds / whole, 0.01, 0.002);
  EXPECT_NEAR(whole / static_cast<double>(summary.packets), 900, 50);
  EXPECT_EQ(summary.flows, spans.size());

  std::map<std::uint64_t, std::int64_t> changes;
  for (const auto& [flow, span] : spans) {
    ++changes[span.first];
    --changes[span.last + 1];
  }
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const auto& [at, change] : changes) {
    now += change;
    most = std::max(most, now);
  }
  // Some conversations have begun, and sent nothing yet, when others end.
  EXPECT_GT(most, 19'000);
  EXPECT_LE(most, 20'000);
  EXPECT_EQ(summary.concurrent, 20'000u);
  EXPECT_GT(switches * 3, summary.packets) << "runs of one flow are short";
}

TEST(Mix, FewerPacketsFewerFlowsAtOnce) {
  const auto nothing = [](Timestamp, const support::Bytes&) {};
  const Summary summary = each("mix", 13'107, nothing);
  EXPECT_NEAR(static_cast<double>(summary.packets), 13'107, 300);
  EXPECT_NEAR(static_cast<double>(summary.concurrent), 200, 2);
}

TEST(MixVlan, OneTagOrTwo) {
  std::map<std::size_t, std::uint64_t> tags;
  each("mix-vlan", 10'000,
       [&](Timestamp, const support::Bytes& frame) { ++tags[read_frame(frame)->vlans]; });
  EXPECT_EQ(tags.size(), 2u);
  EXPECT_GT(tags[1], 3000u);
  EXPECT_GT(tags[2], 3000u);
}

TEST(MixVxlan, EveryPacketIsInside) {
  each("mix-vxlan", 5000, [&](Timestamp, const support::Bytes& frame) {
    EXPECT_TRUE(read_frame(frame)->is_vxlan);
    EXPECT_LE(frame.size(), 1514u) << "the underlay need not take longer frames";
  });
}

TEST(Imix, SevenToFourToOne) {
  std::map<std::size_t, std::uint64_t> sizes;
  each("imix", 100'000, [&](Timestamp, const support::Bytes& frame) { ++sizes[frame.size()]; });
  const std::uint64_t groups = sizes[1514];
  EXPECT_GT(groups, 8000u);
  // The rest is the handful of interest.
  EXPECT_NEAR(static_cast<double>(sizes[566]), 4.0 * static_cast<double>(groups), 10);
  EXPECT_NEAR(static_cast<double>(sizes[60]), 7.0 * static_cast<double>(groups), 100);
}

TEST(Small, SmallestFrames) {
  std::uint64_t others = 0;
  const Summary summary = each("small", 100'000, [&](Timestamp, const support::Bytes& frame) {
    others += frame.size() != 60 ? 1 : 0;
  });
  EXPECT_LT(others * 200, summary.packets);
}

TEST(Http, EveryPacketOfTheClientIsAHead) {
  std::uint64_t requests = 0;
  std::uint64_t with_payload = 0;
  std::uint64_t all = 0;
  each("http", 20'000, [&](Timestamp, const support::Bytes& frame) {
    const auto read = read_frame(frame);
    ++all;
    if (read->payload != 0) {
      ++with_payload;
      const std::string payload(frame.end() - static_cast<std::ptrdiff_t>(read->payload),
                                frame.end());
      requests += payload.find(" HTTP/1.1\r\n") != std::string::npos &&
                          payload.find("\r\n\r\n") != std::string::npos
                      ? 1
                      : 0;
    }
  });
  EXPECT_GT(static_cast<double>(requests), 0.98 * static_cast<double>(with_payload));
  EXPECT_GT(static_cast<double>(requests), 0.8 * static_cast<double>(all));
}

TEST(Elephant, OneFlowCarriesNearlyAll) {
  std::map<ReadFrame::Flow, std::uint64_t> packets;
  const Summary summary = each("elephant", 50'000, [&](Timestamp, const support::Bytes& frame) {
    ++packets[read_frame(frame)->flow()];
  });
  std::uint64_t most = 0;
  for (const auto& [flow, count] : packets) {
    most = std::max(most, count);
  }
  EXPECT_NEAR(static_cast<double>(most) / static_cast<double>(summary.packets), 0.95, 0.01);
  EXPECT_GT(packets.size(), 10u);
}

}  // namespace
}  // namespace imds::traces
