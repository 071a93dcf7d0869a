// The worker's inspect pass: the fast lane, the flows, and every packet's one disposition.
#include <algorithm>

#include <rte_mbuf.h>

#include "pipeline/worker.h"
#include "port/packet_meta.h"

namespace imds::pipeline {

namespace {

using packet::IpProtocol;

// Seconds between the last two tries of a SYN, with seven of them at doubling intervals, and some.
constexpr std::uint16_t kLongestSynRetry = 70;

bool has_no_payload(const packet::PacketView& view) {
  return view.reason == DecodeReason::none && view.payload.empty() &&
         (view.is(IpProtocol::tcp) || view.is(IpProtocol::udp));
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

void Worker::inspect_pass() {
  const std::span<const std::uint8_t> todo(todo_.data(), todo_count_);
  for (const std::uint16_t i : todo) {
    // Each packet at its own time: a burst of a capture may span hours.
    clock_.update(Timestamp{port::meta(burst_[i]).timestamp_ns});
    if (ways_[i] == Way::plain && (passes_lane(i) || passes_control(i))) {
      ++tally_.passed[segments_[i].payload.empty() ? 0 : 1];
    } else if (recorder_ == nullptr) [[likely]] {
      inspect_whole(i);
    } else {
      inspect_kept(i);
    }
  }
  count(Disposition::no_payload, tally_.without_flow[0] + tally_.passed[0]);
  count(Disposition::not_inspected, tally_.without_flow[1]);
  count(Disposition::inspected, tally_.passed[1]);
  counters_.lane_packets.add(tally_.without_flow[0] + tally_.without_flow[1] + tally_.passed[0] +
                             tally_.passed[1]);
  tally_ = {};
}

void Worker::count(Disposition disposition, std::uint64_t packets) {
  counters_.dispositions[static_cast<std::size_t>(disposition)].add(packets);
}

inline bool Worker::passes_lane(std::uint16_t i) {
  FlowTable::Entry* const entry = candidates_[i];
  const flow::Seconds now = clock_.now();
  if (entry == nullptr || !FlowTable::is(*entry, keys_[i]) || entry->idle(now) ||
      !inspector_->lane().pass(segments_[i], directions_[i], entry->state)) {
    return false;
  }
  entry->touch(now);
  return true;
}

// Beginnings and ends of flows that nobody watches.
bool Worker::passes_control(std::uint16_t i) {
  const detect::Segment& segment = segments_[i];
  if (!segment.begins_or_ends() || !segment.payload.empty()) {
    return false;
  }
  const flow::Key& key = keys_[i];
  const flow::Seconds now = clock_.now();
  FlowTable::Entry* entry = flows_.find(key, hashes_[i]);
  if (entry != nullptr && entry->idle(now)) {
    return false;
  }
  const bool begins = detect::FastLane::begins(segment) && is_unwatched(key);
  if (begins && entry == nullptr) {
    entry = &flows_.insert(key, hashes_[i], now,
                           [this](FlowTable::Entry& gone, flow::Removal) { end_flow(gone); });
    inspector_->lane().begin(segment, directions_[i], ingress_port_, entry->state);
  } else if (begins && detect::FastLane::is_over(entry->state)) {
    inspector_->end_flow(entry->state);
    entry->state = {};
    inspector_->lane().begin(segment, directions_[i], ingress_port_, entry->state);
  } else if (entry == nullptr ||
             !inspector_->lane().pass_control(segment, directions_[i], entry->state)) {
    return false;
  }
  entry->touch(now);
  update_timeout(*entry);
  return true;
}

bool Worker::is_unwatched(const flow::Key& key) const {
  const AddressFamily family = key.is_v6() ? AddressFamily::ipv6 : AddressFamily::ipv4;
  return classifier_->is_unlisted(family, key.lower_address.data()) &&
         classifier_->is_unlisted(family, key.higher_address.data());
}

// The same where evidence is kept: the recorder knows which packet is at hand.
void Worker::inspect_kept(std::uint16_t i) {
  const rte_mbuf* const mbuf = burst_[i];
  const port::PacketMeta& meta = port::meta(mbuf);
  exhibit::Frame frame;
  frame.bytes = mbuf->nb_segs == 1
                    ? ByteSpan(rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len)
                    : contiguous(mbuf, i);
  frame.time = Timestamp{meta.timestamp_ns};
  frame.original_length = meta.original_length;
  frame.link = meta.link_type;
  frame.port = ways_[i] == Way::plain ? ingress_port_ : contexts_[i].ingress_port;
  frame.is_test = (meta.flags & port::kTest) != 0;
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
    frame.stripped_vlan = mbuf->vlan_tci & packet::kVlanIdMask;
  }
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0) {
    frame.stripped_outer_vlan = mbuf->vlan_tci_outer & packet::kVlanIdMask;
  }
  recorder_->take_up(frame);
  inspect_whole(i);
  recorder_->put_down();
}

void Worker::inspect_whole(std::uint16_t i) {
  if (ways_[i] == Way::given) {
    count(Disposition::handed_over);
    return;
  }
  if (ways_[i] == Way::plain) {
    widen(i);
    classify_one(i);
    count(inspect(contexts_[i], keys_[i], hashes_[i], directions_[i]));
    return;
  }
  const packet::PacketView& view = views_[i];
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
  if (ways_[i] == Way::keyed) {
    count(inspect(contexts_[i], keys_[i], hashes_[i], directions_[i]));
    return;
  }
  note_evidence(contexts_[i]);
  const bool read = detect::Inspector::may_be_request(view) && inspector_->datagram(contexts_[i]);
  count(read ? Disposition::inspected : disposition_without_flow(view));
}

void Worker::note_evidence(const detect::PacketContext& context) {
  if (inspector_->may_be_evidence(context)) [[unlikely]] {
    inspector_->evidence(context);
  }
}

Disposition Worker::inspect(const detect::PacketContext& context, const flow::Key& key,
                            std::uint64_t hash, flow::Direction direction) {
  const packet::PacketView& view = *context.view;
  note_evidence(context);
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

// Those of `path` from the index `first` on.
void Worker::count_tunnels(const TunnelPath& path, std::size_t first) {
  for (std::size_t i = first; i < path.count; ++i) {
    counters_.tunnels[static_cast<std::size_t>(path.kinds[i])].add();
  }
}

}  // namespace imds::pipeline
