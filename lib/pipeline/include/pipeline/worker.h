// One worker: bursts of mbufs in, findings out, every packet given back to where it came from.
//
// A burst goes through six passes: receive, decode, classify, flow look-up, inspect, release.
// Each pass handles the whole burst, so that memory of the next is fetched while the present one
// works. Virtual calls happen per burst. Every packet ends in exactly one disposition:
// packets = Σ dispositions, and after poll() none is in flight.
//
// Threads: poll(), run() and finish() belong to one thread (an lcore, or any thread in --read);
// counters may be read by anyone. After create() nothing allocates.
// Limits: packets longer than kLongestPacket are inspected up to there, and marked truncated.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/reasons.h"
#include "base/result.h"
#include "base/tunnel.h"
#include "classify/classifier.h"
#include "classify/suppression.h"
#include "classify/vlan_census.h"
#include "detect/inspector.h"
#include "flow/clock.h"
#include "flow/key.h"
#include "flow/table.h"
#include "packet/decode.h"
#include "packet/view.h"
#include "port/source.h"

struct rte_mbuf;

namespace imds::pipeline {

inline constexpr std::uint16_t kBurst = 64;
inline constexpr std::size_t kLongestPacket = 65600;

struct WorkerCounters {
  Counter packets;
  Counter bytes;
  std::array<Counter, kDispositionCount> dispositions;
  std::array<Counter, kDecodeReasonCount> decode_stopped;  // by reason; `none` stays 0
  std::array<Counter, kDecodeReasonCount> anomalies;       // decoded, but not as it should be
  std::array<Counter, kTunnelKindCount> tunnels;           // encapsulations peeled; `none` stays 0
  // Of run(), in TSC cycles.
  Counter run_cycles;
  Counter busy_cycles;          // of loops that found packets
  Counter longest_loop_cycles;  // the longest time between two polls
};

struct Options {
  packet::DecodeOptions decode;
  detect::Options inspector;
  flow::TableOptions flows;
  flow::KeyOptions key;
  flow::Timeouts timeouts;
};

// On cache lines of its own: another worker's counters may lie next to it.
class alignas(kCacheLine) Worker {
 public:
  using FlowTable = flow::Table<detect::FlowState>;

  // `classifier`, `suppressions` and `findings` must outlive the worker. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<Worker>> create(
      const Options& options, std::shared_ptr<const rules::RuleSet> rules,
      const classify::Classifier& classifier, const classify::SuppressionSet& suppressions,
      detect::FindingRing& findings);

  // Takes one burst from each source, in turn. Returns how many packets came.
  std::uint32_t poll(std::span<port::Source* const> sources);

  // Polls until `stop`, on a clock of its own for flow ageing while nothing arrives.
  void run(std::span<port::Source* const> sources, const std::atomic<bool>& stop);

  // Ends every flow, so that what only an ending tells is counted and judged.
  void finish();

  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }
  [[nodiscard]] const classify::VlanCensus& vlans() const { return vlans_; }
  [[nodiscard]] const FlowTable& flows() const { return flows_; }
  [[nodiscard]] const detect::Inspector& inspector() const { return *inspector_; }

 private:
  Worker(const Options& options, std::unique_ptr<detect::Inspector> inspector,
         const classify::Classifier& classifier);

  void decode_pass(std::uint16_t count);
  void count_tunnels(const TunnelPath& path);
  void classify_pass(std::uint16_t count, std::uint16_t ingress_port);
  void flow_pass(std::uint16_t count);
  void inspect_pass(std::uint16_t count);
  [[nodiscard]] ByteSpan contiguous(const rte_mbuf* packet, std::uint16_t slot);
  [[nodiscard]] Disposition inspect_one(std::uint16_t i);
  void age(flow::Seconds now, std::uint32_t budget);
  void give_up_waiting(Timestamp now);
  [[nodiscard]] detect::PacketContext context_of(const packet::PacketView& view,
                                                 const detect::FlowState& state) const;
  void end_flow(FlowTable::Entry& entry);
  void update_timeout(FlowTable::Entry& entry) const;

  packet::DecodeOptions decode_options_;
  flow::KeyOptions key_options_;
  flow::Timeouts timeouts_;
  std::unique_ptr<detect::Inspector> inspector_;
  const classify::Classifier& classifier_;
  FlowTable flows_;
  flow::CoarseClock clock_;
  classify::VlanCensus vlans_;
  WorkerCounters counters_;

  // One burst.
  std::array<rte_mbuf*, kBurst> burst_{};
  std::array<packet::PacketView, kBurst> views_{};
  std::array<detect::PacketContext, kBurst> contexts_{};
  std::array<flow::Key, kBurst> keys_{};
  std::array<std::uint64_t, kBurst> hashes_{};
  std::array<flow::Direction, kBurst> directions_{};
  std::array<bool, kBurst> keyed_{};
  std::vector<std::uint8_t> linear_;  // kBurst slots for packets in several segments
};

}  // namespace imds::pipeline
