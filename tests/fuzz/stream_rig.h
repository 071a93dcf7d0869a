// One worker with the shipped rules, fed the packets of one connection after the other.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <rte_mbuf.h>

#include "classify/classifier.h"
#include "event/fields.h"
#include "fuzz.h"
#include "pipeline/worker.h"
#include "port/packet_meta.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "support/eal.h"
#include "support/fragments.h"
#include "support/packet_builder.h"

namespace imds::fuzz {

// Hands out the packets it is given, each in one mbuf.
class QueueSource final : public port::Source {
 public:
  QueueSource() : Source(0) {
    static unsigned serial = 0;
    const std::string name = "fuzz_" + std::to_string(serial++);
    pool_ = rte_pktmbuf_pool_create(name.c_str(), 4095, 0, 0, RTE_PKTMBUF_HEADROOM + 2048,
                                    SOCKET_ID_ANY);
    require(pool_ != nullptr, "there is memory for packets");
  }
  void add(const support::Bytes& bytes, Timestamp time) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
    require(packet != nullptr && bytes.size() <= 2048, "the packet fits");
    std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_mtod(packet, std::uint8_t*));
    packet->data_len = static_cast<std::uint16_t>(bytes.size());
    packet->pkt_len = packet->data_len;
    port::PacketMeta& meta = port::meta(packet);
    meta = {};
    meta.timestamp_ns = time.ns;
    meta.original_length = packet->pkt_len;
    waiting_.push_back(packet);
  }
  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    const std::size_t count = std::min(burst.size(), waiting_.size());
    std::copy_n(waiting_.begin(), count, burst.begin());
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    return static_cast<std::uint16_t>(count);
  }
  void release(std::span<rte_mbuf* const> burst) override {
    for (rte_mbuf* packet : burst) {
      rte_pktmbuf_free(packet);
    }
  }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  [[nodiscard]] bool exhausted() const override { return waiting_.empty(); }

 private:
  rte_mempool* pool_ = nullptr;
  std::vector<rte_mbuf*> waiting_;
};

struct Endpoints {
  bool v6 = false;
  std::uint32_t isn = 0;
};

class StreamRig {
 public:
  explicit StreamRig(bool fast_lane = true) : findings_(4096) {
    support::start_eal();
    require(port::register_packet_meta().has_value(), "mbufs have room");
    const auto fields = event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml").value();
    const std::vector<std::filesystem::path> paths = {IMDS_CONF_DIR "/rules"};
    const auto rules =
        rules::RuleSet::compile(sigma::load_paths(paths, fields).value().rules).value();
    classify::Options classes;
    classes.endpoints = {{"imds4", {*IpPrefix::parse("169.254.169.254/32")}},
                         {"imds6", {*IpPrefix::parse("fd00:ec2::254/128")}}};
    classes.destination_prefixes = rules->destination_prefixes();
    classes.source_prefixes = rules->source_prefixes();
    policies_ =
        pipeline::PolicySwitch::create(detect::Policy::create(rules, classes).value(), 1).value();
    pipeline::Options options;
    options.flows.flows = 1024;
    options.flows.secret = flow::HashSecret::from_seed(1);
    options.fast_lane = fast_lane;
    options.inspector.arena.blocks = {64, 32, 16, 8};
    worker_ = pipeline::Worker::create(options, *policies_, findings_).value();
    source_ = std::make_unique<QueueSource>();
  }

  // A new connection with its SYN.
  void begin(const Endpoints& ends) {
    ends_ = ends;
    ++fragment_id_;
    now_.ns += 100 * kNanosPerSecond;
    deliver(tcp().flags(support::kSyn).seq(ends.isn).build());
  }
  // `payload` at this offset of the client's stream; in fragments of `fragment_bytes` unless that
  // is 0, the order rotated by `turn`.
  void send(std::string_view payload, std::size_t offset, std::size_t fragment_bytes = 0,
            std::size_t turn = 0) {
    const auto sequence = static_cast<std::uint32_t>(ends_.isn + 1 + offset);
    const support::Bytes packet =
        tcp().flags(support::kAck | support::kPsh).seq(sequence).payload(payload).build();
    if (fragment_bytes == 0) {
      deliver(packet);
      return;
    }
    auto pieces = support::fragments_of(packet, fragment_bytes, ++fragment_id_);
    std::rotate(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(turn % pieces.size()),
                pieces.end());
    for (const support::Bytes& piece : pieces) {
      deliver(piece);
    }
  }
  // Ends the connection; what was found, sorted.
  std::vector<std::string> end() {
    worker_->finish();
    std::vector<std::string> events;
    while (const event::Finding* finding = findings_.front()) {
      std::string text(event::name(finding->type));
      text.append(" ").append(finding->method.view()).append(" ").append(finding->target.view());
      events.push_back(std::move(text));
      findings_.pop();
    }
    std::sort(events.begin(), events.end());
    return events;
  }
  [[nodiscard]] bool books_balance() const {
    std::uint64_t sum = 0;
    for (const Counter& counter : worker_->counters().dispositions) {
      sum += counter.get();
    }
    return sum == worker_->counters().packets.get();
  }

 private:
  [[nodiscard]] support::PacketBuilder tcp() const {
    support::PacketBuilder builder;
    builder.ethernet();
    if (ends_.v6) {
      builder.ipv6("2001:db8::1", "2001:db8::80");
    } else {
      builder.ipv4("10.0.0.1", "203.0.113.7");
    }
    builder.tcp(40000, 80);
    return builder;
  }
  void deliver(const support::Bytes& bytes) {
    now_.ns += 1'000'000;
    source_->add(bytes, now_);
    port::Source* const sources[] = {source_.get()};
    while (!source_->exhausted()) {
      worker_->poll(sources);
    }
  }

  detect::FindingRing findings_;
  std::unique_ptr<pipeline::PolicySwitch> policies_;
  std::unique_ptr<pipeline::Worker> worker_;
  std::unique_ptr<QueueSource> source_;
  Endpoints ends_;
  std::uint32_t fragment_id_ = 0;
  Timestamp now_{1'760'000'000 * kNanosPerSecond};
};

}  // namespace imds::fuzz
