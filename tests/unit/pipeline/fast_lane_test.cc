// The fast lane saves time and decides nothing: with it and without it the same traffic gives the
// same findings in the same order, and every counter of what was seen agrees after every burst.
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dialogues.h"

namespace imds::pipeline {
namespace {

using Figures = std::vector<std::pair<std::string, std::uint64_t>>;

template <class Array>
void add_all(Figures& out, const std::string& name, const Array& counters, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out.emplace_back(name + '[' + std::to_string(i) + ']', counters[i].get());
  }
}

Figures detected(const detect::Counters& c, std::size_t ports) {
  Figures out = {{"http_heads", c.http_heads.get()},
                 {"parsed", c.http_heads_parsed.get()},
                 {"passed_over", c.http_heads_passed_over.get()},
                 {"disguised", c.http_heads_disguised.get()},
                 {"incomplete", c.http_heads_incomplete.get()},
                 {"unparsable", c.http_heads_unparsable.get()},
                 {"abandoned", c.http_heads_abandoned.get()},
                 {"http2_prefaces", c.http2_prefaces.get()},
                 {"http2_header_blocks", c.http2_header_blocks.get()},
                 {"http2_blocks_cut", c.http2_blocks_cut.get()},
                 {"http_datagrams", c.http_datagrams.get()},
                 {"proxy_preambles", c.proxy_preambles.get()},
                 {"framings_in_doubt", c.framings_in_doubt.get()},
                 {"segments_reprobed", c.segments_reprobed.get()},
                 {"stream_gaps", c.stream_gaps.get()},
                 {"stream_gap_bytes", c.stream_gap_bytes.get()},
                 {"retransmitted_bytes", c.stream_retransmitted_bytes.get()},
                 {"late_bytes", c.stream_late_bytes.get()},
                 {"segments_held", c.segments_held.get()},
                 {"holes_filled", c.holes_filled.get()},
                 {"holes_given_up", c.holes_given_up.get()},
                 {"holds_refused", c.holds_refused.get()},
                 {"overlap_conflicts", c.overlap_conflicts.get()},
                 {"overlap_unchecked", c.overlap_unchecked.get()},
                 {"out_of_window", c.segments_out_of_window.get()},
                 {"resets_ignored", c.resets_ignored.get()},
                 {"arena_exhausted", c.arena_exhausted.get()},
                 {"head_too_long", c.head_too_long.get()},
                 {"findings_queued", c.findings_queued.get()},
                 {"findings_suppressed", c.findings_suppressed.get()},
                 {"findings_lost", c.findings_lost.get()},
                 {"rule_hits_cut", c.rule_hits_cut.get()}};
  add_all(out, "http2_blind", c.http2_blind, c.http2_blind.size());
  add_all(out, "findings_produced", c.findings_produced, c.findings_produced.size());
  add_all(out, "flows_judged", c.flows_judged, ports);
  add_all(out, "flows_one_sided", c.flows_one_sided, ports);
  add_all(out, "bytes_acknowledged", c.bytes_acknowledged, ports);
  add_all(out, "bytes_unseen", c.bytes_unseen, ports);
  return out;
}

// All that must not depend on the lane.
Figures figures(Rig& rig, std::size_t ports) {
  Worker& worker = rig.worker();
  const WorkerCounters& w = worker.counters();
  const flow::TableCounters& t = worker.flows().counters();
  const flow::DefragmenterCounters& d = worker.defragmenter().counters();
  Figures out = detected(rig.counted(), ports);
  out.insert(out.end(), {{"packets", w.packets.get()},
                         {"bytes", w.bytes.get()},
                         {"datagrams", w.datagrams.get()},
                         {"flows live", t.live.get()},
                         {"flows inserted", t.inserted.get()},
                         {"flows expired", t.expired.get()},
                         {"flows evicted_idle", t.evicted_idle.get()},
                         {"flows evicted_opaque", t.evicted_opaque.get()},
                         {"flows evicted_active", t.evicted_active.get()},
                         {"flows erased", t.erased.get()},
                         {"fragments completed", d.completed.get()},
                         {"fragments timed out", d.timed_out.get()},
                         {"fragments waiting", d.waiting.get()},
                         {"arena in use", worker.inspector().arena().counters().bytes_in_use.get()},
                         {"arena peak", worker.inspector().arena().counters().bytes_peak.get()},
                         {"held", worker.inspector().held_segments().counters().segments.get()},
                         {"untagged", worker.vlans().snapshot().untagged ? 1 : 0}});
  add_all(out, "dispositions", w.dispositions, w.dispositions.size());
  add_all(out, "decode_stopped", w.decode_stopped, w.decode_stopped.size());
  add_all(out, "anomalies", w.anomalies, w.anomalies.size());
  add_all(out, "tunnels", w.tunnels, w.tunnels.size());
  const auto vlans = worker.vlans().snapshot();
  for (std::size_t id = 0; id < vlans.ids.size(); ++id) {
    if (vlans.ids[id]) {
      out.emplace_back("vlan " + std::to_string(id), 1);
    }
  }
  return out;
}

// Everything a finding says.
std::string told(const event::Finding& f) {
  std::ostringstream out;
  out << f.time.ns << ' ' << event::name(f.type) << " #" << f.ordinal << (f.is_test ? " test" : "");
  for (std::size_t i = 0; i < f.rule_count; ++i) {
    out << " r" << f.rules[i];
  }
  out << ' ' << f.source.ip.to_string() << ':' << f.source.port << " > "
      << f.destination.ip.to_string() << ':' << f.destination.port << '/' << int{f.ip_protocol};
  for (std::size_t i = 0; i < f.vlan_count; ++i) {
    out << " vlan" << f.vlans[i];
  }
  out << " v" << int{f.visibility} << " p" << f.ingress_port << " t" << int{f.tunnel.path.count}
      << ' ' << f.endpoint.view() << ' ' << f.method.view() << ' ' << f.target.view() << ' '
      << f.path.view() << ' ' << f.domain.view() << ' ' << f.user_agent.view() << ' '
      << f.http_version.view();
  return out.str();
}
std::vector<std::string> told(const std::vector<event::Finding>& findings) {
  std::vector<std::string> out;
  for (const event::Finding& finding : findings) {
    out.push_back(told(finding));
  }
  return out;
}

// The same worker with the lane and without.
class Both {
 public:
  explicit Both(Options options) : ports_(options.inspector.ports) {
    options.fast_lane = true;
    lane_ = std::make_unique<Rig>(options, kRing);
    options.fast_lane = false;
    reference_ = std::make_unique<Rig>(options, kRing);
  }

