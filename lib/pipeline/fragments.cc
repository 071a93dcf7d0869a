// The worker's part for fragments, the datagrams made of them, and what belongs to another worker.
#include <algorithm>
#include <cstring>

#include <rte_mbuf.h>

#include "packet/checksum.h"
#include "pipeline/worker.h"

namespace imds::pipeline {

detect::PacketContext Worker::context_of(const packet::PacketView& view,
                                         std::uint16_t ingress_port) const {
  detect::PacketContext context;
  context.view = &view;
  context.source = &classifier_->lookup(view.source);
  context.destination = &classifier_->lookup(view.destination);
  context.ingress_port = ingress_port;
  return context;
}

void Worker::fragment(const detect::PacketContext& context, unsigned depth) {
  const packet::PacketView& view = *context.view;
  flow::ReadingBuffers& buffers =
      reading_buffers_[std::min<std::size_t>(depth, reading_buffers_.size() - 1)];
  const flow::Added added = defragmenter_.add(view,
                                              {.now = clock_.now(),
                                               .of_interest = context.touches_watched(),
                                               .depth = static_cast<std::uint8_t>(depth),
                                               .label = context.ingress_port},
                                              buffers);
  if (flow::is_refused(added.outcome)) {
    inspector_->scan_loose(context, view.payload);
  }
  if (added.overlap) {
    inspector_->report_fragment_overlap(context);
  }
  if (!added.first.empty()) {
    datagram(added.first, context, false, depth);
  }
  if (!added.second.empty()) {
    datagram(added.second, context, true, depth);
  }
}

void Worker::datagram(ByteSpan bytes, const detect::PacketContext& fragment_context,
                      bool second_reading, unsigned depth) {
  const packet::PacketView& made_of = *fragment_context.view;
  packet::PacketView view;
  packet::decode_datagram(bytes, made_of, decode_options_, view);
  if (verify_checksums_ && view.reason == DecodeReason::none) {
    view.reason = packet::wrong_checksum(view);
  }
  detect::PacketContext context = context_of(view, fragment_context.ingress_port);
  context.is_test = fragment_context.is_test;
  context.second_reading = second_reading || fragment_context.second_reading;
  if (!context.second_reading) {
    count_inside(view, made_of);
  }
  if (view.is_fragment) {
    fragment(context, depth + 1);
    return;
  }
  if (!needs_flow(view, context)) {
    note_evidence(context);
    if (detect::Inspector::may_be_request(view) && inspector_->datagram(context)) {
      counters_.datagrams.add();
    }
    return;
  }
  if (!give_datagram(bytes, made_of, context)) {
    inspect_datagram(context);
  }
}

// What only the whole datagram shows; its fragments, and the tunnels they came in, are counted.
void Worker::count_inside(const packet::PacketView& view, const packet::PacketView& made_of) {
  count_tunnels(view.tunnel.path, made_of.tunnel.path.count);
  if (view.reason != DecodeReason::none && !view.is_fragment) {
    counters_.decode_stopped[static_cast<std::size_t>(view.reason)].add();
  }
  if (view.anomaly != DecodeReason::none) {
    counters_.anomalies[static_cast<std::size_t>(view.anomaly)].add();
  }
}

void Worker::inspect_datagram(const detect::PacketContext& context) {
  counters_.datagrams.add();
  flow::Key key;
  const flow::Direction direction = flow::make_key(*context.view, key_options_, key);
  (void)inspect(context, key, flows_.hash(key), direction);
}

// True: its owner has it.
bool Worker::give_datagram(ByteSpan bytes, const packet::PacketView& made_of,
                           const detect::PacketContext& context) {
  if (handover_ == nullptr || finishing_) {
    return false;
  }
  const unsigned owner = handover_->owner_of(*context.view, context.ingress_port, index_);
  if (owner == index_) {
    return false;
  }
  DatagramNote note{made_of, context.second_reading};
  note.fragment.network = {};
  note.fragment.payload = {};
  port::PacketMeta meta;
  meta.timestamp_ns = made_of.time.ns;
  meta.original_length = static_cast<std::uint32_t>(bytes.size());
  meta.flags = context.is_test ? port::kTest : 0;
  meta.ingress_port = static_cast<std::uint8_t>(context.ingress_port);
  if (!handover_->give_datagram(owner, bytes, note, meta)) {
    counters_.handover_refused.add();
    return false;
  }
  counters_.datagrams_given.add();
  return true;
}

// True: its owner has a reference, and will count it.
bool Worker::give_packet(std::uint16_t i) {
  const packet::PacketView& view = views_[i];
  if (!view.is_ip()) {
    return false;
  }
  const unsigned owner = handover_->owner_of(view, ingress_port_, index_);
  if (owner == index_) {
    return false;
  }
  port::meta(burst_[i]).ingress_port = static_cast<std::uint8_t>(ingress_port_);
  if (!handover_->give(owner, burst_[i])) {
    counters_.handover_refused.add();
    return false;
  }
  return true;
}

// What others gave: packets go through the passes like any, but are this worker's to keep.
std::uint32_t Worker::take_over() {
  const std::uint16_t count = handover_->take(index_, burst_);
  if (count == 0) {
    return 0;
  }
  std::uint16_t packets = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = burst_[i];
    if (port::meta(mbuf).link_type == kLinkDatagram) {
      // Those before it come first: they may be of the same flow.
      pass_taken(packets);
      packets = 0;
      take_datagram(mbuf);
      rte_pktmbuf_free(mbuf);
    } else {
      burst_[packets++] = mbuf;
    }
  }
  pass_taken(packets);
  return count;
}

