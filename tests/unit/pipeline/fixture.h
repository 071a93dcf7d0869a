// A worker with the shipped rules, fed from a list of packets.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "classify/address_class.h"
#include "detect/policy.h"
#include "event/fields.h"
#include "pipeline/worker.h"
#include "port/packet_meta.h"
#include "port/source.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "support/eal.h"
#include "support/packet_builder.h"
#include "support/tcp_session.h"

namespace imds::pipeline {

inline constexpr unsigned kPoolMbufs = 8191;
inline constexpr std::uint16_t kMbufBytes = 2048;

// One packet as a port would deliver it.
struct Given {
  support::Bytes bytes;
  Timestamp time{1'760'000'000 * kNanosPerSecond};
  std::uint32_t original_length = 0;  // 0: all of it is here
  std::uint16_t link = port::kLinkEthernet;
  bool is_test = false;
  std::optional<std::uint16_t> stripped_vlan;        // taken off by the NIC
  std::optional<std::uint16_t> stripped_outer_vlan;  // in front of it
  std::size_t segment_bytes = kMbufBytes;            // no mbuf of the chain holds more
};

inline Given given(support::Bytes bytes) {
  Given packet;
  packet.bytes = std::move(bytes);
  return packet;
}

// Hands out its packets in mbufs of its own pool, and fails the test if they do not come back in
// the order they went.
class ListSource final : public port::Source {
 public:
  explicit ListSource(std::uint16_t port_index = 0, std::uint16_t largest_burst = kBurst)
      : Source(port_index), largest_burst_(largest_burst) {
    static unsigned serial = 0;
    const std::string name = "list_source_" + std::to_string(serial++);
    pool_ = rte_pktmbuf_pool_create(name.c_str(), kPoolMbufs, 0, 0,
                                    RTE_PKTMBUF_HEADROOM + kMbufBytes, SOCKET_ID_ANY);
    if (pool_ == nullptr) {
      throw std::runtime_error("no memory for packets");
    }
  }
  ~ListSource() override {
    EXPECT_TRUE(in_flight_.empty());
    EXPECT_EQ(rte_mempool_avail_count(pool_), kPoolMbufs) << "packets were not given back";
    rte_mempool_free(pool_);
  }

  ListSource& add(Given packet) {
    waiting_.push_back(std::move(packet));
    return *this;
  }
  ListSource& add(const support::TcpSession& session) {
    for (const support::TimedPacket& packet : session.packets()) {
      Given next = given(packet.bytes);
      next.time = packet.time;
      add(std::move(next));
    }
    return *this;
  }

  // Of the bursts from now on.
  void set_largest_burst(std::uint16_t packets) { largest_burst_ = packets; }

  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    EXPECT_TRUE(in_flight_.empty());
    std::uint16_t count = 0;
    for (; count < std::min<std::size_t>(burst.size(), largest_burst_) && !exhausted(); ++count) {
      const Given& packet = waiting_[next_++];
      burst[count] = make(packet);
      in_flight_.push_back(burst[count]);
      stats_.received_bytes.add(packet.bytes.size());
    }
    stats_.received_packets.add(count);
    return count;
  }
  void release(std::span<rte_mbuf* const> burst) override {
    EXPECT_TRUE(std::equal(burst.begin(), burst.end(), in_flight_.begin(), in_flight_.end()));
    for (rte_mbuf* packet : burst) {
      rte_pktmbuf_free(packet);
    }
    in_flight_.clear();
    stats_.released_packets.add(burst.size());
  }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  [[nodiscard]] bool exhausted() const override { return next_ == waiting_.size(); }

 private:
  [[nodiscard]] rte_mbuf* make(const Given& packet) const {
    rte_mbuf* head = rte_pktmbuf_alloc(pool_);
    rte_mbuf* tail = head;
    for (std::size_t done = 0; done < packet.bytes.size();) {
      const std::size_t part = std::min<std::size_t>(
          {packet.bytes.size() - done, packet.segment_bytes, std::size_t{kMbufBytes}});
      if (done > 0) {
        tail->next = rte_pktmbuf_alloc(pool_);
        tail = tail->next;
        ++head->nb_segs;
      }
      tail->data_len = static_cast<std::uint16_t>(part);
      std::copy_n(packet.bytes.begin() + static_cast<std::ptrdiff_t>(done), part,
                  rte_pktmbuf_mtod(tail, std::uint8_t*));
      done += part;
    }
    const auto length = static_cast<std::uint32_t>(packet.bytes.size());
    head->pkt_len = length;
    if (packet.stripped_vlan) {
      head->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
      head->vlan_tci = *packet.stripped_vlan;
    }
    if (packet.stripped_outer_vlan) {
      head->ol_flags |= RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED;
      head->vlan_tci_outer = *packet.stripped_outer_vlan;
    }
    port::PacketMeta& meta = port::meta(head);
    meta.timestamp_ns = packet.time.ns;
    meta.original_length = std::max(packet.original_length, length);
    meta.link_type = packet.link;
    meta.flags =
        static_cast<std::uint8_t>((packet.is_test ? port::kTest : 0) |
                                  (packet.original_length > length ? port::kTruncated : 0));
    return head;
  }

  rte_mempool* pool_ = nullptr;
  std::uint16_t largest_burst_;
  std::vector<Given> waiting_;
  std::size_t next_ = 0;
  std::vector<rte_mbuf*> in_flight_;
};

// What all workers of this program share: EAL, the shipped rules, the two AWS addresses.
struct Shared {
  std::shared_ptr<const detect::Policy> policy;

