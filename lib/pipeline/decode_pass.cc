// The worker's decode pass: the burst's bytes to keys and views.
#include <algorithm>
#include <limits>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "http/probe.h"
#include "packet/checksum.h"
#include "packet/decode.h"
#include "pipeline/worker.h"
#include "port/packet_meta.h"

namespace imds::pipeline {

namespace {

using packet::IpProtocol;

constexpr auto kTcp = static_cast<std::uint8_t>(IpProtocol::tcp);
constexpr std::uint16_t kPrefetchAhead = 8;

// Of a packet whose mbuf is in the cache: the lines of its headers, and of the first bytes behind.
void prefetch_headers(const rte_mbuf* mbuf) {
  const auto* data = rte_pktmbuf_mtod(mbuf, const char*);
  rte_prefetch0(data);
  // Of a short one the same line again, which costs less than a branch nobody can predict.
  rte_prefetch0(data + (mbuf->data_len > kCacheLine ? kCacheLine : 0));
}

// Whether what read_plain() takes for granted holds: one whole Ethernet frame in one piece, its
// tags in place.
bool is_ordinary(const rte_mbuf* mbuf, const port::PacketMeta& meta) {
  constexpr std::uint64_t kStripped = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED;
  static_assert(std::numeric_limits<decltype(mbuf->data_len)>::max() <= kLongestPacket);
  return mbuf->nb_segs == 1 && (mbuf->ol_flags & kStripped) == 0 && meta.flags == 0 &&
         meta.link_type == port::kLinkEthernet && meta.original_length == mbuf->data_len;
}

}  // namespace

// Sorts the burst: what needs no flow ends here, the rest is in todo_, and what of it was decoded
// whole also in whole_. Returns the packets' bytes on the wire.
std::uint64_t Worker::decode_pass(std::uint16_t count) {
  std::uint64_t bytes = 0;
  std::uint16_t todo = 0;
  whole_count_ = 0;
  for (std::uint16_t i = 0; i < std::min(count, kPrefetchAhead); ++i) {
    prefetch_headers(burst_[i]);
  }
  for (std::uint16_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      prefetch_headers(burst_[i + kPrefetchAhead]);
    }
    const port::PacketMeta& meta = port::meta(burst_[i]);
    bytes += meta.original_length;
    const Way way = fast_lane_ && is_ordinary(burst_[i], meta) ? decode_plain(i) : Way::whole;
    ways_[i] = way;
    todo_[todo] = static_cast<std::uint8_t>(i);
    todo += way == Way::done ? 0 : 1;
    if (way == Way::whole) {
      decode_whole(i);
      vlans_.note(views_[i].vlan);
      whole_[whole_count_++] = static_cast<std::uint8_t>(i);
    }
  }
  todo_count_ = todo;
  return bytes;
}

[[gnu::always_inline]] inline Worker::Way Worker::decode_plain(std::uint16_t i) {
  const ByteSpan frame{rte_pktmbuf_mtod(burst_[i], const std::uint8_t*), burst_[i]->data_len};
  // Each straight line has variables of its own, which so stay in registers.
  if (packet::PlainPacket packet; packet::read_tcp_in_ipv4(frame, packet)) {
    flow::PeersV4 peers;
    directions_[i] = flow::make_key_v4(packet, keys_[i], peers);
    begin_plain(i, packet, flows_.hash_v4(peers, flow::key_kind(kTcp, false)));
    vlans_.note_untagged();
    return Way::plain;
  }
  if (packet::PlainPacket packet; packet::read_tcp_in_ipv6(frame, packet)) {
    directions_[i] = flow::make_key_v6(packet, keys_[i]);
    begin_plain(i, packet, flows_.hash(keys_[i]));
    vlans_.note_untagged();
    return Way::plain;
  }
  return decode_other_plain(i, frame);
}

// TCP with VLAN tags or rare options, and UDP.
Worker::Way Worker::decode_other_plain(std::uint16_t i, ByteSpan frame) {
  packet::PlainPacket packet;
  if (!packet::read_plain(frame, decode_options_.ports, packet)) {
    return Way::whole;
  }
  vlans_.note(packet.vlan_count, packet.vlan_ids);
  if (packet.protocol == IpProtocol::tcp) {
    directions_[i] = flow::make_key(packet, key_options_, keys_[i]);
    begin_plain(i, packet, flows_.hash(keys_[i]));
    return Way::plain;
  }
  if (!needs_no_flow(packet)) [[unlikely]] {
    return Way::whole;
  }
  ++tally_.without_flow[packet.payload_size == 0 ? 0 : 1];
  return Way::done;
}

// `packet` is TCP, and its key is made, of which `hash` is.
[[gnu::always_inline]] inline void Worker::begin_plain(std::uint16_t i,
                                                       const packet::PlainPacket& packet,
                                                       std::uint64_t hash) {
  hashes_[i] = hash;
  flows_.prefetch(hash);
  segments_[i] = {packet.payload_bytes(), packet.sequence, packet.acknowledgment, packet.tcp_flags};
}

// What the fast lane declined.
void Worker::widen(std::uint16_t i) {
  const rte_mbuf* mbuf = burst_[i];
  const ByteSpan frame{rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len};
  packet::PlainPacket packet;
  (void)packet::read_plain(frame, decode_options_.ports, packet);  // as it did before
  packet::widen(packet, frame, Timestamp{port::meta(mbuf).timestamp_ns}, views_[i]);
  contexts_[i] = {};
  contexts_[i].view = &views_[i];
  contexts_[i].ingress_port = ingress_port_;
}

void Worker::decode_whole(std::uint16_t i) {
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
  contexts_[i].view = &views_[i];
  contexts_[i].ingress_port = ingress_port_;
  contexts_[i].is_test = (meta.flags & port::kTest) != 0;
}

// A datagram that needs_flow(), may_be_evidence() and may_be_request() would deny. Nearly no
// address is listed at all.
bool Worker::needs_no_flow(const packet::PlainPacket& packet) const {
  const AddressFamily family = packet.is_v6 ? AddressFamily::ipv6 : AddressFamily::ipv4;
  return classifier_->is_unlisted(family, packet.source) &&
         classifier_->is_unlisted(family, packet.destination) &&
         !detect::Evidence::is_claiming_port(packet.source_port(), packet.destination_port()) &&
         !(listens_to_dns_ && detect::Evidence::is_dns_port(packet.destination_port())) &&
         !http::may_start_http(http::first8(packet.payload_bytes()));
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

}  // namespace imds::pipeline