void Worker::pass_taken(std::uint16_t count) {
  if (count == 0) {
    return;
  }
  counters_.taken_over.add(count);
  for (std::uint16_t i = 0; i < count; ++i) {
    ingress_port_ = port::meta(burst_[i]).ingress_port;
    decode_whole(i);
    classify_one(i);
    vlans_.note(views_[i].vlan);
    ways_[i] = Way::whole;
    todo_[i] = whole_[i] = static_cast<std::uint8_t>(i);
  }
  todo_count_ = whole_count_ = count;
  flow_pass();
  inspect_pass();
  rte_pktmbuf_free_bulk(burst_.data(), count);
}

void Worker::take_datagram(const rte_mbuf* mbuf) {
  const ByteSpan all = contiguous(mbuf, 0);
  DatagramNote note;
  if (all.size() < sizeof note) {
    return;
  }
  std::memcpy(static_cast<void*>(&note), all.data(), sizeof note);
  packet::PacketView view;
  packet::decode_datagram(all.subspan(sizeof note), note.fragment, decode_options_, view);
  const port::PacketMeta& meta = port::meta(mbuf);
  detect::PacketContext context = context_of(view, meta.ingress_port);
  context.is_test = (meta.flags & port::kTest) != 0;
  context.second_reading = note.second_reading;
  clock_.update(view.time);
  counters_.datagrams_taken.add();
  inspect_datagram(context);
}

// A datagram that stayed incomplete: its bytes are looked at as they are, and contact with a
// watched address is reported all the same.
void Worker::lost_datagram(const packet::PacketView& view, ByteSpan bytes,
                           std::uint16_t ingress_port) {
  const exhibit::Recorder::Aside aside(recorder_);  // it is not the packet at hand
  const detect::PacketContext context = context_of(view, ingress_port);
  inspector_->scan_loose(context, bytes);
  if (!context.touches_watched()) {
    return;
  }
  flow::Key key;
  const flow::Direction direction = flow::make_key(view, key_options_, key);
  const std::uint64_t hash = flows_.hash(key);
  FlowTable::Entry* entry = flows_.find(key, hash);
  if (entry == nullptr) {
    entry = &flows_.insert(key, hash, clock_.now(),
                           [this](FlowTable::Entry& gone, flow::Removal) { end_flow(gone); });
    entry->timeout = timeouts_.other;
  }
  inspector_->note_contact(context, direction, entry->state);
}

}  // namespace imds::pipeline
