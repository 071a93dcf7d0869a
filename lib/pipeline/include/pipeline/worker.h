// One worker: bursts of mbufs in, findings out, every packet given back to where it came from.
//
// A burst goes through these passes: receive, decode, classify, hand over, flow look-up, inspect,
// release. Each pass handles the whole burst, so that memory of the next is fetched while the
// present one works. Ordinary packets are decoded the short way, and in the last pass the fast lane
// takes what belongs to a flow that has nothing to tell; only what it declines is decoded whole.
// Virtual calls happen per burst. Every packet ends in exactly one disposition: packets +
// taken_over = Σ dispositions, and after poll() none is in flight but on rings between workers.
//
// Fragments are copied into the defragmenter as their turn comes, and a datagram that becomes
// complete is inspected then; it is no packet, and counts in no disposition. Tunnels inside it, and
// why it could not be decoded, are counted where those of packets are.
//
// Between two bursts it takes the policy in force, should a reload have replaced it: every packet
// is judged by one policy, whole.
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

#include "base/counter.h"
#include "base/reasons.h"
#include "base/result.h"
#include "base/tunnel.h"
#include "classify/classifier.h"
#include "classify/vlan_census.h"
#include "detect/inspector.h"
#include "exhibit/recorder.h"
#include "flow/clock.h"
#include "flow/defragmenter.h"
#include "flow/key.h"
#include "flow/table.h"
#include "packet/decode.h"
#include "packet/plain.h"
#include "packet/view.h"
#include "pipeline/handover.h"
#include "pipeline/largest_flow.h"
#include "pipeline/policy_switch.h"
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
  Counter lane_packets;  // that the fast lane took, or that needed no flow; in the dispositions
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
  // Policies taken after the first, and what that took in TSC cycles: in all, and at longest.
  Counter policies_taken;
  Counter taking_cycles;
  Counter longest_taking_cycles;
};

// TSC cycles spent in each pass of poll(), summed over bursts. `flow` is keys and look-up ahead,
// `inspect` the flows' own look-up and everything behind it, `act` the packets' release and the
// ageing of flows. Polls that found nothing count as `receive`.
struct PassCycles {
  std::uint64_t receive = 0;
  std::uint64_t decode = 0;
  std::uint64_t classify = 0;
  std::uint64_t flow = 0;
  std::uint64_t inspect = 0;
  std::uint64_t act = 0;
};

struct Options {
  packet::DecodeOptions decode;
  detect::Options inspector;
  flow::TableOptions flows;
  flow::KeyOptions key;
  flow::Timeouts timeouts;
  bool verify_checksums = false;  // packets with a wrong one are malformed, as for their receiver
  bool fast_lane = true;  // false: every packet is decoded whole and inspected, as a reference
  flow::DefragmenterOptions fragments;  // on_lost is the worker's
  unsigned index = 0;                   // of this worker among those of `handover`
  Handover* handover = nullptr;         // must outlive the worker; none: it is the only one
  // Of `inspector`, too: keeps the packets of what alerts, where evidence is kept.
  [[nodiscard]] exhibit::Recorder* recorder() const { return inspector.recorder; }
};

// On cache lines of its own: another worker's counters may lie next to it.
class alignas(kCacheLine) Worker {
 public:
  using FlowTable = flow::Table<detect::FlowState>;