  // Both take the packets in bursts of the sizes that `burst` gives; false after a difference.
  template <class Burst>
  [[nodiscard]] bool run(const std::vector<Given>& packets, Burst&& burst) {
    ListSource first;
    ListSource second;
    for (const Given& packet : packets) {
      first.add(packet);
      second.add(packet);
    }
    port::Source* const first_sources[] = {&first};
    port::Source* const second_sources[] = {&second};
    for (std::size_t at = 0; !first.exhausted();) {
      const auto size = static_cast<std::uint16_t>(burst());
      first.set_largest_burst(size);
      second.set_largest_burst(size);
      lane_->worker().poll(first_sources);
      reference_->worker().poll(second_sources);
      if (!agree("packets " + std::to_string(at) + " to " + std::to_string(at + size))) {
        return false;
      }
      at += size;
    }
    return true;
  }
  [[nodiscard]] bool finish() {
    lane_->worker().finish();
    reference_->worker().finish();
    return agree("the end");
  }
  [[nodiscard]] bool agree(const std::string& where) {
    const auto found = told(lane_->take());
    found_ += found.size();
    EXPECT_EQ(found, told(reference_->take())) << where;
    const Figures ours = figures(*lane_, ports_);
    const Figures theirs = figures(*reference_, ports_);
    EXPECT_EQ(ours.size(), theirs.size()) << where;
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
      EXPECT_EQ(ours[i], theirs[i]) << where;
    }
    return !::testing::Test::HasFailure();
  }
  [[nodiscard]] std::uint64_t passed() const {
    return lane_->worker().counters().lane_packets.get();
  }
  [[nodiscard]] std::size_t found() const { return found_; }
  [[nodiscard]] Rig& lane() { return *lane_; }
  [[nodiscard]] Rig& reference() { return *reference_; }

 private:
  static constexpr std::size_t kRing = 1u << 13;
  std::size_t ports_;
  std::unique_ptr<Rig> lane_;
  std::unique_ptr<Rig> reference_;
  std::size_t found_ = 0;
};