  static const Shared& get() {
    static const Shared* const shared = new Shared;  // outlives EAL's clean-up
    return *shared;
  }

 private:
  template <class T>
  static T must(Result<T> result) {
    if (!result) {
      throw std::runtime_error(result.error().to_string());
    }
    return std::move(*result);
  }
  Shared() {
    support::start_eal();
    if (auto registered = port::register_packet_meta(); !registered) {
      throw std::runtime_error(registered.error().to_string());
    }
    const auto fields = must(event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml"));
    // What a rule finds is the rules' business: these leave no doubt how many alerts there are.
    const std::vector<std::filesystem::path> paths = {
        IMDS_CONF_DIR "/rules/aws_imds_metadata_access.yml",
        IMDS_CONF_DIR "/rules/imds_conflicting_data.yml",
        IMDS_CONF_DIR "/rules/imds_http2_mid_stream.yml"};
    const auto rules = must(rules::RuleSet::compile(must(sigma::load_paths(paths, fields)).rules));
    classify::Options options;
    options.endpoints = {{"imds4", {*IpPrefix::parse("169.254.169.254/32")}},
                         {"imds6", {*IpPrefix::parse("fd00:ec2::254/128")}}};
    options.destination_prefixes = rules->destination_prefixes();
    options.source_prefixes = rules->source_prefixes();
    policy = must(detect::Policy::create(rules, options));
  }
};

inline Options small_options() {
  Options options;
  options.flows.flows = 4096;
  options.flows.secret = flow::HashSecret::from_seed(1);
  options.fragments.memory_bytes = std::size_t{2} << 20;
  options.inspector.ports = 2;
  options.inspector.arena.blocks = {64, 16, 4, 4};
  return options;
}

class Rig {
 public:
  explicit Rig(const Options& options = small_options(), std::size_t ring = 4096)
      : findings_(ring),
        policies_(PolicySwitch::create(Shared::get().policy, options.index + 1).value()),
        worker_(Worker::create(options, *policies_, findings_).value()) {}

  // Everything the source holds, with its books checked after every burst.
  Rig& run(ListSource& source) {
    port::Source* const sources[] = {&source};
    while (!source.exhausted()) {
      worker_->poll(sources);
      EXPECT_EQ(source.stats().received_packets.get(), source.stats().released_packets.get());
      EXPECT_EQ(worker_->counters().packets.get(), disposed());
    }
    return *this;
  }
  Rig& run(const support::TcpSession& session) {
    ListSource source;
    return run(source.add(session));
  }
  Rig& run(Given packet) {
    ListSource source;
    return run(source.add(std::move(packet)));
  }

  [[nodiscard]] std::uint64_t disposed() const {
    std::uint64_t sum = 0;
    for (const Counter& counter : worker_->counters().dispositions) {
      sum += counter.get();
    }
    return sum;
  }
  [[nodiscard]] std::uint64_t count(Disposition disposition) const {
    return worker_->counters().dispositions[static_cast<std::size_t>(disposition)].get();
  }
  [[nodiscard]] std::uint64_t stopped(DecodeReason reason) const {
    return worker_->counters().decode_stopped[static_cast<std::size_t>(reason)].get();
  }
  [[nodiscard]] std::uint64_t anomalies(DecodeReason reason) const {
    return worker_->counters().anomalies[static_cast<std::size_t>(reason)].get();
  }

  // What rules hit; not what only the story needs.
  std::vector<event::Finding> take() {
    std::vector<event::Finding> out;
    while (const event::Finding* finding = findings_.front()) {
      if (finding->rule_count > 0) {
        out.push_back(*finding);
      }
      findings_.pop();
    }
    return out;
  }
  // "connection", "http_request GET /x", …: what was found, in order.
  std::vector<std::string> events() {
    std::vector<std::string> out;
    for (const event::Finding& finding : take()) {
      std::string text(event::name(finding.type));
      if (finding.type == event::EventType::http_request) {
        text += ' ' + std::string(finding.method.view()) + ' ' + std::string(finding.target.view());
      }
      out.push_back(std::move(text));
    }
    return out;
  }

  [[nodiscard]] Worker& worker() { return *worker_; }
  [[nodiscard]] PolicySwitch& policies() { return *policies_; }
  [[nodiscard]] const detect::Counters& counted() const { return worker_->inspector().counters(); }
  [[nodiscard]] const detect::EvidenceCounters& counted_evidence() const {
    return worker_->inspector().evidence().counters();
  }
  [[nodiscard]] std::uint64_t flows() const { return worker_->flows().counters().live.get(); }

 private:
  detect::FindingRing findings_;
  std::unique_ptr<PolicySwitch> policies_;
  std::unique_ptr<Worker> worker_;
};

using Events = std::vector<std::string>;

inline constexpr std::string_view kMetadata =
    "GET /latest/meta-data/iam/info HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";
inline constexpr std::string_view kFoundMetadata = "http_request GET /latest/meta-data/iam/info";

inline support::TcpSession::Options elsewhere() {
  support::TcpSession::Options options;
  options.server_ip = "203.0.113.7";
  return options;
}

inline support::PacketBuilder tcp_data(std::string_view payload, unsigned client_port = 40000) {
  support::PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.1", "203.0.113.7").tcp(client_port, 80).seq(1).payload(payload);
  return builder;
}

}  // namespace imds::pipeline