  // `policies`, where it takes the place of `options.index`, and `findings` must outlive the
  // worker. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<Worker>> create(const Options& options,
                                                              PolicySwitch& policies,
                                                              detect::FindingRing& findings);

  // Takes one burst from each source, in turn. Returns how many packets came.
  std::uint32_t poll(std::span<port::Source* const> sources);

  // From here on poll() adds up what its passes cost, for measurements: a dozen reads of the time
  // stamp counter per burst. nullptr: no more. `out` must outlive that.
  void measure_passes(PassCycles* out) { pass_cycles_ = out; }

  // Polls until `stop`, on a clock of its own for flow ageing while nothing arrives.
  void run(std::span<port::Source* const> sources, const std::atomic<bool>& stop);

  // Ends every flow, so that what only an ending tells is counted and judged.
  void finish();

  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }
  [[nodiscard]] const classify::VlanCensus& vlans() const { return vlans_; }
  [[nodiscard]] const LargestFlow& largest_flow() const { return largest_flow_; }
  [[nodiscard]] const FlowTable& flows() const { return flows_; }
  [[nodiscard]] const flow::Defragmenter& defragmenter() const { return defragmenter_; }
  [[nodiscard]] const detect::Inspector& inspector() const { return *inspector_; }

 private:
  // How a packet of the burst goes through the passes.
  enum class Way : std::uint8_t {
    done,   // UDP that touches no watched address and is no request: needs no flow
    plain,  // TCP decoded the short way: has a key, and the fast lane is tried first
    whole,  // decoded whole: views_ and contexts_ are set
    keyed,  // the same, with a key
    given,  // the same, but another worker has it
  };
  // Packets of the burst that were not decoded whole: [1] with payload, [0] without.
  struct Tally {
    std::array<std::uint32_t, 2> without_flow{};
    std::array<std::uint32_t, 2> passed{};
  };

  Worker(const Options& options, std::unique_ptr<detect::Inspector> inspector,
         PolicySwitch& policies, const Edition& first);

  // worker.cc: the policy in force, and the passes between decoding and inspecting.
  void enter_policy();
  void classify_pass();
  void classify_one(std::uint16_t i);
  void handover_pass();
  [[nodiscard]] static bool needs_flow(const packet::PacketView& view,
                                       const detect::PacketContext& context);
  void flow_pass();
  void sample_flow(std::uint16_t count);

  // decode_pass.cc
  [[nodiscard]] std::uint64_t decode_pass(std::uint16_t count);
  [[nodiscard]] Way decode_plain(std::uint16_t i);
  [[nodiscard]] Way decode_other_plain(std::uint16_t i, ByteSpan frame);
  void begin_plain(std::uint16_t i, const packet::PlainPacket& packet, std::uint64_t hash);
  [[nodiscard]] bool needs_no_flow(const packet::PlainPacket& packet) const;
  void widen(std::uint16_t i);
  void decode_whole(std::uint16_t i);
  [[nodiscard]] ByteSpan contiguous(const rte_mbuf* packet, std::uint16_t slot);

  // inspect_pass.cc
  void inspect_pass();
  [[nodiscard]] bool passes_lane(std::uint16_t i);
  [[nodiscard]] bool passes_control(std::uint16_t i);
  [[nodiscard]] bool is_unwatched(const flow::Key& key) const;
  void inspect_whole(std::uint16_t i);
  void inspect_kept(std::uint16_t i);
  void count(Disposition disposition, std::uint64_t packets = 1);
  void note_evidence(const detect::PacketContext& context);
  void count_tunnels(const TunnelPath& path, std::size_t first);
  [[nodiscard]] Disposition inspect(const detect::PacketContext& context, const flow::Key& key,
                                    std::uint64_t hash, flow::Direction direction);
  void update_timeout(FlowTable::Entry& entry) const;

  // ageing.cc
  [[nodiscard]] std::uint32_t ageing_due(Timestamp now);
  void age(flow::Seconds now, std::uint32_t budget);
  void give_up_waiting(Timestamp now);
  void end_flow(FlowTable::Entry& entry);

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
  [[nodiscard]] bool give_packet(std::uint16_t i);
  [[nodiscard]] bool give_datagram(ByteSpan bytes, const packet::PacketView& made_of,
                                   const detect::PacketContext& context);
  [[nodiscard]] std::uint32_t take_over();
  void pass_taken(std::uint16_t count);
  void take_datagram(const rte_mbuf* mbuf);

  flow::KeyOptions key_options_;
  flow::Timeouts timeouts_;
  bool verify_checksums_;
  bool fast_lane_;
  packet::DecodeOptions decode_options_;
  unsigned index_;
  Handover* handover_;
  exhibit::Recorder* recorder_;  // nullptr: no evidence is kept
  bool finishing_ = false;
  std::unique_ptr<detect::Inspector> inspector_;
  PolicySwitch& policies_;
  std::uint32_t generation_;
  const classify::Classifier* classifier_;
  bool listens_to_dns_;  // datagrams to DNS ports are read
  FlowTable flows_;
  flow::Defragmenter defragmenter_;
  std::array<flow::ReadingBuffers, flow::kMaxFragmentDepth> reading_buffers_;
  flow::CoarseClock clock_;
  Timestamp aged_at_;
  std::uint64_t ageing_debt_ = 0;  // flows × nanoseconds
  classify::VlanCensus vlans_;
  LargestFlow largest_flow_;
  WorkerCounters counters_;
  PassCycles* pass_cycles_ = nullptr;

  // One burst.
  std::array<rte_mbuf*, kBurst> burst_{};
  std::uint16_t ingress_port_ = 0;
  std::uint16_t todo_count_ = 0;
  std::uint16_t whole_count_ = 0;
  std::array<std::uint8_t, kBurst> todo_{};   // packets that are not done, in order
  std::array<std::uint8_t, kBurst> whole_{};  // those decoded whole
  Tally tally_;
  std::array<Way, kBurst> ways_{};
  // With a key:
  std::array<flow::Key, kBurst> keys_{};
  std::array<std::uint64_t, kBurst> hashes_{};
  std::array<flow::Direction, kBurst> directions_{};
  std::array<detect::Segment, kBurst> segments_{};
  std::array<FlowTable::Entry*, kBurst> candidates_{};
  // Decoded whole:
  std::array<packet::PacketView, kBurst> views_{};
  std::array<detect::PacketContext, kBurst> contexts_{};
  // kBurst slots for packets in several segments; never touched where there are none.
  std::unique_ptr<std::uint8_t[]> linear_;
};

}  // namespace imds::pipeline
