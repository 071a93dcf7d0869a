// One worker: bursts of mbufs in, findings out, every packet given back to where it came from.
//
// A burst goes through these passes: receive, decode, classify, hand over, flow look-up, inspect,
// release. Each pass handles the whole burst, so that memory of the next is fetched while the
// present one works. Virtual calls happen per burst. Every packet ends in exactly one disposition:
// packets + taken_over = Σ dispositions, and after poll() none is in flight but on rings between
// workers.
//
// Fragments are copied into the defragmenter as their turn comes, and a datagram that becomes
// complete is inspected then; it is no packet, and counts in no disposition. Tunnels inside it, and
// why it could not be decoded, are counted where those of packets are.
//
// Threads: poll(), run() and finish() belong to one thread (an lcore, or any thread in --read);
// counters may be read by anyone. After create() nothing allocates. finish() takes what other
// workers have given, so they must all have stopped before.
// Limits: packets longer than kLongestPacket are inspected up to there, marked truncated, and
// counted as anomaly segments_too_many.
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
#include "flow/defragmenter.h"
#include "flow/key.h"
#include "flow/table.h"
#include "packet/decode.h"
#include "packet/view.h"
#include "pipeline/handover.h"
#include "port/source.h"

struct rte_mbuf;

namespace imds::pipeline {

inline constexpr std::uint16_t kBurst = 64;
inline constexpr std::size_t kLongestPacket = 65600;
// Room for it, or for a datagram from another worker.
inline constexpr std::size_t kSlotBytes =
    sizeof(DatagramNote) + flow::kLongestFragmentHeader + flow::kLongestDatagram + 1;
static_assert(kSlotBytes >= kLongestPacket);

struct WorkerCounters {
  Counter packets;
  Counter bytes;
  std::array<Counter, kDispositionCount> dispositions;
  std::array<Counter, kDecodeReasonCount> decode_stopped;  // by reason; `none` stays 0
  std::array<Counter, kDecodeReasonCount> anomalies;       // decoded, but not as it should be
  std::array<Counter, kTunnelKindCount> tunnels;           // encapsulations peeled; `none` stays 0
  // Given by other workers: in the dispositions, not in `packets`. Those given to others have the
  // disposition handed_over.
  Counter taken_over;
  // Datagrams made of fragments: inspected here, given to their owner, got as an owner (these are
  // among `datagrams` too). Second readings count apart.
  Counter datagrams;
  Counter datagrams_given;
  Counter datagrams_taken;
  Counter handover_refused;  // the owner's ring was full, or the pool empty: inspected here
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
  bool verify_checksums = false;  // packets with a wrong one are malformed, as for their receiver
  flow::DefragmenterOptions fragments;  // on_lost is the worker's
  unsigned index = 0;                   // of this worker among those of `handover`
  Handover* handover = nullptr;         // must outlive the worker; none: it is the only one
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
  [[nodiscard]] const flow::Defragmenter& defragmenter() const { return defragmenter_; }
  [[nodiscard]] const detect::Inspector& inspector() const { return *inspector_; }

 private:
  Worker(const Options& options, std::unique_ptr<detect::Inspector> inspector,
         const classify::Classifier& classifier);

  // worker.cc: the passes, and flows.
  [[nodiscard]] std::uint64_t decode_pass(std::uint16_t count);
  void count_tunnels(const TunnelPath& path, std::size_t first);
  void classify_pass(std::uint16_t count, std::uint16_t ingress_port);
  void classify_one(std::uint16_t i, std::uint16_t ingress_port);
  void handover_pass(std::uint16_t count, std::uint16_t ingress_port);
  void flow_pass(std::uint16_t count);
  void inspect_pass(std::uint16_t count);
  [[nodiscard]] ByteSpan contiguous(const rte_mbuf* packet, std::uint16_t slot);
  [[nodiscard]] static bool needs_flow(const packet::PacketView& view,
                                       const detect::PacketContext& context);
  [[nodiscard]] Disposition inspect(const detect::PacketContext& context, const flow::Key& key,
                                    std::uint64_t hash, flow::Direction direction);
  void age(flow::Seconds now, std::uint32_t budget);
  void give_up_waiting(Timestamp now);
  [[nodiscard]] detect::PacketContext context_of(const packet::PacketView& view,
                                                 const detect::FlowState& state) const;
  void end_flow(FlowTable::Entry& entry);
  void update_timeout(FlowTable::Entry& entry) const;

  // fragments.cc: fragments, datagrams, and what belongs to other workers. `depth`: reassembled
  // datagrams around the packet.
  [[nodiscard]] flow::DefragmenterOptions fragment_options(const Options& options);
  [[nodiscard]] detect::PacketContext context_of(const packet::PacketView& view,
                                                 std::uint16_t ingress_port) const;
  void fragment(const detect::PacketContext& context, unsigned depth);
  void datagram(ByteSpan bytes, const detect::PacketContext& fragment_context, bool second_reading,
                unsigned depth);
  void count_inside(const packet::PacketView& view, const packet::PacketView& made_of);
  void inspect_datagram(const detect::PacketContext& context);
  void lost_datagram(const packet::PacketView& view, ByteSpan bytes, std::uint16_t ingress_port);
  [[nodiscard]] bool give_packet(std::uint16_t i, std::uint16_t ingress_port);
  [[nodiscard]] bool give_datagram(ByteSpan bytes, const packet::PacketView& made_of,
                                   const detect::PacketContext& context);
  [[nodiscard]] std::uint32_t take_over();
  void pass_taken(std::uint16_t count);
  void take_datagram(const rte_mbuf* mbuf);

  flow::KeyOptions key_options_;
  flow::Timeouts timeouts_;
  bool verify_checksums_;
  packet::DecodeOptions decode_options_;
  unsigned index_;
  Handover* handover_;
  bool finishing_ = false;
  std::unique_ptr<detect::Inspector> inspector_;
  const classify::Classifier& classifier_;
  FlowTable flows_;
  flow::Defragmenter defragmenter_;
  std::array<flow::ReadingBuffers, flow::kMaxFragmentDepth> reading_buffers_;
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
  std::array<bool, kBurst> given_{};  // another worker has it
  std::vector<std::uint8_t> linear_;  // kBurst slots for packets in several segments
};

}  // namespace imds::pipeline
