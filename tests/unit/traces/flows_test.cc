// flows-N: what a replay makes of it, loop by loop.
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/address.h"
#include "read_frame.h"
#include "traces/trace.h"

namespace imds::traces {
namespace {

constexpr unsigned kFin = 0x01;
constexpr unsigned kSyn = 0x02;
constexpr unsigned kAck = 0x10;

struct Segment {
  std::uint32_t client = 0;
  unsigned port = 0;
  bool from_client = true;
  unsigned flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t end = 0;
};

std::uint32_t v4(const std::string& address) {
  return get32(Frame(reinterpret_cast<const std::uint8_t*>(address.data()), 4), 0);
}

// A trace's opaque connections.
std::vector<Segment> segments_of(const Profile& profile, std::uint64_t packets, Summary& summary) {
  std::vector<Segment> out;
  summary = generate(profile, packets, 3, [&](Timestamp, const support::Bytes& frame) {
    const auto read = read_frame(frame);
    ASSERT_TRUE(read);
    if (!read->has_port(443)) {
      return;
    }
    Segment s;
    s.from_client = read->destination_port == 443;
    s.client = v4(s.from_client ? read->source : read->destination);
    s.port = s.from_client ? read->source_port : read->destination_port;
    s.flags = read->flags;
    s.sequence = read->sequence;
    s.end = read->sequence + static_cast<std::uint32_t>(read->payload) +
            ((read->flags & (kSyn | kFin)) != 0 ? 1 : 0);
    out.push_back(s);
  });
  return out;
}

TEST(Rewrite, CountsUpInsideThePrefix) {
  Rewrite rewrite;
  EXPECT_TRUE(rewrite.is_none());
  EXPECT_EQ(rewrite.variants(), 1u);
  rewrite.clients = *IpPrefix::parse("10.0.0.0/8");
  rewrite.step = 8192;
  EXPECT_EQ(rewrite.variants(), 2048u);
  EXPECT_EQ(rewrite.address_in_loop(0x0a000005, 0), 0x0a000005u);
  EXPECT_EQ(rewrite.address_in_loop(0x0a000005, 3), 0x0a006005u);
  EXPECT_EQ(rewrite.address_in_loop(0x0affe005, 1), 0x0a000005u) << "wraps round";
  EXPECT_EQ(rewrite.address_in_loop(0x0a000005, 2048), 0x0a000005u);
}

TEST(FlowsNames, AnyNumber) {
  EXPECT_EQ(find_profile("flows-10k")->flows, 10'000u);
  EXPECT_EQ(find_profile("flows-10M")->flows, 10'000'000u);
  EXPECT_EQ(find_profile("flows-12345")->flows, 12'345u);
  EXPECT_EQ(find_profile("flows-12345")->name, "flows-12345");
  EXPECT_EQ(find_profile("flows-100M")->flows, 100'000'000u);
  for (const char* bad : {"flows-", "flows-0", "flows-k", "flows--1", "flows-101M", "flows-1G",
                          "flows-99999999999999999999", "flows-1.5k", "flow-1k"}) {
    EXPECT_FALSE(find_profile(bad)) << bad;
  }
}

// Plays loops as a replay does, and follows every connection.
void expect_n_flows_alive(std::string_view name, std::uint64_t packets, std::uint64_t generations) {
  const Profile profile = *find_profile(name);
  Summary summary;
  const std::vector<Segment> loop = segments_of(profile, packets, summary);
  ASSERT_EQ(summary.loops_to_fill, generations);
  EXPECT_GE(summary.concurrent, profile.flows);
  EXPECT_LT(summary.concurrent, profile.flows + generations);

  struct Stream {
    std::uint32_t next[2] = {0, 0};
    bool is_known[2] = {false, false};
    bool is_ended = false;  // by the server, which comes second
  };
  std::map<std::pair<std::uint32_t, unsigned>, Stream> alive;
  for (std::uint64_t k = 0; k < generations + 4; ++k) {
    std::uint64_t begun = 0;
    const bool is_filled = k >= generations;
    for (const Segment& s : loop) {
      const std::uint32_t client = profile.rewrite.address_in_loop(s.client, k);
      ASSERT_TRUE(profile.rewrite.clients.contains(IpAddress::v4(client)));
      const std::pair key{client, s.port};
      if ((s.flags & (kSyn | kAck)) == kSyn) {
        ++begun;
        ASSERT_TRUE(alive.count(key) == 0) << "its predecessor was not ended";
      }
      if (is_filled) {
        ASSERT_TRUE((s.flags & kSyn) != 0 || alive.count(key) == 1) << "not begun";
      }
      Stream& stream = alive[key];
      const std::size_t side = s.from_client ? 0 : 1;
      if (stream.is_known[side]) {
        ASSERT_EQ(s.sequence, stream.next[side]) << "loops do not continue each other";
      }
      stream.next[side] = s.end;
      stream.is_known[side] = true;
      if (!s.from_client) {
        stream.is_ended = (s.flags & kFin) != 0;
      } else if (stream.is_ended) {
        alive.erase(key);  // its last acknowledgement
      }
    }
    if (is_filled) {
      EXPECT_EQ(begun * generations, summary.concurrent) << "N / 10 in a second";
      EXPECT_NEAR(static_cast<double>(alive.size()), static_cast<double>(profile.flows),
                  0.01 * static_cast<double>(profile.flows));
    }
  }
}

TEST(Flows, FewerThanALoopHolds) {
  expect_n_flows_alive("flows-500", 60'000, 1);
}
TEST(Flows, MoreThanALoopHolds) {
  expect_n_flows_alive("flows-5k", 20'000, 5);
}

}  // namespace
}  // namespace imds::traces