// Tables of all sizes, down to one flow that every other evicts; caps that are met in mid-segment.
Options some_options(Dialogues& traffic) {
  constexpr std::array<std::uint32_t, 5> kFlows = {1, 4, 16, 100, 4096};
  constexpr std::array<std::uint32_t, 5> kRawBytes = {0, 1, 40, 300, 4096};
  Options options = small_options();
  options.flows.flows = kFlows[traffic.below(kFlows.size())];
  options.inspector.raw_scan_bytes = kRawBytes[traffic.below(kRawBytes.size())];
  options.key.vlan = traffic.below(3) != 0;
  options.inspector.ports = traffic.below(2);
  if (traffic.below(4) == 0) {
    options.inspector.arena.blocks = {2, 1, 1, 1};
  }
  return options;
}

class FastLane : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(FastLane, ChangesNothing) {
  Dialogues traffic(GetParam());
  Both both(some_options(traffic));
  const std::vector<Given> packets = traffic.packets(60);
  ASSERT_TRUE(both.run(
      packets,
      [&] { return traffic.below(3) == 0 ? 1 + traffic.below(kBurst) : std::size_t{kBurst}; }))
      << packets.size() << " packets";
  ASSERT_TRUE(both.finish());
  EXPECT_GT(both.found(), 0u);
  EXPECT_GT(both.passed(), 0u);
  EXPECT_EQ(both.reference().worker().counters().lane_packets.get(), 0u);
  RecordProperty("packets", static_cast<int>(packets.size()));
  RecordProperty("passed", static_cast<int>(both.passed()));
}

// A packet that comes as fragments which stay incomplete counts for its flow, too: it may be the
// one that lets the flow be judged as one-sided.
TEST(FastLaneTest, LostFragmentsCountForTheirFlow) {
  for (unsigned before = 14; before < 17; ++before) {
    Options options = small_options();
    options.fragments.timeout = 1;
    Both both(options);
    support::TcpSession session;
    session.handshake().client("\x01 opaque").client_ack();
    while (session.packets().size() < before) {
      session.client_ack();
    }
    std::vector<Given> packets;
    const auto add = [&](const support::Bytes& bytes, Timestamp time) {
      packets.push_back(given(bytes));
      packets.back().time = time;
    };
    for (const support::TimedPacket& packet : session.packets()) {
      if (packet.bytes[26 + 3] == 1) {  // the client's side only
        add(packet.bytes, packet.time);
      }
    }
    const auto pieces = support::fragments_of(session.packets()[3].bytes, 24, 9);
    Timestamp time{session.packets().back().time.ns + 1000};
    add(pieces[0], time);
    time.ns += 5 * kNanosPerSecond;
    for (std::size_t i = 0; i < 6; ++i) {
      time.ns += 1'000'000;
      add(session.packets().back().bytes, time);
    }
    ASSERT_TRUE(both.run(packets, [] { return std::size_t{1}; })) << before;
    ASSERT_TRUE(both.finish());
  }
}

// A connection that carries nothing passes as a whole, but not if its end says more than that.
TEST(FastLaneTest, TakesBeginningsAndEndsThatNobodyWatches) {
  const auto passed = [](const char* server, unsigned end_flags, std::uint32_t ahead) {
    Both both(small_options());
    support::TcpSession::Options ends;
    ends.server_ip = server;
    support::TcpSession session(ends);
    session.handshake();
    session.segment(true, session.client_sequence() + ahead, end_flags, {});
    std::vector<Given> packets;
    for (const support::TimedPacket& packet : session.packets()) {
      packets.push_back(given(packet.bytes));
      packets.back().time = packet.time;
    }
    EXPECT_TRUE(both.run(packets, [] { return std::size_t{1}; }));
    EXPECT_TRUE(both.finish());
    return both.passed();
  };
  constexpr unsigned kFinAck = support::kFin | support::kAck;
  EXPECT_EQ(passed("198.51.100.7", kFinAck, 0), 4u);
  EXPECT_EQ(passed("198.51.100.7", kFinAck, 1), 3u) << "bytes before the end are missing";
  EXPECT_EQ(passed("198.51.100.7", kFinAck | support::kRst, 0), 3u);
  EXPECT_EQ(passed("169.254.169.254", kFinAck, 0), 1u) << "only the handshake's last";
}

INSTANTIATE_TEST_SUITE_P(Seeds, FastLane, ::testing::Range(1u, 41u));

}  // namespace
}  // namespace imds::pipeline
