#include "pipeline/worker.h"

#include <algorithm>
#include <new>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "http/probe.h"
#include "packet/checksum.h"
#include "packet/decode.h"
#include "port/packet_meta.h"

namespace imds::pipeline {

namespace {

using packet::IpProtocol;

constexpr std::uint16_t kPrefetchAhead = 4;
constexpr std::size_t kHeadPrefetchBytes = 1024;
// Flow entries looked at for ageing after each burst, and per look at the clock while idle.
constexpr std::uint32_t kAgeingBudget = 32;
constexpr std::uint32_t kIdleAgeingBudget = 4096;
// Seconds between the last two tries of a SYN, with seven of them at doubling intervals, and some.
constexpr std::uint16_t kLongestSynRetry = 70;
// Streams given up waiting for after each burst.
constexpr std::uint32_t kWaitingBudget = 64;

bool has_no_payload(const packet::PacketView& view) {
  return view.reason == DecodeReason::none && view.payload.empty() &&
         (view.is(IpProtocol::tcp) || view.is(IpProtocol::udp));
}

// What begins like a request will be read to its end; of other payload little more is read than the
// first bytes, which came with the headers.
void prefetch_head(ByteSpan payload) {
  if (http::may_start_http(http::first8(payload))) {
    const std::size_t size = std::min(payload.size(), kHeadPrefetchBytes);
    for (std::size_t at = 0; at < size; at += kCacheLine) {
      rte_prefetch0(payload.data() + at);
    }
  }
}

Disposition disposition_without_flow(const packet::PacketView& view) {
  if (view.is_fragment) {
    return Disposition::fragment;
  }
  if (view.reason != DecodeReason::none && describe(view.reason).malformed) {
    return Disposition::malformed;
  }
  if (!view.is_ip()) {
    return Disposition::not_ip;
  }
  return has_no_payload(view) ? Disposition::no_payload : Disposition::not_inspected;
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(const Options& options,
                                               std::shared_ptr<const rules::RuleSet> rules,
                                               const classify::Classifier& classifier,
                                               const classify::SuppressionSet& suppressions,
                                               detect::FindingRing& findings) {
  auto inspector =
      detect::Inspector::create(options.inspector, std::move(rules), suppressions, findings);
  if (!inspector) {
    return pass_on(inspector);
  }
  try {
    return std::unique_ptr<Worker>(new Worker(options, std::move(*inspector), classifier));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::environment,
                "not enough memory for a worker's tables: lower flow.capacity or "
                "fragments.memory_mib");
  }
}

Worker::Worker(const Options& options, std::unique_ptr<detect::Inspector> inspector,
               const classify::Classifier& classifier)
    : key_options_(options.key),
      timeouts_(options.timeouts),
      verify_checksums_(options.verify_checksums),
      decode_options_(options.decode),
      index_(options.index),
      handover_(options.handover),
      inspector_(std::move(inspector)),
      classifier_(classifier),
      flows_(options.flows),
      defragmenter_(fragment_options(options)),
      linear_(kBurst * kSlotBytes) {}

flow::DefragmenterOptions Worker::fragment_options(const Options& options) {
  flow::DefragmenterOptions fragments = options.fragments;
  fragments.on_lost = [](void* worker, const packet::PacketView& view, ByteSpan bytes,
                         std::uint16_t ingress_port) {
    static_cast<Worker*>(worker)->lost_datagram(view, bytes, ingress_port);
  };
  fragments.on_lost_context = this;
  return fragments;
}

std::uint32_t Worker::poll(std::span<port::Source* const> sources) {
  std::uint32_t packets = 0;
  Timestamp newest;
  for (port::Source* source : sources) {
    const std::uint16_t count = source->receive(burst_);
    if (count == 0) {
      continue;
    }
    counters_.packets.add(count);
    counters_.bytes.add(decode_pass(count));
    classify_pass(count, source->port_index());
    handover_pass(count, source->port_index());
    flow_pass(count);
    inspect_pass(count);
    // Not the first one's: between two packets of a burst hours may have passed.
    newest = std::max(newest, views_[count - 1].time);
    source->release(std::span<rte_mbuf* const>(burst_).first(count));
    packets += count;
  }
  if (handover_ != nullptr) {
    packets += take_over();
  }
  if (packets > 0) {
    age(clock_.now(), kAgeingBudget);
  }
  if (newest > Timestamp{}) {
    give_up_waiting(newest);
  }
  return packets;
}

// Returns the packets' bytes on the wire.
std::uint64_t Worker::decode_pass(std::uint16_t count) {
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < std::min(count, kPrefetchAhead); ++i) {
    rte_prefetch0(rte_pktmbuf_mtod(burst_[i], const void*));
  }
  for (std::uint16_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      rte_prefetch0(rte_pktmbuf_mtod(burst_[i + kPrefetchAhead], const void*));
    }
    const rte_mbuf* mbuf = burst_[i];
    const port::PacketMeta& meta = port::meta(mbuf);
    packet::FrameInfo frame;
    frame.link = static_cast<packet::LinkType>(meta.link_type);
    frame.time = Timestamp{meta.timestamp_ns};
    frame.original_length = meta.original_length;
    if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
      frame.stripped_vlan = mbuf->vlan_tci & packet::kVlanIdMask;
    }
    if ((mbuf->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0) [[unlikely]] {
      frame.stripped_outer_vlan = mbuf->vlan_tci_outer & packet::kVlanIdMask;
    }
    packet::decode(contiguous(mbuf, i), frame, decode_options_, views_[i]);
    if (mbuf->pkt_len > kLongestPacket && views_[i].anomaly == DecodeReason::none) [[unlikely]] {
      views_[i].anomaly = DecodeReason::segments_too_many;
    }
    if (verify_checksums_ && views_[i].reason == DecodeReason::none) {
      views_[i].reason = packet::wrong_checksum(views_[i]);
    }
    contexts_[i].is_test = (meta.flags & port::kTest) != 0;
    vlans_.note(views_[i].vlan);
    bytes += meta.original_length;
  }
  return bytes;
}

// Those of `path` from the index `first` on.
void Worker::count_tunnels(const TunnelPath& path, std::size_t first) {
  for (std::size_t i = first; i < path.count; ++i) {
    counters_.tunnels[static_cast<std::size_t>(path.kinds[i])].add();
  }
}

// The packet's bytes in one piece; those of chained mbufs are copied into the slot's own place.
ByteSpan Worker::contiguous(const rte_mbuf* packet, std::uint16_t slot) {
  if (packet->nb_segs == 1) {
    return {rte_pktmbuf_mtod(packet, const std::uint8_t*), packet->data_len};
  }
  const bool is_datagram = port::meta(packet).link_type == kLinkDatagram;
  const std::size_t longest = is_datagram ? kSlotBytes : kLongestPacket;
  std::uint8_t* const out = &linear_[slot * kSlotBytes];
  const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(packet->pkt_len, longest));
  const void* bytes = rte_pktmbuf_read(packet, 0, length, out);
  return {static_cast<const std::uint8_t*>(bytes), bytes != nullptr ? length : 0};
}

void Worker::classify_pass(std::uint16_t count, std::uint16_t ingress_port) {
  for (std::uint16_t i = 0; i < count; ++i) {
    classify_one(i, ingress_port);
  }
}

void Worker::classify_one(std::uint16_t i, std::uint16_t ingress_port) {
  const packet::PacketView& view = views_[i];
  detect::PacketContext& context = contexts_[i];
  context.view = &view;
  context.ingress_port = ingress_port;
  context.source = &classifier_.lookup(view.source);
  context.destination = &classifier_.lookup(view.destination);
}

// Only what came in a tunnel can be in the wrong place: the rest is where the device put it.
void Worker::handover_pass(std::uint16_t count, std::uint16_t ingress_port) {
  if (handover_ == nullptr) {
    return;
  }
  for (std::uint16_t i = 0; i < count; ++i) {
    given_[i] = views_[i].tunnel.path.count != 0 && give_packet(i, ingress_port);
  }
}

// TCP, and whatever else touches a watched address.
bool Worker::needs_flow(const packet::PacketView& view, const detect::PacketContext& context) {
  return view.reason == DecodeReason::none && view.is_ip() &&
         (view.is(IpProtocol::tcp) || context.touches_watched());
}

void Worker::flow_pass(std::uint16_t count) {
  for (std::uint16_t i = 0; i < count; ++i) {
    const packet::PacketView& view = views_[i];
    keyed_[i] = !given_[i] && needs_flow(view, contexts_[i]);
    if (keyed_[i]) {
      prefetch_head(view.payload);
      directions_[i] = flow::make_key(view, key_options_, keys_[i]);
      hashes_[i] = flows_.hash(keys_[i]);
      flows_.prefetch(hashes_[i]);
    }
  }
  for (std::uint16_t i = 0; i < count; ++i) {
    if (keyed_[i]) {
      flows_.prefetch_entry(hashes_[i]);
    }
  }
}

void Worker::inspect_pass(std::uint16_t count) {
  for (std::uint16_t i = 0; i < count; ++i) {
    const packet::PacketView& view = views_[i];
    // Each packet at its own time: a burst of a capture may span hours.
    clock_.update(view.time);
    if (given_[i]) {
      counters_.dispositions[static_cast<std::size_t>(Disposition::handed_over)].add();
      continue;
    }
    if (view.tunnel.path.count != 0) {
      count_tunnels(view.tunnel.path, 0);
    }
    if (view.reason != DecodeReason::none) {
      counters_.decode_stopped[static_cast<std::size_t>(view.reason)].add();
    }
    if (view.anomaly != DecodeReason::none) {
      counters_.anomalies[static_cast<std::size_t>(view.anomaly)].add();
    }
    if (view.is_fragment) {
      fragment(contexts_[i], 0);
    }
    const bool read =
        !keyed_[i] && detect::Inspector::may_be_request(view) && inspector_->datagram(contexts_[i]);
    const Disposition disposition =
        keyed_[i] ? inspect(contexts_[i], keys_[i], hashes_[i], directions_[i])
        : read    ? Disposition::inspected
                  : disposition_without_flow(view);
    counters_.dispositions[static_cast<std::size_t>(disposition)].add();
  }
}

Disposition Worker::inspect(const detect::PacketContext& context, const flow::Key& key,
                            std::uint64_t hash, flow::Direction direction) {
  const packet::PacketView& view = *context.view;
  const auto on_remove = [this](FlowTable::Entry& gone, flow::Removal) { end_flow(gone); };
  const flow::Seconds now = clock_.now();
  FlowTable::Entry* entry = flows_.find(key, hash);
  if (entry != nullptr && entry->idle(now)) {
    // Over, only not yet swept: what comes now is another flow.
    flows_.erase(*entry, on_remove);
    entry = nullptr;
  }
  if (entry == nullptr) {
    if (!detect::Inspector::begins_flow(context)) {
      return disposition_without_flow(view);
    }
    entry = &flows_.insert(key, hash, now, on_remove);
  }
  inspector_->packet(context, direction, entry->state);
  entry->touch(now);
  update_timeout(*entry);
  return has_no_payload(view) ? Disposition::no_payload : Disposition::inspected;
}

void Worker::update_timeout(FlowTable::Entry& entry) const {
  const detect::FlowState& state = entry.state;
  if (entry.key.protocol() != static_cast<std::uint8_t>(IpProtocol::tcp)) {
    entry.timeout = timeouts_.other;
  } else if (state.is_closing()) {
    entry.timeout = timeouts_.tcp_closing;
  } else if (state.saw_payload) {
    entry.timeout = timeouts_.tcp_established;
  } else {
    // A reported connection is remembered for as long as its SYN may be tried again.
    entry.timeout = state.connection_reported ? std::max(timeouts_.tcp_opening, kLongestSynRetry)
                                              : timeouts_.tcp_opening;
  }
}

void Worker::age(flow::Seconds now, std::uint32_t budget) {
  defragmenter_.expire(now, budget);
  flows_.expire(now, budget, [this](FlowTable::Entry& entry, flow::Removal) { end_flow(entry); });
}

// Streams that wait for bytes which do not come, without another packet of their flow.
void Worker::give_up_waiting(Timestamp now) {
  for (std::uint32_t left = kWaitingBudget; left > 0; --left) {
    detect::FlowState* const waiting = inspector_->overdue(now);
    if (waiting == nullptr) {
      return;
    }
    const FlowTable::Entry& entry = flow::entry_of(*waiting);
    const packet::PacketView view = inspector_->packet_of(entry.key, *waiting);
    inspector_->give_up_waiting(*waiting, context_of(view, *waiting));
  }
}

// For a packet that stands for the last one of a flow.
detect::PacketContext Worker::context_of(const packet::PacketView& view,
                                         const detect::FlowState& state) const {
  detect::PacketContext context;
  context.view = &view;
  context.source = &classifier_.lookup(view.source);
  context.destination = &classifier_.lookup(view.destination);
  context.ingress_port = state.ingress_port;
  return context;
}

void Worker::end_flow(FlowTable::Entry& entry) {
  if (!entry.state.has_unfinished_head()) {
    inspector_->end_flow(entry.state);
    return;
  }
  const packet::PacketView view = inspector_->packet_of(entry.key, entry.state);
  inspector_->end_flow(entry.state, context_of(view, entry.state), entry.state.last.direction);
}

void Worker::run(std::span<port::Source* const> sources, const std::atomic<bool>& stop) {
  const std::uint64_t tsc_hz = rte_get_tsc_hz();
  std::uint64_t before = rte_rdtsc();
  std::uint64_t clock_due = before + tsc_hz;
  while (!stop.load(std::memory_order_relaxed)) {
    const std::uint32_t packets = poll(sources);
    const std::uint64_t after = rte_rdtsc();
    const std::uint64_t spent = after - before;
    before = after;
    counters_.run_cycles.add(spent);
    if (packets > 0) {
      counters_.busy_cycles.add(spent);
    }
    counters_.longest_loop_cycles.raise_to(spent);
    if (packets == 0 && after >= clock_due) {
      clock_due = after + tsc_hz;
      age(clock_.update(wall_clock_now()), kIdleAgeingBudget);
      give_up_waiting(wall_clock_now());
    }
  }
}

void Worker::finish() {
  finishing_ = true;  // others may be done already
  while (handover_ != nullptr && take_over() > 0) {
  }
  defragmenter_.clear();
  flows_.clear([this](FlowTable::Entry& entry, flow::Removal) { end_flow(entry); });
}

}  // namespace imds::pipeline
